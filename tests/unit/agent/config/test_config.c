/* tests/unit/agent/config/test_config.c - what a configuration file may say, and what is answered when it is wrong. */
#include <unistd.h>

#include "agent/config/config_settings.h"
#include "tests/unit/agent/config/config_help.h"

static const char good[] = "region = \"eu\"\n"
                           "cell \"eu0\" {\n"
                           "  name = \"Cell EU0\"\n"
                           "  servers = {\"127.0.0.1:8001\", \"[::1]:8002\"}\n"
                           "}\n";

/* The whole output must be exactly this. */
static void expect_errors(const char *text, const char *errors)
{
    struct config *config = parse(text);
    assert_null(config);
    assert_string_equal(said, errors);
}

/* One of the lines must begin with this. */
static void expect_line(const char *text, const char *start)
{
    struct config *config = parse(text);
    if (config || (strncmp(said, start, strlen(start)) != 0 && !strstr(said, start)))
        fail_msg("wanted a line \"%s…\", got: %s", start, config ? "a valid configuration" : said);
}

/* good, with these lines after it; they begin on line 6. */
static const char *with(const char *more)
{
    static char text[2000];
    snprintf(text, sizeof text, "%s%s", good, more);
    return text;
}

static void the_least_file_gets_all_defaults(void **state)
{
    (void)state;
    struct config *config = parse(good);
    if (!config)
        fail_msg("refused: %s", said);
    assert_string_equal(said, "");
    assert_string_equal(config->region, "eu");
    assert_int_equal(config->cell_count, 1);
    assert_string_equal(config->cells[0].id, "eu0");
    assert_string_equal(config->cells[0].region, "eu");
    assert_int_equal(config->cells[0].answers, 302);
    assert_int_equal(config->cells[0].servers.count, 2);
    assert_string_equal(config->cells[0].servers.items[1], "[::1]:8002");
    assert_int_equal(config->cells[0].line, 2);
    assert_int_equal(config->spoe.mode, 0660);
    assert_int_equal(config->routes.memory, 128 << 20);
    assert_string_equal(config->spoe.listen.items[0], "unix:/run/cellrouter/spoe.sock");
    assert_int_equal(config->routes.refused.count, 1);
    assert_string_equal(config->routes.refused.items[0], "/");
    assert_true(strlen(config->router) > 0);
    assert_int_equal(config->log.level, LOG_INFO);
    config_free(config);
}

static void a_lists_default_is_replaced_and_plus_appends(void **state)
{
    (void)state;
    struct config *config = parse(with("routes {\n refused = {\"/a/\"}\n refused += {\"/b/\", \"/c/\"}\n}\n"));
    if (!config)
        fail_msg("refused: %s", said);
    assert_int_equal(config->routes.refused.count, 3);
    assert_string_equal(config->routes.refused.items[2], "/c/");
    config_free(config);
}

