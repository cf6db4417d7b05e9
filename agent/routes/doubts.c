/* agent/routes/doubts.c - doubts are remembered by a seeded hash of kind and key, in sets of WAYS: two that share all
 * 64 bits cost one of them a pass.
 *
 * A doubt is live until `until`, and remembered until `forgotten`: what happens again in between lasts longer. A
 * route's is ended by a claim of its cell; then `hold` is how long no new one begins. */
#include "agent/routes/doubts.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum {
    WAYS = 4,
    SETS = DOUBTS_MAX / WAYS,
};

struct entry {
    uint64_t hash;
    uint64_t until, forgotten; /* ms */
    uint64_t hold;             /* ms: a route that its cell has confirmed stays trusted until then */
    uint32_t life_ms;          /* of the doubt, even if it is over; 0: there was none, or the cell has confirmed it */
    uint32_t hold_ms;          /* how long the last hold was */
    uint16_t cell;
    uint16_t siblings; /* of a segment: paths below it that redirected */
};

struct doubts {
    uint64_t seed;
    uint64_t last_until; /* no doubt is live after this */
    struct doubts_stats stats;
    struct entry entries[SETS][WAYS];
};

struct doubts *doubts_new(uint64_t seed)
{
    struct doubts *doubts = calloc(1, sizeof *doubts);
    if (doubts)
        doubts->seed = seed ^ UINT64_C(0xbb67ae8584caa73b); /* other hashes than the route table's */
    return doubts;
}

void doubts_free(struct doubts *doubts)
{
    free(doubts);
}

void doubts_clear(struct doubts *doubts)
{
    memset(doubts->entries, 0, sizeof doubts->entries);
    doubts->last_until = 0;
}

/* ---- entries
 * ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of(const struct doubts *doubts, enum doubt_kind kind, const char *key, size_t length)
{
    return XXH3_64bits_withSeed(key, length, doubts->seed + (uint64_t)kind);
}

static bool is_live(const struct entry *entry, uint64_t now_ms)
{
    return now_ms < entry->until;
}

/* The entry of this hash and cell that is remembered, or NULL. */
static struct entry *find(const struct doubts *doubts, uint64_t hash, uint16_t cell, uint64_t now_ms)
{
    const struct entry *set = doubts->entries[hash % SETS];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].hash == hash && set[i].cell == cell && now_ms < set[i].forgotten)
            return (struct entry *)&set[i];
    return NULL;
}

/* The entry of this hash and cell; a fresh one when none is remembered, in place of one of the hash or the one that is
 * forgotten first. */
static struct entry *find_or_begin(struct doubts *doubts, uint64_t hash, uint16_t cell, uint64_t now_ms)
{
    struct entry *set = doubts->entries[hash % SETS], *chosen = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].hash == hash && set[i].cell == cell && now_ms < set[i].forgotten)
            return &set[i];
        if (set[i].hash == hash || (chosen->hash != hash && set[i].forgotten < chosen->forgotten))
            chosen = &set[i];
    }
    *chosen = (struct entry){.hash = hash, .cell = cell};
    return chosen;
}

static void begin(struct doubts *doubts, struct entry *entry, uint64_t life_ms, uint64_t now_ms)
{
    entry->life_ms = (uint32_t)life_ms;
    entry->until = now_ms + life_ms;
    entry->forgotten = entry->until + life_ms;
    if (entry->until > doubts->last_until)
        doubts->last_until = entry->until;
}

static void add_news(struct doubt_news *news, enum doubt_kind kind, uint16_t length, uint64_t life_ms, bool known)
{
    news->doubts[news->count++] = (struct doubt){kind, length, life_ms, known};
}

static uint64_t doubled(uint64_t ms, uint64_t least_ms, uint64_t most_ms)
{
    return ms * 2 < least_ms ? least_ms : ms * 2 < most_ms ? ms * 2 : most_ms;
}

/* ---- what happens
 * ------------------------------------------------------------------------------------------------- */

