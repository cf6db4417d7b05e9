/* agent/config/config_index.c - an open-addressing hash with linear probing, FNV-1a over both texts of a key.
 * Source of the hash: http://www.isthe.com/chongo/tech/comp/fnv/, 64 bits. */
#include "agent/config/config_index.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct config_index_slot {
    struct config_index_key key; /* text NULL: free */
    uint64_t hash;
    size_t owner;
};

static uint64_t hash_text(uint64_t hash, const char *text, bool fold)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        hash = (hash ^ (uint64_t)(fold ? tolower(*c) : *c)) * UINT64_C(1099511628211);
    return (hash ^ 0xff) * UINT64_C(1099511628211); /* its end: "ab","c" is not "a","bc" */
}

static uint64_t hash_key(const struct config_index *index, struct config_index_key key)
{
    return hash_text(hash_text(UINT64_C(14695981039346656037), key.text, index->fold), key.more, index->fold);
}

static bool same(const struct config_index *index, struct config_index_key a, struct config_index_key b)
{
    if (index->fold)
        return strcasecmp(a.text, b.text) == 0 && strcasecmp(a.more, b.more) == 0;
    return strcmp(a.text, b.text) == 0 && strcmp(a.more, b.more) == 0;
}

/* The slot of this key, or the free one where it belongs. FNV's low bits alone are too even for short texts that
 * count up. */
static struct config_index_slot *slot_of(struct config_index *index, struct config_index_key key, uint64_t hash)
{
    size_t at = (size_t)(hash ^ hash >> 32) & (index->room - 1);
    for (;; at = (at + 1) & (index->room - 1)) {
        struct config_index_slot *slot = &index->slots[at];
        index->steps++;
        if (!slot->key.text || (slot->hash == hash && same(index, slot->key, key)))
            return slot;
    }
}

static int grow(struct config_index *index)
{
    struct config_index old = *index;
    index->room = old.room ? old.room * 2 : 64;
    index->slots = calloc(index->room, sizeof *index->slots);
    if (!index->slots) {
        *index = old;
        return -1;
    }
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].key.text)
            *slot_of(index, old.slots[i].key, old.slots[i].hash) = old.slots[i];
    free(old.slots);
    return 0;
}

int config_index_put(struct config_index *index, struct config_index_key key, size_t owner, size_t *earlierp)
{
    if (index->count * 2 >= index->room && grow(index) != 0)
        return -1;
    uint64_t hash = hash_key(index, key);
    struct config_index_slot *slot = slot_of(index, key, hash);
    *earlierp = slot->key.text ? slot->owner : CONFIG_INDEX_NEW;
    if (slot->key.text)
        return 0;
    *slot = (struct config_index_slot){.key = key, .hash = hash, .owner = owner};
    index->count++;
    return 0;
}

size_t config_index_find(struct config_index *index, struct config_index_key key)
{
    const struct config_index_slot *slot = index->room ? slot_of(index, key, hash_key(index, key)) : NULL;
    return slot && slot->key.text ? slot->owner : CONFIG_INDEX_NEW;
}

void config_index_deinit(struct config_index *index)
{
    free(index->slots);
    *index = (struct config_index){0};
}
