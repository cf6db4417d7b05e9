/* tests/unit/agent/router/test_router_fresh.c - which lookups are told that the route is fresh: what HAProxy may send
 * to the cell although it cannot send it again. */
#include "agent/routes/doubts.h"
#include "tests/unit/agent/router/router_fixture.h"

#define FRESH_S 30

static int setup_fresh(void **state)
{
    struct fixture *f = start("routes { fresh = 30 }");
    router_set_store(f->router, the_store);
    *state = f;
    return 0;
}

static void a_claim_and_then_each_use(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    lookup(f, "/a/x");
    expect(f, "1:done=true 2:cell=eu0,learn=false,level=1,fresh=true");
    now += FRESH_S * 1000 - 2000;
    lookup(f, "/a/x");
    expect(f, "3:cell=eu0,learn=false,level=1,fresh=true");
    now += FRESH_S * 1000 - 2000;
    lookup(f, "/a/x");
    expect(f, "4:cell=eu0,learn=false,level=1,fresh=true");
    now += FRESH_S * 1000;
    lookup(f, "/a/x");
    lookup(f, "/a/x");
    expect(f, "5:cell=eu0,learn=false,level=1 6:cell=eu0,learn=false,level=1,fresh=true");
    expect_counter(f, COUNTER_LOOKUPS_FRESH, 4);
}

/* A redirect, told here or by another router, until the cell claims the route again, or a request was sent there after
 * the doubt. */
static void until_a_redirect(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    struct route_doubt doubt = {.route = {.host = "", .prefix = "/a/", .prefix_length = 3},
                                .about = ROUTE_DOUBT_ROUTE,
                                .cell = "eu0",
                                .cell_length = 3,
                                .life_ms = 1500};
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/y", "eu0", NULL, "eu0", true);
    lookup(f, "/a/x");
    expect(f, "1:done=true 2:done=true 3:cell=eu0,learn=true,level=1,doubt=true");
    now += DOUBT_MS;
    lookup(f, "/a/x");
    lookup(f, "/a/x");
    expect(f, "4:cell=eu0,learn=false,level=1 5:cell=eu0,learn=false,level=1,fresh=true");
    handler.on_doubt(f->router, &doubt);
    now += 1500;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", "eu0", false); /* known: nothing to put */
    lookup(f, "/a/x");
    expect(f, "6:done=true 7:cell=eu0,learn=false,level=1,fresh=true");
    expect_counter(f, COUNTER_ROUTES_REFRESHED, 0);
}

/* One page that redirects does not take it from the others: its cell confirms the route. */
static void a_path_that_redirects_leaves_the_rest_fresh(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/a/mine", "eu0", NULL, "eu0", true);
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", "eu0", false);
    learn(f, "/a/mine", "eu0", NULL, "eu0", true);
    lookup(f, "/a/x");
    lookup(f, "/a/mine");
    expect(f, "1:done=true 2:done=true 3:done=true 4:done=true 5:cell=eu0,learn=false,level=1,fresh=true "
              "6:cell=eu0,learn=true,level=1,doubt=true");
}

/* What Redis says is as recent as its stamp; the lookup itself is a use. */
static void a_route_out_of_redis(void **state)
{
    struct fixture *f = *state;
    now += 3600000;
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/x");
    expect(f, "");
    answer_found("/a/", "eu1", ROUTE_TRUST_FULL); /* said just now, to some router */
    lookup(f, "/b/x");
    expect(f, "1:cell=eu1,learn=false,level=2,fresh=true");
    answer_found_of("/b/", "eu1", ROUTE_TRUST_FULL, FRESH_S * 1000);
    lookup(f, "/b/y");
    expect(f, "2:cell=eu1,learn=false,level=2 3:cell=eu1,learn=false,level=1,fresh=true");
}

/* The response to such a request might teach nothing, so that one which is due takes the way that teaches. */
static void not_when_it_is_due(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/, ttl:1000}", NULL, false);
    expect(f, "1:done=true");
    now += 895000;
    lookup(f, "/a/x");
    lookup(f, "/a/x");
    expect(f, "2:cell=eu0,learn=true,level=1 3:cell=eu0,learn=false,level=1,fresh=true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_fresh, a_claim_and_then_each_use),
        WITH(setup_fresh, until_a_redirect),
        WITH(setup_fresh, a_path_that_redirects_leaves_the_rest_fresh),
        WITH(setup_fresh, a_route_out_of_redis),
        WITH(setup_fresh, not_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
