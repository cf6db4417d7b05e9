/* base/rng.c - SplitMix64: one multiplication chain for each number, and no state but a counter. */
#include "base/rng.h"

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    /* The bias of a plain modulo is below 2^-32 for every bound used here; jitter does not mind. */
    return bound == 0 ? 0 : rng_next(rng) % bound;
}

uint64_t rng_jitter(struct rng *rng, uint64_t value, unsigned percent)
{
    uint64_t share = percent > 100 ? 100 : percent;
    uint64_t span = value / 100 * share + value % 100 * share / 100;

    return value - span + rng_below(rng, span + span + 1);
}
