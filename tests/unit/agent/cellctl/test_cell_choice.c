/* tests/unit/agent/cellctl/test_cell_choice.c - which cells are picked, limited, and asked without the replay pass. */
#include "agent/cellctl/cell_choice.h"

#include "tests/unit/agent/config/config_help.h"

static struct config *config_of(const char *cells)
{
    char text[600];
    snprintf(text, sizeof text, "region = eu\n%s", cells);
    struct config *config = parse(text);
    if (!config)
        fail_msg("%s", said);
    return config;
}

static void questions_and_their_answers(void **state)
{
    (void)state;
    static const struct {
        const char *cells;
        size_t servers;
        bool limited, alike, retried, retried_421, first, first_421;
    } cases[] = {
        {"cell a { servers = {\"h:1\", \"h:2\"} } cell b { region = us servers = {\"h:3\"} }", 2, false, true, false,
         false, false, false},
        {"default-cell = b\ncell a { servers = {\"h:1\", \"h:2\"} } cell b { region = us servers = {\"h:3\"} }", 1,
         false, true, false, false, false, false},
        {"cell a { servers = {\"h:1\"} answers = 425 }", 1, false, true, true, true, true, true},
        {"cell a { servers = {\"h:1\"} answers = 421 }", 1, false, true, false, true, false, true},
        {"cell a { servers = {\"h:1\"} answers = 425 } cell b { servers = {\"h:2\"} }", 2, false, true, true, true,
         false, false},
        {"cell a { servers = {\"h:1\"} answers = 425 server-options = \"weight 5\" }", 1, false, false, true, true,
         false, false},
        {"cell a { servers = {\"h:1\"} answers = 425 server-options = \"check maxconn 5\" }", 1, true, false, false,
         false, false, false},
        {"cell a { servers = {\"h:1\"} } cell b { region = us servers = {\"h:2\"} server-options = \"maxconn 5\" }", 1,
         false, true, false, false, false, false},
        {"haproxy { direct-hits = never } cell a { servers = {\"h:1\"} answers = 425 }", 1, false, true, false, false,
         false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *config = config_of(cases[i].cells);
        assert_int_equal(cells_picked_servers(config), cases[i].servers);
        assert_int_equal(cells_limited_picks(config), cases[i].limited);
        assert_int_equal(cells_picked_alike(config), cases[i].alike);
        assert_int_equal(cells_any_retried(config, false), cases[i].retried);
        assert_int_equal(cells_any_retried(config, true), cases[i].retried_421);
        assert_int_equal(cells_first_at_once(config, false), cases[i].first);
        assert_int_equal(cells_first_at_once(config, true), cases[i].first_421);
        config_free(config);
    }
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions_and_their_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
