/* agent/router/router_learn.c - what a cell's response teaches goes into level 1 and the store, and the stale route
 * that it contradicts goes out of both. The judgement is agent/routes/learning.h's, the holding back
 * agent/routes/damping.h's. */
#include "agent/router/router_private.h"

#include <string.h>

/* The former owner and the claimant, for a log line. */
static void log_route(struct router *router, enum log_reason reason, const char *key, size_t length, uint16_t former,
                      uint16_t cell)
{
    log_write(router->log, reason,
              LOG_FIELDS(LOG_BYTES("prefix", key, length), LOG_STR("cell", cells_id(router->cells, cell)),
                         LOG_STR("former", former == CELL_NONE ? "" : cells_id(router->cells, former))));
}

static void log_refusal(struct router *router, const struct lesson *lesson, const struct cell_response *response)
{
    bool malformed = learning_kind(lesson->verdict) == LEARN_MALFORMED;
    const char *why =
        lesson->verdict == LEARN_DIRECTIVE ? directive_outcome_text(lesson->directive) : learning_text(lesson->verdict);
    log_write(router->log, malformed ? REASON_DIRECTIVE_MALFORMED : REASON_CLAIM_REFUSED,
              LOG_FIELDS(LOG_BYTES("cell", response->cell.at, response->cell.length),
                         LOG_BYTES("path", response->path->key, response->path->length),
                         LOG_BYTES("cache", response->cache.at, response->cache.length), LOG_STR("why", why)));
}

/* What damping says of the claim, logged and counted. */
static enum damping_verdict brake(struct router *router, const struct lesson *lesson, const char *key, uint64_t now_ms)
{
    struct route route;
    struct damping_event event;
    uint16_t former =
        route_table_find(router->table, key, lesson->key_length, now_ms, &route) ? route.cell : (uint16_t)CELL_NONE;
    enum damping_verdict verdict =
        damping_claim(router->damping, key, lesson->key_length, former, lesson->cell, now_ms, &event);
    if (event.hold_began)
        log_route(router, REASON_ROUTE_DAMPED, key, lesson->key_length, former, lesson->cell);
    if (event.quota_began)
        log_route(router, REASON_CELL_QUOTA, key, lesson->key_length, former, lesson->cell);
    switch (verdict) {
    case DAMPING_PASS: break;
    case DAMPING_HELD: router_count(router, COUNTER_CLAIMS_HELD); break;
    case DAMPING_QUOTA: router_count(router, COUNTER_CLAIMS_QUOTA); break;
    }
    return verdict;
}

/* Into level 1. True when the store may hear of it, too. One that is unshared is due to be learned again at once: when
 * it is asked for again. */
static bool put_here(struct router *router, const struct lesson *lesson, const char *key, bool unshared,
                     uint64_t now_ms)
{
    uint64_t life_ms = (uint64_t)lesson->lifetime_s * 1000, rest = 100 - router->config->routes.refresh_percent;
    struct route_word word = {.cell = lesson->cell,
                              .stamp_ms = router->wall_ms(),
                              .life_ms = unshared && rest != 0 ? 2 * life_ms * 100 / rest : life_ms,
                              .left_ms = life_ms,
                              .seen_ms = now_ms};
    uint16_t former = CELL_NONE;
    switch (route_table_put(router->table, key, lesson->key_length, &word, now_ms, &former)) {
    case ROUTE_PUT_NEW: router_count(router, COUNTER_ROUTES_LEARNED); return true;
    case ROUTE_PUT_MOVED:
        router_count(router, COUNTER_ROUTES_MOVED);
        log_route(router, REASON_ROUTE_MOVED, key, lesson->key_length, former, lesson->cell);
        return true;
    case ROUTE_PUT_REFRESHED: router_count(router, COUNTER_ROUTES_REFRESHED); return true;
    case ROUTE_PUT_NO_ROOM: router_count(router, COUNTER_CLAIMS_NO_ROOM); return true; /* the others may have room */
    case ROUTE_PUT_OLDER:
    case ROUTE_PUT_PINNED:
    case ROUTE_PUT_BAD: break;
    }
    router_count(router, COUNTER_CLAIMS_OLDER);
    return false;
}

/* Whether the claim stands now. Over the quota of its cell it stands here alone, until somebody asks for it again and
 * the response says the same: a refresh costs nothing. So all that is of use is shared, and a cell that claims what
 * nobody asks for again keeps it to this router. */
