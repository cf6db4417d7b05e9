/* agent/router/router_inherit.c - what an agent finds in HAProxy's map when it starts: the store says whether it
 * holds. */
#include "agent/router/router_private.h"

#include <stdlib.h>
#include <string.h>

struct inherit_question {
    struct router *router;
    size_t length;
    char key[];
};

/* A route that is due to be learned again does not stay: its next use has to be seen. */
static void settle(struct router *router, const char *key, size_t length, const struct route_answer *answer)
{
    const struct route_record *record = &answer->record;
    struct route_word word = {.cell = CELL_NONE};
    if (answer->outcome == ROUTE_FOUND && answer->trust == ROUTE_TRUST_FULL) {
        word = (struct route_word){
            .cell = cells_find_id(router->cells, (struct text_view){record->cell, record->cell_length}),
            .pinned = record->flags & ROUTE_PINNED,
            .life_ms = (uint64_t)record->life_s * 1000,
            .left_ms = answer->left_ms};
        if (decision_level2(&word, router->config->routes.refresh_percent, false, false).learn)
            word.cell = CELL_NONE;
    }
    level0_settle(router->level0, key, length, word.cell, word.left_ms);
}

static void on_reply(void *user, const struct route_answer *answer)
{
    struct inherit_question *question = user;
    if (answer->outcome == ROUTE_FAILED)
        level0_doubt(question->router->level0, question->key, question->length);
    else
        settle(question->router, question->key, question->length, answer);
    free(question);
}

bool router_ask(void *user, const char *key, size_t length)
{
    struct router *router = user;
    /* Before invalidations arrive, a reply says nothing about the time after it. */
    if (!router->store || !route_store_counters(router->store)->watching)
        return false;
    struct route_name name = router_name_of(router, key, length);
    const struct route_answer absent = {.outcome = ROUTE_ABSENT};
    if (!key_name_ok(&name)) {
        settle(router, key, length, &absent);
        return true;
    }
    struct inherit_question *question = malloc(sizeof *question + length);
    if (!question)
        return false;
    *question = (struct inherit_question){.router = router, .length = length};
    memcpy(question->key, key, length);
    const uint16_t end = (uint16_t)name.prefix_length;
    const struct route_question asked = {
        .host = name.host, .host_length = name.host_length, .text = name.prefix, .ends = &end, .count = 1};
    struct route_wait *wait;
    enum store_reason reason;
    switch (route_store_get(router->store, &asked, on_reply, question, &wait, &reason)) {
    case ROUTE_WAITING: return true;
    case ROUTE_ABSENT: settle(router, key, length, &absent); break;
    case ROUTE_FOUND: /* only from the callback */
    case ROUTE_FAILED: free(question); return false;
    }
    free(question);
    return true;
}
