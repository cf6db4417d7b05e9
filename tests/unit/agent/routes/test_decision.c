/* tests/unit/agent/routes/test_decision.c - the answers to lookups, and who is asked to let the answer be learned
 * from. */
#include "agent/routes/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000000 };

static const struct path_options paths = {.max_length = 100, .max_depth = 4};

static struct doubts *doubts;

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
    return 0;
}

static struct route_table *table_new(void)
{
    struct route_table_options options = {.memory = 1 << 20, .seed = 1, .now_ms = START, .refresh_percent = 80};
    struct route_table *table = route_table_new(&options);
    assert_non_null(table);
    return table;
}

static void put(struct route_table *table, const char *key, const struct route_word *word, uint64_t now)
{
    assert_in_range(route_table_put(table, key, strlen(key), word, now, NULL), ROUTE_PUT_NEW, ROUTE_PUT_REFRESHED);
}

static void expect(struct route_table *table, const char *text, uint64_t now, uint16_t cell, unsigned level, bool learn)
{
    char buffer[128];
    struct path path;
    struct route_probe probe;
    enum path_verdict verdict =
        path_parse(&path, &paths, text_view_of(text), (struct text_view){0}, buffer, sizeof buffer);
    if (verdict == PATH_OK)
        route_table_prefetch(table, &path, &probe);
    struct doubt why;
    struct decision decision =
        decision_level1(table, doubts, verdict, verdict == PATH_OK ? &probe : NULL, now, NULL, &why);
    if (decision.cell != cell || decision.level != level || decision.learn != learn)
        fail_msg("%s: wanted cell %u level %u learn %d, got cell %u level %u learn %d", text, cell, level, learn,
                 decision.cell, decision.level, decision.learn);
}

static void hit_and_miss(void **state)
{
    (void)state;
    struct route_table *table = table_new();
    struct route_word word = {.cell = 3, .stamp_ms = 1, .life_ms = 60000, .left_ms = 60000};
    put(table, "/a/", &word, START);
    expect(table, "/a/b", START, 3, 1, false);
    expect(table, "/a", START, 3, 1, false);
    expect(table, "/b", START, CELL_NONE, 0, true);
    expect(table, "/a", START + 60000, CELL_NONE, 0, true);
    expect(table, "/", START, CELL_NONE, 0, false); /* nothing could be claimed */
    expect(table, "/a/../b", START, CELL_NONE, 0, false);
    expect(table, "/a//b", START, CELL_NONE, 0, false);
    expect(table, "*", START, CELL_NONE, 0, false);
    route_table_free(table);
}

static void one_is_asked_to_refresh(void **state)
{
    (void)state;
    struct route_table *table = table_new();
    struct route_word word = {.cell = 3, .stamp_ms = 1, .life_ms = 100000, .left_ms = 100000};
    put(table, "/a/", &word, START);
    expect(table, "/a", START + 79000, 3, 1, false);
    expect(table, "/a", START + 80100, 3, 1, true);
    for (unsigned i = 0; i < 30; i++)
        expect(table, "/a", START + 80100 + i * 100, 3, 1, false);
    expect(table, "/a", START + 80100 + DECISION_HOLD_MS * 5 / 4, 3, 1, true); /* nobody brought a word */
    word.stamp_ms = 2;
    put(table, "/a/", &word, START + 90000);
    expect(table, "/a", START + 120000, 3, 1, false);
    word.pinned = true;
    put(table, "/a/", &word, START + 90000);
    expect(table, "/a", START + 189000, 3, 1, false);
    route_table_free(table);
}

static void route_is_told(void **state)
{
    (void)state;
    struct route_table *table = table_new();
    struct route_word word = {.cell = 3, .stamp_ms = 1, .life_ms = 60000, .left_ms = 60000};
    struct route route = {0};
    struct doubt why;
    struct route_probe probe;
    struct path path;
    char buffer[16];
    put(table, "/a/", &word, START);
    assert_int_equal(path_parse(&path, &paths, TEXT_VIEW("/a/b"), (struct text_view){0}, buffer, sizeof buffer),
                     PATH_OK);
    route_table_prefetch(table, &path, &probe);
    assert_int_equal(decision_level1(table, doubts, PATH_OK, &probe, START, &route, &why).cell, 3);
    assert_int_equal(route.key_length, 3);
    route_table_free(table);
}

static void level_2_decides(void **state)
{
    (void)state;
    struct route_word word = {.cell = 2, .from_store = true, .life_ms = 100000, .left_ms = 20001};
    struct decision decision = decision_level2(&word, 80, false, false);
    assert_true(decision.cell == 2 && decision.level == 2 && !decision.learn);
    word.left_ms = 20000;
    assert_true(decision_level2(&word, 80, false, false).learn);
    assert_false(decision_level2(&word, 100, false, false).learn);
    word.pinned = true;
    assert_false(decision_level2(&word, 80, false, false).learn);
    word.pinned = false;
    word.left_ms = ROUTE_FOREVER;
    assert_false(decision_level2(&word, 80, false, false).learn);
}

static void nobody_knows(void **state)
{
    (void)state;
    struct path path = {.depth = 1}, root = {.depth = 0};
    struct decision decision = decision_unknown(PATH_OK, &path);
    assert_true(decision.cell == CELL_NONE && decision.level == 0 && decision.learn);
    assert_false(decision_unknown(PATH_OK, &root).learn);
    assert_false(decision_unknown(PATH_TOO_LONG, NULL).learn);
}

/* Known, and yet to take the replay pass; and its answer is asked for, since a claim would settle it. */
static void in_doubt(void **state)
{
    (void)state;
    struct route_table *table = table_new();
    struct route_word word = {.cell = 3, .stamp_ms = 1, .life_ms = 60000, .left_ms = 60000};
    struct route route;
    struct route_probe probe;
    struct path path;
    struct doubt why = {.length = 0};
    struct doubt_news news;
    char buffer[16];
    put(table, "/a/", &word, START);
    assert_int_equal(path_parse(&path, &paths, TEXT_VIEW("/a/b"), (struct text_view){0}, buffer, sizeof buffer),
                     PATH_OK);
    route_table_prefetch(table, &path, &probe);
    doubts_redirected(doubts, &path, 3, 3, START, &news);
    struct decision decision = decision_level1(table, doubts, PATH_OK, &probe, START, &route, &why);
    assert_true(decision.cell == 3 && decision.level == 1 && decision.doubt && decision.learn);
    assert_int_equal(why.length, 5);
    expect(table, "/a/c", START, 3, 1, true);
    expect(table, "/a/c", START + DOUBT_MS, 3, 1, false);
    decision = decision_level2(&word, 80, true, true);
    assert_true(decision.doubt && decision.learn && !decision.fresh);
    route_table_free(table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hit_and_miss),  TEST(one_is_asked_to_refresh),
        TEST(route_is_told), TEST(level_2_decides),
        TEST(nobody_knows),  TEST(in_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
