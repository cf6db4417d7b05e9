/* tests/unit/redis/test_hash.c - hashes of names: what differs, and what is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/hash.h"

/* No byte moves from host to prefix unseen; one tag for all prefixes of a path; other keys, other hashes. */
static void test_hashes(void **state)
{
    struct hash_key key = {1, 2}, other = {1, 3};
    struct route_name a = {"h", 1, "/a/", 3}, b = {"", 0, "/a/", 3}, c = {"i", 1, "/a/", 3}, d = {"h", 1, "/a/b/", 5};
    char *copy;

    (void)state;
    assert_true(hash_name(&key, &a) == hash_name(&key, &a));
    assert_true(hash_name(&key, &a) != hash_name(&key, &b));
    assert_true(hash_name(&key, &a) != hash_name(&key, &c));
    assert_true(hash_name(&key, &a) != hash_name(&key, &d));
    assert_true(hash_name(&key, &a) != hash_name(&other, &a));
    assert_true(hash_tag(&key, &a) == hash_tag(&key, &d));
    assert_true(hash_tag(&key, &a) != hash_tag(&key, &b));
    for (size_t n = 0; n < 40; n++) { /* every length, at its exact size; each differs from the one before */
        copy = malloc(n + 1);
        memset(copy, 0, n + 1);
        assert_true(hash_bytes(&key, copy, n) != hash_bytes(&key, copy, n + 1));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hashes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
