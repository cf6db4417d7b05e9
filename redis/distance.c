/* redis/distance.c - the shortest round trip of two windows of time, and two rows. */
#include "redis/distance.h"

enum {
    WINDOW_MS = 10000,
    BEYOND_MS = 3000, /* longer than the watchdog lets one pause last */
    BEYOND_REPLIES = 16,
    WITHIN_REPLIES = 8
};

void distance_saw(struct distance *distance, uint32_t took_ms, uint64_t now_ms)
{
    if (now_ms - distance->window_ms >= WINDOW_MS) {
        bool next = now_ms - distance->window_ms < 2 * (uint64_t)WINDOW_MS;

        distance->nearest_ms[1] = next ? distance->nearest_ms[0] : 0;
        distance->nearest_ms[0] = 0;
        distance->window_ms = now_ms;
    }
    if (distance->nearest_ms[0] == 0 || took_ms < distance->nearest_ms[0] - 1)
        distance->nearest_ms[0] = took_ms + 1;
}

bool distance_judge(struct distance *distance, uint32_t took_ms, uint32_t deadline_ms, uint64_t now_ms)
{
    bool before = distance->beyond;

    if (took_ms < deadline_ms) {
        distance->late = 0;
        distance->in_time++;
        if (distance->in_time >= WITHIN_REPLIES)
            distance->beyond = false;
    } else {
        if (distance->late++ == 0)
            distance->late_since_ms = now_ms;
        distance->in_time = 0;
        if (distance->late >= BEYOND_REPLIES && now_ms - distance->late_since_ms >= BEYOND_MS)
            distance->beyond = true;
    }
    return distance->beyond != before;
}

uint32_t distance_nearest_ms(const struct distance *distance)
{
    uint32_t now = distance->nearest_ms[0], last = distance->nearest_ms[1];
    uint32_t nearest = now == 0 || (last != 0 && last < now) ? last : now;

    return nearest == 0 ? 0 : nearest - 1;
}
