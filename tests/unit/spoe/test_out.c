/* tests/unit/spoe/test_out.c - the chain of blocks: bytes in order, blocks given back, want of memory. */
#include "spoe/out.h"

#include "base/rng.h"
#include "tests/unit/spoe/wire.h"

enum { SIZE = 8 };

static unsigned allocations_left;

static void *allocate_some(size_t size)
{
    return allocations_left > 0 ? (allocations_left--, malloc(size)) : NULL;
}

static size_t collect(const struct spoe_out *out, uint8_t *bytes)
{
    struct spoe_bytes pieces[64];
    size_t n = spoe_out_pieces(out, pieces, 64), used = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(pieces[i].length > 0);
        memcpy(bytes + used, pieces[i].at, pieces[i].length);
        used += pieces[i].length;
    }
    assert_int_equal(used, out->unsent);
    return used;
}

/* Every mixture of appending a and dropping d bytes keeps the order. */
static void bytes_come_out_in_order(void **state)
{
    (void)state;
    for (size_t a = 1; a <= 3 * SIZE; a++) {
        for (size_t d = 0; d <= a; d++) {
            struct spoe_blocks pool;
            struct spoe_out out = {0};
            uint8_t next_in = 0, next_out = 0, bytes[1024];
            spoe_blocks_init(&pool, SIZE);
            for (unsigned round = 0; round < 10; round++) {
                for (size_t i = 0; i < a; i++)
                    bytes[i] = next_in++;
                assert_true(spoe_out_append(&out, &pool, bytes, a));
                size_t n = collect(&out, bytes);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(bytes[i], (uint8_t)(next_out + i));
                spoe_out_drop(&out, &pool, d);
                next_out = (uint8_t)(next_out + d);
            }
            spoe_out_drop(&out, &pool, out.unsent);
            assert_null(out.first);
            assert_null(out.last);
            spoe_blocks_deinit(&pool);
        }
    }
}

static void what_is_written_in_place_comes_out_in_order(void **state)
{
    (void)state;
    struct spoe_blocks pool;
    struct spoe_out out = {0};
    uint8_t bytes[64];
    spoe_blocks_init(&pool, SIZE);
    assert_null(spoe_out_room(&out, &pool, 1)); /* there is no block yet */
    assert_true(spoe_out_append(&out, &pool, (const uint8_t *)"abc", 3));
    assert_null(spoe_out_room(&out, &pool, SIZE - 2));
    uint8_t *room = spoe_out_room(&out, &pool, SIZE - 3);
    assert_non_null(room);
    memcpy(room, "defgh", SIZE - 3);
    spoe_out_took(&out, 2); /* less than was asked for */
    room = spoe_out_room(&out, &pool, 1);
    assert_non_null(room);
    *room = 'F';
    spoe_out_took(&out, 1);
    assert_true(spoe_out_append(&out, &pool, (const uint8_t *)"ghijk", 5));
    assert_int_equal(collect(&out, bytes), 11);
    assert_memory_equal(bytes, "abcdeFghijk", 11);
    spoe_out_drop(&out, &pool, 11);
    assert_null(spoe_out_room(&out, &pool, 1));
    spoe_blocks_deinit(&pool);
}

static void without_memory_nothing_is_added(void **state)
{
    (void)state;
    struct spoe_blocks pool;
    struct spoe_out out = {0};
    uint8_t bytes[64];
    spoe_blocks_init(&pool, SIZE);
    pool.allocate = allocate_some;
    allocations_left = 1;
    assert_true(spoe_out_append(&out, &pool, (const uint8_t *)"abcdef", 6));
    assert_false(spoe_out_append(&out, &pool, (const uint8_t *)"ghi", 3));
    assert_int_equal(collect(&out, bytes), 6);
    assert_true(spoe_out_append(&out, &pool, (const uint8_t *)"gh", 2));
    allocations_left = 1;
    assert_false(
        spoe_out_append(&out, &pool, (const uint8_t *)"0123456789abcdef", 9 + SIZE)); /* the one is given back */
    assert_int_equal(pool.spare_count, 1);
    assert_int_equal(collect(&out, bytes), 8);
    assert_memory_equal(bytes, "abcdefgh", 8);
    spoe_out_drop(&out, &pool, 8);
    spoe_blocks_deinit(&pool);
}

static void steady_work_allocates_nothing(void **state)
{
    (void)state;
    struct spoe_blocks pool;
    struct spoe_out out = {0};
    spoe_blocks_init(&pool, SIZE);
    pool.allocate = allocate_some;
    allocations_left = 2;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(spoe_out_append(&out, &pool, (const uint8_t *)"0123456789", 10));
        spoe_out_drop(&out, &pool, 10);
    }
    spoe_blocks_deinit(&pool);
}

