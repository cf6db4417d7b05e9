/* spoe/session.c - one SPOP connection as a machine: bytes and times go in, calls go to the handler, bytes come out.
 *
 * A session is new until HELLOs were exchanged (greeted), then takes NOTIFYs; `finishing` lets it answer what it has
 * and end; `reason` says that it is closed. Closed is final: every call returns that reason, and what is left is its
 * last output.
 *
 * How it ends. Whatever goes wrong is noted where it is met (fail, the first reason stands), and carried out in one
 * place (settle, spoe_session_close), after what had arrived before was delivered. So the outcome does not depend on
 * how the bytes were cut: a good NOTIFY and a bad frame behind it mean the same in one read as in two.
 *
 * Calls. Each NOTIFY that is taken becomes a call, in one of two lists: `calls`, in the order of arrival, which is the
 * order of deadlines because all have the same time; and `held`, without a deadline. A call leaves its list in
 * release_call, for one of three causes: it is answered, its deadline passes, or the session closes. In the last two
 * on_cancel is told while the call's memory is still its own; it goes back to the pool afterwards. So a handle cannot
 * mean another call while its owner is being told that it is void. Handlers may answer other calls from on_cancel:
 * those of this session then find `reason` set and are counted as cancelled (begin_ack).
 *
 * Batches. The NOTIFYs of one read are collected in common->batch and delivered together: at the end of the read, when
 * the batch is full, or before one is refused for max_calls, since those at hand may be answered at once. While
 * feeding, handlers see only this session's batch, and spoe_session_close from within notes its reason only.
 *
 * Frames in pieces. Complete frames are read where they lie. The beginning of one that is not complete is copied into a
 * block with room for the largest frame (partial), and only so much is added as that frame still lacks. The views of a
 * batch point into the caller's bytes and into that block, so it is given back after deliver.
 *
 * Output is built in the scratch of spoe_common, or right in the last block of the output when there is room. What
 * HAProxy does not read is bounded twice, for each session and for all together: see put. */
#include "spoe/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "spoe/common.h"
#include "spoe/hello.h"

struct spoe_session {
    struct spoe_common *common;
    void *owner;
    uint64_t connection;

    enum spoe_close reason;  /* closed */
    enum spoe_close pending; /* to be closed by settle */
    bool greeted;            /* HELLOs were exchanged */
    bool finishing;          /* ends when nothing is unanswered */
    bool feeding;            /* in spoe_session_feed: its end settles */
    uint32_t frame_max;      /* bytes of a frame; agreed in HELLO */
    uint32_t peer_status;

    uint64_t now_ms, opened_ms;
    uint64_t input_ms;  /* bytes arrived last */
    uint64_t output_ms; /* bytes were taken last, or began to wait */

    struct spoe_call_list calls; /* in the order of their deadlines */
    struct spoe_call_list held;  /* those without one */
    struct spoe_out out;
    struct spoe_block *partial; /* the beginning of a frame; NULL between frames */
};

struct spoe_session *spoe_session_new(struct spoe_common *common, void *owner, uint64_t connection, uint64_t now_ms)
{
    struct spoe_session *s = common->allocate(sizeof *s);
    if (!s)
        return NULL;
    *s = (struct spoe_session){
        .common = common,
        .owner = owner,
        .connection = connection,
        .frame_max = common->limits.max_frame,
        .now_ms = now_ms,
        .opened_ms = now_ms,
        .input_ms = now_ms,
        .output_ms = now_ms,
    };
    common->counters.sessions_now++;
    return s;
}

void spoe_session_free(struct spoe_session *s)
{
    if (!s)
        return;
    assert(!s->feeding);
    spoe_session_close(s, SPOE_CLOSE_CUT);
    spoe_out_drop(&s->out, &s->common->out_blocks, s->out.unsent);
    s->common->counters.sessions_now--;
    free(s);
}

/* The first reason stands. */
static void fail(struct spoe_session *s, enum spoe_close reason)
{
    if (s->pending == SPOE_CLOSE_NONE)
        s->pending = reason;
}

static void advance(struct spoe_session *s, uint64_t now_ms)
{
    if (now_ms > s->now_ms)
        s->now_ms = now_ms;
}

