/* tests/unit/agent/config/test_config_errors.c - errors come out by line, escaped, and all are counted. */
#include "agent/config/config_errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_print(struct config_errors *errors, const char *wanted)
{
    char *is = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&is, &size);
    config_errors_print(errors, "f", out);
    fclose(out);
    assert_string_equal(is, wanted);
    free(is);
}

static void they_are_ordered_by_line_and_then_by_time(void **state)
{
    struct config_errors *errors = *state;
    config_errors_add(errors, 7, "first of 7");
    config_errors_add(errors, 3, "of %d", 3);
    config_errors_add(errors, 7, "second of 7");
    config_errors_add(errors, 0, "of the file");
    expect_print(errors, "f: of the file\nf:3: of 3\nf:7: first of 7\nf:7: second of 7\n");
    assert_int_equal(errors->total, 4);
}

static void bytes_that_could_harm_a_terminal_are_escaped(void **state)
{
    struct config_errors *errors = *state;
    config_errors_add(errors, 1, "%s",
                      "a\x1b[31m\r\n\x7f"
                      "ü\"");
    expect_print(errors, "f:1: a\\x1b[31m\\x0d\\x0a\\x7fü\"\n");
}

static void those_beyond_the_most_are_counted(void **state)
{
    struct config_errors *errors = *state;
    for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
        config_errors_add(errors, 1, "x");
    assert_int_equal(errors->count, CONFIG_ERRORS_MAX);
    assert_int_equal(errors->total, CONFIG_ERRORS_MAX + 5);
    char wanted[CONFIG_ERRORS_MAX * 7 + 40] = "";
    for (size_t i = 0; i < CONFIG_ERRORS_MAX; i++)
        memcpy(wanted + i * 7, "f:1: x\n", 8);
    strcat(wanted, "f: 5 more errors\n");
    expect_print(errors, wanted);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct config_errors));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct config_errors *errors = *state;
    config_errors_deinit(errors);
    int left = errors->total != 0;
    free(errors);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_ordered_by_line_and_then_by_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_that_could_harm_a_terminal_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_beyond_the_most_are_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
