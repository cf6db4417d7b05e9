/* tests/unit/agent/level0/test_hot_map.c - level 0's choice of routes: who enters, who leaves, and what is in doubt. */
#include "tests/unit/agent/level0/hot_map_help.h"

static bool has(const struct hot_map *map, const char *key, uint16_t cell)
{
    struct hot_entry entry;
    return hot_map_find(map, key, strlen(key), &entry) && entry.cell == cell;
}

/* ---- found entries ---------------------------------------------------------------------------------------------- */

static bool inherit(struct hot_map *map, int target, const char *key, uint16_t cell)
{
    size_t length = strlen(key);
    char *copy = malloc(length);
    memcpy(copy, key, length);
    bool taken = hot_map_inherit(map, target, copy, length, cell, 5000, START);
    free(copy);
    return taken;
}

static void settle(struct hot_map *map, const char *key, uint16_t cell, uint64_t left_ms)
{
    hot_map_settle(map, key, strlen(key), cell, left_ms, START + 1000);
}

static void what_is_found_stays_in_doubt_until_it_is_settled(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    int target = hot_map_target(map);
    static const char *const keys[] = {"/right/", "/wrong/", "/none/", "/brief/", "/silent/"};
    for (size_t i = 0; i < 5; i++)
        assert_true(inherit(map, target, keys[i], 1));
    settle(map, "/right/", 1, LONG);
    settle(map, "/wrong/", 2, LONG);
    settle(map, "/none/", CELL_NONE, 0);
    settle(map, "/brief/", 1, 100); /* would leave at once */
    settle(map, "/never-found/", 1, LONG);
    assert_true(has(map, "/right/", 1) && has(map, "/silent/", 1));
    assert_int_equal(hot_map_stats(map).entries, 2);
    hot_map_expire(map, START + 5000, 100);
    assert_int_equal(hot_map_stats(map).entries, 1);
    settle(map, "/right/", 2, LONG); /* a late answer to what is sure by now */
    assert_true(has(map, "/right/", 1));
    hot_map_expire(map, START + 1000 + LIFE, 100);
    struct hot_map_stats stats = hot_map_stats(map);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.inherited, 5);
    assert_int_equal(stats.confirmed, 1);
    assert_int_equal(stats.forgotten, 3);
    assert_int_equal(stats.expired, 2);
    hot_map_free(map);
}

static void a_use_settles_what_is_in_doubt(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    int target = hot_map_target(map);
    assert_true(inherit(map, target, "/a/", 1) && inherit(map, target, "/b/", 1));
    used(map, "/a/", 1, START);
    used(map, "/b/", 2, START); /* enters anew */
    hot_map_expire(map, START + 5000, 100);
    assert_true(has(map, "/a/", 1) && has(map, "/b/", 2));
    assert_int_equal(hot_map_stats(map).confirmed, 1);
    hot_map_free(map);
}

static void what_is_known_better_is_not_inherited(void **state)
{
    (void)state;
    struct hot_map *map = map_of(3, 2);
    int target = hot_map_target(map);
    used(map, "/a/", 1, START);
    used(map, "/a/", 1, START);
    assert_false(inherit(map, target, "/a/", 1)); /* there is nothing to inherit */
    assert_false(inherit(map, target, "/a/", 2));
    settle(map, "/a/", 2, LONG);  /* nor to settle */
    used(map, "/b/c/", 1, START); /* outside of the map, and /b/ would answer for it */
    assert_false(inherit(map, target, "/b/", 2));
    assert_true(inherit(map, target, "/b/", 1));
    assert_false(inherit(map, target, "/semi;colon/", 1));
    assert_true(inherit(map, target, "/d/", 1));
    assert_false(inherit(map, target, "/e/", 1)); /* full: what is used is worth more */
    assert_true(has(map, "/a/", 1));
    hot_map_free(map);
}

static void a_longer_route_that_goes_takes_what_answers_for_it(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    int target = hot_map_target(map);
    assert_true(inherit(map, target, "/a/", 1));
    assert_true(inherit(map, target, "/a/b/", 2));
    settle(map, "/a/", 1, LONG);
    settle(map, "/a/b/", CELL_NONE, 0);
    assert_int_equal(hot_map_stats(map).entries, 0);
    hot_map_free(map);
}

