/* tests/unit/base/test_rng.c - the numbers are SplitMix64's, and bounds hold at their edges. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

/* The first numbers of the authors' splitmix64.c (prng.di.unimi.it) from the state 1234567. */
static void numbers_are_those_of_the_paper(void **state)
{
    static const uint64_t wanted[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
    struct rng rng = {1234567};
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_true(rng_next(&rng) == wanted[i]);
}

static void a_bound_is_never_reached(void **state)
{
    struct rng rng = {1};
    bool seen[7] = {false};
    (void)state;
    assert_int_equal(rng_below(&rng, 0), 0);
    assert_int_equal(rng_below(&rng, 1), 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t drawn = rng_below(&rng, 7);
        assert_true(drawn < 7);
        seen[drawn] = true;
    }
    for (size_t i = 0; i < 7; i++)
        assert_true(seen[i]);
}

static void jitter_goes_both_ways_and_no_further(void **state)
{
    struct rng rng = {1};
    uint64_t least = UINT64_MAX, most = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t moved = rng_jitter(&rng, 1000, 25);
        least = moved < least ? moved : least;
        most = moved > most ? moved : most;
    }
    assert_int_equal(least, 750);
    assert_int_equal(most, 1250);
    assert_int_equal(rng_jitter(&rng, 1000, 0), 1000);
    assert_int_equal(rng_jitter(&rng, 0, 100), 0);
    for (int i = 0; i < 1000; i++)
        assert_true(rng_jitter(&rng, 1000, 200) <= 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_the_paper),
        cmocka_unit_test(a_bound_is_never_reached),
        cmocka_unit_test(jitter_goes_both_ways_and_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
