/* redis/expiring_set.h - a bounded memory of what is not there, each entry with seconds of life. Pure.
 *
 * Names go in as hashes: two names of one hash are a needless miss now and then, never a wrong cell. Entries that have
 * no room push out the oldest of the four in their place. Also used for "written by ourselves a moment ago". */
#ifndef CELLROUTER_REDIS_EXPIRING_SET_H
#define CELLROUTER_REDIS_EXPIRING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct expiring_set;

/* Room for at least entries (rounded up to a power of two), 16 bytes each, all allocated now. NULL: out of memory. */
MUST_USE struct expiring_set *expiring_set_new(size_t entries);
void expiring_set_free(struct expiring_set *all);

/* Remembers hash until until_ms. */
void expiring_set_add(struct expiring_set *all, uint64_t hash, uint64_t now_ms, uint64_t until_ms);
MUST_USE bool expiring_set_has(const struct expiring_set *all, uint64_t hash, uint64_t now_ms);
void expiring_set_drop(struct expiring_set *all, uint64_t hash);
void expiring_set_clear(struct expiring_set *all);

/* Entries in use; some may be over. */
size_t expiring_set_count(const struct expiring_set *all);

#endif