static void each_doubt_is_visited_once_unless_asked_for(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    int target = hot_map_target(map);
    struct hot_entry entry;
    uint32_t cursor = 0;
    used(map, "/sure/", 1, START);
    assert_true(inherit(map, target, "/a/", 1) && inherit(map, target, "/b/", 1));
    assert_true(hot_map_next_in_doubt(map, &cursor, &entry));
    assert_memory_equal(entry.key, "/a/", entry.length);
    assert_true(hot_map_next_in_doubt(map, &cursor, &entry));
    assert_memory_equal(entry.key, "/b/", entry.length);
    assert_false(hot_map_next_in_doubt(map, &cursor, &entry));
    hot_map_doubt(map, "/a/", 3);
    hot_map_doubt(map, "/sure/", 6);
    hot_map_doubt(map, "/nobody/", 8);
    cursor = 0;
    assert_true(hot_map_next_in_doubt(map, &cursor, &entry));
    assert_memory_equal(entry.key, "/a/", entry.length);
    assert_false(hot_map_next_in_doubt(map, &cursor, &entry));
    hot_map_free(map);
}

struct told {
    int adds, dels;
};

static void tell(void *user, bool add, const struct hot_entry *entry)
{
    struct told *told = user;
    (void)entry;
    if (add)
        told->adds++;
    else
        told->dels++;
}

static void targets_and_what_was_found_at_one(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    struct told told = {0, 0};
    int first = hot_map_target(map), second = hot_map_target(map);
    hot_map_resync_begin(map, second);
    hot_map_resync_end(map, second);
    hot_map_resync_begin(map, first);
    assert_true(inherit(map, first, "/a/", 1));
    assert_true(hot_map_resync_found(map, first, &(struct hot_entry){.key = "/a/", .length = 3, .cell = 1}));
    hot_map_resync_end(map, first);
    assert_int_equal(hot_map_need(map, first), HOT_NOTHING); /* it has it already */
    assert_int_equal(hot_map_need(map, second), HOT_ALL);
    settle(map, "/a/", 2, LONG);
    assert_int_equal(hot_map_take(map, first, 100, tell, &told), 1);
    assert_int_equal(told.dels, 1);
    assert_int_equal(told.adds, 0);
    hot_map_free(map);
}

/* ---- in and out ------------------------------------------------------------------------------------------------- */

static void enters_at_the_threshold(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 3);
    used(map, "/a/", 1, START);
    used(map, "/a/", 1, START + 1);
    assert_false(has(map, "/a/", 1));
    used(map, "/a/", 1, START + 2);
    assert_true(has(map, "/a/", 1));
    used(map, "/b/", 1, START);
    used(map, "/b/", 1, START + LIFE / 2);
    used(map, "/b/", 1, START + LIFE + 1);
    assert_false(has(map, "/b/", 1)); /* not within one life */
    hot_map_free(map);
}

static void stay_is_jittered_and_bounded(void **state)
{
    (void)state;
    struct hot_map *map = map_of(1000, 1);
    char key[32];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "/k%d/", i);
        used(map, key, 1, START);
    }
    assert_int_equal(hot_map_expire(map, START + LIFE * 3 / 4 - 1, SIZE_MAX), 0);
    size_t half = hot_map_expire(map, START + LIFE * 7 / 8, SIZE_MAX);
    assert_in_range(half, 150, 350);
    assert_int_equal(hot_map_expire(map, START + LIFE, SIZE_MAX), 500 - half);
    hot_map_used(map, "/short/", 7, 1, 4000, START); /* half of what the route has left */
    assert_int_equal(hot_map_expire(map, START + 1999, SIZE_MAX), 0);
    assert_int_equal(hot_map_expire(map, START + 2000, SIZE_MAX), 1);
    hot_map_used(map, "/dying/", 7, 1, 900, START);
    assert_int_equal(hot_map_stats(map).entries, 0);
    hot_map_free(map);
}

