#include "redis/absent.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 4

struct entry {
    uint64_t hash;
    uint64_t until_ms; /* 0: free */
};

struct absent {
    size_t sets, count;
    struct entry entries[]; /* sets * WAYS */
};

struct absent *absent_new(size_t entries)
{
    size_t sets = 1;
    struct absent *absent;

    while (sets * WAYS < entries) {
        sets *= 2;
    }
    absent = calloc(1, sizeof *absent + sets * WAYS * sizeof absent->entries[0]);
    if (absent != NULL) {
        absent->sets = sets;
    }
    return absent;
}

void absent_free(struct absent *absent)
{
    free(absent);
}

static size_t first_of(const struct absent *absent, uint64_t hash)
{
    return (size_t)(hash & (absent->sets - 1)) * WAYS;
}

static struct entry *find(struct absent *absent, uint64_t hash)
{
    struct entry *set = &absent->entries[first_of(absent, hash)];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].until_ms != 0 && set[i].hash == hash) {
            return &set[i];
        }
    }
    return NULL;
}

/* The entry itself, else a free one, else the one that ends first. */
static struct entry *place_for(struct absent *absent, uint64_t hash)
{
    struct entry *set = &absent->entries[first_of(absent, hash)], *best = find(absent, hash);

    for (size_t i = 0; best == NULL && i < WAYS; i++) {
        best = set[i].until_ms == 0 ? &set[i] : NULL;
    }
    if (best == NULL) {
        best = set;
        for (size_t i = 1; i < WAYS; i++) {
            best = set[i].until_ms < best->until_ms ? &set[i] : best;
        }
    }
    return best;
}

void absent_add(struct absent *absent, uint64_t hash, uint64_t now_ms, uint64_t until_ms)
{
    struct entry *entry;

    if (until_ms <= now_ms) {
        return;
    }
    entry = place_for(absent, hash);
    absent->count += entry->until_ms == 0;
    *entry = (struct entry){hash, until_ms};
}

bool absent_has(const struct absent *absent, uint64_t hash, uint64_t now_ms)
{
    const struct entry *set = &absent->entries[first_of(absent, hash)];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].hash == hash && set[i].until_ms > now_ms) {
            return true;
        }
    }
    return false;
}

void absent_drop(struct absent *absent, uint64_t hash)
{
    struct entry *entry = find(absent, hash);

    if (entry != NULL) {
        *entry = (struct entry){0, 0};
        absent->count--;
    }
}

void absent_clear(struct absent *absent)
{
    memset(absent->entries, 0, absent->sets * WAYS * sizeof absent->entries[0]);
    absent->count = 0;
}

size_t absent_count(const struct absent *absent)
{
    return absent->count;
}
