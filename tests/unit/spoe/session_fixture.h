/* tests/unit/spoe/session_fixture.h - a session with a user that writes down what it is told. A NOTIFY's message name
 * says what the user does with it: "now" answers at once, "hold" later, "senseless" with a name HAProxy would not take,
 * "huge" with more than a frame; "close" closes the session from within. */
#ifndef CELLROUTER_TESTS_UNIT_SPOE_SESSION_FIXTURE_H
#define CELLROUTER_TESTS_UNIT_SPOE_SESSION_FIXTURE_H

#include "spoe/session.h"
#include "tests/unit/spoe/wire.h"

enum { HELD_MAX = 4096, START_MS = 1000000 };

struct fixture {
    struct spoe_common *common;
    struct spoe_session *session;
    struct spoe_call *held[HELD_MAX]; /* in order of arrival; NULL: gone */
    size_t held_count;
    char *log; /* of events, but for the bounds of batches */
    size_t log_size;
    FILE *log_out;
    size_t largest_batch;
    unsigned outputs;          /* calls of on_output */
    unsigned allocations_left; /* with fixture_allocate */
    bool answers_others;       /* on_cancel answers all that is held */
    uint64_t now_ms;
};

static struct fixture fixture; /* of the test that runs */

static inline void *fixture_allocate(size_t size)
{
    return fixture.allocations_left > 0 ? (fixture.allocations_left--, malloc(size)) : NULL;
}

static inline void answer(struct spoe_call *call)
{
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_string("eu0", 3)};
    spoe_call_ack(call, &action, 1);
}

static inline void answer_senseless(struct spoe_call *call)
{
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("a b"), spop_bool(true)};
    spoe_call_ack(call, &action, 1);
}

static inline void answer_huge(struct spoe_call *call)
{
    static const char huge[17000];
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_string(huge, sizeof huge)};
    spoe_call_ack(call, &action, 1);
}

static inline void hold(struct spoe_call *call)
{
    assert_true(fixture.held_count < HELD_MAX);
    spoe_call_set_user(call, &fixture.held[fixture.held_count]);
    fixture.held[fixture.held_count++] = call;
}

/* Answers the i-th call that was held, counted from 0, if it is still there. */
static inline void answer_held(size_t i)
{
    struct spoe_call *call = fixture.held[i];
    fixture.held[i] = NULL;
    if (call)
        answer(call);
}

/* The user still holds the batch: nothing may be cancelled before it is done. */
static inline void close_within(struct spoe_call *call)
{
    hold(call);
    if (spoe_session_close(fixture.session, SPOE_CLOSE_CUT) != SPOE_CLOSE_CUT)
        fail_msg("closing from within a handler was not noted");
    assert_ptr_equal(fixture.held[fixture.held_count - 1], call);
}

static inline void on_notify(void *user, struct spoe_notify *batch, size_t n)
{
    struct fixture *f = user;
    if (n > f->largest_batch)
        f->largest_batch = n;
    for (size_t i = 0; i < n; i++) {
        struct text_view name = {0}, key;
        struct spop_data value = {0};
        spop_next_message(&batch[i].messages, &name);
        spop_next_arg(&batch[i].messages, &key, &value);
        fprintf(f->log_out, "%llu/%llu %.*s %.*s\n", (unsigned long long)batch[i].stream_id,
                (unsigned long long)batch[i].frame_id, (int)name.length, name.at ? name.at : "", (int)value.text.length,
                value.text.at ? value.text.at : "");
        assert_null(spoe_call_user(batch[i].call));
        if (text_view_is(name, "hold"))
            hold(batch[i].call);
        else if (text_view_is(name, "senseless"))
            answer_senseless(batch[i].call);
        else if (text_view_is(name, "huge"))
            answer_huge(batch[i].call);
        else if (text_view_is(name, "close"))
            close_within(batch[i].call);
        else
            answer(batch[i].call);
    }
}

static inline void on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why)
{
    struct fixture *f = user;
    struct spoe_call **held = spoe_call_user(call);
    assert_non_null(held);
    assert_ptr_equal(*held, call); /* cancelled once, and not after its answer */
    *held = NULL;
    fprintf(f->log_out, "cancel %zu %s\n", (size_t)(held - f->held), why == SPOE_CANCEL_CLOSED ? "closed" : "deadline");
    for (size_t i = 0; f->answers_others && i < f->held_count; i++)
        answer_held(i);
}

