/* agent/routes/damping.h - holds back cells that would otherwise cause write storms: two that claim one prefix in turn,
 * and one that claims without end. Pure, bounded memory; time is passed in. Source: docs/design.md 7.7.
 *
 * A prefix whose claims change the cell more than `moves` times within damp_ms is held: no claim of it is to be written
 * for damp_ms, twice as long the next time, up to 16 times. Quiet for as long as it was held, it is forgotten. Each
 * cell has claims_per_cell new or moved routes a second, and saves up to two seconds' worth; what is over that is for
 * this router alone. A refresh costs nothing. */
#ifndef CELLROUTER_AGENT_ROUTES_DAMPING_H
#define CELLROUTER_AGENT_ROUTES_DAMPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "base/attributes.h"

enum {
    DAMPING_PREFIXES = 4096, /* prefixes in dispute at a time that are remembered; the quietest one makes room */
};

struct damping;

struct damping_options {
    uint64_t seed;  /* of the hash */
    uint32_t moves; /* within damp_ms are allowed */
    uint32_t damp_ms;
    uint32_t claims_per_cell; /* a second */
};

enum damping_verdict {
    DAMPING_PASS,
    DAMPING_HELD, /* the prefix is held */
    DAMPING_QUOTA /* the cell has used up its claims */
};

/* What the caller should log: each hold and each time that a cell runs out of claims gives one event. */
struct damping_event {
    bool hold_began;  /* of this prefix; former and cell of the call are the two */
    bool quota_began; /* of this cell */
    uint64_t hold_ms; /* how long, when hold_began */
    uint32_t moves;   /* that it made within the window, when hold_began */
};

/* NULL without memory. */
MUST_USE struct damping *damping_new(const struct damping_options *options);

/* NULL is allowed. */
void damping_free(struct damping *damping);

/* Forgets all, and goes on with these options: after a reload, when cells may have new numbers. The seed stays. */
void damping_reset(struct damping *damping, const struct damping_options *options);

/* Asked before a claim is written: may cell have the route of key, which now has the cell former (CELL_NONE: nobody)? A
 * claim that passes is taken as written. former == cell is a refresh: only a hold stops it. Since a held prefix may
 * lose its route, the last claimant is remembered here too: two that claim in turn are seen even when former is
 * CELL_NONE. */
MUST_USE enum damping_verdict damping_claim(struct damping *damping, const char *key, size_t length, uint16_t former,
                                            uint16_t cell, uint64_t now_ms, struct damping_event *event);

/* Another cell's claim, stored or held, dropped the route of key to cell: should another cell claim it next, then that
 * is a move from this one. */
void damping_dropped(struct damping *damping, const char *key, size_t length, uint16_t cell, uint64_t now_ms);

struct damping_stats {
    uint64_t moves;        /* claims that took a prefix from another cell, held ones too: conflicts */
    uint64_t holds;        /* that began */
    uint64_t held_claims;  /* refused */
    uint64_t quota_claims; /* refused */
};

/* A copy. */
struct damping_stats damping_stats(const struct damping *damping);

#endif
