/* tests/unit/base/test_clock.c - each clock is the system's clock of that name. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static uint64_t system_ms(clockid_t clock)
{
    struct timespec now;
    assert_int_equal(clock_gettime(clock, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void now_is_monotonic(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = system_ms(CLOCK_MONOTONIC), now_ms = clock_now_ms(), after = system_ms(CLOCK_MONOTONIC);
        assert_in_range(now_ms, before, after);
    }
}

static void wall_is_since_1970(void **state)
{
    (void)state;
    uint64_t before = system_ms(CLOCK_REALTIME), wall_ms = clock_wall_ms(), after = system_ms(CLOCK_REALTIME);
    assert_in_range(wall_ms, before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_is_monotonic),
        cmocka_unit_test(wall_is_since_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
