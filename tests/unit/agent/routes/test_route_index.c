/* tests/unit/agent/routes/test_route_index.c - the index alone: routes that share a hash, a tag or a bucket, and memory
 * that runs out. */
#include "agent/routes/route_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { ROUTES = 3000 };

/* Blocks of routes are only numbers here, from 1 on; hashes[] says what each one's hash is. */
struct world {
    struct route_blocks blocks;
    struct route_index index;
    uint64_t hashes[ROUTES + 1];
    bool there[ROUTES + 1];
    uint32_t wanted; /* that match looks for */
};

static uint64_t hash_of(const void *user, uint32_t block)
{
    const struct world *world = user;
    return world->hashes[block];
}

static bool match(const void *user, uint32_t block)
{
    const struct world *world = user;
    return block == world->wanted;
}

static struct world *world_new(uint64_t limit)
{
    struct world *world = calloc(1, sizeof *world);
    assert_true(route_blocks_init(&world->blocks, limit));
    assert_true(route_index_init(&world->index, &world->blocks));
    return world;
}

static void world_free(struct world *world)
{
    route_index_deinit(&world->index);
    route_blocks_deinit(&world->blocks);
    free(world);
}

static bool add(struct world *world, uint32_t block)
{
    if (!route_blocks_have(&world->blocks, 1))
        return false;
    route_index_add(&world->index, world->hashes[block], block, hash_of, world);
    world->there[block] = true;
    return true;
}

static void take_out(struct world *world, uint32_t block)
{
    route_index_remove(&world->index, world->hashes[block], block);
    world->there[block] = false;
}

static void expect_all(struct world *world)
{
    uint64_t count = 0, listed = 0;
    uint32_t blocks[7];
    for (uint32_t i = 1; i <= ROUTES; i++) {
        world->wanted = i;
        uint32_t found = route_index_find(&world->index, world->hashes[i], match, world);
        if (found != (world->there[i] ? i : 0))
            fail_msg("route %u is %s, found %u", i, world->there[i] ? "there" : "not there", found);
        count += world->there[i];
    }
    for (uint32_t bucket = 0; bucket < world->index.bucket_count; bucket++)
        for (size_t skip = 0, n = 1; n > 0; skip += n) {
            n = route_index_bucket(&world->index, bucket, skip, blocks, 7);
            for (size_t i = 0; i < n; i++)
                assert_true(world->there[blocks[i]]);
            listed += n;
        }
    assert_int_equal(world->index.count, count);
    assert_int_equal(listed, count);
}

/* Adds and removes at random, then removes all: the chunk of the first bucket and those of blocks are all that
 * stays. */
static void churn(struct world *world)
{
    struct rng rng = {5};
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            uint32_t block = 1 + (uint32_t)rng_below(&rng, ROUTES);
            if (world->there[block])
                take_out(world, block);
            else
                (void)add(world, block);
        }
        expect_all(world);
    }
    for (uint32_t i = 1; i <= ROUTES; i++)
        if (world->there[i])
            take_out(world, i);
    expect_all(world);
}

static void hashes_are_spread(void **state)
{
    (void)state;
    struct world *world = world_new(1 << 20);
    struct rng rng = {9};
    for (uint32_t i = 1; i <= ROUTES; i++)
        world->hashes[i] = rng_next(&rng);
    churn(world);
    assert_true(world->index.bucket_count > 200);
    world_free(world);
}

/* One tag for all: only the key tells them apart. */
static void same_tag(void **state)
{
    (void)state;
    struct world *world = world_new(1 << 20);
    for (uint32_t i = 1; i <= ROUTES; i++)
        world->hashes[i] = i;
    churn(world);
    world_free(world);
}

/* One hash for all: one chain of hundreds of blocks, split again and again without effect. */
static void same_hash(void **state)
{
    (void)state;
    struct world *world = world_new(1 << 20);
    for (uint32_t i = 1; i <= ROUTES; i++)
        world->hashes[i] = 77;
    churn(world);
    uint64_t free_blocks = world->blocks.free_count;
    churn(world);
    assert_int_equal(world->blocks.free_count, free_blocks); /* nothing leaks */
    world_free(world);
}

/* No memory for more buckets: the chains grow instead, until there is none for them either. */
static void no_memory(void **state)
{
    (void)state;
    struct world *world = world_new(4096 * 4);
    struct rng rng = {9};
    for (uint32_t i = 1; i <= ROUTES; i++)
        world->hashes[i] = rng_next(&rng);
    uint32_t fit = 0;
    while (fit < ROUTES && add(world, fit + 1))
        fit++;
    assert_in_range(fit, 500, ROUTES - 1);
    assert_true(world->blocks.bytes <= world->blocks.limit);
    expect_all(world);
    churn(world);
    route_blocks_reset(&world->blocks);
    route_index_reset(&world->index);
    expect_all(world);
    churn(world);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_spread),
        cmocka_unit_test(same_tag),
        cmocka_unit_test(same_hash),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
