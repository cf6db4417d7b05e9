/* agent/router/router.c - the router's parts and their options; batches of NOTIFYs in three passes; keeping and
 * counting. What a lookup leads to is router_lookup.c, what a response teaches router_learn.c, what the store tells
 * router_store.c, and what operators ask router_operator.c. */
#include "agent/router/router.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/router/router_private.h"

enum {
    SWEEP_STEPS =
        4096, /* routes that a tick looks at: a table of 10M is through in 40 min, by life far longer. Not tuned. */
};

/* ---- configuration ---------------------------------------------------------------------------------------------- */

static struct cells *cells_of(const struct config *config)
{
    struct cells *cells = cells_new();
    for (size_t i = 0; cells && i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        if (cells_add(cells, cell->id, cell->name, cell->region) == CELLS_OK)
            continue;
        cells_free(cells); /* the configuration was checked: this is want of memory */
        return NULL;
    }
    return cells;
}

static struct damping_options damping_of(const struct config_routes *routes, uint64_t seed)
{
    return (struct damping_options){.seed = seed,
                                    .moves = routes->moves,
                                    .damp_ms = routes->damp_s * 1000,
                                    .claims_per_cell = routes->claims_per_cell};
}

/* What needs a restart keeps its first value: hosts and fold-case, for the keys in memory are made with them. */
static void use(struct router *router, const struct config *config, bool first)
{
    const struct config_routes *routes = &config->routes;
    router->config = config;
    router->paths.max_length = routes->max_path;
    router->paths.max_depth = routes->max_depth;
    if (first) {
        router->paths.hosts = routes->hosts;
        router->paths.fold_case = routes->fold_case;
    }
    router->learning = (struct learning_options){.paths = &router->paths,
                                                 .refused = (const char *const *)routes->refused.items,
                                                 .refused_count = routes->refused.count,
                                                 .lifetime_s = routes->lifetime_s,
                                                 .lifetime_min_s = routes->lifetime_min_s,
                                                 .lifetime_max_s = routes->lifetime_max_s};
}

static void hide_as(struct router *router, const struct config *config)
{
    const struct config_hidden *wanted = &config->hidden;
    struct hidden_limits limits = {.min_ms = wanted->min_ms, .max_ms = wanted->max_ms, .most = wanted->most};
    hidden_set(router->hidden, &limits);
}

struct router *router_new(const struct router_options *options)
{
    const struct config_routes *routes = &options->config->routes;
    struct router *router = calloc(1, sizeof *router);
    if (!router)
        return NULL;
    router->counters = options->counters;
    router->log = options->log;
    router->now_ms = options->now_ms;
    router->wall_ms = options->wall_ms;
    use(router, options->config, true);
    struct route_table_options table = {.memory = routes->memory,
                                        .seed = options->seed,
                                        .now_ms = options->now_ms(),
                                        .refresh_percent = routes->refresh_percent,
                                        .jitter_percent = routes->jitter_percent,
                                        .fresh_ms = routes->fresh_s * 1000};
    struct damping_options damping = damping_of(routes, options->seed);
    router->cells = cells_of(options->config);
    router->acks = router->cells ? prepared_acks_new(router->cells) : NULL;
    router->table = route_table_new(&table);
    router->doubts = doubts_new(options->seed);
    router->damping = damping_new(&damping);
    router->hidden = hidden_new(options->seed);
    if (router->acks && router->table && router->doubts && router->damping && router->hidden) {
        hide_as(router, options->config);
        return router;
    }
    router_free(router);
    return NULL;
}

void router_free(struct router *router)
{
    if (!router)
        return;
    cells_free(router->cells);
    prepared_acks_free(router->acks);
    route_table_free(router->table);
    doubts_free(router->doubts);
    damping_free(router->damping);
    hidden_free(router->hidden);
    while (router->blocks) {
        struct wait_block *block = router->blocks;
        router->blocks = block->next;
        free(block);
    }
    free(router);
}

int router_reload(struct router *router, const struct config *config)
{
    struct cells *cells = cells_of(config);
    struct prepared_acks *acks = cells ? prepared_acks_new(cells) : NULL;
    uint16_t *map = calloc(cells_count(router->cells) + 1, sizeof *map);
    if (!acks || !map) {
        cells_free(cells);
        prepared_acks_free(acks);
        free(map);
        return -1;
    }
    cells_map(router->cells, cells, map);
    route_table_remap(router->table, map, cells_count(router->cells));
    level0_cells(router->level0, cells, map, cells_count(router->cells));
    free(map);
    doubts_clear(router->doubts);
    cells_free(router->cells);
    prepared_acks_free(router->acks);
    router->cells = cells;
    router->acks = acks;
    use(router, config, false);
    hide_as(router, config);
    route_table_tune(router->table, config->routes.refresh_percent, config->routes.jitter_percent,
                     config->routes.fresh_s * 1000);
    struct damping_options damping = damping_of(&config->routes, 0);
    damping_reset(router->damping, &damping);
    return 0;
}

