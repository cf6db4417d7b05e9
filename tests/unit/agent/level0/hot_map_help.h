/* tests/unit/agent/level0/hot_map_help.h - a map with few entries, and uses of exact-size copies of keys. */
#ifndef CELLROUTER_TESTS_UNIT_AGENT_LEVEL0_HOT_MAP_HELP_H
#define CELLROUTER_TESTS_UNIT_AGENT_LEVEL0_HOT_MAP_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/routes/cells.h"
#include "agent/level0/hot_map.h"

enum { LIFE = 60000, LONG = 3600000, START = 1000000 };

static inline struct hot_map *map_of(uint32_t entries, uint32_t uses)
{
    struct hot_map_options options = {.entries = entries, .uses = uses, .life_ms = LIFE, .seed = 7};
    struct hot_map *map = hot_map_new(&options);
    assert_non_null(map);
    return map;
}

/* With an exact-size copy of the key. */
static inline void used(struct hot_map *map, const char *key, uint16_t cell, uint64_t now)
{
    size_t length = strlen(key);
    char *copy = malloc(length ? length : 1);
    memcpy(copy, key, length);
    hot_map_used(map, copy, length, cell, LONG, now);
    free(copy);
}

#endif
