/* agent/daemon/daemon_admin.c - the commands of the admin socket: what each prints, and what it has the parts do. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/daemon/daemon_private.h"
#include "base/clock.h"

static void show_info(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    daemon_sample(daemon);
    const struct counters *counters = &daemon->counters;
    fprintf(out, "version %s\nrouter %s\nregion %s\npid %ld\nuptime %" PRIu64 "\nfile %s\nstate %s\n",
            CELLROUTER_VERSION, daemon->started->router, daemon->config->region, (long)getpid(),
            counters->values[COUNTER_UPTIME_SECONDS], daemon->config->file, daemon->draining ? "draining" : "serving");
    for (size_t i = 0; i < daemon->started->spoe.listen.count; i++)
        fprintf(out, "listen %s\n", daemon->started->spoe.listen.items[i]);
    fprintf(out, "redis %s\n",
            !daemon->store                              ? "none"
            : counters->values[COUNTER_STORE_connected] ? "connected"
                                                        : "away");
    if (daemon->store)
        fprintf(out, "redis-address %s\n", daemon->started->redis.address);
    if (daemon->store && !counters->values[COUNTER_STORE_connected] && router_store_trouble(daemon->router)[0])
        fprintf(out, "redis-error %s\n", router_store_trouble(daemon->router));
    if (daemon->store && daemon->started->redis.read_address[0])
        fprintf(out, "redis primary %s\n", counters->values[COUNTER_STORE_writable] ? "connected" : "away");
    fprintf(out, "cells %" PRIu64 "\nroutes %" PRIu64 "\nmemory %" PRIu64 " of %" PRIu64 "\n",
            counters->values[COUNTER_CELLS], counters->values[COUNTER_ROUTES], counters->values[COUNTER_ROUTES_BYTES],
            counters->values[COUNTER_ROUTES_BYTES_MAX]);
}

static void show_counters(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    daemon_sample(daemon);
    counters_print(&daemon->counters, out);
}

static void show_metrics(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    daemon_sample(daemon);
    counters_print_metrics(&daemon->counters, out);
}

static void show_cells(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    const struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    for (size_t i = 0; i < daemon->config->cell_count; i++) {
        const struct config_cell *cell = &daemon->config->cells[i];
        fprintf(out, "%s region=%s answers=%d servers=%zu name=\"%s\"\n", cell->id, cell->region, (int)cell->answers,
                cell->servers.count, cell->name);
    }
}

static void show_haproxy(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    const struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    limits_reader_print(daemon->limits, out);
    limits_reader_hurry(daemon->limits);
}

/* ---- show routes ------------------------------------------------------------------------------------------------ */

enum {
    LISTING_PENDING = 32768, /* bytes that are made before they are taken */
    LISTING_STEPS = 2000,    /* of the table in one turn of the loop: well below a millisecond */
};

static const char ROUTE_FILTERS[] =
    "a prefix (/a/ or host/a/), cell=ID, from=redis, from=learning, pinned, older=SECONDS, younger=SECONDS";

/* Which routes are listed; NULL, false and the widest ages let all through. The words are the listing's. */
struct route_filter {
    const char *prefix, *cell, *from;
    bool pinned;
    uint64_t older_s, younger_s;
};

struct listing {
    struct daemon *daemon;
    struct route_cursor cursor;
    bool more;
    char *pending;
    size_t at, length, room;
    struct route_filter filter;
    char words[];
};

static const char *source_of(const struct route *route)
{
    return route->from_store ? "redis" : "learning";
}

static bool has_cell(const struct daemon *daemon, const char *id)
{
    for (size_t i = 0; i < daemon->config->cell_count; i++)
        if (strcmp(daemon->config->cells[i].id, id) == 0)
            return true;
    return false;
}

static bool read_seconds(const char *text, uint64_t *secondsp)
{
    size_t length = strspn(text, "0123456789");
    if (!length || length > 9 || text[length])
        return false;
    *secondsp = strtoull(text, NULL, 10);
    return true;
}

