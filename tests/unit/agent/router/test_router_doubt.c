/* tests/unit/agent/router/test_router_doubt.c - redirects that no claim explains: doubts here and at other routers. */
#include "tests/unit/agent/router/router_fixture.h"

static void a_redirect_puts_the_route_in_doubt(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    store.words[0] = '\0';
    learn(f, "/a/sub/x", "eu0", NULL, "eu0", true);
    lookup(f, "/a/sub/x");
    lookup(f, "/a/x");
    expect(f, "2:done=true 3:cell=eu0,learn=true,level=1,doubt=true 4:cell=eu0,learn=true,level=1,doubt=true");
    expect_words("below /a/sub/x/ eu0 2000; doubt /a/ eu0 2000; ");
    expect_counter(f, COUNTER_ROUTES_DROPPED, 0);
    expect_counter(f, COUNTER_LOOKUPS_IN_DOUBT, 2);
    /* Its cell claims it: trusted again, but not the path. */
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", "eu0", false);
    lookup(f, "/a/sub/x");
    lookup(f, "/a/x");
    expect(f, "5:done=true 6:cell=eu0,learn=true,level=1,doubt=true 7:cell=eu0,learn=false,level=1");
    expect_words("");
    now += 2000;
    lookup(f, "/a/sub/x");
    expect(f, "8:cell=eu0,learn=false,level=1");
}

static void a_path_that_redirects_again_is_undecided(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/sub", "eu0", NULL, "eu0", true);
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", "eu0", false);
    expect(f, "1:done=true 2:done=true 3:done=true");
    now += 100;
    store.words[0] = '\0';
    learn(f, "/a/sub", "eu1", NULL, "eu0", true); /* the second try, by way of the replay pass */
    lookup(f, "/a/x");
    expect(f, "4:done=true 5:cell=eu0,learn=false,level=1");
    expect_words("below /a/sub/ eu0 30000; ");
    now += 29000;
    lookup(f, "/a/sub/deeper");
    expect(f, "6:cell=eu0,learn=true,level=1,doubt=true");
    router_sample(f->router);
    expect_counter(f, COUNTER_DOUBTS_ROUTES, 1);
    expect_counter(f, COUNTER_DOUBTS_TRUSTED, 1);
    expect_counter(f, COUNTER_DOUBTS_UNDECIDED, 1);
    expect_counter(f, COUNTER_LOOKUP_MISSES, 0);
}

/* The client of a 307 may come again at another router: that one is to have heard of the doubt. */
static void a_stale_answer_waits_until_others_know(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    for (int i = 0; i < 2; i++) {
        size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
        spop_write_message(&f->out, TEXT_VIEW("stale"), 4);
        arg(f, "path", "/a/x");
        arg(f, "cell", "eu0");
        arg(f, "from", "eu0");
        struct spop_data redirected = spop_bool(true);
        spop_write_arg(&f->out, TEXT_VIEW("redirected"), &redirected);
        assert_true(spop_end_frame(&f->out, begin, 16380));
        expect(f, "");
        assert_int_equal(router_next_release_ms(f->router), now + 15);
        now += 15;
        router_release(f->router);
        expect(f, i == 0 ? "2:done=true" : "3:done=true");
    }
    /* Nobody is told anything new. */
    learn(f, "/a/x", "eu0", NULL, "eu0", true);
    expect(f, "4:done=true");
    router_set_store(f->router, NULL);
    now += 60000;
    learn(f, "/a/x", "eu0", NULL, "eu0", true);
    expect(f, "5:done=true");
}

/* Another router met a redirect: here it counts as well, whether level 1 knows the route or the store has to say. */
static void other_routers_tell_of_their_doubts(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    struct route_doubt doubt = {.route = {.host = "", .prefix = "/a/", .prefix_length = 3},
                                .about = ROUTE_DOUBT_ROUTE,
                                .cell = "eu0",
                                .cell_length = 3,
                                .life_ms = 1500};
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    handler.on_doubt(f->router, &doubt);
    lookup(f, "/a/x");
    expect(f, "2:cell=eu0,learn=true,level=1,doubt=true");
    now += 1500;
    lookup(f, "/a/x");
    expect(f, "3:cell=eu0,learn=false,level=1");
    doubt.cell = "eu9"; /* not configured here */
    handler.on_doubt(f->router, &doubt);
    lookup(f, "/a/x");
    expect(f, "4:cell=eu0,learn=false,level=1");
    store.outcome = ROUTE_WAITING;
    doubt.cell = "eu1";
    doubt.about = ROUTE_DOUBT_BELOW;
    doubt.route.prefix = "/b/c/";
    doubt.route.prefix_length = 5;
    handler.on_doubt(f->router, &doubt);
    lookup(f, "/b/c/d");
    expect(f, "");
    answer_found("/b/", "eu1", ROUTE_TRUST_FULL);
    expect(f, "5:cell=eu1,learn=true,level=2,doubt=true");
    lookup(f, "/b/d");
    expect(f, "6:cell=eu1,learn=false,level=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, a_redirect_puts_the_route_in_doubt),
        WITH(setup_with_store, a_path_that_redirects_again_is_undecided),
        WITH(setup_with_store, a_stale_answer_waits_until_others_know),
        WITH(setup_with_store, other_routers_tell_of_their_doubts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
