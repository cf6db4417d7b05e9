/* tests/unit/agent/cellctl/test_haproxy_vocabulary.c - mirrors agent/cellctl/haproxy_vocabulary.c: what names mean for
 * a site, asked with small templates of the test's own.
 *
 * The source is included, and that of cell_choice.c, so that what they ask of each cell can be counted: comparisons of
 * texts, and looks at server options. */
#include "agent/cellctl/haproxy_vocabulary.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/server_options.h"

static uint64_t looks;

static int counted_strcmp(const char *one, const char *other)
{
    looks++;
    return strcmp(one, other);
}

static bool counted_options_has(const char *options, const char *word)
{
    looks++;
    return server_options_has(options, word);
}

#define strcmp counted_strcmp
#define server_options_has counted_options_has
#include "agent/cellctl/cell_choice.c"
#include "agent/cellctl/haproxy_vocabulary.c"
#undef strcmp
#undef server_options_has

#include <cmocka.h>

static const char site[] =
    "region = \"eu\"\nrouter = \"r1\"\n"
    "cell \"eu0\" { name = \"Cell EU0\" servers = {\"127.0.0.1:1\", \"127.0.0.1:2\"} server-options = \"check ssl\" }\n"
    "cell \"us0\" { region = \"us\" answers = 425 servers = {\"127.0.0.1:3\"} }\n"
    "cell \"eu1\" { answers = 421 servers = {\"127.0.0.1:4\"} server-options = \"weight 3\" }\n";

/* What the template prints for the site with more settings, in static memory. */
static const char *printed(const char *more, bool large, const char *template)
{
    static char out[2000];
    char text[2000];
    int length = snprintf(text, sizeof text, "%s%s", site, more);
    struct config *config = config_parse("test.conf", text, (size_t)length, stderr);
    assert_non_null(config);
    const struct template_text root = {"root", "root.cfg", template, strlen(template)};
    struct template_vocabulary vocabulary = haproxy_vocabulary;
    vocabulary.texts = &root;
    vocabulary.text_count = 1;
    struct haproxy_scope scope = haproxy_scope_of(config);
    scope.large = large;
    const struct template_meaning meaning = haproxy_meaning(&scope);
    struct template_error error;
    out[0] = 0;
    FILE *file = fmemopen(out, sizeof out, "w");
    assert_non_null(file);
    if (!template_print(&vocabulary, "root", &meaning, file, &error))
        fail_msg("%s", error.text);
    fclose(file);
    config_free(config);
    return out;
}

static void settings_stand_under_their_names(void **state)
{
    (void)state;
    assert_string_equal(printed("", false, "mode @haproxy.max-hops@ @haproxy.direct-hits@ @routes.hosts@\n"),
                        "mode 3 safe false\n");
    assert_string_equal(printed("haproxy { large-buffer = 8m }", false, "mode @haproxy.large-buffer@\n"),
                        "mode 8388608\n");
    assert_string_equal(
        printed("", false, "for each cell\nmode @cell.id@ @cell.name@ @cell.region@ @cell.answers@\nend\n"),
        "mode eu0 Cell EU0 eu 302\nmode us0 us0 us 425\nmode eu1 eu1 eu 421\n");
}

static void loops_choose_cells_and_servers(void **state)
{
    (void)state;
    assert_string_equal(printed("", false, "for each picked cell\nmode @cell.id@\nend\n"), "mode eu0\nmode eu1\n");
    assert_string_equal(printed("default-cell = \"us0\"\n", false, "for each picked cell\nmode @cell.id@\nend\n"),
                        "mode us0\n");
    assert_string_equal(printed("", false, "for each cell asked at once\nmode @cell.id@\nend\n"),
                        "mode us0\nmode eu1\n");
    assert_string_equal(
        printed("", false, "for each cell\nfor each server\nmode @server.name@ @server.address@\nend\nend\n"),
        "mode eu0.1 127.0.0.1:1\nmode eu0.2 127.0.0.1:2\nmode us0.1 127.0.0.1:3\nmode eu1.1 127.0.0.1:4\n");
}

/* The check stands once, in the cell's own backend. */
static void followers_track_the_check(void **state)
{
    (void)state;
    assert_string_equal(
        printed("", false, "for each cell\nfor each server\nmode x@server.follower-options@\nend\nend\n"),
        "mode x ssl track cellrouter-cell-eu0/eu0.1\nmode x ssl track cellrouter-cell-eu0/eu0.2\nmode x\n"
        "mode x weight 3\n");
}

