/* tests/unit/agent/router/test_hidden.c - answers held back: between the bounds, in the order of time, no more than
 * allowed. */
#include "agent/router/hidden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

enum { START = 1000000, ROUNDING = 2 };

static int calls[2000];

static struct hidden *new_hidden(uint32_t min_ms, uint32_t max_ms, uint32_t most)
{
    struct hidden *hidden = hidden_new(42);
    assert_non_null(hidden);
    struct hidden_limits limits = {.min_ms = min_ms, .max_ms = max_ms, .most = most};
    hidden_set(hidden, &limits);
    return hidden;
}

static struct hidden_ack *add(struct hidden *hidden, int *call, uint64_t elapsed_ms)
{
    struct hidden_ack *answer = NULL;
    assert_int_equal(hidden_add(hidden, call, elapsed_ms, START, &answer), HIDDEN_WAITS);
    assert_non_null(answer);
    return answer;
}

/* How long an answer to a request of this age waits. */
static uint64_t wait_of(struct hidden *hidden, uint64_t elapsed_ms)
{
    add(hidden, &calls[0], elapsed_ms);
    uint64_t at = hidden_next_ms(hidden);
    assert_null(hidden_take_due(hidden, at - 1));
    assert_ptr_equal(hidden_take_due(hidden, at), &calls[0]);
    assert_true(hidden_next_ms(hidden) == UINT64_MAX);
    return at - START - ROUNDING;
}

static void assert_span(struct hidden *hidden, uint64_t elapsed_ms, uint64_t low, uint64_t high)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < 5000; i++) {
        uint64_t wait = wait_of(hidden, elapsed_ms);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    if (least != low || most != high)
        fail_msg("an answer after %llu ms waits %llu to %llu ms, wanted %llu to %llu", (unsigned long long)elapsed_ms,
                 (unsigned long long)least, (unsigned long long)most, (unsigned long long)low,
                 (unsigned long long)high);
}

static void the_whole_time_lies_between_the_bounds(void **state)
{
    (void)state;
    struct hidden *hidden = new_hidden(100, 300, 10);
    assert_span(hidden, 0, 100, 300);
    assert_span(hidden, 60, 40, 240);
    assert_span(hidden, 100, 0, 200);
    assert_span(hidden, 101, 100, 300); /* slower than the lower bound: on top */
    assert_span(hidden, HIDDEN_UNKNOWN_MS, 100, 300);
    hidden_free(hidden);
    hidden = new_hidden(100, 100, 10);
    assert_span(hidden, 30, 70, 70);
    hidden_free(hidden);
    hidden_free(NULL);
}

static void off_and_full(void **state)
{
    (void)state;
    struct hidden_ack *answer = NULL;
    struct hidden *hidden = hidden_new(1);
    assert_int_equal(hidden_add(hidden, &calls[0], 0, START, &answer), HIDDEN_OFF);
    struct hidden_limits limits = {.min_ms = 10, .max_ms = 20, .most = 3};
    hidden_set(hidden, &limits);
    for (int i = 0; i < 3; i++)
        add(hidden, &calls[i], 0);
    assert_int_equal(hidden_add(hidden, &calls[3], 0, START, &answer), HIDDEN_FULL);
    assert_null(answer);
    assert_int_equal(hidden_count(hidden), 3);
    limits = (struct hidden_limits){0}; /* off again: those that wait keep their time */
    hidden_set(hidden, &limits);
    assert_int_equal(hidden_add(hidden, &calls[3], 0, START, &answer), HIDDEN_OFF);
    assert_null(hidden_take_due(hidden, START + 11));
    for (int i = 0; i < 3; i++)
        assert_non_null(hidden_take_due(hidden, START + 22));
    assert_null(hidden_take_due(hidden, UINT64_MAX));
    hidden_free(hidden);
}

/* Takes them out in the order of time, and each exactly once, whatever was dropped from the middle. */
static void order_with_drops(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    struct rng rng = {7};
    struct hidden *hidden = new_hidden(1, 5000, COUNT);
    static struct hidden_ack *answers[COUNT];
    for (int i = 0; i < COUNT; i++) {
        calls[i] = 1;
        answers[i] = add(hidden, &calls[i], 0);
    }
    size_t left = COUNT;
    for (int i = 0; i < COUNT; i++) {
        if (rng_below(&rng, 3) != 0)
            continue;
        hidden_drop(hidden, answers[i]);
        calls[i] = 0;
        left--;
    }
    assert_int_equal(hidden_count(hidden), left);
    for (uint64_t last = START; left > 0; left--) {
        uint64_t at = hidden_next_ms(hidden);
        assert_true(at >= last);
        last = at;
        int *call = hidden_take_due(hidden, at);
        assert_non_null(call);
        assert_int_equal(*call, 1);
        *call = 0;
    }
    assert_true(hidden_next_ms(hidden) == UINT64_MAX);
    hidden_free(hidden);
}

static void what_waits_at_the_end_is_freed(void **state)
{
    (void)state;
    struct hidden *hidden = new_hidden(1, 10, 100);
    for (int i = 0; i < 100; i++)
        add(hidden, &calls[i], 0);
    hidden_free(hidden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_time_lies_between_the_bounds),
        cmocka_unit_test(off_and_full),
        cmocka_unit_test(order_with_drops),
        cmocka_unit_test(what_waits_at_the_end_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
