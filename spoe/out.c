/* spoe/out.c - the chain of blocks and the pool that they come from. Blocks are filled in order and given back as they
 * are sent; a chain whose last byte was sent holds none. */
#include "spoe/out.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Spare blocks kept for the next wake-ups. HAProxy 3.2 opens about one connection a concurrent request: 64 clients, 64
 * blocks of 16 KiB at the worst. Nobody tuned it further. */
enum { SPARE_MAX = 64 };

/* A chain may have one in so many of the extra blocks that are left. Alone it gets a fifth of them, and n chains leave
 * 4 / (n + 4) of them free. */
enum { SHARE = 4 };

void spoe_blocks_init(struct spoe_blocks *pool, size_t size)
{
    *pool = (struct spoe_blocks){.size = size, .extra_max = SIZE_MAX, .allocate = malloc};
}

void spoe_blocks_deinit(struct spoe_blocks *pool)
{
    while (pool->spare) {
        struct spoe_block *block = pool->spare;
        pool->spare = block->next;
        free(block);
    }
    pool->spare_count = 0;
}

struct spoe_block *spoe_blocks_take(struct spoe_blocks *pool)
{
    struct spoe_block *block = pool->spare;
    if (block) {
        pool->spare = block->next;
        pool->spare_count--;
    } else {
        block = pool->allocate(sizeof *block + pool->size);
        if (!block)
            return NULL;
    }
    block->next = NULL;
    block->used = block->sent = 0;
    return block;
}

void spoe_blocks_give(struct spoe_blocks *pool, struct spoe_block *block)
{
    if (!block)
        return;
    if (pool->spare_count == SPARE_MAX) {
        free(block);
        return;
    }
    block->next = pool->spare;
    pool->spare = block;
    pool->spare_count++;
}

static void give_chain(struct spoe_blocks *pool, struct spoe_block *chain)
{
    while (chain) {
        struct spoe_block *next = chain->next;
        spoe_blocks_give(pool, chain);
        chain = next;
    }
}

static size_t extra_of(size_t blocks)
{
    return blocks > 0 ? blocks - 1 : 0;
}

static void set_blocks(struct spoe_out *out, struct spoe_blocks *pool, size_t blocks)
{
    pool->extra = pool->extra + extra_of(blocks) - extra_of(out->blocks);
    out->blocks = blocks;
}

/* Blocks that n more bytes would need. */
static size_t blocks_for(const struct spoe_out *out, const struct spoe_blocks *pool, size_t n)
{
    size_t room = out->last ? pool->size - out->last->used : 0;
    return n > room ? (n - room + pool->size - 1) / pool->size : 0;
}

bool spoe_out_has_share(const struct spoe_out *out, const struct spoe_blocks *pool, size_t n)
{
    size_t more = blocks_for(out, pool, n), extra = extra_of(out->blocks + more);
    size_t left = pool->extra < pool->extra_max ? pool->extra_max - pool->extra : 0;
    return more == 0 || extra <= left / SHARE;
}

/* Empty blocks with room for n bytes, or NULL. n is more than 0. */
static struct spoe_block *take_chain(struct spoe_blocks *pool, size_t n)
{
    struct spoe_block *chain = NULL;
    for (size_t room = 0; room < n; room += pool->size) {
        struct spoe_block *block = spoe_blocks_take(pool);
        if (!block) {
            give_chain(pool, chain);
            return NULL;
        }
        block->next = chain;
        chain = block;
    }
    return chain;
}

bool spoe_out_append(struct spoe_out *out, struct spoe_blocks *pool, const uint8_t *bytes, size_t n)
{
    size_t room = out->last ? pool->size - out->last->used : 0;
    if (n > room) {
        struct spoe_block *chain = take_chain(pool, n - room);
        if (!chain)
            return false;
        set_blocks(out, pool, out->blocks + blocks_for(out, pool, n));
        if (out->last)
            out->last->next = chain;
        else
            out->first = chain;
        if (!out->last)
            out->last = chain;
    }
    out->unsent += n;
    while (n > 0) {
        if (out->last->used == pool->size)
            out->last = out->last->next;
        size_t left = pool->size - out->last->used;
        size_t piece = n < left ? n : left;
        memcpy(out->last->bytes + out->last->used, bytes, piece);
        out->last->used += piece;
        bytes += piece;
        n -= piece;
    }
    return true;
}

size_t spoe_out_pieces(const struct spoe_out *out, struct spoe_bytes *pieces, size_t max)
{
    size_t n = 0;
    for (const struct spoe_block *block = out->first; block && n < max; block = block->next)
        pieces[n++] = (struct spoe_bytes){.at = block->bytes + block->sent, .length = block->used - block->sent};
    return n;
}

void spoe_out_drop(struct spoe_out *out, struct spoe_blocks *pool, size_t n)
{
    assert(n <= out->unsent);
    out->unsent -= n;
    while (out->first) {
        struct spoe_block *block = out->first;
        size_t piece = block->used - block->sent;
        if (n < piece) {
            block->sent += n;
            return;
        }
        n -= piece;
        out->first = block->next;
        set_blocks(out, pool, out->blocks - 1);
        spoe_blocks_give(pool, block);
    }
    out->last = NULL;
}
