/* tests/unit/agent/cellctl/test_haproxy_config.c - mirrors agent/cellctl/haproxy_config.c: which of the two texts is
 * printed, and that what the build's check took can be printed of any site. */
#include "agent/cellctl/haproxy_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config *parse(const char *more)
{
    static const char site[] = "region = \"eu\"\nrouter = \"r1\"\n"
                               "cell \"eu0\" { servers = {\"127.0.0.1:1\"} }\n";
    char text[2000];
    int length = snprintf(text, sizeof text, "%s%s", site, more);
    struct config *config = config_parse("test.conf", text, (size_t)length, stderr);
    assert_non_null(config);
    return config;
}

/* To be freed; NULL: it was refused. */
static char *printed(const char *more, bool large)
{
    struct config *config = parse(more);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    int outcome = haproxy_config_print(out, config, large);
    assert_int_equal(fclose(out), 0);
    config_free(config);
    if (outcome == 0)
        return text;
    assert_int_equal(outcome, -1);
    free(text);
    return NULL;
}

static void each_program_has_its_own_text(void **state)
{
    static const char tier[] = "haproxy { large-address = \"unix@/tmp/large.sock\" }\n";
    (void)state;
    char *router = printed(tier, false), *large = printed(tier, true);
    assert_non_null(strstr(router, "\ndefaults cellrouter-edge\n"));
    assert_null(strstr(router, "\nfrontend cellrouter-large "));
    assert_null(strstr(large, "\ndefaults cellrouter-edge\n"));
    assert_non_null(strstr(large, "\nfrontend cellrouter-large "));
    assert_null(strstr(large, "spop-check")); /* HAProxy 2.6 keeps a whole buffer on its stack to read that */
    free(router);
    free(large);
}

static void without_a_tier_there_is_no_text_for_it(void **state)
{
    (void)state;
    assert_null(printed("", true));
    free(printed("", false));
}

static void every_value_was_put_in(void **state)
{
    static const char *const sites[] = {
        "",
        "haproxy { direct-hits = all }\n",
        "haproxy { runtime = {\"unix:/tmp/h.sock\"} large-address = \"abns@bodies\" }\nhidden { max = 500 }\n",
        "cell \"eu1\" { answers = 425 servers = {\"127.0.0.1:2\", \"127.0.0.1:3\"} server-options = \"check\" }\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        char *text = printed(sites[i], false);
        assert_non_null(text);
        for (const char *at = text; (at = strchr(at, '@')); at++)
            if (at == text || !strchr("sx", at[-1])) /* abns@, unix@ */
                fail_msg("an @ is left: %.60s", at);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_program_has_its_own_text),
        cmocka_unit_test(without_a_tier_there_is_no_text_for_it),
        cmocka_unit_test(every_value_was_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
