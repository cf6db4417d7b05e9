/* agent/routes/route_entry.h - how one route lies in memory: its block, its key, its place in a ring. What the facts
 * mean is agent/routes/route_table.c. Pure. */
#ifndef CELLROUTER_AGENT_ROUTES_ROUTE_ENTRY_H
#define CELLROUTER_AGENT_ROUTES_ROUTE_ENTRY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/route_blocks.h"

enum {
    ROUTE_KEY_FIRST = 28,   /* bytes of a key in a route's first block */
    ROUTE_KEY_MORE = 60,    /* in each further one */
    ROUTE_KEY_LIMIT = 4095, /* 12 bits of length */
};

struct route_entry {
    uint64_t stamp : 44; /* wall ms: until the year 2527 */
    uint64_t slot : 12;
    uint64_t pinned : 1;
    uint64_t from_store : 1;
    uint64_t used : 1; /* since the hand last passed */
    uint64_t asked : 1;
    uint32_t ends, due;  /* in ticks since the table's birth */
    uint32_t seen;       /* likewise: the tick in which it was last seen to be right, and 1; 0: not known */
    uint32_t next, last; /* blocks, in its ring */
    uint32_t generation : 20;
    uint32_t length : 12;
    uint32_t more; /* block in which the key goes on, 0: none */
    char key[ROUTE_KEY_FIRST];
};

static_assert(sizeof(struct route_entry) == ROUTE_BLOCK_SIZE, "a route is one block");

static inline struct route_entry *route_entry(const struct route_blocks *blocks, uint32_t block)
{
    return route_block(blocks, block);
}

/* Blocks of a route whose key has this length. */
static inline uint32_t route_entry_blocks(size_t length)
{
    size_t more = length <= ROUTE_KEY_FIRST ? 0 : (length - ROUTE_KEY_FIRST + ROUTE_KEY_MORE - 1) / ROUTE_KEY_MORE;
    return (uint32_t)(1 + more);
}

/* Fills key, length and more of an entry whose first block was taken; takes the further ones. */
void route_entry_set_key(struct route_blocks *blocks, struct route_entry *entry, const char *key, size_t length);

/* Copies the key to out, which has room for ROUTE_KEY_LIMIT bytes. Returns its length. */
size_t route_entry_key(const struct route_blocks *blocks, const struct route_entry *entry, char *out);

/* Whether the entry's key is exactly this one. */
bool route_entry_has_key(const struct route_blocks *blocks, const struct route_entry *entry, const char *key,
                         size_t length);

/* Gives all its blocks back. */
void route_entry_give(struct route_blocks *blocks, uint32_t block);

/* ---- rings: each is named by a hand, the block of one of its routes; 0: it is empty ----------------------------- */

/* Behind the hand: it comes by last. */
void route_ring_add(const struct route_blocks *blocks, uint32_t *hand, uint32_t block);

/* Takes out a block that is in this ring. When it is the hand, the next one is; 0 when it was the last. */
void route_ring_remove(const struct route_blocks *blocks, uint32_t *hand, uint32_t block);

/* All of *from behind the hand of *to; *from is empty then. */
void route_ring_join(const struct route_blocks *blocks, uint32_t *to, uint32_t *from);

#endif
