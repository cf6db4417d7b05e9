/* tests/unit/agent/router/test_router.c - the router's parts together: batches, reloads, keeping and counting. */
#include "tests/unit/agent/router/router_fixture.h"

static void what_a_batch_teaches_counts_for_all_of_it(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/a/x"); /* stands before what teaches it */
    learn(f, "/a/x", "eu1", "{path_prefix:/a/}", NULL, false);
    lookup(f, "/a/y");
    expect(f, "1:cell=eu1,learn=false,level=1 2:done=true 3:cell=eu1,learn=false,level=1");
}

static struct config *config_without(const char *gone, const char *more)
{
    char text[2000], *said = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&said, &size);
    snprintf(text, sizeof text, "region = eu\ncell new7 { servers = {\"c:1\"} }\n%s%s%s",
             strcmp(gone, "eu0") ? "cell eu0 { servers = {\"a:1\"} }\n" : "",
             strcmp(gone, "eu1") ? "cell eu1 { servers = {\"b:1\"} }\n" : "", more);
    struct config *config = config_parse("t.conf", text, strlen(text), errors);
    fclose(errors);
    if (!config)
        fail_msg("%s", said);
    free(said);
    return config;
}

static void reload(struct fixture *f, struct config *config)
{
    assert_int_equal(router_reload(f->router, config), 0);
    config_free(f->config); /* nothing may point into it any more */
    f->config = config;
}

static void a_reload_keeps_the_routes_of_cells_that_stay(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/b/x", "eu1", "{path_prefix:/b/}", NULL, false);
    expect(f, "1:done=true 2:done=true");
    reload(f, config_without("eu0", ""));
    lookup(f, "/a/x");
    lookup(f, "/b/x");
    expect(f, "3:learn=true 4:cell=eu1,learn=false,level=1,fresh=true");
    learn(f, "/c/x", "new7", "{path_prefix:/c/}", NULL, false);
    lookup(f, "/c/x");
    expect(f, "5:done=true 6:cell=new7,learn=false,level=1,fresh=true");
    router_sample(f->router);
    expect_counter(f, COUNTER_CELLS, 2);
}

static void what_needs_a_restart_stays_as_it_was(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu1", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    reload(f, config_without("eu0", "routes { hosts = true\n max-depth = 1 }"));
    lookup(f, "/a/x");
    expect(f, "2:cell=eu1,learn=false,level=1,fresh=true"); /* keys have no host, as before */
    learn(f, "/b/c/x", "eu1", "{path_prefix:/b/c/}", NULL, false);
    expect(f, "3:done=true");
    expect_counter(f, COUNTER_LEARN_TOO_DEEP, 1); /* and this did not need one */
}

static void sampling_brings_the_counters_of_others(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu1", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    expect_counter(f, COUNTER_ROUTES, 0);
    router_sample(f->router);
    expect_counter(f, COUNTER_ROUTES, 1);
    expect_counter(f, COUNTER_CELLS, 2);
    expect_counter(f, COUNTER_STORE_gets, 5);
    expect_counter(f, COUNTER_STORE_connected, 1);
    assert_true(f->counters.values[COUNTER_ROUTES_BYTES] > 0);
    assert_true(f->counters.values[COUNTER_ROUTES_BYTES_MAX] >= f->counters.values[COUNTER_ROUTES_BYTES]);
}

static void ticks_give_back_dead_routes(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu1", "{path_prefix:/a/, ttl:60}", NULL, false);
    learn(f, "/b/x", "eu1", "{path_prefix:/b/, ttl:3600}", NULL, false);
    expect(f, "1:done=true 2:done=true");
    now += 61000;
    for (int i = 0; i < 20; i++)
        router_tick(f->router);
    router_sample(f->router);
    expect_counter(f, COUNTER_ROUTES, 1);
    expect_counter(f, COUNTER_ROUTES_EXPIRED, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup, what_a_batch_teaches_counts_for_all_of_it),
        WITH(setup, a_reload_keeps_the_routes_of_cells_that_stay),
        WITH(setup, what_needs_a_restart_stays_as_it_was),
        WITH(setup_with_store, sampling_brings_the_counters_of_others),
        WITH(setup, ticks_give_back_dead_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
