/* agent/routes/route_table.c - level 1 in memory: how routes lie there, how they die, and who makes room.
 *
 * Layout. Everything is blocks of 64 bytes (agent/routes/route_blocks.h): a bucket of the index
 * (agent/routes/route_index.h), or a route. A route's block holds 36 bytes of facts and the first 28 bytes of its key;
 * longer keys go on in further blocks. So a lookup costs one cache miss for each prefix that may be there, and one for
 * the route.
 *
 * Death. A forgotten cell and a distrust touch no route: generations tell what is dead (agent/routes/route_life.h), and
 * each slot has a barrier.
 *
 * Slots. A route names a slot, not a cell: a reload that numbers the cells anew changes the slots alone. A slot has two
 * rings of routes, learned and pinned ones, each with a hand for the CLOCK algorithm (Corbato 1968): a route used since
 * the hand last passed is spared once. The routes of a buried slot are spliced into one ring of the dead, from which
 * memory is taken first. */
#include "agent/routes/route_table.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "agent/routes/route_blocks.h"
#include "agent/routes/route_entry.h"
#include "agent/routes/route_index.h"
#include "agent/routes/route_life.h"
#include "base/rng.h"

#define MEMORY_LEAST (UINT64_C(64) << 10)
#define MEMORY_MOST (UINT64_C(256) << 30) /* 32 bits name that many blocks */
#define STAMP_MAX ((UINT64_C(1) << 44) - 1)
#define SLOT_MASK (CELLS_MAX - 1U)

static_assert((int)ROUTE_KEY_MAX == (int)ROUTE_KEY_LIMIT, "the table's limits are those of its entries");
static_assert((int)ROUTE_TICK_MS == (int)ROUTE_LIFE_TICK_MS, "the table's limits are those of its entries");

enum {
    SLOT_NONE = UINT16_MAX,
    SLOTS_LEAST = 256,   /* in tables so small that CELLS_MAX slots would fill them */
    SEEN_STEP_MS = 1000, /* how exactly it is kept when a route was seen */
    HAND_STEPS = 256,    /* routes spared in one eviction at most: it must not become a pause */
};

enum { LEARNED, PINNED, RINGS };

struct slot {
    uint32_t hands[RINGS]; /* 0: the ring is empty */
    uint32_t routes[RINGS];
    uint32_t blocks; /* of the learned routes */
    uint32_t barrier;
    uint16_t cell; /* CELL_NONE: nobody's */
};

struct route_table {
    struct route_blocks blocks;
    struct route_index index;
    struct rng rng;
    struct route_life life;
    uint64_t seed;
    uint32_t refresh_percent, jitter_percent, fresh_ms;
    struct slot *slots;
    uint16_t *slot_of; /* by cell */
    size_t slot_count;
    size_t sharers;   /* slots with learned routes */
    uint16_t fattest; /* a slot that used more than its share when last looked for */
    uint32_t graves;  /* a hand on the ring of the dead */
    uint32_t swept;   /* next bucket of the sweep */
    uint64_t learned_blocks;
    uint64_t depths[PATH_MAX_DEPTH + 1]; /* routes in the index by number of segments, dead ones too */
    uint64_t routes[RINGS], evicted, expired;
};

/* ---- birth and end ---------------------------------------------------------------------------------------------- */

static void clear_slots(struct route_table *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        table->slots[i] = (struct slot){.cell = CELL_NONE};
        table->slot_of[i] = SLOT_NONE;
    }
}

static bool init(struct route_table *table, uint64_t memory)
{
    if (!route_blocks_init(&table->blocks, memory))
        return false;
    table->slot_count = memory / SLOTS_LEAST < CELLS_MAX ? SLOTS_LEAST : CELLS_MAX;
    table->slots = malloc(table->slot_count * sizeof *table->slots);
    table->slot_of = malloc(table->slot_count * sizeof *table->slot_of);
    if (!table->slots || !table->slot_of)
        return false;
    clear_slots(table);
    route_blocks_charge(&table->blocks, sizeof *table);
    route_blocks_charge(&table->blocks, table->slot_count * sizeof *table->slots);
    route_blocks_charge(&table->blocks, table->slot_count * sizeof *table->slot_of);
    return route_index_init(&table->index, &table->blocks);
}

