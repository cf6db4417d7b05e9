/* agent/router/hidden.c - a binary heap of pointers by time; each ACK knows its place in it, so that it can be taken
 * out. */
#include "agent/router/hidden.h"

#include <stdlib.h>

#include "base/rng.h"

/* Two clocks cut to whole milliseconds stand between arrival and ACK: so much more keeps the lower bound a bound. */
enum { ROUNDING_MS = 2, FIRST_ROOM = 64 };

struct hidden_ack {
    void *call;
    uint64_t due_ms;
    size_t place;
};

struct hidden {
    struct hidden_limits limits;
    struct rng rng;
    struct hidden_ack **heap;
    size_t count, room;
};

struct hidden *hidden_new(uint64_t seed)
{
    struct hidden *hidden = calloc(1, sizeof *hidden);
    if (hidden)
        hidden->rng.state = seed;
    return hidden;
}

void hidden_free(struct hidden *hidden)
{
    if (!hidden)
        return;
    for (size_t i = 0; i < hidden->count; i++)
        free(hidden->heap[i]);
    free(hidden->heap);
    free(hidden);
}

void hidden_set(struct hidden *hidden, const struct hidden_limits *limits)
{
    hidden->limits = *limits;
}

static void put(struct hidden *hidden, size_t place, struct hidden_ack *ack)
{
    hidden->heap[place] = ack;
    ack->place = place;
}

/* Finds the place of an ACK, from place on towards the root. */
static void rise(struct hidden *hidden, size_t place, struct hidden_ack *ack)
{
    while (place > 0 && hidden->heap[(place - 1) / 2]->due_ms > ack->due_ms) {
        put(hidden, place, hidden->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(hidden, place, ack);
}

/* The same, towards the leaves. */
static void sink(struct hidden *hidden, size_t place, struct hidden_ack *ack)
{
    for (size_t child; (child = 2 * place + 1) < hidden->count; place = child) {
        if (child + 1 < hidden->count && hidden->heap[child + 1]->due_ms < hidden->heap[child]->due_ms)
            child++;
        if (hidden->heap[child]->due_ms >= ack->due_ms)
            break;
        put(hidden, place, hidden->heap[child]);
    }
    put(hidden, place, ack);
}

static struct hidden_ack *new_ack(struct hidden *hidden)
{
    if (hidden->count == hidden->room) {
        size_t room = hidden->room ? 2 * hidden->room : FIRST_ROOM;
        struct hidden_ack **heap = realloc(hidden->heap, room * sizeof *heap);
        if (!heap)
            return NULL;
        hidden->heap = heap;
        hidden->room = room;
    }
    return malloc(sizeof(struct hidden_ack));
}

static uint64_t wait_of(struct hidden *hidden, uint64_t elapsed_ms)
{
    const struct hidden_limits *limits = &hidden->limits;
    uint64_t span = limits->max_ms > limits->min_ms ? limits->max_ms - limits->min_ms : 0;
    uint64_t drawn = limits->min_ms + rng_below(&hidden->rng, span + 1);
    return (elapsed_ms <= limits->min_ms ? drawn - elapsed_ms : drawn) + ROUNDING_MS;
}

enum hidden_outcome hidden_add(struct hidden *hidden, void *call, uint64_t elapsed_ms, uint64_t now_ms,
                               struct hidden_ack **ackp)
{
    if (hidden->limits.max_ms == 0)
        return HIDDEN_OFF;
    struct hidden_ack *ack = hidden->count < hidden->limits.most ? new_ack(hidden) : NULL;
    if (!ack)
        return HIDDEN_FULL;
    ack->call = call;
    ack->due_ms = now_ms + wait_of(hidden, elapsed_ms);
    rise(hidden, hidden->count++, ack);
    *ackp = ack;
    return HIDDEN_WAITS;
}

void hidden_drop(struct hidden *hidden, struct hidden_ack *ack)
{
    size_t place = ack->place;
    struct hidden_ack *last = hidden->heap[--hidden->count];
    if (last != ack) {
        if (last->due_ms < ack->due_ms)
            rise(hidden, place, last);
        else
            sink(hidden, place, last);
    }
    free(ack);
}

void *hidden_take_due(struct hidden *hidden, uint64_t now_ms)
{
    if (hidden->count == 0 || hidden->heap[0]->due_ms > now_ms)
        return NULL;
    void *call = hidden->heap[0]->call;
    hidden_drop(hidden, hidden->heap[0]);
    return call;
}

uint64_t hidden_next_ms(const struct hidden *hidden)
{
    return hidden->count ? hidden->heap[0]->due_ms : UINT64_MAX;
}

size_t hidden_count(const struct hidden *hidden)
{
    return hidden->count;
}