static void only_harmless_keys(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "/a b/",  "/a;b/",      "/a|b/", "/a\\b/", "/a\"b/", "/a'b/",
                                      "/a\nb/", "/a\tb/", "/\xc3\xa4/", "/a<</", "/a#/",   "/a\x7f/"};
    struct hot_map *map = map_of(100, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(hot_map_takes(bad[i], strlen(bad[i])));
        used(map, bad[i], 1, START);
    }
    assert_false(hot_map_takes("/a\0b/", 5));
    char longest[HOT_KEY_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_true(hot_map_takes(longest, HOT_KEY_MAX));
    assert_false(hot_map_takes(longest, sizeof longest));
    assert_true(hot_map_takes("host.example/%2F~a:b@c!$&()*+,=-._/", 35));
    assert_int_equal(hot_map_stats(map).entries, 0);
    hot_map_free(map);
}

static void move_and_forget(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    used(map, "/a/", 1, START);
    hot_map_learned(map, "/a/", 3, 1, START);
    assert_true(has(map, "/a/", 1));
    hot_map_learned(map, "/a/", 3, 2, START);
    assert_false(has(map, "/a/", 1));
    used(map, "/a/", 2, START);
    assert_true(has(map, "/a/", 2));
    used(map, "/a/", 3, START); /* another word than the entry's */
    assert_true(has(map, "/a/", 3));
    hot_map_forget(map, "/a/", 3);
    assert_false(has(map, "/a/", 3));
    used(map, "/a/", 1, START);
    hot_map_redirected(map, "/a/b/c/", 7, 2);
    assert_true(has(map, "/a/", 1));
    hot_map_redirected(map, "/a/b/c/", 7, 1);
    assert_false(has(map, "/a/", 1));
    hot_map_free(map);
}

static void the_longest_match_stays_right(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 2);
    used(map, "/a/b/", 2, START); /* in use, not in the map: bars /a/ for other cells */
    used(map, "/a/", 1, START);
    used(map, "/a/", 1, START);
    assert_false(has(map, "/a/", 1));
    used(map, "/a/b/", 2, START); /* enters, and lifts the bar */
    assert_true(has(map, "/a/b/", 2));
    used(map, "/a/", 1, START);
    used(map, "/a/", 1, START);
    assert_true(has(map, "/a/", 1));
    hot_map_forget(map, "/a/b/", 5); /* and with it what would answer now */
    assert_false(has(map, "/a/", 1));
    used(map, "/c/d/", 1, START); /* of the same cell: no harm */
    used(map, "/c/", 1, START);
    used(map, "/c/", 1, START);
    assert_true(has(map, "/c/", 1));
    hot_map_learned(map, "/c/e/", 5, 3, START); /* contradicts it */
    assert_false(has(map, "/c/", 1));
    hot_map_free(map);
}

static void full_map_evicts_the_soonest(void **state)
{
    (void)state;
    struct hot_map *map = map_of(3, 1);
    hot_map_used(map, "/a/", 3, 1, 20000, START);
    used(map, "/b/", 1, START);
    used(map, "/c/", 1, START);
    used(map, "/d/", 1, START);
    assert_false(has(map, "/a/", 1));
    assert_int_equal(hot_map_stats(map).entries, 3);
    assert_int_equal(hot_map_stats(map).evicted, 1);
    hot_map_limit(map, 1);
    assert_int_equal(hot_map_stats(map).entries, 1);
    hot_map_limit(map, 0);
    used(map, "/e/", 1, START);
    assert_int_equal(hot_map_stats(map).entries, 0);
    hot_map_free(map);
}

static void remap_and_distrust(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    static const uint16_t now[] = {1, CELL_NONE, 0};
    used(map, "/a/", 0, START);
    used(map, "/b/", 1, START);
    used(map, "/c/", 2, START);
    used(map, "/d/", 3, START);
    hot_map_remap(map, now, 3);
    assert_true(has(map, "/a/", 1));
    assert_true(has(map, "/c/", 0));
    assert_int_equal(hot_map_stats(map).entries, 2);
    hot_map_distrust(map, 500, START);
    assert_int_equal(hot_map_expire(map, START + 499, SIZE_MAX), 0);
    assert_int_equal(hot_map_expire(map, START + 500, SIZE_MAX), 2);
    hot_map_free(map);
}

