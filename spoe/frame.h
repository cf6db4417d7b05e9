/* spoe/frame.h - the envelope of SPOP frames, both directions: 4 bytes of length, type, flags, stream id, frame id,
 * payload. Pure. The key/value payloads of HELLO and DISCONNECT are spoe/hello.h's, messages and actions spoe/data.h's.
 * Source: HAProxy doc/SPOE.txt 3.2. */
#ifndef CELLROUTER_SPOE_FRAME_H
#define CELLROUTER_SPOE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/data.h"

/* The numbers are those of the wire. */
enum spop_frame_type {
    SPOP_UNSET = 0, /* the second and later pieces of a fragmented frame */
    SPOP_HAPROXY_HELLO = 1,
    SPOP_HAPROXY_DISCONNECT = 2,
    SPOP_NOTIFY = 3,
    SPOP_AGENT_HELLO = 101,
    SPOP_AGENT_DISCONNECT = 102,
    SPOP_ACK = 103
};

enum { SPOP_FLAG_FIN = 1, SPOP_FLAG_ABORT = 2 };

/* Status codes of DISCONNECT frames, 3.5. */
enum spop_status {
    SPOP_STATUS_OK = 0,
    SPOP_STATUS_IO = 1,
    SPOP_STATUS_TIMEOUT = 2,
    SPOP_STATUS_TOO_BIG = 3,
    SPOP_STATUS_INVALID = 4,
    SPOP_STATUS_NO_VERSION = 5,
    SPOP_STATUS_NO_FRAME_SIZE = 6,
    SPOP_STATUS_NO_CAPABILITIES = 7,
    SPOP_STATUS_BAD_VERSION = 8,
    SPOP_STATUS_BAD_FRAME_SIZE = 9,
    SPOP_STATUS_FRAGMENTED = 10,
    SPOP_STATUS_INTERLACED = 11,
    SPOP_STATUS_FRAME_ID = 12,
    SPOP_STATUS_MEMORY = 13,
    SPOP_STATUS_UNKNOWN = 99
};

enum {
    SPOP_LENGTH_SIZE = 4,
    SPOP_FRAME_MIN = 7,       /* type, flags, two ids of one byte */
    SPOP_FRAME_SIZE_MIN = 256 /* no peer may ask for smaller frames, 3.2 */
};

/* All of a frame but its payload, at most. */
enum { SPOP_ENVELOPE_MAX = SPOP_LENGTH_SIZE + 5 + 2 * SPOP_VARINT_MAX };

struct spop_frame {
    enum spop_frame_type type; /* may be a number that has no name here */
    uint32_t flags;
    uint64_t stream_id, frame_id;
    struct spop_cursor payload; /* view */
};

enum spop_framing {
    SPOP_FRAMING_OK,
    SPOP_FRAMING_SHORT,   /* the frame is not complete yet; nothing was taken */
    SPOP_FRAMING_TOO_BIG, /* longer than max */
    SPOP_FRAMING_BAD      /* it does not parse */
};

/* Takes one frame from the front of in; max bounds its length, the 4 bytes in front excluded. *frame is set only when
 * OK. */
MUST_USE enum spop_framing spop_next_frame(struct spop_cursor *in, uint32_t max, struct spop_frame *frame);

/* Begins an unfragmented frame; what is written between begin and end is its payload. Returns what end wants. */
size_t spop_begin_frame(struct spop_writer *w, enum spop_frame_type type, uint64_t stream_id, uint64_t frame_id);

/* Writes the length. False when w is full or the frame longer than max: then w is as it was before the frame, and not
 * full. */
MUST_USE bool spop_end_frame(struct spop_writer *w, size_t begin, uint32_t max);

/* A whole ACK. False as spop_end_frame. */
MUST_USE bool spop_write_ack(struct spop_writer *w, uint64_t stream_id, uint64_t frame_id,
                             const struct spop_action *actions, size_t n, uint32_t max);

#endif
