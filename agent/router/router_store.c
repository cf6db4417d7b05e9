/* agent/router/router_store.c - what the store tells: routes found, routes changed by others, everything in doubt. */
#include "agent/router/router_private.h"

#include <stdio.h>
#include <string.h>

struct route_name router_name_of(const struct router *router, const char *key, size_t length)
{
    const char *slash = router->paths.hosts ? memchr(key, '/', length) : key;
    size_t host_length = slash ? (size_t)(slash - key) : 0;
    return (struct route_name){key, host_length, key + host_length, length - host_length};
}

size_t router_key_of(struct router *router, const struct route_name *route)
{
    if (route->host_length > sizeof router->key || route->prefix_length > sizeof router->key - route->host_length)
        return 0;
    if (route->host_length)
        memcpy(router->key, route->host, route->host_length);
    memcpy(router->key + route->host_length, route->prefix, route->prefix_length);
    return route->host_length + route->prefix_length;
}

/* How long level 1 may keep it; 0: not at all. */
static uint64_t life_here(const struct router *router, const struct route_answer *answer)
{
    uint64_t distrust_ms = (uint64_t)router->config->routes.distrust_s * 1000;
    switch (answer->trust) {
    case ROUTE_TRUST_FULL: return answer->left_ms;
    case ROUTE_TRUST_SHORT: return answer->left_ms < distrust_ms ? answer->left_ms : distrust_ms;
    case ROUTE_TRUST_ONCE: break;
    }
    return 0;
}

/* On our clock: when a word with this stamp was said. 0: before it began. Stamps of other machines may be ahead. */
static uint64_t said_ms(const struct router *router, uint64_t stamp_ms)
{
    uint64_t now_ms = router->now_ms(), wall_ms = router->wall_ms();
    uint64_t age_ms = wall_ms > stamp_ms ? wall_ms - stamp_ms : 0;
    return now_ms > age_ms ? now_ms - age_ms : 0;
}

void router_remember(struct router *router, const struct route_answer *answer, struct route_word *word)
{
    const struct route_record *record = &answer->record;
    *word =
        (struct route_word){.cell = cells_find_id(router->cells, (struct text_view){record->cell, record->cell_length}),
                            .pinned = record->flags & ROUTE_PINNED,
                            .from_store = true,
                            .stamp_ms = record->stamp_ms,
                            .life_ms = (uint64_t)record->life_s * 1000,
                            .left_ms = answer->left_ms,
                            .seen_ms = said_ms(router, record->stamp_ms)};
    if (word->cell == CELL_NONE) {
        log_write(router->log, REASON_UNKNOWN_CELL,
                  LOG_FIELDS(LOG_BYTES("prefix", answer->route.prefix, answer->route.prefix_length),
                             LOG_BYTES("cell", record->cell, record->cell_length),
                             LOG_BYTES("learned_by", record->router, record->router_length)));
        return;
    }
    struct route_word here = *word;
    here.left_ms = life_here(router, answer);
    size_t length = router_key_of(router, &answer->route);
    if (length)
        level0_learned(router->level0, router->key, length, here.cell);
    if (length && here.left_ms &&
        route_table_put(router->table, router->key, length, &here, router->now_ms(), NULL) == ROUTE_PUT_NO_ROOM)
        router_count(router, COUNTER_CLAIMS_NO_ROOM);
}

static void on_late(void *user, const struct route_answer *answer)
{
    struct route_word word;
    router_remember(user, answer, &word);
}

static void on_changed(void *user, const struct route_name *route)
{
    struct router *router = user;
    size_t length = router_key_of(router, route);
    level0_forget(router->level0, router->key, length);
    if (length && route_table_forget(router->table, router->key, length, CELL_NONE, router->now_ms()))
        router_count(router, COUNTER_ROUTES_CHANGED);
}

/* A copy that names the same cell is as good as what stands there; another one gives way to it. */
static void on_current(void *user, const struct route_answer *answer)
{
    struct router *router = user;
    size_t length = router_key_of(router, &answer->route);
    struct route here;
    struct route_word word;
    uint16_t cell = cells_find_id(router->cells, (struct text_view){answer->record.cell, answer->record.cell_length});
    if (length && route_table_find(router->table, router->key, length, router->now_ms(), &here) && here.cell == cell)
        return;
    on_changed(router, &answer->route);
    router_remember(router, answer, &word);
}

/* What was learned here went to the store too, and is gone with the rest. */
static void on_flushed(void *user)
{
    struct router *router = user;
    log_write(router->log, REASON_STORE_FLUSHED, NULL, 0);
    route_table_flush(router->table);
    doubts_clear(router->doubts);
    level0_flush(router->level0);
}

static void on_distrust(void *user)
{
    struct router *router = user;
    log_write(router->log, REASON_STORE_DISTRUST, NULL, 0);
    route_table_distrust(router->table, (uint64_t)router->config->routes.distrust_s * 1000, router->now_ms());
    level0_distrust(router->level0, (uint64_t)router->config->routes.distrust_s * 1000);
}

static enum log_level level_of(enum store_level level)
{
    switch (level) {
    case STORE_LEVEL_ERROR: return LOG_ERROR;
    case STORE_LEVEL_WARN: return LOG_WARN;
    case STORE_LEVEL_INFO: return LOG_INFO;
    case STORE_LEVEL_DEBUG: break;
    }
    return LOG_DEBUG;
}

static void on_event(void *user, const struct route_store_event *event)
{
    struct router *router = user;
    char name[64], text[sizeof router->store_trouble];
    snprintf(name, sizeof name, "store_%s", store_reason_name(event->reason));
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s", store_reason_text(event->reason),
             event->connection[0] ? "; connection " : "", event->connection, event->address[0] ? " to " : "",
             event->address, event->detail[0] ? ": " : "", event->detail);
    if (event->reason == STORE_REASON_CONNECTED)
        router->store_trouble[0] = '\0';
    else if (event->connection[0])
        memcpy(router->store_trouble, text, sizeof text);
    log_event(router->log, REASON_STORE_EVENT, level_of(store_reason_level(event->reason)), name, text);
}

struct route_store_handler router_store_handler(void)
{
    return (struct route_store_handler){.on_changed = on_changed,
                                        .on_current = on_current,
                                        .on_flushed = on_flushed,
                                        .on_distrust = on_distrust,
                                        .on_late = on_late,
                                        .on_doubt = router_on_doubt,
                                        .on_event = on_event};
}

const char *router_store_trouble(const struct router *router)
{
    return router->store_trouble;
}
