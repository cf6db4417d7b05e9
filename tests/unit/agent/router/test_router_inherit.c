/* tests/unit/agent/router/test_router_inherit.c - what the store is asked of routes that HAProxy's map has since before
 * the agent's start. What becomes of the answers: test_hot_map.c and tests/system/test_level0.py. */
#include "tests/unit/agent/router/router_fixture.h"

/* The key ends where its memory ends, and is gone when the answer comes. */
static bool ask(struct fixture *f, const char *key)
{
    size_t length = strlen(key);
    char *exact = malloc(length);
    memcpy(exact, key, length);
    bool asked = router_ask(f->router, exact, length);
    free(exact);
    return asked;
}

static void only_this_prefix_is_asked_for(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_WAITING;
    assert_true(ask(f, "/a/b/"));
    assert_string_equal(store.question, " /a/b/ ");
    answer_found("/a/b/", "eu1", ROUTE_TRUST_FULL);
    expect_counter(f, COUNTER_LOOKUPS, 0);
    lookup(f, "/a/b/c"); /* level 1 is filled by use only */
    expect(f, "");
    assert_int_equal(store.gets, 2);
    answer_found("/a/b/", "eu1", ROUTE_TRUST_FULL);
    expect(f, "1:cell=eu1,learn=false,level=2");
}

static void every_answer_ends_the_question(void **state)
{
    struct fixture *f = *state;
    static const enum route_trust trusts[] = {ROUTE_TRUST_FULL, ROUTE_TRUST_SHORT, ROUTE_TRUST_ONCE};
    store.outcome = ROUTE_WAITING;
    for (size_t i = 0; i < 3; i++) {
        assert_true(ask(f, "/a/"));
        answer_found("/a/", i == 0 ? "nobody" : "eu1", trusts[i]);
    }
    static const enum route_outcome outcomes[] = {ROUTE_ABSENT, ROUTE_FAILED};
    for (size_t i = 0; i < 2; i++) {
        assert_true(ask(f, "/a/"));
        struct route_answer answer = {.outcome = outcomes[i]};
        store.callback(store.user, &answer);
    }
    assert_int_equal(store.gets, 5); /* what was kept for each is free again, or LeakSanitizer says so */
}

static void what_is_no_route_is_not_asked_for(void **state)
{
    struct fixture *f = *state;
    assert_true(ask(f, "/no-end"));
    assert_true(ask(f, "no-path/"));
    assert_true(ask(f, "/"));
    assert_int_equal(store.gets, 0);
}

static void without_an_answer_it_is_asked_for_later(void **state)
{
    struct fixture *f = *state;
    store.outcome = ROUTE_FAILED;
    assert_false(ask(f, "/a/"));
    store.outcome = ROUTE_ABSENT; /* remembered */
    assert_true(ask(f, "/a/"));
    assert_int_equal(store.gets, 2);
}

static void without_a_store_nobody_knows(void **state)
{
    assert_false(ask(*state, "/a/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, only_this_prefix_is_asked_for),
        WITH(setup_with_store, every_answer_ends_the_question),
        WITH(setup_with_store, what_is_no_route_is_not_asked_for),
        WITH(setup_with_store, without_an_answer_it_is_asked_for_later),
        WITH(setup, without_a_store_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
