/* tests/unit/agent/router/router_fixture.h - a router with a real SPOE session before it and a store behind it that
 * does what the test says: for the test_router*.c files, each a program of its own. */
#ifndef CELLROUTER_TESTS_UNIT_AGENT_ROUTER_ROUTER_FIXTURE_H
#define CELLROUTER_TESTS_UNIT_AGENT_ROUTER_ROUTER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/router/router.h"
#include "spoe/frame.h"
#include "spoe/hello.h"

/* ---- a store ---------------------------------------------------------------------------------------------------- */

/* These stand in for redis/store.c, which is therefore not linked. */
static struct {
    enum route_outcome outcome; /* of the next get */
    route_answer_fn *callback;
    void *user;
    char question[300]; /* "host text ends" */
    int gets, cancels;
    char words[2000]; /* "put /a/ eu0 3600; forget …" */
} store;

static struct route_store *const the_store = (struct route_store *)&store;

enum route_outcome route_store_get(struct route_store *s, const struct route_question *question,
                                   route_answer_fn *callback, void *user, struct route_wait **wait,
                                   enum store_reason *reason)
{
    assert_ptr_equal(s, the_store);
    int n = snprintf(store.question, sizeof store.question, "%.*s ", (int)question->host_length, question->host);
    for (size_t i = 0; i < question->count; i++)
        n += snprintf(store.question + n, sizeof store.question - (size_t)n, "%.*s ", (int)question->ends[i],
                      question->text);
    store.gets++;
    store.callback = callback;
    store.user = user;
    *wait = (struct route_wait *)user;
    *reason = store.outcome == ROUTE_FAILED ? STORE_REASON_AWAY : STORE_REASON_NONE;
    return store.outcome;
}

void route_store_cancel(struct route_store *s, struct route_wait *wait)
{
    assert_ptr_equal(s, the_store);
    assert_non_null(wait);
    store.cancels++;
}

static void word(const char *what, const struct route_name *route, const char *cell, size_t length, uint32_t life_s)
{
    size_t n = strlen(store.words);
    snprintf(store.words + n, sizeof store.words - n, "%s %.*s%.*s %.*s %u; ", what, (int)route->host_length,
             route->host, (int)route->prefix_length, route->prefix, (int)length, cell, life_s);
}

bool route_store_put(struct route_store *s, const struct route_name *route, const char *cell, size_t cell_length,
                     uint32_t life_s, uint32_t flags)
{
    assert_ptr_equal(s, the_store);
    assert_int_equal(flags, 0);
    word("put", route, cell, cell_length, life_s);
    return true;
}

bool route_store_forget(struct route_store *s, const struct route_name *route, const char *cell, size_t cell_length)
{
    assert_ptr_equal(s, the_store);
    word("forget", route, cell, cell_length, 0);
    return true;
}

void route_store_doubt(struct route_store *s, const struct route_doubt *doubt)
{
    assert_ptr_equal(s, the_store);
    size_t n = strlen(store.words);
    snprintf(store.words + n, sizeof store.words - n, "%s %.*s%.*s %.*s %u; ",
             doubt->about == ROUTE_DOUBT_ROUTE   ? "doubt"
             : doubt->about == ROUTE_DOUBT_BELOW ? "below"
                                                 : "path",
             (int)doubt->route.host_length, doubt->route.host, (int)doubt->route.prefix_length, doubt->route.prefix,
             (int)doubt->cell_length, doubt->cell, doubt->life_ms);
}

const struct route_store_counters *route_store_counters(const struct route_store *s)
{
    static const struct route_store_counters counters = {.gets = 5, .connected = 1, .watching = 1};
    assert_ptr_equal(s, the_store);
    return &counters;
}

/* ---- a router and an HAProxy ------------------------------------------------------------------------------------ */

static uint64_t now;

static uint64_t now_ms(void)
{
    return now;
}

static uint64_t wall_ms(void)
{
    return 1700000000000 + now;
}

struct fixture {
    struct config *config;
    struct counters counters;
    struct router *router;
    struct spoe_common *common;
    struct spoe_session *session;
    uint8_t bytes[20000];
    struct spop_writer out; /* frames for the agent */
    uint64_t next_stream;
    char acks[3000]; /* "1:cell=eu0,learn=false,level=1 2:…" in the order of arrival */
};