static void wrong_values_name_line_key_value_and_what_is_right(void **state)
{
    (void)state;
    expect_errors(with("spoe { deadline = 0 }\n"),
                  "t.conf:6: spoe.deadline \"0\": too small; right would be 1 to 10000 ms (the default is 30)\n");
    expect_errors(
        with("\n\nspoe {\n  max-frame = 99999 }\n"),
        "t.conf:9: spoe.max-frame \"99999\": too large; right would be 256 to 16380 bytes (the default is 16380)\n");
    expect_line(with("routes { hosts = maybe }"), "t.conf:6: routes.hosts \"maybe\": neither true nor false");
    expect_line(with("routes { refused = {\"admin\"} }"),
                "t.conf:6: routes.refused \"admin\": a prefix starts and ends with /");
    expect_line(with("routes { memory = 64x }"), "t.conf:6: routes.memory \"64x\": not a whole number");
    expect_line(with("routes { memory = 99999999999999999999g }"), "t.conf:6: routes.memory");
    expect_line(with("redis { max-writes = 0 }"),
                "t.conf:6: redis.max-writes \"0\": too small; right would be 1 to 1000000 1/s "
                "(the default is 20000)\n");
    expect_line(with("redis { max-waiting = 0 }"),
                "redis.max-waiting \"0\": too small; right would be 1 to 10000000 (");
    expect_line(with("redis { max-absent = 15 }"),
                "redis.max-absent \"15\": too small; right would be 16 to 16777216 (");
    expect_line(with("redis { tombstone = 0 }"), "redis.tombstone \"0\": too small; right would be 1 to 86400 s (");
    expect_line(with("redis { skew = 3600001 }"),
                "redis.skew \"3600001\": too large; right would be 0 to 3600000 ms (");
    expect_line(with("redis { address = \"redis\" }"), "t.conf:6: redis.address \"redis\": there is no port");
    expect_line(with("redis { address = \"redis:0\" }"), "t.conf:6: redis.address \"redis:0\": the port");
    expect_line(with("redis { address = \"unix:run/x\" }"),
                "t.conf:6: redis.address \"unix:run/x\": the path of a socket is not");
    expect_line(with("spoe { mode = 0999 }"), "t.conf:6: spoe.mode \"0999\": not an octal number");
    expect_line(with("log { level = \"loud\" }"),
                "t.conf:6: log.level \"loud\": not one of the words; right would be error, warn, info or debug");
    expect_line(with("default-cell = \"eu9\""), "t.conf:6: default-cell \"eu9\": no such cell");
    expect_line(with("spoe { listen = {\"0.0.0.0:9000\"} }"),
                "t.conf:6: spoe.listen \"0.0.0.0:9000\": not a loopback address");
    expect_line(with("spoe { deadline = 10 }"), "t.conf:6: redis.deadline \"15\": not less than spoe.deadline, 10");
    expect_line(with("routes { lifetime = 5 lifetime-max = 4 }"),
                "t.conf:6: routes.lifetime \"5\": greater than lifetime-max");
    expect_line(with("hidden { max = 50 }"),
                "t.conf:6: hidden.min \"100\": greater than max; right would be at most 50");
    expect_line(
        with("hidden { max = 1000 } haproxy { timeout-server = 1 }"),
        "t.conf:6: hidden.max \"1000\": greater than haproxy.timeout-server in ms, less one; right would be at most "
        "999");
    expect_line(with("hidden { max = 200 most = 9 } spoe { max-connections = 17 }"),
                "t.conf:6: hidden.most \"9\": greater than half of spoe.max-connections; right would be at most 8");
}

static void a_socket_path_that_the_system_refuses_is_refused_here(void **state)
{
    (void)state;
    char text[400];
    for (int length = 107; length <= 108; length++) {
        snprintf(text, sizeof text, "%sspoe { listen = {\"unix:/%0*d\"} }", good, length - 1, 0);
        struct config *config = parse(text);
        assert_int_equal((bool)config, length == 107);
        config_free(config);
    }
    assert_non_null(strstr(said, "the path of a socket is longer than the 107 bytes"));
}

static void unknown_keys_are_all_reported_with_the_nearest_one(void **state)
{
    (void)state;
    expect_errors(with("regoin = x\nspoe { deadlin = 3 idle = no listne = {\"a\", \"b\"} }\nredsi { address = \"\" }\n"
                       "zzzzzzzzz \"t\" { a = { b } }\ndrain = -1\n"),
                  "t.conf:6: regoin: no such setting; the nearest one is region\n"
                  "t.conf:7: spoe.deadlin: no such setting; the nearest one is deadline\n"
                  "t.conf:7: spoe.listne: no such setting; the nearest one is listen\n"
                  "t.conf:7: spoe.idle \"no\": not a number; right would be 0 to 604800 s (the default is 3600)\n"
                  "t.conf:8: redsi: no such setting; the nearest one is redis\n"
                  "t.conf:9: zzzzzzzzz: no such setting; `cellctl settings` lists those that there are\n"
                  "t.conf:10: drain \"-1\": a number below zero; right would be 0 to 3600 s (the default is 30)\n");
}

static void comments_do_not_shift_line_numbers(void **state)
{
    (void)state;
    expect_line(with("# one\n// two \"\n/* three */ /* and\nfour */\n\n# {\nspoe { # }\n deadline = 0\n}\n"),
                "t.conf:13: spoe.deadline \"0\"");
}

