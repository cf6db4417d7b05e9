/* redis/distance.h - how far away Redis is, judged by its replies: how many writes may be on their way, and whether it
 * is of any use to wait for it. Pure. */
#ifndef CELLROUTER_REDIS_DISTANCE_H
#define CELLROUTER_REDIS_DISTANCE_H

#include <stdbool.h>
#include <stdint.h>

/* An open value; {0} has seen nothing. */
struct distance {
    uint32_t nearest_ms[2]; /* the shortest round trip of this window and of the one before, plus one; 0: none */
    uint64_t window_ms;     /* begin of this window */
    uint64_t late_since_ms; /* begin of the row */
    uint32_t late, in_time; /* replies in a row; one of the two is 0 */
    bool beyond;            /* every reply comes after the deadline, for seconds now */
};

/* A reply came after took_ms. */
void distance_saw(struct distance *distance, uint32_t took_ms, uint64_t now_ms);

/* A reply that somebody would have waited for came after took_ms. True: `beyond` is another one now. It begins with a
 * row of late replies that lasts for seconds, so that a Redis that was busy once is not meant, and ends with a few in
 * time. */
bool distance_judge(struct distance *distance, uint32_t took_ms, uint32_t deadline_ms, uint64_t now_ms);

/* The shortest round trip of the last 10 to 20 seconds; 0: none was seen. The shortest, because a Redis that has too
 * much to do is not further away. */
uint32_t distance_nearest_ms(const struct distance *distance);

#endif
