/* redis/expiring_set.c - a table of sets of four places each; no lists, no moving, no rehashing. */
#include "redis/expiring_set.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 };

struct entry {
    uint64_t hash;
    uint64_t until_ms; /* 0: free */
};

struct expiring_set {
    size_t sets, count;
    struct entry entries[]; /* sets * WAYS */
};

struct expiring_set *expiring_set_new(size_t entries)
{
    size_t sets = 1;
    struct expiring_set *all;

    while (sets * WAYS < entries)
        sets *= 2;
    all = calloc(1, sizeof *all + sets * WAYS * sizeof all->entries[0]);
    if (all)
        all->sets = sets;
    return all;
}

void expiring_set_free(struct expiring_set *all)
{
    free(all);
}

static size_t first_of(const struct expiring_set *all, uint64_t hash)
{
    return (size_t)(hash & (all->sets - 1)) * WAYS;
}

static struct entry *find(struct expiring_set *all, uint64_t hash)
{
    struct entry *set = &all->entries[first_of(all, hash)];

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].until_ms != 0 && set[i].hash == hash)
            return &set[i];
    return NULL;
}

/* The entry itself, else a free one, else the one that ends first. */
static struct entry *place_for(struct expiring_set *all, uint64_t hash)
{
    struct entry *set = &all->entries[first_of(all, hash)], *best = find(all, hash);

    for (size_t i = 0; !best && i < WAYS; i++)
        best = set[i].until_ms == 0 ? &set[i] : NULL;
    if (!best) {
        best = set;
        for (size_t i = 1; i < WAYS; i++)
            best = set[i].until_ms < best->until_ms ? &set[i] : best;
    }
    return best;
}

void expiring_set_add(struct expiring_set *all, uint64_t hash, uint64_t now_ms, uint64_t until_ms)
{
    struct entry *entry;

    if (until_ms <= now_ms)
        return;
    entry = place_for(all, hash);
    all->count += entry->until_ms == 0;
    *entry = (struct entry){hash, until_ms};
}

bool expiring_set_has(const struct expiring_set *all, uint64_t hash, uint64_t now_ms)
{
    const struct entry *set = &all->entries[first_of(all, hash)];

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].hash == hash && set[i].until_ms > now_ms)
            return true;
    return false;
}

void expiring_set_drop(struct expiring_set *all, uint64_t hash)
{
    struct entry *entry = find(all, hash);

    if (entry) {
        *entry = (struct entry){0, 0};
        all->count--;
    }
}

void expiring_set_clear(struct expiring_set *all)
{
    memset(all->entries, 0, all->sets * WAYS * sizeof all->entries[0]);
    all->count = 0;
}

size_t expiring_set_count(const struct expiring_set *all)
{
    return all->count;
}