struct route_table *route_table_new(const struct route_table_options *options)
{
    uint64_t memory = options->memory < MEMORY_LEAST ? MEMORY_LEAST : options->memory;
    struct route_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->seed = options->seed;
    table->rng.state = options->seed ^ UINT64_C(0x6a09e667f3bcc908); /* another sequence than the hash */
    route_life_init(&table->life, options->now_ms);
    route_table_tune(table, options->refresh_percent, options->jitter_percent, options->fresh_ms);
    if (!init(table, memory < MEMORY_MOST ? memory : MEMORY_MOST)) {
        route_table_free(table);
        return NULL;
    }
    return table;
}

void route_table_free(struct route_table *table)
{
    if (!table)
        return;
    route_index_deinit(&table->index);
    route_blocks_deinit(&table->blocks);
    free(table->slots);
    free(table->slot_of);
    free(table);
}

void route_table_tune(struct route_table *table, uint32_t refresh_percent, uint32_t jitter_percent, uint32_t fresh_ms)
{
    table->refresh_percent = refresh_percent < 100 ? refresh_percent : 100;
    table->jitter_percent = jitter_percent < 100 ? jitter_percent : 100;
    table->fresh_ms = fresh_ms;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

struct key {
    const struct route_table *table;
    const char *bytes;
    size_t length;
};

static struct route_entry *entry_at(const struct route_table *table, uint32_t block)
{
    return route_entry(&table->blocks, block);
}

static bool key_matches(const void *user, uint32_t block)
{
    const struct key *key = user;
    return route_entry_has_key(&key->table->blocks, entry_at(key->table, block), key->bytes, key->length);
}

static uint64_t hash_of_key(const struct route_table *table, const char *key, size_t length)
{
    return XXH3_64bits_withSeed(key, length, table->seed);
}

static uint64_t hash_of_entry(const void *user, uint32_t block)
{
    const struct route_table *table = user;
    const struct route_entry *entry = entry_at(table, block);
    if (entry->length <= ROUTE_KEY_FIRST)
        return hash_of_key(table, entry->key, entry->length);
    char key[ROUTE_KEY_MAX];
    size_t length = route_entry_key(&table->blocks, entry, key);
    return hash_of_key(table, key, length);
}

/* Segments of a key, or more than PATH_MAX_DEPTH when it is no key. */
static size_t depth_of(const char *key, size_t length)
{
    size_t slashes = 0;
    for (size_t i = 0; i < length; i++)
        slashes += key[i] == '/';
    return length == 0 || key[length - 1] != '/' || slashes < 2 ? PATH_MAX_DEPTH + 1 : slashes - 1;
}

static uint32_t find(const struct route_table *table, const char *key, size_t length, uint64_t hash)
{
    struct key wanted = {table, key, length};
    return route_index_find(&table->index, hash, key_matches, &wanted);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static bool is_buried(const struct route_table *table, const struct route_entry *entry)
{
    return entry->generation <= table->slots[entry->slot].barrier;
}

static bool is_live(const struct route_table *table, const struct route_entry *entry, uint64_t now_ms)
{
    return !is_buried(table, entry) && now_ms < route_life_end(&table->life, entry);
}

static void fill_route(const struct route_table *table, uint32_t block, uint64_t now_ms, struct route *route)
{
    const struct route_entry *entry = entry_at(table, block);
    uint64_t end = route_life_end(&table->life, entry);
    *route = (struct route){.cell = table->slots[entry->slot].cell,
                            .key_length = (uint16_t)entry->length,
                            .pinned = entry->pinned,
                            .from_store = entry->from_store,
                            .due = !entry->pinned && entry->due <= route_life_tick(&table->life, now_ms),
                            .asked = entry->asked,
                            .fresh = route_life_is_fresh(&table->life, entry, table->fresh_ms, now_ms),
                            .stamp_ms = entry->stamp,
                            .left_ms = end == UINT64_MAX ? ROUTE_FOREVER : end - now_ms,
                            .handle = block};
}

/* ---- rings ------------------------------------------------------------------------------------------------------ */

static void attach(struct route_table *table, uint32_t block)
{
    struct route_entry *entry = entry_at(table, block);
    struct slot *slot = &table->slots[entry->slot];
    route_ring_add(&table->blocks, &slot->hands[entry->pinned], block);
    slot->routes[entry->pinned]++;
    table->routes[entry->pinned]++;
    if (!entry->pinned) {
        uint32_t blocks = route_entry_blocks(entry->length);
        table->sharers += slot->blocks == 0;
        slot->blocks += blocks;
        table->learned_blocks += blocks;
    }
}

static void detach(struct route_table *table, uint32_t block)
{
    struct route_entry *entry = entry_at(table, block);
    if (is_buried(table, entry)) {
        route_ring_remove(&table->blocks, &table->graves, block);
        return;
    }
    struct slot *slot = &table->slots[entry->slot];
    route_ring_remove(&table->blocks, &slot->hands[entry->pinned], block);
    slot->routes[entry->pinned]--;
    table->routes[entry->pinned]--;
    if (!entry->pinned) {
        uint32_t blocks = route_entry_blocks(entry->length);
        slot->blocks -= blocks;
        table->sharers -= slot->blocks == 0;
        table->learned_blocks -= blocks;
    }
}

/* ---- dropping --------------------------------------------------------------------------------------------------- */

static void drop(struct route_table *table, uint32_t block)
{
    struct route_entry *entry = entry_at(table, block);
    char key[ROUTE_KEY_MAX];
    size_t length = route_entry_key(&table->blocks, entry, key);
    detach(table, block);
    route_index_remove(&table->index, hash_of_key(table, key, length), block);
    table->depths[depth_of(key, length)]--;
    route_entry_give(&table->blocks, block);
}

static void drop_dead(struct route_table *table, uint32_t block)
{
    if (!is_buried(table, entry_at(table, block)))
        table->expired++;
    drop(table, block);
}

/* The route at the hand, or the next one that was not used lately. */
static uint32_t clock_choose(const struct route_table *table, uint32_t *hand, uint64_t now_ms)
{
    for (unsigned i = 0; i < HAND_STEPS; i++) {
        struct route_entry *entry = entry_at(table, *hand);
        if (!entry->used || !is_live(table, entry, now_ms))
            break;
        entry->used = 0;
        *hand = entry->next;
    }
    return *hand;
}

static uint16_t find_fattest(const struct route_table *table)
{
    uint16_t fattest = 0;
    for (size_t i = 1; i < table->slot_count; i++)
        if (table->slots[i].blocks > table->slots[fattest].blocks)
            fattest = (uint16_t)i;
    return fattest;
}

/* The slot that must make room for a route of the slot that wants it. A fair share is an even one among the cells that
 * have routes; somebody has at least that, so a search serves until that one is down to its share. */
static uint16_t who_yields(struct route_table *table, uint16_t wanting)
{
    uint64_t share = table->learned_blocks / (table->sharers + (table->slots[wanting].blocks == 0));
    if (table->slots[wanting].blocks > 0 && table->slots[wanting].blocks >= share)
        return wanting;
    if (table->slots[table->fattest].blocks <= share)
        table->fattest = find_fattest(table);
    return table->fattest;
}

/* Drops one route. False: there is none that may go. */
static bool evict(struct route_table *table, uint16_t wanting, bool pinned, uint64_t now_ms)
{
    if (table->graves != 0) {
        drop(table, table->graves);
        return true;
    }
    uint32_t *hand = NULL;
    if (table->learned_blocks > 0)
        hand = &table->slots[who_yields(table, wanting)].hands[LEARNED];
    for (size_t i = 0; !hand && pinned && i < table->slot_count; i++)
        if (table->slots[i].hands[PINNED] != 0)
            hand = &table->slots[i].hands[PINNED];
    if (!hand)
        return false;
    uint32_t block = clock_choose(table, hand, now_ms);
    if (is_live(table, entry_at(table, block), now_ms))
        table->evicted++;
    else
        table->expired++;
    drop(table, block);
    return true;
}

/* ---- lookup ----------------------------------------------------------------------------------------------------- */

void route_table_prefetch(const struct route_table *table, const struct path *path, struct route_probe *probe)
{
    probe->path = path;
    probe->count = 0;
    for (unsigned depth = path->depth; depth > 0; depth--) {
        size_t length = path->ends[depth - 1];
        if (table->depths[depth] == 0 || length > ROUTE_KEY_MAX)
            continue;
        uint64_t hash = hash_of_key(table, path->key, length);
        route_index_prefetch(&table->index, hash);
        probe->hashes[probe->count] = hash;
        probe->depths[probe->count++] = (uint16_t)depth;
    }
}

void route_table_prefetch_routes(const struct route_table *table, const struct route_probe *probe)
{
    for (unsigned i = 0; i < probe->count; i++)
        route_index_prefetch_routes(&table->index, probe->hashes[i]);
}

static uint32_t find_longest(const struct route_table *table, const struct route_probe *probe, uint64_t now_ms)
{
    for (unsigned i = 0; i < probe->count; i++) {
        size_t length = probe->path->ends[probe->depths[i] - 1];
        uint32_t block = find(table, probe->path->key, length, probe->hashes[i]);
        if (block != 0 && is_live(table, entry_at(table, block), now_ms))
            return block;
    }
    return 0;
}

bool route_table_peek(const struct route_table *table, const struct route_probe *probe, uint64_t now_ms,
                      struct route *route)
{
    uint32_t block = find_longest(table, probe, now_ms);
    if (block != 0)
        fill_route(table, block, now_ms, route);
    return block != 0;
}

bool route_table_get(struct route_table *table, const struct route_probe *probe, uint64_t now_ms, struct route *route)
{
    uint32_t block = find_longest(table, probe, now_ms);
    if (block == 0)
        return false;
    struct route_entry *entry = entry_at(table, block);
    if (!entry->used) /* do not dirty the cache line of a hot route each time */
        entry->used = 1;
    fill_route(table, block, now_ms, route);
    return true;
}

/* The block of the live route of this key, or 0. */
static uint32_t find_live(const struct route_table *table, const char *key, size_t length, uint64_t now_ms)
{
    if (length == 0 || length > ROUTE_KEY_MAX)
        return 0;
    uint32_t block = find(table, key, length, hash_of_key(table, key, length));
    return block != 0 && is_live(table, entry_at(table, block), now_ms) ? block : 0;
}

bool route_table_find(const struct route_table *table, const char *key, size_t length, uint64_t now_ms,
                      struct route *route)
{
    uint32_t block = find_live(table, key, length, now_ms);
    if (block != 0)
        fill_route(table, block, now_ms, route);
    return block != 0;
}

void route_table_asked(struct route_table *table, const struct route *route, uint64_t hold_ms, uint64_t now_ms)
{
    struct route_entry *entry = entry_at(table, route->handle);
    entry->asked = 1;
    entry->due = route_life_tick(&table->life, now_ms + rng_jitter(&table->rng, hold_ms, 25));
}

void route_table_seen(struct route_table *table, const struct route *route, uint64_t now_ms)
{
    struct route_entry *entry = entry_at(table, route->handle);
    uint32_t now = route_life_seen(&table->life, now_ms);
    if (entry->seen == 0 || now - entry->seen >= SEEN_STEP_MS / ROUTE_LIFE_TICK_MS)
        entry->seen = now;
}

void route_table_doubted(struct route_table *table, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    uint32_t block = find_live(table, key, length, now_ms);
    if (block != 0 && table->slots[entry_at(table, block)->slot].cell == cell)
        entry_at(table, block)->seen = 0;
}

/* ---- put -------------------------------------------------------------------------------------------------------- */

/* The slot of a cell, a free one if it has none yet; SLOT_NONE when there are too many cells for this table. */
static uint16_t slot_for(struct route_table *table, uint16_t cell)
{
    if (table->slot_of[cell] != SLOT_NONE)
        return table->slot_of[cell];
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i].cell == CELL_NONE) {
            table->slots[i].cell = cell;
            table->slot_of[cell] = (uint16_t)i;
            return (uint16_t)i;
        }
    return SLOT_NONE;
}

