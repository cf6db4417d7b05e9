/* agent/level0/hot_uses.h - how often routes outside of the hot map are used, and which prefixes must stay outside
 * because a longer route under them is in use there (bars). Pure; memory of fixed size, where a newcomer may take
 * another's place: then a route enters the map later, or costs a redirect. Hashes are of keys, seeded. */
#ifndef CELLROUTER_AGENT_LEVEL0_HOT_USES_H
#define CELLROUTER_AGENT_LEVEL0_HOT_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct hot_uses;

/* Counts for about so many routes; threshold uses within life_ms are enough. NULL: out of memory. */
MUST_USE struct hot_uses *hot_uses_new(uint32_t routes, uint32_t threshold, uint64_t life_ms);

/* NULL is allowed. */
void hot_uses_free(struct hot_uses *uses);

/* Counts a use; true when there were enough: the count starts again. */
MUST_USE bool hot_uses_count(struct hot_uses *uses, uint64_t hash, uint64_t now_ms);

/* A longer route of this cell is in use under the prefix: for life_ms it is barred for other cells. When a second cell
 * bars it meanwhile, it is barred for all. */
void hot_uses_bar(struct hot_uses *uses, uint64_t hash, uint16_t cell, uint64_t now_ms);

/* The bar goes, whoever set it. */
void hot_uses_lift(struct hot_uses *uses, uint64_t hash);

/* Whether the prefix must stay outside as a route of this cell. */
MUST_USE bool hot_uses_is_barred(const struct hot_uses *uses, uint64_t hash, uint16_t cell, uint64_t now_ms);

/* Every route starts to count anew: after a flush. */
void hot_uses_clear_counts(struct hot_uses *uses);

/* Every bar goes: the cells have new numbers. */
void hot_uses_clear_bars(struct hot_uses *uses);

#endif
