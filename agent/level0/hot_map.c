/* agent/level0/hot_map.c - which routes should stand in HAProxy's map: entries that come, stay for a while and go.
 *
 * What a target, one HAProxy process, has of it is agent/level0/hot_map_targets.c. The two share
 * agent/level0/hot_map_private.h.
 *
 * Slots. An entry lives in a numbered slot and never moves to another one. Hash chains find it by its key, a heap
 * orders entries by the end of their stay, and walks (hot_map_next, a resync) go over the slot numbers: so a walk may
 * be interrupted by any change, and what is there all the time is met once.
 *
 * The heap serves two ends. Its root is what leaves next when its stay is over, and what makes room when the map is
 * full.
 *
 * Longest match. HAProxy takes the longest prefix that it has, and it has only some of the routes. An entry /a/ would
 * be wrong for /a/b/x while /a/b/, of another cell, stands outside of the map. Two rules see to it: bars (agent/level0/
 * hot_uses.h) keep /a/ out while /a/b/ is in use outside; and with an entry go those of all shorter prefixes that name
 * another cell (drop_with_shorter), for from now on it is the one that stands outside. What slips through, because bars
 * have a fixed memory, costs a redirect. Undecided. An entry may say that redirects were met below its prefix
 * (agent/routes/doubts.h), so that its requests take the replay pass. It has the cell of the route with a bit of its
 * own, UNDECIDED, so it counts as another cell than every route does: rules and bars hold for it without a case of
 * their own. It enters at once instead of by its uses, goes without the shorter ones, which are right again afterwards,
 * and only a share of the map may be of that kind. It goes with its route, too, when that is forgotten or another
 * cell's: lists by the first segment find what is below a prefix, at most UNDECIDED_MOST entries (drop_below).
 *
 * Renewal. A lookup of a route whose entry stands in the map says that HAProxy does not have it, or has marked it
 * because of a redirect that the agent need not have heard of. Soon after it entered that is nothing new; later it
 * leaves and enters again.
 *
 * The journal. Each change, an addition or a deletion, takes a number (head) and a place in a ring of HOT_JOURNAL. Each
 * target remembers the number that it takes next. One that is more than the ring behind, or of which nothing is known,
 * is compared as a whole (resync); so a target that is down costs nothing, and holds up nobody. A change holds a copy
 * of the key, since the entry may be gone when it is told. Without memory for that copy all targets are compared. A
 * change is lazy when it only takes out an entry whose stay is over: that may wait, everything else is urgent.
 *
 * Doubt. A starting agent finds entries in HAProxy's map and does not know whether they hold. Those that contradict
 * nothing are inherited: SURE entries come from lookups; an inherited one is IN_DOUBT, with a short stay; VISITED means
 * that the store is being asked about it. hot_map_settle ends the doubt, one way or the other; hot_map_doubt says that
 * nobody knew, and the next walk visits it again. An entry whose doubt nobody ends leaves when its short stay is over.
 * So nothing that is not confirmed stays, and hits go on meanwhile.
 *
 * An inherited entry is in no change of the journal (added is 0): the target that it was found at has it. But when a
 * deletion of the same key is still to be told to that target, an addition is noted behind it (is_under_way), or the
 * entry would be gone there for good. */
#include "agent/level0/hot_map_private.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "agent/routes/cells.h"

enum {
    FIRST_SLOTS = 256,
    LEAST_LIFE_MS = 500, /* what leaves sooner is not worth the way */
    /* At most this part of the entries is undecided: whoever asks for redirecting paths must not fill the map. */
    UNDECIDED_SHARE = 4,
    /* Nor may they make the loss of a route dear: 1024 entries are looked at in 6 us. */
    UNDECIDED_MOST = 1024,
    RENEW_MS = 2000,     /* a lookup may have been under way; and as long does HAProxy alone doubt an entry */
    RENEW_PAUSE_MS = 10, /* between two renewals, of whatever entries: HAProxys that lack the map must not cost much */
};

static uint64_t hash_of(const struct hot_map *map, const char *key, size_t length)
{
    return XXH3_64bits_withSeed(key, length, map->options.seed);
}

/* ---- the heap of ends ------------------------------------------------------------------------------------------- */