/* A redirect below this prefix. Two within DOUBT_MS are one client's two tries as a rule, and the second proves that
 * nobody claims it. */
static void note_undecided(struct doubts *doubts, enum doubt_kind kind, const struct path *path, uint16_t length,
                           uint16_t cell, uint64_t now_ms, struct doubt_news *news)
{
    uint64_t hash = hash_of(doubts, kind, path->key, length);
    struct entry *entry = find_or_begin(doubts, hash, cell, now_ms);
    uint64_t life_ms = DOUBT_MS;
    if (is_live(entry, now_ms) && entry->life_ms >= UNDECIDED_MS)
        life_ms = entry->life_ms;
    else if (entry->life_ms > 0)
        life_ms = doubled(entry->life_ms, UNDECIDED_MS, UNDECIDED_LONGEST_MS);
    doubts->stats.undecided += entry->life_ms < UNDECIDED_MS && life_ms >= UNDECIDED_MS;
    /* Others need not hear of each redirect, only before what they know is over. */
    bool known = entry->until >= now_ms + life_ms / 2;
    begin(doubts, entry, life_ms, now_ms);
    add_news(news, kind, length, life_ms, known);
}

static void doubt_route(struct doubts *doubts, const struct path *path, uint16_t length, uint16_t cell, uint64_t now_ms,
                        struct doubt_news *news)
{
    struct entry *entry = find_or_begin(doubts, hash_of(doubts, DOUBT_ROUTE, path->key, length), cell, now_ms);
    news->damped = now_ms < entry->hold;
    doubts->stats.damped += news->damped;
    if (news->damped || is_live(entry, now_ms))
        return;
    /* Nobody confirmed it last time: it may well be stale. */
    if (entry->life_ms > 0)
        entry->hold_ms = 0;
    begin(doubts, entry, entry->life_ms > 0 ? doubled(entry->life_ms, DOUBT_MS, DOUBT_LONGEST_MS) : DOUBT_MS, now_ms);
    doubts->stats.routes++;
    add_news(news, DOUBT_ROUTE, length, entry->life_ms, false);
}

/* Whether so many paths of a segment redirected that the segment is undecided as a whole. */
static bool counts_sibling(struct doubts *doubts, const struct path *path, uint16_t segment, uint16_t cell,
                           uint64_t now_ms)
{
    struct entry *entry = find_or_begin(doubts, hash_of(doubts, DOUBT_BELOW, path->key, segment), cell, now_ms);
    if (entry->forgotten < now_ms + UNDECIDED_MS)
        entry->forgotten = now_ms + UNDECIDED_MS;
    return ++entry->siblings >= UNDECIDED_SIBLINGS;
}

/* Length of the path's prefix that has one segment more than the route; 0: the path has none. */
static uint16_t segment_below(const struct path *path, uint16_t route_length)
{
    for (unsigned i = 0; i < path->depth; i++)
        if (path->ends[i] > route_length)
            return path->ends[i];
    return 0;
}

void doubts_redirected(struct doubts *doubts, const struct path *path, uint16_t route_length, uint16_t cell,
                       uint64_t now_ms, struct doubt_news *news)
{
    *news = (struct doubt_news){0};
    uint16_t segment = segment_below(path, route_length);
    enum doubt_kind kind = segment > 0 ? DOUBT_BELOW : DOUBT_PATH;
    const struct entry *above = segment > 0 && segment < path->length
                                    ? find(doubts, hash_of(doubts, DOUBT_BELOW, path->key, segment), cell, now_ms)
                                    : NULL;
    if (above && above->life_ms > 0) {
        news->covered = is_live(above, now_ms);
        note_undecided(doubts, DOUBT_BELOW, path, segment, cell, now_ms, news);
    } else {
        const struct entry *same = find(doubts, hash_of(doubts, kind, path->key, path->length), cell, now_ms);
        news->covered = same && is_live(same, now_ms);
        bool is_new = !same || same->life_ms == 0;
        note_undecided(doubts, kind, path, path->length, cell, now_ms, news);
        if (is_new && segment > 0 && segment < path->length && counts_sibling(doubts, path, segment, cell, now_ms))
            note_undecided(doubts, DOUBT_BELOW, path, segment, cell, now_ms, news);
    }
    if (!news->covered && route_length > 0)
        doubt_route(doubts, path, route_length, cell, now_ms, news);
}