/* May the word replace what is there? ROUTE_PUT_REFRESHED and _MOVED mean yes. */
static enum route_put compare(const struct route_entry *there, uint16_t there_cell, const struct route_word *word)
{
    if (there->pinned && !word->pinned)
        return ROUTE_PUT_PINNED;
    bool same = there_cell == word->cell;
    if (there->pinned == word->pinned && word->stamp_ms < there->stamp)
        return ROUTE_PUT_OLDER;
    /* Two routers in one millisecond: the store has decided. */
    if (there->pinned == word->pinned && word->stamp_ms == there->stamp && !same && !word->from_store)
        return ROUTE_PUT_OLDER;
    return same ? ROUTE_PUT_REFRESHED : ROUTE_PUT_MOVED;
}

/* Ticks at which a life of left_ms ends and is due, jittered. False: it is too short to be worth anything. */
static bool set_life(struct route_table *table, const struct route_word *word, uint64_t now_ms, uint32_t *ends,
                     uint32_t *due)
{
    *due = UINT32_MAX;
    *ends = ROUTE_TICK_FOREVER;
    if (word->left_ms == ROUTE_FOREVER)
        return true;
    uint64_t longest = (uint64_t)UINT32_MAX * ROUTE_LIFE_TICK_MS;
    uint64_t left = word->left_ms < longest ? word->left_ms : longest;
    uint64_t life = word->life_ms < longest ? word->life_ms : longest;
    left -= rng_below(&table->rng, left / 100 * table->jitter_percent + 1);
    *ends = route_life_tick(&table->life, now_ms + left);
    if (*ends <= route_life_tick(&table->life, now_ms))
        return false;
    if (word->pinned || table->refresh_percent == 100)
        return true;
    uint64_t rest = (life > left ? life : left) / 100 * (100 - table->refresh_percent);
    rest = rng_jitter(&table->rng, rest, table->jitter_percent);
    *due = left > rest ? route_life_tick(&table->life, now_ms + left - rest) : route_life_tick(&table->life, now_ms);
    return true;
}