/* One word of the command. NULL: it is in the filter now; else what is wrong with it. */
static const char *read_filter(const struct daemon *daemon, const char *word, struct route_filter *filter)
{
    char end = word[strcspn(word, "/.=")];
    if (end == '/' || end == '.') { /* only a prefix has these first: those of a path or of a host */
        if (filter->prefix)
            return "a second prefix";
        filter->prefix = word;
        return NULL;
    }
    if (strcmp(word, "pinned") == 0) {
        filter->pinned = true;
        return NULL;
    }
    if (strncmp(word, "cell=", 5) == 0) {
        filter->cell = word + 5;
        return has_cell(daemon, filter->cell) ? NULL : "no such cell (show cells)";
    }
    if (strncmp(word, "from=", 5) == 0) {
        filter->from = word + 5;
        return strcmp(filter->from, "redis") == 0 || strcmp(filter->from, "learning") == 0 ? NULL : "no such source";
    }
    if (strncmp(word, "older=", 6) == 0)
        return read_seconds(word + 6, &filter->older_s) ? NULL : "not a number of seconds";
    if (strncmp(word, "younger=", 8) == 0)
        return read_seconds(word + 8, &filter->younger_s) ? NULL : "not a number of seconds";
    return "no such filter";
}

static bool passes(const struct listing *listing, const char *key, size_t length, const struct route *route)
{
    const struct route_filter *filter = &listing->filter;
    size_t prefix = filter->prefix ? strlen(filter->prefix) : 0;
    if (length < prefix || (prefix && memcmp(key, filter->prefix, prefix) != 0))
        return false;
    if (filter->pinned && !route->pinned)
        return false;
    if (filter->from && strcmp(filter->from, source_of(route)) != 0)
        return false;
    if (filter->cell && strcmp(filter->cell, router_cell_id(listing->daemon->router, route->cell)) != 0)
        return false;
    uint64_t now_ms = clock_wall_ms(); /* may be behind another router's, whose stamp it is */
    uint64_t age_s = now_ms > route->stamp_ms ? (now_ms - route->stamp_ms) / 1000 : 0;
    return age_s >= filter->older_s && age_s < filter->younger_s;
}

static void on_route(void *user, const char *key, size_t length, const struct route *route)
{
    struct listing *listing = user;
    if (!passes(listing, key, length, route))
        return;
    char details[300], left[40] = "";
    if (route->left_ms != ROUTE_FOREVER)
        snprintf(left, sizeof left, " left=%" PRIu64, route->left_ms / 1000);
    int n = snprintf(details, sizeof details, " %s%s from=%s%s%s%s%s\n",
                     router_cell_id(listing->daemon->router, route->cell), left, source_of(route),
                     route->from_store ? "" : " learned-by=", route->from_store ? "" : listing->daemon->started->router,
                     route->pinned ? " pinned" : "", route->due ? " due" : "");
    size_t needed = listing->length + length + (size_t)n;
    if (needed > listing->room) {
        char *grown = realloc(listing->pending, 2 * needed);
        if (!grown)
            return; /* a line is missing: better than the end of the daemon */
        listing->pending = grown;
        listing->room = 2 * needed;
    }
    memcpy(listing->pending + listing->length, key, length);
    memcpy(listing->pending + listing->length + length, details, (size_t)n);
    listing->length = needed;
}

static bool listing_step(void *state, char *out, size_t room, size_t *lengthp)
{
    struct listing *listing = state;
    if (listing->at == listing->length) {
        listing->at = listing->length = 0;
        for (int i = 0; i < LISTING_STEPS && listing->more && listing->length < LISTING_PENDING; i++)
            listing->more = router_list(listing->daemon->router, &listing->cursor, on_route, listing);
    }
    size_t n = listing->length - listing->at < room ? listing->length - listing->at : room;
    if (n)
        memcpy(out, listing->pending + listing->at, n);
    listing->at += n;
    *lengthp = n;
    return listing->more || listing->at < listing->length;
}

