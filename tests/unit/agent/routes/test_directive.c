/* tests/unit/agent/routes/test_directive.c - the grammar of a cell's directive, and every way to miss it. */
#include "agent/routes/directive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Parses an exact-size copy into exact-size storage and prints what came out: "cell=… path_prefix=… ttl=…" */
static enum directive_outcome parse_bytes(const char *text, size_t length, char *printed, size_t size)
{
    struct directive directive;
    char *exact = malloc(length ? length : 1), *storage = malloc(length ? length : 1);
    memcpy(exact, text, length);
    enum directive_outcome outcome = directive_parse(&directive, (struct text_view){exact, length}, storage);
    int used = 0;
    printed[0] = '\0';
    if (directive.cell.at)
        used += snprintf(printed, size, "cell=%.*s;", (int)directive.cell.length, directive.cell.at);
    if (directive.path_prefix.at)
        used += snprintf(printed + used, size - (size_t)used, "path_prefix=%.*s;", (int)directive.path_prefix.length,
                         directive.path_prefix.at);
    if (directive.has_ttl)
        snprintf(printed + used, size - (size_t)used, "ttl=%u;", directive.ttl_s);
    free(exact);
    free(storage);
    return outcome;
}

static void expect(const char *text, enum directive_outcome wanted, const char *values)
{
    char printed[8192];
    enum directive_outcome outcome = parse_bytes(text, strlen(text), printed, sizeof printed);
    if (outcome != wanted || strcmp(printed, values) != 0)
        fail_msg("%s: wanted %s \"%s\", got %s \"%s\"", text, directive_outcome_name(wanted), values,
                 directive_outcome_name(outcome), printed);
}

