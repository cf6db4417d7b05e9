/* agent/http/status_page.h - the status page: what an operator looks at first, as one HTML text. Pure: a snapshot
 * comes in, HTML goes out. No script, nothing loaded from elsewhere; it asks the browser to load it again every few
 * seconds. */
#ifndef CELLROUTER_AGENT_HTTP_STATUS_PAGE_H
#define CELLROUTER_AGENT_HTTP_STATUS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/http/history.h"
#include "agent/report/counters.h"

/* The series of the history, in this order. */
enum status_series { STATUS_LEVEL1, STATUS_LEVEL2, STATUS_MISSES, STATUS_LEARNED, STATUS_MOVED, STATUS_SERIES };

struct status_cell {
    const char *id, *name, *region;
    unsigned answers; /* status of its redirects */
    size_t servers;
    uint64_t routes; /* in this agent's memory */
};

/* Everything is borrowed for the call. */
struct status_view {
    const char *version, *router, *region, *file;
    bool draining;
    bool has_redis, has_level0;
    const char *limits;              /* what is wrong with HAProxy's limits; "": nothing, as far as is known */
    const struct counters *counters; /* up to date */
    const struct history *history;
    const struct status_cell *cells;
    size_t cell_count;
    const char *asked;       /* the path that was searched for; "": none */
    const char *explanation; /* what a lookup of it finds, in lines of text */
};

/* The counters of the history's series, as of now. */
void status_series(const struct counters *counters, uint64_t series[STATUS_SERIES]);

/* Writes the page. Texts of the view may hold anything: they are escaped. A failed write is the caller's to notice. */
void status_page_print(const struct status_view *view, FILE *out);

#endif
