/* spoe/hello.h - the key/value payloads that open and end a connection: HAPROXY-HELLO, AGENT-HELLO and both
 * DISCONNECTs. Pure; texts are views. Keys count only with their exact length, keys unknown here are skipped. Source:
 * HAProxy doc/SPOE.txt 3.2.4, 3.2.5, 3.2.8, 3.2.9. */
#ifndef CELLROUTER_SPOE_HELLO_H
#define CELLROUTER_SPOE_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/frame.h"

/* The next key and value of a list. False at the end, and when malformed: then list is bad. An empty key is
 * malformed. */
bool spop_next_pair(struct spop_cursor *list, struct text_view *key, struct spop_data *value);

struct spop_hello {
    bool version_2;      /* a version 2.x is among HAProxy's, or is the agent's */
    uint32_t frame_size; /* largest frame */
    bool pipelining, async, fragmentation;
    bool healthcheck;           /* HAProxy only */
    struct text_view engine_id; /* HAProxy only; may be empty */
};

/* Reads HAPROXY-HELLO. OK, or the status to answer with: INVALID, NO_VERSION, NO_FRAME_SIZE, NO_CAPABILITIES,
 * BAD_VERSION (no 2.x), BAD_FRAME_SIZE (less than 256). A frame size of more than 32 bits counts as UINT32_MAX. *hello
 * is set only when OK. */
MUST_USE enum spop_status spop_read_haproxy_hello(struct spop_cursor payload, struct spop_hello *hello);

/* Reads AGENT-HELLO, as HAProxy would; same answers. */
MUST_USE enum spop_status spop_read_agent_hello(struct spop_cursor payload, struct spop_hello *hello);

/* Whole frames. False when they do not fit w or are longer than max: then w is as before. */
MUST_USE bool spop_write_agent_hello(struct spop_writer *w, uint32_t frame_size, uint32_t max);
MUST_USE bool spop_write_haproxy_hello(struct spop_writer *w, const struct spop_hello *hello, uint32_t max);

/* AGENT_DISCONNECT or HAPROXY_DISCONNECT. text: HAProxy refuses more than 255 bytes. */
MUST_USE bool spop_write_disconnect(struct spop_writer *w, enum spop_frame_type type, enum spop_status status,
                                    struct text_view text, uint32_t max);

struct spop_disconnect {
    uint32_t status; /* UNKNOWN when it was missing or more than 32 bits */
    struct text_view text;
};

/* Reads either DISCONNECT. False when malformed. */
MUST_USE bool spop_read_disconnect(struct spop_cursor payload, struct spop_disconnect *disconnect);

#endif
