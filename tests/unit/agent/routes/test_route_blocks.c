/* tests/unit/agent/routes/test_route_blocks.c - blocks that are taken are nobody else's, and no more of them than the
 * limit allows. */
#include "agent/routes/route_blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { LIMIT = 1 << 20, MOST = LIMIT / ROUTE_BLOCK_SIZE };

/* Takes all there are; returns how many. Each is filled with its own number. */
static uint32_t take_all(struct route_blocks *blocks, uint32_t *taken)
{
    uint32_t count = 0;
    while (route_blocks_have(blocks, 1)) {
        assert_true(count < MOST);
        taken[count] = route_blocks_take(blocks);
        assert_int_not_equal(taken[count], 0);
        memset(route_block(blocks, taken[count]), (int)(count % 251), ROUTE_BLOCK_SIZE);
        count++;
    }
    return count;
}

static void check(const struct route_blocks *blocks, const uint32_t *taken, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *bytes = route_block(blocks, taken[i]);
        assert_int_equal((uintptr_t)bytes % ROUTE_BLOCK_SIZE, 0);
        for (unsigned k = 0; k < ROUTE_BLOCK_SIZE; k++)
            assert_int_equal(bytes[k], i % 251);
    }
}

static void the_limit_holds_all_included(void **state)
{
    (void)state;
    struct route_blocks blocks;
    uint32_t *taken = calloc(MOST, sizeof *taken);
    assert_true(route_blocks_init(&blocks, LIMIT));
    uint32_t count = take_all(&blocks, taken);
    assert_in_range(count, MOST * 9 / 10, MOST - 1);
    assert_true(blocks.bytes <= LIMIT);
    check(&blocks, taken, count);
    assert_null(route_blocks_take_chunk(&blocks));
    free(taken);
    route_blocks_deinit(&blocks);
}

static void what_the_owner_took_counts_too(void **state)
{
    (void)state;
    struct route_blocks alone, charged;
    uint32_t *taken = calloc(MOST, sizeof *taken);
    assert_true(route_blocks_init(&alone, LIMIT));
    assert_true(route_blocks_init(&charged, LIMIT));
    route_blocks_charge(&charged, LIMIT / 2);
    uint32_t count = take_all(&alone, taken);
    assert_in_range(take_all(&charged, taken), count * 4 / 10, count * 6 / 10);
    free(taken);
    route_blocks_deinit(&alone);
    route_blocks_deinit(&charged);
}

static void blocks_given_back_are_taken_again(void **state)
{
    (void)state;
    struct route_blocks blocks;
    struct rng rng = {.state = 5};
    uint32_t *taken = calloc(MOST, sizeof *taken);
    assert_true(route_blocks_init(&blocks, LIMIT));
    uint32_t count = take_all(&blocks, taken);
    uint64_t bytes = blocks.bytes;
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)rng_below(&rng, count);
        route_blocks_give(&blocks, taken[i]);
        assert_true(route_blocks_have(&blocks, 1));
        taken[i] = route_blocks_take(&blocks);
        memset(route_block(&blocks, taken[i]), (int)(i % 251), ROUTE_BLOCK_SIZE);
    }
    assert_false(route_blocks_have(&blocks, 1));
    assert_int_equal(blocks.bytes, bytes);
    check(&blocks, taken, count);
    free(taken);
    route_blocks_deinit(&blocks);
}

static void have_promises_as_many_as_it_was_asked_for(void **state)
{
    (void)state;
    struct route_blocks blocks;
    assert_true(route_blocks_init(&blocks, LIMIT));
    for (uint32_t n = 1; n < 70; n++) {
        assert_true(route_blocks_have(&blocks, n));
        assert_true(blocks.free_count + (blocks.bump_end - blocks.bump) >= n);
        for (uint32_t i = 0; i < n; i++)
            assert_int_not_equal(route_blocks_take(&blocks), 0);
    }
    assert_false(route_blocks_have(&blocks, MOST));
    route_blocks_deinit(&blocks);
}

static void a_reset_frees_all_and_keeps_the_chunks(void **state)
{
    (void)state;
    struct route_blocks blocks;
    uint32_t *taken = calloc(MOST, sizeof *taken);
    assert_true(route_blocks_init(&blocks, LIMIT));
    uint32_t count = take_all(&blocks, taken);
    uint64_t bytes = blocks.bytes;
    route_blocks_reset(&blocks);
    assert_int_equal(take_all(&blocks, taken), count);
    check(&blocks, taken, count);
    assert_int_equal(blocks.bytes, bytes);
    free(taken);
    route_blocks_deinit(&blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_holds_all_included),
        cmocka_unit_test(what_the_owner_took_counts_too),
        cmocka_unit_test(blocks_given_back_are_taken_again),
        cmocka_unit_test(have_promises_as_many_as_it_was_asked_for),
        cmocka_unit_test(a_reset_frees_all_and_keeps_the_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
