/* tests/unit/agent/routes/test_route_table_bounds.c - the route table's memory: bounded, shared fairly, given back, and
 * its bytes a route. CELLROUTER_TEST_ROUTES=10000000 measures with so many routes instead of a million. */
#include "agent/routes/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/unit/agent/routes/route_table_help.h"

static void memory_is_bounded_and_used(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 65536, 100000, MEGABYTE, 5 * MEGABYTE + 12345};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct route_table *table = table_of(limits[i]);
        for (unsigned n = 0; n < 100000; n++) {
            assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
            expect_bounded(table);
        }
        struct route_table_stats stats = route_table_stats(table);
        double each = (double)stats.limit / (double)stats.routes;
        assert_true(has_number(table, 1, 99999, START));
        assert_int_equal(stats.routes + stats.evicted, 100000);
        if (each > (limits[i] < MEGABYTE ? 130 : 101)) /* less the fixed part, for small tables */
            fail_msg("a limit of %llu holds %llu routes: %.1f bytes each", (unsigned long long)stats.limit,
                     (unsigned long long)stats.routes, each);
        route_table_free(table);
    }
}

/* Keys change from short to long ones and back: no memory is lost to the wrong size. */
static void memory_serves_every_length(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    char key[400];
    uint64_t first[2] = {0};
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned n = 0; n < 30000; n++) {
            int length = snprintf(key, sizeof key, "/%u-%u-%0*u/", round, n, round % 2 ? 300 : 8, n);
            struct route_word word = word_of((uint16_t)(n % 3), 1, 36000000);
            assert_int_equal(route_table_put(table, key, (size_t)length, &word, START, NULL), ROUTE_PUT_NEW);
        }
        uint64_t routes = route_table_stats(table).routes;
        if (round < 2)
            first[round] = routes;
        else if (routes < first[round % 2] * 95 / 100)
            fail_msg("round %u: %llu routes, %llu the first time", round, (unsigned long long)routes,
                     (unsigned long long)first[round % 2]);
        expect_bounded(table);
    }
    route_table_free(table);
}

/* What is used stays, what is not goes. */
static void eviction_spares_what_is_used(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    for (unsigned n = 0; n < 200000; n++) {
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
        if (n >= 100 && n % 100 == 0)
            for (unsigned hot = 0; hot < 100; hot++)
                if (!has_number(table, 1, hot, START))
                    fail_msg("route %u was dropped after %u, though it was in use", hot, n);
    }
    assert_false(has_number(table, 1, 150, START));
    route_table_free(table);
}

/* One cell claims without end: the routes of the others stay, even unused. */
static void a_mad_cell_pushes_nobody_out(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    for (unsigned n = 0; n < 2000; n++) {
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
        assert_int_equal(put_number(table, 2, n, START), ROUTE_PUT_NEW);
    }
    for (unsigned n = 0; n < 100000; n++)
        assert_int_equal(put_number(table, 3, n, START), ROUTE_PUT_NEW);
    assert_int_equal(route_table_cell_routes(table, 1), 2000);
    assert_int_equal(route_table_cell_routes(table, 2), 2000);
    uint64_t mad = route_table_cell_routes(table, 3);
    assert_true(mad > 4000); /* what nobody else wants it may have */
    /* The others take back up to their fair share, the mad one keeps its own. */
    for (unsigned n = 2000; n < 100000; n++)
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
    assert_int_equal(route_table_cell_routes(table, 2), 2000);
    uint64_t first = route_table_cell_routes(table, 1);
    mad = route_table_cell_routes(table, 3);
    assert_true(first + mad > 6000);
    assert_true(mad >= 2000);
    for (unsigned n = 2000; n < 100000; n++)
        assert_int_equal(put_number(table, 2, n, START), ROUTE_PUT_NEW);
    uint64_t all = route_table_stats(table).routes;
    for (uint16_t cell = 1; cell <= 3; cell++)
        if (route_table_cell_routes(table, cell) < all * 32 / 100)
            fail_msg("cell %u has %llu of %llu routes", cell, (unsigned long long)route_table_cell_routes(table, cell),
                     (unsigned long long)all);
    route_table_free(table);
}

