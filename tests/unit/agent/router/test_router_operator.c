/* tests/unit/agent/router/test_router_operator.c - what operators ask: list, forget, flush, explain. */
#include "tests/unit/agent/router/router_fixture.h"

static void teach(struct fixture *f, const char *path, const char *cell, const char *cache)
{
    char acks[40];
    learn(f, path, cell, cache, NULL, false);
    snprintf(acks, sizeof acks, "%d:done=true", (int)f->next_stream - 1);
    expect(f, acks);
    store.words[0] = '\0';
}

static void forgetting_tells_redis_too(void **state)
{
    struct fixture *f = *state;
    enum path_verdict verdict;
    teach(f, "/a/b/x", "eu0", "{path_prefix:/a/b/}");
    assert_int_equal(router_forget(f->router, "/a/b", &verdict), ROUTER_FORGOTTEN);
    expect_words("forget /a/b/ eu0 0; ");
    expect_counter(f, COUNTER_ROUTES_FORGOTTEN, 1);
    lookup(f, "/a/b/x");
    expect(f, "2:learn=true");
    store.outcome = ROUTE_WAITING; /* not here: Redis says which cell its record names */
    assert_int_equal(router_forget(f->router, "/a/b/", &verdict), ROUTER_ASKED);
    assert_string_equal(store.question, " /a/b/ ");
    answer_found("/a/b/", "other7", ROUTE_TRUST_FULL);
    expect_words("forget /a/b/ other7 0; ");
    struct route_answer absent = {.outcome = ROUTE_ABSENT};
    assert_int_equal(router_forget(f->router, "/c/", &verdict), ROUTER_ASKED);
    store.callback(store.user, &absent);
    expect_words("");
    store.outcome = ROUTE_FAILED;
    assert_int_equal(router_forget(f->router, "/c/", &verdict), ROUTER_NOT_KNOWN);
    assert_int_equal(router_forget(f->router, "/c//d/", &verdict), ROUTER_BAD_PREFIX);
    assert_int_equal(verdict, PATH_EMPTY_SEGMENT);
    assert_int_equal(router_forget(f->router, "/", &verdict), ROUTER_BAD_PREFIX);
    assert_int_equal(verdict, PATH_OK);
}

static void without_a_store_an_unknown_route_is_not_known(void **state)
{
    struct fixture *f = *state;
    enum path_verdict verdict;
    teach(f, "/a/x", "eu1", "{path_prefix:/a/}");
    assert_int_equal(router_forget(f->router, "/b/", &verdict), ROUTER_NOT_KNOWN);
    assert_int_equal(router_forget(f->router, "/a/", &verdict), ROUTER_FORGOTTEN);
    lookup(f, "/a/x");
    expect(f, "2:learn=true");
}

static void with_hosts_a_prefix_begins_with_one(void **state)
{
    struct fixture *f = *state;
    enum path_verdict verdict;
    teach(f, "/a/x", "eu1", "{path_prefix:/a/}");
    assert_int_equal(router_forget(f->router, "Site.Example/a/", &verdict), ROUTER_FORGOTTEN);
    expect_words("forget site.example/a/ eu1 0; ");
}

static void a_flush_leaves_redis_its_own(void **state)
{
    struct fixture *f = *state;
    teach(f, "/a/x", "eu1", "{path_prefix:/a/}");
    teach(f, "/b/x", "eu0", "{path_prefix:/b/}");
    assert_int_equal(router_flush(f->router), 2);
    assert_int_equal(router_flush(f->router), 0);
    expect_words("");
    expect_counter(f, COUNTER_ROUTES_FORGOTTEN, 2);
    lookup(f, "/a/x");
    expect(f, "3:learn=true");
}

enum { LISTED = 100 };

struct listed {
    struct router *router;
    unsigned seen[LISTED];
};

static void on_route(void *user, const char *key, size_t length, const struct route *route)
{
    struct listed *listed = user;
    char text[20];
    assert_true(length < sizeof text);
    memcpy(text, key, length);
    text[length] = '\0';
    int number = atoi(text + 2);
    assert_in_range(number, 0, LISTED - 1);
    listed->seen[number]++;
    assert_string_equal(router_cell_id(listed->router, route->cell), number % 2 ? "eu1" : "eu0");
}

static void a_listing_has_every_route_once(void **state)
{
    struct fixture *f = *state;
    struct listed listed = {.router = f->router};
    struct route_cursor cursor = {0};
    char path[20], cache[40];
    for (int i = 0; i < LISTED; i++) {
        snprintf(path, sizeof path, "/r%d/x", i);
        snprintf(cache, sizeof cache, "{path_prefix:/r%d/}", i);
        teach(f, path, i % 2 ? "eu1" : "eu0", cache);
    }
    while (router_list(f->router, &cursor, on_route, &listed)) {
    }
    for (int i = 0; i < LISTED; i++)
        assert_int_equal(listed.seen[i], 1);
    assert_string_equal(router_cell_id(f->router, CELL_NONE), "?");
}

static void expect_explained(struct fixture *f, const char *path, const char *wanted)
{
    char *said = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&said, &size);
    router_explain(f->router, path, "h", out);
    fclose(out);
    assert_string_equal(said, wanted);
    free(said);
}

static void explain_says_what_counts_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    teach(f, "/a/b/x", "eu0", "{path_prefix:/a/, ttl:60}");
    now += 10000; /* of 60 s, which were shortened by chance (seed 42) */
    expect_explained(
        f, "/a/b?q",
        "/a/b/ not in memory\n"
        "/a/ eu0 left=45 from=learning\n"
        "the first line above that names a cell counts; if none does, Redis is asked, then any cell of the "
        "region\n");
    expect_explained(f, "/", "/ has no prefix that can be remembered; any cell of the region is asked\n");
    expect_explained(
        f, "/a/../b",
        "not looked up: the path has a dot segment: /./ or /../, plain or as %2e; any cell of the region is asked\n");
    assert_int_equal(store.gets, 0);
    expect_counter(f, COUNTER_LOOKUPS, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, forgetting_tells_redis_too),
        WITH(setup, without_a_store_an_unknown_route_is_not_known),
        WITH(setup_with_hosts, with_hosts_a_prefix_begins_with_one),
        WITH(setup_with_store, a_flush_leaves_redis_its_own),
        WITH(setup_with_store, a_listing_has_every_route_once),
        WITH(setup_with_store, explain_says_what_counts_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
