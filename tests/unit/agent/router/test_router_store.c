/* tests/unit/agent/router/test_router_store.c - what the store tells: routes changed by others, everything in doubt,
 * routes too long, events. */
#include "tests/unit/agent/router/router_fixture.h"

static void what_others_change_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    struct route_name name = {"", 0, "/a/", 3};
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/b/x", "eu0", "{path_prefix:/b/}", NULL, false);
    expect(f, "1:done=true 2:done=true");
    handler.on_changed(f->router, &name);
    lookup(f, "/a/x");
    lookup(f, "/b/x");
    expect(f, "3:learn=true 4:cell=eu0,learn=false,level=1");
    handler.on_distrust(f->router);
    lookup(f, "/b/x");
    expect(f, "5:cell=eu0,learn=false,level=1");
    now += f->config->routes.distrust_s * 1000 + 100;
    lookup(f, "/b/x");
    expect(f, "6:learn=true");
    learn(f, "/b/x", "eu0", "{path_prefix:/b/}", NULL, false);
    expect(f, "7:done=true");
    handler.on_flushed(f->router);
    lookup(f, "/b/x");
    expect(f, "8:learn=true");
}

static void with_hosts_the_store_gets_host_and_prefix_apart(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/a/b");
    expect(f, "1:learn=true");
    assert_string_equal(store.question, "site.example /a/ /a/b/ ");
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "2:done=true");
    expect_words("put site.example/a/ eu0 3600; ");
    struct route_store_handler handler = router_store_handler();
    struct route_name other = {"else.example", 12, "/a/", 3}, name = {"site.example", 12, "/a/", 3};
    handler.on_changed(f->router, &other);
    lookup(f, "/a/b");
    expect(f, "3:cell=eu0,learn=false,level=1,fresh=true");
    handler.on_changed(f->router, &name);
    lookup(f, "/a/b");
    expect(f, "4:learn=true");
}

static void a_name_longer_than_any_key_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    static char prefix[PATH_KEY_SIZE + 1];
    memset(prefix, 'a', sizeof prefix);
    prefix[0] = prefix[sizeof prefix - 1] = '/';
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    char *exact = malloc(sizeof prefix);
    memcpy(exact, prefix, sizeof prefix);
    struct route_name name = {"", 0, exact, sizeof prefix};
    handler.on_changed(f->router, &name);
    struct route_answer answer = {
        .outcome = ROUTE_FOUND, .route = name, .record = {.stamp_ms = wall_ms(), .life_s = 60}, .left_ms = 60000};
    assert_true(record_set_id(answer.record.cell, &answer.record.cell_length, "eu1", 3));
    handler.on_late(f->router, &answer);
    free(exact);
    lookup(f, "/a/y");
    expect(f, "2:cell=eu0,learn=false,level=1");
    expect_counter(f, COUNTER_ROUTES_CHANGED, 0);
}

static struct route_answer late(const char *prefix, const char *cell, uint64_t stamp_ms)
{
    struct route_answer answer = {.outcome = ROUTE_FOUND,
                                  .route = {"", 0, prefix, strlen(prefix)},
                                  .record = {.stamp_ms = stamp_ms, .life_s = 3600},
                                  .left_ms = 3600000,
                                  .trust = ROUTE_TRUST_FULL};
    assert_true(record_set_id(answer.record.cell, &answer.record.cell_length, cell, strlen(cell)));
    return answer;
}

static void what_comes_late_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    struct route_answer answer = late("/a/", "eu1", wall_ms());
    handler.on_late(f->router, &answer);
    lookup(f, "/a/x");
    expect(f, "1:cell=eu1,learn=false,level=1");
    answer = late("/b/", "gone9", wall_ms()); /* not configured here */
    handler.on_late(f->router, &answer);
    lookup(f, "/b/x");
    expect(f, "2:learn=true");
}

static void an_older_word_does_not_replace_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct route_store_handler handler = router_store_handler();
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    struct route_answer answer = late("/a/", "eu1", wall_ms() - 1);
    handler.on_late(f->router, &answer);
    lookup(f, "/a/x");
    expect(f, "2:cell=eu0,learn=false,level=1");
    answer = late("/a/", "eu1", wall_ms() + 1);
    handler.on_late(f->router, &answer);
    lookup(f, "/a/x");
    expect(f, "3:cell=eu1,learn=false,level=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, what_others_change_is_dropped),
        WITH(setup_with_hosts, with_hosts_the_store_gets_host_and_prefix_apart),
        WITH(setup_with_store, a_name_longer_than_any_key_changes_nothing),
        WITH(setup_with_store, what_comes_late_is_remembered),
        WITH(setup_with_store, an_older_word_does_not_replace_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
