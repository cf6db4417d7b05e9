/* spoe/session.h - one SPOP connection without its socket: bytes in, events and bytes out. Handshake, health checks,
 * pipelined NOTIFYs in batches, ACKs in any order, limits, deadlines and draining. No socket, loop or clock: now_ms is
 * monotonic and the caller's. Sessions that share a spoe_common run on one thread.
 * Source: HAProxy doc/SPOE.txt 3.2, src/flt_spoe.c (2.6), src/mux_spop.c (3.1 and later). */
#ifndef CELLROUTER_SPOE_SESSION_H
#define CELLROUTER_SPOE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/close.h"
#include "spoe/data.h"

struct spoe_session;

/* A NOTIFY that waits for its ACK. Valid until spoe_call_ack or on_cancel, whichever comes first; one of them always
 * does. */
struct spoe_call;

struct spoe_notify {
    struct spoe_call *call;
    uint64_t connection;           /* number of the connection, for logs */
    uint64_t stream_id, frame_id;  /* HAProxy's; they repeat across connections and may be 0 */
    struct spop_messages messages; /* views into bytes that stay only during on_notify */
};

enum spoe_cancel {
    SPOE_CANCEL_DEADLINE, /* too late: the "unknown" actions were sent as its ACK */
    SPOE_CANCEL_CLOSED    /* its connection ended: there is nobody to answer */
};

struct spoe_handler {
    void *user;

    /* All complete NOTIFYs of one read, at most SPOE_BATCH_MAX at a time, in order. Each call is answered exactly once,
     * now or later, in any order. Other functions of spoe/ than those of calls and messages, and spoe_server_drain, are
     * not for use in here. */
    void (*on_notify)(void *user, struct spoe_notify *batch, size_t n);

    /* Nobody waits for this call any more: forget the handle before returning. Comes at most once for a call, never
     * after its ACK, and never from within spoe_call_ack. Other calls may be answered here. */
    void (*on_cancel)(void *user, struct spoe_call *call, enum spoe_cancel why);

    /* What is answered when the agent cannot: deadline, overload, an answer that HAProxy would not take. At least one,
     * valid, encoded within SPOE_UNKNOWN_MAX bytes. Copied. */
    const struct spop_action *unknown;
    size_t unknown_count;
};

enum { SPOE_BATCH_MAX = 128, SPOE_UNKNOWN_MAX = 200 };

/* What bounds one session, and with max_extra all of them. 0 takes the default in brackets. */
struct spoe_limits {
    uint32_t max_frame;     /* bytes without the length in front [16380: HAProxy's default]; 256 .. 1 MiB */
    uint32_t max_calls;     /* unanswered NOTIFYs; more are answered "unknown" at once [100] */
    uint32_t deadline_ms;   /* of one NOTIFY [30] */
    uint32_t hello_ms;      /* from connect to HELLO [5000] */
    uint32_t idle_ms;       /* nothing arrives and nothing is waiting [never] */
    uint32_t stall_ms;      /* bytes for HAProxy are waiting and it takes none [10000] */
    uint32_t max_unsent;    /* bytes waiting for HAProxy to read [262144] */
    uint32_t max_extra;     /* bytes of such output of all sessions together, beyond the first 16 KiB of each [8 MiB] */
    uint32_t prefix_length; /* of HAProxy's var-prefix, to check the length of names [1] */
};

/* Counters of all sessions of one spoe_common. They only grow, but for *_now. */
struct spoe_counters {
    uint64_t sessions_now, calls_now;
    uint64_t frames_in, frames_out, bytes_in, bytes_out;
    uint64_t notifies, acks;     /* every NOTIFY gets one ACK unless its connection ends first */
    uint64_t batches;            /* on_notify was called */
    uint64_t overloads;          /* NOTIFYs answered "unknown" at once: too many, draining, no memory */
    uint64_t timeouts;           /* NOTIFYs answered "unknown" at their deadline */
    uint64_t cancelled;          /* NOTIFYs whose connection ended first */
    uint64_t bad_acks;           /* ACKs that HAProxy would not take: "unknown" was sent instead */
    uint64_t late_acks;          /* ACKs of calls that were acknowledged or cancelled before: ignored */
    uint64_t healthchecks;       /* answered */
    uint64_t healthchecks_drain; /* refused */
    uint64_t unknown_frames;     /* skipped */
    uint64_t closes[SPOE_CLOSE_COUNT];
};

/* What all sessions of one server share: limits, handler, counters, memory. */
struct spoe_common;

/* on_output: a session has bytes to send or must be looked at, outside of feed, tick, finish and close; owner is the
 * session's. May be NULL. Returns NULL when memory is short, limits are out of range, or handler is not usable. */
MUST_USE struct spoe_common *spoe_common_new(const struct spoe_limits *limits, const struct spoe_handler *handler,
                                             void (*on_output)(void *owner));

/* All sessions must be freed before. NULL is allowed. */
void spoe_common_free(struct spoe_common *common);

/* From now on health checks fail. */
void spoe_common_refuse_checks(struct spoe_common *common);

