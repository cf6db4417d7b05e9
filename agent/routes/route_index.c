/* agent/routes/route_index.c - linear hashing in buckets of one cache line. The bucket that is split next is the one
 * after the last that was split, whichever is full: so the table grows a bucket at a time and no insert is a pause. */
#include "agent/routes/route_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct route_bucket) == ROUTE_BLOCK_SIZE, "a bucket is one block");

/* Routes a bucket at which the next one is split, times 2. The buckets not yet split in a round have up to twice that:
 * 5.5 keeps all but a few of them within their 10 places, and costs 11.6 bytes a route. */
enum { HALF_LOAD = 11 };

static uint16_t tag_of(uint64_t hash)
{
    return (uint16_t)(hash >> 48);
}

static uint32_t bucket_of(const struct route_index *index, uint64_t hash)
{
    uint32_t bucket = (uint32_t)hash & index->mask;
    return bucket < index->bucket_count ? bucket : bucket & (index->mask >> 1);
}

static struct route_bucket *bucket_at(const struct route_index *index, uint32_t bucket)
{
    unsigned shift = index->blocks->shift;
    return &index->segments[bucket >> shift][bucket & ((UINT32_C(1) << shift) - 1)];
}

static struct route_bucket *bucket_more(const struct route_index *index, const struct route_bucket *bucket)
{
    return bucket->more ? route_block(index->blocks, bucket->more) : NULL;
}

/* One more bucket, empty; its segment first, if it begins one. False without memory. */
static bool add_bucket(struct route_index *index)
{
    uint32_t fresh = index->bucket_count;
    if (fresh == UINT32_MAX)
        return false;
    if ((fresh & ((UINT32_C(1) << index->blocks->shift) - 1)) == 0) {
        struct route_bucket *segment = route_blocks_take_chunk(index->blocks);
        if (!segment)
            return false;
        index->segments[fresh >> index->blocks->shift] = segment;
    }
    index->bucket_count++;
    if (fresh > index->mask)
        index->mask = index->mask * 2 + 1;
    *bucket_at(index, fresh) = (struct route_bucket){0};
    return true;
}

bool route_index_init(struct route_index *index, struct route_blocks *blocks)
{
    size_t segments = blocks->chunk_most + 1U;
    *index = (struct route_index){.blocks = blocks, .segments = calloc(segments, sizeof(struct route_bucket *))};
    if (!index->segments)
        return false;
    route_blocks_charge(blocks, segments * sizeof *index->segments);
    return add_bucket(index);
}

void route_index_deinit(struct route_index *index)
{
    free(index->segments);
    index->segments = NULL;
}

void route_index_reset(struct route_index *index)
{
    index->bucket_count = index->mask = 0;
    index->count = 0;
    bool there = add_bucket(index);
    assert(there); /* of the chunks that stay, the first one */
    (void)there;
}

uint32_t route_index_find(const struct route_index *index, uint64_t hash, route_match *match, const void *user)
{
    uint16_t tag = tag_of(hash);
    const struct route_bucket *bucket = bucket_at(index, bucket_of(index, hash));
    for (; bucket; bucket = bucket_more(index, bucket))
        for (unsigned i = 0; i < ROUTE_BUCKET_PLACES; i++)
            if (bucket->tags[i] == tag && bucket->routes[i] && match(user, bucket->routes[i]))
                return bucket->routes[i];
    return 0;
}

static unsigned places_used(const struct route_bucket *bucket)
{
    unsigned used = 0;
    while (used < ROUTE_BUCKET_PLACES && bucket->routes[used])
        used++;
    return used;
}

static void append(struct route_index *index, uint32_t number, uint64_t hash, uint32_t block)
{
    struct route_bucket *bucket = bucket_at(index, number);
    while (bucket->more)
        bucket = bucket_more(index, bucket);
    unsigned used = places_used(bucket);
    if (used == ROUTE_BUCKET_PLACES) {
        bucket->more = route_blocks_take(index->blocks);
        bucket = bucket_more(index, bucket);
        *bucket = (struct route_bucket){0};
        used = 0;
    }
    bucket->tags[used] = tag_of(hash);
    bucket->routes[used] = block;
}

