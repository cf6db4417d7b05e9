/* agent/report/counters.c - the names of the counters, and both ways of printing them. */
#include "agent/report/counters.h"

#include <inttypes.h>
#include <string.h>

/* One row a counter. A row of another room's table of reasons has a label key instead of labels: its value is the
 * name. */
struct row {
    const char *prefix; /* of the name: "" or "store_reason_" */
    const char *name;   /* as in the table; printed in small letters */
    const char *family;
    const char *labels, *label_key;
    const char *text;
    bool is_gauge;
};

static const struct row rows[COUNTER_COUNT] = {
#define COUNTER(id, family, labels, text) [COUNTER_##id] = {"", #id, family, labels, NULL, text, false},
#define GAUGE(id, family, labels, text) [COUNTER_##id] = {"", #id, family, labels, NULL, text, true},
#include "agent/report/counters.def"
#define STORE_COUNTER(field, text) \
    [COUNTER_STORE_##field] = {"store_", #field, "store_" #field "_total", "", NULL, text, false},
#define STORE_GAUGE(field, text) [COUNTER_STORE_##field] = {"store_", #field, "store_" #field, "", NULL, text, true},
#include "redis/counters.def"
#undef STORE_COUNTER
#undef STORE_GAUGE
#define STORE_REASON(id, level, text) \
    [COUNTER_STORE_REASON_## \
        id] = {"store_reason_", #id, "store_reasons_total", "", "reason", "what the store met, by reason", false},
#include "redis/reasons.def"
#undef STORE_REASON
#define ROUTE_RECORD(id, text) \
    [COUNTER_RECORD_##id] = { \
        "store_record_", #id, "store_records_total", "", "state", "values read from Redis by what they were", false},
#include "redis/record_states.def"
#undef ROUTE_RECORD
#define SPOE_CLOSE(id, name, level, status, text) \
    [COUNTER_SPOE_CLOSE_## \
        id] = {"spoe_close_", name, "spoe_closes_total", "", "reason", "ends of SPOE connections by reason", false},
#include "spoe/close.def"
#undef SPOE_CLOSE
#define LEARN(id, kind, text) \
    [COUNTER_LEARN_##id] = { \
        "learn_", #id, "learn_verdicts_total", "", "verdict", "what became of responses to be learned from", false},
#include "agent/routes/learning.def"
#undef LEARN
#define PATH_VERDICT(id, text) \
    [COUNTER_PATH_##id] = {"path_", #id, "paths_total", "", "verdict", "paths looked up by what they were", false},
    PATH_VERDICTS(PATH_VERDICT)
#undef PATH_VERDICT
#define DIRECTIVE_OUTCOME(id, text) \
    [COUNTER_DIRECTIVE_## \
        id] = {"directive_", #id, "directives_total", "", "outcome", "cache directives by how they parsed", false},
        DIRECTIVE_OUTCOMES(DIRECTIVE_OUTCOME)
#undef DIRECTIVE_OUTCOME
};

static void put_small(char *out, size_t size, const char *name)
{
    size_t i = 0;
    for (; name[i] && i + 1 < size; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    out[i] = '\0';
}

void counter_name(enum counter counter, char *out, size_t size)
{
    int n = snprintf(out, size, "%s", rows[counter].prefix);
    if (n >= 0 && (size_t)n < size)
        put_small(out + n, size - (size_t)n, rows[counter].name);
}

void counters_print(const struct counters *counters, FILE *out)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        char name[80];
        counter_name((enum counter)i, name, sizeof name);
        fprintf(out, "%s %" PRIu64 "\n", name, counters->values[i]);
    }
}

static bool same_family(int a, int b)
{
    return strcmp(rows[a].family, rows[b].family) == 0;
}

void counters_print_metrics(const struct counters *counters, FILE *out)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const struct row *row = &rows[i];
        char value[64];
        put_small(value, sizeof value, row->name);
        if (i == 0 || !same_family(i, i - 1))
            fprintf(out, "# HELP cellrouter_%s %s\n# TYPE cellrouter_%s %s\n", row->family, row->text, row->family,
                    row->is_gauge ? "gauge" : "counter");
        fprintf(out, "cellrouter_%s", row->family);
        if (row->label_key)
            fprintf(out, "{%s=\"%s\"}", row->label_key, value);
        else if (row->labels[0])
            fprintf(out, "{%s}", row->labels);
        fprintf(out, " %" PRIu64 "\n", counters->values[i]);
    }
}