static void a_key_given_twice_names_both_lines(void **state)
{
    (void)state;
    expect_line(with("drain = 1\ndrain = 2\n"), "t.conf:7: drain \"2\": given twice, first on line 6");
    expect_line(with("spoe { deadline = 20 }\nspoe {\ndeadline = 21 }\n"),
                "t.conf:8: spoe.deadline \"21\": given twice");
    expect_line(with("routes { refused = {\"/a/\"}\nrefused = {\"/b/\"} }"),
                "t.conf:7: routes.refused \"/b/\": given twice");
}

static void cells_are_unique_complete_and_in_a_region(void **state)
{
    (void)state;
    expect_line(with("\ncell \"eu0\" { servers = {\"a:1\"} }"),
                "t.conf:7: cell \"eu0\": there is a cell of this id already");
    expect_line(with("cell \"EU0\" { servers = {\"a:1\"} }"),
                "t.conf:6: cell \"EU0\": there is a cell \"eu0\" already");
    expect_line(with("cell \"x\" { servers = {\"a:1\"}\n name = \"cell eu0\" }"),
                "t.conf:7: cell.name \"cell eu0\": cell \"eu0\" has this name already");
    expect_line(with("cell \"x\" { servers = {\"a:1\"}\n name = \"eu0\" }"),
                "t.conf:7: cell.name \"eu0\": cell \"eu0\" has");
    expect_line("region = eu\ncell a { name = b servers = {\"a:1\"} }\ncell b { name = c servers = {\"a:1\"} }",
                "t.conf:3: cell \"b\": this id is the name of cell \"a\"");
    expect_line(with("\n\ncell \"x\" { name = \"X\" }"), "t.conf:8: cell.servers \"x\": missing or empty");
    expect_line(with("cell \"x\" { servers = {} }"), "t.conf:6: cell.servers \"x\": missing or empty");
    expect_line(with("cell \"x\" { }"), "t.conf:6: cell.servers \"x\": missing or empty");
    expect_line(with("cell \"a b\" { servers = {\"a:1\"} }"), "t.conf:6: cell \"a b\": not an id");
    expect_line(with("cell \"x\" { servers = {\"a:1\"} answers = 303 }"), "t.conf:6: cell.answers \"303\"");
    expect_line(with("cell \"x\" { servers = {\"a b\"} }"), "t.conf:6: cell.servers \"a b\"");
    expect_line(with("cell \"x\" { servers = {\"a:1\"} name = \"a{b\" }"),
                "t.conf:6: cell.name \"a{b\": { is not allowed");
    expect_line("region = us\ncell \"x\" { region = eu servers = {\"a:1\"} }",
                "t.conf:1: region \"us\": no cell stands in");
    expect_errors("region = us\n",
                  "t.conf: there is no cell; right would be at least one block cell \"ID\" { servers = … }\n");
    expect_line("cell \"x\" { servers = {\"a:1\"} }", "t.conf: region: missing");
}

static void text_that_is_no_configuration_is_refused_with_its_line(void **state)
{
    (void)state;
    expect_line(with("x = \"open\ndrain = 3\n"), "t.conf:6: a text begins with \" and does not end on its line");
    expect_line(with("x = 'open"), "t.conf:6: a text begins with ' and does not end on its line");
    expect_line(with("/* open\n\n"), "t.conf:6: a comment begins here with /* and never ends");
    expect_line(with("router = \"a\\777\""), "t.conf:6: \\ stands only before");
    expect_line(with("router = \"${HOME\" # }"), "t.conf:6: ${ begins the name of a variable");
    expect_line(with("drain = (3)"), "t.conf:6: an unexpected (");
    expect_line(with("drain = 3\n\n}"), "t.conf:8: unexpected closing brace");
    expect_line(with("\nspoe { deadline = 3\n\n"), "t.conf:7: a block or list begins here with {");
    expect_line(with("drain ="), "t.conf:6: premature end of file");
    expect_line(with("drain 3\n"), "t.conf:6: missing equal sign after option 'drain'");
    struct config *config = parse_bytes("region\0= eu", 11);
    assert_null(config);
    assert_string_equal(said, "t.conf: holds a zero byte; a configuration is plain text\n");
    /* and none of it may poison the next reading */
    config = parse(good);
    assert_non_null(config);
    config_free(config);
}

