/* tests/unit/agent/router/test_router_message.c - the messages of a NOTIFY: by name and type, in every cut, and as
 * HAProxy writes them. */
#include "tests/unit/agent/router/router_fixture.h"

static void messages_that_make_no_sense_are_answered_and_counted(void **state)
{
    struct fixture *f = *state;
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("nonsense"), 0);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    lookup(f, NULL);
    learn(f, "/a/x", NULL, "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=false 2:learn=true 3:done=true");
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

/* Where a site rewrites paths, both messages say the path as cells get it; of another type it is as if it were not
 * there. */
static void a_rewritten_path_is_looked_up_and_learned(void **state)
{
    struct fixture *f = *state;
    for (unsigned text = 0; text < 2; text++) {
        size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
        spop_write_message(&f->out, TEXT_VIEW("learn"), 4);
        arg(f, "path", "/v1/a/x");
        if (text)
            arg(f, "as", "/a/x");
        else
            spop_write_arg(&f->out, TEXT_VIEW("as"), &(struct spop_data){.type = SPOP_BOOL, .boolean = true});
        arg(f, "cell", "eu0");
        arg(f, "cache", "{path_prefix:/a/}");
        assert_true(spop_end_frame(&f->out, begin, 16380));
    }
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("lookup-as"), 2);
    arg(f, "path", "/a/y");
    arg(f, "host", NULL);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    expect(f, "1:done=true 2:done=true 3:cell=eu0,learn=false,level=1");
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
    static const char known[] = "cell=eu0,learn=false,level=1", unknown[] = "learn=true";
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

static void other_arg(struct fixture *f, const char *name, struct spop_data value)
{
    spop_write_arg(&f->out, (struct text_view){name, strlen(name)}, &value);
}

static size_t begin_message(struct fixture *f, const char *name, uint8_t args)
{
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, (struct text_view){name, strlen(name)}, args);
    return begin;
}

static void arguments_of_another_type_are_as_if_missing(void **state)
{
    struct fixture *f = *state;
    size_t begin = begin_message(f, "lookup", 2);
    other_arg(f, "path", (struct spop_data){.type = SPOP_BINARY, .text = {"/a/x", 4}});
    arg(f, "host", "h");
    assert_true(spop_end_frame(&f->out, begin, 16380));
    begin = begin_message(f, "lookup", 2);
    arg(f, "path", "/a/x");
    other_arg(f, "host", spop_int32(5)); /* hosts do not matter here */
    assert_true(spop_end_frame(&f->out, begin, 16380));
    expect(f, "1:learn=true 2:learn=true");
    expect_counter(f, COUNTER_MISSES_MALFORMED, 1);
    expect_counter(f, COUNTER_MISSES_ABSENT, 1);
    begin = begin_message(f, "learn", 3);
    arg(f, "path", "/a/x");
    other_arg(f, "cell", spop_bool(true));
    arg(f, "cache", "{path_prefix:/a/}");
    assert_true(spop_end_frame(&f->out, begin, 16380));
    expect(f, "3:done=true");
    expect_counter(f, COUNTER_LEARNS_MALFORMED, 1);
    expect_words("");
}

/* Whether a redirect of eu0 with this value puts a route of its own in doubt. */
static bool counts_as_redirected(struct fixture *f, struct spop_data redirected)
{
    char acks[40], path[20], cache[40];
    uint64_t before = f->counters.values[COUNTER_DOUBTS_ROUTES];
    snprintf(path, sizeof path, "/a%d/x", (int)f->next_stream);
    snprintf(cache, sizeof cache, "{path_prefix:/a%d/}", (int)f->next_stream);
    learn(f, path, "eu0", cache, NULL, false);
    snprintf(acks, sizeof acks, "%d:done=true", (int)f->next_stream - 1);
    expect(f, acks);
    size_t begin = begin_message(f, "learn", 4);
    arg(f, "path", path);
    arg(f, "cell", "eu0");
    arg(f, "from", "eu0");
    other_arg(f, "redirected", redirected);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    snprintf(acks, sizeof acks, "%d:done=true", (int)f->next_stream - 1);
    expect(f, acks);
    router_sample(f->router);
    return f->counters.values[COUNTER_DOUBTS_ROUTES] > before;
}

static void truth_comes_in_many_types(void **state)
{
    struct fixture *f = *state;
    assert_true(counts_as_redirected(f, spop_bool(true)));
    assert_true(counts_as_redirected(f, spop_int32(1)));
    assert_true(counts_as_redirected(f, spop_int64(-1)));
    assert_true(counts_as_redirected(f, (struct spop_data){.type = SPOP_UINT64, .natural = 7}));
    assert_false(counts_as_redirected(f, spop_int32(0)));
}

static int setup_hiding(void **state)
{
    *state = start("hidden { min = 100\n max = 100 }");
    return 0;
}

static void hide(struct fixture *f, struct spop_data elapsed)
{
    size_t begin = begin_message(f, "hide", 1);
    other_arg(f, "elapsed", elapsed);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    expect(f, "");
}

static void an_age_that_nobody_knows_is_not_counted(void **state)
{
    struct fixture *f = *state;
    char none[] = "90";
    hide(f, spop_int32(90));
    assert_int_equal(router_next_release_ms(f->router), now + 10 + 2);
    hide(f, spop_int32(-1)); /* a clock that went back: the whole time, on top */
    now += 12;
    router_release(f->router);
    expect(f, "1:done=true");
    assert_int_equal(router_next_release_ms(f->router), now + 90);
    now += 90;
    router_release(f->router);
    expect(f, "2:done=true");
    hide(f, spop_string(none, 2)); /* of another type: likewise */
    assert_int_equal(router_next_release_ms(f->router), now + 102);
    now += 102;
    router_release(f->router);
    expect(f, "3:done=true");
}

static void what_a_second_learn_message_does_not_say_the_first_has_said(void **state)
{
    struct fixture *f = *state;
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    write_learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    spop_write_message(&f->out, TEXT_VIEW("stale"), 2);
    arg(f, "path", "/a/b/x");
    arg(f, "cell", "eu1");
    assert_true(spop_end_frame(&f->out, begin, 16380));
    lookup(f, "/a/x");
    expect(f, "1:done=true 2:cell=eu1,learn=false,level=1");
    expect_counter(f, COUNTER_LEARNS, 1);
    expect_counter(f, COUNTER_ROUTES_LEARNED, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_with_store, messages_that_make_no_sense_are_answered_and_counted),
        WITH(setup, two_messages_in_one_notify_and_every_cut_of_them),
        WITH(setup, a_rewritten_path_is_looked_up_and_learned),
        WITH(setup, a_lookup_as_haproxy_writes_it),
        WITH(setup_with_store, arguments_of_another_type_are_as_if_missing),
        WITH(setup, truth_comes_in_many_types),
        WITH(setup_hiding, an_age_that_nobody_knows_is_not_counted),
        WITH(setup, what_a_second_learn_message_does_not_say_the_first_has_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
