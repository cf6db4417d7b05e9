/* tests/unit/agent/config/test_config_tree.c - the tree of a text, whole or broken, and what is said of what is
 * broken. */
#include "agent/config/config_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *variable(const char *name)
{
    (void)name;
    return NULL;
}

/* What a node holds, in a form to compare: key=v, key+=v, list={v,w}, block "title"{…}, and name! for a name
 * alone. */
static void print_node(FILE *to, const struct config_tree *tree, size_t node)
{
    const struct config_node *n = &tree->nodes[node];
    const char *text = n->text ? n->text : "?";
    bool values = n->kind == NODE_KEY || n->kind == NODE_APPEND;
    fprintf(to, "%u:%s", n->line, text);
    if (n->title)
        fprintf(to, " \"%s\"", n->title);
    if (values)
        fprintf(to, "%s", n->kind == NODE_KEY ? "=" : "+=");
    fputs(n->kind == NODE_NAME ? "!" : n->kind == NODE_BLOCK || n->in_braces ? "{" : "", to);
    for (size_t i = node + 1; i < n->end; i = tree->nodes[i].end) {
        fputs(i > node + 1 ? (values ? "," : " ") : "", to);
        print_node(to, tree, i);
    }
    fputs(n->kind == NODE_BLOCK || n->in_braces ? "}" : "", to);
}

/* The tree, and behind a | the errors; ~ when the tree is not whole, ~~ when its braces do not match. */
static const char *read_bytes(const char *bytes, size_t length)
{
    static char out[20000];
    struct config_tree tree;
    struct config_errors *errors = calloc(1, sizeof *errors);
    char *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    assert_int_equal(config_tree_read(&tree, exact, length, variable, errors), 0);
    free(exact);
    FILE *to = fmemopen(out, sizeof out, "w");
    for (size_t i = 1; i < tree.nodes[0].end; i = tree.nodes[i].end) {
        fputs(i > 1 ? " " : "", to);
        print_node(to, &tree, i);
    }
    assert_int_equal(tree.nodes[0].end, tree.count);
    fprintf(to, "%s%s", tree.whole ? "" : "~", tree.nested ? "" : "~");
    for (size_t i = 0; i < errors->count; i++)
        fprintf(to, "|%u %s", errors->list[i].line, errors->list[i].text);
    fputc('\0', to);
    fclose(to);
    config_tree_deinit(&tree);
    config_errors_deinit(errors);
    free(errors);
    return out;
}

struct example {
    const char *text, *wanted;
};

static void expect(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *is = read_bytes(examples[i].text, strlen(examples[i].text));
        if (strcmp(is, examples[i].wanted) != 0)
            fail_msg("of\n%s\nwanted %s\n   got %s", examples[i].text, examples[i].wanted, is);
    }
}

#define HINT "; a setting is written key = value, a block name { … }"
#define NEVER_ENDS "a block or list begins here with { and never ends; } ends it"

static void right_texts(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", ""},
        {"region = eu\ndrain=3", "1:region=1:eu 2:drain=2:3"},
        {"a = 1 b = 2", "1:a=1:1 1:b=1:2"},
        {"a =\n\n 1", "1:a=3:1"},
        {"spoe { a = 1\nb += 2 }", "1:spoe{1:a=1:1 2:b+=2:2}"},
        {"cell \"eu 0\"\n{\n}", "1:cell \"eu 0\"{}"},
        {"a = {}", "1:a={}"},
        {"a = {x}", "1:a={1:x}"},
        {"a = {x,\ny,}\nb = {'z'}", "1:a={1:x,2:y} 3:b={3:z}"},
        {"a { b { c { d = 1 } } e = 2 }", "1:a{1:b{1:c{1:d=1:1}} 1:e=1:2}"},
        {"'key in quotes' = v", "1:key in quotes=1:v"},
    };
    expect(examples, sizeof examples / sizeof examples[0]);
}

