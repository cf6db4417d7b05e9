/* agent/http/history.c - a ring of differences; the newest stands before next. */
#include "agent/http/history.h"

void history_take(struct history *history, const uint64_t *counters, size_t count, uint64_t now_ms)
{
    if (history->taken_ms != 0 && now_ms - history->taken_ms < HISTORY_EVERY_MS)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t grown = counters[i] > history->last[i] ? counters[i] - history->last[i] : 0;
        history->deltas[i][history->next] = grown > UINT32_MAX ? UINT32_MAX : (uint32_t)grown;
        history->last[i] = counters[i];
    }
    /* The first sample has nothing to differ from. */
    if (history->taken_ms != 0) {
        history->next = (history->next + 1) % HISTORY_SAMPLES;
        history->count += history->count < HISTORY_SAMPLES;
    }
    history->taken_ms = now_ms;
}

uint32_t history_delta(const struct history *history, size_t series, size_t age)
{
    return history->deltas[series][(history->next + HISTORY_SAMPLES - 1 - age) % HISTORY_SAMPLES];
}

uint64_t history_sum(const struct history *history, size_t series, size_t samples)
{
    uint64_t sum = 0;
    for (size_t age = 0; age < samples && age < history->count; age++)
        sum += history_delta(history, series, age);
    return sum;
}