static inline void on_output(void *owner)
{
    assert_ptr_equal(owner, &fixture);
    fixture.outputs++;
}

static inline void fixture_begin(const struct spoe_limits *limits)
{
    static const struct spop_action unknown = {
        SPOP_SET_VAR, SPOP_TRANSACTION, {"learn", 5}, {.type = SPOP_BOOL, .boolean = true}};
    static const struct spoe_limits usual = {.deadline_ms = 30};
    struct spoe_handler handler = {
        .user = &fixture, .on_notify = on_notify, .on_cancel = on_cancel, .unknown = &unknown, .unknown_count = 1};
    fixture = (struct fixture){.now_ms = START_MS};
    fixture.log_out = open_memstream(&fixture.log, &fixture.log_size);
    assert_non_null(fixture.log_out);
    fixture.common = spoe_common_new(limits ? limits : &usual, &handler, on_output);
    assert_non_null(fixture.common);
    fixture.session = spoe_session_new(fixture.common, &fixture, 1, START_MS);
    assert_non_null(fixture.session);
}

static inline void fixture_end(void)
{
    spoe_session_free(fixture.session);
    for (size_t i = 0; i < fixture.held_count; i++)
        assert_null(fixture.held[i]); /* every call was answered or cancelled */
    const struct spoe_counters *counters = spoe_common_counters(fixture.common);
    assert_int_equal(counters->notifies, counters->acks + counters->cancelled);
    assert_int_equal(counters->calls_now, 0);
    assert_int_equal(counters->sessions_now, 0);
    spoe_common_free(fixture.common);
    fclose(fixture.log_out);
    free(fixture.log);
}

static inline const struct spoe_counters *counters(void)
{
    return spoe_common_counters(fixture.common);
}

#define assert_reason(seen, expected) \
    do { \
        enum spoe_close seen_ = (seen); \
        if (seen_ != (expected)) \
            fail_msg("%s instead of %s", spoe_close_name(seen_), spoe_close_name(expected)); \
    } while (0)

static inline enum spoe_close feed(const void *bytes, size_t n)
{
    uint8_t *copy = exact_copy(bytes, n);
    enum spoe_close reason = spoe_session_feed(fixture.session, copy, n, fixture.now_ms);
    free(copy); /* nothing may point into it any more */
    return reason;
}

static inline enum spoe_close feed_wire(struct wire *wire)
{
    enum spoe_close reason = feed(wire->bytes, wire->w.used);
    wire_init(wire);
    return reason;
}

static inline void assert_log(const char *expected)
{
    fflush(fixture.log_out);
    assert_string_equal(fixture.log ? fixture.log : "", expected);
}

/* Takes all output, as text of describe_frames. */
static inline const char *take_output(void)
{
    static char text[65536];
    static uint8_t bytes[1 << 20];
    struct spoe_bytes pieces[80];
    size_t used = 0, n;
    while ((n = spoe_session_output(fixture.session, pieces, 80)) > 0) {
        size_t taken = 0;
        for (size_t i = 0; i < n; i++) {
            memcpy(bytes + used, pieces[i].at, pieces[i].length);
            used += pieces[i].length;
            taken += pieces[i].length;
        }
        spoe_session_sent(fixture.session, taken, fixture.now_ms);
    }
    assert_int_equal(describe_frames(bytes, used, text, sizeof text), used);
    return text;
}

/* A session that has shaken hands. */
static inline void fixture_begin_greeted(const struct spoe_limits *limits)
{
    struct wire wire;
    fixture_begin(limits);
    wire_init(&wire);
    wire_hello(&wire, 16380, false);
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "hello 16380");
}

/* Feeds one NOTIFY. */
static inline enum spoe_close notify(uint64_t stream_id, const char *name)
{
    struct wire wire;
    wire_init(&wire);
    wire_notify(&wire, stream_id, 1, name, "/a");
    return feed_wire(&wire);
}

#endif