/* same: the entry is that of a live route of the same cell. */
static void fill_entry(struct route_table *table, struct route_entry *entry, const struct route_word *word,
                       uint16_t slot, bool same, uint32_t ends, uint32_t due)
{
    entry->stamp = word->stamp_ms & STAMP_MAX;
    entry->slot = slot & SLOT_MASK;
    entry->pinned = word->pinned;
    entry->from_store = word->from_store;
    entry->asked = 0;
    uint32_t seen = route_life_seen(&table->life, word->seen_ms);
    entry->seen = same && entry->seen > seen ? entry->seen : seen;
    entry->ends = ends;
    entry->due = due;
    entry->generation = route_life_mark(&table->life) & ROUTE_GENERATION_MAX;
}

/* A block with this key, in the index, but in no ring yet; 0 without memory. */
static uint32_t create(struct route_table *table, const char *key, size_t length, uint64_t hash, uint16_t slot,
                       bool pinned, uint64_t now_ms)
{
    while (!route_blocks_have(&table->blocks, route_entry_blocks(length) + 1)) /* one for the index */
        if (!evict(table, slot, pinned, now_ms))
            return 0;
    uint32_t block = route_blocks_take(&table->blocks);
    struct route_entry *entry = entry_at(table, block);
    entry->used = 0;
    route_entry_set_key(&table->blocks, entry, key, length);
    route_index_add(&table->index, hash, block, hash_of_entry, table);
    table->depths[depth_of(key, length)]++;
    return block;
}

