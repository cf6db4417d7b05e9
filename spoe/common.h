/* spoe/common.h - what spoe/session.c and spoe/common.c know of struct spoe_common. Private to spoe/. */
#ifndef CELLROUTER_SPOE_COMMON_H
#define CELLROUTER_SPOE_COMMON_H

#include "spoe/call.h"
#include "spoe/out.h"
#include "spoe/session.h"

struct spoe_common {
    struct spoe_limits limits;
    struct spoe_handler handler;
    void (*on_output)(void *owner);
    void *(*allocate)(size_t size);
    bool refuse_checks;
    struct spoe_counters counters;

    struct spoe_calls calls;
    struct spoe_blocks out_blocks;
    struct spoe_blocks frame_blocks; /* room for one frame each: of those that arrive in pieces */

    uint8_t unknown[SPOE_UNKNOWN_MAX]; /* the encoded "unknown" actions */
    size_t unknown_length;

    struct spoe_notify batch[SPOE_BATCH_MAX];
    size_t batched;

    uint8_t scratch[]; /* room for one frame */
};

#endif
