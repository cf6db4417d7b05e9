/* tests/unit/agent/config/test_config_tokens.c - which tokens a text has, on which lines, and what is said of bytes
 * that make none. */
#include "agent/config/config_tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *variable(const char *name)
{
    return strcmp(name, "SET") == 0 ? "eu" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

/* "1:region 1:= 2:eu", and behind a | the errors. Of a text that cannot be known: ?. */
static const char *read_bytes(const char *bytes, size_t length)
{
    static char out[20000];
    struct config_tokens tokens;
    struct config_errors *errors = calloc(1, sizeof *errors);
    char *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    int outcome = config_tokens_read(&tokens, exact, length, variable, errors);
    free(exact);
    FILE *to = fmemopen(out, sizeof out, "w");
    for (size_t i = 0; i < tokens.count; i++) {
        const char *text = tokens.list[i].text ? tokens.list[i].text : "?";
        assert_int_equal(tokens.list[i].kind == TOKEN_END, i + 1 == tokens.count);
        if (tokens.list[i].kind != TOKEN_END)
            fprintf(to, "%s%u:%s", i ? " " : "", tokens.list[i].line, text);
    }
    assert_int_equal(outcome, tokens.count ? 0 : -1);
    for (size_t i = 0; i < errors->count; i++)
        fprintf(to, "|%u %s", errors->list[i].line, errors->list[i].text);
    fputc('\0', to);
    fclose(to);
    config_tokens_deinit(&tokens);
    config_errors_deinit(errors);
    free(errors);
    return out;
}

static void every_kind_of_token(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", ""},
        {" \t\r\n", ""},
        {"region = eu", "1:region 1:= 1:eu"},
        {"a=b", "1:a 1:= 1:b"},
        {"a+=b", "1:a 1:+= 1:b"},
        {"x{a,b}\n\ny", "1:x 1:{ 1:a 1:, 1:b 1:} 3:y"},
        {"\"two words\" 'and # no = comment'", "1:two words 1:and # no = comment"},
        {"\"\"''", "1: 1:"},
        {"\"a\\\"b\\\\c\\'d\"", "1:a\"b\\c'd"},
        {"'a\\'b\\\\c\\\"d'", "1:a'b\\c\\\"d"},
        {"unix:/run//x.sock 127.0.0.1:80 64m", "1:unix:/run//x.sock 1:127.0.0.1:80 1:64m"},
        {"a # b\nc // d\n/* e\n f */ g", "1:a 2:c 4:g"},
        {"//**/\n/**/a", "2:a"},
        {"/***/a", "1:a"},
        {"\xc3\xa4 \"\xc3\xa4\"", "1:\xc3\xa4 1:\xc3\xa4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_bytes(cases[i].text, strlen(cases[i].text)), cases[i].wanted);
}

static void a_variable_is_replaced_or_missed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"${SET}", "1:eu"},
        {"\"${SET}\"", "1:eu"},
        {"\"a${SET}b${SET}\"", "1:aeubeu"},
        {"a${SET}b", "1:aeub"},
        {"'${SET}'", "1:${SET}"},
        {"\"$SET $ $$\"", "1:$SET $ $$"},
        {"$SET", "1:$SET"},
        {"\"${EMPTY}\" x", "1: 1:x"},
        {"\"${EMPTY:-no}\"", "1:"},
        {"\"${NONE:-no}\"", "1:no"},
        {"\"${NONE:-a:-b}\"", "1:a:-b"},
        {"\"${NONE:-}\"", "1:"},
        {"${NONE:-x}y", "1:xy"},
        {"\n\"a${NONE}\" b",
         "2:? 2:b|2 the variable NONE is not set; right would be to set it, or ${NONE:-text} with what "
         "stands for it then (${NONE:-} for nothing)"},
        {"\"${SET\" x", "1:? 1:x|1 ${ begins the name of a variable and no } ends it"},
        {"\"${SET\n", "1:?|1 ${ begins the name of a variable and no } ends it"
                      "|1 a text begins with \" and does not end on its line"},
        {"\"${NONE:-${SET}}\"", "1:?|1 ${ begins the name of a variable and no } ends it"},
        {"${SET", "1:?|1 ${ begins the name of a variable and no } ends it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_bytes(cases[i].text, strlen(cases[i].text)), cases[i].wanted);
}

static void what_is_no_token_is_told_and_the_rest_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"a = \"open\nb", "1:a 1:= 1:? 2:b|1 a text begins with \" and does not end on its line"},
        {"'open", "1:?|1 a text begins with ' and does not end on its line"},
        {"\"a\\", "1:?|1 \\ stands only before a quote or another \\ in a text"
                  "|1 a text begins with \" and does not end on its line"},
        {"\"a\\n\" b", "1:? 1:b|1 \\ stands only before a quote or another \\ in a text"},
        {"a\n/* b\n*\n", "1:a|2 a comment begins here with /* and never ends; */ ends it"},
        {"(a)", "1:a|1 an unexpected (; texts with such characters stand in quotes"
                "|1 an unexpected ); texts with such characters stand in quotes"},
        {"a \x01 b", "1:a 1:b|1 an unexpected byte 0x01"},
        {"a\x7f", "1:a|1 an unexpected byte 0x7f"},
        {"a + b", "1:a 1:b|1 an unexpected +; texts with such characters stand in quotes"},
        {"\xef\xbb\xbf"
         "a = b",
         "1:a 1:= 1:b|1 a byte-order mark, bytes ef bb bf, before the first word; right would be UTF-8 without one"},
        {"\xff\xfe"
         "a",
         "|0 is UTF-16, as its byte-order mark says; right would be UTF-8 without such a mark"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_bytes(cases[i].text, strlen(cases[i].text)), cases[i].wanted);
    assert_string_equal(read_bytes("a\0b", 3), "|0 holds a zero byte; a configuration is plain text");
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    char *large = malloc(CONFIG_TEXT_MAX + 1);
    memset(large, ' ', CONFIG_TEXT_MAX + 1);
    assert_string_equal(read_bytes(large, CONFIG_TEXT_MAX), "");
    assert_string_equal(read_bytes(large, CONFIG_TEXT_MAX + 1), "|0 larger than 1048576 bytes");
    free(large);
}

