/* redis/write_queue.c - a hash table by route and a list by stamp over the same claims. */
#include "redis/write_queue.h"

#include <stdlib.h>
#include <string.h>

enum { MALLOC_SHARE = 16 }; /* bytes that an allocation costs beside what it gives */

struct write_queue {
    struct hash_key key;
    uint64_t most, bytes;
    uint32_t count;
    size_t mask;
    struct list_node order; /* by stamp, the oldest first */
    struct list_node *buckets;
};

size_t write_queue_cost(const struct route_name *name)
{
    return sizeof(struct claim) + name->host_length + name->prefix_length + sizeof(struct list_node) + MALLOC_SHARE;
}

/* A bucket for each claim that fits, when names are short. */
struct write_queue *write_queue_new(const struct hash_key *key, uint64_t most)
{
    struct write_queue *queue = calloc(1, sizeof *queue);
    size_t buckets = 16;

    if (!queue)
        return NULL;
    while (buckets < most / (sizeof(struct claim) + MALLOC_SHARE))
        buckets *= 2;
    queue->buckets = calloc(buckets, sizeof queue->buckets[0]);
    if (!queue->buckets) {
        free(queue);
        return NULL;
    }
    for (size_t i = 0; i < buckets; i++)
        list_init(&queue->buckets[i]);
    queue->key = *key;
    queue->most = most;
    queue->mask = buckets - 1;
    list_init(&queue->order);
    return queue;
}

static void take_out(struct write_queue *queue, struct claim *claim)
{
    list_remove(&claim->order);
    list_remove(&claim->bucket);
    queue->count--;
    queue->bytes -= write_queue_cost(&claim->name);
}

void write_queue_free(struct write_queue *queue)
{
    struct claim *claim;

    if (!queue)
        return;
    while ((claim = write_queue_take(queue)))
        claim_free(claim);
    free(queue->buckets);
    free(queue);
}

struct claim *claim_new(enum claim_kind kind, const struct route_name *name, const struct route_record *record)
{
    struct claim *claim = malloc(sizeof *claim + name->host_length + name->prefix_length);
    char *at;

    if (!claim)
        return NULL;
    at = (char *)(claim + 1);
    *claim = (struct claim){.kind = kind, .record = *record, .name = *name};
    list_init(&claim->order);
    list_init(&claim->bucket);
    claim->name.prefix = memcpy(at, name->prefix, name->prefix_length);
    claim->name.host = at + name->prefix_length;
    if (name->host_length != 0)
        memcpy(at + name->prefix_length, name->host, name->host_length);
    return claim;
}

void claim_free(struct claim *claim)
{
    free(claim);
}

static bool same_name(const struct route_name *a, const struct route_name *b)
{
    return a->prefix_length == b->prefix_length && a->host_length == b->host_length &&
           memcmp(a->prefix, b->prefix, a->prefix_length) == 0 &&
           (a->host_length == 0 || memcmp(a->host, b->host, a->host_length) == 0);
}

static struct claim *find(const struct write_queue *queue, const struct route_name *name, uint64_t hash)
{
    struct list_node *bucket = &queue->buckets[hash & queue->mask];

    for (struct list_node *at = bucket->next; at != bucket; at = at->next) {
        struct claim *claim = LIST_OWNER(at, struct claim, bucket);

        if (claim->hash == hash && same_name(&claim->name, name))
            return claim;
    }
    return NULL;
}

const struct claim *write_queue_find(const struct write_queue *queue, const struct route_name *name)
{
    return find(queue, name, hash_name(&queue->key, name));
}

static bool same_cell(const struct route_record *a, const struct route_record *b)
{
    return a->cell_length == b->cell_length && memcmp(a->cell, b->cell, a->cell_length) == 0;
}

/* Whether the waiting claim stands against a new one: a newer claim, a pin against what is learned, or a PUT of a cell
 * that the new claim does not speak of ("EU0 is not it" says nothing of EU1). */
static bool stands(const struct claim *waiting, const struct claim *claim)
{
    bool waits_pinned = (waiting->record.flags & ROUTE_PINNED) != 0, pinned = (claim->record.flags & ROUTE_PINNED) != 0;

    if (waiting->kind == CLAIM_PUT && claim->kind == CLAIM_FORGET && !same_cell(&waiting->record, &claim->record))
        return true;
    if (waits_pinned != pinned)
        return waits_pinned;
    return waiting->record.stamp_ms > claim->record.stamp_ms;
}

/* Almost always at the end at once: queue come in the order of their stamps. */
static void insert_by_stamp(struct write_queue *queue, struct claim *claim)
{
    struct list_node *after = queue->order.prev;

    while (after != &queue->order && LIST_OWNER(after, struct claim, order)->record.stamp_ms > claim->record.stamp_ms)
        after = after->prev;
    list_insert(after->next, &claim->order);
}

static struct claim *oldest(const struct write_queue *queue)
{
    return list_is_empty(&queue->order) ? NULL : LIST_OWNER(queue->order.next, struct claim, order);
}

static void drop(struct write_queue *queue, struct claim *claim)
{
    take_out(queue, claim);
    claim_free(claim);
}

enum write_queue_added write_queue_add(struct write_queue *queue, struct claim *claim)
{
    enum write_queue_added added = WRITE_QUEUE_ADDED;
    struct claim *other;

    claim->hash = hash_name(&queue->key, &claim->name);
    other = find(queue, &claim->name, claim->hash);
    if (other && stands(other, claim)) {
        claim_free(claim);
        return WRITE_QUEUE_REFUSED;
    }
    if (other) {
        drop(queue, other);
        added = WRITE_QUEUE_REPLACED;
    }
    while (queue->bytes + write_queue_cost(&claim->name) > queue->most) {
        other = oldest(queue);
        if (!other || other->record.stamp_ms > claim->record.stamp_ms) {
            claim_free(claim);
            return WRITE_QUEUE_REFUSED;
        }
        drop(queue, other);
        added = WRITE_QUEUE_PUSHED;
    }
    insert_by_stamp(queue, claim);
    list_insert(&queue->buckets[claim->hash & queue->mask], &claim->bucket);
    queue->count++;
    queue->bytes += write_queue_cost(&claim->name);
    return added;
}

struct claim *write_queue_take(struct write_queue *queue)
{
    struct claim *newest;

    if (list_is_empty(&queue->order))
        return NULL;
    newest = LIST_OWNER(queue->order.prev, struct claim, order);
    take_out(queue, newest);
    return newest;
}

uint32_t write_queue_count(const struct write_queue *queue)
{
    return queue->count;
}

void write_queue_drop(struct write_queue *queue, const struct route_name *name)
{
    struct claim *claim = find(queue, name, hash_name(&queue->key, name));

    if (claim)
        drop(queue, claim);
}
