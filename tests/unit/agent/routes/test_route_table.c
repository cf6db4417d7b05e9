/* tests/unit/agent/routes/test_route_table.c - the route table by examples. */
#include "agent/routes/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/agent/routes/route_table_help.h"

static void longest_prefix_wins(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route route;
    assert_int_equal(cell_of(table, "/a/b/c", START), CELL_NONE);
    assert_int_equal(put(table, "/a/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/a/b/c/", 2, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(cell_of(table, "/a", START), 1);
    assert_int_equal(cell_of(table, "/a/b", START), 1);
    assert_int_equal(cell_of(table, "/a/b/c", START), 2);
    assert_int_equal(cell_of(table, "/a/b/c/d/e/f/g/h/i", START), 2);
    assert_int_equal(cell_of(table, "/a/b/c2", START), 1);
    assert_int_equal(cell_of(table, "/a2/b/c", START), CELL_NONE);
    assert_int_equal(cell_of(table, "/", START), CELL_NONE);
    assert_true(look(table, "/a/b/c/d", START, &route));
    assert_int_equal(route.key_length, 7);
    /* The longer one ends first: the shorter one counts again. */
    assert_int_equal(put(table, "/a/b/c/", 2, 2, 1024, START), ROUTE_PUT_REFRESHED);
    assert_int_equal(cell_of(table, "/a/b/c", START + 1023), 2);
    assert_int_equal(cell_of(table, "/a/b/c", START + 1024), 1);
    route_table_free(table);
    route_table_free(NULL);
}

static void bad_words(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    static const char *const keys[] = {"", "/", "a", "/a", "host/", "//"};
    for (size_t i = 0; i + 1 < sizeof keys / sizeof *keys; i++)
        if (put(table, keys[i], 1, 1, 60000, START) != ROUTE_PUT_BAD)
            fail_msg("\"%s\" was taken as a key", keys[i]);
    assert_int_equal(put(table, "host/a/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/a/", CELLS_MAX, 1, 60000, START), ROUTE_PUT_BAD);
    assert_int_equal(put(table, "/a/", CELL_NONE, 1, 60000, START), ROUTE_PUT_BAD);
    assert_int_equal(put(table, "/a/", 1, UINT64_C(1) << 44, 60000, START), ROUTE_PUT_BAD);
    assert_int_equal(put(table, "/a/", 1, 1, 0, START), ROUTE_PUT_BAD);
    assert_int_equal(put(table, "/a/", 1, 1, ROUTE_TICK_MS - 1, START), ROUTE_PUT_BAD);
    assert_int_equal(put(table, "/a/", 1, 1, UINT64_MAX - 1, START), ROUTE_PUT_NEW); /* as long as 32 bits reach */
    char deep[2 * (PATH_MAX_DEPTH + 1) + 2] = "/";
    for (size_t i = 0; i < PATH_MAX_DEPTH; i++)
        strcat(deep, "d/");
    assert_int_equal(put(table, deep, 1, 1, 60000, START), ROUTE_PUT_NEW);
    strcat(deep, "d/");
    assert_int_equal(put(table, deep, 1, 1, 60000, START), ROUTE_PUT_BAD);
    assert_int_equal(route_table_stats(table).routes, 3);
    route_table_free(table);
}

/* Every length from one block to the longest key: all bytes count. */
static void long_keys(void **state)
{
    (void)state;
    struct route_table *table = table_of(64 * MEGABYTE);
    struct route route;
    char *key = malloc(ROUTE_KEY_MAX + 2);
    for (size_t length = 3; length <= ROUTE_KEY_MAX + 1; length += length < 300 ? 1 : 61) {
        memset(key, 'k', length);
        key[0] = key[length - 1] = '/';
        struct route_word word = word_of((uint16_t)(length % 100), 1, 60000);
        assert_int_equal(route_table_put(table, key, length, &word, START, NULL),
                         length <= ROUTE_KEY_MAX ? ROUTE_PUT_NEW : ROUTE_PUT_BAD);
        assert_int_equal(route_table_find(table, key, length, START, &route), length <= ROUTE_KEY_MAX);
        for (size_t at = 1; at + 1 < length && length < 300; at++) {
            key[at] = 'x';
            if (route_table_find(table, key, length, START, &route))
                fail_msg("a key of %zu bytes was found, though byte %zu differs", length, at);
            key[at] = 'k';
        }
    }
    memset(key, 'k', ROUTE_KEY_MAX);
    key[0] = key[ROUTE_KEY_MAX - 1] = '/';
    struct route_word word = word_of(5, 2, 60000);
    assert_int_equal(route_table_put(table, key, ROUTE_KEY_MAX, &word, START, NULL), ROUTE_PUT_NEW);
    key[ROUTE_KEY_MAX - 1] = '\0';
    assert_int_equal(cell_of(table, key, START), 5);
    assert_false(route_table_find(table, key, 0, START, &route));
    free(key);
    route_table_free(table);
}

static void the_newest_word_wins(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route_word stored = word_of(3, 20, 60000);
    struct route route;
    uint16_t former = 99;
    stored.from_store = true;
    assert_int_equal(put(table, "/a/", 1, 20, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/a/", 2, 19, 60000, START), ROUTE_PUT_OLDER);
    assert_int_equal(put(table, "/a/", 1, 19, 60000, START), ROUTE_PUT_OLDER);
    assert_int_equal(put(table, "/a/", 2, 20, 60000, START), ROUTE_PUT_OLDER);
    assert_int_equal(put(table, "/a/", 1, 20, 60000, START), ROUTE_PUT_REFRESHED);
    assert_int_equal(cell_of(table, "/a", START), 1);
    assert_int_equal(route_table_put(table, "/a/", 3, &stored, START, &former), ROUTE_PUT_MOVED);
    assert_int_equal(former, 1);
    assert_true(look(table, "/a", START, &route));
    assert_true(route.cell == 3 && route.from_store && route.stamp_ms == 20);
    assert_int_equal(put(table, "/a/", 2, 21, 60000, START), ROUTE_PUT_MOVED);
    assert_int_equal(route_table_cell_routes(table, 3), 0);
    assert_int_equal(route_table_cell_routes(table, 2), 1);
    /* A route whose life is over has no say. */
    assert_int_equal(put(table, "/a/", 1, 5, 60000, START + 60000), ROUTE_PUT_NEW);
    struct route_word word = word_of(1, 5, 60000);
    assert_int_equal(route_table_put(table, "/b/", 3, &word, START, &former), ROUTE_PUT_NEW);
    assert_int_equal(former, CELL_NONE);
    assert_int_equal(route_table_stats(table).expired, 1);
    route_table_free(table);
}

static void pinned_routes_win(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route route;
    struct route_word pin = {.cell = 1, .pinned = true, .stamp_ms = 10, .left_ms = ROUTE_FOREVER};
    assert_int_equal(put(table, "/a/", 2, 20, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put_word(table, "/a/", &pin, START), ROUTE_PUT_MOVED); /* though its stamp is older */
    assert_int_equal(put(table, "/a/", 2, 30, 60000, START), ROUTE_PUT_PINNED);
    assert_true(look(table, "/a", START + UINT64_C(100000000000), &route));
    assert_true(route.pinned && !route.due && route.left_ms == ROUTE_FOREVER && route.cell == 1);
    assert_int_equal(route_table_stats(table).pinned, 1);
    pin.cell = 3;
    pin.stamp_ms = 9;
    assert_int_equal(put_word(table, "/a/", &pin, START), ROUTE_PUT_OLDER);
    pin.stamp_ms = 11;
    pin.left_ms = 5000;
    assert_int_equal(put_word(table, "/a/", &pin, START), ROUTE_PUT_MOVED);
    route_table_distrust(table, 100, START);
    assert_int_equal(cell_of(table, "/a", START + 4000), 3);
    assert_int_equal(cell_of(table, "/a", START + 5000), CELL_NONE);
    assert_int_equal(put(table, "/a/", 2, 1, 60000, START + 5000), ROUTE_PUT_NEW);
    assert_int_equal(route_table_stats(table).pinned, 0);
    route_table_free(table);
}

static void routes_are_forgotten(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    assert_int_equal(put(table, "/a/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_false(forget(table, "/b/", CELL_NONE, START));
    assert_false(forget(table, "/a/", 2, START));
    assert_true(forget(table, "/a/", 1, START));
    assert_false(forget(table, "/a/", 1, START));
    assert_int_equal(put(table, "/a/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_true(forget(table, "/a/", CELL_NONE, START));
    assert_int_equal(put(table, "/a/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_false(forget(table, "/a/", CELL_NONE, START + 60000)); /* it was none any more */
    route_table_free(table);
}

/* Prefixes of a depth that no route has cost nothing, also after the last one went. */
static void only_depths_in_use_are_looked_at(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    char buffer[32];
    struct path path;
    struct route_probe probe;
    assert_int_equal(path_parse(&path, &paths, TEXT_VIEW("/a/b/c/d"), (struct text_view){0}, buffer, sizeof buffer),
                     PATH_OK);
    route_table_prefetch(table, &path, &probe);
    assert_int_equal(probe.count, 0);
    assert_int_equal(put(table, "/x/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/x/y/z/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/x/y/z/", 2, 2, 60000, START), ROUTE_PUT_MOVED);
    route_table_prefetch(table, &path, &probe);
    assert_true(probe.count == 2 && probe.depths[0] == 3 && probe.depths[1] == 1);
    assert_true(forget(table, "/x/y/z/", CELL_NONE, START));
    route_table_prefetch(table, &path, &probe);
    assert_true(probe.count == 1 && probe.depths[0] == 1);
    route_table_flush(table);
    route_table_prefetch(table, &path, &probe);
    assert_int_equal(probe.count, 0);
    route_table_free(table);
}

static void forget_cell_and_flush(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route_word pin = {.cell = 1, .pinned = true, .stamp_ms = 1, .left_ms = ROUTE_FOREVER};
    assert_int_equal(put_word(table, "/p/", &pin, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/a/", 1, 9, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/b/", 2, 9, 60000, START), ROUTE_PUT_NEW);
    route_table_forget_cell(table, 1);
    route_table_forget_cell(table, 1);
    route_table_forget_cell(table, 77);
    route_table_forget_cell(table, CELL_NONE);
    assert_int_equal(cell_of(table, "/a", START), CELL_NONE);
    assert_int_equal(cell_of(table, "/p", START), CELL_NONE);
    assert_int_equal(cell_of(table, "/b", START), 2);
    assert_int_equal(route_table_cell_routes(table, 1), 0);
    assert_int_equal(route_table_stats(table).routes, 1);
    assert_int_equal(put(table, "/a/", 1, 1, 60000, START), ROUTE_PUT_NEW); /* an older word than the forgotten one */
    assert_int_equal(cell_of(table, "/a", START), 1);
    assert_int_equal(route_table_stats(table).routes, 2);
    route_table_flush(table);
    assert_int_equal(cell_of(table, "/a", START), CELL_NONE);
    assert_int_equal(cell_of(table, "/b", START), CELL_NONE);
    assert_int_equal(route_table_stats(table).routes, 0);
    assert_int_equal(put(table, "/b/", 3, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(cell_of(table, "/b", START), 3);
    route_table_free(table);
}

static void distrust_shortens_lives(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route route;
    assert_int_equal(put(table, "/old/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(put(table, "/short/", 1, 1, 1024, START), ROUTE_PUT_NEW);
    route_table_distrust(table, 5000, START);
    assert_true(look(table, "/old", START, &route));
    assert_int_equal(route.left_ms, 5000);
    assert_int_equal(put(table, "/new/", 1, 1, 60000, START), ROUTE_PUT_NEW);
    /* A second gap: what came in between has its own deadline, what was there before keeps the first one. */
    route_table_distrust(table, 5000, START + 2000);
    assert_true(look(table, "/new", START + 2000, &route));
    assert_int_equal(route.left_ms, 5000);
    assert_int_equal(cell_of(table, "/short", START + 1024), CELL_NONE);
    assert_int_equal(cell_of(table, "/old", START + 4999), 1);
    assert_int_equal(cell_of(table, "/old", START + 5000), CELL_NONE);
    assert_int_equal(cell_of(table, "/new", START + 6999), 1);
    assert_int_equal(cell_of(table, "/new", START + 7000), CELL_NONE);
    /* A word renews the trust. */
    assert_int_equal(put(table, "/old/", 1, 1, 60000, START + 7000), ROUTE_PUT_NEW);
    assert_int_equal(cell_of(table, "/old", START + 60000), 1);
    /* A later gap that leaves less time hurries an earlier one, too. */
    route_table_distrust(table, 50000, START + 8000);
    assert_int_equal(put(table, "/new/", 1, 1, 60000, START + 8000), ROUTE_PUT_NEW);
    route_table_distrust(table, 1000, START + 8000);
    assert_int_equal(cell_of(table, "/old", START + 8999), 1);
    assert_int_equal(cell_of(table, "/old", START + 9000), CELL_NONE);
    assert_int_equal(cell_of(table, "/new", START + 9000), CELL_NONE);
    route_table_free(table);
}

/* More gaps at a time than are remembered: nothing may outlive its own deadline, and no fresh route may suffer. */
static void many_gaps(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    char key[16];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "/%u/", i);
        assert_int_equal(put(table, key, 1, 1, 1000000, START + i), ROUTE_PUT_NEW);
        route_table_distrust(table, 5000, START + i);
    }
    assert_int_equal(put(table, "/fresh/", 1, 1, 1000000, START + 100), ROUTE_PUT_NEW);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "/%u", i);
        assert_int_equal(cell_of(table, key, START + i + 5000), CELL_NONE);
        assert_int_equal(cell_of(table, key, START + 100), 1);
    }
    assert_int_equal(cell_of(table, "/fresh", START + 900000), 1);
    route_table_free(table);
}

static void cells_are_remapped(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    char key[16];
    for (uint16_t i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "/%u/", i);
        assert_int_equal(put(table, key, i, 1, 60000, START), ROUTE_PUT_NEW);
    }
    static const uint16_t map[] = {1, 0, CELL_NONE, 0, 5}; /* 1 and 3 the same: only one of them can stay */
    uint16_t *exact = malloc(4 * sizeof *exact);
    memcpy(exact, map, 4 * sizeof *exact);
    route_table_remap(table, exact, 4); /* and cell 4 is out of the map */
    free(exact);
    assert_int_equal(cell_of(table, "/0", START), 1);
    assert_int_equal(cell_of(table, "/1", START), 0);
    for (unsigned i = 2; i < 5; i++) {
        snprintf(key, sizeof key, "/%u", i);
        assert_int_equal(cell_of(table, key, START), CELL_NONE);
    }
    assert_int_equal(route_table_stats(table).routes, 2);
    assert_int_equal(route_table_cell_routes(table, 1), 1);
    /* New cells take the slots of those that went; the dead stay dead. */
    for (uint16_t i = 10; i < 20; i++) {
        snprintf(key, sizeof key, "/%u/", i);
        assert_int_equal(put(table, key, i, 1, 60000, START), ROUTE_PUT_NEW);
    }
    assert_int_equal(cell_of(table, "/2", START), CELL_NONE);
    assert_int_equal(cell_of(table, "/4", START), CELL_NONE);
    assert_int_equal(put(table, "/2/", 10, 1, 60000, START), ROUTE_PUT_NEW);
    assert_int_equal(cell_of(table, "/2", START), 10);
    assert_int_equal(route_table_stats(table).routes, 13);
    route_table_free(table);
}

static void routes_become_due(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    struct route route;
    assert_int_equal(put(table, "/a/", 1, 1, 100000, START), ROUTE_PUT_NEW);
    assert_true(look(table, "/a", START + 79000, &route));
    assert_false(route.due || route.asked);
    assert_true(look(table, "/a", START + 80000, &route));
    assert_true(route.due && !route.asked);
    route_table_asked(table, &route, 4000, START + 80000);
    assert_true(look(table, "/a", START + 82000, &route));
    assert_false(route.due);
    assert_true(route.asked);
    assert_true(look(table, "/a", START + 85000, &route));
    assert_true(route.due);
    assert_int_equal(put(table, "/a/", 1, 2, 100000, START + 85000), ROUTE_PUT_REFRESHED);
    assert_true(look(table, "/a", START + 85000, &route));
    assert_false(route.due || route.asked);
    /* Out of the store in the middle of its life. */
    struct route_word word = {.cell = 1, .from_store = true, .stamp_ms = 1, .life_ms = 100000, .left_ms = 30000};
    assert_int_equal(put_word(table, "/s/", &word, START), ROUTE_PUT_NEW);
    assert_true(look(table, "/s", START + 9000, &route));
    assert_false(route.due);
    assert_true(look(table, "/s", START + 10000, &route));
    assert_true(route.due);
    word.left_ms = 10000;
    assert_int_equal(put_word(table, "/t/", &word, START), ROUTE_PUT_NEW);
    assert_true(look(table, "/t", START, &route));
    assert_true(route.due);
    route_table_tune(table, 100, 0, 0);
    assert_int_equal(put(table, "/n/", 1, 1, 100000, START), ROUTE_PUT_NEW);
    assert_true(look(table, "/n", START + 99000, &route));
    assert_false(route.due);
    route_table_free(table);
}

static void jitter_spreads_and_never_lengthens(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    route_table_tune(table, 80, 10, 0);
    uint64_t least = UINT64_MAX, most = 0;
    unsigned due = 0;
    char key[16];
    for (unsigned i = 0; i < 1000; i++) {
        struct route route;
        snprintf(key, sizeof key, "/%u/", i);
        assert_int_equal(put(table, key, 1, 1, 1000000, START), ROUTE_PUT_NEW);
        assert_true(look(table, key, START, &route));
        least = route.left_ms < least ? route.left_ms : least;
        most = route.left_ms > most ? route.left_ms : most;
        assert_true(look(table, key, START + 760000, &route));
        due += route.due;
    }
    assert_true(least >= 900000 - ROUTE_TICK_MS && least < 905000);
    assert_true(most <= 1000000 && most > 995000);
    assert_true(due > 200 && due < 800); /* in the middle of its spread */
    route_table_free(table);
}

/* Twenty bits of generations run out: then the table begins again, and nothing stale comes back. */
static void generations_run_out(void **state)
{
    (void)state;
    struct route_table *table = table_of(MEGABYTE);
    assert_int_equal(put(table, "/first/", 1, 1, 3600000, START), ROUTE_PUT_NEW);
    for (unsigned i = 0; i < (1 << 20) + 5; i++) {
        assert_int_not_equal(put(table, "/a/", (uint16_t)(i & 1), i, 3600000, START), ROUTE_PUT_OLDER);
        if (i % 2)
            route_table_distrust(table, 1000, START);
        else
            route_table_forget_cell(table, 0);
    }
    assert_int_equal(cell_of(table, "/first", START + 1000), CELL_NONE);
    assert_int_equal(cell_of(table, "/a", START + 1000), CELL_NONE);
    assert_int_equal(put(table, "/a/", 1, 1, 3600000, START + 1000), ROUTE_PUT_NEW);
    assert_int_equal(cell_of(table, "/a", START + 9000), 1);
    route_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_wins),
        cmocka_unit_test(bad_words),
        cmocka_unit_test(long_keys),
        cmocka_unit_test(the_newest_word_wins),
        cmocka_unit_test(pinned_routes_win),
        cmocka_unit_test(routes_are_forgotten),
        cmocka_unit_test(only_depths_in_use_are_looked_at),
        cmocka_unit_test(forget_cell_and_flush),
        cmocka_unit_test(distrust_shortens_lives),
        cmocka_unit_test(many_gaps),
        cmocka_unit_test(cells_are_remapped),
        cmocka_unit_test(routes_become_due),
        cmocka_unit_test(jitter_spreads_and_never_lengthens),
        cmocka_unit_test(generations_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
