/* agent/routes/route_life.h - when routes end and how long they are fresh: ticks, generations, distrusts. Pure.
 *
 * A route carries the generation in which it was put. So much can be ended at once without touching it: everything up
 * to a generation, by a barrier (the route table's slots have one each), or by a distrust, which lets it live until a
 * deadline. */
#ifndef CELLROUTER_AGENT_ROUTES_ROUTE_LIFE_H
#define CELLROUTER_AGENT_ROUTES_ROUTE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/routes/route_entry.h"

enum {
    ROUTE_LIFE_TICK_MS = 64,
    ROUTE_GENERATION_MAX = (1 << 20) - 1, /* 20 bits of an entry */
    ROUTE_DISTRUSTS = 8,                  /* that run at a time; two more become one, on the safe side */
    ROUTE_TICK_FOREVER = 0,               /* of ends: no end. No life ends in the table's first tick. */
};

/* Embedded in the route table. */
struct route_life {
    uint64_t birth;      /* ms: tick 0 */
    uint32_t generation; /* of what is put now */
    bool written;        /* something was */
    struct route_distrust {
        uint32_t generation;      /* the newest one that it covers */
        uint64_t deadline;        /* ms */
    } distrusts[ROUTE_DISTRUSTS]; /* oldest first; so are their deadlines */
    unsigned distrust_count;
};

/* A table is born at now_ms: tick 0, the first generation, no distrusts. */
void route_life_init(struct route_life *life, uint64_t now_ms);

/* No route is left: generations and distrusts begin again, time goes on. */
void route_life_reset(struct route_life *life);

/* Rounded down; no more than 32 bits hold, which is 8 years. */
uint32_t route_life_tick(const struct route_life *life, uint64_t at_ms);

/* When a route ends, distrusts included, in ms; UINT64_MAX: never. Pinned ones are not distrusted. */
uint64_t route_life_end(const struct route_life *life, const struct route_entry *entry);

/* When a route was seen to be right, as its entry has it; 0 for a time before the table's birth. */
uint32_t route_life_seen(const struct route_life *life, uint64_t seen_ms);

/* Whether it was seen to be right less than fresh_ms ago; never with 0. */
bool route_life_is_fresh(const struct route_life *life, const struct route_entry *entry, uint64_t fresh_ms,
                         uint64_t now_ms);

/* The generation of a route that is being put. */
uint32_t route_life_mark(struct route_life *life);

/* All generations are in use: close would need one more. */
bool route_life_used_up(const struct route_life *life);

/* A generation that covers all routes put so far, and none put later. Not when used up. */
uint32_t route_life_close(struct route_life *life);

/* What was put so far ends at deadline. Not when used up. */
void route_life_distrust(struct route_life *life, uint64_t deadline, uint64_t now_ms);

#endif
