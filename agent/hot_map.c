/* agent/hot_map.c - entries in numbered slots, found by hash chains, ordered by the end of their stay in a heap; a ring
 * of changes that all targets read. */
#include "agent/hot_map.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "agent/cells.h"
#include "agent/hot_uses.h"
#include "base/rng.h"

enum {
    NO_SLOT = UINT32_MAX,
    FIRST_SLOTS = 256,
    LEAST_LIFE_MS = 500, /* what leaves sooner is not worth the way */
};

struct entry {
    uint64_t hash;
    uint64_t expires_ms;
    uint64_t added; /* its change in the journal */
    uint32_t next;  /* slot in the chain; of a free slot: in the free list */
    uint32_t heap_at;
    uint16_t cell;
    uint16_t seen;   /* one bit a target: found there by the resync under way */
    uint16_t doomed; /* the same: found there wrong or twice, so that it will be deleted there by its key */
    uint16_t length;
    char key[];
};

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
    uint32_t *chains, *heap;
    uint32_t slot_count, used_slots, free_slot, chain_mask, count;
    struct hot_uses *uses;
    struct change *journal; /* ring */
    uint64_t head;          /* changes made; those before head - HOT_JOURNAL are gone */
    uint64_t urgent;        /* one past the last change that is not lazy */
    struct target targets[HOT_TARGETS_MAX];
    int target_count;
    struct hot_map_stats stats;
};

static uint64_t hash_of(const struct hot_map *map, const char *key, size_t length)
{
    return XXH3_64bits_withSeed(key, length, map->options.seed);
}

/* ---- making and freeing ------------------------------------------------------------------------------------------- */

static bool grow(struct hot_map *map, uint32_t slots)
{
    struct entry **all = realloc(map->slots, slots * sizeof *all);
    if (all)
        map->slots = all;
    uint32_t *next = realloc(map->free_next, slots * sizeof *next);
    if (next)
        map->free_next = next;
    uint32_t *heap = realloc(map->heap, slots * sizeof *heap);
    if (heap)
        map->heap = heap;
    uint32_t *chains = malloc(slots * sizeof *chains);
    if (!all || !next || !heap || !chains) {
        free(chains);
        return false;
    }
    free(map->chains);
    map->chains = chains;
    map->chain_mask = slots - 1;
    map->slot_count = slots;
    memset(chains, 0xff, slots * sizeof *chains);
    for (uint32_t i = 0; i < map->used_slots; i++) {
        if (!all[i])
            continue;
        uint32_t *chain = &chains[all[i]->hash & map->chain_mask];
        all[i]->next = *chain;
        *chain = i;
    }
    return true;
}

struct hot_map *hot_map_new(const struct hot_map_options *options)
{
    struct hot_map *map = calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->options = *options;
    map->limit = options->entries;
    map->rng.state = options->seed;
    map->free_slot = NO_SLOT;
    map->uses = hot_uses_new(options->entries, options->uses, options->life_ms);
    map->journal = calloc(HOT_JOURNAL, sizeof *map->journal);
    if (map->uses && map->journal && grow(map, FIRST_SLOTS))
        return map;
    hot_map_free(map);
    return NULL;
}

void hot_map_free(struct hot_map *map)
{
    if (!map)
        return;
    for (uint32_t i = 0; i < map->used_slots; i++)
        free(map->slots[i]);
    for (size_t i = 0; map->journal && i < HOT_JOURNAL; i++)
        free(map->journal[i].key);
    free(map->slots);
    free(map->free_next);
    free(map->heap);
    free(map->chains);
    hot_uses_free(map->uses);
    free(map->journal);
    free(map);
}