static struct config *config_of(const char *more)
{
    char text[2000], *said = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&said, &size);
    snprintf(
        text, sizeof text,
        "region = eu\ncell eu0 { name = \"Cell EU0\" servers = {\"a:1\"} }\ncell eu1 { servers = {\"b:1\"} }\n%s%s",
        strstr(more, "routes {") ? "" : "routes { fresh = 0 }\n", more);
    struct config *config = config_parse("t.conf", text, strlen(text), errors);
    fclose(errors);
    if (!config)
        fail_msg("%s", said);
    free(said);
    return config;
}

static void drain_output(struct fixture *f);

static void send_hello(struct fixture *f)
{
    struct spop_hello hello = {.version_2 = true, .frame_size = 16380, .pipelining = true};
    assert_true(spop_write_haproxy_hello(&f->out, &hello, 16380));
    assert_int_equal(spoe_session_feed(f->session, f->bytes, f->out.used, now), SPOE_CLOSE_NONE);
    f->out.used = 0;
    drain_output(f);
}

static struct fixture *start(const char *more)
{
    struct fixture *f = calloc(1, sizeof *f);
    memset(&store, 0, sizeof store);
    store.outcome = ROUTE_ABSENT;
    now = 1000000;
    f->config = config_of(more);
    struct router_options options = {
        .config = f->config, .counters = &f->counters, .seed = 42, .now_ms = now_ms, .wall_ms = wall_ms};
    f->router = router_new(&options);
    assert_non_null(f->router);
    struct spoe_handler handler = router_spoe_handler(f->router);
    struct spoe_limits limits = {.prefix_length = 10};
    f->common = spoe_common_new(&limits, &handler, NULL);
    f->session = spoe_session_new(f->common, f, 1, now);
    f->out = spop_writer(f->bytes, sizeof f->bytes);
    f->next_stream = 1;
    send_hello(f);
    return f;
}

static __attribute__((unused)) int setup(void **state)
{
    *state = start("");
    return 0;
}

static __attribute__((unused)) int setup_with_store(void **state)
{
    struct fixture *f = start("");
    router_set_store(f->router, the_store);
    *state = f;
    return 0;
}

