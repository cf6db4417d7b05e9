/* agent/routes/route_index.h - hash -> block of a route: linear hashing, so that it grows by one bucket at a time and
 * never rehashes. Source: W. Litwin, "Linear Hashing: A New Tool for File and Table Addressing", VLDB 1980. Pure.
 *
 * A bucket is one cache line: 10 blocks with 16 bits of their hashes, so that a prefix that is not there costs one
 * cache miss and no look at a route. A full bucket goes on in a block of the same pool. */
#ifndef CELLROUTER_AGENT_ROUTES_ROUTE_INDEX_H
#define CELLROUTER_AGENT_ROUTES_ROUTE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/route_blocks.h"
#include "base/attributes.h"

enum { ROUTE_BUCKET_PLACES = 10 };

struct route_bucket {
    uint16_t tags[ROUTE_BUCKET_PLACES];
    uint32_t routes[ROUTE_BUCKET_PLACES]; /* 0: free; the free ones are the last */
    uint32_t more;                        /* the block in which the bucket goes on, 0: none */
};

/* Embedded in the route table. */
struct route_index {
    struct route_blocks *blocks;
    struct route_bucket **segments; /* each a chunk */
    uint32_t bucket_count, mask;    /* mask: the least 2^n - 1 that covers bucket_count */
    uint64_t count;
};

/* The hash of the route in a block: asked when a bucket is split. */
typedef uint64_t route_hash(const void *user, uint32_t block);

/* Does the route in a block have the key looked for? */
typedef bool route_match(const void *user, uint32_t block);

/* An empty index, whose buckets come from blocks, which must outlive it. False: no memory even for the first bucket. */
MUST_USE bool route_index_init(struct route_index *index, struct route_blocks *blocks);

/* Frees what is the index' own; the buckets go with the blocks. */
void route_index_deinit(struct route_index *index);

/* Empty again, after route_blocks_reset. */
void route_index_reset(struct route_index *index);

/* The block of the route with this hash that matches, or 0. */
uint32_t route_index_find(const struct route_index *index, uint64_t hash, route_match *match, const void *user);

/* Adds a route that is not in it. May take one block: route_blocks_have must have said so. Then splits a bucket when it
 * is time and there is memory. */
void route_index_add(struct route_index *index, uint64_t hash, uint32_t block, route_hash *hash_of, const void *user);

/* Takes out a route that is in it. */
void route_index_remove(struct route_index *index, uint64_t hash, uint32_t block);

/* The blocks in a bucket, from the skip-th on, at most size of them. Returns how many. */
size_t route_index_bucket(const struct route_index *index, uint32_t bucket, size_t skip, uint32_t *out, size_t size);

/* Asks for the bucket's memory; then for that of the routes which look like the right one. */
void route_index_prefetch(const struct route_index *index, uint64_t hash);
void route_index_prefetch_routes(const struct route_index *index, uint64_t hash);

#endif
