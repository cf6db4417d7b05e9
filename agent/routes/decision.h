/* agent/routes/decision.h - what a lookup finds: which cell, known from where, and whether the response to this request
 * should be learned from. Pure. Source: docs/design.md 4 and 5.12. */
#ifndef CELLROUTER_AGENT_ROUTES_DECISION_H
#define CELLROUTER_AGENT_ROUTES_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/routes/doubts.h"
#include "agent/routes/path.h"
#include "agent/routes/route_table.h"

enum {
    DECISION_HOLD_MS = 5000, /* one request is asked to refresh a route; the next one only after this. Not tuned. */
};

struct decision {
    uint16_t cell; /* CELL_NONE: unknown */
    uint8_t level; /* 1 or 2; 0: unknown */
    bool learn;    /* HAProxy should tell of the response to this request */
    bool fresh; /* the route was seen to be right lately: even what cannot be replayed goes to the cell at once. Never
                      together with learn: of such a request no message would tell what it teaches */
    bool doubt; /* a redirect was met there lately: the replay pass, with this cell first. Then learn is true */
};

/* Decides out of level 1, for the path in probe, whose verdict was verdict. When the verdict is not OK: unknown,
 * learn false, and probe is not looked at. A miss of a path that has a prefix: learn true. "/" has none: learn false.
 * route: NULL, or set to the route found. When the decision is to learn about a known route, the table is told
 * (route_table_asked), and unless it is in doubt, that the route was seen (route_table_seen). *why is set when the
 * decision is in doubt. */
struct decision decision_level1(struct route_table *table, const struct doubts *doubts, enum path_verdict verdict,
                                const struct route_probe *probe, uint64_t now_ms, struct route *route,
                                struct doubt *why);

/* Decides about a word that the store just gave, whether or not it also went into the table. refresh_percent as in
 * route_table_options; fresh: its cell said it lately; doubt: doubts say so. */
struct decision decision_level2(const struct route_word *word, uint32_t refresh_percent, bool fresh, bool doubt);

/* Decides when nobody knows, or nobody could be asked. */
struct decision decision_unknown(enum path_verdict verdict, const struct path *path);

#endif
