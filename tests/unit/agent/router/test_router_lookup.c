/* tests/unit/agent/router/test_router_lookup.c - lookups: acknowledged at once, by the store's reply, too late, or not
 * at all. */
#include "tests/unit/agent/router/router_fixture.h"

static void a_miss_is_learned_and_then_a_hit(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/my-company/x");
    expect(f, "1:learn=true");
    learn(f, "/my-company/x", "eu0", "{path_prefix:/my-company/}", NULL, true);
    expect(f, "2:done=true");
    expect_words("put /my-company/ eu0 3600; ");
    lookup(f, "/my-company/y?q");
    lookup(f, "/my-company");
    lookup(f, "/my-company2");
    expect(f, "3:cell=eu0,learn=false,level=1 4:cell=eu0,learn=false,level=1 5:learn=true");
    expect_counter(f, COUNTER_ROUTES_LEARNED, 1);
    expect_counter(f, COUNTER_LOOKUP_HITS_LEVEL1, 2);
    expect_counter(f, COUNTER_MISSES_ABSENT, 2);
    expect_counter(f, COUNTER_LEARN_CLAIM, 1);
}

static void without_a_store_nothing_is_asked_and_all_is_learned(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu1", "{path_prefix:/a/, ttl:60}", NULL, false);
    lookup(f, "/a/y");
    expect(f, "1:done=true 2:cell=eu1,learn=false,level=1");
    expect_words("");
    assert_int_equal(store.gets, 0);
}

static void a_hit_overtakes_a_lookup_that_waits(void **state)
{
    struct fixture *f = *state;
    learn(f, "/known/x", "eu0", "{path_prefix:/known/}", NULL, false);
    expect(f, "1:done=true");
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b/c");
    lookup(f, "/known/y");
    expect(f, "3:cell=eu0,learn=false,level=1");
    assert_string_equal(store.question, " /a/ /a/b/ /a/b/c/ ");
    answer_found("/a/b/", "eu1", ROUTE_TRUST_FULL);
    expect(f, "2:cell=eu1,learn=false,level=2");
    lookup(f, "/a/b/d");
    expect(f, "4:cell=eu1,learn=false,level=1");
    expect_counter(f, COUNTER_LOOKUP_HITS_LEVEL2, 1);
}

static void a_route_that_changed_on_the_way_is_used_once(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    answer_found("/a/", "eu1", ROUTE_TRUST_ONCE);
    expect(f, "1:cell=eu1,learn=false,level=2");
    lookup(f, "/a/b");
    expect(f, "");
    assert_int_equal(store.gets, 2);
    answer_found("/a/", "gone9", ROUTE_TRUST_FULL); /* not configured here */
    expect(f, "2:learn=true");
    expect_counter(f, COUNTER_MISSES_CELL, 1);
}

static void while_invalidations_are_missing_a_route_is_kept_for_seconds(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    answer_found("/a/", "eu1", ROUTE_TRUST_SHORT);
    now += f->config->routes.distrust_s * 1000 + 1;
    store.outcome = ROUTE_ABSENT;
    lookup(f, "/a/b");
    expect(f, "1:cell=eu1,learn=false,level=2 2:learn=true");
}

static void absent_and_failed_are_misses_of_their_own_kind(void **state)
{
    struct fixture *f = *state;
    struct route_answer absent = {.outcome = ROUTE_ABSENT}, failed = {.outcome = ROUTE_FAILED};
    store.outcome = ROUTE_FAILED;
    lookup(f, "/a/b");
    expect(f, "1:learn=true");
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    store.callback(store.user, &absent);
    lookup(f, "/a/b");
    expect(f, "2:learn=true");
    store.callback(store.user, &failed);
    expect(f, "3:learn=true");
    expect_counter(f, COUNTER_MISSES_STORE, 2);
    expect_counter(f, COUNTER_MISSES_ABSENT, 1);
}

static void a_lookup_past_its_deadline_lets_go_of_the_store(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    now += 31;
    expect(f, "1:learn=true");
    assert_int_equal(store.cancels, 1);
    expect_counter(f, COUNTER_MISSES_DEADLINE, 1);
}

static void a_lookup_whose_connection_ends_lets_go_of_the_store(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    spoe_session_close(f->session, SPOE_CLOSE_PEER_GONE);
    assert_int_equal(store.cancels, 1);
    expect_counter(f, COUNTER_MISSES_CANCELLED, 1);
}

static void more_lookups_wait_than_one_block_of_memory_holds(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    for (int i = 0; i < 90; i++)
        lookup(f, "/a/b");
    expect(f, "");
    assert_int_equal(store.gets, 90);
    spoe_session_close(f->session, SPOE_CLOSE_PEER_GONE);
    assert_int_equal(store.cancels, 90);
}

static void paths_that_are_not_looked_up_are_misses_that_teach_nothing(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/a//b");
    lookup(f, "/a/../b");
    lookup(f, "/");
    expect(f, "1:learn=false 2:learn=false 3:learn=false");
    assert_int_equal(store.gets, 0);
    expect_counter(f, COUNTER_MISSES_PATH, 2);
    expect_counter(f, COUNTER_PATH_EMPTY_SEGMENT, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, a_miss_is_learned_and_then_a_hit),
        WITH(setup, without_a_store_nothing_is_asked_and_all_is_learned),
        WITH(setup_with_store, a_hit_overtakes_a_lookup_that_waits),
        WITH(setup_with_store, a_route_that_changed_on_the_way_is_used_once),
        WITH(setup_with_store, while_invalidations_are_missing_a_route_is_kept_for_seconds),
        WITH(setup_with_store, absent_and_failed_are_misses_of_their_own_kind),
        WITH(setup_with_store, a_lookup_past_its_deadline_lets_go_of_the_store),
        WITH(setup_with_store, a_lookup_whose_connection_ends_lets_go_of_the_store),
        WITH(setup_with_store, more_lookups_wait_than_one_block_of_memory_holds),
        WITH(setup_with_store, paths_that_are_not_looked_up_are_misses_that_teach_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
