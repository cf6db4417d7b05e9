/* tests/unit/base/test_heap.c - a heap against a plain list, through all ways of putting in, taking out and moving. */
#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

enum { ITEMS = 200 };

struct item {
    struct heap_node node;
    uint64_t key;
    bool in;
};

static struct item items[ITEMS];

static int set_up(void **state)
{
    (void)state;
    memset(items, 0, sizeof items);
    return 0;
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return HEAP_OWNER(a, const struct item, node)->key < HEAP_OWNER(b, const struct item, node)->key;
}

/* Checks what hangs below a node, and returns how many those are. number is its place, counted by rows from 1. */
static size_t check_below(const struct heap *heap, const struct heap_node *node, const struct heap_node *parent,
                          size_t number)
{
    if (!node)
        return 0;
    assert_ptr_equal(node->parent, parent);
    assert_in_range(number, 1, heap->count);
    assert_false(parent && before(node, parent));
    return 1 + check_below(heap, node->left, node, 2 * number) + check_below(heap, node->right, node, 2 * number + 1);
}

static void check(const struct heap *heap)
{
    uint64_t least = UINT64_MAX;
    size_t count = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        count += items[i].in;
        if (items[i].in && items[i].key < least)
            least = items[i].key;
    }
    assert_int_equal(heap->count, count);
    assert_int_equal(check_below(heap, heap->first, NULL, 1), count);
    if (count > 0)
        assert_int_equal(HEAP_OWNER(heap->first, struct item, node)->key, least);
}

static void toggle(struct heap *heap, struct item *item, uint64_t key)
{
    if (item->in)
        heap_remove(heap, &item->node);
    else
        item->key = key;
    item->in = !item->in;
    if (item->in)
        heap_insert(heap, &item->node);
}

/* Few keys, so that many are equal; then many. */
static void any_order_of_changes(void **state)
{
    struct rng rng = {1};
    struct heap heap;
    (void)state;
    heap_init(&heap, before);
    check(&heap);
    for (int i = 0; i < 20000; i++) {
        struct item *item = &items[rng_below(&rng, i % 2000 < 200 ? 3 : ITEMS)];
        uint64_t key = rng_below(&rng, i < 10000 ? 10 : 1000000);
        if (item->in && rng_below(&rng, 3) == 0) {
            item->key = key;
            heap_moved(&heap, &item->node);
        } else {
            toggle(&heap, item, key);
        }
        check(&heap);
    }
}

static void the_first_comes_out_first(void **state)
{
    struct rng rng = {2};
    struct heap heap;
    uint64_t last = 0;
    (void)state;
    heap_init(&heap, before);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.key = rng_next(&rng), .in = true};
        heap_insert(&heap, &items[i].node);
        check(&heap);
    }
    while (heap.first) {
        struct item *first = HEAP_OWNER(heap.first, struct item, node);
        assert_true(first->key >= last);
        last = first->key;
        toggle(&heap, first, 0);
        check(&heap);
    }
    assert_int_equal(heap.count, 0);
}

/* What all change in the same way needs no call. */
static void an_order_that_does_not_change(void **state)
{
    struct heap heap;
    (void)state;
    heap_init(&heap, before);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.key = i * 7919 % ITEMS, .in = true};
        heap_insert(&heap, &items[i].node);
    }
    for (size_t i = 0; i < ITEMS; i++)
        items[i].key = items[i].key < 50 ? items[i].key : 50;
    check(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(any_order_of_changes, set_up),
        cmocka_unit_test_setup(the_first_comes_out_first, set_up),
        cmocka_unit_test_setup(an_order_that_does_not_change, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
