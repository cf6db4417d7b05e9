/* spoe/common.c - what all sessions of one server share; see spoe/session.h. */
#include "spoe/common.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "spoe/frame.h"

enum {
    OUT_BLOCK = 16384 - (int)sizeof(struct spoe_block),
    FRAME_SIZE_MAX = 1 << 20 /* HAProxy's tune.bufsize has no such limit; memory a connection has */
};

static void take_default(uint32_t *limit, uint32_t value)
{
    if (*limit == 0)
        *limit = value;
}

static void fill_defaults(struct spoe_limits *limits)
{
    take_default(&limits->max_frame, 16380);
    take_default(&limits->max_calls, 100);
    take_default(&limits->deadline_ms, 30);
    take_default(&limits->hello_ms, 5000);
    take_default(&limits->stall_ms, 10000);
    take_default(&limits->max_unsent, 262144);
    take_default(&limits->max_extra, 8 << 20);
    take_default(&limits->prefix_length, 1);
}

static bool limits_are_valid(const struct spoe_limits *limits)
{
    return limits->max_frame >= SPOP_FRAME_SIZE_MIN && limits->max_frame <= FRAME_SIZE_MAX &&
           limits->max_unsent >= SPOP_FRAME_SIZE_MIN && limits->prefix_length < SPOP_NAME_MAX;
}

static bool encode_unknown(struct spoe_common *common, const struct spoe_handler *handler)
{
    if (!spop_actions_are_valid(handler->unknown, handler->unknown_count, common->limits.prefix_length))
        return false;
    struct spop_writer w = spop_writer(common->unknown, sizeof common->unknown);
    spop_write_actions(&w, handler->unknown, handler->unknown_count);
    common->unknown_length = w.used;
    return !w.full;
}

struct spoe_common *spoe_common_new(const struct spoe_limits *limits, const struct spoe_handler *handler,
                                    void (*on_output)(void *owner))
{
    struct spoe_limits filled = *limits;
    fill_defaults(&filled);
    if (!limits_are_valid(&filled) || !handler->on_notify || !handler->on_cancel)
        return NULL;
    struct spoe_common *common = calloc(1, sizeof *common + SPOP_LENGTH_SIZE + filled.max_frame);
    if (!common)
        return NULL;
    common->limits = filled;
    common->handler = *handler;
    common->on_output = on_output;
    common->allocate = malloc;
    spoe_calls_init(&common->calls);
    spoe_blocks_init(&common->out_blocks, OUT_BLOCK);
    common->out_blocks.extra_max = filled.max_extra / OUT_BLOCK;
    spoe_blocks_init(&common->frame_blocks, SPOP_LENGTH_SIZE + filled.max_frame);
    if (!encode_unknown(common, handler)) {
        free(common);
        return NULL;
    }
    common->handler.unknown = NULL; /* the caller's; the encoded copy is used */
    return common;
}

void spoe_common_free(struct spoe_common *common)
{
    if (!common)
        return;
    assert(common->counters.sessions_now == 0);
    spoe_calls_deinit(&common->calls);
    spoe_blocks_deinit(&common->out_blocks);
    spoe_blocks_deinit(&common->frame_blocks);
    free(common);
}

void spoe_common_refuse_checks(struct spoe_common *common)
{
    common->refuse_checks = true;
}

const struct spoe_counters *spoe_common_counters(const struct spoe_common *common)
{
    return &common->counters;
}

const struct spoe_limits *spoe_common_limits(const struct spoe_common *common)
{
    return &common->limits;
}

void spoe_common_set_allocator(struct spoe_common *common, void *(*allocate)(size_t size))
{
    common->allocate = common->calls.allocate = allocate;
    common->out_blocks.allocate = common->frame_blocks.allocate = allocate;
}
