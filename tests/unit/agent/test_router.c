/* tests/unit/agent/test_router.c - SPOE messages in, answers out, through a real session and a store that does what the test
 * says. */
#include "agent/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spoe/frame.h"
#include "spoe/hello.h"

/* ---- a store ------------------------------------------------------------------------------------------------------ */

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
    int n = snprintf(store.question, sizeof store.question, "%.*s ", (int)question->host_len, question->host);
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
    snprintf(store.words + n, sizeof store.words - n, "%s %.*s%.*s %.*s %u; ", what, (int)route->host_len, route->host,
             (int)route->prefix_len, route->prefix, (int)length, cell, life_s);
}

bool route_store_put(struct route_store *s, const struct route_name *route, const char *cell, size_t cell_len,
                     uint32_t life_s, uint32_t flags)
{
    assert_ptr_equal(s, the_store);
    assert_int_equal(flags, 0);
    word("put", route, cell, cell_len, life_s);
    return true;
}

bool route_store_forget(struct route_store *s, const struct route_name *route, const char *cell, size_t cell_len)
{
    assert_ptr_equal(s, the_store);
    word("forget", route, cell, cell_len, 0);
    return true;
}

const struct route_store_counters *route_store_counters(const struct route_store *s)
{
    static const struct route_store_counters counters = {.gets = 5, .connected = 1};
    assert_ptr_equal(s, the_store);
    return &counters;
}

/* ---- a router and an HAProxy -------------------------------------------------------------------------------------- */

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
    snprintf(text, sizeof text,
             "region = eu\ncell eu0 { name = \"Cell EU0\" servers = {\"a:1\"} }\ncell eu1 { servers = {\"a:1\"} }\n%s",
             more);
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

static int setup(void **state)
{
    *state = start("");
    return 0;
}

static int setup_with_store(void **state)
{
    struct fixture *f = start("");
    router_set_store(f->router, the_store);
    *state = f;
    return 0;
}

static int setup_with_hosts(void **state)
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

/* ---- messages ------------------------------------------------------------------------------------------------------ */

/* A NULL text is sent as NULL data. */
static void arg(struct fixture *f, const char *name, const char *text)
{
    struct spop_data value = {.type = SPOP_NULL};
    if (text)
        value = spop_string(text, strlen(text));
    spop_write_arg(&f->out, (struct spop_text){name, strlen(name)}, &value);
}

static void lookup(struct fixture *f, const char *path)
{
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, SPOP_TEXT("lookup"), 3);
    arg(f, "later", "an argument that is not known yet");
    arg(f, "path", path);
    arg(f, "host", "Site.Example:8080");
    assert_true(spop_end_frame(&f->out, begin, 16380));
}

static void write_learn(struct fixture *f, const char *path, const char *cell, const char *cache, const char *from,
                        bool redirected)
{
    spop_write_message(&f->out, SPOP_TEXT("learn"), 6);
    arg(f, "path", path);
    arg(f, "host", "site.example");
    arg(f, "cell", cell);
    arg(f, "cache", cache);
    arg(f, "from", from);
    struct spop_data value = spop_bool(redirected);
    spop_write_arg(&f->out, SPOP_TEXT("redirected"), &value);
}

static void learn(struct fixture *f, const char *path, const char *cell, const char *cache, const char *from,
                  bool redirected)
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

static void expect_words(const char *words)
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

static void answer_found(const char *prefix, const char *cell, enum route_trust trust)
{
    struct route_answer answer = {.outcome = ROUTE_FOUND,
                                  .route = {.host = "", .prefix = prefix, .prefix_len = strlen(prefix)},
                                  .record = {.stamp_ms = wall_ms(), .life_s = 3600},
                                  .left_ms = 3600000,
                                  .trust = trust};
    assert_true(record_set_id(answer.record.cell, &answer.record.cell_len, cell, strlen(cell)));
    store.callback(store.user, &answer);
}

/* ---- tests -------------------------------------------------------------------------------------------------------- */

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

