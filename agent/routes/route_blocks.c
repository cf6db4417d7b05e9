/* agent/routes/route_blocks.c - chunks out of malloc, cut into blocks: first those of the newest chunk that were never
 * in use, which costs no touch of memory, and a list through those that were given back. */
#include "agent/routes/route_blocks.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_LEAST = 4096,
    CHUNK_MOST = 1 << 20,
    CHUNKS = 1024,                     /* that a limit is divided into, within these two */
    MALLOC_HEADER = 16,                /* glibc: of each allocation */
    CHUNK_HEADER = 64 + MALLOC_HEADER, /* and an aligned one may lose up to its alignment */
};

static size_t chunk_bytes(const struct route_blocks *blocks)
{
    return (size_t)ROUTE_BLOCK_SIZE << blocks->shift;
}

bool route_blocks_init(struct route_blocks *blocks, uint64_t limit)
{
    *blocks = (struct route_blocks){.limit = limit, .shift = 6};
    while (chunk_bytes(blocks) < CHUNK_MOST && chunk_bytes(blocks) < limit / CHUNKS)
        blocks->shift++;
    uint64_t most = limit / chunk_bytes(blocks);
    uint64_t named = UINT64_C(1) << (32 - blocks->shift); /* blocks have 32-bit names */
    blocks->chunk_most = (uint32_t)(most < named ? most : named - 1);
    blocks->chunks = calloc(blocks->chunk_most + 1U, sizeof *blocks->chunks);
    if (!blocks->chunks)
        return false;
    route_blocks_charge(blocks, (blocks->chunk_most + 1U) * sizeof *blocks->chunks);
    return true;
}

void route_blocks_charge(struct route_blocks *blocks, size_t bytes)
{
    blocks->bytes += bytes + MALLOC_HEADER;
}

void route_blocks_reset(struct route_blocks *blocks)
{
    blocks->chunk_used = 0;
    blocks->bump = blocks->bump_end = blocks->free_first = 0;
    blocks->free_count = 0;
}

void route_blocks_deinit(struct route_blocks *blocks)
{
    for (uint32_t i = 0; i < blocks->chunk_count; i++)
        free(blocks->chunks[i]);
    free(blocks->chunks);
    *blocks = (struct route_blocks){0};
}

static bool add_chunk(struct route_blocks *blocks)
{
    size_t bytes = chunk_bytes(blocks);
    if (blocks->chunk_count == blocks->chunk_most || blocks->bytes + bytes + CHUNK_HEADER > blocks->limit)
        return false;
    char *chunk = aligned_alloc(ROUTE_BLOCK_SIZE, bytes);
    if (!chunk)
        return false;
    blocks->chunks[blocks->chunk_count++] = chunk;
    blocks->bytes += bytes + CHUNK_HEADER;
    return true;
}

void *route_blocks_take_chunk(struct route_blocks *blocks)
{
    if (blocks->chunk_used == blocks->chunk_count && !add_chunk(blocks))
        return NULL;
    return blocks->chunks[blocks->chunk_used++];
}

/* The rest of the newest chunk goes to the free list: a few blocks, since more than that would have been enough. */
static void keep_rest(struct route_blocks *blocks)
{
    while (blocks->bump < blocks->bump_end)
        route_blocks_give(blocks, blocks->bump++);
}

bool route_blocks_have(struct route_blocks *blocks, uint32_t n)
{
    while (blocks->free_count + (blocks->bump_end - blocks->bump) < n) {
        if (!route_blocks_take_chunk(blocks))
            return false;
        keep_rest(blocks);
        blocks->bump = (blocks->chunk_used - 1) << blocks->shift;
        blocks->bump_end = blocks->bump + (UINT32_C(1) << blocks->shift);
        blocks->bump += blocks->bump == 0; /* 0 is no block */
    }
    return true;
}

uint32_t route_blocks_take(struct route_blocks *blocks)
{
    uint32_t block = blocks->free_first;
    if (block == 0)
        return blocks->bump++;
    memcpy(&blocks->free_first, route_block(blocks, block), sizeof blocks->free_first);
    blocks->free_count--;
    return block;
}

void route_blocks_give(struct route_blocks *blocks, uint32_t block)
{
    memcpy(route_block(blocks, block), &blocks->free_first, sizeof blocks->free_first);
    blocks->free_first = block;
    blocks->free_count++;
}