static bool is_word(const struct route_table *table, const char *key, size_t length, const struct route_word *word)
{
    return length <= ROUTE_KEY_MAX && depth_of(key, length) <= PATH_MAX_DEPTH && word->cell < table->slot_count &&
           word->stamp_ms <= STAMP_MAX;
}

enum route_put route_table_put(struct route_table *table, const char *key, size_t length, const struct route_word *word,
                               uint64_t now_ms, uint16_t *formerp)
{
    uint32_t ends, due;
    if (formerp)
        *formerp = CELL_NONE;
    if (!is_word(table, key, length, word) || !set_life(table, word, now_ms, &ends, &due))
        return ROUTE_PUT_BAD;
    uint16_t slot = slot_for(table, word->cell);
    if (slot == SLOT_NONE)
        return ROUTE_PUT_NO_ROOM;
    enum route_put outcome = ROUTE_PUT_NEW;
    uint64_t hash = hash_of_key(table, key, length);
    uint32_t block = find(table, key, length, hash);
    if (block == 0) {
        block = create(table, key, length, hash, slot, word->pinned, now_ms);
        if (block == 0)
            return ROUTE_PUT_NO_ROOM;
    } else {
        struct route_entry *there = entry_at(table, block);
        if (is_live(table, there, now_ms)) {
            uint16_t former = table->slots[there->slot].cell;
            outcome = compare(there, former, word);
            if (formerp)
                *formerp = former;
            if (outcome != ROUTE_PUT_MOVED && outcome != ROUTE_PUT_REFRESHED)
                return outcome;
        } else if (!is_buried(table, there)) {
            table->expired++;
        }
        detach(table, block);
    }
    fill_entry(table, entry_at(table, block), word, slot, outcome == ROUTE_PUT_REFRESHED, ends, due);
    attach(table, block);
    return outcome;
}

