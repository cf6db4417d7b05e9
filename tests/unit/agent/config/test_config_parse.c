/* tests/unit/agent/config/test_config_parse.c - the table of settings against the tree: names, forms, keys given
 * twice; and what a large file costs. */
#include <time.h>

#include "tests/unit/agent/config/config_help.h"

#define HINT "; a setting is written key = value, a block name { … }\n"

static void names_and_their_neighbours(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"redis { password = x }", "t.conf:2: redis.password: no such setting; the nearest one is password-file: the "
                                   "password is the first line of a file of its own\n"},
        {"redis { user = x }", "t.conf:2: redis.user: no such setting; the nearest one is username\n"},
        {"redis { host = x\nport = 1 }",
         "t.conf:2: redis.host: no such setting; the nearest one is address: host:port in one\n"
         "t.conf:3: redis.port: no such setting; the nearest one is address: host:port in one\n"},
        {"spoe { max-conn = 1 }", "t.conf:2: spoe.max-conn: no such setting; the nearest one is max-connections\n"},
        {"cell x { server = \"a:2\" }",
         "t.conf:2: cell.server: no such setting; the nearest one is servers\n"
         "t.conf:2: cell.servers \"x\": missing or empty; right would be host:port, [v6]:port or unix@/path\n"},
        {"spoe { region = eu }",
         "t.conf:2: spoe.region: no such setting; `cellctl settings` lists those that there are\n"},
        {"cell x { servers = {\"b:1\"} hidden { } }",
         "t.conf:2: cell.hidden: no such setting; `cellctl settings` lists those that there are\n"},
        {"root { }", "t.conf:2: root: no such setting; `cellctl settings` lists those that there are\n"},
        {"\"\" { }\n\"\" = 1\n", "t.conf:2: : no such setting; `cellctl settings` lists those that there are\n"
                                 "t.conf:3: : no such setting; `cellctl settings` lists those that there are\n"},
    };
    EXPECT_ALL(examples);
}

static void forms(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"drain 3", "t.conf:2: missing equal sign after option 'drain'" HINT},
        {"drain { }", "t.conf:2: missing equal sign after option 'drain'" HINT},
        {"spoe\ndrain = 1", "t.conf:2: missing opening brace for section 'spoe'" HINT},
        {"spoe = x", "t.conf:2: missing opening brace for section 'spoe'" HINT},
        {"cell { }", "t.conf:2: missing title for section 'cell'; right would be cell \"ID\" { … }\n"},
        {"spoe \"a\" { }", "t.conf:2: spoe \"a\": only a cell has an id before its {\n"},
        {"cell \"a\"", "t.conf:2: missing opening brace for section 'cell'" HINT},
        {"drain = {3}", "t.conf:2: drain: a list in { }, and this is one value; right would be 0 to 3600 s\n"},
        {"drain += 3", "t.conf:2: drain: += appends to a list, and this is one value; right would be 0 to 3600 s\n"},
        {"spoe = { drain = 3 }",
         "t.conf:2: spoe: no = stands before the { of a block" HINT
         "t.conf:2: spoe.drain: no such setting; `cellctl settings` lists those that there are\n"},
        {"routes { refused = /a/ }", ""},
        {"routes { refused = {} }", ""},
        {"spoe { listen = {} }",
         "t.conf:2: spoe.listen: missing or empty; right would be unix:/path, host:port or [v6]:port\n"},
        {"spoe { } spoe { }", ""},
    };
    EXPECT_ALL(examples);
}

static void given_twice(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"drain = 1\n\ndrain = 2", "t.conf:4: drain \"2\": given twice, first on line 2; one of them must go\n"},
        {"drain = 1 drain = 2 drain = 3", "t.conf:2: drain \"2\": given twice, first on line 2; one of them must go\n"
                                          "t.conf:2: drain \"3\": given twice, first on line 2; one of them must go\n"},
        {"drain = x\ndrain = 2", "t.conf:2: drain \"x\": not a number; right would be 0 to 3600 s (the default is 30)\n"
                                 "t.conf:3: drain \"2\": given twice, first on line 2; one of them must go\n"},
        {"spoe { idle = 1 }\nspoe { idle = 2 }",
         "t.conf:3: spoe.idle \"2\": given twice, first on line 2; one of them must go\n"},
        {"routes { refused = {\"/a/\"}\nrefused = {\"/b/\", \"/c/\"} }",
         "t.conf:3: routes.refused \"/b/\": given twice, first on line 2; one of them must go\n"},
        {"routes { refused = {\"/a/\"}\nrefused += {\"/b/\", \"/c/\"}\nrefused += \"/d/\" }", ""},
        {"routes { refused = {}\nrefused = {} }",
         "t.conf:3: routes.refused \"\": given twice, first on line 2; one of them must go\n"},
        {"cell x { servers = {\"b:1\"} name = A\nname = B }",
         "t.conf:3: cell.name \"B\": given twice, first on line 2; one of them must go\n"},
        {"cell x { servers = {\"b:1\"} name = A }\ncell y { servers = {\"c:1\"} name = B }", ""},
        {"cell eu0 { servers = {\"b:1\"} name = \"Cell EU0\" region = \"!\" }",
         "t.conf:2: cell.region \"!\": ! is not allowed here; right would be letters, digits, - and _\n"
         "t.conf:2: cell \"eu0\": there is a cell of this id already; ids are unique\n"},
    };
    EXPECT_ALL(examples);
}

