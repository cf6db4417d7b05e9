/* agent/router/router_operator.c - what operators ask of the router: list, forget, flush, explain. */
#include <inttypes.h>
#include <string.h>

#include "agent/router/router_private.h"

enum { LIST_STEPS = 1 };

bool router_list(struct router *router, struct route_cursor *cursor, route_visit *visit, void *user)
{
    return route_table_list(router->table, cursor, LIST_STEPS, router->now_ms(), visit, user);
}

const char *router_cell_id(const struct router *router, uint16_t cell)
{
    return cells_id(router->cells, cell);
}

uint64_t router_cell_routes(const struct router *router, const char *id)
{
    uint16_t cell = cells_find(router->cells, text_view_of(id));
    return cell == CELL_NONE ? 0 : route_table_cell_routes(router->table, cell);
}

uint64_t router_flush(struct router *router)
{
    uint64_t routes = route_table_stats(router->table).routes;
    route_table_flush(router->table);
    doubts_clear(router->doubts);
    level0_flush(router->level0);
    counter_add(router->counters, COUNTER_ROUTES_FORGOTTEN, routes);
    return routes;
}

/* Parses "prefix", or "host/prefix" where routes belong to hosts. True when it is the prefix of whole segments that its
 * longest key is. */
static enum path_verdict parse(struct router *router, const char *text, struct path *path)
{
    size_t host_length = router->paths.hosts ? strcspn(text, "/") : 0;
    return path_parse(path, &router->paths, text_view_of(text + host_length), (struct text_view){text, host_length},
                      router->key, sizeof router->key);
}

/* The store said which cell its record of the prefix names: now it can be forgotten. */
static void on_reply(void *user, const struct route_answer *answer)
{
    struct router *router = user;
    if (answer->outcome == ROUTE_FOUND)
        (void)!route_store_forget(router->store, &answer->route, answer->record.cell, answer->record.cell_length);
}

static enum router_forget ask_store(struct router *router, const struct path *path)
{
    uint16_t end = (uint16_t)(path->length - path->host_length);
    struct route_question question = {.host = path->key,
                                      .host_length = path->host_length,
                                      .text = path->key + path->host_length,
                                      .ends = &end,
                                      .count = 1};
    struct route_wait *wait;
    enum store_reason reason;
    enum route_outcome outcome = route_store_get(router->store, &question, on_reply, router, &wait, &reason);
    return outcome == ROUTE_WAITING ? ROUTER_ASKED : ROUTER_NOT_KNOWN;
}

enum router_forget router_forget(struct router *router, const char *prefix, enum path_verdict *verdictp)
{
    struct path path;
    struct route route;
    uint64_t now_ms = router->now_ms();
    *verdictp = parse(router, prefix, &path);
    if (*verdictp != PATH_OK || path.depth == 0 || path.deeper)
        return ROUTER_BAD_PREFIX;
    level0_forget(router->level0, path.key, path.length);
    if (!route_table_find(router->table, path.key, path.length, now_ms, &route))
        return router->store ? ask_store(router, &path) : ROUTER_NOT_KNOWN;
    if (route_table_forget(router->table, path.key, path.length, route.cell, now_ms))
        router_count(router, COUNTER_ROUTES_FORGOTTEN);
    struct route_name name = router_name_of(router, path.key, path.length);
    const char *id = cells_id(router->cells, route.cell);
    if (router->store)
        (void)!route_store_forget(router->store, &name, id, strlen(id));
    return ROUTER_FORGOTTEN;
}

static void explain_route(struct router *router, const struct path *path, FILE *out)
{
    struct route route;
    struct doubt why;
    for (size_t i = path->depth; i-- > 0;) {
        fprintf(out, "%.*s ", (int)path->ends[i], path->key);
        if (!route_table_find(router->table, path->key, path->ends[i], router->now_ms(), &route)) {
            fprintf(out, "not in memory\n");
            continue;
        }
        fprintf(out, "%s", cells_id(router->cells, route.cell));
        if (route.left_ms != ROUTE_FOREVER)
            fprintf(out, " left=%" PRIu64, route.left_ms / 1000);
        bool doubt = doubts_has(router->doubts, path, path->ends[i], route.cell, router->now_ms(), &why);
        fprintf(out, " from=%s%s%s%s\n", route.from_store ? "redis" : "learning", route.pinned ? " pinned" : "",
                route.due ? " due" : "", doubt ? " in doubt" : "");
    }
}

void router_explain(struct router *router, const char *text, const char *host, FILE *out)
{
    struct path path;
    enum path_verdict verdict =
        path_parse(&path, &router->paths, text_view_of(text), text_view_of(host), router->key, sizeof router->key);
    if (verdict != PATH_OK) {
        fprintf(out, "not looked up: the path %s; any cell of the region is asked\n", path_verdict_text(verdict));
        return;
    }
    explain_route(router, &path, out);
    if (path.depth == 0)
        fprintf(out, "/ has no prefix that can be remembered; any cell of the region is asked\n");
    else
        fprintf(out, "the first line above that names a cell counts; if none does, %s\n",
                router->store ? "Redis is asked, then any cell of the region" : "any cell of the region is asked");
}
