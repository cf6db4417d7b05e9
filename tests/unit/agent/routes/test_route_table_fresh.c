/* tests/unit/agent/routes/test_route_table_fresh.c - which routes are fresh: seen to be right lately, and not doubted
 * since. */
#include "agent/routes/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/agent/routes/route_table_help.h"

enum { FRESH = 30000, NEARLY = FRESH - ROUTE_TICK_MS };

static struct route_table *table_fresh_for(uint32_t fresh_ms, uint64_t birth)
{
    struct route_table_options options = {
        .memory = MEGABYTE, .seed = 7, .now_ms = birth, .refresh_percent = 80, .fresh_ms = fresh_ms};
    struct route_table *table = route_table_new(&options);
    assert_non_null(table);
    return table;
}

/* Says at seen that /a/ is the cell's, as with this stamp. */
static void say(struct route_table *table, uint16_t cell, uint64_t stamp, uint64_t seen, uint64_t now)
{
    struct route_word word = word_of(cell, stamp, 3600000);
    word.seen_ms = seen;
    assert_in_range(put_word(table, "/a/", &word, now), ROUTE_PUT_NEW, ROUTE_PUT_REFRESHED);
}

static bool fresh(struct route_table *table, uint64_t now)
{
    struct route route;
    assert_true(look(table, "/a/b", now, &route));
    return route.fresh;
}

static void a_claim_makes_fresh_for_a_while(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    say(table, 1, 1, START + 5000, START + 5000);
    assert_true(fresh(table, START + 5000));
    assert_true(fresh(table, START + 5000 + NEARLY));
    assert_false(fresh(table, START + 5000 + FRESH));
    assert_false(fresh(table, START + 5000 + FRESH)); /* looking alone does not make it so */
    route_table_free(table);
}

static void use_makes_fresh(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    struct route route;
    say(table, 1, 1, 0, START);
    assert_false(fresh(table, START));
    for (uint64_t now = START; now < START + 10 * FRESH; now += FRESH / 2) {
        assert_true(look(table, "/a/b", now, &route));
        assert_int_equal(route.fresh, now > START);
        route_table_seen(table, &route, now);
    }
    route_table_free(table);
}

/* Kept to the second: never longer fresh than was asked for, and a second less at most. */
static void use_is_kept_to_the_second(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    struct route route;
    uint64_t last = START + 4900;
    say(table, 1, 1, 0, START);
    for (uint64_t now = START + 100; now <= last; now += 100) {
        assert_true(look(table, "/a/b", now, &route));
        route_table_seen(table, &route, now);
    }
    assert_true(fresh(table, last + NEARLY - 1000));
    assert_false(fresh(table, last + FRESH));
    route_table_free(table);
}

static void a_doubt_ends_it(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    say(table, 1, 1, START, START);
    route_table_doubted(table, "/a/", 3, 2, START); /* of another cell: nothing to this one */
    route_table_doubted(table, "/a/b/", 5, 1, START);
    assert_true(fresh(table, START));
    route_table_doubted(table, "/a/", 3, 1, START);
    assert_false(fresh(table, START));
    say(table, 1, 2, START + 1, START + 1);
    assert_true(fresh(table, START + 1));
    route_table_free(table);
}

/* A refreshed route was seen when it was seen last, whoever says so; a moved one when the new owner was. */
static void another_word(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    say(table, 1, 1, START + 10000, START + 10000);
    say(table, 1, 2, START + 1000, START + 10000);
    assert_true(fresh(table, START + 10000 + NEARLY));
    say(table, 1, 3, 0, START + 10000);
    assert_true(fresh(table, START + 10000 + NEARLY));
    say(table, 2, 4, START + 1000, START + 10000);
    assert_false(fresh(table, START + 10000 + NEARLY));
    assert_true(fresh(table, START + 1000 + NEARLY));
    route_table_free(table);
}

static void said_before_the_table_was_born(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(FRESH, START);
    say(table, 1, 1, START - 1, START);
    assert_false(fresh(table, START));
    route_table_free(table);
    table = table_fresh_for(FRESH, 0); /* a machine that has just started */
    say(table, 1, 1, 1, 1);
    assert_true(fresh(table, 1));
    route_table_free(table);
}

static void the_time_is_a_setting(void **state)
{
    (void)state;
    struct route_table *table = table_fresh_for(0, START);
    say(table, 1, 1, START, START);
    assert_false(fresh(table, START));
    route_table_tune(table, 80, 0, 1000);
    assert_true(fresh(table, START + 1000 - ROUTE_TICK_MS));
    assert_false(fresh(table, START + 1000));
    route_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_makes_fresh_for_a_while),
        cmocka_unit_test(use_makes_fresh),
        cmocka_unit_test(use_is_kept_to_the_second),
        cmocka_unit_test(a_doubt_ends_it),
        cmocka_unit_test(another_word),
        cmocka_unit_test(said_before_the_table_was_born),
        cmocka_unit_test(the_time_is_a_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