/* HAProxy's command line gives a meaning to blanks, ; \ quotes and <<; its map files to blanks and #; the entry's value to |. */
bool hot_map_takes(const char *key, size_t length)
{
    if (length == 0 || length > HOT_KEY_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (key[i] <= ' ' || key[i] >= 0x7f || strchr(";|\\\"'#<>", key[i]))
            return false;
    return true;
}

/* ---- prefixes ----------------------------------------------------------------------------------------------------- */

/* Length of the next shorter prefix of whole segments; 0: there is none. */
static size_t shorter(const char *key, size_t length)
{
    const char *root = memchr(key, '/', length);
    if (!root || length < 2)
        return 0;
    for (size_t i = length - 1; i > (size_t)(root - key) + 1; i--)
        if (key[i - 1] == '/')
            return i;
    return 0;
}

/* ---- the heap of ends --------------------------------------------------------------------------------------------- */

static bool sooner(const struct hot_map *map, uint32_t a, uint32_t b)
{
    return map->slots[map->heap[a]]->expires_ms < map->slots[map->heap[b]]->expires_ms;
}

static void heap_swap(struct hot_map *map, uint32_t a, uint32_t b)
{
    uint32_t slot = map->heap[a];
    map->heap[a] = map->heap[b];
    map->heap[b] = slot;
    map->slots[map->heap[a]]->heap_at = a;
    map->slots[map->heap[b]]->heap_at = b;
}

static void heap_up(struct hot_map *map, uint32_t at)
{
    for (; at > 0 && sooner(map, at, (at - 1) / 2); at = (at - 1) / 2)
        heap_swap(map, at, (at - 1) / 2);
}

static void heap_down(struct hot_map *map, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < map->count; child++)
            if (sooner(map, child, least))
                least = child;
        if (least == at)
            return;
        heap_swap(map, at, least);
        at = least;
    }
}

/* ---- the journal -------------------------------------------------------------------------------------------------- */

static void lose_all(struct hot_map *map)
{
    for (int i = 0; i < map->target_count; i++)
        hot_map_lost(map, i);
}

