/* tests/unit/agent/router/test_router_learn.c - what responses teach, and what damping holds back. */
#include "tests/unit/agent/router/router_fixture.h"

static void a_moved_route_is_replaced_and_not_forgotten(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    now++; /* of two words of one millisecond the first stands */
    learn(f, "/a/x", "eu1", "{path_prefix:/a/}", "eu0", true);
    lookup(f, "/a/x");
    expect(f, "2:done=true 3:cell=eu1,learn=false,level=1");
    expect_words("put /a/ eu0 3600; put /a/ eu1 3600; ");
    expect_counter(f, COUNTER_ROUTES_MOVED, 1);
    expect_counter(f, COUNTER_ROUTES_DROPPED, 0);
}

static void nested_routes_move_with_the_claim(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/b/x", "eu0", "{path_prefix:/a/b/}", NULL, false);
    learn(f, "/a/b/c/x", "eu0", "{path_prefix:/a/b/c/}", NULL, false);
    expect(f, "1:done=true 2:done=true 3:done=true");
    now++;
    store.words[0] = '\0';
    learn(f, "/a/b/c/x", "eu1", "{path_prefix:/a/}", "eu0", true);
    lookup(f, "/a/b/c/x");
    lookup(f, "/a/b/y");
    expect(f, "4:done=true 5:cell=eu1,learn=false,level=1 6:cell=eu1,learn=false,level=1");
    expect_words("put /a/ eu1 3600; forget /a/b/ eu0 0; forget /a/b/c/ eu0 0; ");
    expect_counter(f, COUNTER_ROUTES_DROPPED, 2);
}

static void a_longer_prefix_claimed_elsewhere_leaves_the_route(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/b/x", "eu0", NULL, "eu0", true);
    learn(f, "/a/b/x", "eu1", "{path_prefix:/a/b/}", "eu0", true);
    lookup(f, "/a/b/x");
    lookup(f, "/a/x");
    expect(f, "1:done=true 2:done=true 3:done=true 4:cell=eu1,learn=false,level=1 5:cell=eu0,learn=false,level=1");
    expect_counter(f, COUNTER_ROUTES_DROPPED, 0);
}

static void claims_that_the_guards_refuse_are_counted(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/b/}", NULL, false);
    learn(f, "/a/x", "eu0", "{path_prefix:/}", NULL, false);
    learn(f, "/a/x", "nobody", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/x", "eu0", "{cell:eu1, path_prefix:/a/}", NULL, false);
    learn(f, "/a/x", "eu0", "{path_prefix", NULL, false);
    lookup(f, "/a/x");
    expect(f, "1:done=true 2:done=true 3:done=true 4:done=true 5:done=true 6:learn=true");
    expect_words("");
    expect_counter(f, COUNTER_CLAIMS_REFUSED, 4);
    expect_counter(f, COUNTER_LEARN_FOREIGN_PREFIX, 1);
    expect_counter(f, COUNTER_LEARN_DIRECTIVE, 1);
}

static void two_cells_that_claim_in_turn_are_damped(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++, now++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%d:done=true", i + 1);
        learn(f, "/a/x", i % 2 ? "eu1" : "eu0", "{path_prefix:/a/}", NULL, false);
        expect(f, wanted);
    }
    if (f->counters.values[COUNTER_CLAIMS_HELD] < 15) /* the claims of the one that has the route are no news */
        fail_msg("only %d claims were held", (int)f->counters.values[COUNTER_CLAIMS_HELD]);
    size_t puts = 0;
    for (const char *at = store.words; (at = strstr(at, "put ")); at++)
        puts++;
    assert_true(puts < 10);
}

/* Each claim is followed by a redirect. */
static void two_cells_that_claim_and_redirect_in_turn_are_damped(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++, now++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "%d:done=true %d:done=true", 2 * i + 1, 2 * i + 2);
        const char *cell = i % 2 ? "eu1" : "eu0", *other = i % 2 ? "eu0" : "eu1";
        learn(f, "/a/x", cell, "{path_prefix:/a/}", NULL, false);
        learn(f, "/a/x", other, NULL, cell, true);
        expect(f, wanted);
    }
    if (f->counters.values[COUNTER_CLAIMS_HELD] < 7) /* the claims of the one that has the route are no news */
        fail_msg("only %d claims were held", (int)f->counters.values[COUNTER_CLAIMS_HELD]);
    expect_counter(f, COUNTER_ROUTES_DROPPED, 0);
}

