/* redis/write_queue.h - claims that wait to be written to Redis: "this cell owns the route" or "it does not". Pure.
 *
 * One claim a route, the newest; the newest of all claims is sent first; when they are too many bytes, the oldest
 * go. */
#ifndef CELLROUTER_REDIS_WRITE_QUEUE_H
#define CELLROUTER_REDIS_WRITE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/hash.h"
#include "redis/key.h"
#include "base/list.h"
#include "redis/record.h"

struct write_queue;

enum claim_kind { CLAIM_PUT, CLAIM_FORGET };

/* Owned by whoever took it out of the queue, or by the queue. */
struct claim {
    struct list_node order;
    struct list_node bucket;
    uint64_t hash;
    uint64_t sent_ms; /* for the owner */
    enum claim_kind kind;
    struct route_record record; /* of a FORGET: stamp and cell are set */
    struct route_name name;     /* views into the claim itself */
};

enum write_queue_added {
    WRITE_QUEUE_ADDED,
    WRITE_QUEUE_REPLACED, /* an older claim on the route was dropped */
    WRITE_QUEUE_PUSHED,   /* the queue was full: the oldest claims of all were dropped */
    /* The claim was freed: a newer one waits, a FORGET met a PUT of another cell, or there is no room. */
    WRITE_QUEUE_REFUSED
};

/* Holds claims of at most so many bytes together, write_queue_cost() each. NULL: out of memory. */
MUST_USE struct write_queue *write_queue_new(const struct hash_key *key, uint64_t bytes);

/* Bytes that a claim on this name takes in a queue, its share of the queue's table included. */
size_t write_queue_cost(const struct route_name *name);

/* With all claims in it. NULL is fine. */
void write_queue_free(struct write_queue *queue);

/* A new claim, not in the queue. NULL: out of memory. claim_free() frees one that is not in the queue. */
MUST_USE struct claim *claim_new(enum claim_kind kind, const struct route_name *name,
                                 const struct route_record *record);
void claim_free(struct claim *claim);

/* Takes the claim over. A claim that comes back after it could not be written keeps its place by its stamp. */
enum write_queue_added write_queue_add(struct write_queue *queue, struct claim *claim);

/* Takes the newest claim out of the queue; NULL: it is empty. The caller owns it. */
MUST_USE struct claim *write_queue_take(struct write_queue *queue);

/* The claim that waits for this route, or NULL. The queue keeps it. */
const struct claim *write_queue_find(const struct write_queue *queue, const struct route_name *name);

/* Drops the claim that waits for this route, if there is one. */
void write_queue_drop(struct write_queue *queue, const struct route_name *name);

/* Claims in the queue. */
uint32_t write_queue_count(const struct write_queue *queue);

#endif