/* A view that stays good and current until spoe_common_free. */
const struct spoe_counters *spoe_common_counters(const struct spoe_common *common);

/* The limits in use, with defaults filled in. A view, good until spoe_common_free. */
const struct spoe_limits *spoe_common_limits(const struct spoe_common *common);

/* For tests of the paths without memory: allocate replaces malloc. */
void spoe_common_set_allocator(struct spoe_common *common, void *(*allocate)(size_t size));

/* NULL: out of memory. */
MUST_USE struct spoe_session *spoe_session_new(struct spoe_common *common, void *owner, uint64_t connection,
                                               uint64_t now_ms);

/* Closes it with SPOE_CLOSE_CUT when it is not closed. NULL is allowed. Not from within a handler. */
void spoe_session_free(struct spoe_session *s);

/* Takes n bytes that arrived at now_ms; keeps no pointer into in. Returns SPOE_CLOSE_NONE, or why the connection must
 * close; from then on every call returns that same reason. What spoe_session_output gives must still be sent then. */
MUST_USE enum spoe_close spoe_session_feed(struct spoe_session *s, const uint8_t *in, size_t n, uint64_t now_ms);

/* Does what the time, or answers since the last call, made due. Call it at spoe_session_wakeup and after on_output. */
MUST_USE enum spoe_close spoe_session_tick(struct spoe_session *s, uint64_t now_ms);

/* When spoe_session_tick is due next; UINT64_MAX: never. */
uint64_t spoe_session_wakeup(const struct spoe_session *s);

/* Ends with SPOE_CLOSE_DRAINED as soon as no call is unanswered; NOTIFYs that arrive meanwhile are answered
 * "unknown". */
MUST_USE enum spoe_close spoe_session_finish(struct spoe_session *s);

/* Ends it at once: every unanswered call is cancelled, AGENT-DISCONNECT is added to the output unless the reason is
 * silent. Returns the reason that stands, which is the first. */
enum spoe_close spoe_session_close(struct spoe_session *s, enum spoe_close reason);

/* SPOE_CLOSE_NONE while it lives. */
enum spoe_close spoe_session_reason(const struct spoe_session *s);

/* The status that HAPROXY-DISCONNECT carried; 0 when there was none. */
uint32_t spoe_session_peer_status(const struct spoe_session *s);

struct spoe_bytes {
    const uint8_t *at;
    size_t length;
};

/* Fills at most max pieces of what is to be sent, in order; valid until the next call for this session. Returns their
 * count. */
size_t spoe_session_output(const struct spoe_session *s, struct spoe_bytes *pieces, size_t max);

/* n of these bytes were sent. */
void spoe_session_sent(struct spoe_session *s, size_t n, uint64_t now_ms);

/* Bytes waiting to be sent. */
size_t spoe_session_unsent(const struct spoe_session *s);

/* Answers a call: exactly once, from anywhere but on_cancel of that same call. Actions that HAProxy would not take (see
 * spop_actions_are_valid, or too large), and n = 0, are replaced by the "unknown" actions and counted. Actions are
 * copied. The call is invalid afterwards; a handle that is answered again before its memory serves another call is
 * ignored. */
void spoe_call_ack(struct spoe_call *call, const struct spop_action *actions, size_t n);

/* Actions that were checked and encoded once, for many ACKs. An open value without pointers, the user's to keep and to
 * copy; its fields are spoe/'s. All zeros is one of no actions, which no ACK can have. */
enum { SPOE_PREPARED_MAX = 94 };
struct spoe_prepared {
    uint8_t prefix_max; /* the longest var-prefix with which HAProxy takes every name */
    uint8_t length;
    uint8_t bytes[SPOE_PREPARED_MAX];
};

/* Encodes actions, which are not needed afterwards. False, and all zeros: HAProxy would not take them (see
 * spop_actions_are_valid), or they need more than SPOE_PREPARED_MAX bytes. */
MUST_USE bool spoe_prepare(struct spoe_prepared *prepared, const struct spop_action *actions, size_t n);

/* As spoe_call_ack, in a fraction of its time. When nothing was prepared, or the names are too long together with
 * limits.prefix_length, the "unknown" actions are sent and counted. Nothing of prepared is kept. */
void spoe_call_ack_prepared(struct spoe_call *call, const struct spoe_prepared *prepared);

/* A pointer of the user's, NULL at first. */
void spoe_call_set_user(struct spoe_call *call, void *user);
void *spoe_call_user(const struct spoe_call *call);

/* Takes the deadline off a call that is to be answered late on purpose, once, from on_notify on. It no longer counts
 * against max_calls, and neither idle_ms nor the end of a drain ends its connection before the answer: how many there
 * are, and for how long, is for the user to bound. */
void spoe_call_hold(struct spoe_call *call);
bool spoe_call_is_held(const struct spoe_call *call);

/* When its deadline is; of the clock that feed got. Not of a call that is held. */
uint64_t spoe_call_deadline_ms(const struct spoe_call *call);

#endif
