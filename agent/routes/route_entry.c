/* agent/routes/route_entry.c - a key over its blocks, and rings of entries: doubly linked, named by one of their
 * own. */
#include "agent/routes/route_entry.h"

#include <string.h>

struct more {
    uint32_t more;
    char key[ROUTE_KEY_MORE];
};

static_assert(sizeof(struct more) == ROUTE_BLOCK_SIZE, "more of a key is one block");

static size_t part_length(size_t left)
{
    return left < ROUTE_KEY_MORE ? left : ROUTE_KEY_MORE;
}

static size_t first_length(size_t length)
{
    return length < ROUTE_KEY_FIRST ? length : ROUTE_KEY_FIRST;
}

void route_entry_set_key(struct route_blocks *blocks, struct route_entry *entry, const char *key, size_t length)
{
    entry->length = length & ROUTE_KEY_LIMIT;
    entry->more = 0;
    memcpy(entry->key, key, first_length(length));
    uint32_t *link = &entry->more;
    for (size_t at = ROUTE_KEY_FIRST; at < length; at += ROUTE_KEY_MORE) {
        *link = route_blocks_take(blocks);
        struct more *part = route_block(blocks, *link);
        part->more = 0;
        memcpy(part->key, key + at, part_length(length - at));
        link = &part->more;
    }
}

size_t route_entry_key(const struct route_blocks *blocks, const struct route_entry *entry, char *out)
{
    size_t length = entry->length;
    memcpy(out, entry->key, first_length(length));
    uint32_t more = entry->more;
    for (size_t at = ROUTE_KEY_FIRST; at < length; at += ROUTE_KEY_MORE) {
        const struct more *part = route_block(blocks, more);
        memcpy(out + at, part->key, part_length(length - at));
        more = part->more;
    }
    return length;
}

bool route_entry_has_key(const struct route_blocks *blocks, const struct route_entry *entry, const char *key,
                         size_t length)
{
    if (entry->length != length || memcmp(entry->key, key, first_length(length)) != 0)
        return false;
    uint32_t more = entry->more;
    for (size_t at = ROUTE_KEY_FIRST; at < length; at += ROUTE_KEY_MORE) {
        const struct more *part = route_block(blocks, more);
        if (memcmp(part->key, key + at, part_length(length - at)) != 0)
            return false;
        more = part->more;
    }
    return true;
}

void route_entry_give(struct route_blocks *blocks, uint32_t block)
{
    for (uint32_t more = route_entry(blocks, block)->more; more != 0;) {
        uint32_t next = ((struct more *)route_block(blocks, more))->more;
        route_blocks_give(blocks, more);
        more = next;
    }
    route_blocks_give(blocks, block);
}

void route_ring_add(const struct route_blocks *blocks, uint32_t *hand, uint32_t block)
{
    struct route_entry *entry = route_entry(blocks, block);
    if (*hand == 0) {
        entry->next = entry->last = *hand = block;
        return;
    }
    struct route_entry *first = route_entry(blocks, *hand);
    entry->next = *hand;
    entry->last = first->last;
    route_entry(blocks, first->last)->next = block;
    first->last = block;
}

void route_ring_remove(const struct route_blocks *blocks, uint32_t *hand, uint32_t block)
{
    struct route_entry *entry = route_entry(blocks, block);
    if (*hand == block)
        *hand = entry->next == block ? 0 : entry->next;
    route_entry(blocks, entry->last)->next = entry->next;
    route_entry(blocks, entry->next)->last = entry->last;
}

void route_ring_join(const struct route_blocks *blocks, uint32_t *to, uint32_t *from)
{
    if (*from != 0 && *to != 0) {
        struct route_entry *a = route_entry(blocks, *to), *b = route_entry(blocks, *from);
        uint32_t a_last = a->last, b_last = b->last;
        route_entry(blocks, a_last)->next = *from;
        b->last = a_last;
        route_entry(blocks, b_last)->next = *to;
        a->last = b_last;
    } else if (*from != 0) {
        *to = *from;
    }
    *from = 0;
}
