/* agent/routes/route_table.h - level 1: path prefix -> cell, in memory bounded in bytes. Pure: time and seed are passed
 * in. Source: docs/design.md 7.2 and 10; how it is laid out in memory stands atop agent/routes/route_table.c.
 *
 * A key is what agent/routes/path.h makes: [host]/segment/segment/. Times are monotonic milliseconds (now_ms, never
 * going back), but stamps, which are wall-clock milliseconds out of records. Nothing here takes longer with more
 * routes, but route_table_free. One thread. */
#ifndef CELLROUTER_AGENT_ROUTES_ROUTE_TABLE_H
#define CELLROUTER_AGENT_ROUTES_ROUTE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "agent/routes/path.h"
#include "base/attributes.h"

enum {
    ROUTE_KEY_MAX = 4095, /* bytes of a key: 12 bits. Longer prefixes are never stored and never found. */
    ROUTE_TICK_MS = 64,   /* ends of life are rounded down to this */
};

/* As life: has no end. */
#define ROUTE_FOREVER UINT64_MAX

struct route_table;

struct route_table_options {
    uint64_t memory; /* bytes, all included; less than 64 KiB counts as 64 KiB, more than 256 GiB as that */
    uint64_t seed;   /* of the hash and of all jitter; a number that peers cannot guess */
    uint64_t now_ms;
    uint32_t refresh_percent; /* share of a route's life after which it is due; 100: never */
    uint32_t jitter_percent;  /* lives are shortened by up to this, and the due time is spread by it */
    uint32_t fresh_ms;        /* how long a route is fresh after it was seen to be right; 0: no route is */
};

/* What somebody says about a prefix. */
struct route_word {
    uint16_t cell;
    bool pinned;       /* set by an operator: wins over learned ones, is never due */
    bool from_store;   /* read from Redis, not learned here */
    uint64_t stamp_ms; /* when it was said; the newest word wins. Wall clock, less than 2^44 (year 2527) */
    uint64_t life_ms;  /* whole life when it was said */
    uint64_t left_ms;  /* what is left of it now; ROUTE_FOREVER: no end. A route lives no longer than this. */
    uint64_t seen_ms;  /* when it was seen to be right, on the clock of now_ms; 0: not known */
};

/* What the table knows. An open value, a copy. */
struct route {
    uint16_t cell;
    uint16_t key_length; /* of the prefix that matched, host included */
    bool pinned;
    bool from_store;
    bool due;   /* late in its life: the next response should refresh it */
    bool asked; /* route_table_asked was called since the word was put */
    bool fresh; /* it was seen to be right within fresh_ms, and not doubted since */
    uint64_t stamp_ms;
    uint64_t left_ms; /* of its life; ROUTE_FOREVER: no end */
    uint32_t handle;  /* the table's own; good until the table is changed */
};

/* A path under way through route_table_prefetch and route_table_get. Open only so that it can be on the stack. */
struct route_probe {
    const struct path *path;
    uint64_t hashes[PATH_MAX_DEPTH];
    uint16_t depths[PATH_MAX_DEPTH]; /* which ends are worth a look, longest first */
    uint16_t count;
};

/* An empty table within options.memory bytes; options are copied. NULL: out of memory. */
MUST_USE struct route_table *route_table_new(const struct route_table_options *options);

/* NULL is allowed. Takes time with the number of routes. */
void route_table_free(struct route_table *table);

/* New shares for words put from now on, and how long routes are fresh (a reload). */
void route_table_tune(struct route_table *table, uint32_t refresh_percent, uint32_t jitter_percent, uint32_t fresh_ms);

/* ---- lookup -------------------------------------------------------------------------------------------------------
 * For a batch: prefetch all, prefetch_routes all, get all. For one: prefetch, get. Between prefetch and get the table
 * may change; the path must stay. */

/* Hashes the prefixes that can be there at all and asks for their memory. */
void route_table_prefetch(const struct route_table *table, const struct path *path, struct route_probe *probe);

/* The second step of a batch; may be left out. */
void route_table_prefetch_routes(const struct route_table *table, const struct route_probe *probe);

/* The live route with the longest prefix. False: none, *route is untouched. Marks it as used. */
MUST_USE bool route_table_get(struct route_table *table, const struct route_probe *probe, uint64_t now_ms,
                              struct route *route);

