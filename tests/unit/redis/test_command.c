/* tests/unit/redis/test_command.c - commands in RESP, hashes of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/command.h"
#include "redis/hash.h"

static void assert_bytes(const struct command *command, const char *wanted)
{
    assert_false(command->bad);
    assert_int_equal(command->length, strlen(wanted));
    assert_string_equal(command->bytes, wanted); /* with the zero that hiredis needs */
}

static void test_commands(void **state)
{
    struct command command = {0};
    struct route_name name = {"", 0, "/a/b/", 5};
    static char large[100000];

    (void)state;
    command_of(&command, "PING", NULL);
    assert_bytes(&command, "*1\r\n$4\r\nPING\r\n");
    command_begin(&command, 5);
    command_text(&command, "X");
    command_bytes(&command, "", 0);
    command_number(&command, UINT64_MAX);
    command_key(&command, &name);
    command_tombstone(&command, &name);
    assert_bytes(&command, "*5\r\n$1\r\nX\r\n$0\r\n\r\n$20\r\n18446744073709551615\r\n$20\r\ncellrouter:{/a}/a/b/\r\n"
                           "$25\r\ncellrouter-gone:{/a}/a/b/\r\n");
    command_begin(&command, 1);
    memset(large, 'x', sizeof large);
    command_bytes(&command, large, sizeof large);
    assert_int_equal(command.length, 4 + 9 + sizeof large + 2);
    assert_false(command.bad);
    command_free(&command);
    assert_null(command.bytes);
}

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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
