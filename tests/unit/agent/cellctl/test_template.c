/* tests/unit/agent/cellctl/test_template.c - mirrors agent/cellctl/template.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cellctl/template.h"

/* A small vocabulary: a site of cells a, b and c, each with as many servers as its place says; b is odd. */

enum { VALUE_SITE, VALUE_CELL, VALUE_SERVER };

static const struct template_name values[] = {{"site", NULL}, {"cell.id", "cell"}, {"server.number", "server"}};
static const struct template_name conditions[] = {{"true", NULL}, {"false", NULL}, {"odd", "cell"}};
static const struct template_loop loops[] = {
    {"cell", "cell", NULL}, {"no cell", "cell", NULL}, {"server", "server", "cell"}};
static const char *const words[] = {"mode", "server", "backend"};

struct scope {
    size_t cell, server;
};

static void print(void *user, size_t value, FILE *out)
{
    const struct scope *scope = user;
    if (value == VALUE_SITE)
        fputs("site", out);
    else if (value == VALUE_CELL)
        fputc('a' + (int)scope->cell, out);
    else
        fprintf(out, "%zu", scope->server + 1);
}

static bool holds(void *user, size_t condition)
{
    const struct scope *scope = user;
    return condition == 0 || (condition == 2 && scope->cell == 1);
}

static bool turn(void *user, size_t loop, size_t index)
{
    struct scope *scope = user;
    if (loop == 2) {
        scope->server = index;
        return index < scope->cell + 1;
    }
    scope->cell = index;
    return loop == 0 && index < 3;
}

/* Texts of exact size on the heap, so that a byte read too far is seen. */
enum { TEXTS_MOST = 12 };

struct texts {
    struct template_text rows[TEXTS_MOST];
    char *bytes[TEXTS_MOST];
    size_t count;
};

static void add(struct texts *texts, const char *name, const char *file, const char *text)
{
    size_t length = strlen(text);
    char *bytes = malloc(length + (length == 0));
    assert_non_null(bytes);
    memcpy(bytes, text, length);
    texts->bytes[texts->count] = bytes;
    texts->rows[texts->count++] = (struct template_text){name, file, bytes, length};
}

static void drop(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->bytes[i]);
}

static struct template_vocabulary vocabulary_of(const struct texts *texts)
{
    return (struct template_vocabulary){.texts = texts->rows,
                                        .text_count = texts->count,
                                        .values = values,
                                        .value_count = 3,
                                        .conditions = conditions,
                                        .condition_count = 3,
                                        .loops = loops,
                                        .loop_count = 3,
                                        .words = words,
                                        .word_count = 3};
}

/* What "root" prints, in static memory; or, when it must not be printed, the error. */
static const char *printed(struct texts *texts)
{
    static char out[2000];
    const struct template_vocabulary vocabulary = vocabulary_of(texts);
    struct scope scope = {0, 0};
    const struct template_meaning meaning = {print, holds, turn, &scope, sizeof scope};
    static struct template_error error;
    static const char *const roots[] = {"root"};
    bool right = template_check(&vocabulary, roots, 1, &error);
    out[0] = 0;
    FILE *file = fmemopen(out, sizeof out, "w");
    assert_non_null(file);
    struct template_error late = {""};
    bool done = template_print(&vocabulary, "root", &meaning, file, &late);
    fclose(file);
    if (right && !done)
        fail_msg("the check took what could not be printed: %s", late.text);
    drop(texts);
    return right ? out : error.text;
}

static const char *printed_of(const char *root)
{
    struct texts texts = {.count = 0};
    add(&texts, "root", "rules/root.cfg", root);
    return printed(&texts);
}

static void plain_lines_are_printed_as_they_are(void **state)
{
    (void)state;
    assert_string_equal(printed_of(""), "");
    assert_string_equal(printed_of("\n"), "\n");
    assert_string_equal(printed_of("# why\n    mode http\n"), "# why\n    mode http\n");
    assert_string_equal(printed_of("mode http"), "mode http\n");
}

static void values_stand_anywhere_in_a_line(void **state)
{
    (void)state;
    assert_string_equal(printed_of("mode @site@/@site@\n"), "mode site/site\n");
    assert_string_equal(printed_of("# @site@\n"), "# site\n");
    assert_string_equal(printed_of("@site@ a\n"), "site a\n");
    assert_string_equal(printed_of("server a unix@@/x\n"), "server a unix@/x\n");
}

static void a_line_goes_on_after_a_backslash(void **state)
{
    (void)state;
    assert_string_equal(printed_of("mode a \\\n    b\\\n  @site@\n"), "mode a bsite\n");
    assert_string_equal(printed_of("mode a \\"), "rules/root.cfg:1: a line ends in \\ and nothing follows it");
}

static void remarks_on_the_template_are_not_printed(void **state)
{
    (void)state;
    assert_string_equal(printed_of("## why @nothing@\nmode http\n"), "mode http\n");
}

static void loops_make_a_turn_for_each(void **state)
{
    (void)state;
    assert_string_equal(printed_of("for each cell\nmode @cell.id@\nend\n"), "mode a\nmode b\nmode c\n");
    assert_string_equal(printed_of("for each no cell\nmode @cell.id@\nif true\nend\nend\nmode x\n"), "mode x\n");
    assert_string_equal(
        printed_of("for each cell\nbackend @cell.id@\nfor each server\nserver @cell.id@@server.number@\nend\nend\n"),
        "backend a\nserver a1\nbackend b\nserver b1\nserver b2\nbackend c\nserver c1\nserver c2\nserver c3\n");
}

