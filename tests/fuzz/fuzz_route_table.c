/* tests/fuzz/fuzz_route_table.c - any sequence of operations keeps the table whole: within its memory, with counts that
 * agree with what it lists, and with what was just put. Input: operations of four bytes each. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/routes/route_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CELLS = 8 };

static const struct path_options paths = {.max_length = 8192, .max_depth = 32};

/* One of many keys: c & 3 + 1 segments, some of them long. */
static size_t make_key(uint8_t b, uint8_t c, char *key)
{
    size_t length = 0;
    key[length++] = '/';
    for (unsigned i = 0; i <= (c & 3U); i++) {
        size_t part = c & 128 ? 1 + (size_t)(b >> 1) * (1 + (c >> 4 & 7U)) : 1;
        memset(key + length, 'a' + (b >> (2 * i) & 3), part);
        length += part;
        key[length++] = '/';
    }
    return length;
}

static void visit(void *user, const char *key, size_t length, const struct route *route)
{
    uint64_t *counts = user;
    if (length < 3 || key[0] != '/' || key[length - 1] != '/' || route->cell >= CELLS || route->key_length != length)
        abort();
    counts[route->cell]++;
}

static void check(const struct route_table *table, uint64_t now)
{
    uint64_t counts[CELLS] = {0}, sum = 0;
    struct route_cursor cursor = {0};
    struct route_table_stats stats = route_table_stats(table);
    while (route_table_list(table, &cursor, 100, now, visit, counts))
        ;
    for (uint16_t i = 0; i < CELLS; i++) {
        if (route_table_cell_routes(table, i) < counts[i])
            abort();
        sum += route_table_cell_routes(table, i);
    }
    if (sum != stats.routes || stats.pinned > stats.routes || stats.bytes > stats.limit)
        abort();
}

static void put(struct route_table *table, const uint8_t *op, const char *key, size_t length, uint64_t now)
{
    struct route_word word = {.cell = op[1] & (CELLS - 1),
                              .pinned = (op[1] & 0x38) == 0,
                              .from_store = op[1] & 64,
                              .stamp_ms = op[1],
                              .life_ms = 1000U * op[3],
                              .left_ms = 900U * op[3]};
    struct route route;
    enum route_put outcome = route_table_put(table, key, length, &word, now, NULL);
    bool there = route_table_find(table, key, length, now, &route);
    if (outcome <= ROUTE_PUT_REFRESHED && (!there || route.cell != word.cell || route.stamp_ms != word.stamp_ms))
        abort();
    if ((outcome == ROUTE_PUT_OLDER || outcome == ROUTE_PUT_PINNED) && !there)
        abort();
}

static void look(struct route_table *table, const char *key, size_t length, uint64_t now)
{
    static char buffer[PATH_KEY_SIZE];
    struct path path;
    struct route_probe probe;
    struct route route, exact;
    if (path_parse(&path, &paths, (struct text_view){key, length}, (struct text_view){0}, buffer, sizeof buffer) !=
        PATH_OK)
        return;
    route_table_prefetch(table, &path, &probe);
    route_table_prefetch_routes(table, &probe);
    bool there = route_table_get(table, &probe, now, &route);
    if (route_table_find(table, key, length, now, &exact) && (!there || route.handle != exact.handle))
        abort();
    if (there && route.due)
        route_table_asked(table, &route, 1000, now);
}

static void remap(struct route_table *table, uint8_t how)
{
    uint16_t map[CELLS];
    for (unsigned i = 0; i < CELLS; i++)
        map[i] = (uint16_t)((i + how) % CELLS);
    if (how & 8)
        map[how >> 4 & (CELLS - 1)] = CELL_NONE;
    if (how & 128)
        map[0] = map[1];
    route_table_remap(table, map, how & 64 ? CELLS : CELLS - 1);
}

/* Many at once, so that the least table is full soon. */
static void fill(struct route_table *table, const uint8_t *op, uint64_t now)
{
    struct route_word word = {.cell = op[1] & (CELLS - 1), .stamp_ms = 1, .life_ms = 60000, .left_ms = 60000};
    char key[300];
    for (unsigned i = 0; i < op[2] / 4U; i++) {
        size_t length = 3 + op[3];
        memset(key, 'f', length);
        memcpy(key + 1, &(char[2]){(char)('0' + i / 64), (char)('0' + i % 64)}, length > 3 ? 2 : 1);
        key[0] = key[length - 1] = '/';
        (void)!route_table_put(table, key, length, &word, now, NULL);
    }
}

static uint64_t step(struct route_table *table, const uint8_t *op, uint64_t now)
{
    char key[4096];
    size_t length = make_key(op[2], op[3], key);
    switch (op[0] % 12) {
    case 0:
    case 1:
    case 2: put(table, op, key, length, now); break;
    case 3:
    case 4: look(table, key, length, now); break;
    case 5: route_table_forget(table, key, length, op[1] & 1 ? op[1] >> 5 : CELL_NONE, now); break;
    case 6: route_table_forget_cell(table, op[1]); break;
    case 7: route_table_distrust(table, 10U * op[1], now); break;
    case 8: remap(table, op[1]); break;
    case 9: op[1] ? route_table_sweep(table, op[1], now) : route_table_flush(table); break;
    case 10: fill(table, op, now); break;
    default: return now + op[1] * 10U;
    }
    return now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route_table_options options = {.memory = 65536, .seed = 1, .refresh_percent = 80, .jitter_percent = 5};
    struct route_table *table = route_table_new(&options);
    uint64_t now = 0;
    if (!table)
        abort();
    for (size_t at = 0; at + 4 <= size && at < 800; at += 4) {
        now = step(table, data + at, now);
        if (at % 160 == 0)
            check(table, now);
    }
    check(table, now);
    route_table_free(table);
    return 0;
}