static void good_texts_parse(void **state)
{
    static const char *const cases[][2] = {
        {"{cell:Cell EU0}", "cell=Cell EU0;"},
        {"{path_prefix:/my-company/}", "path_prefix=/my-company/;"},
        {"{ path_prefix : /a/ , ttl : 60 }", "path_prefix=/a/;ttl=60;"},
        {" \t{cell:eu0}\t ", "cell=eu0;"},
        {"{cell:  a  b\t }", "cell=a  b;"},
        {"{\"cell\":\"Cell EU0\",\"ttl\":60}", "cell=Cell EU0;ttl=60;"},
        {"{\"cell\" : \"a\" , \"path_prefix\":\"/a,b}/\"}", "cell=a;path_prefix=/a,b}/;"},
        {"{ttl:\"60\"}", "ttl=60;"},
        {"{ttl:0}", "ttl=0;"},
        {"{ttl:00007}", "ttl=7;"},
        {"{ttl:4294967295}", "ttl=4294967295;"},
        {"{ttl:99999999999999999999999999}", "ttl=4294967295;"},
        {"{path_prefix:/a:b/}", "path_prefix=/a:b/;"},
        {"{path_prefix:/a\\b/}", "path_prefix=/a\\b/;"},
        {"{path_prefix:/a[1]/}", "path_prefix=/a[1]/;"},
        {"{cell:\xc3\xa9}", "cell=\xc3\xa9;"},
        {"{}", ""},
        {"{ }", ""},
        {"{later:1, cell:a, more-of_It:\"x\"}", "cell=a;"},
        {"{\"later\":-1.5e+3,\"really\":true,\"gone\":null,cell:a}", "cell=a;"},
        {"{later:\"\",cell:a}", "cell=a;"},
        {"{Cell:a}", ""}, /* keys are case-sensitive */
        {"{later:1, later:2}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i][0], DIRECTIVE_OK, cases[i][1]);
}

static void escapes_are_unpacked(void **state)
{
    (void)state;
    expect("{path_prefix:\"\\/a\\/\"}", DIRECTIVE_OK, "path_prefix=/a/;");
    expect("{cell:\"a\\\"b\\\\c\"}", DIRECTIVE_OK, "cell=a\"b\\c;");
    expect("{cell:\"\\u0043ell \\u004a\\u004A\"}", DIRECTIVE_OK, "cell=Cell JJ;");
    expect("{\"\\u0063ell\":a}", DIRECTIVE_OK, "cell=a;");
    expect("{\"c\\u0065ll\":\"\\u0061\",\"path\\u005fprefix\":\"\\/\"}", DIRECTIVE_OK, "cell=a;path_prefix=/;");
    /* What no value can be is a bad string, unless nobody wants it. */
    expect("{cell:\"a\\n\"}", DIRECTIVE_BAD_STRING, "");
    expect("{cell:\"\\u0000\"}", DIRECTIVE_BAD_STRING, "");
    expect("{cell:\"\\u007f\"}", DIRECTIVE_BAD_STRING, "");
    expect("{cell:\"\\u00e9\"}", DIRECTIVE_BAD_STRING, "");
    expect("{later:\"a\\n\\t\\b\\f\\r\\u00e9\\ud83d\\ude00\",cell:a}", DIRECTIVE_OK, "cell=a;");
    expect("{\"\\u00e9\":1,cell:a}", DIRECTIVE_OK, "cell=a;");
    expect("{later:\"\\x\"}", DIRECTIVE_BAD_STRING, "");
    expect("{later:\"\\u12g4\"}", DIRECTIVE_BAD_STRING, "");
}

static void malformed_texts_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum directive_outcome outcome;
    } cases[] = {
        {"", DIRECTIVE_EMPTY},
        {" \t ", DIRECTIVE_EMPTY},
        {"Cell EU0", DIRECTIVE_NO_BRACE},
        {"[1]", DIRECTIVE_NO_BRACE},
        {"{", DIRECTIVE_UNFINISHED},
        {"{cell:Cell EU1", DIRECTIVE_UNFINISHED},
        {"{cell:\"a\"", DIRECTIVE_UNFINISHED},
        {"{cell:a,", DIRECTIVE_UNFINISHED},
        {"{cell:a,}", DIRECTIVE_BAD_KEY},
        {"{,cell:a}", DIRECTIVE_BAD_KEY},
        {"{:a}", DIRECTIVE_BAD_KEY},
        {"{\"\":a}", DIRECTIVE_BAD_KEY},
        {"{cell}", DIRECTIVE_NO_COLON},
        {"{cell a}", DIRECTIVE_NO_COLON},
        {"{cell=a}", DIRECTIVE_NO_COLON},
        {"{ce.ll:a}", DIRECTIVE_NO_COLON},
        {"{cell:}", DIRECTIVE_BAD_VALUE},
        {"{cell: , ttl:1}", DIRECTIVE_BAD_VALUE},
        {"{cell:\"\"}", DIRECTIVE_BAD_VALUE},
        {"{later:}", DIRECTIVE_BAD_VALUE},
        {"{cell:a\"b}", DIRECTIVE_BAD_VALUE},
        {"{cell:a{b}", DIRECTIVE_BAD_VALUE},
        {"{later:{\"a\":1}}", DIRECTIVE_BAD_VALUE},
        {"{later:[1,2]}", DIRECTIVE_BAD_VALUE},
        {"{cell:a\tb}", DIRECTIVE_BAD_VALUE},
        {"{cell:a\x01}", DIRECTIVE_BAD_VALUE},
        {"{cell:a\x7f}", DIRECTIVE_BAD_VALUE},
        {"{cell:\"a\x01\"}", DIRECTIVE_BAD_STRING},
        {"{cell:\"a\"b}", DIRECTIVE_NO_COMMA},
        {"{cell:\"a\" ttl:1}", DIRECTIVE_NO_COMMA},
        {"{cell:a,cell:a}", DIRECTIVE_TWICE},
        {"{ttl:1,\"ttl\":1}", DIRECTIVE_TWICE},
        {"{path_prefix:/a/,path_prefix:/b/}", DIRECTIVE_TWICE},
        {"{ttl:\"\"}", DIRECTIVE_BAD_VALUE},
        {"{ttl:}", DIRECTIVE_BAD_VALUE},
        {"{ttl:-1}", DIRECTIVE_BAD_TTL},
        {"{ttl:1.5}", DIRECTIVE_BAD_TTL},
        {"{ttl:1e3}", DIRECTIVE_BAD_TTL},
        {"{ttl:60s}", DIRECTIVE_BAD_TTL},
        {"{ttl:+1}", DIRECTIVE_BAD_TTL},
        {"{cell:a}}", DIRECTIVE_TRAILING},
        {"{cell:a}, {cell:b}", DIRECTIVE_TRAILING},
        {"{cell:a} x", DIRECTIVE_TRAILING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, cases[i].outcome, "");
    char printed[64];
    assert_int_equal(parse_bytes("{cell:a\0b}", 10, printed, sizeof printed), DIRECTIVE_BAD_VALUE);
    assert_int_equal(parse_bytes("{later:\"\\\0\"}", 12, printed, sizeof printed), DIRECTIVE_BAD_STRING);
    struct directive directive;
    assert_int_equal(directive_parse(&directive, (struct text_view){0}, NULL), DIRECTIVE_EMPTY);
}

/* A directive that ends anywhere before its } is unfinished, and says nothing. */
static void every_truncation(void **state)
{
    static const char *const texts[] = {
        "{cell:Cell EU0, path_prefix:/a/b/, ttl:60, later:x}",
        "{ \"cell\" : \"C\\u0065ll\\\"\\\\\" , \"path_prefix\" : \"\\/a\\/\" , \"ttl\" : 60 , "
        "\"later\":\"\\n\\u00e9\" }",
    };
    (void)state;
    char printed[8192];
    for (size_t t = 0; t < 2; t++) {
        size_t length = strlen(texts[t]);
        assert_int_equal(parse_bytes(texts[t], length, printed, sizeof printed), DIRECTIVE_OK);
        for (size_t n = 0; n < length; n++) {
            enum directive_outcome outcome = parse_bytes(texts[t], n, printed, sizeof printed);
            if (outcome != (n == 0 ? DIRECTIVE_EMPTY : DIRECTIVE_UNFINISHED) || printed[0])
                fail_msg("%.*s: got %s \"%s\"", (int)n, texts[t], directive_outcome_name(outcome), printed);
        }
    }
}

static void bounds_hold(void **state)
{
    (void)state;
    char text[DIRECTIVE_MAX_LENGTH + 2], printed[2 * DIRECTIVE_MAX_LENGTH];
    memset(text, 'a', sizeof text);
    memcpy(text, "{cell:", 6);
    text[DIRECTIVE_MAX_LENGTH - 1] = '}';
    assert_int_equal(parse_bytes(text, DIRECTIVE_MAX_LENGTH, printed, sizeof printed), DIRECTIVE_OK);
    text[DIRECTIVE_MAX_LENGTH - 1] = 'a';
    text[DIRECTIVE_MAX_LENGTH] = '}';
    assert_int_equal(parse_bytes(text, DIRECTIVE_MAX_LENGTH + 1, printed, sizeof printed), DIRECTIVE_TOO_LONG);

    for (unsigned pairs = DIRECTIVE_MAX_PAIRS; pairs <= DIRECTIVE_MAX_PAIRS + 1; pairs++) {
        size_t used = 0;
        for (unsigned i = 0; i < pairs; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%ck%u:1", i ? ',' : '{', i);
        text[used++] = '}';
        assert_int_equal(parse_bytes(text, used, printed, sizeof printed),
                         pairs == DIRECTIVE_MAX_PAIRS ? DIRECTIVE_OK : DIRECTIVE_TOO_MANY);
    }
}

static void outcomes_have_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DIRECTIVE_OUTCOME_COUNT; i++)
        assert_true(strlen(directive_outcome_text((enum directive_outcome)i)) > 5 &&
                    strlen(directive_outcome_name((enum directive_outcome)i)) >= 2);
    assert_string_equal(directive_outcome_text(DIRECTIVE_OUTCOME_COUNT), "?");
    assert_string_equal(directive_outcome_name(DIRECTIVE_OUTCOME_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_parse),
        cmocka_unit_test(escapes_are_unpacked),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(outcomes_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
