/* agent/daemon/daemon_http.c - what each page of the HTTP endpoint shows. They read, and change nothing. */
#include "agent/daemon/daemon_http.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/daemon_private.h"
#include "agent/http/status_page.h"

static unsigned print_metrics(void *user, const char *argument, FILE *out)
{
    struct daemon *daemon = user;
    (void)argument;
    daemon_sample(daemon);
    counters_print_metrics(&daemon->counters, out);
    return 200;
}

/* It answers, so it is alive. */
static unsigned print_health(void *user, const char *argument, FILE *out)
{
    (void)user;
    (void)argument;
    fputs("ok\n", out);
    return 200;
}

/* Redis and level 0 are optional: without them an agent is ready, too. */
static unsigned print_ready(void *user, const char *argument, FILE *out)
{
    const struct daemon *daemon = user;
    (void)argument;
    fputs(daemon->draining ? "draining\n" : "ready\n", out);
    return daemon->draining ? 503 : 200;
}

/* What a lookup of the path finds, to be freed; NULL: nobody asked, or out of memory. */
static char *explain(const struct daemon *daemon, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = path[0] ? open_memstream(&text, &size) : NULL;
    if (!out)
        return NULL;
    router_explain(daemon->router, path, "", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static struct status_cell *view_cells(const struct daemon *daemon)
{
    const struct config *config = daemon->config;
    struct status_cell *cells = calloc(config->cell_count, sizeof *cells);
    for (size_t i = 0; cells && i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        cells[i] = (struct status_cell){.id = cell->id,
                                        .name = cell->name,
                                        .region = cell->region,
                                        .answers = (unsigned)cell->answers,
                                        .servers = cell->servers.count,
                                        .routes = router_cell_routes(daemon->router, cell->id)};
    }
    return cells;
}

static unsigned print_status(void *user, const char *argument, FILE *out)
{
    struct daemon *daemon = user;
    struct status_cell *cells = view_cells(daemon);
    if (!cells)
        return 503;
    daemon_sample(daemon);
    char *explanation = explain(daemon, argument);
    char limits[400];
    limits_reader_complain(daemon->limits, limits, sizeof limits);
    const struct status_view view = {.version = CELLROUTER_VERSION,
                                     .router = daemon->started->router,
                                     .region = daemon->config->region,
                                     .file = daemon->config->file,
                                     .draining = daemon->draining,
                                     .has_redis = daemon->store,
                                     .has_level0 = daemon->level0,
                                     .limits = limits,
                                     .counters = &daemon->counters,
                                     .history = &daemon->history,
                                     .cells = cells,
                                     .cell_count = daemon->config->cell_count,
                                     .asked = explanation ? argument : "",
                                     .explanation = explanation ? explanation : ""};
    status_page_print(&view, out);
    free(explanation);
    free(cells);
    return 200;
}

const struct http_page daemon_pages[] = {
    {"/", "text/html; charset=utf-8", print_status},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", print_metrics},
    {"/healthz", "text/plain; charset=utf-8", print_health},
    {"/readyz", "text/plain; charset=utf-8", print_ready},
    {NULL, NULL, NULL},
};
