/* redis/pace.c - backoff and bucket, in whole numbers. */
#include "redis/pace.h"

static const uint64_t TOKEN = 1000000;

uint64_t backoff_next(struct backoff *backoff, struct rng *rng)
{
    uint32_t now = backoff->next_ms < backoff->min_ms ? backoff->min_ms : backoff->next_ms;
    uint64_t doubled = (uint64_t)now * 2, pause;

    backoff->next_ms = doubled > backoff->max_ms ? backoff->max_ms : (uint32_t)doubled;
    pause = rng_jitter(rng, now, 50);
    return pause == 0 ? 1 : pause;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = 0;
}

static uint64_t most(const struct bucket *bucket)
{
    uint64_t tenth = (uint64_t)bucket->per_s * (TOKEN / 10);

    return tenth < TOKEN ? TOKEN : tenth;
}

static void refill(struct bucket *bucket, uint64_t now_ms)
{
    uint64_t past = now_ms > bucket->seen_ms ? now_ms - bucket->seen_ms : 0;
    uint64_t room = most(bucket) - bucket->micro_tokens;
    uint64_t rate = (uint64_t)bucket->per_s * (TOKEN / 1000); /* a millisecond */

    bucket->seen_ms = now_ms;
    if (rate != 0)
        bucket->micro_tokens += past > room / rate ? room : past * rate;
}

bool bucket_take(struct bucket *bucket, uint64_t now_ms)
{
    refill(bucket, now_ms);
    if (bucket->micro_tokens < TOKEN)
        return false;
    bucket->micro_tokens -= TOKEN;
    return true;
}

uint64_t bucket_wait_ms(struct bucket *bucket, uint64_t now_ms)
{
    uint64_t rate = (uint64_t)bucket->per_s * (TOKEN / 1000);

    refill(bucket, now_ms);
    if (bucket->micro_tokens >= TOKEN)
        return 0;
    return rate == 0 ? UINT64_MAX : (TOKEN - bucket->micro_tokens + rate - 1) / rate;
}
