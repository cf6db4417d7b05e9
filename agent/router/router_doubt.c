/* agent/router/router_doubt.c - a redirect that nobody's claim explains: the doubt (agent/routes/doubts.h) goes to
 * level 0 and to the other routers. */
#include "agent/router/router_private.h"

#include <string.h>

void router_tell_level0(struct router *router, const char *key, const struct doubt *doubt, uint16_t cell)
{
    switch (doubt->kind) {
    case DOUBT_ROUTE: level0_forget(router->level0, key, doubt->length); break;
    case DOUBT_BELOW: level0_undecided(router->level0, key, doubt->length, cell, doubt->life_ms); break;
    case DOUBT_PATH: level0_bar(router->level0, key, doubt->length, cell); break;
    }
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
    for (size_t i = 0; i < news.count; i++) {
        const struct doubt *doubt = &news.doubts[i];
        router_tell_level0(router, path->key, doubt, cell);
        tell_store(router, path->key, doubt, cell);
        log_doubt(router, path->key, doubt, cell);
    }
}

void router_on_doubt(void *user, const struct route_doubt *word)
{
    static const enum doubt_kind kinds[] = {
        [ROUTE_DOUBT_ROUTE] = DOUBT_ROUTE, [ROUTE_DOUBT_BELOW] = DOUBT_BELOW, [ROUTE_DOUBT_PATH] = DOUBT_PATH};
    struct router *router = user;
    uint16_t cell = cells_find_id(router->cells, (struct text_view){word->cell, word->cell_length});
    size_t length = router_key_of(router, &word->route);
    if (cell == CELL_NONE || length == 0)
        return;
    struct doubt doubt = {kinds[word->about], (uint16_t)length, word->life_ms};
    doubts_tell(router->doubts, doubt.kind, router->key, length, cell, doubt.life_ms, router->now_ms());
    router_tell_level0(router, router->key, &doubt, cell);
}
