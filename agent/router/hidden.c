/* agent/router/hidden.c - ACKs in a heap by the time that they are due. */
#include "agent/router/hidden.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/rng.h"

/* Two clocks cut to whole milliseconds stand between arrival and ACK: so much more keeps the lower bound a bound. */
enum { ROUNDING_MS = 2 };

struct hidden_ack {
    void *call;
    uint64_t due_ms;
    struct heap_node node;
};

struct hidden {
    struct hidden_limits limits;
    struct rng rng;
    struct heap heap; /* of struct hidden_ack */
};

static bool due_before(const struct heap_node *a, const struct heap_node *b)
{
    return HEAP_OWNER(a, const struct hidden_ack, node)->due_ms < HEAP_OWNER(b, const struct hidden_ack, node)->due_ms;
}

/* The one that is due next, or NULL. */
static struct hidden_ack *first_of(const struct hidden *hidden)
{
    return hidden->heap.first ? HEAP_OWNER(hidden->heap.first, struct hidden_ack, node) : NULL;
}

struct hidden *hidden_new(uint64_t seed)
{
    struct hidden *hidden = calloc(1, sizeof *hidden);
    if (!hidden)
        return NULL;
    hidden->rng.state = seed;
    heap_init(&hidden->heap, due_before);
    return hidden;
}

void hidden_free(struct hidden *hidden)
{
    if (!hidden)
        return;
    while (first_of(hidden))
        hidden_drop(hidden, first_of(hidden));
    free(hidden);
}

void hidden_set(struct hidden *hidden, const struct hidden_limits *limits)
{
    hidden->limits = *limits;
}

static uint64_t wait_of(struct hidden *hidden, uint64_t elapsed_ms)
{
    const struct hidden_limits *limits = &hidden->limits;
    uint64_t span = limits->max_ms > limits->min_ms ? limits->max_ms - limits->min_ms : 0;
    uint64_t drawn = limits->min_ms + rng_below(&hidden->rng, span + 1);
    return (elapsed_ms <= limits->min_ms ? drawn - elapsed_ms : drawn) + ROUNDING_MS;
}

bool hidden_hold(struct hidden *hidden, void *call, uint64_t wait_ms, uint64_t now_ms, struct hidden_ack **ackp)
{
    struct hidden_ack *ack = hidden->heap.count < hidden->limits.most ? malloc(sizeof *ack) : NULL;
    if (!ack)
        return false;
    ack->call = call;
    ack->due_ms = now_ms + wait_ms;
    heap_insert(&hidden->heap, &ack->node);
    *ackp = ack;
    return true;
}

enum hidden_outcome hidden_add(struct hidden *hidden, void *call, uint64_t elapsed_ms, uint64_t now_ms,
                               struct hidden_ack **ackp)
{
    if (hidden->limits.max_ms == 0)
        return HIDDEN_OFF;
    return hidden_hold(hidden, call, wait_of(hidden, elapsed_ms), now_ms, ackp) ? HIDDEN_WAITS : HIDDEN_FULL;
}

void hidden_drop(struct hidden *hidden, struct hidden_ack *ack)
{
    heap_remove(&hidden->heap, &ack->node);
    free(ack);
}

void *hidden_take_due(struct hidden *hidden, uint64_t now_ms)
{
    struct hidden_ack *first = first_of(hidden);
    if (!first || first->due_ms > now_ms)
        return NULL;
    void *call = first->call;
    hidden_drop(hidden, first);
    return call;
}

uint64_t hidden_next_ms(const struct hidden *hidden)
{
    const struct hidden_ack *first = first_of(hidden);
    return first ? first->due_ms : UINT64_MAX;
}

size_t hidden_count(const struct hidden *hidden)
{
    return hidden->heap.count;
}