/* ---- dropping many ---------------------------------------------------------------------------------------------- */

bool route_table_forget(struct route_table *table, const char *key, size_t length, uint16_t expected, uint64_t now_ms)
{
    uint32_t block = find_live(table, key, length, now_ms);
    if (block == 0)
        return false;
    if (expected != CELL_NONE && table->slots[entry_at(table, block)->slot].cell != expected)
        return false;
    drop(table, block);
    return true;
}

void route_table_flush(struct route_table *table)
{
    route_blocks_reset(&table->blocks);
    route_index_reset(&table->index);
    clear_slots(table);
    memset(table->depths, 0, sizeof table->depths);
    memset(table->routes, 0, sizeof table->routes);
    table->learned_blocks = 0;
    table->sharers = 0;
    table->graves = 0;
    table->swept = 0;
    route_life_reset(&table->life);
}

/* A generation that covers all routes put so far, and none put later. */
static uint32_t close_generation(struct route_table *table)
{
    if (route_life_used_up(&table->life))
        route_table_flush(table); /* a million reloads and doubts later: begin again */
    return route_life_close(&table->life);
}

static void bury(struct route_table *table, struct slot *slot, uint32_t generation)
{
    table->learned_blocks -= slot->blocks;
    table->sharers -= slot->blocks > 0;
    for (int ring = 0; ring < RINGS; ring++) {
        route_ring_join(&table->blocks, &table->graves, &slot->hands[ring]);
        table->routes[ring] -= slot->routes[ring];
        slot->routes[ring] = 0;
    }
    slot->blocks = 0;
    slot->barrier = generation;
}

