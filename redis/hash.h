/* redis/hash.h - a keyed hash of routes' names, so that clients who choose paths can not choose collisions. Pure.
 * Source: SipHash-1-3, Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012. */
#ifndef CELLROUTER_REDIS_HASH_H
#define CELLROUTER_REDIS_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "redis/key.h"

/* An open value; any is valid, a random one is safe. */
struct hash_key {
    uint64_t low, high;
};

/* Of n bytes; any length. */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t n);

/* Of host and prefix: of names that differ, the same only by chance. */
uint64_t hash_name(const struct hash_key *key, const struct route_name *name);

/* Of host and first segment: the same for all prefixes of one path. */
uint64_t hash_tag(const struct hash_key *key, const struct route_name *name);

#endif
