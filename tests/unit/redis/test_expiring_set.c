/* tests/unit/redis/test_expiring_set.c - the bounded memory: life, dropping, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "redis/expiring_set.h"

static void test_life(void **state)
{
    struct expiring_set *absent = expiring_set_new(64);

    (void)state;
    assert_false(expiring_set_has(absent, 7, 0));
    expiring_set_add(absent, 7, 100, 200);
    assert_true(expiring_set_has(absent, 7, 100));
    assert_true(expiring_set_has(absent, 7, 199));
    assert_false(expiring_set_has(absent, 7, 200));
    expiring_set_add(absent, 7, 200, 300); /* the same entry, not a second one */
    assert_int_equal(expiring_set_count(absent), 1);
    assert_true(expiring_set_has(absent, 7, 299));
    expiring_set_add(absent, 8, 300, 300); /* no life: nothing */
    assert_int_equal(expiring_set_count(absent), 1);
    expiring_set_add(absent, 0, 300, 400); /* a hash may be 0 */
    assert_true(expiring_set_has(absent, 0, 300));
    expiring_set_free(absent);
    expiring_set_free(NULL);
}

static void test_drop_and_clear(void **state)
{
    struct expiring_set *absent = expiring_set_new(64);

    (void)state;
    expiring_set_add(absent, 1, 0, 100);
    expiring_set_add(absent, 2, 0, 100);
    expiring_set_drop(absent, 1);
    expiring_set_drop(absent, 1);
    expiring_set_drop(absent, 3);
    assert_false(expiring_set_has(absent, 1, 0));
    assert_true(expiring_set_has(absent, 2, 0));
    assert_int_equal(expiring_set_count(absent), 1);
    expiring_set_clear(absent);
    assert_false(expiring_set_has(absent, 2, 0));
    assert_int_equal(expiring_set_count(absent), 0);
    expiring_set_free(absent);
}

/* Five names for a place of four: the one that ends first goes. */
static void test_the_oldest_goes(void **state)
{
    struct expiring_set *absent = expiring_set_new(4);

    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        expiring_set_add(absent, i, 0, 100 + (i == 3 ? 0 : i));
    assert_int_equal(expiring_set_count(absent), 4);
    assert_false(expiring_set_has(absent, 3, 0));
    assert_true(expiring_set_has(absent, 1, 0));
    assert_true(expiring_set_has(absent, 5, 0));
    expiring_set_free(absent);
}

static void test_never_more_than_asked_for(void **state)
{
    struct expiring_set *absent = expiring_set_new(1000);
    struct rng rng = {1};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t hash = rng_next(&rng);

        expiring_set_add(absent, hash, i, i + 50);
        assert_true(expiring_set_has(absent, hash, i));
        if (i % 3 == 0) {
            expiring_set_drop(absent, hash);
            assert_false(expiring_set_has(absent, hash, i));
        }
    }
    assert_true(expiring_set_count(absent) <= 1024);
    assert_true(expiring_set_count(absent) > 900);
    expiring_set_free(absent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_drop_and_clear),
        cmocka_unit_test(test_the_oldest_goes),
        cmocka_unit_test(test_never_more_than_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
