/* agent/level0/hot_uses.c - two tables of fixed size, by hash, one place a hash: counts of uses, and bars. A tag of 32
 * further bits tells two hashes of one place apart; that two prefixes share all of them is possible, and costs a
 * redirect or an entry more. */
#include "agent/level0/hot_uses.h"

#include <stdlib.h>
#include <string.h>

#include "agent/routes/cells.h"

enum {
    COUNTS_MIN = 1024,
    COUNTS_MAX = 65536, /* 1 MB. Not tuned. */
    BARS = 8192,        /* 128 KB. Not tuned. */
};

struct use {
    uint32_t tag, count;
    uint64_t since_ms;
};

struct bar {
    uint32_t tag;
    uint16_t cell; /* CELL_NONE: of several cells */
    bool set;
    uint64_t since_ms;
};

struct hot_uses {
    uint32_t threshold, mask;
    uint64_t life_ms;
    struct use *counts;
    struct bar bars[BARS];
};

struct hot_uses *hot_uses_new(uint32_t routes, uint32_t threshold, uint64_t life_ms)
{
    struct hot_uses *uses = calloc(1, sizeof *uses);
    uint32_t counts = COUNTS_MIN;
    while (counts < COUNTS_MAX && counts < routes)
        counts *= 2;
    if (!uses)
        return NULL;
    uses->threshold = threshold;
    uses->life_ms = life_ms;
    uses->mask = counts - 1;
    uses->counts = calloc(counts, sizeof *uses->counts);
    if (uses->counts)
        return uses;
    free(uses);
    return NULL;
}

void hot_uses_free(struct hot_uses *uses)
{
    if (uses)
        free(uses->counts);
    free(uses);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/* A newcomer takes the slot of one whose time is over or that was used once; of others it halves the count. */
bool hot_uses_count(struct hot_uses *uses, uint64_t hash, uint64_t now_ms)
{
    struct use *use = &uses->counts[hash & uses->mask];
    bool mine = use->tag == tag_of(hash);
    if (use->count == 0 || now_ms - use->since_ms > uses->life_ms || (!mine && use->count == 1)) {
        *use = (struct use){.tag = tag_of(hash), .count = 1, .since_ms = now_ms};
    } else if (!mine) {
        use->count /= 2;
        return uses->threshold <= 1;
    } else {
        use->count++;
    }
    if (use->count < uses->threshold)
        return false;
    use->count = 0;
    return true;
}

/* Whether the slot is of this prefix, and its time is not over. */
static bool is_set(const struct hot_uses *uses, const struct bar *bar, uint64_t hash, uint64_t now_ms)
{
    return bar->set && bar->tag == tag_of(hash) && now_ms - bar->since_ms <= uses->life_ms;
}

void hot_uses_bar(struct hot_uses *uses, uint64_t hash, uint16_t cell, uint64_t now_ms)
{
    struct bar *bar = &uses->bars[hash % BARS];
    bool several = is_set(uses, bar, hash, now_ms) && bar->cell != cell;
    *bar = (struct bar){
        .tag = tag_of(hash), .cell = several ? (uint16_t)CELL_NONE : cell, .set = true, .since_ms = now_ms};
}

void hot_uses_lift(struct hot_uses *uses, uint64_t hash)
{
    struct bar *bar = &uses->bars[hash % BARS];
    if (bar->tag == tag_of(hash))
        bar->set = false;
}

bool hot_uses_is_barred(const struct hot_uses *uses, uint64_t hash, uint16_t cell, uint64_t now_ms)
{
    const struct bar *bar = &uses->bars[hash % BARS];
    return is_set(uses, bar, hash, now_ms) && bar->cell != cell;
}

void hot_uses_clear_counts(struct hot_uses *uses)
{
    memset(uses->counts, 0, (uses->mask + (size_t)1) * sizeof *uses->counts);
}

void hot_uses_clear_bars(struct hot_uses *uses)
{
    memset(uses->bars, 0, sizeof uses->bars);
}
