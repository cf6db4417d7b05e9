/* tests/unit/agent/routes/test_doubts.c - what a redirect puts in doubt, for how long, and what settles it. */
#include "agent/routes/doubts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000000, CELL = 3, OTHER = 4 };

static const struct path_options paths = {.max_length = 100, .max_depth = 4};
static struct doubts *doubts;
static struct doubt_news news;

static int setup(void **state)
{
    (void)state;
    doubts = doubts_new(1);
    return doubts ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    doubts_free(doubts);
    doubts_free(NULL);
    return 0;
}

static struct path path_of(const char *text)
{
    static char buffer[2][128];
    static unsigned turn;
    struct path path;
    turn ^= 1;
    assert_int_equal(
        path_parse(&path, &paths, text_view_of(text), (struct text_view){0}, buffer[turn], sizeof buffer[turn]),
        PATH_OK);
    return path;
}

static void redirected(const char *text, const char *route, uint64_t now)
{
    struct path path = path_of(text);
    doubts_redirected(doubts, &path, (uint16_t)strlen(route), CELL, now, &news);
}

static bool in_doubt(const char *text, const char *route, uint16_t cell, uint64_t now)
{
    struct path path = path_of(text);
    struct doubt why;
    return doubts_has(doubts, &path, (uint16_t)strlen(route), cell, now, &why);
}

static bool trust(const char *route, uint64_t now)
{
    return doubts_trust(doubts, route, strlen(route), CELL, now);
}

static void expect_news(size_t i, enum doubt_kind kind, const char *prefix, uint64_t life_ms)
{
    const struct doubt *doubt = &news.doubts[i];
    if (i >= news.count || doubt->kind != kind || doubt->length != strlen(prefix) || doubt->life_ms != life_ms)
        fail_msg("news %zu of %zu: kind %d length %d life %d, wanted kind %d %s life %d", i, news.count,
                 (int)doubt->kind, doubt->length, (int)doubt->life_ms, (int)kind, prefix, (int)life_ms);
}

static void nothing_is_in_doubt(void **state)
{
    (void)state;
    struct path path = path_of("/org/x");
    uint16_t cell;
    assert_false(in_doubt("/org/x", "/org/", CELL, START));
    assert_int_equal(doubts_longest(doubts, &path, START, &cell), 0);
    assert_false(trust("/org/", START));
}

static void a_redirect_puts_the_route_in_doubt_for_a_moment(void **state)
{
    (void)state;
    redirected("/org/sub/x", "/org/", START);
    assert_int_equal(news.count, 2);
    expect_news(0, DOUBT_BELOW, "/org/sub/x/", DOUBT_MS);
    expect_news(1, DOUBT_ROUTE, "/org/", DOUBT_MS);
    assert_true(in_doubt("/org/page", "/org/", CELL, START + DOUBT_MS - 1));
    assert_false(in_doubt("/org/page", "/org/", CELL, START + DOUBT_MS));
    assert_false(in_doubt("/org/sub/x", "/org/", CELL, START + DOUBT_MS));
    assert_false(in_doubt("/else/page", "/else/", CELL, START));
    assert_false(in_doubt("/org/b/page", "/org/b/", CELL, START)); /* a route of its own */
    assert_false(in_doubt("/org/page", "/org/", OTHER, START));    /* it has moved */
    redirected("/org/other", "/org/", START + 10);                 /* is in doubt already */
    assert_int_equal(news.count, 1);
}

static void its_cell_settles_it_but_not_the_path(void **state)
{
    (void)state;
    redirected("/org/sub/x", "/org/", START);
    assert_false(doubts_trust(doubts, "/org/", 5, OTHER, START + 1));
    assert_true(trust("/org/", START + 1));
    assert_false(trust("/org/", START + 1));
    assert_false(in_doubt("/org/page", "/org/", CELL, START + 1));
    assert_true(in_doubt("/org/sub/x", "/org/", CELL, START + 1));
    assert_true(in_doubt("/org/sub/x/y", "/org/", CELL, START + 1));
    assert_false(in_doubt("/org/sub/y", "/org/", CELL, START + 1));
    assert_false(in_doubt("/org/sub/x", "/org/", OTHER, START + 1));
}

