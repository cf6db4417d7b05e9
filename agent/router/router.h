/* agent/router/router.h - a request's way through the agent: SPOE messages in, ACKs out, with the route table, the
 * store, the decision and the learning in between. It owns cells, table and damping; server, store, loop and clocks are
 * the caller's.
 *
 * SPOE messages (haproxy/cellrouter-spoe.conf; arguments by name, unknown ones are skipped):
 *   lookup  path (string), host (string, may be missing)
 *           -> cell (string, when known), learn (bool), level (int32: 1, 2, or 0 for unknown)
 *   learn, learn-direct, stale
 *           path, host, cell (string: id of the cell that answered), cache (string or nothing: the directive),
 *           from (string or nothing: the cell that the lookup named), redirected (bool)
 *           -> done (bool)
 *   hide    elapsed (int, ms: age of the request; may be missing)
 *           -> done (bool), when the time of the cell's 404 or 403 has come
 * A lookup that nobody can answer, or that makes no sense, is acknowledged as "unknown", and counted. */
#ifndef CELLROUTER_AGENT_ROUTER_ROUTER_H
#define CELLROUTER_AGENT_ROUTER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "agent/report/counters.h"
#include "agent/level0/level0.h"
#include "agent/routes/route_table.h"
#include "base/attributes.h"
#include "redis/store.h"
#include "spoe/session.h"

struct router;

struct router_options {
    const struct config *config; /* must live until the next router_reload or router_free */
    struct counters *counters;   /* as long as the router, like the rest */
    struct log *log;             /* NULL: no lines */
    uint64_t seed;               /* random */
    uint64_t (*now_ms)(void);    /* monotonic, the clock that the spoe_server uses */
    uint64_t (*wall_ms)(void);   /* since 1970 */
};

/* NULL: out of memory. */
MUST_USE struct router *router_new(const struct router_options *options);

/* Every call must be over: free the spoe_server before. The store must be freed before, too. NULL is allowed. */
void router_free(struct router *router);

/* Puts another configuration in use; what of it needs a restart is left as it is. Routes of cells that are gone are
 * dropped. Returns 0, or -1 when memory was short: then the old one stays in use. */
MUST_USE int router_reload(struct router *router, const struct config *config);

/* NULL: routes are not shared (any more). Lookups that wait must be over. */
void router_set_store(struct router *router, struct route_store *store);

/* NULL: no level 0 (any more). It learns of the cells at once. */
void router_set_level0(struct router *router, struct level0 *level0);

/* The ask of struct level0_options; user is the router. */
bool router_ask(void *user, const char *key, size_t length);

/* What the SPOE server and the store call; user is the router. */
struct spoe_handler router_spoe_handler(struct router *router);
struct route_store_handler router_store_handler(void);

/* Once a second: gives back the memory of dead routes. */
void router_tick(struct router *router);

/* When router_release is due next; UINT64_MAX: never. Only on_notify brings it nearer. */
uint64_t router_next_release_ms(const struct router *router);

/* Acknowledges the hide messages whose time has come. */
void router_release(struct router *router);

/* Brings the counters that others keep (store, table, damping) up to date, before somebody reads them. */
void router_sample(struct router *router);

/* What kept the store from Redis last, a sentence without its end; "" when it is connected. Good until the next turn of
 * the loop. */
const char *router_store_trouble(const struct router *router);

/* ---- for operators ---------------------------------------------------------------------------------------------- */

/* One step of a listing of all live routes; see route_table_list. */
bool router_list(struct router *router, struct route_cursor *cursor, route_visit *visit, void *user);

/* Routes of this cell in memory; 0 for a cell that is not configured. */
uint64_t router_cell_routes(const struct router *router, const char *id);

/* Id of a cell in a listing, zero-ended, good until the next router_reload; "?" for CELL_NONE. */
const char *router_cell_id(const struct router *router, uint16_t cell);

enum router_forget {
    ROUTER_FORGOTTEN, /* it was in memory; Redis was told, too */
    ROUTER_ASKED,     /* it was not in memory; Redis is being asked, and forgets what it has */
    ROUTER_NOT_KNOWN, /* it was not in memory, and there is nobody else to ask */
    ROUTER_BAD_PREFIX /* why: path_verdict_text(*verdictp), or OK for "no prefix of whole segments" */
};

/* Drops the route of exactly this prefix, here and in the store. With routes.hosts the prefix is host/path/. */
MUST_USE enum router_forget router_forget(struct router *router, const char *prefix, enum path_verdict *verdictp);

/* Drops all routes in memory; the store keeps them. Returns how many there were. */
uint64_t router_flush(struct router *router);

/* Says in a few lines what a lookup of this path would be answered now, and why. Changes nothing, asks nobody. */
void router_explain(struct router *router, const char *path, const char *host, FILE *out);

#endif