/* Without memory for the change every target is resynchronised. */
static void note(struct hot_map *map, const struct entry *entry, bool add, bool lazy)
{
    struct change *change = &map->journal[map->head % HOT_JOURNAL];
    free(change->key);
    *change = (struct change){
        .key = malloc(entry->length), .born = entry->added, .length = entry->length, .add = add, .lazy = lazy};
    if (change->key)
        memcpy(change->key, entry->key, entry->length);
    else
        lose_all(map);
    map->head++;
    map->stats.changes++;
    if (!lazy)
        map->urgent = map->head;
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static uint32_t find_slot(const struct hot_map *map, const char *key, size_t length, uint64_t hash)
{
    uint32_t slot = map->chains[hash & map->chain_mask];
    while (slot != NO_SLOT) {
        const struct entry *entry = map->slots[slot];
        if (entry->hash == hash && entry->length == length && memcmp(entry->key, key, length) == 0)
            return slot;
        slot = entry->next;
    }
    return NO_SLOT;
}

static void unlink_slot(struct hot_map *map, uint32_t slot)
{
    const struct entry *entry = map->slots[slot];
    uint32_t *link = &map->chains[entry->hash & map->chain_mask];
    while (*link != slot)
        link = &map->slots[*link]->next;
    *link = entry->next;
    uint32_t at = entry->heap_at, last = --map->count;
    if (at == last)
        return;
    map->heap[at] = map->heap[last];
    map->slots[map->heap[at]]->heap_at = at;
    heap_down(map, at);
    heap_up(map, at);
}

static void drop_slot(struct hot_map *map, uint32_t slot, bool lazy)
{
    note(map, map->slots[slot], false, lazy);
    unlink_slot(map, slot);
    free(map->slots[slot]);
    map->slots[slot] = NULL;
    map->free_next[slot] = map->free_slot;
    map->free_slot = slot;
}

/* Drops the entries of all shorter prefixes; keep: but those of this cell, or CELL_NONE. Their routes may have no longer ones in
 * the map now that would put them right. Returns how many went. */
static size_t drop_shorter(struct hot_map *map, const char *key, size_t length, uint16_t keep, bool lazy)
{
    size_t dropped = 0;
    while ((length = shorter(key, length)) > 0) {
        uint32_t slot = find_slot(map, key, length, hash_of(map, key, length));
        if (slot == NO_SLOT || map->slots[slot]->cell == keep)
            continue;
        drop_slot(map, slot, lazy);
        dropped++;
    }
    return dropped;
}

/* With the entry go those of shorter prefixes that say something else. Returns how many went. */
static size_t drop_with_shorter(struct hot_map *map, uint32_t slot, bool lazy)
{
    char key[HOT_KEY_MAX];
    uint16_t length = map->slots[slot]->length, cell = map->slots[slot]->cell;
    memcpy(key, map->slots[slot]->key, length);
    drop_slot(map, slot, lazy);
    return 1 + drop_shorter(map, key, length, cell, lazy);
}

static uint32_t take_slot(struct hot_map *map)
{
    if (map->free_slot != NO_SLOT) {
        uint32_t slot = map->free_slot;
        map->free_slot = map->free_next[slot];
        return slot;
    }
    if (map->used_slots == map->slot_count && !grow(map, map->slot_count * 2))
        return NO_SLOT;
    return map->used_slots++;
}

static void enter(struct hot_map *map, const char *key, size_t length, uint64_t hash, uint16_t cell,
                  uint64_t expires_ms)
{
    while (map->count >= map->limit && map->count > 0)
        map->stats.evicted += drop_with_shorter(map, map->heap[0], true);
    struct entry *entry = map->limit ? malloc(sizeof *entry + length) : NULL;
    uint32_t slot = entry ? take_slot(map) : (uint32_t)NO_SLOT;
    if (slot == NO_SLOT) {
        free(entry);
        return;
    }
    *entry = (struct entry){.hash = hash,
                            .expires_ms = expires_ms,
                            .added = map->head,
                            .next = map->chains[hash & map->chain_mask],
                            .heap_at = map->count,
                            .cell = cell,
                            .length = (uint16_t)length};
    memcpy(entry->key, key, length);
    map->slots[slot] = entry;
    map->chains[hash & map->chain_mask] = slot;
    map->heap[map->count++] = slot;
    heap_up(map, entry->heap_at);
    note(map, entry, true, false);
    map->stats.added++;
}

/* ---- uses and bars ------------------------------------------------------------------------------------------------ */

static void bar_shorter(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    while ((length = shorter(key, length)) > 0)
        hot_uses_bar(map->uses, hash_of(map, key, length), cell, now_ms);
}

static void lift_bars(struct hot_map *map, const char *key, size_t length)
{
    while ((length = shorter(key, length)) > 0)
        hot_uses_lift(map->uses, hash_of(map, key, length));
}

/* ---- what happens to routes --------------------------------------------------------------------------------------- */

/* At most half of what is left of the route's life, so that its use is seen while it can still be refreshed. */
static uint64_t stay_of(struct hot_map *map, uint64_t left_ms)
{
    uint64_t life_ms = map->options.life_ms;
    uint64_t stay_ms = life_ms - rng_below(&map->rng, life_ms / 4 + 1);
    return stay_ms < left_ms / 2 ? stay_ms : left_ms / 2;
}

void hot_map_used(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t left_ms, uint64_t now_ms)
{
    if (!hot_map_takes(key, length)) {
        map->stats.refused++;
        /* It stays outside of the map, and so must what would answer for it. */
        hot_map_learned(map, key, length, cell, now_ms);
        return;
    }
    uint64_t hash = hash_of(map, key, length);
    uint32_t slot = find_slot(map, key, length, hash);
    if (slot != NO_SLOT && map->slots[slot]->cell == cell)
        return; /* asked before HAProxy had the entry, or HAProxy has taken it out */
    if (slot != NO_SLOT)
        map->stats.forgotten += drop_with_shorter(map, slot, false);
    uint64_t stay_ms = stay_of(map, left_ms);
    bool barred = hot_uses_is_barred(map->uses, hash, cell, now_ms);
    if (hot_uses_count(map->uses, hash, now_ms) && !barred && stay_ms >= LEAST_LIFE_MS) {
        lift_bars(map, key, length);
        enter(map, key, length, hash, cell, now_ms + stay_ms);
    } else {
        bar_shorter(map, key, length, cell, now_ms);
    }
}

void hot_map_learned(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    uint32_t slot = find_slot(map, key, length, hash_of(map, key, length));
    if (slot != NO_SLOT && map->slots[slot]->cell == cell)
        return;
    if (slot != NO_SLOT) {
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
    map->stats.forgotten += drop_shorter(map, key, length, cell, false);
    bar_shorter(map, key, length, cell, now_ms);
}

void hot_map_forget(struct hot_map *map, const char *key, size_t length)
{
    uint32_t slot = find_slot(map, key, length, hash_of(map, key, length));
    if (slot != NO_SLOT) {
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
    map->stats.forgotten += drop_shorter(map, key, length, CELL_NONE, false);
}

void hot_map_redirected(struct hot_map *map, const char *path_key, size_t length, uint16_t cell)
{
    for (; length > 0; length = shorter(path_key, length)) {
        uint32_t slot = find_slot(map, path_key, length, hash_of(map, path_key, length));
        if (slot == NO_SLOT || map->slots[slot]->cell != cell)
            continue;
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
}

void hot_map_flush(struct hot_map *map)
{
    map->stats.forgotten += map->count;
    map->stats.changes += map->count;
    for (uint32_t i = 0; i < map->used_slots; i++) {
        free(map->slots[i]);
        map->slots[i] = NULL;
    }
    map->used_slots = map->count = 0;
    map->free_slot = NO_SLOT;
    memset(map->chains, 0xff, map->slot_count * sizeof *map->chains);
    hot_uses_clear_counts(map->uses);
    lose_all(map);
}

void hot_map_remap(struct hot_map *map, const uint16_t *now, size_t count)
{
    for (uint32_t slot = 0; slot < map->used_slots; slot++) {
        struct entry *entry = map->slots[slot];
        if (!entry)
            continue;
        entry->cell = entry->cell < count ? now[entry->cell] : (uint16_t)CELL_NONE;
        if (entry->cell != CELL_NONE)
            continue;
        map->stats.forgotten += drop_with_shorter(map, slot, false);
    }
    hot_uses_clear_bars(map->uses);
}

/* The heap keeps its order: what ended later than its parent does not end sooner now. */
void hot_map_distrust(struct hot_map *map, uint64_t life_ms, uint64_t now_ms)
{
    for (uint32_t i = 0; i < map->count; i++) {
        struct entry *entry = map->slots[map->heap[i]];
        if (entry->expires_ms > now_ms + life_ms)
            entry->expires_ms = now_ms + life_ms;
    }
}

size_t hot_map_expire(struct hot_map *map, uint64_t now_ms, size_t max)
{
    size_t gone = 0;
    while (map->count > 0 && gone < max && map->slots[map->heap[0]]->expires_ms <= now_ms)
        gone += drop_with_shorter(map, map->heap[0], true);
    map->stats.expired += gone;
    return gone;
}

void hot_map_limit(struct hot_map *map, uint32_t entries)
{
    map->limit = entries < map->options.entries ? entries : map->options.entries;
    while (map->count > map->limit)
        map->stats.evicted += drop_with_shorter(map, map->heap[0], true);
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

static struct hot_entry view(const struct entry *entry)
{
    return (struct hot_entry){.key = entry->key, .length = entry->length, .cell = entry->cell};
}

bool hot_map_find(const struct hot_map *map, const char *key, size_t length, struct hot_entry *entry)
{
    uint32_t slot = find_slot(map, key, length, hash_of(map, key, length));
    if (slot == NO_SLOT)
        return false;
    *entry = view(map->slots[slot]);
    return true;
}

bool hot_map_next(const struct hot_map *map, uint32_t *cursor, struct hot_entry *entry)
{
    while (*cursor < map->used_slots) {
        const struct entry *here = map->slots[(*cursor)++];
        if (!here)
            continue;
        *entry = view(here);
        return true;
    }
    return false;
}

struct hot_map_stats hot_map_stats(const struct hot_map *map)
{
    struct hot_map_stats stats = map->stats;
    stats.entries = map->count;
    return stats;
}

/* ---- targets ------------------------------------------------------------------------------------------------------ */

int hot_map_target(struct hot_map *map)
{
    if (map->target_count == HOT_TARGETS_MAX)
        return -1;
    map->targets[map->target_count] = (struct target){.at = map->head};
    return map->target_count++;
}

static bool is_behind(const struct hot_map *map, const struct target *target)
{
    return map->head - target->at > HOT_JOURNAL;
}

enum hot_need hot_map_need(const struct hot_map *map, int target)
{
    const struct target *it = &map->targets[target];
    if (!it->known || is_behind(map, it))
        return HOT_ALL;
    if (it->at == map->head)
        return HOT_NOTHING;
    return it->at < map->urgent ? HOT_URGENT : HOT_LAZY;
}

void hot_map_lost(struct hot_map *map, int target)
{
    map->targets[target].known = false;
    map->targets[target].lost = true;
}

/* Whether the target may have the key of a change that is under way: then it is deleted first. */
static bool is_careful(const struct target *target, uint64_t change)
{
    return change < target->careful;
}

static void visit_deletions(const struct hot_map *map, const struct target *target, uint64_t end, hot_visit *visit,
                            void *user)
{
    for (uint64_t i = target->at; i < end; i++) {
        const struct change *change = &map->journal[i % HOT_JOURNAL];
        struct hot_entry entry = {.key = change->key, .length = change->length, .cell = CELL_NONE};
        bool unseen = !change->add && change->born >= target->at; /* came and went since */
        if (is_careful(target, i) || (!change->add && !unseen))
            visit(user, false, &entry);
    }
}

static void visit_additions(const struct hot_map *map, const struct target *target, uint64_t end, hot_visit *visit,
                            void *user)
{
    for (uint64_t i = target->at; i < end; i++) {
        const struct change *change = &map->journal[i % HOT_JOURNAL];
        if (!change->add)
            continue;
        uint32_t slot = find_slot(map, change->key, change->length, hash_of(map, change->key, change->length));
        if (slot == NO_SLOT || map->slots[slot]->added != i)
            continue; /* has gone since, or its last addition is yet to come */
        struct hot_entry entry = view(map->slots[slot]);
        visit(user, true, &entry);
    }
}

size_t hot_map_take(struct hot_map *map, int target, size_t max, hot_visit *visit, void *user)
{
    struct target *it = &map->targets[target];
    if (!it->known || is_behind(map, it))
        return 0;
    uint64_t end = map->head - it->at < max ? map->head : it->at + max;
    size_t taken = (size_t)(end - it->at);
    visit_deletions(map, it, end, visit, user);
    visit_additions(map, it, end, visit, user);
    it->at = end;
    return taken;
}

/* ---- resync ------------------------------------------------------------------------------------------------------- */

static uint16_t bit_of(int target)
{
    return (uint16_t)(1U << target);
}

void hot_map_resync_begin(struct hot_map *map, int target)
{
    hot_map_resync_emptied(map, target);
    struct target *it = &map->targets[target];
    it->known = it->lost = false;
    it->at = it->dropped = map->head;
}

void hot_map_resync_emptied(struct hot_map *map, int target)
{
    for (uint32_t i = 0; i < map->used_slots; i++) {
        struct entry *entry = map->slots[i];
        if (!entry)
            continue;
        entry->seen = (uint16_t)(entry->seen & ~bit_of(target));
        entry->doomed = (uint16_t)(entry->doomed & ~bit_of(target));
    }
}

bool hot_map_resync_found(struct hot_map *map, int target, const char *key, size_t length, uint16_t cell)
{
    uint32_t slot = length <= HOT_KEY_MAX ? find_slot(map, key, length, hash_of(map, key, length)) : (uint32_t)NO_SLOT;
    if (slot == NO_SLOT)
        return false;
    struct entry *entry = map->slots[slot];
    if (entry->cell == cell && !((entry->seen | entry->doomed) & bit_of(target))) {
        entry->seen = (uint16_t)(entry->seen | bit_of(target));
        return true;
    }
    entry->seen = (uint16_t)(entry->seen & ~bit_of(target)); /* all of this key go, one comes back */
    entry->doomed = (uint16_t)(entry->doomed | bit_of(target));
    return false;
}

bool hot_map_resync_missing(struct hot_map *map, int target, uint32_t *cursor, struct hot_entry *entry)
{
    while (*cursor < map->used_slots) {
        const struct entry *here = map->slots[(*cursor)++];
        if (!here || here->seen & bit_of(target))
            continue;
        *entry = view(here);
        return true;
    }
    return false;
}

size_t hot_map_resync_dropped(struct hot_map *map, int target, size_t max, hot_visit *visit, void *user)
{
    struct target *it = &map->targets[target];
    size_t dropped = 0;
    if (map->head - it->dropped > HOT_JOURNAL)
        return 0; /* too far behind: the end of the resync is the start of the next */
    for (; it->dropped < map->head && dropped < max; it->dropped++) {
        const struct change *change = &map->journal[it->dropped % HOT_JOURNAL];
        struct hot_entry entry = {.key = change->key, .length = change->length, .cell = CELL_NONE};
        if (change->add || change->lazy || !change->key)
            continue;
        visit(user, false, &entry);
        dropped++;
    }
    return dropped;
}

/* A flush in the meantime is in no journal. */
void hot_map_resync_end(struct hot_map *map, int target)
{
    map->targets[target].known = !map->targets[target].lost;
    map->targets[target].careful = map->head;
}
