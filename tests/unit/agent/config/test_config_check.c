/* tests/unit/agent/config/test_config_check.c - what no single setting can tell: cells against each other, limits
 * against limits. */
#include "tests/unit/agent/config/config_help.h"

static void no_text_means_two_cells(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"cell eu0 { servers = {\"b:1\"} }",
         "t.conf:2: cell \"eu0\": there is a cell of this id already; ids are unique\n"},
        {"cell EU0 { servers = {\"b:1\"} }",
         "t.conf:2: cell \"EU0\": there is a cell \"eu0\" already; ids differ in more than case\n"},
        {"cell x { servers = {\"b:1\"}\nname = \"CELL eu0\" }",
         "t.conf:3: cell.name \"CELL eu0\": cell \"eu0\" has this name already; right would be printable characters "
         "without "
         "quotes, braces, commas, colons, \\ and $\n"},
        {"cell x { servers = {\"b:1\"}\nname = Eu0 }",
         "t.conf:3: cell.name \"Eu0\": cell \"eu0\" has this name already; right would be printable characters without "
         "quotes, braces, commas, colons, \\ and $\n"},
        {"cell a { name = b servers = {\"b:1\"} }\ncell B { servers = {\"c:1\"} }",
         "t.conf:3: cell \"B\": this id is the name of cell \"a\"\n"},
        {"cell a { name = A servers = {\"b:1\"} }", ""}, /* its own id */
        {"cell \"\" { servers = {\"b:1\"} }",
         "t.conf:2: cell \"\": not an id; right would be 1 to 32 letters, digits, - and _\n"},
        {"cell \"a.b\" { servers = {\"b:1\"} }",
         "t.conf:2: cell \"a.b\": not an id; right would be 1 to 32 letters, digits, - and _\n"},
    };
    EXPECT_ALL(examples);
}

static void a_server_is_in_one_cell(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"cell x {\nservers = {\"b:1\", \"a:1\"} }",
         "t.conf:3: cell.servers \"a:1\": cell \"eu0\" has this server, too; right would be servers of its own, or "
         "server-options by which the server tells the cells apart\n"},
        {"cell x {\nservers = {\"b:1\", \"b:1\"} }",
         "t.conf:3: cell.servers \"b:1\": given twice; one of them must go\n"},
        /* One address may lead to several cells. */
        {"cell x { servers = {\"b:443\"} server-options = \"ssl verify none sni str(x)\" }\n"
         "cell y { servers = {\"b:443\"} server-options = \"ssl verify none sni str(y)\" }",
         ""},
    };
    EXPECT_ALL(examples);
}

static void what_must_be_there(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"", "t.conf: there is no cell; right would be at least one block cell \"ID\" { servers = … }\n"
             "t.conf: region: missing; right would be letters, digits, - and _\n"},
        {"cell x { servers = {\"a:1\"} }", "t.conf: region: missing; right would be letters, digits, - and _\n"},
        {"region = eu cell x { }",
         "t.conf:1: cell.servers \"x\": missing or empty; right would be host:port, [v6]:port or unix@/path\n"},
        {"region = eu cell x { region = us servers = {\"a:1\"} }",
         "t.conf:1: region \"eu\": no cell stands in this region; right would be letters, digits, - and _\n"},
        {"region = eu cell x { servers = {\"a:1\"} } default-cell = y",
         "t.conf:1: default-cell \"y\": no such cell; right would be the id of a cell block\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_null(parse(texts[i][0]));
        for (const char *line = texts[i][1]; *line; line = strchr(line, '\n') + 1) {
            char one[200];
            snprintf(one, sizeof one, "%.*s", (int)(strchr(line, '\n') - line + 1), line);
            if (!strstr(said, one))
                fail_msg("of\n%s\nwanted %s   got %s", texts[i][0], one, said);
        }
    }
}

static void limits_fit_each_other(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"routes { lifetime-min = 20\nlifetime-max = 10 lifetime = 5 }",
         "t.conf:2: routes.lifetime-min \"20\": greater than lifetime-max; right would be at most 10\n"},
        {"redis { backoff-min = 9000 }",
         "t.conf:2: redis.backoff-min \"9000\": greater than backoff-max; right would be at most 5000\n"},
        {"redis { backoff-max = 50 }",
         "t.conf:2: redis.backoff-min \"100\": greater than backoff-max; right would be at most 50\n"},
        {"redis { deadline = 30 }",
         "t.conf:2: redis.deadline \"30\": not less than spoe.deadline, 30; deadlines nest, so that a "
         "slow Redis does not cost the whole lookup\n"},
        {"redis { read-address = \"h:1\" }",
         "t.conf:2: redis.read-address \"h:1\": a replica alone takes no writes: redis.address has to name its "
         "primary; right would be unix:/path, host:port or [v6]:port\n"},
        {"redis { address = \"h:1\" read-address = \"h:2\" }", ""},
        {"redis { username = x }",
         "t.conf:2: redis.username \"x\": there is no redis.password-file to go with it; right would "
         "be printable characters without blanks\n"},
        {"spoe { listen = {\"10.0.0.1:9\"} }",
         "t.conf:2: spoe.listen \"10.0.0.1:9\": not a loopback address, and spoe.allow-remote is not true; right "
         "would be "
         "unix:/path, host:port or [v6]:port (the default is \"unix:/run/cellrouter/spoe.sock\")\n"},
        {"spoe { listen = {\"10.0.0.1:9\"} allow-remote = true }", ""},
        {"haproxy { hint-counter = 1 }", ""},
        {"haproxy { note-counter = 2 } cell eu9 { servers = {\"z:1\"} answers = 425 }",
         "t.conf:2: haproxy.note-counter \"2\": this is haproxy.hint-counter, too; a site with cells that answer "
         "421 or 425 needs both\n"},
        {"hidden { max = 200 most = 2049 }",
         "t.conf:2: hidden.most \"2049\": greater than half of spoe.max-connections; right would be at most 2048\n"},
    };
    EXPECT_ALL(examples);
}

static void what_follows_from_other_settings(void **state)
{
    (void)state;
    struct config *config =
        parse("region = eu cell eu0 { servers = {\"a:1\"} }\ncell us0 { region = us name = N servers = {\"b:1\"} }");
    assert_non_null(config);
    assert_string_equal(config->cells[0].name, "eu0");
    assert_string_equal(config->cells[0].region, "eu");
    assert_string_equal(config->cells[1].name, "N");
    assert_string_equal(config->cells[1].region, "us");
    assert_true(strlen(config->router) > 0);
    assert_ptr_equal(config_cell(config, "us0"), &config->cells[1]);
    assert_null(config_cell(config, "US0"));
    config_free(config);
}

static void there_may_be_4096_cells(void **state)
{
    (void)state;
    for (int count = 4096; count <= 4097; count++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        fputs("region = eu\n", out);
        for (int i = 0; i < count; i++)
            fprintf(out, "cell c%d { servers = {\"s%d:1\"} }\n", i, i);
        fclose(out);
        struct config *config = parse(text);
        assert_int_equal((bool)config, count == 4096);
        config_free(config);
        free(text);
    }
    assert_string_equal(said, "t.conf: 4097 cells; at most 4096 are allowed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_means_two_cells),
        cmocka_unit_test(a_server_is_in_one_cell),
        cmocka_unit_test(what_must_be_there),
        cmocka_unit_test(limits_fit_each_other),
        cmocka_unit_test(what_follows_from_other_settings),
        cmocka_unit_test(there_may_be_4096_cells),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(said);
    return failed;
}
