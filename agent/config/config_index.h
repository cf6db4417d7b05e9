/* agent/config/config_index.h - which texts of a configuration were there before, and where: so that thousands of
 * ids, names and servers are checked in one pass. Pure. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_INDEX_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

/* A key: two texts, of which the second may be "". They are not copied and must outlive the index. */
struct config_index_key {
    const char *text, *more;
};

/* An open hash over such keys. All zero is an empty one. It has no seed: who writes the file wants to start. */
struct config_index {
    struct config_index_slot *slots; /* a power of two; at most half of them are in use */
    size_t count, room;
    bool fold;      /* ASCII letters compare without regard to case; to be set before the first key */
    uint64_t steps; /* slots looked at until now: what the tests hold against the number of keys */
};

enum { CONFIG_INDEX_NEW = SIZE_MAX >> 1 }; /* greater than any owner */

/* The owner of this key; when it has none, it is owner from now on, and *earlierp is CONFIG_INDEX_NEW. Returns 0, or
 * -1 without memory: then nothing is said about the key. owner is the caller's number. */
MUST_USE int config_index_put(struct config_index *index, struct config_index_key key, size_t owner, size_t *earlierp);

/* The owner of this key, or CONFIG_INDEX_NEW. */
size_t config_index_find(struct config_index *index, struct config_index_key key);

/* Frees what it holds and leaves it all zero. The texts are the caller's. */
void config_index_deinit(struct config_index *index);

#endif
