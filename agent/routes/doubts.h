/* agent/routes/doubts.h - which routes and paths met a redirect lately, so that their requests take the replay pass.
 * Pure, bounded memory; time is passed in. Source: docs/redirects.md.
 *
 * A redirect proves that a cell did not want this request, not that it lost the prefix: pages that depend on the user
 * live below claimed prefixes. So a redirect drops no route. It puts the route in doubt for a moment, and notes the
 * path as undecided, for longer each time that it happens again; another cell's claim is what moves a route. Every
 * doubt is about a prefix and one cell: when the route goes to another cell, what was said about the former one is
 * moot. */
#ifndef CELLROUTER_AGENT_ROUTES_DOUBTS_H
#define CELLROUTER_AGENT_ROUTES_DOUBTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/path.h"
#include "base/attributes.h"

enum {
    DOUBTS_MAX = 4096,             /* remembered at a time; of four with one place the one that ends first makes room */
    DOUBT_MS = 2000,               /* a route's first doubt, a path's first redirect: a client has come again by then */
    DOUBT_LONGEST_MS = 60000,      /* of a route that nobody confirms; and no new doubt for so long when all do */
    UNDECIDED_MS = 30000,          /* from a path's second redirect on; doubled when it is over and happens again */
    UNDECIDED_LONGEST_MS = 600000, /* what is asked for once in ten minutes may take the direct way once */
    UNDECIDED_SIBLINGS = 4,        /* redirecting paths below one segment of a route make the segment undecided */
};

struct doubts;

/* What a doubt is about. */
enum doubt_kind {
    DOUBT_ROUTE, /* the route with exactly this prefix */
    DOUBT_BELOW, /* every path below this prefix, itself included */
    DOUBT_PATH,  /* exactly this path */
};

/* One that began or was prolonged, for level 0 and for other routers. */
struct doubt {
    enum doubt_kind kind;
    uint16_t length; /* the first bytes of the path's key that it is about */
    uint64_t life_ms;
    bool known; /* others have heard enough: it has only become longer */
};

enum { DOUBT_NEWS = 3 }; /* a route, a path, the segment above it */

struct doubt_news {
    struct doubt doubts[DOUBT_NEWS];
    size_t count;
    bool damped;  /* the route stays trusted: its cell has confirmed it again and again */
    bool covered; /* the path was known as undecided: this redirect says nothing new about the route */
};

/* NULL without memory. */
MUST_USE struct doubts *doubts_new(uint64_t seed);

/* NULL is allowed. */
void doubts_free(struct doubts *doubts);

/* Forgets all: after a flush, or a reload, when cells may have new numbers. */
void doubts_clear(struct doubts *doubts);

/* The cell redirected a request for path, which the route with the first route_length bytes of its key sends there; 0:
 * it is not known which route. Fills *news. */
void doubts_redirected(struct doubts *doubts, const struct path *path, uint16_t route_length, uint16_t cell,
                       uint64_t now_ms, struct doubt_news *news);

/* Another router tells of a doubt, with life_ms left of it. */
void doubts_tell(struct doubts *doubts, enum doubt_kind kind, const char *key, size_t length, uint16_t cell,
                 uint64_t life_ms, uint64_t now_ms);

/* The cell claims the route of this key, which it has. True: the route was in doubt, and is trusted again. */
bool doubts_trust(struct doubts *doubts, const char *key, size_t length, uint16_t cell, uint64_t now_ms);

/* Whether a request for path, whose route has the first route_length bytes of its key and this cell, takes the replay
 * pass. Fills *why then, with what is left of its life: an undecided path or segment rather than the route. */
MUST_USE bool doubts_has(const struct doubts *doubts, const struct path *path, uint16_t route_length, uint16_t cell,
                         uint64_t now_ms, struct doubt *why);

/* The same before the route is known: the longest prefix that is in doubt, 0: none. Sets *cell then. A route that is
 * longer, or of another cell, is not in doubt. */
MUST_USE uint16_t doubts_longest(const struct doubts *doubts, const struct path *path, uint64_t now_ms, uint16_t *cell);

struct doubts_stats {
    uint64_t routes;    /* routes that came in doubt */
    uint64_t trusted;   /* of them, those that their cell confirmed */
    uint64_t damped;    /* redirects that put no route in doubt, because its cell had just confirmed it */
    uint64_t undecided; /* paths and segments that became undecided */
    uint64_t told;      /* doubts that others told of */
};

/* What was counted since the start. */
struct doubts_stats doubts_stats(const struct doubts *doubts);

#endif
