/* tests/unit/agent/router/test_router.c - lookups: answered at once, by the store, too late, or not at all. */
#include "tests/unit/agent/router/router_fixture.h"

static void a_miss_is_learned_and_then_a_hit(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/my-company/x");
    expect(f, "1:learn=true,level=0");
    learn(f, "/my-company/x", "eu0", "{path_prefix:/my-company/}", NULL, true);
    expect(f, "2:done=true");
    expect_words("put /my-company/ eu0 3600; ");
    lookup(f, "/my-company/y?q");
    lookup(f, "/my-company");
    lookup(f, "/my-company2");
    expect(f, "3:cell=eu0,learn=false,level=1 4:cell=eu0,learn=false,level=1 5:learn=true,level=0");
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
    expect(f, "2:learn=true,level=0");
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
    expect(f, "1:cell=eu1,learn=false,level=2 2:learn=true,level=0");
}

static void absent_and_failed_are_misses_of_their_own_kind(void **state)
{
    struct fixture *f = *state;
    struct route_answer absent = {.outcome = ROUTE_ABSENT}, failed = {.outcome = ROUTE_FAILED};
    store.outcome = ROUTE_FAILED;
    lookup(f, "/a/b");
    expect(f, "1:learn=true,level=0");
    store.outcome = ROUTE_WAITING;
    lookup(f, "/a/b");
    expect(f, "");
    store.callback(store.user, &absent);
    lookup(f, "/a/b");
    expect(f, "2:learn=true,level=0");
    store.callback(store.user, &failed);
    expect(f, "3:learn=true,level=0");
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
    expect(f, "1:learn=true,level=0");
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
    expect(f, "1:learn=false,level=0 2:learn=false,level=0 3:learn=false,level=0");
    assert_int_equal(store.gets, 0);
    expect_counter(f, COUNTER_MISSES_PATH, 2);
    expect_counter(f, COUNTER_PATH_EMPTY_SEGMENT, 1);
}

static void messages_that_make_no_sense_are_answered_and_counted(void **state)
{
    struct fixture *f = *state;
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("nonsense"), 0);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    lookup(f, NULL);
    learn(f, "/a/x", NULL, "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=false 2:learn=true,level=0 3:done=true");
    expect_counter(f, COUNTER_MESSAGES_UNKNOWN, 1);
    expect_counter(f, COUNTER_MISSES_MALFORMED, 1);
    expect_counter(f, COUNTER_LEARNS_MALFORMED, 1);
}

static void two_messages_in_one_notify_and_every_cut_of_them(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[1000];
    struct spop_writer frames = f->out;
    f->out = spop_writer(payload, sizeof payload);
    spop_write_message(&f->out, TEXT_VIEW("lookup"), 1);
    arg(f, "path", "/a/x");
    write_learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    size_t length = f->out.used;
    f->out = frames;
    for (size_t cut = 0; cut <= length; cut++) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "%d:", (int)f->next_stream);
        size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
        spop_write_bytes(&f->out, payload, cut);
        assert_true(spop_end_frame(&f->out, begin, 16380));
        f->acks[0] = '\0';
        if (spoe_session_feed(f->session, f->bytes, f->out.used, now) != SPOE_CLOSE_NONE)
            fail_msg("a cut at %d closed the connection", (int)cut);
        f->out.used = 0;
        drain_output(f);
        if (strncmp(f->acks, wanted, strlen(wanted)) != 0 || strchr(f->acks, ' '))
            fail_msg("cut at %d: wanted one answer to %s, got %s", (int)cut, wanted, f->acks);
    }
    assert_non_null(strstr(f->acks, ",done=true"));
    expect_counter(f, COUNTER_ROUTES_LEARNED, 1);
}

/* A NOTIFY of these bytes; its answer without the stream's number. */
static const char *answer_to(struct fixture *f, const uint8_t *payload, size_t length)
{
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_bytes(&f->out, payload, length);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    f->acks[0] = '\0';
    assert_int_equal(spoe_session_feed(f->session, f->bytes, f->out.used, now), SPOE_CLOSE_NONE);
    f->out.used = 0;
    drain_output(f);
    const char *colon = strchr(f->acks, ':');
    assert_non_null(colon);
    return colon + 1;
}

/* What cellrouter-spoe.conf makes HAProxy write has a reader of its own, which must not read what only looks like
 * it. */
static void a_lookup_as_haproxy_writes_it(void **state)
{
    static const char known[] = "cell=eu0,learn=false,level=1", unknown[] = "learn=true,level=0";
    struct fixture *f = *state;
    char host[300];
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    for (size_t host_length = 0; host_length < sizeof host; host_length += 299) { /* a length of one byte, and of two */
        uint8_t payload[1000];
        struct spop_writer frames = f->out;
        memset(host, 'h', sizeof host);
        host[host_length] = '\0';
        f->out = spop_writer(payload, sizeof payload);
        spop_write_message(&f->out, TEXT_VIEW("lookup"), 2);
        arg(f, "path", "/a/x");
        arg(f, "host", host);
        size_t length = f->out.used;
        spop_write_message(&f->out, TEXT_VIEW("lookup"), 2);
        arg(f, "path", "/b/x");
        arg(f, "host", "h");
        size_t both = f->out.used;
        f->out = frames;
        for (size_t cut = 1; cut < length; cut++)
            assert_string_not_equal(answer_to(f, payload, cut), known);
        assert_string_equal(answer_to(f, payload, length), known);
        assert_string_equal(answer_to(f, payload, both), unknown); /* the last word counts */
        payload[length - host_length - 2 - (host_length >= 240)] = SPOP_BINARY;
        assert_string_equal(answer_to(f, payload, length), known); /* a host of another type is none */
    }
    expect_counter(f, COUNTER_LOOKUP_HITS_LEVEL1, 4);
}

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
    expect(f, "3:learn=true,level=0 4:cell=eu0,learn=false,level=1");
    handler.on_distrust(f->router);
    lookup(f, "/b/x");
    expect(f, "5:cell=eu0,learn=false,level=1");
    now += f->config->routes.distrust_s * 1000 + 100;
    lookup(f, "/b/x");
    expect(f, "6:learn=true,level=0");
    learn(f, "/b/x", "eu0", "{path_prefix:/b/}", NULL, false);
    expect(f, "7:done=true");
    handler.on_flushed(f->router);
    lookup(f, "/b/x");
    expect(f, "8:learn=true,level=0");
}

static void with_hosts_the_store_gets_host_and_prefix_apart(void **state)
{
    struct fixture *f = *state;
    lookup(f, "/a/b");
    expect(f, "1:learn=true,level=0");
    assert_string_equal(store.question, "site.example /a/ /a/b/ ");
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "2:done=true");
    expect_words("put site.example/a/ eu0 3600; ");
    struct route_store_handler handler = router_store_handler();
    struct route_name other = {"else.example", 12, "/a/", 3}, name = {"site.example", 12, "/a/", 3};
    handler.on_changed(f->router, &other);
    lookup(f, "/a/b");
    expect(f, "3:cell=eu0,learn=false,level=1");
    handler.on_changed(f->router, &name);
    lookup(f, "/a/b");
    expect(f, "4:learn=true,level=0");
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
        WITH(setup_with_store, messages_that_make_no_sense_are_answered_and_counted),
        WITH(setup, two_messages_in_one_notify_and_every_cut_of_them),
        WITH(setup, a_lookup_as_haproxy_writes_it),
        WITH(setup_with_store, what_others_change_is_dropped),
        WITH(setup_with_hosts, with_hosts_the_store_gets_host_and_prefix_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
