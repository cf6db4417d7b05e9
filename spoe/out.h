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
    size_t extra, extra_max; /* blocks in use beyond the first of each chain: how many, and how many there may be */
    void *(*allocate)(size_t size);
    struct spoe_block *spare;
    unsigned spare_count;
};

/* An empty pool of blocks with room for size bytes each, from malloc, and no bound on their number; allocate and
 * extra_max may be set before the first take. */
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
    size_t blocks;
    size_t unsent;
};

/* Whether n more bytes are within what this chain may hold. Its first block is always its own. All others share
 * extra_max blocks: the more of them are in use, the fewer one chain may have, down to none. So chains that nobody
 * empties end with equal shares, and one that is emptied still finds room. Source: A. Choudhury, E. Hahne, "Dynamic
 * Queue Length Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking 6(2), 1998. */
MUST_USE bool spoe_out_has_share(const struct spoe_out *out, const struct spoe_blocks *pool, size_t n);

/* The same, quicker in the usual case that the last block has the room. */
static inline bool spoe_out_may_take(const struct spoe_out *out, const struct spoe_blocks *pool, size_t n)
{
    return (out->last && pool->size - out->last->used >= n) || spoe_out_has_share(out, pool, n);
}

/* All n bytes or, when memory is short, none. Does not ask for the share. */
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