static const char *long_variable(const char *name)
{
    static char value[100001];
    (void)name;
    memset(value, 'v', sizeof value - 1);
    return value;
}

static void variables_do_not_fill_the_memory(void **state)
{
    (void)state;
    char text[5 * 200 + 1] = "";
    for (size_t i = 0; i < 200; i++)
        memcpy(text + i * 5, "${A} ", 6);
    struct config_tokens tokens;
    struct config_errors *errors = calloc(1, sizeof *errors);
    assert_int_equal(config_tokens_read(&tokens, text, 5 * 80, long_variable, errors), 0);
    assert_int_equal(tokens.count, 81);
    config_tokens_deinit(&tokens);
    assert_int_equal(config_tokens_read(&tokens, text, 5 * 200, long_variable, errors), -1);
    assert_int_equal(errors->count, 1);
    assert_string_equal(errors->list[0].text, "larger than it may be, once the variables in it are replaced");
    config_errors_deinit(errors);
    free(errors);
}

static void no_truncation_is_read_too_far(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf a+=\"x${SET}\\\"\" /* c */ '\\'' ${NONE:-b} // d\n{,}#";
    for (size_t length = 0; length < sizeof text; length++)
        read_bytes(text, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_token),
        cmocka_unit_test(a_variable_is_replaced_or_missed),
        cmocka_unit_test(what_is_no_token_is_told_and_the_rest_is_read),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(variables_do_not_fill_the_memory),
        cmocka_unit_test(no_truncation_is_read_too_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
