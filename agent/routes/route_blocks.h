/* agent/routes/route_blocks.h - the route table's memory: blocks of one cache line, named by 32 bits, from chunks that
 * are never given back before the end. One size only, so that no pattern of use can leave memory that fits nobody.
 * Pure.
 *
 * A chunk is small against the limit, and at most 1 MiB, so that taking one is no pause. */
#ifndef CELLROUTER_AGENT_ROUTES_ROUTE_BLOCKS_H
#define CELLROUTER_AGENT_ROUTES_ROUTE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum { ROUTE_BLOCK_SIZE = 64 };

/* Embedded in the route table; its fields are for this file and the inline function below. */
struct route_blocks {
    char **chunks;
    uint32_t chunk_count; /* taken from malloc */
    uint32_t chunk_used;  /* the first of them are in use */
    uint32_t chunk_most;
    unsigned shift; /* a chunk has 1 << shift blocks */
    uint64_t bytes; /* taken from malloc, with what malloc itself needs */
    uint64_t limit;
    uint32_t bump, bump_end; /* blocks of the newest chunk that were never in use */
    uint32_t free_first;     /* a list through the free blocks; 0 ends it */
    uint64_t free_count;
};

/* limit: bytes for all chunks, and for what else is charged. False without memory. */
MUST_USE bool route_blocks_init(struct route_blocks *blocks, uint64_t limit);

/* Frees all chunks, with every block in them. */
void route_blocks_deinit(struct route_blocks *blocks);

/* Counts bytes that the owner took from malloc for itself against the limit. */
void route_blocks_charge(struct route_blocks *blocks, size_t bytes);

/* Every block is free again, at once. The chunks stay, for what comes next. */
void route_blocks_reset(struct route_blocks *blocks);

/* Are there n blocks to take? Takes a chunk when there are not and the limit allows. */
MUST_USE bool route_blocks_have(struct route_blocks *blocks, uint32_t n);

/* A block, not cleared. Only after route_blocks_have said yes for it. Never 0. */
uint32_t route_blocks_take(struct route_blocks *blocks);

/* The block, which was taken, is free for the next take. */
void route_blocks_give(struct route_blocks *blocks, uint32_t block);

/* A whole chunk of 1 << shift blocks in a row, not cleared, or NULL: no memory, or over the limit. */
void *route_blocks_take_chunk(struct route_blocks *blocks);

static inline void *route_block(const struct route_blocks *blocks, uint32_t block)
{
    uint32_t within = block & ((UINT32_C(1) << blocks->shift) - 1);
    return blocks->chunks[block >> blocks->shift] + (size_t)within * ROUTE_BLOCK_SIZE;
}

#endif
