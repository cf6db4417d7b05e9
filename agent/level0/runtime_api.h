/* agent/level0/runtime_api.h - brings the changes of the hot map to one HAProxy process, over its runtime socket (level
 * admin). Source: HAProxy management manual 2.6, section 9.3: prompt, show info, show map, add map, del map, clear map.
 *
 * Each batch of changes has a connection of its own, which first asks whose it is: one that stays open would stay with
 * the old worker after a reload. A worker not met before is brought in line as a whole: its map is read, what is wrong
 * there deleted, what is missing added; when much is wrong, it is cleared first. At every moment its entries are right,
 * or are about to be deleted. HAProxy's map versions (prepare, commit) are not used: while two of them are there, 2.6's
 * map_beg finds entries of other prefixes, and 3.0's and 3.2's skip the longest one (src/pattern.c, pat_match_beg).
 *
 * Nobody waits for this: it runs on the loop, with a deadline for each step, and comes back after failures. */
#ifndef CELLROUTER_AGENT_LEVEL0_RUNTIME_API_H
#define CELLROUTER_AGENT_LEVEL0_RUNTIME_API_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "agent/level0/hot_map.h"
#include "base/attributes.h"

struct ev_loop;
struct runtime_api;

struct runtime_api_counts {
    uint64_t batches, adds, dels, resyncs, errors;
};

struct runtime_api_event {
    enum { RUNTIME_API_SYNCED, RUNTIME_API_FAILED } what;
    const char *address;
    const char *why; /* RUNTIME_API_FAILED: one line */
    uint64_t pid;
    uint64_t adds, dels; /* RUNTIME_API_SYNCED: of the resync */
};

struct runtime_api_options {
    const char *address;  /* "unix:/path", "host:port"; the texts must live as long as the runtime */
    const char *map_file; /* HAProxy's name of the map */
    struct hot_map *map;
    const struct cells *const *cells;  /* where the cells in use stand */
    struct runtime_api_counts *counts; /* sums of all; the runtime adds to them */
    uint64_t seed;
    void (*on_event)(void *user,
                     const struct runtime_api_event *event); /* a failure is told once until the next success */
    /* Until the process was in line for the first time: it has an entry that the hot map does not know. True: the hot
     * map took it in, with hot_map_inherit(). NULL: such entries are deleted, as all are that are found later. */
    bool (*on_found)(void *user, int target, const char *key, size_t length, uint16_t cell);
    void *user;
};

/* Makes the process a target of the hot map; the first batch begins at once. options are copied, what they point to
 * must outlive the runtime. NULL: out of memory, or too many targets. An address that does not resolve fails later,
 * again and again. */
MUST_USE struct runtime_api *runtime_api_new(struct ev_loop *loop, const struct runtime_api_options *options);

/* Leaves HAProxy's map as it is. NULL is allowed. */
void runtime_api_free(struct runtime_api *runtime);

/* The hot map changed: the next batch comes in time for it, at the latest in half a second. During a backoff it
 * waits. */
void runtime_api_poke(struct runtime_api *runtime);

/* Whether deleting takes this process time with the size of its map: HAProxy before 3.0. */
bool runtime_api_is_linear(const struct runtime_api *runtime);

/* Whether the process has all changes, as far as is known: the last batch went well, and there is nothing to tell. */
bool runtime_api_is_synced(const struct runtime_api *runtime);

#endif
