/* tests/unit/redis/test_command.c - commands in RESP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/command.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
