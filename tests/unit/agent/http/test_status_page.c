/* tests/unit/agent/http/test_status_page.c - mirrors agent/http/status_page.c. */
#include "agent/http/status_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct counters counters;
static struct history history;

static const struct status_cell cells[] = {
    {"eu0", "Cell EU0", "eu", 302, 2, 1234},
    {"eu1", "<script>alert(\"1\")</script>", "eu", 425, 1, 0},
};

static struct status_view view(void)
{
    return (struct status_view){.version = "1.2.3",
                                .router = "router & co",
                                .region = "eu",
                                .file = "/etc/cellrouter/cellrouter.conf",
                                .limits = "",
                                .counters = &counters,
                                .history = &history,
                                .cells = cells,
                                .cell_count = 2,
                                .asked = "",
                                .explanation = ""};
}

/* To be freed. */
static char *page(const struct status_view *seen)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    status_page_print(seen, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void says(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("the page does not say \"%s\":\n%s", what, text);
}

static void says_not(const char *text, const char *what)
{
    if (strstr(text, what))
        fail_msg("the page says \"%s\":\n%s", what, text);
}

static void it_says_who_it_is_and_how_it_is(void **state)
{
    (void)state;
    counters.values[COUNTER_UPTIME_SECONDS] = 86400 + 3723;
    struct status_view seen = view();
    char *text = page(&seen);
    says(text, "<title>router &amp; co - cell router</title>");
    says(text, "serving");
    says(text, "up 1 d 01:02:03");
    says(text, "none configured");
    says(text, "http-equiv=\"refresh\"");
    free(text);
    seen.draining = true;
    text = page(&seen);
    says(text, "draining");
    free(text);
}

static void wrong_limits_of_haproxy_are_told(void **state)
{
    (void)state;
    struct status_view seen = view();
    char *text = page(&seen);
    says_not(text, "HAProxy's limits"); /* nobody asked */
    free(text);
    counters.values[COUNTER_HAPROXY_PROCESSES] = 1;
    text = page(&seen);
    says(text, "<td>HAProxy's limits</td><td class=\"good\">as the rules need them</td>");
    free(text);
    seen.limits = "unix:/<a>: maxconn is 1";
    text = page(&seen);
    says(text, "<td class=\"bad\">unix:/&lt;a&gt;: maxconn is 1</td>");
    free(text);
}

static void cells_stand_in_a_table(void **state)
{
    (void)state;
    const struct status_view seen = view();
    char *text = page(&seen);
    says(text, "<td>eu0</td><td>Cell EU0</td><td>eu</td><td class=\"n\">302</td><td class=\"n\">2</td>"
               "<td class=\"n\">1234</td>");
    free(text);
}

static void nothing_of_a_text_becomes_html(void **state)
{
    (void)state;
    struct status_view seen = view();
    seen.asked = "/\"><script>x</script>\x01";
    seen.explanation = "<b>&\n";
    char *text = page(&seen);
    says_not(text, "<script");
    says_not(text, "<b>");
    says_not(text, "\x01");
    says(text, "value=\"/&quot;&gt;&lt;script&gt;x&lt;/script&gt;?\"");
    says(text, "<pre>&lt;b&gt;&amp;\n</pre>");
    says_not(text, "http-equiv=\"refresh\"");
    free(text);
}

static void rates_and_plots_follow_the_history(void **state)
{
    (void)state;
    memset(&history, 0, sizeof history);
    uint64_t series[STATUS_SERIES];
    for (unsigned i = 0; i <= 12; i++) {
        counters.values[COUNTER_LOOKUP_HITS_LEVEL1] = i * 50;
        status_series(&counters, series);
        history_take(&history, series, STATUS_SERIES, 1000 + (uint64_t)i * HISTORY_EVERY_MS);
    }
    const struct status_view seen = view();
    char *text = page(&seen);
    says(text, "known in memory (level 1)</td><td class=\"n\">600</td><td class=\"n\">10.0/s</td>");
    says(text, "<polyline points=\"217,2 ");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_who_it_is_and_how_it_is),
        cmocka_unit_test(wrong_limits_of_haproxy_are_told),
        cmocka_unit_test(cells_stand_in_a_table),
        cmocka_unit_test(nothing_of_a_text_becomes_html),
        cmocka_unit_test(rates_and_plots_follow_the_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
