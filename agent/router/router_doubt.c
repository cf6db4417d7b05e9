/* agent/router/router_doubt.c - a redirect that nobody's claim explains: the doubt (agent/routes/doubts.h) goes to
 * level 0 and to the other routers. */
#include "agent/router/router_private.h"

#include <string.h>

void router_tell_level0(struct router *router, const char *key, const struct doubt *doubt, uint16_t cell,
                        uint64_t left_ms)
{
    uint64_t life_ms = doubt->life_ms < left_ms ? doubt->life_ms : left_ms;
    switch (doubt->kind) {
    case DOUBT_ROUTE: level0_withdraw(router->level0, key, doubt->length); break;
    case DOUBT_BELOW: level0_undecided(router->level0, key, doubt->length, cell, life_ms); break;
    case DOUBT_PATH: level0_bar(router->level0, key, doubt->length, cell); break;
    }
}

/* The longest route of the path's key that level 1 has. */
static bool find_route(const struct router *router, const struct path *path, uint64_t now_ms, struct route *route)
{
    for (size_t i = path->depth; i-- > 0;)
        if (route_table_find(router->table, path->key, path->ends[i], now_ms, route))
            return true;
    return false;
}

static void log_doubt(struct router *router, const char *key, const struct doubt *doubt, uint16_t cell)
{
    log_write(router->log, doubt->kind == DOUBT_ROUTE ? REASON_ROUTE_DOUBTED : REASON_PATH_UNDECIDED,
              LOG_FIELDS(LOG_BYTES("prefix", key, doubt->length), LOG_STR("cell", cells_id(router->cells, cell)),
                         LOG_NUM("ms", doubt->life_ms)));
}

static void tell_store(struct router *router, const char *key, const struct doubt *doubt, uint16_t cell)
{
    static const enum route_doubt_about about[] = {
        [DOUBT_ROUTE] = ROUTE_DOUBT_ROUTE, [DOUBT_BELOW] = ROUTE_DOUBT_BELOW, [DOUBT_PATH] = ROUTE_DOUBT_PATH};
    const char *id = cells_id(router->cells, cell);
    struct route_doubt word = {.route = router_name_of(router, key, doubt->length),
                               .about = about[doubt->kind],
                               .cell = id,
                               .cell_length = strlen(id),
                               .life_ms = (uint32_t)doubt->life_ms};
    if (!router->store)
        return;
    route_store_doubt(router->store, &word);
    router->told = true;
}

void router_doubt(struct router *router, const struct path *path, uint16_t route_length, uint16_t cell, uint64_t now_ms)
{
    struct doubt_news news;
    doubts_redirected(router->doubts, path, route_length, cell, now_ms, &news);
    /* HAProxy's map sent it there, unless the path is known as undecided there, too. */
    if (!news.covered)
        level0_redirected(router->level0, path->key, path->length, cell);
    struct route route;
    uint64_t left_ms = find_route(router, path, now_ms, &route) && route.cell == cell ? route.left_ms : ROUTE_FOREVER;
    for (size_t i = 0; i < news.count; i++) {
        const struct doubt *doubt = &news.doubts[i];
        if (doubt->kind == DOUBT_ROUTE)
            route_table_doubted(router->table, path->key, doubt->length, cell, now_ms);
        router_tell_level0(router, path->key, doubt, cell, left_ms);
        if (doubt->known)
            continue;
        tell_store(router, path->key, doubt, cell);
        log_doubt(router, path->key, doubt, cell);
    }
}

/* The key that another router names, as the path of a request would have it. False: it is none here. */
static bool parse_word(struct router *router, const struct route_name *name, struct path *path)
{
    struct text_view text = {name->prefix, name->prefix_length}, host = {name->host, name->host_length};
    return path_parse(path, &router->paths, text, host, router->key, sizeof router->key) == PATH_OK &&
           path->length == name->host_length + name->prefix_length;
}

void router_on_doubt(void *user, const struct route_doubt *word)
{
    static const enum doubt_kind kinds[] = {
        [ROUTE_DOUBT_ROUTE] = DOUBT_ROUTE, [ROUTE_DOUBT_BELOW] = DOUBT_BELOW, [ROUTE_DOUBT_PATH] = DOUBT_PATH};
    struct router *router = user;
    uint16_t cell = cells_find_id(router->cells, (struct text_view){word->cell, word->cell_length});
    struct path path;
    if (cell == CELL_NONE || !parse_word(router, &word->route, &path))
        return;
    uint64_t now_ms = router->now_ms();
    struct doubt doubt = {kinds[word->about], path.length, word->life_ms, true};
    doubts_tell(router->doubts, doubt.kind, path.key, path.length, cell, doubt.life_ms, now_ms);
    if (doubt.kind == DOUBT_ROUTE)
        route_table_doubted(router->table, path.key, path.length, cell, now_ms);
    struct route route;
    bool found = find_route(router, &path, now_ms, &route);
    /* Of a route that is another cell's here it says nothing. */
    if (!found || route.cell == cell)
        router_tell_level0(router, path.key, &doubt, cell, found ? route.left_ms : ROUTE_FOREVER);
}