/* Fills the chain a block at a time as far as it may; returns how many it has then. */
static size_t fill(struct spoe_out *out, struct spoe_blocks *pool)
{
    while (spoe_out_may_take(out, pool, SIZE))
        assert_true(spoe_out_append(out, pool, (const uint8_t *)"01234567", SIZE));
    return out->blocks;
}

static void chains_that_nobody_empties_share_what_there_is(void **state)
{
    enum { CHAINS = 30, EXTRA = 40 };
    (void)state;
    struct spoe_blocks pool;
    struct spoe_out chains[CHAINS] = {0}, late = {0};
    spoe_blocks_init(&pool, SIZE);
    pool.extra_max = EXTRA;
    assert_int_equal(fill(&chains[0], &pool), 1 + EXTRA / 5); /* alone: a fifth, and its own */
    for (size_t i = 1; i < CHAINS; i++) {
        size_t blocks = fill(&chains[i], &pool);
        assert_true(blocks >= 1);
        assert_true(blocks <= 1 + EXTRA / 5);
        assert_true(pool.extra <= EXTRA);
    }
    assert_int_equal(fill(&late, &pool), 1); /* the first one is everybody's right */
    assert_false(spoe_out_may_take(&late, &pool, 1));
    spoe_out_drop(&late, &pool, 1); /* a block that is partly sent has no room */
    assert_false(spoe_out_may_take(&late, &pool, 1));
    spoe_out_drop(&late, &pool, late.unsent);
    assert_true(spoe_out_may_take(&late, &pool, SIZE));
    assert_false(spoe_out_may_take(&late, &pool, SIZE + 1 + EXTRA * SIZE));
    for (size_t i = 0; i < CHAINS; i++)
        spoe_out_drop(&chains[i], &pool, chains[i].unsent);
    assert_int_equal(pool.extra, 0);
    assert_int_equal(fill(&late, &pool), 1 + EXTRA / 5);
    spoe_out_drop(&late, &pool, late.unsent);
    spoe_blocks_deinit(&pool);
}

/* Whatever is appended and dropped, the sum is that of the chains. */
static void the_sum_is_right(void **state)
{
    (void)state;
    struct rng rng = {42};
    struct spoe_blocks pool;
    struct spoe_out chains[5] = {0};
    uint8_t bytes[5 * SIZE] = {0};
    spoe_blocks_init(&pool, SIZE);
    for (unsigned i = 0; i < 20000; i++) {
        struct spoe_out *out = &chains[rng_below(&rng, 5)];
        if (rng_below(&rng, 2))
            assert_true(spoe_out_append(out, &pool, bytes, 1 + rng_below(&rng, sizeof bytes)));
        else
            spoe_out_drop(out, &pool, rng_below(&rng, out->unsent + 1));
        size_t extra = 0;
        for (size_t c = 0; c < 5; c++) {
            size_t blocks = 0;
            for (const struct spoe_block *block = chains[c].first; block; block = block->next)
                blocks++;
            assert_int_equal(chains[c].blocks, blocks);
            extra += blocks > 1 ? blocks - 1 : 0;
        }
        assert_int_equal(pool.extra, extra);
        if (out->unsent > 100 * SIZE)
            spoe_out_drop(out, &pool, out->unsent);
    }
    for (size_t c = 0; c < 5; c++)
        spoe_out_drop(&chains[c], &pool, chains[c].unsent);
    spoe_blocks_deinit(&pool);
}

static void spare_blocks_are_bounded(void **state)
{
    (void)state;
    struct spoe_blocks pool;
    struct spoe_out out = {0};
    uint8_t bytes[4096] = {0};
    spoe_blocks_init(&pool, SIZE);
    assert_true(spoe_out_append(&out, &pool, bytes, sizeof bytes));
    spoe_out_drop(&out, &pool, sizeof bytes);
    assert_int_equal(pool.spare_count, 64);
    spoe_blocks_give(&pool, NULL);
    spoe_blocks_deinit(&pool);
    assert_null(pool.spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_order),
        cmocka_unit_test(what_is_written_in_place_comes_out_in_order),
        cmocka_unit_test(without_memory_nothing_is_added),
        cmocka_unit_test(steady_work_allocates_nothing),
        cmocka_unit_test(chains_that_nobody_empties_share_what_there_is),
        cmocka_unit_test(the_sum_is_right),
        cmocka_unit_test(spare_blocks_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
