/* tests/unit/agent/cellctl/test_server_options.c - mirrors agent/cellctl/server_options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cellctl/server_options.h"

static const char *plain(const char *options)
{
    static char out[500];
    out[0] = 0;
    FILE *file = fmemopen(out, sizeof out, "w");
    assert_non_null(file);
    server_options_print_plain(options, file);
    fclose(file);
    return out;
}

static void the_words_of_the_check_are_left_out_with_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *options, *left;
    } rows[] = {
        {"", ""},
        {"   ", ""},
        {"check", ""},
        {"check inter 1s", ""},
        {"check inter 1s maxconn 4", " maxconn 4"},
        {"maxconn 4 check fall 2 rise 1 ssl verify none", " maxconn 4 ssl verify none"},
        {"ssl sni str(check) check-sni \"a b\" weight 3", " ssl sni str(check) weight 3"},
        {"cookie 'a check b' check", " cookie 'a check b'"},
        {"cookie a\\ check check", " cookie a\\ check"},
        {"check inter", ""},
        {"send-proxy check-send-proxy", " send-proxy"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(plain(rows[i].options), rows[i].left);
}

static void a_word_is_found_as_a_whole(void **state)
{
    (void)state;
    assert_true(server_options_has("ssl check inter 1s", "check"));
    assert_false(server_options_has("ssl check-ssl", "check"));
    assert_false(server_options_has("cookie 'a check b'", "check"));
    assert_false(server_options_has("", "check"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_the_check_are_left_out_with_their_values),
        cmocka_unit_test(a_word_is_found_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
