/* base/rng.h - a small seeded generator for jitter, eviction and hash seeds. Not for secrets.
 * Source: SplitMix64, Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
#ifndef CELLROUTER_BASE_RNG_H
#define CELLROUTER_BASE_RNG_H

#include <stdint.h>

/* An open value: copy it, embed it. Any state is valid; the same state gives the same numbers. */
struct rng {
    uint64_t state;
};

/* The next 64 bits, evenly distributed. */
uint64_t rng_next(struct rng *rng);

/* A number in [0, bound). Returns 0 when bound is 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* value, moved by at most percent per cent up or down; percent above 100 counts as 100. */
uint64_t rng_jitter(struct rng *rng, uint64_t value, unsigned percent);

#endif
