/* redis/pace.h - how fast and how often: pauses that grow with jitter, and a bucket of tokens. Pure. */
#ifndef CELLROUTER_REDIS_PACE_H
#define CELLROUTER_REDIS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/rng.h"

/* Open values. next_ms = 0: at the start. */
struct backoff {
    uint32_t min_ms, max_ms;
    uint32_t next_ms;
};

/* The next pause: min at first, then doubled up to max, each moved by up to half up or down, so that routers that lost
 * Redis together do not come back together. At least 1. */
uint64_t backoff_next(struct backoff *backoff, struct rng *rng);
void backoff_reset(struct backoff *backoff);

/* per_s tokens a second, at most a tenth of a second's (and at least one) saved up. */
struct bucket {
    uint32_t per_s;
    uint64_t micro_tokens; /* millionths of a token */
    uint64_t seen_ms;
};

/* Takes one token; false: there is none. per_s = 0 never has one. */
MUST_USE bool bucket_take(struct bucket *bucket, uint64_t now_ms);

/* Milliseconds until there is a token; UINT64_MAX where there never will be. */
uint64_t bucket_wait_ms(struct bucket *bucket, uint64_t now_ms);

#endif
