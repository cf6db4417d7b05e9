/* redis/absent.h - a bounded memory of what is not there, each entry with seconds of life. Pure.
 *
 * Names go in as hashes: two names of one hash are a needless miss now and then, never a wrong cell. Entries that have no room
 * push out the oldest of the four in their place. Also used for "written by ourselves a moment ago". */
#ifndef CELLROUTER_REDIS_ABSENT_H
#define CELLROUTER_REDIS_ABSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

struct absent;

/* Room for at least entries (rounded up to a power of two), 16 bytes each, all allocated now. NULL: out of memory. */
MUST_USE struct absent *absent_new(size_t entries);
void absent_free(struct absent *absent);

/* Remembers hash until until_ms. */
void absent_add(struct absent *absent, uint64_t hash, uint64_t now_ms, uint64_t until_ms);
MUST_USE bool absent_has(const struct absent *absent, uint64_t hash, uint64_t now_ms);
void absent_drop(struct absent *absent, uint64_t hash);
void absent_clear(struct absent *absent);

/* Entries in use; some may be over. */
size_t absent_count(const struct absent *absent);

#endif