/* The same, without marking it as used. */
MUST_USE bool route_table_peek(const struct route_table *table, const struct route_probe *probe, uint64_t now_ms,
                               struct route *route);

/* The live route of exactly this key; does not mark it as used. */
MUST_USE bool route_table_find(const struct route_table *table, const char *key, size_t length, uint64_t now_ms,
                               struct route *route);

/* Somebody was asked to refresh this route, just found: it is not due again for hold_ms (jittered). */
void route_table_asked(struct route_table *table, const struct route *route, uint64_t hold_ms, uint64_t now_ms);

/* A request goes to the cell of this route, just found: unless a redirect of it is told (route_table_doubted), the
 * route was seen to be right now. Kept to the second, so that a route in use is not written to each time. */
void route_table_seen(struct route_table *table, const struct route *route, uint64_t now_ms);

/* The route of this key, if it has this cell, met a redirect: it is not fresh until it is seen to be right again. */
void route_table_doubted(struct route_table *table, const char *key, size_t length, uint16_t cell, uint64_t now_ms);

/* ---- change ----------------------------------------------------------------------------------------------------- */

enum route_put {
    ROUTE_PUT_NEW,       /* there was no live route of this key */
    ROUTE_PUT_MOVED,     /* the key had another cell */
    ROUTE_PUT_REFRESHED, /* same cell; life, stamp and flags are the new ones */
    ROUTE_PUT_OLDER,     /* refused: what is there was said later, or at the same time and this is not from the store */
    ROUTE_PUT_PINNED,    /* refused: what is there is pinned and this is not */
    ROUTE_PUT_BAD,       /* refused: no key, too long, too deep, no such cell number, or no life left */
    ROUTE_PUT_NO_ROOM    /* refused: malloc failed, or the limit is too small for this key */
};

/* Stores a word. formerp: NULL, or set to the cell of the live route that was there, or to CELL_NONE. When the table is
 * full, other routes go: first of the same cell when that one uses more than its fair share, else of the cell that uses
 * the most; longest unused first, pinned ones last. */
MUST_USE enum route_put route_table_put(struct route_table *table, const char *key, size_t length,
                                        const struct route_word *word, uint64_t now_ms, uint16_t *formerp);

/* Drops the route of this key, when its cell is expected or expected is CELL_NONE. True: a live route went. */
bool route_table_forget(struct route_table *table, const char *key, size_t length, uint16_t expected, uint64_t now_ms);

/* Drops all routes of a cell, pinned ones too. Their memory comes back step by step. */
void route_table_forget_cell(struct route_table *table, uint16_t cell);

/* Drops everything. Memory comes back step by step, for other routes: it is not given back to the system. */
void route_table_flush(struct route_table *table);

/* No route that is not pinned, and was put before now, lives longer than life_ms from now on. */
void route_table_distrust(struct route_table *table, uint64_t life_ms, uint64_t now_ms);

/* The cells have new numbers: what was i is map[i]; CELL_NONE and numbers >= count: gone with all their routes. */
void route_table_remap(struct route_table *table, const uint16_t *map, size_t count);

/* Gives back the memory of routes that are dead; call it now and then. Looks at about steps routes. */
void route_table_sweep(struct route_table *table, size_t steps, uint64_t now_ms);

/* ---- looking in ------------------------------------------------------------------------------------------------- */

struct route_table_stats {
    uint64_t routes; /* those whose life has ended count until they are swept */
    uint64_t pinned; /* of them */
    uint64_t bytes;  /* taken from the system, all included */
    uint64_t limit;
    uint64_t evicted; /* since the start: dropped for want of room */
    uint64_t expired; /* since the start: swept or replaced after the end of their life */
};

/* A copy, as of now. */
struct route_table_stats route_table_stats(const struct route_table *table);

/* Routes of one cell. */
uint64_t route_table_cell_routes(const struct route_table *table, uint16_t cell);

/* A place in a listing; {0} is its start. */
struct route_cursor {
    uint64_t next;
};

/* One live route; key is not zero-ended and lives only during the call. The table must not be changed in it. */
typedef void route_visit(void *user, const char *key, size_t length, const struct route *route);

/* Visits the routes of a part of the table, some 6 a step; call again until false. The table may change between calls:
 * a route that is there all the time is visited at least once, twice when the table grew. */
bool route_table_list(const struct route_table *table, struct route_cursor *cursor, size_t steps, uint64_t now_ms,
                      route_visit *visit, void *user);

#endif
