/* tests/unit/agent/http/test_history.c - mirrors agent/http/history.c; time is stepped. */
#include "agent/http/history.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { START = 1000 };

static void the_first_sample_is_no_difference(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    history_take(&history, (uint64_t[]){500, 7}, 2, START);
    assert_int_equal(history.count, 0);
    assert_int_equal(history_sum(&history, 0, HISTORY_SAMPLES), 0);
    history_take(&history, (uint64_t[]){510, 7}, 2, START + HISTORY_EVERY_MS);
    assert_int_equal(history.count, 1);
    assert_int_equal(history_delta(&history, 0, 0), 10);
    assert_int_equal(history_delta(&history, 1, 0), 0);
}

static void samples_are_taken_no_sooner_than_they_are_due(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    history_take(&history, (uint64_t[]){1}, 1, START);
    history_take(&history, (uint64_t[]){2}, 1, START + HISTORY_EVERY_MS - 1);
    assert_int_equal(history.count, 0);
    history_take(&history, (uint64_t[]){3}, 1, START + HISTORY_EVERY_MS);
    assert_int_equal(history.count, 1);
    assert_int_equal(history_delta(&history, 0, 0), 2);
}

static void the_oldest_goes_when_the_ring_is_full(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    uint64_t counter = 0, now_ms = START;
    for (unsigned i = 0; i <= HISTORY_SAMPLES + 10; i++, now_ms += HISTORY_EVERY_MS)
        history_take(&history, (uint64_t[]){counter += i}, 1, now_ms);
    assert_int_equal(history.count, HISTORY_SAMPLES);
    assert_int_equal(history_delta(&history, 0, 0), HISTORY_SAMPLES + 10);
    assert_int_equal(history_delta(&history, 0, HISTORY_SAMPLES - 1), 11);
    assert_int_equal(history_sum(&history, 0, 2), 2 * (HISTORY_SAMPLES + 10) - 1);
}

static void odd_counters_do_no_harm(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    history_take(&history, (uint64_t[]){100, 0}, 2, START);
    history_take(&history, (uint64_t[]){50, UINT64_MAX}, 2, START + HISTORY_EVERY_MS);
    assert_int_equal(history_delta(&history, 0, 0), 0);
    assert_int_equal(history_delta(&history, 1, 0), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sample_is_no_difference),
        cmocka_unit_test(samples_are_taken_no_sooner_than_they_are_due),
        cmocka_unit_test(the_oldest_goes_when_the_ring_is_full),
        cmocka_unit_test(odd_counters_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