/* ---- output ----------------------------------------------------------------------------------------------------- */

static struct spop_writer scratch(struct spoe_session *s)
{
    return spop_writer(s->common->scratch, SPOP_LENGTH_SIZE + s->common->limits.max_frame);
}

/* frame lies in the scratch, or where spoe_out_room said. */
static void append(struct spoe_session *s, const struct spop_writer *frame)
{
    if (s->out.unsent == 0)
        s->output_ms = s->now_ms;
    if (frame->bytes != s->common->scratch)
        spoe_out_took(&s->out, frame->used);
    else if (!spoe_out_append(&s->out, &s->common->out_blocks, frame->bytes, frame->used)) {
        fail(s, SPOE_CLOSE_NO_MEMORY);
        return;
    }
    s->common->counters.frames_out++;
}

/* Adds a frame to the output, within the session's limit and its share of what all sessions may hold. Whoever is over
 * one of them has a block full of bytes that HAProxy did not read. */
static void put(struct spoe_session *s, const struct spop_writer *frame)
{
    if (s->out.unsent + frame->used > s->common->limits.max_unsent ||
        !spoe_out_may_take(&s->out, &s->common->out_blocks, frame->used))
        fail(s, SPOE_CLOSE_NOT_READING);
    else
        append(s, frame);
}

static void put_ack(struct spoe_session *s, const struct spop_writer *frame)
{
    put(s, frame);
    s->common->counters.acks++;
}

/* An ACK of actions that were encoded before. They fit every frame: SPOE_UNKNOWN_MAX and SPOE_PREPARED_MAX, with the
 * envelope, are less than SPOP_FRAME_SIZE_MIN. The usual way is written where it is sent from. */
static void put_encoded(struct spoe_session *s, uint64_t stream_id, uint64_t frame_id, const uint8_t *actions, size_t n)
{
    uint8_t *room = spoe_out_room(&s->out, &s->common->out_blocks, SPOP_ENVELOPE_MAX + n);
    struct spop_writer w = room ? spop_writer(room, SPOP_ENVELOPE_MAX + n) : scratch(s);
    size_t begin = spop_begin_frame(&w, SPOP_ACK, stream_id, frame_id);
    spop_write_bytes(&w, actions, n);
    bool fits = spop_end_frame(&w, begin, s->frame_max);
    assert(fits);
    (void)fits;
    put_ack(s, &w);
}

static void put_unknown(struct spoe_session *s, uint64_t stream_id, uint64_t frame_id)
{
    put_encoded(s, stream_id, frame_id, s->common->unknown, s->common->unknown_length);
}

static void put_prepared(struct spoe_session *s, const struct spoe_call *call, const struct spoe_prepared *prepared)
{
    if (prepared->length > 0 && s->common->limits.prefix_length <= prepared->prefix_max) {
        put_encoded(s, call->stream_id, call->frame_id, prepared->bytes, prepared->length);
        return;
    }
    s->common->counters.bad_acks++;
    put_unknown(s, call->stream_id, call->frame_id);
}

static void put_actions(struct spoe_session *s, const struct spoe_call *call, const struct spop_action *actions,
                        size_t n)
{
    struct spop_writer w = scratch(s);
    if (!spop_actions_are_valid(actions, n, s->common->limits.prefix_length) ||
        !spop_write_ack(&w, call->stream_id, call->frame_id, actions, n, s->frame_max)) {
        s->common->counters.bad_acks++;
        put_unknown(s, call->stream_id, call->frame_id);
        return;
    }
    put_ack(s, &w);
}