static bool ends_before(const struct heap_node *a, const struct heap_node *b)
{
    return HEAP_OWNER(a, const struct entry, end)->expires_ms < HEAP_OWNER(b, const struct entry, end)->expires_ms;
}

/* The entry whose stay ends first, or NULL. */
static const struct entry *first_to_end(const struct hot_map *map)
{
    return map->ends.first ? HEAP_OWNER(map->ends.first, const struct entry, end) : NULL;
}

/* ---- lists of what is undecided ---------------------------------------------------------------------------------- */

static void empty_lists(struct hot_map *map)
{
    for (int i = 0; i < UNDECIDED_LISTS; i++)
        list_init(&map->undecided[i]);
    map->undecided_count = 0;
}

/* Where entries below this key are, too: that of its host and first segment. */
static struct list_node *list_of(struct hot_map *map, const char *key, size_t length)
{
    const char *root = memchr(key, '/', length);
    const char *end = root ? memchr(root + 1, '/', length - (size_t)(root + 1 - key)) : NULL;
    size_t first = end ? (size_t)(end - key) : length;
    return &map->undecided[hash_of(map, key, first) % UNDECIDED_LISTS];
}

static bool has_room_for_undecided(const struct hot_map *map)
{
    return map->undecided_count < UNDECIDED_MOST && map->undecided_count < map->limit / UNDECIDED_SHARE;
}

/* ---- making and freeing ----------------------------------------------------------------------------------------- */