static void a_redirect_on_a_hit_drops_the_route_everywhere(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=true");
    store.words[0] = '\0';
    learn(f, "/a/x", "eu0", NULL, "eu0", true);
    expect(f, "2:done=true");
    expect_words("forget /a/ eu0 0; ");
    lookup(f, "/a/x");
    expect(f, "3:learn=true,level=0");
    expect_counter(f, COUNTER_ROUTES_DROPPED, 1);
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
    expect(f, "1:done=true 2:done=true 3:done=true 4:done=true 5:done=true 6:learn=true,level=0");
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

static void messages_that_make_no_sense_are_answered_and_counted(void **state)
{
    struct fixture *f = *state;
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, SPOP_TEXT("nonsense"), 0);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    lookup(f, NULL);
    learn(f, "/a/x", NULL, "{path_prefix:/a/}", NULL, false);
    expect(f, "1:done=false 2:learn=true,level=0 3:done=true");
    expect_counter(f, COUNTER_MESSAGES_UNKNOWN, 1);
    expect_counter(f, COUNTER_MISSES_MALFORMED, 1);
    expect_counter(f, COUNTER_LEARNS_MALFORMED, 1);
}

/* A lookup and a learn in one NOTIFY get one ACK with both answers; one that is cut anywhere gets one, too. */
static void two_messages_in_one_notify_and_every_cut_of_them(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[1000];
    struct spop_writer frames = f->out;
    f->out = spop_writer(payload, sizeof payload);
    spop_write_message(&f->out, SPOP_TEXT("lookup"), 1);
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

static void a_reload_keeps_the_routes_of_cells_that_stay(void **state)
{
    struct fixture *f = *state;
    learn(f, "/a/x", "eu0", "{path_prefix:/a/}", NULL, false);
    learn(f, "/b/x", "eu1", "{path_prefix:/b/}", NULL, false);
    expect(f, "1:done=true 2:done=true");
    static const char text[] = "region = eu\ncell new { servers = {\"a:1\"} }\ncell eu1 { servers = {\"a:1\"} }\n";
    struct config *fresh = config_parse("t.conf", text, sizeof text - 1, stderr);
    assert_int_equal(router_reload(f->router, fresh), 0);
    config_free(f->config);
    f->config = fresh;
    lookup(f, "/a/x");
    lookup(f, "/b/x");
    expect(f, "3:learn=true,level=0 4:cell=eu1,learn=false,level=1");
    learn(f, "/a/x", "new", "{path_prefix:/a/}", NULL, false);
    lookup(f, "/a/x");
    expect(f, "5:done=true 6:cell=new,learn=false,level=1");
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
    expect(f, "2:learn=true,level=0");
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

#define WITH(setup_, test) cmocka_unit_test_setup_teardown(test, setup_, teardown)

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
        WITH(setup_with_store, paths_that_are_not_looked_up_are_misses_that_teach_nothing),
        WITH(setup_with_store, a_moved_route_is_replaced_and_not_forgotten),
        WITH(setup_with_store, a_redirect_on_a_hit_drops_the_route_everywhere),
        WITH(setup_with_store, claims_that_the_guards_refuse_are_counted),
        WITH(setup_with_store, two_cells_that_claim_in_turn_are_damped),
        WITH(setup_with_store, messages_that_make_no_sense_are_answered_and_counted),
        WITH(setup, two_messages_in_one_notify_and_every_cut_of_them),
        WITH(setup_with_store, what_others_change_is_dropped),
        WITH(setup_with_store, a_reload_keeps_the_routes_of_cells_that_stay),
        WITH(setup_with_hosts, with_hosts_the_store_gets_host_and_prefix_apart),
        WITH(setup_with_store, operators_forget_a_route_here_and_in_the_store),
        WITH(setup_with_store, samples_hold_what_others_count),
        WITH(setup_with_store, a_route_due_for_refreshing_is_learned_from_once),
        WITH(setup_with_store, more_lookups_wait_than_one_block_of_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