/* Cells without routes have no share. */
static void cells_that_left_have_no_share(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    for (uint16_t cell = 10; cell < 200; cell++) {
        assert_int_equal(put(table, "/gone/", cell, cell, 60000, START), cell == 10 ? ROUTE_PUT_NEW : ROUTE_PUT_MOVED);
        assert_int_equal(put_number(table, cell, 1, START), ROUTE_PUT_NEW);
        route_table_forget_cell(table, cell);
        assert_int_equal(put(table, "/gone/", cell, cell, 60000, START), ROUTE_PUT_NEW);
    }
    assert_true(forget(table, "/gone/", 199, START));
    for (unsigned n = 0; n < 20000; n++)
        assert_int_equal(put_number(table, 2, n, START), ROUTE_PUT_NEW);
    for (unsigned n = 0; n < 20000; n++)
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
    uint64_t all = route_table_stats(table).routes, first = route_table_cell_routes(table, 1);
    if (first < all * 45 / 100)
        fail_msg("one of two cells has %llu of %llu routes", (unsigned long long)first, (unsigned long long)all);
    route_table_free(table);
}

static void pinned_go_last(void **state)
{
    (void)state;
    struct route_table *table = table_of(65536);
    struct route_word pin = {.cell = 9, .pinned = true, .stamp_ms = 1, .left_ms = ROUTE_FOREVER};
    char key[16];
    for (unsigned n = 0; n < 100; n++) {
        snprintf(key, sizeof key, "/pin-%u/", n);
        assert_int_equal(put_word(table, key, &pin, START), ROUTE_PUT_NEW);
    }
    for (unsigned n = 0; n < 10000; n++)
        assert_int_equal(put_number(table, n % 9, n, START), ROUTE_PUT_NEW);
    assert_int_equal(route_table_cell_routes(table, 9), 100);
    for (unsigned n = 100; n < 10000; n++) {
        snprintf(key, sizeof key, "/pin-%u/", n);
        assert_int_equal(put_word(table, key, &pin, START), ROUTE_PUT_NEW);
        expect_bounded(table);
    }
    struct route_table_stats stats = route_table_stats(table);
    assert_int_equal(stats.routes, stats.pinned);
    assert_int_equal(put_number(table, 1, 1, START), ROUTE_PUT_NO_ROOM); /* an operator's word is worth more */
    route_table_forget_cell(table, 9);
    assert_int_equal(put_number(table, 1, 1, START), ROUTE_PUT_NEW);
    route_table_free(table);
}

static void sweep_gives_back(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    for (unsigned n = 0; n < 3000; n++)
        assert_int_equal(put_number(table, 1 + n % 3, n, START), ROUTE_PUT_NEW);
    uint64_t bytes = route_table_stats(table).bytes;
    route_table_forget_cell(table, 1);
    route_table_distrust(table, 1000, START);
    assert_int_equal(put_number(table, 4, 1, START), ROUTE_PUT_NEW);
    assert_int_equal(route_table_stats(table).routes, 2001);
    for (unsigned i = 0; i < 100; i++)
        route_table_sweep(table, 100, START + 999);
    assert_int_equal(route_table_stats(table).routes, 2001);
    for (unsigned i = 0; i < 100; i++)
        route_table_sweep(table, 100, START + 1000);
    struct route_table_stats stats = route_table_stats(table);
    assert_int_equal(stats.routes, 1);
    assert_int_equal(stats.expired, 2000);
    /* As many fit again, without one byte more and without an eviction. */
    for (unsigned n = 0; n < 2900; n++)
        assert_int_equal(put_number(table, 5, n, START + 1000), ROUTE_PUT_NEW);
    stats = route_table_stats(table);
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(stats.bytes, bytes);
    route_table_free(table);
}

struct seen {
    unsigned times[5000];
};

static void see(void *user, const char *key, size_t length, const struct route *route)
{
    struct seen *seen = user;
    char text[32] = "";
    unsigned cell, number;
    assert_in_range(length, 1, sizeof text - 1);
    memcpy(text, key, length);
    assert_int_equal(sscanf(text, "/cell-%u/%u/", &cell, &number), 2);
    assert_int_equal(route->cell, cell);
    assert_in_range(number, 0, 4999);
    seen->times[number]++;
}

