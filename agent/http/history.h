/* agent/http/history.h - the last minutes of a few counters, for small plots: a ring of samples. Pure. */
#ifndef CELLROUTER_AGENT_HTTP_HISTORY_H
#define CELLROUTER_AGENT_HTTP_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTORY_SAMPLES = 120,   /* differences that are kept */
    HISTORY_EVERY_MS = 5000, /* between samples: ten minutes in all */
    HISTORY_SERIES_MAX = 8,
};

/* An open value; {0} is empty. */
struct history {
    uint64_t last[HISTORY_SERIES_MAX];                    /* the counters at the last sample */
    uint32_t deltas[HISTORY_SERIES_MAX][HISTORY_SAMPLES]; /* what they grew by, in a ring */
    uint64_t taken_ms;                                    /* of the last sample; 0: none yet */
    size_t count;                                         /* of differences, HISTORY_SAMPLES at most */
    size_t next;                                          /* place of the next one */
};

/* Takes a sample of count counters, at most HISTORY_SERIES_MAX, when HISTORY_EVERY_MS have gone by since the last
 * one. A counter that went back (there is none) counts as still. */
void history_take(struct history *history, const uint64_t *counters, size_t count, uint64_t now_ms);

/* The difference of age 0 (the newest) to count - 1. */
uint32_t history_delta(const struct history *history, size_t series, size_t age);

/* The sum of the newest samples, at most count of them. */
uint64_t history_sum(const struct history *history, size_t series, size_t samples);

#endif