static bool grow(struct hot_map *map, uint32_t slots)
{
    struct entry **all = realloc(map->slots, slots * sizeof *all);
    if (all)
        map->slots = all;
    uint32_t *next = realloc(map->free_next, slots * sizeof *next);
    if (next)
        map->free_next = next;
    uint32_t *chains = malloc(slots * sizeof *chains);
    if (!all || !next || !chains) {
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
    map->head = map->urgent = 1;
    map->free_slot = NO_SLOT;
    heap_init(&map->ends, ends_before);
    empty_lists(map);
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
    free(map->chains);
    hot_uses_free(map->uses);
    free(map->journal);
    free(map);
}

/* HAProxy's command line gives a meaning to blanks, ; \ quotes and <<; its map files to blanks and #; the entry's value
 * to |. */
bool hot_map_takes(const char *key, size_t length)
{
    if (length == 0 || length > HOT_KEY_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (key[i] <= ' ' || key[i] >= 0x7f || strchr(";|\\\"'#<>", key[i]))
            return false;
    return true;
}

/* ---- prefixes --------------------------------------------------------------------------------------------------- */

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

/* ---- the journal ------------------------------------------------------------------------------------------------ */

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

/* ---- entries ---------------------------------------------------------------------------------------------------- */

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

uint32_t hot_map_slot(const struct hot_map *map, const char *key, size_t length)
{
    return find_slot(map, key, length, hash_of(map, key, length));
}

static void unlink_slot(struct hot_map *map, uint32_t slot)
{
    struct entry *entry = map->slots[slot];
    uint32_t *link = &map->chains[entry->hash & map->chain_mask];
    while (*link != slot)
        link = &map->slots[*link]->next;
    *link = entry->next;
    heap_remove(&map->ends, &entry->end);
}

static void drop_slot(struct hot_map *map, uint32_t slot, bool lazy)
{
    if (hot_map_is_undecided(map->slots[slot])) {
        list_remove(&map->slots[slot]->undecided);
        map->undecided_count--;
    }
    note(map, map->slots[slot], false, lazy);
    unlink_slot(map, slot);
    free(map->slots[slot]);
    map->slots[slot] = NULL;
    map->free_next[slot] = map->free_slot;
    map->free_slot = slot;
}

/* Drops the entries of all shorter prefixes; keep: but those of this cell, or CELL_NONE. Their routes may have no
 * longer ones in the map now that would put them right. Returns how many went. */
static size_t drop_shorter(struct hot_map *map, const char *key, size_t length, uint16_t keep, bool lazy)
{
    size_t dropped = 0;
    while ((length = shorter(key, length)) > 0) {
        uint32_t slot = hot_map_slot(map, key, length);
        if (slot == NO_SLOT || map->slots[slot]->cell == keep)
            continue;
        drop_slot(map, slot, lazy);
        dropped++;
    }
    return dropped;
}

/* Drops what is undecided below the key, itself included, unless it says so of this cell (CELL_NONE: of any cell). The
 * route that it was about is gone. Returns how many went. */
static size_t drop_below(struct hot_map *map, const char *key, size_t length, uint16_t keep)
{
    size_t dropped = 0;
    if (map->undecided_count == 0)
        return 0;
    struct list_node *list = list_of(map, key, length);
    for (struct list_node *node = list->next, *next; node != list; node = next) {
        const struct entry *entry = LIST_OWNER(node, struct entry, undecided);
        next = node->next;
        if (entry->length < length || memcmp(entry->key, key, length) != 0 || hot_map_cell(entry) == keep)
            continue;
        drop_slot(map, entry->slot, false);
        dropped++;
    }
    return dropped;
}

/* With the entry go those of shorter prefixes that say something else. What was undecided is theirs again. Returns how
 * many went. */
static size_t drop_with_shorter(struct hot_map *map, uint32_t slot, bool lazy)
{
    char key[HOT_KEY_MAX];
    if (hot_map_is_undecided(map->slots[slot])) {
        drop_slot(map, slot, lazy);
        return 1;
    }
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

/* Without a word to the targets. Returns NULL where there is no room. */
static struct entry *put_entry(struct hot_map *map, const char *key, size_t length, uint64_t hash, uint16_t cell,
                               uint64_t expires_ms)
{
    struct entry *entry = map->limit ? malloc(sizeof *entry + length) : NULL;
    uint32_t slot = entry ? take_slot(map) : (uint32_t)NO_SLOT;
    if (slot == NO_SLOT) {
        free(entry);
        return NULL;
    }
    *entry = (struct entry){.hash = hash,
                            .expires_ms = expires_ms,
                            .added = map->head,
                            .next = map->chains[hash & map->chain_mask],
                            .slot = slot,
                            .cell = cell,
                            .length = (uint8_t)length};
    memcpy(entry->key, key, length);
    if (hot_map_is_undecided(entry)) {
        list_insert(list_of(map, key, length), &entry->undecided);
        map->undecided_count++;
    }
    map->slots[slot] = entry;
    map->chains[hash & map->chain_mask] = slot;
    heap_insert(&map->ends, &entry->end);
    map->stats.added++;
    return entry;
}

static void enter(struct hot_map *map, const char *key, size_t length, uint64_t hash, uint16_t cell, uint64_t stay_ms,
                  uint64_t now_ms)
{
    while (map->ends.count >= map->limit && map->ends.count > 0)
        map->stats.evicted += drop_with_shorter(map, first_to_end(map)->slot, true);
    struct entry *entry = put_entry(map, key, length, hash, cell, now_ms + stay_ms);
    if (!entry)
        return;
    entry->entered_ms = now_ms;
    note(map, entry, true, false);
}

/* ---- uses and bars ---------------------------------------------------------------------------------------------- */

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

/* ---- what happens to routes ------------------------------------------------------------------------------------- */

/* At most half of what is left of the route's life, so that its use is seen while it can still be refreshed. */
static uint64_t stay_of(struct hot_map *map, uint64_t left_ms)
{
    uint64_t life_ms = map->options.life_ms;
    uint64_t stay_ms = life_ms - rng_below(&map->rng, life_ms / 4 + 1);
    return stay_ms < left_ms / 2 ? stay_ms : left_ms / 2;
}

/* A lookup asked for a route that is in the map. */
static void renew(struct hot_map *map, uint32_t slot, const char *key, uint64_t left_ms, uint64_t now_ms)
{
    struct entry *entry = map->slots[slot];
    uint64_t hash = entry->hash, stay_ms = stay_of(map, left_ms);
    uint16_t length = entry->length, cell = entry->cell;
    if (now_ms < entry->entered_ms + RENEW_MS || now_ms < map->renew_after_ms || stay_ms < LEAST_LIFE_MS)
        return;
    map->renew_after_ms = now_ms + RENEW_PAUSE_MS;
    drop_slot(map, slot, false);
    enter(map, key, length, hash, cell, stay_ms, now_ms);
    map->stats.renewed++;
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
    if (slot != NO_SLOT && map->slots[slot]->cell == cell) {
        if (map->slots[slot]->doubt != SURE)
            hot_map_settle(map, key, length, cell, left_ms, now_ms);
        else
            renew(map, slot, key, left_ms, now_ms);
        return;
    }
    if (slot != NO_SLOT)
        map->stats.forgotten += drop_with_shorter(map, slot, false);
    uint64_t stay_ms = stay_of(map, left_ms);
    bool barred = hot_uses_is_barred(map->uses, hash, cell, now_ms);
    if (hot_uses_count(map->uses, hash, now_ms) && !barred && stay_ms >= LEAST_LIFE_MS) {
        lift_bars(map, key, length);
        enter(map, key, length, hash, cell, stay_ms, now_ms);
    } else {
        bar_shorter(map, key, length, cell, now_ms);
    }
}

void hot_map_learned(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    uint32_t slot = hot_map_slot(map, key, length);
    if (slot != NO_SLOT && map->slots[slot]->cell == cell)
        return;
    if (slot != NO_SLOT) {
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
    map->stats.forgotten += drop_below(map, key, length, cell & (UNDECIDED - 1));
    map->stats.forgotten += drop_shorter(map, key, length, cell, false);
    bar_shorter(map, key, length, cell, now_ms);
}

void hot_map_forget(struct hot_map *map, const char *key, size_t length)
{
    map->stats.forgotten += drop_below(map, key, length, CELL_NONE);
    hot_map_withdraw(map, key, length);
}

void hot_map_withdraw(struct hot_map *map, const char *key, size_t length)
{
    uint32_t slot = hot_map_slot(map, key, length);
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
        if (slot == NO_SLOT || hot_map_cell(map->slots[slot]) != cell)
            continue;
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
}

static void move_in_heap(struct hot_map *map, struct entry *entry, uint64_t expires_ms)
{
    entry->expires_ms = expires_ms;
    heap_moved(&map->ends, &entry->end);
}

void hot_map_undecided(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t life_ms,
                       uint64_t now_ms)
{
    uint16_t own = cell | UNDECIDED;
    uint64_t hash = hash_of(map, key, length);
    uint32_t slot = find_slot(map, key, length, hash);
    if (slot != NO_SLOT && map->slots[slot]->cell == own) {
        if (map->slots[slot]->expires_ms < now_ms + life_ms)
            move_in_heap(map, map->slots[slot], now_ms + life_ms);
        return;
    }
    if (slot != NO_SLOT) {
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
    if (hot_map_takes(key, length) && has_room_for_undecided(map))
        enter(map, key, length, hash, own, life_ms, now_ms);
    else
        hot_map_learned(map, key, length, own, now_ms);
}

void hot_map_bar(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    uint64_t hash = hash_of(map, key, length);
    uint32_t slot = find_slot(map, key, length, hash);
    if (slot != NO_SLOT) {
        drop_slot(map, slot, false);
        map->stats.forgotten++;
    }
    hot_uses_bar(map->uses, hash, cell | UNDECIDED, now_ms);
}

void hot_map_flush(struct hot_map *map)
{
    map->stats.forgotten += map->ends.count;
    map->stats.changes += map->ends.count;
    for (uint32_t i = 0; i < map->used_slots; i++) {
        free(map->slots[i]);
        map->slots[i] = NULL;
    }
    map->used_slots = 0;
    empty_lists(map);
    heap_init(&map->ends, ends_before);
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
        uint16_t cell = hot_map_cell(entry), undecided = entry->cell & UNDECIDED;
        if (cell < count && now[cell] != CELL_NONE) {
            entry->cell = now[cell] | undecided;
            continue;
        }
        char key[HOT_KEY_MAX];
        uint16_t length = entry->length;
        memcpy(key, entry->key, length);
        drop_slot(map, slot, false);
        map->stats.forgotten += 1 + (undecided ? 0 : drop_shorter(map, key, length, CELL_NONE, false));
    }
    hot_uses_clear_bars(map->uses);
}

/* The heap keeps its order: what ended later than another does not end sooner now. */
void hot_map_distrust(struct hot_map *map, uint64_t life_ms, uint64_t now_ms)
{
    for (uint32_t slot = 0; slot < map->used_slots; slot++) {
        struct entry *entry = map->slots[slot];
        if (entry && entry->expires_ms > now_ms + life_ms)
            entry->expires_ms = now_ms + life_ms;
    }
}

/* Whether the target may yet be told of a change of this key that came before its inheritance. Looking at more changes
 * would take long. */
static bool is_under_way(const struct hot_map *map, int target, const char *key, size_t length)
{
    uint64_t at = map->targets[target].at;
    if (map->head - at > 256)
        return true;
    for (; at < map->head; at++) {
        const struct change *change = &map->journal[at % HOT_JOURNAL];
        if (change->length == length && (!change->key || memcmp(change->key, key, length) == 0))
            return true;
    }
    return false;
}

/* Mostly no change for the journal: that target has it, and those that were in line before are compared again. */
bool hot_map_inherit(struct hot_map *map, int target, const char *key, size_t length, uint16_t cell, uint64_t life_ms,
                     uint64_t now_ms)
{
    if (!hot_map_takes(key, length) || map->ends.count >= map->limit)
        return false;
    uint64_t hash = hash_of(map, key, length);
    if (find_slot(map, key, length, hash) != NO_SLOT || hot_uses_is_barred(map->uses, hash, cell, now_ms))
        return false;
    struct entry *entry = put_entry(map, key, length, hash, cell, now_ms + life_ms);
    if (!entry)
        return false;
    entry->doubt = IN_DOUBT;
    if (is_under_way(map, target, key, length))
        note(map, entry, true, false);
    else
        entry->added = 0;
    for (int i = 0; i < map->target_count; i++)
        if (i != target)
            hot_map_lost(map, i);
    map->stats.changes++; /* for the file */
    map->stats.inherited++;
    return true;
}

void hot_map_settle(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t left_ms,
                    uint64_t now_ms)
{
    uint32_t slot = hot_map_slot(map, key, length);
    if (slot == NO_SLOT || map->slots[slot]->doubt == SURE)
        return;
    struct entry *entry = map->slots[slot];
    uint64_t stay_ms = stay_of(map, left_ms);
    if (entry->cell != cell || stay_ms < LEAST_LIFE_MS) {
        map->stats.forgotten += drop_with_shorter(map, slot, false);
        return;
    }
    entry->doubt = SURE;
    entry->entered_ms = now_ms;
    move_in_heap(map, entry, now_ms + stay_ms);
    map->stats.confirmed++;
}

size_t hot_map_expire(struct hot_map *map, uint64_t now_ms, size_t max)
{
    size_t gone = 0;
    const struct entry *first;
    while ((first = first_to_end(map)) && gone < max && first->expires_ms <= now_ms)
        gone += drop_with_shorter(map, first->slot, true);
    map->stats.expired += gone;
    return gone;
}

void hot_map_limit(struct hot_map *map, uint32_t entries)
{
    map->limit = entries < map->options.entries ? entries : map->options.entries;
    while (map->ends.count > map->limit)
        map->stats.evicted += drop_with_shorter(map, first_to_end(map)->slot, true);
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

bool hot_map_find(const struct hot_map *map, const char *key, size_t length, struct hot_entry *entry)
{
    uint32_t slot = hot_map_slot(map, key, length);
    if (slot == NO_SLOT)
        return false;
    *entry = hot_map_view(map->slots[slot]);
    return true;
}

bool hot_map_next(const struct hot_map *map, uint32_t *cursor, struct hot_entry *entry)
{
    while (*cursor < map->used_slots) {
        const struct entry *here = map->slots[(*cursor)++];
        if (!here)
            continue;
        *entry = hot_map_view(here);
        return true;
    }
    return false;
}

bool hot_map_next_in_doubt(struct hot_map *map, uint32_t *cursor, struct hot_entry *entry)
{
    while (*cursor < map->used_slots) {
        struct entry *here = map->slots[(*cursor)++];
        if (!here || here->doubt != IN_DOUBT)
            continue;
        here->doubt = VISITED;
        *entry = hot_map_view(here);
        return true;
    }
    return false;
}

void hot_map_doubt(struct hot_map *map, const char *key, size_t length)
{
    uint32_t slot = hot_map_slot(map, key, length);
    if (slot != NO_SLOT && map->slots[slot]->doubt == VISITED)
        map->slots[slot]->doubt = IN_DOUBT;
}

struct hot_map_stats hot_map_stats(const struct hot_map *map)
{
    struct hot_map_stats stats = map->stats;
    stats.entries = map->ends.count;
    return stats;
}