static void undecided(struct hot_map *map, const char *key, uint16_t cell, uint64_t life_ms, uint64_t now)
{
    hot_map_undecided(map, key, strlen(key), cell, life_ms, now);
}

static bool is_undecided(const struct hot_map *map, const char *key)
{
    struct hot_entry entry;
    return hot_map_find(map, key, strlen(key), &entry) && entry.undecided;
}

static void what_is_undecided_stands_beside_its_route(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    undecided(map, "/org/sub/", 1, 2000, START);
    used(map, "/org/", 1, START);
    assert_true(has(map, "/org/sub/", 1) && is_undecided(map, "/org/sub/"));
    assert_true(has(map, "/org/", 1) && !is_undecided(map, "/org/"));
    undecided(map, "/org/sub/", 1, 30000, START + 1000); /* longer */
    undecided(map, "/org/sub/", 1, 1000, START + 1000);  /* not shorter */
    hot_map_expire(map, START + 30999, 100);
    assert_true(is_undecided(map, "/org/sub/"));
    hot_map_expire(map, START + 31000, 100);
    assert_false(has(map, "/org/sub/", 1));
    assert_true(has(map, "/org/", 1)); /* right for it again */
    hot_map_free(map);
}

static void what_is_undecided_goes_when_the_route_does(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    undecided(map, "/org/sub/", 1, 30000, START);
    used(map, "/org/", 1, START);
    hot_map_redirected(map, "/org/sub/x/", 11, 1);
    assert_int_equal(hot_map_stats(map).entries, 0);
    undecided(map, "/org/sub/", 1, 30000, START);
    hot_map_learned(map, "/org/sub/", 9, 2, START);
    assert_int_equal(hot_map_stats(map).entries, 0);
    undecided(map, "/org/sub/", 1, 30000, START);
    undecided(map, "/gone/sub/", 2, 30000, START);
    static const uint16_t now[] = {CELL_NONE, 0, CELL_NONE};
    hot_map_remap(map, now, 3);
    assert_true(has(map, "/org/sub/", 0) && is_undecided(map, "/org/sub/"));
    assert_int_equal(hot_map_stats(map).entries, 1);
    hot_map_flush(map);
    assert_int_equal(hot_map_stats(map).entries, 0);
    hot_map_free(map);
}

/* Its route is lost, or another cell's: nothing stands there for the former one. A doubt about the route is no loss. */
static void what_is_undecided_below_a_lost_route_goes(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    static const char *const below[] = {"/org/sub/", "/org/b/c/d/", "/org/"};
    static const char *const beside[] = {"/organ/sub/", "/or/sub/", "/other/org/sub/"};
    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < 3; i++) {
            undecided(map, below[i], 1, 30000, START);
            undecided(map, beside[i], 1, 30000, START);
        }
        switch (turn) {
        case 0: hot_map_withdraw(map, "/org/", 5); break;
        case 1: hot_map_learned(map, "/org/", 5, 1, START); break;
        case 2: hot_map_learned(map, "/org/", 5, 2, START); break;
        case 3: hot_map_forget(map, "/org/", 5); break;
        }
        for (int i = 0; i < 3; i++) {
            bool stays = turn < 2 && strcmp(below[i], "/org/") != 0;
            if (has(map, below[i], 1) != stays || !has(map, beside[i], 1))
                fail_msg("turn %d: %s %s", turn, below[i], stays ? "is gone" : "is still there");
        }
    }
    undecided(map, "/org/sub/deep/", 1, 30000, START);
    hot_map_forget(map, "/org/sub/", 9); /* a route of its own, which is lost */
    assert_false(has(map, "/org/sub/deep/", 1));
    undecided(map, "host/org/sub/", 1, 30000, START);
    undecided(map, "else/org/sub/", 1, 30000, START);
    hot_map_forget(map, "host/org/", 9);
    assert_false(has(map, "host/org/sub/", 1));
    assert_true(has(map, "else/org/sub/", 1));
    hot_map_flush(map);
    hot_map_forget(map, "/org/", 5);
    hot_map_free(map);
}

