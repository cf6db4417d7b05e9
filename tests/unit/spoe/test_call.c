/* tests/unit/spoe/test_call.c - the pool of calls and their lists: order, reuse, want of memory. */
#include "spoe/call.h"
#include "tests/unit/spoe/wire.h"

static unsigned allocations_left;

static void *allocate_some(size_t size)
{
    return allocations_left > 0 ? (allocations_left--, malloc(size)) : NULL;
}

static void calls_are_distinct_and_used_again(void **state)
{
    (void)state;
    struct spoe_calls pool;
    struct spoe_call *calls[200];
    spoe_calls_init(&pool);
    pool.allocate = allocate_some;
    allocations_left = 4; /* of 64 */
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 200; i++) {
            calls[i] = spoe_calls_take(&pool);
            assert_non_null(calls[i]);
            assert_null(calls[i]->user);
            calls[i]->user = calls;
            calls[i]->stream_id = i;
        }
        for (size_t i = 0; i < 200; i++) {
            assert_int_equal(calls[i]->stream_id, i);
            spoe_calls_give(&pool, calls[i]);
        }
    }
    spoe_calls_deinit(&pool);
}

static void without_memory_there_is_no_call(void **state)
{
    (void)state;
    struct spoe_calls pool;
    spoe_calls_init(&pool);
    pool.allocate = allocate_some;
    allocations_left = 0;
    assert_null(spoe_calls_take(&pool));
    allocations_left = 1;
    for (unsigned i = 0; i < 64; i++)
        assert_non_null(spoe_calls_take(&pool));
    assert_null(spoe_calls_take(&pool));
    spoe_calls_deinit(&pool);
}

static void assert_list(const struct spoe_call_list *list, const char *expected)
{
    char seen[16] = {0}, back[16] = {0};
    size_t n = 0;
    for (const struct spoe_call *call = list->first; call; call = call->next)
        seen[n++] = (char)('a' + call->stream_id);
    assert_string_equal(seen, expected);
    assert_int_equal(list->count, n);
    for (const struct spoe_call *call = list->last; call; call = call->previous)
        back[--n] = (char)('a' + call->stream_id);
    assert_string_equal(back, expected);
}

static void lists_keep_the_order_of_arrival(void **state)
{
    (void)state;
    struct spoe_call calls[4] = {{.stream_id = 0}, {.stream_id = 1}, {.stream_id = 2}, {.stream_id = 3}};
    struct spoe_call_list list = {0};
    for (size_t i = 0; i < 4; i++)
        spoe_call_list_append(&list, &calls[i]);
    assert_list(&list, "abcd");
    spoe_call_list_remove(&list, &calls[1]);
    assert_list(&list, "acd");
    spoe_call_list_remove(&list, &calls[0]);
    assert_list(&list, "cd");
    spoe_call_list_remove(&list, &calls[3]);
    assert_list(&list, "c");
    spoe_call_list_append(&list, &calls[0]);
    assert_list(&list, "ca");
    spoe_call_list_remove(&list, &calls[2]);
    spoe_call_list_remove(&list, &calls[0]);
    assert_list(&list, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_distinct_and_used_again),
        cmocka_unit_test(without_memory_there_is_no_call),
        cmocka_unit_test(lists_keep_the_order_of_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
