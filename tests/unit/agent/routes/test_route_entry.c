/* tests/unit/agent/routes/test_route_entry.c - keys over several blocks, at every length; rings against a model. */
#include "agent/routes/route_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

static void setup_blocks(struct route_blocks *blocks)
{
    assert_true(route_blocks_init(blocks, 1 << 20));
}

static uint32_t put(struct route_blocks *blocks, const char *key, size_t length)
{
    assert_true(route_blocks_have(blocks, route_entry_blocks(length)));
    uint32_t block = route_blocks_take(blocks);
    *route_entry(blocks, block) = (struct route_entry){0};
    route_entry_set_key(blocks, route_entry(blocks, block), key, length);
    return block;
}

static void a_key_of_every_length_comes_back(void **state)
{
    (void)state;
    struct route_blocks blocks;
    char *out = malloc(ROUTE_KEY_LIMIT);
    setup_blocks(&blocks);
    for (size_t length = 1; length <= ROUTE_KEY_LIMIT; length += length < 400 ? 1 : 97) {
        char *key = malloc(length); /* of exact size */
        for (size_t i = 0; i < length; i++)
            key[i] = (char)('a' + (i * 7 + length) % 26);
        uint64_t free_before = blocks.free_count + (blocks.bump_end - blocks.bump);
        uint32_t block = put(&blocks, key, length);
        const struct route_entry *entry = route_entry(&blocks, block);
        assert_int_equal(route_entry_key(&blocks, entry, out), length);
        assert_memory_equal(out, key, length);
        assert_true(route_entry_has_key(&blocks, entry, key, length));
        assert_false(route_entry_has_key(&blocks, entry, key, length - 1));
        for (size_t i = 0; i < length; i += 1 + length / 40) {
            key[i] ^= 1;
            assert_false(route_entry_has_key(&blocks, entry, key, length));
            key[i] ^= 1;
        }
        route_entry_give(&blocks, block);
        if (free_before >= route_entry_blocks(length)) /* else a chunk was taken meanwhile */
            assert_int_equal(blocks.free_count + (blocks.bump_end - blocks.bump), free_before);
        free(key);
    }
    free(out);
    route_blocks_deinit(&blocks);
}

static void blocks_are_counted_by_length(void **state)
{
    (void)state;
    assert_int_equal(route_entry_blocks(0), 1);
    assert_int_equal(route_entry_blocks(28), 1);
    assert_int_equal(route_entry_blocks(29), 2);
    assert_int_equal(route_entry_blocks(88), 2);
    assert_int_equal(route_entry_blocks(89), 3);
    assert_int_equal(route_entry_blocks(4095), 1 + (4095 - 28 + 59) / 60);
}

/* ---- rings ------------------------------------------------------------------------------------------------------ */

enum { ENTRIES = 40, LISTS = 3 };

/* What a ring should hold, from its hand on. */
struct model {
    uint32_t hand, blocks[ENTRIES];
    unsigned count;
};

static void check_ring(const struct route_blocks *blocks, const struct model *model)
{
    uint32_t at = model->hand;
    assert_int_equal(at == 0, model->count == 0);
    for (unsigned i = 0; i < model->count; i++) {
        assert_int_equal(at, model->blocks[i]);
        uint32_t next = route_entry(blocks, at)->next;
        assert_int_equal(route_entry(blocks, next)->last, at);
        at = next;
    }
    assert_int_equal(at, model->hand);
}

static void ring_remove(const struct route_blocks *blocks, struct model *model, unsigned i)
{
    route_ring_remove(blocks, &model->hand, model->blocks[i]);
    memmove(&model->blocks[i], &model->blocks[i + 1], (--model->count - i) * sizeof model->blocks[0]);
}

static void rings_keep_their_order(void **state)
{
    (void)state;
    struct route_blocks blocks;
    struct rng rng = {.state = 11};
    struct model rings[LISTS] = {0};
    uint32_t outside[ENTRIES];
    unsigned left = ENTRIES;
    setup_blocks(&blocks);
    for (unsigned i = 0; i < ENTRIES; i++)
        outside[i] = put(&blocks, "k", 1);
    for (unsigned round = 0; round < 20000; round++) {
        struct model *ring = &rings[rng_below(&rng, LISTS)], *other = &rings[rng_below(&rng, LISTS)];
        if (rng_below(&rng, 2) && left > 0) {
            ring->blocks[ring->count] = outside[--left];
            route_ring_add(&blocks, &ring->hand, ring->blocks[ring->count++]);
        } else if (rng_below(&rng, 8) && ring->count > 0) {
            unsigned i = (unsigned)rng_below(&rng, ring->count);
            outside[left++] = ring->blocks[i];
            ring_remove(&blocks, ring, i);
        } else if (ring != other) {
            route_ring_join(&blocks, &ring->hand, &other->hand);
            memcpy(&ring->blocks[ring->count], other->blocks, other->count * sizeof ring->blocks[0]);
            ring->count += other->count;
            other->count = 0;
        }
        for (unsigned i = 0; i < LISTS; i++)
            check_ring(&blocks, &rings[i]);
    }
    route_blocks_deinit(&blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_every_length_comes_back),
        cmocka_unit_test(blocks_are_counted_by_length),
        cmocka_unit_test(rings_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