/* Whoever asks for new redirecting paths all the time: the route's readers pay for one doubt, then for none for longer
 * and longer. */
static void a_route_confirmed_again_and_again_stays_trusted(void **state)
{
    (void)state;
    unsigned doubted = 0;
    for (uint64_t now = START; now < START + 600000; now += 5) {
        char text[64];
        snprintf(text, sizeof text, "/org/%d", (int)now);
        redirected(text, "/org/", now);
        assert_true(in_doubt(text, "/org/", CELL, now + 1)); /* the second try is sure of the replay pass in any case */
        doubted += trust("/org/", now + 1);
        assert_false(in_doubt("/org/page", "/org/", CELL, now + 2));
    }
    if (doubted < 5 || doubted > 20)
        fail_msg("in doubt %u times in ten minutes", doubted);
    assert_int_equal(doubts_stats(doubts).routes, doubted);
    assert_int_equal(doubts_stats(doubts).damped, 120000 - doubted);
}

static void a_route_that_nobody_confirms_is_in_doubt_for_longer(void **state)
{
    (void)state;
    static const uint64_t lives[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
    uint64_t now = START;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        char text[64];
        snprintf(text, sizeof text, "/org/%zu", i);
        redirected(text, "/org/", now);
        expect_news(news.count - 1, DOUBT_ROUTE, "/org/", lives[i]);
        now += lives[i];
        assert_false(in_doubt("/org/page", "/org/", CELL, now));
    }
    redirected("/org/x", "/org/", now + 120000); /* forgotten */
    expect_news(news.count - 1, DOUBT_ROUTE, "/org/", DOUBT_MS);
}

static void a_path_that_redirects_again_is_undecided(void **state)
{
    (void)state;
    redirected("/org/sub/x", "/org/", START);
    assert_false(news.covered);
    redirected("/org/sub/x", "/org/", START + 100);
    assert_true(news.covered);
    assert_int_equal(news.count, 1);
    expect_news(0, DOUBT_BELOW, "/org/sub/x/", UNDECIDED_MS);
    assert_true(in_doubt("/org/sub/x", "/org/", CELL, START + 100 + UNDECIDED_MS - 1));
    redirected("/org/sub/x", "/org/", START + 200);
    expect_news(0, DOUBT_BELOW, "/org/sub/x/", UNDECIDED_MS);
    assert_true(news.doubts[0].known); /* others know enough */
    redirected("/org/sub/x", "/org/", START + 200 + UNDECIDED_MS * 2 / 3);
    assert_false(news.doubts[0].known);
    expect_news(0, DOUBT_BELOW, "/org/sub/x/", UNDECIDED_MS);
    /* When it is over, and happens again, it lasts longer. */
    uint64_t now = START + 200 + UNDECIDED_MS * 2 / 3 + UNDECIDED_MS, life = UNDECIDED_MS;
    for (int i = 0; i < 8; i++, now += life) {
        assert_false(in_doubt("/org/sub/x", "/org/", CELL, now));
        redirected("/org/sub/x", "/org/", now);
        life = life * 2 < UNDECIDED_LONGEST_MS ? life * 2 : UNDECIDED_LONGEST_MS;
        expect_news(0, DOUBT_BELOW, "/org/sub/x/", life);
    }
    redirected("/org/sub/x", "/org/", now + UNDECIDED_LONGEST_MS);
    expect_news(0, DOUBT_BELOW, "/org/sub/x/", DOUBT_MS);
    assert_int_equal(doubts_stats(doubts).undecided, 1);
}

static void the_routes_own_path(void **state)
{
    (void)state;
    redirected("/org", "/org/", START);
    expect_news(0, DOUBT_PATH, "/org/", DOUBT_MS);
    assert_true(trust("/org/", START));
    assert_true(in_doubt("/org", "/org/", CELL, START));
    assert_true(in_doubt("/org/", "/org/", CELL, START));
    assert_false(in_doubt("/org/page", "/org/", CELL, START));
}

