/* tests/unit/base/test_nearest.c - mirrors base/nearest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *nearest_of(const char *word, const char *const *candidates)
{
    struct nearest search = nearest_to(word, strlen(word));
    for (; *candidates; candidates++)
        nearest_try(&search, *candidates);
    return search.best;
}

static const char *const names[] = {"address", "deadline", "max-hops", "ttl", NULL};

static void a_typo_or_two_are_near(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("adress", names), "address");
    assert_string_equal(nearest_of("daedline", names), "deadline");
    assert_string_equal(nearest_of("max_hop", names), "max-hops");
    assert_string_equal(nearest_of("tll", names), "ttl");
}

static void what_is_far_is_not_named(void **state)
{
    (void)state;
    assert_null(nearest_of("password", names));
    assert_null(nearest_of("", (const char *const[]){"address", NULL}));
    assert_null(nearest_of("address-of-a-server-that-is-longer-than-forty-bytes", names));
}

static void of_two_that_are_as_near_the_first_is_named(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("cat", (const char *const[]){"bat", "rat", NULL}), "bat");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_typo_or_two_are_near),
        cmocka_unit_test(what_is_far_is_not_named),
        cmocka_unit_test(of_two_that_are_as_near_the_first_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
