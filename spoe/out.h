/* spoe/out.h - bytes that wait to be sent: a chain of blocks out of a pool, so that an idle connection holds none and a
 * busy one allocates nothing. Private to spoe/. */
#ifndef CELLROUTER_SPOE_OUT_H
#define CELLROUTER_SPOE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/session.h"

struct spoe_block {
    struct spoe_block *next;
    size_t used, sent;
    uint8_t bytes[]; /* as many as its pool says */
};

/* Blocks of one size. Some of those given back are kept. */
struct spoe_blocks {
    size_t size;
    void *(*allocate)(size_t size);
    struct spoe_block *spare;
    unsigned spare_count;
};

/* An empty pool of blocks with room for size bytes each, from malloc; allocate may be replaced before the first
 * take. */
void spoe_blocks_init(struct spoe_blocks *pool, size_t size);

/* Frees the spare blocks. Those in use must have been given back. */
void spoe_blocks_deinit(struct spoe_blocks *pool);

/* An empty block; NULL: out of memory. */
MUST_USE struct spoe_block *spoe_blocks_take(struct spoe_blocks *pool);

/* Takes a block back: it is kept for the next take, or freed when enough are kept. NULL is allowed. */
void spoe_blocks_give(struct spoe_blocks *pool, struct spoe_block *block);

/* All zeros is an empty one. */
struct spoe_out {
    struct spoe_block *first, *last;
    size_t unsent;
};

/* All n bytes or, when memory is short, none. */
MUST_USE bool spoe_out_append(struct spoe_out *out, struct spoe_blocks *pool, const uint8_t *bytes, size_t n);

/* Where n bytes may be written before spoe_out_took adds up to n of them; NULL: there is no such place, spoe_out_append
 * finds one. Good until the next call for this out. */
static inline uint8_t *spoe_out_room(const struct spoe_out *out, const struct spoe_blocks *pool, size_t n)
{
    return out->last && pool->size - out->last->used >= n ? out->last->bytes + out->last->used : NULL;
}

static inline void spoe_out_took(struct spoe_out *out, size_t n)
{
    out->last->used += n;
    out->unsent += n;
}

/* As spoe_session_output. */
size_t spoe_out_pieces(const struct spoe_out *out, struct spoe_bytes *pieces, size_t max);

/* Forgets the first n bytes. n is at most out->unsent. */
void spoe_out_drop(struct spoe_out *out, struct spoe_blocks *pool, size_t n);

#endif