static void conditions_follow_the_settings(void **state)
{
    static const char all[] = "if large\nmode large\nend\nif hosts\nmode hosts\nend\nif level0\nmode level0\nend\n"
                              "if tier\nmode tier\nend\nif hidden\nmode hidden\nend\nif retry-cells\nmode retry\nend\n"
                              "if first-at-once\nmode first\nend\n";
    static const char full[] = "routes { hosts = true }\nhidden { max = 100 }\n"
                               "haproxy { runtime = {\"unix:/tmp/h\"} large-address = \"abns@bodies\" }\n";
    (void)state;
    assert_string_equal(printed("", false, all), "mode tier\nmode retry\n");
    assert_string_equal(printed(full, false, all), "mode hosts\nmode level0\nmode tier\nmode hidden\nmode retry\n");
    assert_string_equal(printed("haproxy { direct-hits = never large-address = \"\" }\n", false, all), "");
    assert_string_equal(printed("default-cell = \"us0\"\n", false, all), "mode tier\nmode retry\nmode first\n");
    /* Of a cell with weights the servers are left to HAProxy's own choice. */
    assert_string_equal(printed("default-cell = \"eu1\"\n", false, all), "mode tier\nmode retry\n");
    const char *large = printed(full, true, all);
    assert_non_null(strstr(large, "mode large\n"));
    assert_null(strstr(large, "mode tier\n"));
    assert_null(strstr(large, "mode hidden\n"));
}

static void names_become_regular_expressions(void **state)
{
    (void)state;
    assert_string_equal(printed("haproxy { header-prefix = \"X-A-\" }\n", false, "mode @header-names@\n"),
                        "mode X[^a-z0-9]A[^a-z0-9]\n");
    assert_string_equal(printed("haproxy { upgrades = {\"websocket\", \"TLS/1.0\"} }\n", false, "mode @upgrades@\n"),
                        "mode websocket|TLS/1[.]0\n");
    assert_string_equal(printed("haproxy { upgrades = {} }\n", false, "mode @upgrades@\n"), "mode (?!)\n");
}

static void lists_become_words(void **state)
{
    static const char types[] = "if stream-types\nmode @stream-types@\nend\n";
    static const char paths[] = "if stream-paths\nmode @stream-paths@\nend\n";
    (void)state;
    assert_string_equal(printed("haproxy { stream-types = {\"a/b+\", \"c/d\"} }\n", false, types),
                        "mode \"a/b+\" \"c/d\"\n");
    assert_string_equal(printed("haproxy { stream-types = {} }\n", false, types), "");
    assert_string_equal(printed("", false, paths), "");
    assert_string_equal(printed("haproxy { stream-paths = {\"/in/#\"} }\n", true, paths), "mode \"/in/#\"\n");
}

static void the_build_checks_what_ships(void **state)
{
    struct template_error error = {""};
    (void)state;
    if (!template_check(&haproxy_vocabulary, haproxy_roots, HAPROXY_ROOTS, &error))
        fail_msg("%s", error.text);
    assert_false(template_check(&haproxy_vocabulary, haproxy_roots, 1, &error));
    assert_non_null(strstr(error.text, "nothing includes this text"));
}

/* How often a cell is looked at while the whole text for so many cells is printed. */
static double looks_a_cell(unsigned cells, bool large)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length), *nowhere = fopen("/dev/null", "w");
    struct template_error error = {""};
    assert_true(file && nowhere);
    fprintf(file, "region = \"eu\"\nhaproxy { large-address = \"unix@/tmp/b\" }\n");
    for (unsigned i = 0; i < cells; i++)
        fprintf(file, "cell \"c%u\" { servers = {\"10.0.%u.%u:80\"} answers = %d region = \"%s\" }\n", i, i / 250,
                i % 250, i % 3 ? 302 : 425, i % 2 ? "us" : "eu");
    fclose(file);
    struct config *config = config_parse("test.conf", text, length, stderr);
    assert_non_null(config);
    looks = 0;
    struct haproxy_scope scope = haproxy_scope_of(config);
    scope.large = large;
    const struct template_meaning meaning = haproxy_meaning(&scope);
    if (!template_print(&haproxy_vocabulary, large ? "large" : "router", &meaning, nowhere, &error))
        fail_msg("%s", error.text);
    fclose(nowhere);
    config_free(config);
    free(text);
    return (double)looks / cells;
}

static void as_many_looks_at_each_of_many_cells_as_of_few(void **state)
{
    (void)state;
    for (int large = 0; large <= 1; large++) {
        double few = looks_a_cell(500, large), many = looks_a_cell(4096, large);
        if (few < 1 || many > 1.1 * few)
            fail_msg("%.1f looks at each of 500 cells, %.1f at each of 4096", few, many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_stand_under_their_names),
        cmocka_unit_test(loops_choose_cells_and_servers),
        cmocka_unit_test(followers_track_the_check),
        cmocka_unit_test(conditions_follow_the_settings),
        cmocka_unit_test(names_become_regular_expressions),
        cmocka_unit_test(lists_become_words),
        cmocka_unit_test(the_build_checks_what_ships),
        cmocka_unit_test(as_many_looks_at_each_of_many_cells_as_of_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
