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

enum text { EDGE, LARGE, CLASSES };

/* To be freed; NULL: it was refused. class: of LARGE. */
static char *printed_class(const char *more, enum text which, const char *class)
{
    struct config *config = parse(more);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    int outcome = 0;
    if (which == CLASSES)
        haproxy_config_print_classes(out, config);
    else
        outcome = which == LARGE ? haproxy_config_print_large(out, config, class) : haproxy_config_print(out, config);
    assert_int_equal(fclose(out), 0);
    config_free(config);
    if (outcome == 0)
        return text;
    assert_int_equal(outcome, -1);
    free(text);
    return NULL;
}

static char *printed(const char *more, enum text which)
{
    return printed_class(more, which, NULL);
}

static void each_program_has_its_own_text(void **state)
{
    static const char tier[] = "haproxy { large-buffer = 4m large-requests = 3 }\n";
    (void)state;
    char *router = printed(tier, EDGE), *large = printed(tier, LARGE);
    assert_non_null(strstr(router, "\ndefaults cellrouter-edge\n"));
    assert_null(strstr(router, "\nfrontend cellrouter-large "));
    assert_null(strstr(large, "\ndefaults cellrouter-edge\n"));
    assert_non_null(strstr(large, "\nfrontend cellrouter-large "));
    assert_null(strstr(large, "spop-check")); /* HAProxy 2.6 keeps a whole buffer on its stack to read that */
    /* As before there were classes. */
    assert_non_null(strstr(large, "\n    tune.bufsize 4194304\n"));
    assert_non_null(strstr(large, "\n    maxconn 6\n"));
    assert_non_null(strstr(large, "    bind unix@/run/cellrouter-large/bodies.sock mode 660\n"));
    assert_non_null(strstr(large, "    bind unix@/run/haproxy/cellrouter.sock-large mode 660\n"));
    assert_non_null(strstr(router, "    server cellrouter-large unix@/run/cellrouter-large/bodies.sock weight 0"));
    free(router);
    free(large);
}

static void each_class_has_its_own_text(void **state)
{
    static const char tier[] = "haproxy { large-classes = {\"64k:9\", \"1m\"} large-requests = 3 }\n";
    (void)state;
    char *router = printed(tier, EDGE), *small = printed_class(tier, LARGE, "64k"),
         *large = printed_class(tier, LARGE, "1m"), *names = printed(tier, CLASSES);
    assert_non_null(strstr(router, "server cellrouter-large-64k unix@/run/cellrouter-large/bodies.sock-64k weight 0 "
                                   "maxconn 9 "));
    assert_non_null(strstr(router, "server cellrouter-large-1m unix@/run/cellrouter-large/bodies.sock-1m weight 0 "
                                   "maxconn 3 "));
    assert_non_null(strstr(router, "server process-1m unix@/run/cellrouter-large/bodies.sock-1m-check "));
    /* Half of 3000 clients may wait, in two classes. */
    assert_non_null(strstr(router, "srv_queue(cellrouter-replay/cellrouter-large-64k) ge 750 "));
    assert_non_null(strstr(small, "\n    tune.bufsize 131072\n"));
    assert_non_null(strstr(small, "\n    maxconn 18\n"));
    assert_non_null(strstr(small, "\n    bind unix@/run/cellrouter-large/bodies.sock-64k mode 660\n"));
    assert_non_null(strstr(small, "\n    bind unix@/run/haproxy/cellrouter.sock-large-64k mode 660\n"));
    assert_non_null(strstr(large, "\n    tune.bufsize 1114112\n"));
    assert_non_null(strstr(large, "1088 KiB each: 16 MiB\n"));
    assert_non_null(strstr(large, "\n    tune.memory.hot-size 16711680\n"));
    assert_string_equal(names, "64k\n1m\n");
    free(router);
    free(small);
    free(large);
    free(names);
}

/* The PROXY header between the passes costs as much as a pass. */
static void the_clients_connection_is_told_where_somebody_asks(void **state)
{
    static const char *const none[] = {"", "cell e { servers = {\"a:1\"} server-options = \"check\" }\n"},
                             *const some[] = {
                                 "cell e { servers = {\"a:1\"} server-options = \"send-proxy-v2\" }\n",
                                 "cell e { servers = {\"a:1\"} server-options = \"ssl verify none sni ssl_fc_sni\" }\n",
                                 "cell e { servers = {\"a:1\"} server-options = \"source 0.0.0.0 usesrc clientip\" }\n",
                                 "cell e { servers = {\"a:1\"} backend-lines = {\"balance source\"} }\n",
                                 "haproxy { backend-lines = {\"balance source\"} }\n",
                             };
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        char *edge = printed(i < 2 ? none[i] : some[i - 2], EDGE),
             *class = printed_class(i < 2 ? none[i] : some[i - 2], LARGE, "1m");
        assert_int_equal(!!strstr(edge, "cellrouter.sock send-proxy-v2 "), i >= 2);
        assert_int_equal(!!strstr(edge, " pool-max-conn 16 send-proxy-v2 "), i >= 2);
        assert_int_equal(!!strstr(edge, "cellrouter.sock accept-proxy "), i >= 2);
        assert_int_equal(!!strstr(class, "bodies.sock-1m accept-proxy "), i >= 2);
        assert_int_equal(!!strstr(class, "set-src "), i < 2);
        free(edge);
        free(class);
    }
}

static void a_class_must_be_named_and_there(void **state)
{
    (void)state;
    assert_null(printed("", LARGE));
    assert_null(printed_class("", LARGE, "2m"));
    assert_null(printed_class("haproxy { large-buffer = 4m }\n", LARGE, "4m"));
    char *only = printed("haproxy { large-classes = {\"1m\"} }\n", LARGE),
         *none = printed("haproxy { large-buffer = 4m }\n", CLASSES);
    assert_non_null(only);
    assert_string_equal(none, "");
    free(only);
    free(none);
}

static void without_a_tier_there_is_no_text_for_it(void **state)
{
    (void)state;
    static const char none[] = "haproxy { large-address = \"\" }\n";
    assert_null(printed(none, LARGE));
    assert_null(printed_class(none, LARGE, "64k"));
    char *router = printed(none, EDGE), *names = printed(none, CLASSES);
    assert_null(strstr(router, "cellrouter-large-check"));
    assert_string_equal(names, "");
    free(router);
    free(names);
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
        char *text = printed(sites[i], EDGE);
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
        cmocka_unit_test(each_class_has_its_own_text),
        cmocka_unit_test(the_clients_connection_is_told_where_somebody_asks),
        cmocka_unit_test(a_class_must_be_named_and_there),
        cmocka_unit_test(without_a_tier_there_is_no_text_for_it),
        cmocka_unit_test(every_value_was_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