static __attribute__((unused)) int setup_with_hosts(void **state)
{
    struct fixture *f = start("routes { hosts = true }");
    router_set_store(f->router, the_store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    uint64_t answered = f->counters.values[COUNTER_LOOKUP_HITS_LEVEL1] +
                        f->counters.values[COUNTER_LOOKUP_HITS_LEVEL2] + f->counters.values[COUNTER_LOOKUP_MISSES];
    uint64_t why = 0;
    for (int i = COUNTER_MISSES_PATH; i <= COUNTER_MISSES_CANCELLED; i++)
        why += f->counters.values[i];
    spoe_session_free(f->session);
    spoe_common_free(f->common);
    router_free(f->router);
    config_free(f->config);
    bool adds_up = answered == f->counters.values[COUNTER_LOOKUPS] && why == f->counters.values[COUNTER_LOOKUP_MISSES];
    free(f);
    return adds_up ? 0 : -1;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

/* A NULL text is sent as NULL data. */
static void arg(struct fixture *f, const char *name, const char *text)
{
    struct spop_data value = {.type = SPOP_NULL};
    if (text)
        value = spop_string(text, strlen(text));
    spop_write_arg(&f->out, (struct text_view){name, strlen(name)}, &value);
}

static void lookup(struct fixture *f, const char *path)
{
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("lookup"), 3);
    arg(f, "later", "an argument that is not known yet");
    arg(f, "path", path);
    arg(f, "host", "Site.Example:8080");
    assert_true(spop_end_frame(&f->out, begin, 16380));
}

static void write_learn(struct fixture *f, const char *path, const char *cell, const char *cache, const char *from,
                        bool redirected)
{
    spop_write_message(&f->out, TEXT_VIEW("learn"), 6);
    arg(f, "path", path);
    arg(f, "host", "site.example");
    arg(f, "cell", cell);
    arg(f, "cache", cache);
    arg(f, "from", from);
    struct spop_data value = spop_bool(redirected);
    spop_write_arg(&f->out, TEXT_VIEW("redirected"), &value);
}

static __attribute__((unused)) void learn(struct fixture *f, const char *path, const char *cell, const char *cache,
                                          const char *from, bool redirected)
{
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    write_learn(f, path, cell, cache, from, redirected);
    assert_true(spop_end_frame(&f->out, begin, 16380));
}

static void note_ack(struct fixture *f, const struct spop_frame *frame)
{
    struct spop_cursor payload = frame->payload;
    struct spop_action action;
    size_t n = strlen(f->acks);
#define NOTE(...) n += (size_t)snprintf(f->acks + n, sizeof f->acks - n, __VA_ARGS__)
    NOTE("%s%d:", n ? " " : "", (int)frame->stream_id);
    for (const char *comma = ""; spop_next_action(&payload, &action); comma = ",") {
        assert_int_equal(action.scope, SPOP_TRANSACTION);
        NOTE("%s%.*s=", comma, (int)action.name.length, action.name.at);
        if (action.value.type == SPOP_STRING)
            NOTE("%.*s", (int)action.value.text.length, action.value.text.at);
        else if (action.value.type == SPOP_BOOL)
            NOTE("%s", action.value.boolean ? "true" : "false");
        else
            NOTE("%d", (int)action.value.integer);
    }
#undef NOTE
    assert_false(payload.bad);
}

static void drain_output(struct fixture *f)
{
    struct spoe_bytes pieces[16];
    uint8_t all[20000];
    size_t used = 0;
    for (size_t n; (n = spoe_session_output(f->session, pieces, 16)) > 0;) {
        size_t sent = 0;
        for (size_t i = 0; i < n; i++) {
            memcpy(all + used, pieces[i].at, pieces[i].length);
            used += pieces[i].length;
            sent += pieces[i].length;
        }
        if (sent == 0)
            break;
        spoe_session_sent(f->session, sent, now);
    }
    struct spop_cursor in = spop_cursor(all, used);
    struct spop_frame frame;
    while (spop_next_frame(&in, 16380, &frame) == SPOP_FRAMING_OK)
        if (frame.type == SPOP_ACK)
            note_ack(f, &frame);
}

/* Sends what was written, in one read, and expects exactly these answers. */
static void expect(struct fixture *f, const char *acks)
{
    f->acks[0] = '\0';
    uint8_t *exact = malloc(f->out.used ? f->out.used : 1);
    memcpy(exact, f->bytes, f->out.used);
    assert_int_equal(spoe_session_feed(f->session, exact, f->out.used, now), SPOE_CLOSE_NONE);
    assert_int_equal(spoe_session_tick(f->session, now), SPOE_CLOSE_NONE);
    free(exact);
    f->out.used = 0;
    drain_output(f);
    assert_string_equal(f->acks, acks);
}

static __attribute__((unused)) void expect_words(const char *words)
{
    assert_string_equal(store.words, words);
    store.words[0] = '\0';
}

static void expect_counter(const struct fixture *f, enum counter counter, uint64_t value)
{
    char name[80];
    counter_name(counter, name, sizeof name);
    if (f->counters.values[counter] != value)
        fail_msg("%s is %d, wanted %d", name, (int)f->counters.values[counter], (int)value);
}

/* The store's reply, as some router said it so long ago. */
static __attribute__((unused)) void answer_found_of(const char *prefix, const char *cell, enum route_trust trust,
                                                    uint64_t age_ms)
{
    struct route_answer answer = {.outcome = ROUTE_FOUND,
                                  .route = {.host = "", .prefix = prefix, .prefix_length = strlen(prefix)},
                                  .record = {.stamp_ms = wall_ms() - age_ms, .life_s = 3600},
                                  .left_ms = 3600000,
                                  .trust = trust};
    assert_true(record_set_id(answer.record.cell, &answer.record.cell_length, cell, strlen(cell)));
    store.callback(store.user, &answer);
}

static __attribute__((unused)) void answer_found(const char *prefix, const char *cell, enum route_trust trust)
{
    answer_found_of(prefix, cell, trust, 0);
}

#define WITH(setup_, test) cmocka_unit_test_setup_teardown(test, setup_, teardown)

#endif