static void many_paths_of_a_segment_make_it_undecided(void **state)
{
    (void)state;
    for (int i = 0; i < UNDECIDED_SIBLINGS; i++) {
        char text[64];
        snprintf(text, sizeof text, "/org/sub/%d", i);
        assert_false(in_doubt("/org/sub/new", "/org/", CELL, START + 10000));
        redirected(text, "/org/", START + 10000);
        trust("/org/", START + 10000);
    }
    assert_true(in_doubt("/org/sub/new", "/org/", CELL, START + 10000));
    assert_false(in_doubt("/org/page", "/org/", CELL, START + 10000));
    redirected("/org/sub/another", "/org/", START + 10001);
    assert_true(news.covered);
    expect_news(0, DOUBT_BELOW, "/org/sub/", UNDECIDED_MS);
}

static void before_the_route_is_known(void **state)
{
    (void)state;
    uint16_t cell = 0;
    struct path path = path_of("/org/sub/x/y"), page = path_of("/org/page");
    redirected("/org/sub/x", "/org/", START);
    assert_int_equal(doubts_longest(doubts, &path, START, &cell), strlen("/org/sub/x/"));
    assert_int_equal(cell, CELL);
    assert_int_equal(doubts_longest(doubts, &page, START, &cell), strlen("/org/"));
    doubts_clear(doubts);
    assert_int_equal(doubts_longest(doubts, &page, START, &cell), 0);
    redirected("/org/sub/x", "", START); /* nobody knows which route it was */
    assert_int_equal(news.count, 1);
    assert_true(in_doubt("/org/sub/x", "/org/", CELL, START));
    assert_false(in_doubt("/org/page", "/org/", CELL, START));
}

static void what_others_tell(void **state)
{
    (void)state;
    doubts_tell(doubts, DOUBT_ROUTE, "/org/", 5, CELL, 500, START);
    assert_true(in_doubt("/org/page", "/org/", CELL, START + 499));
    doubts_tell(doubts, DOUBT_ROUTE, "/org/", 5, CELL, 100, START);
    assert_true(in_doubt("/org/page", "/org/", CELL, START + 499)); /* not shortened */
    assert_false(in_doubt("/org/page", "/org/", CELL, START + 500));
    doubts_tell(doubts, DOUBT_ROUTE, "/org/", 5, CELL, UINT32_MAX, START);
    assert_false(in_doubt("/org/page", "/org/", CELL, START + DOUBT_LONGEST_MS));
    assert_true(trust("/org/", START + 10));
    doubts_tell(doubts, DOUBT_ROUTE, "/org/", 5, CELL, 500, START + 20); /* confirmed here */
    assert_false(in_doubt("/org/page", "/org/", CELL, START + 20));
    doubts_tell(doubts, DOUBT_BELOW, "/org/sub/", 9, CELL, UINT32_MAX, START);
    assert_true(in_doubt("/org/sub/x", "/org/", CELL, START + UNDECIDED_LONGEST_MS - 1));
    assert_false(in_doubt("/org/sub/x", "/org/", CELL, START + UNDECIDED_LONGEST_MS));
}

/* However many: those of others give way, and what is asked for again is remembered again. */
static void bounds_hold(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        char text[64];
        snprintf(text, sizeof text, "/org-%d/%d", i % 977, i);
        redirected(text, "/org/", START + (uint64_t)i);
        assert_true(in_doubt(text, "/org/", CELL, START + (uint64_t)i));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_in_doubt),
        TEST(a_redirect_puts_the_route_in_doubt_for_a_moment),
        TEST(its_cell_settles_it_but_not_the_path),
        TEST(a_route_confirmed_again_and_again_stays_trusted),
        TEST(a_route_that_nobody_confirms_is_in_doubt_for_longer),
        TEST(a_path_that_redirects_again_is_undecided),
        TEST(the_routes_own_path),
        TEST(many_paths_of_a_segment_make_it_undecided),
        TEST(before_the_route_is_known),
        TEST(what_others_tell),
        TEST(bounds_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
