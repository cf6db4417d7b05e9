/* agent/router/router_lookup.c - the ACK of a lookup: out of level 1 at once, or, on a miss, when the store has
 * replied.
 *
 * Every request of a batch comes to router_respond exactly once, and leads to exactly one ACK:
 *
 *   at once   a hit in level 1; a path that is not looked up, or has no prefix; a message that makes no sense; a router
 *             without a store; a store that refuses the question, or knows at once that there is no route.
 *   later     the store is asked. A struct wait holds call and question together, each knows the other: the call's user
 *             pointer is the wait, the wait's store_wait is the question.
 *
 * A wait ends in one of two ways, whichever comes first. The store replies (on_reply): the wait is freed, then the call
 * is acknowledged. Or nobody waits for the call any more (router_on_cancel: its deadline passed, and SPOE has sent
 * "unknown" by itself, or its connection ended): the store forgets the wait, and then the wait is freed. After either
 * one the other cannot come: a call that was acknowledged is never cancelled, and a question that was cancelled is
 * never replied to. A reply that is still under way then comes to router_store.c (on_late), for level 1 alone.
 *
 * The store never calls on_reply from within route_store_get. So the wait is complete before anybody can find it.
 *
 * Which cell is known is told by `level`: 1 for memory, 2 for the store, none for nobody. `learn` asks HAProxy to tell
 * of this request's response: after a miss always, of a known route when it is due to be refreshed. Level 0 hears of a
 * use only when nothing is to be learned, for a route in HAProxy's map is not seen here until it leaves. */
#include "agent/router/router_private.h"

#include <stdlib.h>

/* decision NULL: there was no lookup. */
static void ack(const struct router *router, struct spoe_call *call, const struct decision *decision, bool learned)
{
    const struct spoe_prepared *prepared = decision && !learned ? prepared_acks_find(router->acks, decision) : NULL;
    if (prepared) {
        spoe_call_ack_prepared(call, prepared);
        return;
    }
    struct spop_action actions[ACK_ACTIONS_MAX + 1];
    size_t n = decision ? ack_actions(router->cells, decision, actions) : 0;
    if (learned || !decision)
        actions[n++] = ack_done(learned);
    spoe_call_ack(call, actions, n);
}

static void count_lookup(struct router *router, const struct decision *decision)
{
    if (decision->learn)
        router_count(router, COUNTER_LOOKUPS_TO_LEARN);
    if (decision->fresh)
        router_count(router, COUNTER_LOOKUPS_FRESH);
    if (decision->doubt)
        router_count(router, COUNTER_LOOKUPS_IN_DOUBT);
    if (decision->cell == CELL_NONE)
        router_count(router, COUNTER_LOOKUP_MISSES);
    else
        router_count(router, decision->level == 1 ? COUNTER_LOOKUP_HITS_LEVEL1 : COUNTER_LOOKUP_HITS_LEVEL2);
}

static void ack_unknown(struct router *router, struct spoe_call *call, bool learn, enum counter why, bool learned)
{
    struct decision decision = {.cell = CELL_NONE, .level = 0, .learn = learn};
    router_count(router, why);
    count_lookup(router, &decision);
    ack(router, call, &decision, learned);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

static struct wait *wait_new(struct router *router)
{
    if (!router->free_waits) {
        struct wait_block *block = malloc(sizeof *block);
        if (!block)
            return NULL;
        block->next = router->blocks;
        router->blocks = block;
        for (size_t i = 0; i < sizeof block->waits / sizeof block->waits[0]; i++) {
            block->waits[i].next = router->free_waits;
            router->free_waits = &block->waits[i];
        }
    }
    struct wait *wait = router->free_waits;
    router->free_waits = wait->next;
    return wait;
}

static void wait_free(struct wait *wait)
{
    wait->next = wait->router->free_waits;
    wait->router->free_waits = wait;
}

/* The lookup of a route that the store named; length: of its key, in router->key. */
static void use_route(struct router *router, size_t length, const struct route_word *word,
                      const struct decision *decision, bool trusted)
{
    struct route route;
    if (!decision->doubt && route_table_find(router->table, router->key, length, router->now_ms(), &route) &&
        route.cell == word->cell)
        route_table_seen(router->table, &route, router->now_ms());
    if (!decision->learn && trusted)
        level0_used(router->level0, router->key, length, word->cell, word->left_ms);
}

/* Whether its cell said this word so lately that the route is fresh: to whichever router. */
static bool said_lately(const struct router *router, const struct route_word *word)
{
    uint64_t fresh_ms = (uint64_t)router->config->routes.fresh_s * 1000;
    return word->seen_ms > 0 && router->now_ms() - word->seen_ms < fresh_ms;
}

/* Only paths that have a prefix wait, and of those every response may teach. */
static void on_reply(void *user, const struct route_answer *answer)
{
    struct wait *wait = user;
    struct router *router = wait->router;
    struct spoe_call *call = wait->call;
    bool learned = wait->learned;
    uint16_t doubt_length = wait->doubt_length, doubt_cell = wait->doubt_cell;
    wait_free(wait);
    if (answer->outcome != ROUTE_FOUND) {
        ack_unknown(router, call, true, answer->outcome == ROUTE_ABSENT ? COUNTER_MISSES_ABSENT : COUNTER_MISSES_STORE,
                    learned);
        return;
    }
    struct route_word word;
    router_remember(router, answer, &word);
    if (word.cell == CELL_NONE) {
        ack_unknown(router, call, true, COUNTER_MISSES_CELL, learned);
        return;
    }
    size_t length = answer->route.host_length + answer->route.prefix_length;
    bool doubt = doubt_length >= length && doubt_cell == word.cell;
    struct decision decision =
        decision_level2(&word, router->config->routes.refresh_percent, said_lately(router, &word), doubt);
    length = router_key_of(router, &answer->route);
    if (length)
        use_route(router, length, &word, &decision, answer->trust == ROUTE_TRUST_FULL);
    count_lookup(router, &decision);
    ack(router, call, &decision, learned);
}

void router_on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why)
{
    struct router *router = user;
    if (spoe_call_is_held(call)) {
        router_unhide(router, spoe_call_user(call));
        return;
    }
    struct wait *wait = spoe_call_user(call);
    if (!wait)
        return;
    route_store_cancel(router->store, wait->store_wait);
    wait_free(wait);
    router_count(router, COUNTER_LOOKUP_MISSES);
    router_count(router, why == SPOE_CANCEL_DEADLINE ? COUNTER_MISSES_DEADLINE : COUNTER_MISSES_CANCELLED);
}

