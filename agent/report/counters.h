/* agent/report/counters.h - what the agent counts. The names are agent/report/counters.def and the tables of reasons of
 * the other rooms, a counter for each row: a new reason is counted without another line. Plain numbers of one thread;
 * whoever prints them fills in the gauges first. */
#ifndef CELLROUTER_AGENT_REPORT_COUNTERS_H
#define CELLROUTER_AGENT_REPORT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/routes/directive.h"
#include "agent/routes/path.h"

enum counter {
#define COUNTER(id, family, labels, text) COUNTER_##id,
#define GAUGE(id, family, labels, text) COUNTER_##id,
#include "agent/report/counters.def"
#define STORE_COUNTER(field, text) COUNTER_STORE_##field,
#define STORE_GAUGE(field, text) COUNTER_STORE_##field,
#include "redis/counters.def"
#undef STORE_COUNTER
#undef STORE_GAUGE
#define STORE_REASON(id, level, text) COUNTER_STORE_REASON_##id,
#include "redis/reasons.def"
#undef STORE_REASON
#define ROUTE_RECORD(id, text) COUNTER_RECORD_##id,
#include "redis/record_states.def"
#undef ROUTE_RECORD
#define SPOE_CLOSE(id, name, level, status, text) COUNTER_SPOE_CLOSE_##id,
#include "spoe/close.def"
#undef SPOE_CLOSE
#define LEARN(id, kind, text) COUNTER_LEARN_##id,
#include "agent/routes/learning.def"
#undef LEARN
#define PATH_VERDICT(id, text) COUNTER_PATH_##id,
    PATH_VERDICTS(PATH_VERDICT)
#undef PATH_VERDICT
#define DIRECTIVE_OUTCOME(id, text) COUNTER_DIRECTIVE_##id,
        DIRECTIVE_OUTCOMES(DIRECTIVE_OUTCOME)
#undef DIRECTIVE_OUTCOME
            COUNTER_COUNT
};

struct counters {
    uint64_t values[COUNTER_COUNT];
};

static inline void counter_add(struct counters *counters, enum counter counter, uint64_t n)
{
    counters->values[counter] += n;
}

static inline void counter_set(struct counters *counters, enum counter counter, uint64_t value)
{
    counters->values[counter] = value;
}

/* The name as `show counters` prints it: "lookup_misses", "store_reason_lost". */
void counter_name(enum counter counter, char *out, size_t size);

/* One "name value" line each, in the order of the tables. */
void counters_print(const struct counters *counters, FILE *out);

/* In the text format of Prometheus, version 0.0.4: HELP, TYPE and all rows of each family. */
void counters_print_metrics(const struct counters *counters, FILE *out);

#endif