/* HAProxy asks for a route that it should have: it has marked it, or lost it. */
static void what_is_asked_for_again_enters_again(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    used(map, "/org/", 1, START);
    used(map, "/else/", 1, START);
    used(map, "/org/", 1, START + 1999); /* such a lookup may have been under way */
    assert_int_equal(hot_map_stats(map).renewed, 0);
    uint64_t changes = hot_map_stats(map).changes;
    used(map, "/org/", 1, START + 2000);
    assert_int_equal(hot_map_stats(map).renewed, 1);
    assert_int_equal(hot_map_stats(map).changes, changes + 2); /* out and in again */
    assert_true(has(map, "/org/", 1));
    used(map, "/else/", 1, START + 2009); /* few at a time */
    used(map, "/org/", 1, START + 3999);
    assert_int_equal(hot_map_stats(map).renewed, 1);
    used(map, "/else/", 1, START + 4000);
    assert_int_equal(hot_map_stats(map).renewed, 2);
    assert_int_equal(hot_map_stats(map).entries, 2);
    hot_map_used(map, "/org/", 5, 1, 800, START + 5000); /* would leave at once */
    assert_int_equal(hot_map_stats(map).renewed, 2);
    hot_map_free(map);
}

/* However large the map: a prefix that is lost looks at few. */
static void what_is_undecided_has_a_limit(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100000, 1);
    for (int i = 0; i < 2000; i++) {
        char key[32];
        snprintf(key, sizeof key, "/org/%d/", i);
        undecided(map, key, 1, 30000, START);
    }
    assert_int_equal(hot_map_stats(map).entries, 1024);
    hot_map_forget(map, "/org/", 5);
    assert_int_equal(hot_map_stats(map).entries, 0);
    undecided(map, "/org/sub/", 1, 30000, START);
    assert_int_equal(hot_map_stats(map).entries, 1);
    hot_map_free(map);
}

/* Then the route stays outside of the map, and the agent is asked. */
static void what_is_undecided_has_a_share(void **state)
{
    (void)state;
    struct hot_map *map = map_of(40, 1);
    for (int i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "/org/%d/", i);
        undecided(map, key, 1, 30000, START);
    }
    assert_int_equal(hot_map_stats(map).entries, 10);
    used(map, "/org/", 1, START);
    assert_false(has(map, "/org/", 1));
    used(map, "/else/", 1, START);
    hot_map_bar(map, "/else/", 6, 1, START); /* its own path redirects */
    assert_false(has(map, "/else/", 1));
    used(map, "/else/", 1, START);
    assert_false(has(map, "/else/", 1));
    hot_map_expire(map, START + 30000, 100);
    assert_int_equal(hot_map_stats(map).entries, 0);
    used(map, "/else/", 1, START + LIFE + 1);
    assert_true(has(map, "/else/", 1));
    hot_map_free(map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_stays_in_doubt_until_it_is_settled),
        cmocka_unit_test(a_use_settles_what_is_in_doubt),
        cmocka_unit_test(what_is_known_better_is_not_inherited),
        cmocka_unit_test(a_longer_route_that_goes_takes_what_answers_for_it),
        cmocka_unit_test(each_doubt_is_visited_once_unless_asked_for),
        cmocka_unit_test(targets_and_what_was_found_at_one),
        cmocka_unit_test(enters_at_the_threshold),
        cmocka_unit_test(stay_is_jittered_and_bounded),
        cmocka_unit_test(only_harmless_keys),
        cmocka_unit_test(move_and_forget),
        cmocka_unit_test(the_longest_match_stays_right),
        cmocka_unit_test(full_map_evicts_the_soonest),
        cmocka_unit_test(remap_and_distrust),
        cmocka_unit_test(what_is_undecided_stands_beside_its_route),
        cmocka_unit_test(what_is_undecided_goes_when_the_route_does),
        cmocka_unit_test(what_is_undecided_below_a_lost_route_goes),
        cmocka_unit_test(what_is_undecided_has_a_share),
        cmocka_unit_test(what_is_undecided_has_a_limit),
        cmocka_unit_test(what_is_asked_for_again_enters_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
