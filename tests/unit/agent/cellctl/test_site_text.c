/* tests/unit/agent/cellctl/test_site_text.c - mirrors agent/cellctl/site_text.c. Every text is read from a heap block
 * of its exact size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cellctl/site_text.h"

static void read_exactly(struct site_text *text, const char *bytes, size_t length)
{
    char *exact = malloc(length + !length);
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    assert_int_equal(site_text_read(text, exact, length), 0);
    free(exact);
}

/* The words of the first line with | between them. */
static const char *words(const char *line)
{
    static char out[500];
    struct site_text text;
    read_exactly(&text, line, strlen(line));
    out[0] = '\0';
    for (size_t i = 0; text.line_count && i < text.lines[0].count; i++) {
        strcat(out, i ? "|" : "");
        strcat(out, text.lines[0].words[i]);
    }
    if (text.line_count && text.lines[0].broken)
        strcat(out, "!");
    site_text_deinit(&text);
    return out;
}

static void a_line_is_split_as_haproxy_splits_it(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"", ""},
        {"   \t ", ""},
        {"# a remark", ""},
        {"bind :80 # a remark", "bind|:80"},
        {"bind :80#a remark", "bind|:80"},
        {"\tbind\t:80\r\n", "bind|:80"},
        {"log-format \"%ci # %{+Q}r\"", "log-format|%ci # %{+Q}r"},
        {"a 'b \"c\" \\d' e", "a|b \"c\" \\d|e"},
        {"a b\\ c d", "a|b c|d"},
        {"a b\\#c", "a|b#c"},
        {"a \"b \\\" c\" d", "a|b \" c|d"},
        {"a \"\\.b\" \\\\", "a|\\.b|\\"},
        {"a x\"y z\"'0 1'", "a|xy z0 1"},
        {"a \"\" b", "a||b"},
        {"a \"${B}\"", "a|${B}"},
        {"a \"b c", "a|b c!"},
        {"a 'b c\n' d", "a|b c!"},
        {"a \\", "a|\\"},
        {"\xef\xbb\xbfglobal", "global"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(words(rows[i].line), rows[i].words) != 0)
            fail_msg("%s\nwanted %s\ngot    %s", rows[i].line, rows[i].words, words(rows[i].line));
}

static void sections_have_kind_name_defaults_and_lines(void **state)
{
    (void)state;
    static const char site[] =
        "# head\nglobal\n maxconn 1\ndefaults\ndefaults a from b\nfrontend f from a\n bind :1\n\n"
        "listen l\ndefaults from x\npeers p";
    static const struct site_section wanted[] = {
        {SITE_GLOBAL, "", NULL, 1, 3},   {SITE_DEFAULTS, "", NULL, 3, 4}, {SITE_DEFAULTS, "a", "b", 4, 5},
        {SITE_FRONTEND, "f", "a", 5, 8}, {SITE_LISTEN, "l", NULL, 8, 9},  {SITE_DEFAULTS, "", "x", 9, 10},
        {SITE_OTHER, "p", NULL, 10, 11},
    };
    struct site_text text;
    read_exactly(&text, site, sizeof site - 1);
    assert_int_equal(text.section_count, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < text.section_count; i++) {
        const struct site_section *got = &text.sections[i];
        assert_int_equal(got->kind, wanted[i].kind);
        assert_string_equal(got->name, wanted[i].name);
        assert_string_equal(got->from ? got->from : "-", wanted[i].from ? wanted[i].from : "-");
        assert_int_equal(got->line, wanted[i].line);
        assert_int_equal(got->end, wanted[i].end);
    }
    assert_false(text.ends_in_newline);
    site_text_deinit(&text);
}

static void what_is_never_read_has_no_words(void **state)
{
    (void)state;
    static const char site[] = ".if 0\nfrontend a\n.if defined(X)\nfrontend b\n.endif\n.else\nfrontend c\n.endif\n"
                               ".if version_atleast(3.0)\nfrontend d\n.endif\nfrontend e\n.endif\n";
    struct site_text text;
    read_exactly(&text, site, sizeof site - 1);
    assert_int_equal(text.section_count, 3);
    assert_string_equal(text.sections[0].name, "c");
    assert_string_equal(text.sections[1].name, "d");
    assert_int_equal(text.lines[text.sections[1].line].depth, 1);
    assert_string_equal(text.sections[2].name, "e");
    assert_int_equal(text.lines[text.sections[2].line].depth, 0);
    site_text_deinit(&text);
}

static void a_text_may_end_anywhere(void **state)
{
    (void)state;
    static const char site[] =
        "\xef\xbb\xbfglobal\n\tlog \"a b\\\" 'c'\" # x\n.if 0\nfrontend f from 'x\\y'\\ z\n.endif\n";
    for (size_t length = 0; length < sizeof site; length++) {
        struct site_text text;
        read_exactly(&text, site, length);
        size_t bytes = 0;
        for (size_t i = 0; i < text.line_count; i++)
            bytes += text.lines[i].raw_length + 1;
        assert_int_equal(bytes, length + (length > 0 && !text.ends_in_newline));
        site_text_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_split_as_haproxy_splits_it),
        cmocka_unit_test(sections_have_kind_name_defaults_and_lines),
        cmocka_unit_test(what_is_never_read_has_no_words),
        cmocka_unit_test(a_text_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