static void a_loop_puts_back_what_was_before(void **state)
{
    (void)state;
    assert_string_equal(printed_of("for each cell\nfor each cell\nend\nmode @cell.id@\nend\n"),
                        "mode a\nmode b\nmode c\n");
}

static void conditions_choose_lines(void **state)
{
    (void)state;
    assert_string_equal(printed_of("if true\nmode a\nend\nif not true\nmode b\nend\n"), "mode a\n");
    assert_string_equal(printed_of("if false\nfor each cell\nmode a\nend\nend\nif not false\nmode b\nend\n"),
                        "mode b\n");
    assert_string_equal(printed_of("if false\nmode a \\\n    if b\nend\nmode c\n"), "mode c\n");
    assert_string_equal(printed_of("for each cell\nif odd\nmode @cell.id@\nend\nend\n"), "mode b\n");
}

static void texts_include_texts(void **state)
{
    (void)state;
    struct texts texts = {.count = 0};
    add(&texts, "root", "rules/root.cfg", "for each cell\n    include part\nend\n");
    add(&texts, "part", "snippets/part.cfg", "mode @cell.id@\n");
    assert_string_equal(printed(&texts), "mode a\nmode b\nmode c\n");
}

/* Each of these once printed something else in silence, with status 0. */
static void what_is_misspelt_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *root, *error;
    } rows[] = {
        {"mode a\ninclude rot\n", "rules/root.cfg:2: no text \"rot\"; did you mean \"root\"?"},
        {"include nothing-like-it\n", "rules/root.cfg:1: no text \"nothing-like-it\""},
        {"inculde root\n", "rules/root.cfg:1: no line begins with \"inculde\""},
        {"\nmdoe http\n", "rules/root.cfg:2: no line begins with \"mdoe\"; did you mean \"mode\"?"},
        {"mode @stie@\n", "rules/root.cfg:1: no value \"stie\"; did you mean \"site\"?"},
        {"mode @site\n", "rules/root.cfg:1: an @ without a second one; \"@name@\" is a value, \"@@\" one @"},
        {"mode @cell.id@\n", "rules/root.cfg:1: \"cell.id\" is known inside \"for each cell\" alone"},
        {"if ture\nend\n", "rules/root.cfg:1: no condition \"ture\"; did you mean \"true\"?"},
        {"if odd\nend\n", "rules/root.cfg:1: \"odd\" is known inside \"for each cell\" alone"},
        {"if not\nend\n", "rules/root.cfg:1: no condition \"\""},
        {"for each clel\nend\n", "rules/root.cfg:1: no loop \"for each\" \"clel\"; did you mean \"cell\"?"},
        {"for cell\nend\n", "rules/root.cfg:1: \"for\" goes on with \"each\" and what there is one turn for"},
        {"for each server\nend\n", "rules/root.cfg:1: \"for each server\" stands inside \"for each cell\" alone"},
        {"mode a\nfor each cell\nmode b\n", "rules/root.cfg:2: \"for\" or \"if\" without its \"end\""},
        {"if false\nmode b\n", "rules/root.cfg:1: \"for\" or \"if\" without its \"end\""},
        {"mode a\nend\n", "rules/root.cfg:2: \"end\" of nothing"},
        {"if true\nend if\n", "rules/root.cfg:2: \"end\" stands alone in its line"},
        {"if false\nmdoe http\nend\n", "rules/root.cfg:2: no line begins with \"mdoe\"; did you mean \"mode\"?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(printed_of(rows[i].root), rows[i].error);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    const char *said = printed_of("include root\n");
    assert_string_equal(said, "rules/root.cfg:1: \"root\" would be the 9th text inside another; texts must not include "
                              "themselves");
    char deep[400] = "";
    for (int i = 0; i < 9; i++)
        strcat(deep, "if true\n");
    assert_string_equal(printed_of(deep), "rules/root.cfg:9: too many \"for\" and \"if\" inside one another");
    assert_string_equal(
        printed_of(
            "for each cell\nfor each cell\nfor each cell\nfor each cell\nfor each cell\nend\nend\nend\nend\nend\n"),
        "rules/root.cfg:5: too many \"for\" and \"if\" inside one another");
}

static void a_text_that_nothing_includes_is_named(void **state)
{
    (void)state;
    struct texts texts = {.count = 0};
    add(&texts, "root", "rules/root.cfg", "mode a\n");
    add(&texts, "part", "snippets/part.cfg", "mode b\n");
    assert_string_equal(printed(&texts), "snippets/part.cfg:1: nothing includes this text");
}

/* A text cut anywhere is refused or printed, and never read past its end. */
static void every_beginning_of_a_text_is_safe(void **state)
{
    (void)state;
    static const char whole[] = "for each cell\nif not odd\nserver @cell.id@ \\\n  x@@y\nend\nend\ninclude root\n";
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        char cut[sizeof whole];
        memcpy(cut, whole, length);
        cut[length] = '\0';
        assert_non_null(printed_of(cut));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_are_printed_as_they_are),
        cmocka_unit_test(values_stand_anywhere_in_a_line),
        cmocka_unit_test(a_line_goes_on_after_a_backslash),
        cmocka_unit_test(remarks_on_the_template_are_not_printed),
        cmocka_unit_test(loops_make_a_turn_for_each),
        cmocka_unit_test(a_loop_puts_back_what_was_before),
        cmocka_unit_test(conditions_choose_lines),
        cmocka_unit_test(texts_include_texts),
        cmocka_unit_test(what_is_misspelt_is_named_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_text_that_nothing_includes_is_named),
        cmocka_unit_test(every_beginning_of_a_text_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