static void one_mistake_is_told_once_and_all_are_told(void **state)
{
    (void)state;
    static const struct example examples[] = {
        /* What could not be read counts as given. */
        {"cell x {\nservers = {\"${NO_SUCH_VARIABLE}\"} }",
         "t.conf:3: the variable NO_SUCH_VARIABLE is not set; right would be to set it, or ${NO_SUCH_VARIABLE:-text} "
         "with what stands for it then (${NO_SUCH_VARIABLE:-} for nothing)\n"},
        {"cell x { servers = {\"b:1 }\n}\ndrian = 3", "t.conf:2: a text begins with \" and does not end on its line\n"},
        {"redis { address =\n}\ndrain = x\n",
         "t.conf:3: unexpected token '}'" HINT
         "t.conf:4: drain \"x\": not a number; right would be 0 to 3600 s (the default is 30)\n"},
        {"include \"more.conf\"\ndrain = x\n",
         "t.conf:2: include: a configuration is one file and includes no other; put the settings here, or join the "
         "files "
         "before the start\n"
         "t.conf:3: drain \"x\": not a number; right would be 0 to 3600 s (the default is 30)\n"},
        /* Braces that do not match: what follows would be guesses. */
        {"spoe {\nredis {\naddress = 1\n}\ndrain = x",
         "t.conf:2: a block or list begins here with { and never ends; } ends it\n"},
    };
    EXPECT_ALL(examples);
}

static void a_byte_order_mark_is_named(void **state)
{
    (void)state;
    assert_null(parse("\xef\xbb\xbfregion = eu\ncell a { servers = {\"a:1\"} }\ndrain = x\n"));
    assert_string_equal(said,
                        "t.conf:1: a byte-order mark, bytes ef bb bf, before the first word; right would be UTF-8 "
                        "without one\n"
                        "t.conf:3: drain \"x\": not a number; right would be 0 to 3600 s (the default is 30)\n");
}

static void the_environment_is_used(void **state)
{
    (void)state;
    setenv("CONFIG_TEST", "us", 1);
    struct config *config = parse("region = \"${CONFIG_TEST}\" cell \"${CONFIG_TEST}0\" { servers = {'a:1'}\n"
                                  "name = \"C ${CONFIG_TEST}\" } router = '$HOME${CONFIG_TEST}' drain = ${NO_SUCH:-7}");
    assert_null(config);
    assert_string_equal(said,
                        "t.conf:2: router \"$HOME${CONFIG_TEST}\": $ is not allowed here; right would be letters, "
                        "digits, - and _\n");
    config = parse("region = \"${CONFIG_TEST}\" cell \"${CONFIG_TEST}0\" { servers = {'a:1'}\n"
                   "name = \"C ${CONFIG_TEST}\" } drain = ${NO_SUCH:-7} redis { address = \"${NO_SUCH:-}\" }");
    assert_non_null(config);
    assert_string_equal(config->cells[0].id, "us0");
    assert_string_equal(config->cells[0].name, "C us");
    assert_int_equal(config->drain_s, 7);
    assert_string_equal(config->redis.address, "");
    config_free(config);
    unsetenv("CONFIG_TEST");
}

/* ---- cost ------------------------------------------------------------------------------------------------------- */

enum { FEW = 256, MANY = 4096 }; /* sixteen times as many, and as many as there may be */

static char *text_of(size_t cells)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("region = eu\n", out);
    for (size_t i = 0; i < cells; i++)
        fprintf(out, "cell \"cell%zu\" {\n name = \"Cell %zu\"\n servers = {\"s%zu:80\", \"s%zu:81\"}\n}\n", i, i, i,
                i);
    fclose(out);
    return text;
}

/* The least time of several, in seconds of this process alone. */
static double cost_of(const char *text, const char *wanted)
{
    double least = 1e9;
    for (int i = 0; i < 5; i++) {
        clock_t start = clock();
        struct config *config = parse(text);
        double took = (double)(clock() - start) / CLOCKS_PER_SEC;
        assert_int_equal((bool)config, !wanted);
        if (wanted)
            assert_non_null(strstr(said, wanted));
        config_free(config);
        least = took < least ? took : least;
    }
    return least;
}

/* Sixteen times the cells: sixteen times the time when it is linear, 256 times when it is quadratic. The limit lies
 * between, four times away from either. */
static void expect_linear(const char *few_text, const char *many_text, const char *wanted)
{
    double few = cost_of(few_text, wanted), many = cost_of(many_text, wanted);
    if (many > few * 64)
        fail_msg("%d cells took %.1f ms, %d cells %.1f ms: %.0f times as long", FEW, few * 1e3, MANY, many * 1e3,
                 many / few);
}

static void reading_is_linear(void **state)
{
    (void)state;
    char *few = text_of(FEW), *many = text_of(MANY);
    expect_linear(few, many, NULL);
    free(few);
    free(many);
}

/* An unknown key in each cell: once the whole text was read again for each of them. */
static void reading_mistakes_is_linear(void **state)
{
    (void)state;
    char *texts[2] = {text_of(FEW), text_of(MANY)};
    for (size_t i = 0; i < 2; i++)
        for (char *at = texts[i]; (at = strstr(at, "name"));)
            memcpy(at, "nome", 4);
    expect_linear(texts[0], texts[1], "cell.nome: no such setting; the nearest one is name");
    free(texts[0]);
    free(texts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_their_neighbours),
        cmocka_unit_test(forms),
        cmocka_unit_test(given_twice),
        cmocka_unit_test(one_mistake_is_told_once_and_all_are_told),
        cmocka_unit_test(a_byte_order_mark_is_named),
        cmocka_unit_test(the_environment_is_used),
        cmocka_unit_test(reading_is_linear),
        cmocka_unit_test(reading_mistakes_is_linear),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(said);
    return failed;
}