static void hostile_bytes_are_escaped_in_messages(void **state)
{
    (void)state;
    expect_line(with("router = \"a\x1b[31m\""), "t.conf:6: router \"a\\x1b[31m\": byte 0x1b is not allowed here");
}

static void every_truncation_is_valid_or_answered(void **state)
{
    (void)state;
    char text[2000];
    snprintf(text, sizeof text, "%sroutes { refused += {\"/a/\", '/b/'} /* c */ memory = 1m }\n# end\n", good);
    for (size_t length = 0; length <= strlen(text); length++) {
        struct config *config = parse_bytes(text, length);
        if (!config && !said[0])
            fail_msg("refused without a word: %.*s", (int)length, text);
        config_free(config);
    }
}

static size_t restarts;
static char restart_keys[200];

static void note_restart(void *user, const char *section, const char *key)
{
    (void)user;
    restarts++;
    strcat(strcat(strcat(strcat(restart_keys, section), "."), key), " ");
}

static void a_reload_names_what_needs_a_restart(void **state)
{
    (void)state;
    struct config *old = parse(good);
    struct config *fresh = parse(with("routes { lifetime = 7 memory = 1m }\nspoe { listen = {\"127.0.0.1:9\"} }\n"));
    restarts = 0;
    assert_int_equal(config_needs_restart(old, old, note_restart, NULL), 0);
    assert_int_equal(config_needs_restart(old, fresh, note_restart, NULL), 2);
    assert_string_equal(restart_keys, "spoe.listen routes.memory ");
    config_free(old);
    config_free(fresh);
}

static void the_sample_is_what_the_table_says_and_is_valid(void **state)
{
    (void)state;
    char *wanted = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&wanted, &size);
    config_print_sample(out);
    fclose(out);
    FILE *in = fopen("docs/cellrouter.conf", "r");
    if (!in)
        fail_msg("docs/cellrouter.conf is missing: cellctl settings --sample > docs/cellrouter.conf");
    char *is = calloc(1, size + 2);
    size_t length = fread(is, 1, size + 1, in);
    fclose(in);
    if (length != size || memcmp(is, wanted, size) != 0)
        fail_msg("docs/cellrouter.conf is not what agent/config/settings.def says: cellctl settings --sample > "
                 "docs/cellrouter.conf");
    struct config *config = parse(wanted);
    if (!config)
        fail_msg("the sample is refused: %s", said);
    config_free(config);
    free(wanted);
    free(is);
}

static void every_default_is_valid_as_it_stands_in_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        bool texty = s->kind == SETTING_TEXT || s->kind == SETTING_CHOICE;
        char line[200];
        if (setting_in_cell(s) || (s->min > 0 && texty && !s->preset[0]))
            continue;
        snprintf(line, sizeof line, "%s %s %s = %s%s%s %s\n", s->section, s->section[0] ? "{" : "", s->key,
                 s->kind == SETTING_LIST ? "{"
                 : texty                 ? "\""
                                         : "",
                 s->preset,
                 s->kind == SETTING_LIST ? "}"
                 : texty                 ? "\""
                                         : "",
                 s->section[0] ? "}" : "");
        struct config *config = parse(with(line));
        if (!config)
            fail_msg("%s: %s", line, said);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_file_gets_all_defaults),
        cmocka_unit_test(a_lists_default_is_replaced_and_plus_appends),
        cmocka_unit_test(wrong_values_name_line_key_value_and_what_is_right),
        cmocka_unit_test(a_socket_path_that_the_system_refuses_is_refused_here),
        cmocka_unit_test(unknown_keys_are_all_reported_with_the_nearest_one),
        cmocka_unit_test(comments_do_not_shift_line_numbers),
        cmocka_unit_test(a_key_given_twice_names_both_lines),
        cmocka_unit_test(cells_are_unique_complete_and_in_a_region),
        cmocka_unit_test(text_that_is_no_configuration_is_refused_with_its_line),
        cmocka_unit_test(hostile_bytes_are_escaped_in_messages),
        cmocka_unit_test(every_truncation_is_valid_or_answered),
        cmocka_unit_test(a_reload_names_what_needs_a_restart),
        cmocka_unit_test(every_default_is_valid_as_it_stands_in_the_file),
        cmocka_unit_test(the_sample_is_what_the_table_says_and_is_valid),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(said);
    return failed;
}
