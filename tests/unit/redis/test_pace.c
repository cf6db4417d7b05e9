/* tests/unit/redis/test_pace.c - pauses and tokens, with stepped time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis/pace.h"

static void test_backoff(void **state)
{
    struct rng rng = {1};
    struct backoff backoff = {.min_ms = 100, .max_ms = 1000};
    uint64_t middle[] = {100, 200, 400, 800, 1000, 1000, 1000};
    bool differs = false;

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        backoff_reset(&backoff);
        for (size_t i = 0; i < sizeof middle / sizeof middle[0]; i++) {
            uint64_t pause = backoff_next(&backoff, &rng);

            assert_in_range(pause, middle[i] / 2, middle[i] * 3 / 2);
            differs = differs || pause != middle[i];
        }
    }
    assert_true(differs);
    backoff = (struct backoff){.min_ms = 0, .max_ms = 0};
    assert_int_equal(backoff_next(&backoff, &rng), 1);
    backoff = (struct backoff){.min_ms = UINT32_MAX, .max_ms = UINT32_MAX};
    assert_true(backoff_next(&backoff, &rng) >= UINT32_MAX / 2);
    assert_true(backoff_next(&backoff, &rng) >= UINT32_MAX / 2);
}

static void test_bucket(void **state)
{
    struct bucket bucket = {.per_s = 100};
    unsigned taken = 0;

    (void)state;
    for (uint64_t now = 1000000; now < 1010000; now++) {
        while (bucket_take(&bucket, now))
            taken++;
        uint64_t wait = bucket_wait_ms(&bucket, now);
        assert_in_range(wait, 1, 10);
    }
    assert_in_range(taken, 1000, 1010); /* 10 s of 100, and what was saved up */
    assert_int_equal(bucket_wait_ms(&bucket, 2000000), 0);
    for (taken = 0; bucket_take(&bucket, 2000000); taken++) {
    }
    assert_int_equal(taken, 10);
    assert_false(bucket_take(&bucket, 1)); /* time that goes back gives nothing */
}

static void test_bucket_edges(void **state)
{
    struct bucket none = {.per_s = 0}, one = {.per_s = 1}, all = {.per_s = UINT32_MAX};

    (void)state;
    assert_false(bucket_take(&none, 1000000));
    assert_true(bucket_wait_ms(&none, 1000000) == UINT64_MAX);
    assert_true(bucket_take(&one, 1000000));
    assert_false(bucket_take(&one, 1000000));
    assert_int_equal(bucket_wait_ms(&one, 1000000), 1000);
    assert_true(bucket_take(&one, 1001000));
    assert_true(bucket_take(&all, UINT64_MAX));
    assert_true(bucket_take(&all, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_bucket_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
