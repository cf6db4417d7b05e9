/* agent/routes/route_life.c - ends of life in ticks since the table's birth, and the distrusts that shorten them. */
#include "agent/routes/route_life.h"

#include <string.h>

void route_life_init(struct route_life *life, uint64_t now_ms)
{
    *life = (struct route_life){.birth = now_ms};
    route_life_reset(life);
}

void route_life_reset(struct route_life *life)
{
    life->generation = 1; /* barriers start at 0 */
    life->written = false;
    life->distrust_count = 0;
}

uint32_t route_life_tick(const struct route_life *life, uint64_t at_ms)
{
    uint64_t ticks = at_ms > life->birth ? (at_ms - life->birth) / ROUTE_LIFE_TICK_MS : 0;
    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

uint64_t route_life_end(const struct route_life *life, const struct route_entry *entry)
{
    uint64_t end = UINT64_MAX;
    if (entry->ends != ROUTE_TICK_FOREVER)
        end = life->birth + (uint64_t)entry->ends * ROUTE_LIFE_TICK_MS;
    if (entry->pinned)
        return end;
    for (unsigned i = 0; i < life->distrust_count; i++)
        if (entry->generation <= life->distrusts[i].generation)
            return life->distrusts[i].deadline < end ? life->distrusts[i].deadline : end;
    return end;
}

uint32_t route_life_seen(const struct route_life *life, uint64_t seen_ms)
{
    return seen_ms < life->birth || seen_ms == 0 ? 0 : route_life_tick(life, seen_ms) + 1;
}

bool route_life_is_fresh(const struct route_life *life, const struct route_entry *entry, uint64_t fresh_ms,
                         uint64_t now_ms)
{
    if (fresh_ms == 0 || entry->seen == 0)
        return false;
    return now_ms < life->birth + (uint64_t)(entry->seen - 1) * ROUTE_LIFE_TICK_MS + fresh_ms;
}

uint32_t route_life_mark(struct route_life *life)
{
    life->written = true;
    return life->generation;
}

bool route_life_used_up(const struct route_life *life)
{
    return life->written && life->generation == ROUTE_GENERATION_MAX;
}

uint32_t route_life_close(struct route_life *life)
{
    if (life->written)
        life->generation++;
    life->written = false;
    return life->generation - 1;
}

void route_life_distrust(struct route_life *life, uint64_t deadline, uint64_t now_ms)
{
    struct route_distrust *distrusts = life->distrusts;
    struct route_distrust fresh = {route_life_close(life), deadline};
    for (unsigned i = 0; i < life->distrust_count; i++) /* less time than last time: the earlier ones hurry too */
        if (distrusts[i].deadline > deadline)
            distrusts[i].deadline = deadline;
    if (life->distrust_count > 0 && distrusts[life->distrust_count - 1].generation == fresh.generation)
        return;
    /* A distrust that has run out covers what an earlier one covers. When there are too many, the oldest two become one
     * with the earlier deadline. */
    while (life->distrust_count > 1 && (distrusts[1].deadline <= now_ms || life->distrust_count == ROUTE_DISTRUSTS)) {
        distrusts[1].deadline = distrusts[0].deadline;
        memmove(distrusts, distrusts + 1, --life->distrust_count * sizeof *distrusts);
    }
    distrusts[life->distrust_count++] = fresh;
}
