/* tests/unit/agent/report/test_counters.c - every counter has a name of its own, and the metrics are what Prometheus
 * reads. */
#include "agent/report/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(void (*print)(const struct counters *, FILE *), const struct counters *counters)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(counters, out);
    fclose(out);
    return text;
}

static void names_are_unique_small_and_complete(void **state)
{
    (void)state;
    char names[COUNTER_COUNT][80];
    for (int i = 0; i < COUNTER_COUNT; i++) {
        counter_name((enum counter)i, names[i], sizeof names[i]);
        if (strspn(names[i], "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(names[i]) || strlen(names[i]) < 3)
            fail_msg("counter %d has the name \"%s\"", i, names[i]);
        for (int j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                fail_msg("counters %d and %d are both called %s", j, i, names[i]);
    }
}

static void values_are_printed_beside_their_names(void **state)
{
    (void)state;
    struct counters counters = {0};
    counter_add(&counters, COUNTER_LOOKUP_MISSES, 2);
    counter_add(&counters, COUNTER_LOOKUP_MISSES, 3);
    counter_set(&counters, COUNTER_SPOE_CONNECTIONS, UINT64_MAX);
    char *text = printed(counters_print, &counters);
    assert_non_null(strstr(text, "\nlookup_misses 5\n"));
    assert_non_null(strstr(text, "\nspoe_connections 18446744073709551615\n"));
    assert_non_null(strstr(text, "\nstore_reason_wrongpass 0\n"));
    free(text);
}

/* The format wants all rows of a family together, after its one HELP and its one TYPE. */
static void metrics_have_each_family_once(void **state)
{
    (void)state;
    struct counters counters = {0};
    counter_add(&counters, COUNTER_LOOKUP_HITS_LEVEL2, 7);
    char *text = printed(counters_print_metrics, &counters);
    assert_non_null(strstr(text, "\ncellrouter_lookups_total{answer=\"level2\"} 7\n"));
    assert_non_null(strstr(text, "\ncellrouter_store_reasons_total{reason=\"lost\"} 0\n"));
    assert_non_null(strstr(text, "\n# TYPE cellrouter_routes gauge\n"));
    for (char *type = text; (type = strstr(type, "# TYPE ")); type++) {
        char line[120];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(type, "\n"), type);
        char *space = strrchr(line, ' ');
        space[1] = '\0';
        if (strstr(type + 1, line))
            fail_msg("%s stands there twice", line);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_small_and_complete),
        cmocka_unit_test(values_are_printed_beside_their_names),
        cmocka_unit_test(metrics_have_each_family_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