static void a_reload_keeps_the_routes_of_cells_that_stay(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/b/x", "eu1", "{path_prefix:/b/}", NULL, false);
    expect(f, "1:done=true 2:done=true");
    static const char text[] = "region = eu\ncell new { servers = {\"a:1\"} }\ncell eu1 { servers = {\"b:1\"} }\n";
    struct config *fresh = config_parse("t.conf", text, sizeof text - 1, stderr);
    assert_int_equal(router_reload(f->router, fresh), 0);
    config_free(f->config);
    f->config = fresh;
    lookup(f, "/a/x");
    lookup(f, "/b/x");
    expect(f, "3:learn=true 4:cell=eu1,learn=false,level=1,fresh=true");
    learn(f, "/a/x", "new", "{path_prefix:/a/}", NULL, false);
    lookup(f, "/a/x");
    expect(f, "5:done=true 6:cell=new,learn=false,level=1,fresh=true");
}

static void operators_forget_a_route_here_and_in_the_store(void **state)
{
    struct fixture *f = *state;
    enum path_verdict verdict;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    store.words[0] = '\0';
    assert_int_equal(router_forget(f->router, "/a/", &verdict), ROUTER_FORGOTTEN);
    expect_words("forget /a/ eu0 0; ");
    store.outcome = ROUTE_WAITING;
    assert_int_equal(router_forget(f->router, "/a/", &verdict), ROUTER_ASKED);
    answer_found("/a/", "eu1", ROUTE_TRUST_FULL);
    expect_words("forget /a/ eu1 0; ");
    assert_int_equal(router_forget(f->router, "/a//", &verdict), ROUTER_BAD_PREFIX);
    assert_int_equal(verdict, PATH_EMPTY_SEGMENT);
    assert_int_equal(router_forget(f->router, "/", &verdict), ROUTER_BAD_PREFIX);
    assert_int_equal(router_forget(f->router, "", &verdict), ROUTER_BAD_PREFIX);
}

static void samples_hold_what_others_count(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    router_sample(f->router);
    expect_counter(f, COUNTER_ROUTES, 1);
    expect_counter(f, COUNTER_CELLS, 2);
    expect_counter(f, COUNTER_STORE_gets, 5);
    expect_counter(f, COUNTER_STORE_connected, 1);
    assert_true(f->counters.values[COUNTER_ROUTES_BYTES] > 0);
    router_tick(f->router);
    assert_int_equal(router_flush(f->router), 1);
    lookup(f, "/a/x");
    expect(f, "2:learn=true");
}

static void a_route_due_for_refreshing_is_learned_from_once(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/, ttl:1000}", NULL, false);
    expect(f, "1:done=true");
    now += 895000; /* past 80 %, jittered by 10 %, and before the shortest life */
    lookup(f, "/a/x");
    lookup(f, "/a/x");
    expect(f, "2:cell=eu0,learn=true,level=1 3:cell=eu0,learn=false,level=1");
    learn(f, "/a/x", "eu0", "{path_prefix:/a/, ttl:1000}", "eu0", false);
    expect(f, "4:done=true");
    expect_counter(f, COUNTER_ROUTES_REFRESHED, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, a_moved_route_is_replaced_and_not_forgotten),
        WITH(setup_with_store, nested_routes_move_with_the_claim),
        WITH(setup_with_store, a_longer_prefix_claimed_elsewhere_leaves_the_route),
        WITH(setup_with_store, claims_that_the_guards_refuse_are_counted),
        WITH(setup_with_store, two_cells_that_claim_in_turn_are_damped),
        WITH(setup_with_store, two_cells_that_claim_and_redirect_in_turn_are_damped),
        WITH(setup_with_store, a_reload_keeps_the_routes_of_cells_that_stay),
        WITH(setup_with_store, operators_forget_a_route_here_and_in_the_store),
        WITH(setup_with_store, samples_hold_what_others_count),
        WITH(setup_with_store, a_route_due_for_refreshing_is_learned_from_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
