/* agent/level0/level0.h - level 0: the routes in use stand in HAProxy's own map. Puts together what decides
 * (agent/level0/hot_map.h), what talks to each HAProxy process (agent/level0/runtime_api.h) and the file for a starting
 * one (agent/level0/map_file.h). docs/level0.md has the whole.
 *
 * Of several agents beside one HAProxy the one that holds the file's lock does it; the others are ready to take over.
 * All calls are cheap and allowed with level0 NULL: then there is no level 0. Keys are those of agent/routes/path.h. */
#ifndef CELLROUTER_AGENT_LEVEL0_LEVEL0_H
#define CELLROUTER_AGENT_LEVEL0_LEVEL0_H

#include <stddef.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "agent/config/config.h"
#include "agent/report/counters.h"
#include "agent/report/log.h"
#include "base/attributes.h"

struct ev_loop;
struct level0;

struct level0_options {
    const struct config_haproxy *config; /* of the start; must live as long as level 0, like the rest */
    struct counters *counters;
    struct log *log;
    uint64_t seed; /* random */
    uint64_t (*now_ms)(void);
    /* Asks who owns this route; level0_settle() or level0_doubt() brings the reply, maybe from within. False: not now.
     * NULL: nobody knows, and what a starting agent finds in HAProxy's map is taken out. */
    bool (*ask)(void *user, const char *key, size_t length);
    void *user;
    uint32_t doubt_ms; /* what is found stays so long without a reply */
};

/* After privileges were dropped: the file is made here when it is missing. NULL: out of memory. */
MUST_USE struct level0 *level0_new(struct ev_loop *loop, const struct level0_options *options);

/* HAProxy's map and the file stay as they are: a hit outlives the agent. */
void level0_free(struct level0 *level0);

/* The cells whose numbers the other calls use. map and count as of cells_map on a reload; NULL and 0: the first ones.
 * The cells before them may be freed afterwards. */
void level0_cells(struct level0 *level0, const struct cells *cells, const uint16_t *map, size_t count);

/* A lookup was answered with this route, which has left_ms to live and need not be refreshed. */
void level0_used(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t left_ms);

/* A cell's response taught this route. */
void level0_learned(struct level0 *level0, const char *key, size_t length, uint16_t cell);

/* The route changed, or is gone. */
void level0_forget(struct level0 *level0, const char *key, size_t length);

/* The route is in doubt: the agent has to be asked. */
void level0_withdraw(struct level0 *level0, const char *key, size_t length);

/* Redirects were met below this prefix of the cell: its requests take the replay pass for life_ms. */
void level0_undecided(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t life_ms);

/* Redirects were met at exactly this path, which is the cell's: the agent has to be asked for it. */
void level0_bar(struct level0 *level0, const char *key, size_t length, uint16_t cell);

/* The cell redirected a request for this path. */
void level0_redirected(struct level0 *level0, const char *path_key, size_t length, uint16_t cell);

/* The replies to an ask: this cell owns the route, which has left_ms to live, or CELL_NONE: no cell is known to. */
void level0_settle(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t left_ms);

/* The other reply: nobody could say; it is asked for again. */
void level0_doubt(struct level0 *level0, const char *key, size_t length);

/* All routes are gone: the map is emptied in every HAProxy process. */
void level0_flush(struct level0 *level0);

/* Changes may have been missed: no entry stays longer than life_ms. */
void level0_distrust(struct level0 *level0, uint64_t life_ms);

/* Brings the counters of level 0 up to date, before somebody reads them. */
void level0_sample(struct level0 *level0);

#endif
