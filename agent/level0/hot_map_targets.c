/* agent/level0/hot_map_targets.c - what each target has to be told: from the ring of changes, or, in a resync, from a
 * comparison of all.
 *
 * From the ring: a batch is all deletions first, then all additions, so that no key stands twice in HAProxy's map,
 * which would allow it. An addition is told only by the last change that added the key, and only while the entry is
 * there. An entry that came and went since the target last asked was never told: its deletion is left out.
 *
 * A resync compares: what the target has is `seen` when it is right, `doomed` when it is wrong or there twice, and then
 * all of that key go. What is not seen at the end is missing. The map goes on changing meanwhile. Deletions that are
 * urgent are told at once (resync_dropped), the rest is in the ring. Since the target's entries were read at some
 * moment between begin and end, changes from that time may be known to it or not: until `careful` each of them is told
 * as a deletion first, which does no harm where nothing stands. */
#include "agent/level0/hot_map_private.h"

#include "agent/routes/cells.h"

/* ---- targets ---------------------------------------------------------------------------------------------------- */

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
        uint32_t slot = hot_map_slot(map, change->key, change->length);
        if (slot == NO_SLOT || map->slots[slot]->added != i)
            continue; /* has gone since, or its last addition is yet to come */
        struct hot_entry entry = hot_map_view(map->slots[slot]);
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

/* ---- resync ----------------------------------------------------------------------------------------------------- */

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

bool hot_map_resync_found(struct hot_map *map, int target, const struct hot_entry *found)
{
    uint16_t cell = found->undecided ? found->cell | UNDECIDED : found->cell;
    uint32_t slot = found->length <= HOT_KEY_MAX ? hot_map_slot(map, found->key, found->length) : (uint32_t)NO_SLOT;
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
        *entry = hot_map_view(here);
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