static void a_mistake_costs_its_own_statement_only(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"drain 3\nb = 1", "1:drain \"3\"! 2:b=2:1~"},
        {"drain\nb = 1", "1:drain! 2:b=2:1~"},
        {"a b c {\nd = 1 }\ne = 2", "1:a \"b\"! 3:e=3:2~"},
        {"spoe { drain 3 }\nb = 1", "1:spoe{1:drain \"3\"!} 2:b=2:1~"},
        {"= 3\nb = 1", "2:b=2:1~|1 unexpected token '='" HINT},
        {"a = = 3\nb = 1", "1:a= 2:b=2:1~|1 unexpected token '='" HINT},
        {"spoe { a = }\nb = 1", "1:spoe{1:a=} 2:b=2:1~|1 unexpected token '}'" HINT},
        {"a =\nb = 1", "1:a= 2:b=2:1~|1 a =: the value is missing" HINT},
        {"a +=\nb {\n}", "1:a+= 2:b{}~|1 a +=: the value is missing" HINT},
        {"a =", "1:a=~|1 premature end of file" HINT},
        {"a =\n\n", "1:a=~|1 premature end of file" HINT},
        {"a = {x y}", "1:a={1:x,1:y}~|1 unexpected token 'y'; a comma separates the texts of a list"},
        {"a = {,x}", "1:a={1:x}~|1 unexpected token ','" HINT},
        {"a = {x, {y} }\nb = 1", "1:a={1:x} 2:b=2:1~|1 unexpected token '{'" HINT},
        {"c {\na = {x\nb = 1\n}\nd = 2", "1:c{2:a={2:x} 3:b=3:1} 5:d=5:2~|2 " NEVER_ENDS},
        {"spoe = { a = 1 }\nb = 2", "1:spoe{1:a=1:1} 2:b=2:2|1 spoe: no = stands before the { of a block" HINT},
        {"a = \"open\nb = 1", "1:a=1:? 2:b=2:1~|1 a text begins with \" and does not end on its line"},
        {"a = \"${NO}\"\nb = 1",
         "1:a=1:? 2:b=2:1~|1 the variable NO is not set; right would be to set it, or ${NO:-text} with what stands for "
         "it then (${NO:-} for nothing)"},
    };
    expect(examples, sizeof examples / sizeof examples[0]);
}

static void braces_that_do_not_match(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"a = 1\n}\nb = 2", "1:a=1:1 3:b=3:2~~|2 unexpected closing brace" HINT},
        {"\nspoe {\na = 1\n", "2:spoe{3:a=3:1}~~|2 " NEVER_ENDS},
        {"a {\nb { c = {x\n", "1:a{2:b{2:c={2:x}}}~~|1 " NEVER_ENDS},
        {"a {\nb { }\n", "1:a{2:b{}}~~|1 " NEVER_ENDS},
        {"a = {x\n", "1:a={1:x}~~|1 " NEVER_ENDS},
        {"a b c {\n", "1:a \"b\"!~~|1 " NEVER_ENDS},
        {"a = {{\n", "1:a={}~~|1 unexpected token '{'" HINT "|1 " NEVER_ENDS},
    };
    expect(examples, sizeof examples / sizeof examples[0]);
}

static void includes_are_refused_in_any_dress(void **state)
{
    (void)state;
    static const char *const dresses[] = {"include \"x.conf\"", "include = x", "@include \"x\"", ".include x",
                                          "include x {\n}"};
    for (size_t i = 0; i < sizeof dresses / sizeof dresses[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "a = 1\n%s\nb = 2", dresses[i]);
        const char *is = read_bytes(text, strlen(text));
        assert_non_null(strstr(is, "include: a configuration is one file and includes no other; "));
        assert_non_null(strstr(is, "|2 "));
        assert_null(strstr(strstr(is, "|2 ") + 1, "|"));
        assert_int_equal(strncmp(is, "1:a=1:1 ", 8), 0);
        assert_non_null(strstr(is, ":b="));
    }
}

static void depth_is_bounded(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    assert_string_equal(read_bytes("a{a{a{a{a{a{a{a{}}}}}}}} b = 1", 30),
                        "1:a{1:a{1:a{1:a{1:a{1:a{1:a{1:a{}}}}}}}} 1:b=1:1");
    assert_string_equal(read_bytes("a{a{a{a{a{a{a{a{z{y{}}}}}}}}}} b = 1", 36),
                        "1:a{1:a{1:a{1:a{1:a{1:a{1:a{1:a{1:z{}}}}}}}}} 1:b=1:1~"
                        "|1 z: blocks stand in each other more than 8 deep");
    char *deep = malloc(2 * DEEP);
    for (size_t i = 0; i < DEEP; i++)
        memcpy(deep + 2 * i, "a{", 2);
    assert_non_null(strstr(read_bytes(deep, 2 * DEEP), NEVER_ENDS));
    memset(deep, '{', 2 * DEEP);
    assert_non_null(strstr(read_bytes(deep, 2 * DEEP), NEVER_ENDS));
    memset(deep, '}', 2 * DEEP);
    assert_non_null(strstr(read_bytes(deep, 2 * DEEP), "unexpected closing brace"));
    free(deep);
}

static void no_truncation_is_read_too_far(void **state)
{
    (void)state;
    static const char text[] = "a { b += { 'x', \"y\", } c = d e 'f' { } } include g = { h i j { k } =";
    for (size_t length = 0; length < sizeof text; length++)
        read_bytes(text, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_texts),
        cmocka_unit_test(a_mistake_costs_its_own_statement_only),
        cmocka_unit_test(braces_that_do_not_match),
        cmocka_unit_test(includes_are_refused_in_any_dress),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(no_truncation_is_read_too_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