/* ---- level 2 ---------------------------------------------------------------------------------------------------- */

/* The store's view of a path: its text is the key without the host. */
static struct route_question question_of(const struct path *path, uint16_t *ends)
{
    for (size_t i = 0; i < path->depth; i++)
        ends[i] = (uint16_t)(path->ends[i] - path->host_length);
    return (struct route_question){.host = path->key,
                                   .host_length = path->host_length,
                                   .text = path->key + path->host_length,
                                   .ends = ends,
                                   .count = path->depth};
}

static void ask_store(struct router *router, const struct request *request, uint64_t now_ms, bool learned)
{
    uint16_t ends[PATH_MAX_DEPTH];
    struct route_question question = question_of(&request->parsed, ends);
    struct wait *wait = wait_new(router);
    if (!wait) {
        ack_unknown(router, request->call, true, COUNTER_MISSES_STORE, learned);
        return;
    }
    *wait = (struct wait){.router = router, .call = request->call, .learned = learned};
    wait->doubt_length = doubts_longest(router->doubts, &request->parsed, now_ms, &wait->doubt_cell);
    enum store_reason reason;
    enum route_outcome outcome = route_store_get(router->store, &question, on_reply, wait, &wait->store_wait, &reason);
    if (outcome == ROUTE_WAITING) {
        spoe_call_set_user(request->call, wait);
        return;
    }
    wait_free(wait);
    ack_unknown(router, request->call, true, outcome == ROUTE_ABSENT ? COUNTER_MISSES_ABSENT : COUNTER_MISSES_STORE,
                learned);
}

/* ---- level 1 ---------------------------------------------------------------------------------------------------- */

static void respond_to_lookup(struct router *router, struct request *request, uint64_t now_ms, bool learned)
{
    router_count(router, COUNTER_LOOKUPS);
    if (request->malformed || !request->path_given) {
        ack_unknown(router, request->call, true, COUNTER_MISSES_MALFORMED, learned);
        return;
    }
    router_count(router, (enum counter)(COUNTER_PATH_OK + (int)request->verdict));
    struct route route;
    struct doubt why;
    struct decision decision =
        decision_level1(router->table, router->doubts, request->verdict, &request->probe, now_ms, &route, &why);
    if (decision.cell != CELL_NONE) {
        if (decision.doubt)
            router_tell_level0(router, request->parsed.key, &why, route.cell, route.left_ms);
        else if (!decision.learn)
            level0_used(router->level0, request->parsed.key, route.key_length, route.cell, route.left_ms);
        count_lookup(router, &decision);
        ack(router, request->call, &decision, learned);
    } else if (request->verdict != PATH_OK || request->parsed.depth == 0) {
        ack_unknown(router, request->call, decision.learn,
                    request->verdict == PATH_OK ? COUNTER_MISSES_ABSENT : COUNTER_MISSES_PATH, learned);
    } else if (!router->store) {
        ack_unknown(router, request->call, decision.learn, COUNTER_MISSES_ABSENT, learned);
    } else {
        ask_store(router, request, now_ms, learned);
    }
}

void router_respond(struct router *router, struct request *request, uint64_t now_ms, bool learned)
{
    if (request->lookup)
        respond_to_lookup(router, request, now_ms, learned);
    else if (request->hide && !request->malformed)
        router_hide(router, request, now_ms);
    else if (request->told && request->teach.stale)
        router_hold(router, request, now_ms);
    else
        ack(router, request->call, NULL, learned);
}