void doubts_tell(struct doubts *doubts, enum doubt_kind kind, const char *key, size_t length, uint16_t cell,
                 uint64_t life_ms, uint64_t now_ms)
{
    struct entry *entry = find_or_begin(doubts, hash_of(doubts, kind, key, length), cell, now_ms);
    uint64_t most_ms = kind == DOUBT_ROUTE ? DOUBT_LONGEST_MS : UNDECIDED_LONGEST_MS;
    doubts->stats.told++;
    if (life_ms > most_ms)
        life_ms = most_ms;
    if (now_ms >= entry->hold && now_ms + life_ms > entry->until)
        begin(doubts, entry, life_ms, now_ms);
}

bool doubts_trust(struct doubts *doubts, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    if (now_ms >= doubts->last_until)
        return false;
    struct entry *entry = find(doubts, hash_of(doubts, DOUBT_ROUTE, key, length), cell, now_ms);
    if (!entry || !is_live(entry, now_ms))
        return false;
    entry->life_ms = 0;
    entry->hold_ms = (uint32_t)doubled(entry->hold_ms, DOUBT_MS, DOUBT_LONGEST_MS);
    entry->until = now_ms;
    entry->hold = now_ms + entry->hold_ms;
    entry->forgotten = entry->hold + entry->hold_ms;
    doubts->stats.trusted++;
    return true;
}

/* ---- looking
 * ------------------------------------------------------------------------------------------------------ */

static bool has(const struct doubts *doubts, enum doubt_kind kind, const struct path *path, uint16_t length,
                uint16_t cell, uint64_t now_ms, struct doubt *why)
{
    const struct entry *entry = find(doubts, hash_of(doubts, kind, path->key, length), cell, now_ms);
    if (!entry || !is_live(entry, now_ms))
        return false;
    *why = (struct doubt){kind, length, entry->until - now_ms, true};
    return true;
}

bool doubts_has(const struct doubts *doubts, const struct path *path, uint16_t route_length, uint16_t cell,
                uint64_t now_ms, struct doubt *why)
{
    if (now_ms >= doubts->last_until)
        return false;
    for (unsigned i = 0; i < path->depth; i++)
        if (path->ends[i] >= route_length && has(doubts, DOUBT_BELOW, path, path->ends[i], cell, now_ms, why))
            return true;
    return has(doubts, DOUBT_PATH, path, path->length, cell, now_ms, why) ||
           has(doubts, DOUBT_ROUTE, path, route_length, cell, now_ms, why);
}

/* Of whatever cell: which one is found out by looking at the set. */
static bool find_cell(const struct doubts *doubts, enum doubt_kind kind, const struct path *path, uint16_t length,
                      uint64_t now_ms, uint16_t *cell)
{
    uint64_t hash = hash_of(doubts, kind, path->key, length);
    const struct entry *set = doubts->entries[hash % SETS];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].hash == hash && is_live(&set[i], now_ms)) {
            *cell = set[i].cell;
            return true;
        }
    return false;
}

uint16_t doubts_longest(const struct doubts *doubts, const struct path *path, uint64_t now_ms, uint16_t *cell)
{
    if (now_ms >= doubts->last_until)
        return 0;
    if (find_cell(doubts, DOUBT_PATH, path, path->length, now_ms, cell))
        return path->length;
    for (unsigned i = path->depth; i-- > 0;)
        if (find_cell(doubts, DOUBT_BELOW, path, path->ends[i], now_ms, cell) ||
            find_cell(doubts, DOUBT_ROUTE, path, path->ends[i], now_ms, cell))
            return path->ends[i];
    return 0;
}

struct doubts_stats doubts_stats(const struct doubts *doubts)
{
    return doubts->stats;
}