void router_set_store(struct router *router, struct route_store *store)
{
    router->store = store;
}

void router_set_level0(struct router *router, struct level0 *level0)
{
    router->level0 = level0;
    level0_cells(level0, router->cells, NULL, 0);
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

/* Whether the lookup of this request has a path that the table can be asked for. */
static bool has_path(const struct request *request)
{
    return request->lookup && !request->malformed && request->path_given && request->verdict == PATH_OK;
}

static void prepare(struct router *router, size_t i)
{
    struct request *request = &router->requests[i];
    if (!request->lookup || request->malformed || !request->path_given)
        return;
    request->verdict = path_parse(&request->parsed, &router->paths, request->path, request->host, router->keys[i],
                                  sizeof router->keys[i]);
    if (request->verdict == PATH_OK)
        route_table_prefetch(router->table, &request->parsed, &request->probe);
}

/* What is to be learned comes first: it changes the table. Then the paths of the whole batch are hashed, and their
 * memory asked for, before the first is looked up: so the lookups do not wait for memory one after the other. */
static void on_notify(void *user, struct spoe_notify *batch, size_t n)
{
    struct router *router = user;
    uint64_t now_ms = router->now_ms();
    for (size_t i = 0; i < n; i++) {
        router_read_messages(router, &batch[i], &router->requests[i]);
        router->told = false;
        if (router->requests[i].learn)
            router_learn(router, &router->requests[i], now_ms);
        router->requests[i].told = router->told;
    }
    for (size_t i = 0; i < n; i++)
        prepare(router, i);
    for (size_t i = 0; i < n; i++)
        if (has_path(&router->requests[i]))
            route_table_prefetch_routes(router->table, &router->requests[i].probe);
    for (size_t i = 0; i < n; i++)
        router_respond(router, &router->requests[i], now_ms, router->requests[i].learn);
}

/* "learn" is true: nobody knows whether the response would teach anything, so HAProxy had better tell of it. */
static const struct spop_action unknown[] = {
    {.kind = SPOP_SET_VAR,
     .scope = SPOP_TRANSACTION,
     .name = {"learn", sizeof "learn" - 1},
     .value = {.type = SPOP_BOOL, .boolean = true}},
};

struct spoe_handler router_spoe_handler(struct router *router)
{
    return (struct spoe_handler){.user = router,
                                 .on_notify = on_notify,
                                 .on_cancel = router_on_cancel,
                                 .unknown = unknown,
                                 .unknown_count = sizeof unknown / sizeof unknown[0]};
}

/* ---- keeping and counting --------------------------------------------------------------------------------------- */

void router_tick(struct router *router)
{
    route_table_sweep(router->table, SWEEP_STEPS, router->now_ms());
}

static void sample_store(struct router *router)
{
    const struct route_store_counters *store = route_store_counters(router->store);
    struct counters *counters = router->counters;
#define STORE_COUNTER(field, text) counter_set(counters, COUNTER_STORE_##field, store->field);
#define STORE_GAUGE(field, text) counter_set(counters, COUNTER_STORE_##field, store->field);
#include "redis/counters.def"
#undef STORE_COUNTER
#undef STORE_GAUGE
    for (int i = 0; i < STORE_REASON_COUNT; i++)
        counter_set(counters, (enum counter)(COUNTER_STORE_REASON_NONE + i), store->reasons[i]);
    for (int i = 0; i < ROUTE_RECORD_STATES; i++)
        counter_set(counters, (enum counter)(COUNTER_RECORD_OK + i), store->hostile[i]);
}

void router_sample(struct router *router)
{
    struct counters *counters = router->counters;
    const struct {
        struct route_table_stats table;
        struct damping_stats damping;
        struct doubts_stats doubts;
        uint64_t cells, hidden;
    } now = {route_table_stats(router->table), damping_stats(router->damping), doubts_stats(router->doubts),
             cells_count(router->cells), hidden_count(router->hidden)};
#define ROUTER_COUNTER(id, family, labels, text, field) counter_set(counters, COUNTER_##id, now.field);
#define ROUTER_GAUGE ROUTER_COUNTER
#include "agent/report/counters.def"
    level0_sample(router->level0);
    if (router->store)
        sample_store(router);
}
