/* agent/level0/hot_map_private.h - the inside of a hot map. Only hot_map.c and hot_map_targets.c may include it.
 *
 * hot_map.c decides what should stand in HAProxy's map. It owns entries, slots, heap and the writing of the journal,
 * and knows of targets only that all of them may be lost at once (hot_map_lost). hot_map_targets.c decides what each
 * target has to be told. It owns targets[], reads journal and entries, and writes of an entry the bits seen and doomed
 * alone. */
#ifndef CELLROUTER_AGENT_LEVEL0_HOT_MAP_PRIVATE_H
#define CELLROUTER_AGENT_LEVEL0_HOT_MAP_PRIVATE_H

#include "agent/level0/hot_map.h"
#include "agent/level0/hot_uses.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"

enum {
    NO_SLOT = UINT32_MAX,
    UNDECIDED = 0x8000, /* in the cell of an entry: so it is of another cell than every route. CELLS_MAX is less */
    UNDECIDED_LISTS = 64,
};

struct entry {
    uint64_t hash;
    uint64_t expires_ms;
    uint64_t added;      /* its change in the journal; 0: inherited */
    uint64_t entered_ms; /* when it entered, or was confirmed */
    uint32_t next;       /* slot in the chain; of a free slot: in the free list */
    uint32_t slot;       /* its own */
    struct heap_node end;
    struct list_node undecided; /* in one of the map's lists, where it is such a one */
    uint16_t cell;
    uint16_t seen;   /* one bit a target: found there by the resync under way */
    uint16_t doomed; /* the same: found there wrong or twice, so that it will be deleted there by its key */
    uint8_t length;
    uint8_t doubt; /* enum doubt */
    char key[];
};

enum doubt { SURE, IN_DOUBT, VISITED };

struct change {
    char *key;
    uint64_t born; /* of a deletion: the change that added the entry */
    uint16_t length;
    bool add, lazy;
};

struct target {
    uint64_t at;      /* the next change to take */
    uint64_t careful; /* before this one, what the target has is not known exactly */
    uint64_t dropped; /* resync_dropped goes on here */
    bool known;
    bool lost; /* during a resync: it has to start again */
};

struct hot_map {
    struct hot_map_options options;
    uint32_t limit;
    struct rng rng;
    struct entry **slots; /* NULL: free */
    uint32_t *free_next;  /* of free slots */
    uint32_t *chains;
    uint32_t slot_count, used_slots, free_slot, chain_mask;
    struct heap ends; /* by expires_ms */
    struct hot_uses *uses;
    struct change *journal; /* ring */
    uint64_t head;          /* one past the last change, counted from 1; those before head - HOT_JOURNAL are gone */
    uint64_t urgent;        /* one past the last change that is not lazy */
    struct target targets[HOT_TARGETS_MAX];
    int target_count;
    struct list_node undecided[UNDECIDED_LISTS]; /* entries, by the hash of their first segment */
    uint32_t undecided_count;
    uint64_t renew_after_ms;
    struct hot_map_stats stats;
};

/* The slot of exactly this key, or NO_SLOT. */
uint32_t hot_map_slot(const struct hot_map *map, const char *key, size_t length);

static inline bool hot_map_is_undecided(const struct entry *entry)
{
    return entry->cell & UNDECIDED;
}

static inline uint16_t hot_map_cell(const struct entry *entry)
{
    return entry->cell & (UNDECIDED - 1);
}

static inline struct hot_entry hot_map_view(const struct entry *entry)
{
    return (struct hot_entry){.key = entry->key,
                              .length = entry->length,
                              .cell = hot_map_cell(entry),
                              .undecided = hot_map_is_undecided(entry)};
}

#endif