static void put_disconnect(struct spoe_session *s)
{
    int status = spoe_close_status(s->reason);
    if (status < 0)
        return;
    const char *text = spoe_close_text(s->reason);
    struct spop_writer w = scratch(s);
    if (spop_write_disconnect(&w, SPOP_AGENT_DISCONNECT, (enum spop_status)status,
                              (struct text_view){.at = text, .length = strlen(text)}, s->frame_max))
        append(s, &w);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static void release_call(struct spoe_session *s, struct spoe_call *call)
{
    spoe_call_list_remove(call->held ? &s->held : &s->calls, call);
    s->common->counters.calls_now--;
    call->session = NULL;
}

/* Takes a call out and tells the user. The call's memory is reused only afterwards. */
static void cancel(struct spoe_session *s, struct spoe_call *call, enum spoe_cancel why)
{
    release_call(s, call);
    s->common->handler.on_cancel(s->common->handler.user, call, why);
    spoe_calls_give(&s->common->calls, call);
}

static uint32_t unanswered(const struct spoe_session *s)
{
    return s->calls.count + s->held.count;
}

static void expire_calls(struct spoe_session *s)
{
    while (s->calls.first && s->calls.first->deadline_ms <= s->now_ms) {
        put_unknown(s, s->calls.first->stream_id, s->calls.first->frame_id);
        s->common->counters.timeouts++;
        cancel(s, s->calls.first, SPOE_CANCEL_DEADLINE);
    }
}

/* The session whose output takes the answer, or NULL: it comes too late. */
static struct spoe_session *begin_ack(struct spoe_call *call)
{
    struct spoe_session *s = call->session;
    if (!s) {
        if (call->common)
            call->common->counters.late_acks++;
        return NULL;
    }
    release_call(s, call);
    if (s->reason == SPOE_CLOSE_NONE)
        return s;
    s->common->counters.cancelled++; /* from on_cancel of another call of this session */
    spoe_calls_give(&s->common->calls, call);
    return NULL;
}

static void end_ack(struct spoe_session *s, struct spoe_call *call)
{
    spoe_calls_give(&s->common->calls, call);
    if (!s->feeding && s->common->on_output)
        s->common->on_output(s->owner);
}

void spoe_call_ack(struct spoe_call *call, const struct spop_action *actions, size_t n)
{
    struct spoe_session *s = begin_ack(call);
    if (!s)
        return;
    put_actions(s, call, actions, n);
    end_ack(s, call);
}

void spoe_call_ack_prepared(struct spoe_call *call, const struct spoe_prepared *prepared)
{
    struct spoe_session *s = begin_ack(call);
    if (!s)
        return;
    put_prepared(s, call, prepared);
    end_ack(s, call);
}

bool spoe_prepare(struct spoe_prepared *prepared, const struct spop_action *actions, size_t n)
{
    *prepared = (struct spoe_prepared){.prefix_max = SPOP_NAME_MAX};
    struct spop_writer w = spop_writer(prepared->bytes, sizeof prepared->bytes);
    while (prepared->prefix_max > 0 && !spop_actions_are_valid(actions, n, prepared->prefix_max))
        prepared->prefix_max--;
    if (prepared->prefix_max > 0)
        spop_write_actions(&w, actions, n);
    if (w.full || w.used == 0) {
        *prepared = (struct spoe_prepared){0};
        return false;
    }
    prepared->length = (uint8_t)w.used;
    return true;
}

void spoe_call_hold(struct spoe_call *call)
{
    struct spoe_session *s = call->session;
    if (!s || call->held)
        return;
    spoe_call_list_remove(&s->calls, call);
    call->held = true;
    spoe_call_list_append(&s->held, call);
}

bool spoe_call_is_held(const struct spoe_call *call)
{
    return call->held;
}

void spoe_call_set_user(struct spoe_call *call, void *user)
{
    call->user = user;
}

void *spoe_call_user(const struct spoe_call *call)
{
    return call->user;
}

uint64_t spoe_call_deadline_ms(const struct spoe_call *call)
{
    return call->deadline_ms;
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

enum spoe_close spoe_session_close(struct spoe_session *s, enum spoe_close reason)
{
    assert(reason != SPOE_CLOSE_NONE);
    if (s->reason != SPOE_CLOSE_NONE)
        return s->reason;
    fail(s, reason);
    if (s->feeding)
        return s->pending; /* from within a handler, which still holds the batch */
    s->reason = s->pending;
    s->common->counters.closes[s->reason]++;
    while (unanswered(s) > 0) {
        s->common->counters.cancelled++;
        cancel(s, s->calls.first ? s->calls.first : s->held.first, SPOE_CANCEL_CLOSED);
    }
    spoe_blocks_give(&s->common->frame_blocks, s->partial);
    s->partial = NULL;
    put_disconnect(s);
    return s->reason;
}

/* Carries out what was noted. */
static enum spoe_close settle(struct spoe_session *s)
{
    if (s->pending != SPOE_CLOSE_NONE)
        return spoe_session_close(s, s->pending);
    if (s->finishing && unanswered(s) == 0)
        return spoe_session_close(s, SPOE_CLOSE_DRAINED);
    return SPOE_CLOSE_NONE;
}

enum spoe_close spoe_session_finish(struct spoe_session *s)
{
    s->finishing = true;
    if (s->reason != SPOE_CLOSE_NONE || s->feeding)
        return s->reason;
    return settle(s);
}

enum spoe_close spoe_session_reason(const struct spoe_session *s)
{
    return s->reason;
}

uint32_t spoe_session_peer_status(const struct spoe_session *s)
{
    return s->peer_status;
}

/* ---- input ------------------------------------------------------------------------------------------------------ */

static enum spoe_close hello_problem(enum spop_status status)
{
    switch ((int)status) {
    case SPOP_STATUS_NO_VERSION: return SPOE_CLOSE_NO_VERSION;
    case SPOP_STATUS_NO_FRAME_SIZE: return SPOE_CLOSE_NO_FRAME_SIZE;
    case SPOP_STATUS_NO_CAPABILITIES: return SPOE_CLOSE_NO_CAPABILITIES;
    case SPOP_STATUS_BAD_VERSION: return SPOE_CLOSE_BAD_VERSION;
    case SPOP_STATUS_BAD_FRAME_SIZE: return SPOE_CLOSE_BAD_FRAME_SIZE;
    default: return SPOE_CLOSE_BAD_FRAME;
    }
}

static void put_hello(struct spoe_session *s)
{
    struct spop_writer w = scratch(s);
    bool fits = spop_write_agent_hello(&w, s->frame_max, s->frame_max);
    assert(fits); /* it is shorter than SPOP_FRAME_SIZE_MIN */
    (void)fits;
    put(s, &w);
}

static void take_hello(struct spoe_session *s, const struct spop_frame *frame)
{
    struct spop_hello hello;
    enum spop_status status = spop_read_haproxy_hello(frame->payload, &hello);
    if (s->greeted || status != SPOP_STATUS_OK) {
        fail(s, s->greeted ? SPOE_CLOSE_UNEXPECTED_FRAME : hello_problem(status));
        return;
    }
    if (hello.healthcheck && s->common->refuse_checks) {
        s->common->counters.healthchecks_drain++;
        fail(s, SPOE_CLOSE_HEALTHCHECK_DRAIN);
        return;
    }
    if (hello.frame_size < s->frame_max)
        s->frame_max = hello.frame_size;
    s->greeted = true;
    put_hello(s);
    if (hello.healthcheck) {
        s->common->counters.healthchecks++;
        fail(s, SPOE_CLOSE_HEALTHCHECK);
    }
}

static void take_disconnect(struct spoe_session *s, const struct spop_frame *frame)
{
    struct spop_disconnect disconnect;
    if (!spop_read_disconnect(frame->payload, &disconnect)) {
        fail(s, SPOE_CLOSE_BAD_FRAME);
        return;
    }
    s->peer_status = disconnect.status;
    /* Timeout is HAProxy's "timeout idle", not a fault. */
    bool normal = disconnect.status == SPOP_STATUS_OK || disconnect.status == SPOP_STATUS_TIMEOUT;
    fail(s, normal ? SPOE_CLOSE_PEER_DISCONNECT : SPOE_CLOSE_PEER_ERROR);
}

static void deliver(struct spoe_session *s)
{
    struct spoe_common *common = s->common;
    size_t n = common->batched;
    if (n == 0)
        return;
    common->batched = 0;
    common->counters.batches++;
    common->handler.on_notify(common->handler.user, common->batch, n);
}

static struct spoe_call *take_call(struct spoe_session *s)
{
    /* Those of this very read may be answered at once: ask for their answers before refusing one. */
    if (s->calls.count >= s->common->limits.max_calls || s->common->batched == SPOE_BATCH_MAX)
        deliver(s);
    if (s->calls.count >= s->common->limits.max_calls || s->finishing)
        return NULL;
    return spoe_calls_take(&s->common->calls);
}

static void take_notify(struct spoe_session *s, const struct spop_frame *frame)
{
    struct spoe_common *common = s->common;
    if (!s->greeted) {
        fail(s, SPOE_CLOSE_UNEXPECTED_FRAME);
        return;
    }
    common->counters.notifies++;
    struct spoe_call *call = take_call(s);
    if (!call) {
        common->counters.overloads++;
        put_unknown(s, frame->stream_id, frame->frame_id);
        return;
    }
    call->common = common;
    call->session = s;
    call->stream_id = frame->stream_id;
    call->frame_id = frame->frame_id;
    call->deadline_ms = s->now_ms + common->limits.deadline_ms;
    spoe_call_list_append(&s->calls, call);
    common->counters.calls_now++;
    common->batch[common->batched++] = (struct spoe_notify){
        .call = call,
        .connection = s->connection,
        .stream_id = frame->stream_id,
        .frame_id = frame->frame_id,
        .messages = spop_messages(frame->payload),
    };
}

/* HELLO and DISCONNECT belong to the connection, not to a stream. */
static bool has_ids(const struct spop_frame *frame)
{
    return frame->stream_id != 0 || frame->frame_id != 0;
}

static void take_frame(struct spoe_session *s, const struct spop_frame *frame)
{
    s->common->counters.frames_in++;
    bool whole = (frame->flags & SPOP_FLAG_FIN) != 0;
    switch ((int)frame->type) {
    case SPOP_HAPROXY_HELLO:
    case SPOP_HAPROXY_DISCONNECT:
        if (!whole || has_ids(frame))
            fail(s, whole ? SPOE_CLOSE_BAD_FRAME : SPOE_CLOSE_FRAGMENTED);
        else if (frame->type == SPOP_HAPROXY_HELLO)
            take_hello(s, frame);
        else
            take_disconnect(s, frame);
        break;
    case SPOP_NOTIFY:
        if (whole)
            take_notify(s, frame);
        else
            fail(s, SPOE_CLOSE_FRAGMENTED);
        break;
    case SPOP_UNSET: fail(s, SPOE_CLOSE_FRAGMENTED); break;
    case SPOP_AGENT_HELLO:
    case SPOP_AGENT_DISCONNECT:
    case SPOP_ACK: fail(s, SPOE_CLOSE_UNEXPECTED_FRAME); break;
    default: s->common->counters.unknown_frames++; break;
    }
}

/* Takes one frame. False: there is no whole one, or the session is to be closed. */
static bool take_next(struct spoe_session *s, struct spop_cursor *in)
{
    struct spop_frame frame;
    if (s->pending != SPOE_CLOSE_NONE)
        return false;
    switch (spop_next_frame(in, s->frame_max, &frame)) {
    case SPOP_FRAMING_OK: take_frame(s, &frame); return true;
    case SPOP_FRAMING_SHORT: return false;
    case SPOP_FRAMING_TOO_BIG: fail(s, SPOE_CLOSE_FRAME_TOO_BIG); return false;
    case SPOP_FRAMING_BAD: fail(s, SPOE_CLOSE_BAD_FRAME); return false;
    }
    return false;
}

/* Moves bytes from in until block holds want of them. */
static void fill(struct spoe_block *block, struct spop_cursor *in, size_t want)
{
    size_t n = want > block->used ? want - block->used : 0;
    if (n > in->left)
        n = in->left;
    const uint8_t *bytes = spop_take(in, n);
    if (n > 0)
        memcpy(block->bytes + block->used, bytes, n);
    block->used += n;
}

static struct spop_cursor content(const struct spoe_block *block)
{
    return spop_cursor(block->bytes, block->used);
}

/* Completes the frame that began in an earlier feed. True: it was taken, its block must live until it is delivered. The
 * length is looked at as soon as it is there, so a block, which has room for the largest frame, is never overrun. */
static bool complete_partial(struct spoe_session *s, struct spop_cursor *in)
{
    struct spoe_block *block = s->partial;
    fill(block, in, SPOP_LENGTH_SIZE);
    struct spop_cursor c = content(block);
    if (take_next(s, &c))
        return true;
    if (block->used < SPOP_LENGTH_SIZE || s->pending != SPOE_CLOSE_NONE)
        return false;
    c = content(block);
    fill(block, in, SPOP_LENGTH_SIZE + (size_t)spop_read_u32(&c));
    c = content(block);
    return take_next(s, &c);
}

/* Keeps the beginning of a frame for the next feed. */
static void keep_rest(struct spoe_session *s, struct spop_cursor *in)
{
    if (s->pending != SPOE_CLOSE_NONE || in->left == 0)
        return;
    s->partial = spoe_blocks_take(&s->common->frame_blocks);
    if (s->partial)
        fill(s->partial, in, in->left);
    else
        fail(s, SPOE_CLOSE_NO_MEMORY);
}

enum spoe_close spoe_session_feed(struct spoe_session *s, const uint8_t *in, size_t n, uint64_t now_ms)
{
    if (s->reason != SPOE_CLOSE_NONE)
        return s->reason;
    assert(!s->feeding && s->common->batched == 0);
    advance(s, now_ms);
    s->input_ms = s->now_ms;
    s->common->counters.bytes_in += n;
    s->feeding = true;

    struct spop_cursor c = spop_cursor(in, n);
    struct spoe_block *assembled = NULL;
    if (s->partial && complete_partial(s, &c)) {
        assembled = s->partial;
        s->partial = NULL;
    }
    if (!s->partial)
        while (take_next(s, &c))
            ;
    deliver(s);
    spoe_blocks_give(&s->common->frame_blocks, assembled);
    if (!s->partial)
        keep_rest(s, &c);
    s->feeding = false;
    return settle(s);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* True: the time has come. after_ms of 0: it never does. */
static bool is_due(const struct spoe_session *s, uint64_t since_ms, uint32_t after_ms)
{
    return after_ms > 0 && s->now_ms - since_ms >= after_ms;
}

enum spoe_close spoe_session_tick(struct spoe_session *s, uint64_t now_ms)
{
    if (s->reason != SPOE_CLOSE_NONE)
        return s->reason;
    const struct spoe_limits *limits = &s->common->limits;
    advance(s, now_ms);
    expire_calls(s);
    if (!s->greeted && is_due(s, s->opened_ms, limits->hello_ms))
        fail(s, SPOE_CLOSE_HELLO_TIMEOUT);
    if (s->out.unsent > 0 && is_due(s, s->output_ms, limits->stall_ms))
        fail(s, SPOE_CLOSE_NOT_READING);
    if (unanswered(s) == 0 && is_due(s, s->input_ms, limits->idle_ms))
        fail(s, SPOE_CLOSE_IDLE);
    return settle(s);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t spoe_session_wakeup(const struct spoe_session *s)
{
    const struct spoe_limits *limits = &s->common->limits;
    uint64_t at = UINT64_MAX;
    if (s->reason != SPOE_CLOSE_NONE)
        return at;
    if (s->calls.first)
        at = s->calls.first->deadline_ms;
    if (!s->greeted)
        at = earlier(at, s->opened_ms + limits->hello_ms);
    if (s->out.unsent > 0)
        at = earlier(at, s->output_ms + limits->stall_ms);
    if (unanswered(s) == 0 && limits->idle_ms > 0)
        at = earlier(at, s->input_ms + limits->idle_ms);
    return at;
}

size_t spoe_session_output(const struct spoe_session *s, struct spoe_bytes *pieces, size_t max)
{
    return spoe_out_pieces(&s->out, pieces, max);
}

void spoe_session_sent(struct spoe_session *s, size_t n, uint64_t now_ms)
{
    if (n == 0)
        return;
    advance(s, now_ms);
    s->output_ms = s->now_ms;
    s->common->counters.bytes_out += n;
    spoe_out_drop(&s->out, &s->common->out_blocks, n);
}

size_t spoe_session_unsent(const struct spoe_session *s)
{
    return s->out.unsent;
}
