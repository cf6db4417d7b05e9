/* agent/level0/limits_reader.h - asks each HAProxy process of haproxy.runtime for its limits, at the start and every
 * ten seconds, and tells what does not fit the rules (agent/level0/haproxy_limits.h). It needs no level 0, and no more
 * than `level user`. On the loop; nothing waits for it. */
#ifndef CELLROUTER_AGENT_LEVEL0_LIMITS_READER_H
#define CELLROUTER_AGENT_LEVEL0_LIMITS_READER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/config/config.h"
#include "agent/report/counters.h"
#include "agent/report/log.h"
#include "base/attributes.h"

struct ev_loop;
struct limits_reader;

struct limits_reader_options {
    const struct config_haproxy *config; /* of the start; must live as long as the reader, like the rest */
    struct counters *counters;
    struct log *log;
};

/* NULL: out of memory. */
MUST_USE struct limits_reader *limits_reader_new(struct ev_loop *loop, const struct limits_reader_options *options);

/* NULL is allowed. */
void limits_reader_free(struct limits_reader *reader);

/* A block of lines for each process: its limits, and what is wrong with them and would be right. NULL is allowed: there
 * is no haproxy.runtime. */
void limits_reader_print(const struct limits_reader *reader, FILE *out);

/* Asks all processes now, so that the next output is of this moment. NULL is allowed. */
void limits_reader_hurry(struct limits_reader *reader);

/* One sentence about the first thing that is wrong; "": nothing is, as far as is known. reader may be NULL. */
void limits_reader_complain(const struct limits_reader *reader, char *out, size_t size);

/* Brings the gauges up to date, before somebody reads them. NULL is allowed. */
void limits_reader_sample(const struct limits_reader *reader);

#endif