static bool claim(struct router *router, const struct lesson *lesson, const char *key, uint64_t now_ms)
{
    enum damping_verdict verdict = brake(router, lesson, key, now_ms);
    if (verdict == DAMPING_HELD || !put_here(router, lesson, key, verdict == DAMPING_QUOTA, now_ms))
        return false;
    if (verdict == DAMPING_QUOTA)
        return true;
    level0_learned(router->level0, key, lesson->key_length, lesson->cell);
    struct route_name name = router_name_of(router, key, lesson->key_length);
    const char *id = cells_id(router->cells, lesson->cell);
    if (router->store)
        (void)!route_store_put(router->store, &name, id, strlen(id), lesson->lifetime_s,
                               0); /* the store counts what it refuses */
    return true;
}

static void forget_in_store(struct router *router, const char *key, size_t length, uint16_t cell)
{
    struct route_name name = router_name_of(router, key, length);
    const char *id = cells_id(router->cells, cell);
    if (router->store)
        (void)!route_store_forget(router->store, &name, id, strlen(id)); /* the store counts what it refuses */
}

static void forget(struct router *router, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    struct route route;
    if (!route_table_find(router->table, key, length, now_ms, &route) || route.cell != cell || route.pinned)
        return;
    if (route_table_forget(router->table, key, length, cell, now_ms))
        router_count(router, COUNTER_ROUTES_DROPPED);
    damping_dropped(router->damping, key, length, cell, now_ms);
    level0_forget(router->level0, key, length);
    forget_in_store(router, key, length, cell);
    log_route(router, REASON_ROUTE_DROPPED, key, length, cell, CELL_NONE);
}

/* Another cell claims the prefix of the stale route or a shorter one: it goes, and so do the others that the former
 * cell has below the claim on this path. A prefix just stored is no longer stale, and a later word on it would take the
 * place of the claim in the store's queue. */
static void move(struct router *router, const struct lesson *lesson, const struct path *path, bool stored,
                 uint64_t now_ms)
{
    for (size_t i = 0; i < path->depth; i++) {
        if (path->ends[i] < lesson->key_length || (stored && path->ends[i] == lesson->key_length))
            continue;
        if (lesson->about_length > 0)
            forget(router, path->key, path->ends[i], lesson->about_cell, now_ms);
        else
            forget_in_store(router, path->key, path->ends[i], lesson->about_cell);
    }
}

/* What the answer says about the route that the lookup named. */
static void judge_route(struct router *router, const struct lesson *lesson, const struct path *path, bool stored,
                        uint64_t now_ms)
{
    struct route route;
    if (lesson->verdict == LEARN_CLAIM || lesson->verdict == LEARN_KNOWN)
        doubts_trust(router->doubts, path->key, lesson->key_length, lesson->cell, now_ms);
    if (lesson->verdict == LEARN_KNOWN &&
        route_table_find(router->table, path->key, lesson->key_length, now_ms, &route))
        route_table_seen(router->table, &route, now_ms);
    switch (lesson->about) {
    case LEARN_NO_NEWS: break;
    case LEARN_DOUBT: router_doubt(router, path, lesson->about_length, lesson->about_cell, now_ms); break;
    case LEARN_MOVED: move(router, lesson, path, stored, now_ms); break;
    case LEARN_NARROWED:
        doubts_trust(router->doubts, path->key, lesson->about_length, lesson->about_cell, now_ms);
        break;
    }
}

void router_learn(struct router *router, const struct request *request, uint64_t now_ms)
{
    router_count(router, COUNTER_LEARNS);
    if (request->malformed || !request->teach.complete) {
        router_count(router, COUNTER_LEARNS_MALFORMED);
        return;
    }
    struct path path;
    struct cell_response response = {.path = &path,
                                     .cell = request->teach.cell,
                                     .cache = request->teach.cache,
                                     .from = request->teach.from,
                                     .redirected = request->teach.redirected};
    response.verdict =
        path_parse(&path, &router->paths, request->teach.path, request->teach.host, router->key, sizeof router->key);
    struct lesson lesson =
        learning_judge(&router->learning, router->cells, router->table, &response, now_ms, router->storage);
    router_count(router, (enum counter)(COUNTER_LEARN_NOTHING + (int)lesson.verdict));
    router_count(router, (enum counter)(COUNTER_DIRECTIVE_OK + (int)lesson.directive));
    if (learning_kind(lesson.verdict) == LEARN_REFUSED)
        router_count(router, COUNTER_CLAIMS_REFUSED);
    if (learning_kind(lesson.verdict) != LEARN_QUIET)
        log_refusal(router, &lesson, &response);
    if (response.redirected && response.verdict == PATH_OK && lesson.about != LEARN_DOUBT)
        level0_redirected(router->level0, path.key, path.length, cells_find_id(router->cells, response.from));
    bool stored = lesson.verdict == LEARN_CLAIM && claim(router, &lesson, path.key, now_ms);
    judge_route(router, &lesson, &path, stored, now_ms);
}
