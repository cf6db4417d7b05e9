/* tests/unit/redis/test_distance.c - the shortest round trip of the last seconds; when a Redis is beyond deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "redis/distance.h"

static void test_nearest(void **state)
{
    struct distance distance = {0};

    (void)state;
    assert_int_equal(distance_nearest_ms(&distance), 0);
    distance_saw(&distance, 61, 100000);
    distance_saw(&distance, 60, 100001);
    distance_saw(&distance, 900, 100002); /* busy, not further away */
    assert_int_equal(distance_nearest_ms(&distance), 60);
    distance_saw(&distance, 80, 111000);
    assert_int_equal(distance_nearest_ms(&distance), 60); /* of the window before */
    distance_saw(&distance, 80, 122000);
    assert_int_equal(distance_nearest_ms(&distance), 80);
    distance_saw(&distance, 0, 122001);
    assert_int_equal(distance_nearest_ms(&distance), 0);
    distance_saw(&distance, 70, 200000); /* nothing was seen for long */
    assert_int_equal(distance_nearest_ms(&distance), 70);
}

static void test_beyond(void **state)
{
    struct distance distance = {0};
    uint64_t now = 1000;

    (void)state;
    for (unsigned i = 0; i < 100; i++) /* many, but all within one pause of a busy Redis */
        assert_false(distance_judge(&distance, 500, 15, now += 10));
    assert_false(distance_judge(&distance, 3, 15, now));
    for (unsigned i = 0; i < 15; i++) /* for long, but few */
        assert_false(distance_judge(&distance, 60, 15, now += 1000));
    assert_true(distance_judge(&distance, 15, 15, now += 1000));
    assert_true(distance.beyond);
    assert_false(distance_judge(&distance, 60, 15, now += 1000)); /* is said once */
    for (unsigned i = 0; i < 7; i++)
        assert_false(distance_judge(&distance, 14, 15, now));
    assert_true(distance_judge(&distance, 14, 15, now));
    assert_false(distance.beyond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest), cmocka_unit_test(test_beyond)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