void route_table_forget_cell(struct route_table *table, uint16_t cell)
{
    if (cell >= table->slot_count || table->slot_of[cell] == SLOT_NONE)
        return;
    uint32_t generation = close_generation(table);
    if (table->slot_of[cell] != SLOT_NONE) /* unless it started over */
        bury(table, &table->slots[table->slot_of[cell]], generation);
}

void route_table_distrust(struct route_table *table, uint64_t life_ms, uint64_t now_ms)
{
    if (route_life_used_up(&table->life))
        route_table_flush(table);
    route_life_distrust(&table->life, now_ms + life_ms, now_ms);
}

void route_table_remap(struct route_table *table, const uint16_t *map, size_t count)
{
    uint32_t generation = close_generation(table);
    memset(table->slot_of, 0xff, table->slot_count * sizeof *table->slot_of);
    for (size_t i = 0; i < table->slot_count; i++) {
        struct slot *slot = &table->slots[i];
        if (slot->cell == CELL_NONE)
            continue;
        slot->cell = slot->cell < count ? map[slot->cell] : CELL_NONE;
        if (slot->cell < table->slot_count && table->slot_of[slot->cell] == SLOT_NONE) {
            table->slot_of[slot->cell] = (uint16_t)i;
        } else {
            slot->cell = CELL_NONE;
            bury(table, slot, generation);
        }
    }
}

void route_table_sweep(struct route_table *table, size_t steps, uint64_t now_ms)
{
    uint32_t blocks[64];
    for (size_t seen = 0; seen < steps; seen++) {
        if (table->graves != 0) {
            drop(table, table->graves);
            continue;
        }
        if (table->swept >= table->index.bucket_count)
            table->swept = 0;
        size_t n = route_index_bucket(&table->index, table->swept++, 0, blocks, sizeof blocks / sizeof *blocks);
        for (size_t i = 0; i < n; i++)
            if (!is_live(table, entry_at(table, blocks[i]), now_ms))
                drop_dead(table, blocks[i]);
        seen += n;
    }
}

/* ---- looking in ------------------------------------------------------------------------------------------------- */

struct route_table_stats route_table_stats(const struct route_table *table)
{
    return (struct route_table_stats){.routes = table->routes[LEARNED] + table->routes[PINNED],
                                      .pinned = table->routes[PINNED],
                                      .bytes = table->blocks.bytes,
                                      .limit = table->blocks.limit,
                                      .evicted = table->evicted,
                                      .expired = table->expired};
}

uint64_t route_table_cell_routes(const struct route_table *table, uint16_t cell)
{
    if (cell >= table->slot_count || table->slot_of[cell] == SLOT_NONE)
        return 0;
    const struct slot *slot = &table->slots[table->slot_of[cell]];
    return (uint64_t)slot->routes[LEARNED] + slot->routes[PINNED];
}

static void visit_bucket(const struct route_table *table, uint32_t bucket, uint64_t now_ms, route_visit *visit,
                         void *user)
{
    char key[ROUTE_KEY_MAX];
    uint32_t blocks[64];
    size_t skip = 0, n;
    do {
        n = route_index_bucket(&table->index, bucket, skip, blocks, sizeof blocks / sizeof *blocks);
        for (size_t i = 0; i < n; i++) {
            const struct route_entry *entry = entry_at(table, blocks[i]);
            if (!is_live(table, entry, now_ms))
                continue;
            struct route route;
            fill_route(table, blocks[i], now_ms, &route);
            visit(user, key, route_entry_key(&table->blocks, entry, key), &route);
        }
        skip += n;
    } while (n > 0);
}

bool route_table_list(const struct route_table *table, struct route_cursor *cursor, size_t steps, uint64_t now_ms,
                      route_visit *visit, void *user)
{
    for (; steps > 0 && cursor->next < table->index.bucket_count; steps--)
        visit_bucket(table, (uint32_t)cursor->next++, now_ms, visit, user);
    return cursor->next < table->index.bucket_count;
}