/* Deals the routes of the oldest unsplit bucket out over it and the newest one. Each block of its chain is given back
 * before its routes need one again, so this never lacks one: n routes of two buckets need no more blocks than n of
 * one. */
static void split(struct route_index *index, route_hash *hash_of, const void *user)
{
    if (!add_bucket(index))
        return;
    struct route_bucket *old = bucket_at(index, (index->bucket_count - 1) & (index->mask >> 1));
    struct route_bucket part = *old;
    *old = (struct route_bucket){0};
    for (;;) {
        for (unsigned i = 0; i < ROUTE_BUCKET_PLACES && part.routes[i]; i++) {
            uint64_t hash = hash_of(user, part.routes[i]);
            append(index, bucket_of(index, hash), hash, part.routes[i]);
        }
        if (!part.more)
            return;
        uint32_t block = part.more;
        part = *(const struct route_bucket *)route_block(index->blocks, block);
        route_blocks_give(index->blocks, block);
    }
}

void route_index_add(struct route_index *index, uint64_t hash, uint32_t block, route_hash *hash_of, const void *user)
{
    append(index, bucket_of(index, hash), hash, block);
    index->count++;
    if (index->count * 2 > (uint64_t)index->bucket_count * HALF_LOAD)
        split(index, hash_of, user);
}

/* The last part of a chain, and the part before it or NULL. */
static struct route_bucket *last_part(struct route_index *index, struct route_bucket *bucket,
                                      struct route_bucket **before)
{
    *before = NULL;
    while (bucket->more) {
        *before = bucket;
        bucket = bucket_more(index, bucket);
    }
    return bucket;
}

/* The last route of the chain moves to the place that became free. */
static void close_gap(struct route_index *index, struct route_bucket *first, struct route_bucket *gap, unsigned place)
{
    struct route_bucket *before;
    struct route_bucket *last = last_part(index, first, &before);
    unsigned from = places_used(last) - 1;
    gap->tags[place] = last->tags[from];
    gap->routes[place] = last->routes[from];
    last->routes[from] = 0;
    if (from == 0 && before) {
        route_blocks_give(index->blocks, before->more);
        before->more = 0;
    }
}

void route_index_remove(struct route_index *index, uint64_t hash, uint32_t block)
{
    struct route_bucket *first = bucket_at(index, bucket_of(index, hash));
    for (struct route_bucket *bucket = first; bucket; bucket = bucket_more(index, bucket))
        for (unsigned i = 0; i < ROUTE_BUCKET_PLACES; i++)
            if (bucket->routes[i] == block) {
                close_gap(index, first, bucket, i);
                index->count--;
                return;
            }
    assert(false); /* it is in the index */
}

size_t route_index_bucket(const struct route_index *index, uint32_t bucket, size_t skip, uint32_t *out, size_t size)
{
    size_t n = 0;
    const struct route_bucket *part = bucket < index->bucket_count ? bucket_at(index, bucket) : NULL;
    for (; part && n < size; part = bucket_more(index, part))
        for (unsigned i = 0; i < ROUTE_BUCKET_PLACES && part->routes[i] && n < size; i++)
            if (skip > 0)
                skip--;
            else
                out[n++] = part->routes[i];
    return n;
}

void route_index_prefetch(const struct route_index *index, uint64_t hash)
{
    __builtin_prefetch(bucket_at(index, bucket_of(index, hash)));
}

void route_index_prefetch_routes(const struct route_index *index, uint64_t hash)
{
    uint16_t tag = tag_of(hash);
    const struct route_bucket *bucket = bucket_at(index, bucket_of(index, hash));
    for (unsigned i = 0; i < ROUTE_BUCKET_PLACES; i++)
        if (bucket->tags[i] == tag && bucket->routes[i])
            __builtin_prefetch(route_block(index->blocks, bucket->routes[i]));
}