/* A listing in parts, while the table grows and shrinks: what is there all the time is seen. */
static void a_listing_has_all(void **state)
{
    (void)state;
    struct route_table *table = table_of(4 * MEGABYTE);
    struct route_cursor cursor = {0};
    struct seen seen = {{0}};
    for (unsigned n = 0; n < 1000; n++)
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
    unsigned parts = 0;
    while (route_table_list(table, &cursor, 7, START, see, &seen)) {
        for (unsigned i = 0; i < 20 && parts * 20 + i < 3000; i++)
            assert_int_equal(put_number(table, 1, 1000 + parts * 20 + i, START), ROUTE_PUT_NEW);
        parts++;
    }
    assert_true(parts > 10);
    for (unsigned n = 0; n < 1000; n++)
        if (seen.times[n] < 1 || seen.times[n] > 2)
            fail_msg("route %u was visited %u times", n, seen.times[n]);
    /* Without changes: each once, and not one that is dead. */
    uint64_t routes = route_table_stats(table).routes;
    assert_int_equal(put(table, "/cell-2/4999/", 2, 1, 1000, START), ROUTE_PUT_NEW);
    memset(&seen, 0, sizeof seen);
    cursor = (struct route_cursor){0};
    while (route_table_list(table, &cursor, 1, START + 1000, see, &seen))
        ;
    for (unsigned n = 0; n < 5000; n++)
        assert_int_equal(seen.times[n], n < routes);
    route_table_free(table);
}

/* Prefixes as a site has them: groups, subgroups, and what stands behind a fixed word; 24 bytes on average. */
static size_t realistic_key(struct rng *rng, uint64_t number, char *key, size_t size)
{
    static const char words[] = "the-quick-brown-fox-jumps-over-the-lazy-dog-";
    int extra = (int)rng_below(rng, 21);
    uint64_t kind = rng_below(rng, 10);
    if (kind == 0)
        return (size_t)snprintf(key, size, "/organizations/%.*s.%llx/", extra, words, (unsigned long long)number);
    if (kind < 4)
        return (size_t)snprintf(key, size, "/%.*s/%.*s.%llx/", 6 + extra / 2, words, extra, words,
                                (unsigned long long)number);
    return (size_t)snprintf(key, size, "/%.*s.%llx/", 3 + extra, words, (unsigned long long)number);
}

static void bytes_a_route(void **state)
{
    (void)state;
    const char *wanted = getenv("CELLROUTER_TEST_ROUTES");
    uint64_t count = wanted ? strtoull(wanted, NULL, 10) : 1000000, length_sum = 0;
    struct route_table *table = table_of(count * 128);
    struct rng rng = {3};
    char key[128];
    for (uint64_t i = 0; i < count; i++) {
        size_t length = realistic_key(&rng, i, key, sizeof key);
        struct route_word word = word_of((uint16_t)(i % 20), 1, 36000000);
        length_sum += length;
        if (route_table_put(table, key, length, &word, START, NULL) != ROUTE_PUT_NEW)
            fail_msg("route %llu: %.*s was refused", (unsigned long long)i, (int)length, key);
    }
    struct route_table_stats stats = route_table_stats(table);
    double average = (double)length_sum / (double)count, each = (double)stats.bytes / (double)count;
    print_message("%llu routes, prefixes of %.1f bytes on average: %.1f bytes a route\n", (unsigned long long)count,
                  average, each);
    assert_int_equal(stats.routes, count);
    assert_int_equal(stats.evicted, 0);
    assert_true(average >= 24);
    if (each > 100)
        fail_msg("%.1f bytes a route", each);
    route_table_free(table);
}

static double cpu_seconds(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* FLUSHALL in Redis empties the table in one turn of the loop: that costs nothing for each route. */
static void a_flush_is_short_however_many_there_are(void **state)
{
    enum { ROUTES = 400000 };
    (void)state;
    struct route_table *table = table_of(64 * (uint64_t)MEGABYTE);
    double began = cpu_seconds();
    for (unsigned n = 0; n < ROUTES; n++)
        assert_int_equal(put_number(table, 1, n, START), ROUTE_PUT_NEW);
    double learning = cpu_seconds() - began;
    assert_int_equal(route_table_stats(table).routes, ROUTES);
    began = cpu_seconds();
    route_table_flush(table);
    double flushing = cpu_seconds() - began;
    print_message("%d routes: learned in %.0f ms, flushed in %.3f ms\n", ROUTES, learning * 1e3, flushing * 1e3);
    assert_true(flushing < learning / 20);
    assert_int_equal(route_table_stats(table).routes, 0);
    assert_int_equal(put_number(table, 1, 7, START), ROUTE_PUT_NEW);
    route_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_bounded_and_used),
        cmocka_unit_test(memory_serves_every_length),
        cmocka_unit_test(eviction_spares_what_is_used),
        cmocka_unit_test(a_mad_cell_pushes_nobody_out),
        cmocka_unit_test(cells_that_left_have_no_share),
        cmocka_unit_test(pinned_go_last),
        cmocka_unit_test(sweep_gives_back),
        cmocka_unit_test(a_listing_has_all),
        cmocka_unit_test(a_flush_is_short_however_many_there_are),
        cmocka_unit_test(bytes_a_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
