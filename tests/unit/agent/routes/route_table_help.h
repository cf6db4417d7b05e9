/* tests/unit/agent/routes/route_table_help.h - what the tests of the route table share. Included after cmocka. */
#ifndef CELLROUTER_TESTS_UNIT_AGENT_ROUTES_ROUTE_TABLE_HELP_H
#define CELLROUTER_TESTS_UNIT_AGENT_ROUTES_ROUTE_TABLE_HELP_H

#include "agent/routes/route_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEGABYTE = 1 << 20, START = 1000000 };

static const struct path_options paths = {.max_length = 8192, .max_depth = 8};

static inline struct route_table *table_of(uint64_t memory)
{
    struct route_table_options options = {.memory = memory, .seed = 7, .now_ms = START, .refresh_percent = 80};
    struct route_table *table = route_table_new(&options);
    assert_non_null(table);
    return table;
}

static inline struct route_word word_of(uint16_t cell, uint64_t stamp, uint64_t left)
{
    return (struct route_word){.cell = cell, .stamp_ms = stamp, .life_ms = left, .left_ms = left};
}

/* Puts an exact-size copy of the key. */
static inline enum route_put put_word(struct route_table *table, const char *key, const struct route_word *word,
                                      uint64_t now)
{
    size_t length = strlen(key);
    char *exact = malloc(length ? length : 1);
    memcpy(exact, key, length);
    enum route_put outcome = route_table_put(table, exact, length, word, now, NULL);
    free(exact);
    return outcome;
}

static inline enum route_put put(struct route_table *table, const char *key, uint16_t cell, uint64_t stamp,
                                 uint64_t left, uint64_t now)
{
    struct route_word word = word_of(cell, stamp, left);
    return put_word(table, key, &word, now);
}

/* Looks a path up, in the steps of a batch. */
static inline bool look(struct route_table *table, const char *text, uint64_t now, struct route *route)
{
    static char buffer[PATH_KEY_SIZE];
    struct path path;
    struct route_probe probe;
    assert_int_equal(path_parse(&path, &paths, text_view_of(text), (struct text_view){0}, buffer, sizeof buffer),
                     PATH_OK);
    route_table_prefetch(table, &path, &probe);
    route_table_prefetch_routes(table, &probe);
    return route_table_get(table, &probe, now, route);
}

/* The cell of a path, or CELL_NONE. */
static inline uint16_t cell_of(struct route_table *table, const char *text, uint64_t now)
{
    struct route route;
    return look(table, text, now, &route) ? route.cell : (uint16_t)CELL_NONE;
}

static inline bool forget(struct route_table *table, const char *key, uint16_t expected, uint64_t now)
{
    return route_table_forget(table, key, strlen(key), expected, now);
}

static inline enum route_put put_number(struct route_table *table, unsigned cell, unsigned number, uint64_t now)
{
    char key[32];
    snprintf(key, sizeof key, "/cell-%u/%08u/", cell, number);
    return put(table, key, (uint16_t)cell, number, 36000000, now);
}

static inline bool has_number(struct route_table *table, unsigned cell, unsigned number, uint64_t now)
{
    char key[32];
    snprintf(key, sizeof key, "/cell-%u/%08u/", cell, number);
    return cell_of(table, key, now) == cell;
}

static inline void expect_bounded(const struct route_table *table)
{
    struct route_table_stats stats = route_table_stats(table);
    if (stats.bytes > stats.limit)
        fail_msg("%llu bytes, over the limit of %llu", (unsigned long long)stats.bytes,
                 (unsigned long long)stats.limit);
}

#endif
