/* agent/router/hidden.h - ACKs that are held back for a random time, and with each a cell's 404 or 403, so that the
 * time of a "there is nothing here" does not tell a private path from an absent one. A bounded queue in the order of
 * time; whose ACKs they are, and the clock, are the caller's.
 *
 * The time is drawn between two bounds and counted from the arrival of the request, where that is known and the
 * response took no longer than the lower bound: then the whole time that a client sees depends on the draw alone, and
 * not on how long the cell, a lookup or a replay took. Anything slower waits for the drawn time on top. */
#ifndef CELLROUTER_AGENT_ROUTER_HIDDEN_H
#define CELLROUTER_AGENT_ROUTER_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct hidden;

struct hidden_limits {
    uint32_t min_ms, max_ms; /* min_ms <= max_ms; max_ms of 0: nothing is held back */
    uint32_t most;           /* at a time */
};

/* An ACK that waits: valid until hidden_take_due gives its call back, or hidden_drop. */
struct hidden_ack;

enum hidden_outcome {
    HIDDEN_WAITS,
    HIDDEN_OFF, /* nothing is to be held back */
    HIDDEN_FULL /* as many wait as may, or memory is short */
};

/* Elapsed time that nobody knows. */
#define HIDDEN_UNKNOWN_MS UINT64_MAX

/* Off at first. NULL: out of memory. */
MUST_USE struct hidden *hidden_new(uint64_t seed);

/* Calls that wait are forgotten. NULL is allowed. */
void hidden_free(struct hidden *hidden);

/* For ACKs from now on; those that wait keep their time. */
void hidden_set(struct hidden *hidden, const struct hidden_limits *limits);

/* Holds call back; elapsed_ms is the age of its request. Sets *ackp only on HIDDEN_WAITS; otherwise the caller
 * acknowledges at once. */
MUST_USE enum hidden_outcome hidden_add(struct hidden *hidden, void *call, uint64_t elapsed_ms, uint64_t now_ms,
                                        struct hidden_ack **ackp);

/* Holds call back for wait_ms, whatever the limits are but for `most`. False: it does not, and *ackp is untouched. */
MUST_USE bool hidden_hold(struct hidden *hidden, void *call, uint64_t wait_ms, uint64_t now_ms,
                          struct hidden_ack **ackp);

/* Nobody waits for this ACK any more: it leaves the queue and is invalid. */
void hidden_drop(struct hidden *hidden, struct hidden_ack *ack);

/* The call whose time came first, taken out of the queue; NULL: none is due yet. */
void *hidden_take_due(struct hidden *hidden, uint64_t now_ms);

/* When the next one is due; UINT64_MAX: none waits. */
uint64_t hidden_next_ms(const struct hidden *hidden);

/* How many wait now. */
size_t hidden_count(const struct hidden *hidden);

#endif
