/* tests/unit/agent/cellctl/test_server_options.c - mirrors agent/cellctl/server_options.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cellctl/server_options.h"

static const char *printed(void print(const char *, FILE *), const char *options)
{
    static char out[500];
    out[0] = 0;
    FILE *file = fmemopen(out, sizeof out, "w");
    assert_non_null(file);
    print(options, file);
    fclose(file);
    return out;
}

static const char *plain(const char *options)
{
    return printed(server_options_print_plain, options);
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

static void the_clients_sni_is_a_variable(void **state)
{
    (void)state;
    static const struct {
        const char *options, *printed;
        bool uses;
    } rows[] = {
        {"check ssl sni ssl_fc_sni", " check ssl sni var(txn.cellrouter.sni)", true},
        {"ssl sni ssl_fc_sni,lower", " ssl sni var(txn.cellrouter.sni),lower", true},
        {"ssl sni ssl_fc_sni pool-conn-name ssl_fc_sni",
         " ssl sni var(txn.cellrouter.sni) pool-conn-name"
         " var(txn.cellrouter.sni)",
         true},
        {"ssl sni str(my_ssl_fc_sni)", " ssl sni str(my_ssl_fc_sni)", false},
        {"ssl sni ssl_fc_sni_lower", " ssl sni ssl_fc_sni_lower", false},
        {"ssl_fc_sn", " ssl_fc_sn", false},
        {"check inter 1s", " check inter 1s", false},
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(printed(server_options_print, rows[i].options), rows[i].printed);
        assert_int_equal(server_options_use_client_sni(rows[i].options), rows[i].uses);
    }
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
        cmocka_unit_test(the_clients_sni_is_a_variable),
        cmocka_unit_test(a_word_is_found_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