static void listing_done(void *state)
{
    struct listing *listing = state;
    free(listing->pending);
    free(listing);
}

static void show_routes(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    size_t length = strlen(argument);
    struct listing *listing = calloc(1, sizeof *listing + length + 1);
    if (!listing) {
        fprintf(out, "error: out of memory\n");
        return;
    }
    listing->daemon = user;
    listing->more = true;
    listing->filter.younger_s = UINT64_MAX;
    memcpy(listing->words, argument, length + 1);
    char *rest = NULL;
    for (char *word = strtok_r(listing->words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const char *wrong = read_filter(listing->daemon, word, &listing->filter);
        if (!wrong)
            continue;
        fprintf(out, "error: %s: %s; filters are %s\n", word, wrong, ROUTE_FILTERS);
        free(listing);
        return;
    }
    *stream = (struct admin_stream){.step = listing_step, .done = listing_done, .state = listing};
}

/* ---- changing --------------------------------------------------------------------------------------------------- */

static void forget(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    enum path_verdict verdict = PATH_OK;
    (void)stream;
    log_write(daemon->log, REASON_ADMIN_COMMAND, LOG_FIELDS(LOG_STR("command", "forget"), LOG_STR("prefix", argument)));
    switch (router_forget(daemon->router, argument, &verdict)) {
    case ROUTER_FORGOTTEN: fprintf(out, "forgotten%s\n", daemon->store ? ", here and in Redis" : ""); return;
    case ROUTER_ASKED: fprintf(out, "not in memory; Redis is told to forget what it has\n"); return;
    case ROUTER_NOT_KNOWN: fprintf(out, "error: no such route is known\n"); return;
    case ROUTER_BAD_PREFIX: break;
    }
    if (verdict == PATH_OK)
        fprintf(out, "error: a prefix has one to routes.max-depth segments\n");
    else
        fprintf(out, "error: this prefix %s\n", path_verdict_text(verdict));
}

static void flush(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    log_write(daemon->log, REASON_ADMIN_COMMAND, LOG_FIELDS(LOG_STR("command", "flush")));
    fprintf(out, "%" PRIu64 " routes dropped from memory%s\n", router_flush(daemon->router),
            daemon->store ? "; Redis keeps its own" : "");
}

static void explain(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    char path[ADMIN_LINE_MAX];
    (void)stream;
    size_t length = strcspn(argument, " ");
    memcpy(path, argument, length);
    path[length] = '\0';
    router_explain(daemon->router, path, argument + length + strspn(argument + length, " "), out);
}

static void reload(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    struct daemon *daemon = user;
    (void)argument;
    (void)stream;
    uint64_t refused = daemon->counters.values[COUNTER_RELOADS_REFUSED];
    daemon_reload(daemon);
    if (daemon->counters.values[COUNTER_RELOADS_REFUSED] != refused)
        fprintf(out, "error: the old configuration stays in use; the log says why, and so does cellctl check\n");
    else
        fprintf(out, "the new configuration is in use\n");
}

const struct admin_command daemon_commands[] = {
    {"show info", NULL, "print version, router and state", show_info},
    {"show counters", NULL, "print all counters, one a line", show_counters},
    {"show metrics", NULL, "print them in the format of Prometheus", show_metrics},
    {"show cells", NULL, "print the configured cells", show_cells},
    {"show haproxy", NULL, "print the limits of each HAProxy process, and what is wrong with them", show_haproxy},
    {"show routes", "[PREFIX] [FILTER…]",
     "print routes in memory: cell=, from=, pinned, older=, younger=", show_routes},
    {"explain", "PATH [HOST]", "print what a lookup of PATH finds, and why", explain},
    {"forget", "PREFIX", "drop one route here and in Redis, and so at every router", forget},
    {"flush", NULL, "drop all routes in this agent's memory", flush},
    {"reload", NULL, "read the configuration again, as SIGHUP does", reload},
    {NULL, NULL, NULL, NULL},
};
