/* tests/unit/agent/config/test_server_words.c - typos in server-options are found, and nothing else is. */
#include "agent/config/server_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of a block of its exact size. "": nothing is wrong. */
static const char *check(const char *options)
{
    static char why[160];
    char *exact = strdup(options);
    why[0] = '\0';
    bool good = server_words_check(exact, why, sizeof why);
    free(exact);
    assert_int_equal(good, why[0] == '\0');
    return why;
}

static void typos_are_found(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"chekc inter 1s", "HAProxy knows no server option chekc; the nearest one is check"},
        {"check intr 1s", "HAProxy knows no server option intr; the nearest one is inter"},
        {"check inter 1s weigth 5", "HAProxy knows no server option weigth; the nearest one is weight"},
        {"ssl verfy none", "HAProxy knows no server option verfy; the nearest one is verify"},
        {"ssl verify required cafile /x", "HAProxy knows no server option cafile; the nearest one is ca-file"},
        {"max-conn 5", "HAProxy knows no server option max-conn; the nearest one is maxconn"},
        {"check inter", "the argument of inter is missing"},
        {"check inter 1s ca-file", "the argument of ca-file is missing"},
        {"check sni 'str(a b)", "a quote does not end"},
        {"check sni \"a\\\"", "a quote does not end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(check(cases[i][0]), cases[i][1]);
}

static void everything_else_passes(void **state)
{
    (void)state;
    static const char *const right[] = {
        "",
        " ",
        "check",
        "check inter 500ms fall 2 rise 1 resolvers engine resolve-prefer ipv4 init-addr none tcp-ut 3s",
        "check ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt",
        "cookie chekc",        /* an argument may be anything */
        "sni 'str(chekc me)'", /* so may a quoted one */
        "source 10.0.0.1 usesrc clientip interface eth0",
        "set-proxy-v2-tlv-fmt(0x20) %[fc_pp_tlv(0x20)]",
        "no-check no-ssl no-tfo no-verifyhost",
        "quantum-mode 5 chekc",  /* what follows a word of a newer HAProxy may be its argument */
        "quantum-mode on check", /* and here a known word goes on */
        "\"chekc\"",             /* the way out, should HAProxy learn such a word */
        "check # chekc",
        "check\tinter\t1s",
    };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        if (check(right[i])[0])
            fail_msg("\"%s\": %s", right[i], check(right[i]));
}

static void words_end_at_blanks_outside_of_quotes(void **state)
{
    (void)state;
    static const char text[] = "  a 'b c'd \"e \\\" f\" g\\ h\ti";
    static const char *const words[] = {"a", "'b c'd", "\"e \\\" f\"", "g\\ h", "i"};
    size_t length = 0;
    const char *at = server_words_next(text, &length);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++, at = server_words_next(at + length, &length)) {
        assert_int_equal(length, strlen(words[i]));
        assert_memory_equal(at, words[i], length);
    }
    assert_int_equal(length, 0);
}

/* A word of the table that is a typo of another one would be told apart by order only. */
static void every_word_of_the_table_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        unsigned arguments;
    } words[] = {
#define SERVER_WORD(word, arguments) {word, arguments},
#include "agent/config/server_words.def"
#undef SERVER_WORD
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char options[100];
        snprintf(options, sizeof options, "%s%s", words[i].word, words[i].arguments ? " x" : "");
        assert_string_equal(check(options), "");
        assert_true(i == 0 || strcmp(words[i - 1].word, words[i].word) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typos_are_found),
        cmocka_unit_test(everything_else_passes),
        cmocka_unit_test(words_end_at_blanks_outside_of_quotes),
        cmocka_unit_test(every_word_of_the_table_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
