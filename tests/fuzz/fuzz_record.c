/* tests/fuzz/fuzz_record.c - whatever stands in Redis or comes in an invalidation: a value as a record, a key as a
 * name, an error as a reason. What is taken must survive the way back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "redis/key.h"
#include "redis/reason.h"
#include "redis/record.h"
#include "redis/scripts.h"

static void must(int truth)
{
    if (!truth)
        abort();
}

static void fuzz_value(const uint8_t *bytes, size_t n)
{
    uint8_t out[ROUTE_RECORD_MAX];
    struct route_record record, back;

    if (record_decode(bytes, n, &record) != ROUTE_RECORD_OK)
        return;
    must(record.cell_length >= 1 && record.cell_length <= ROUTE_ID_MAX && record.router_length <= ROUTE_ID_MAX);
    must(record.life_s >= 1 && record.life_s <= ROUTE_LIFE_MAX_S);
    size_t length = record_encode(&record, out);
    must(length <= ROUTE_RECORD_MAX && record_decode(out, length, &back) == ROUTE_RECORD_OK);
    must(memcmp(&record, &back, sizeof record) == 0);
    must(record_left_ms(&record, record.stamp_ms) == (uint64_t)record.life_s * 1000);
}

static void fuzz_key(const char *bytes, size_t n)
{
    struct route_name name;

    if (!key_parse(bytes, n, &name))
        return;
    must(key_name_ok(&name) && key_length(&name) == n);
    char *key = malloc(n);
    if (key) {
        key_write(&name, key);
        must(memcmp(key, bytes, n) == 0);
        free(key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_value(data, size);
    fuzz_key((const char *)data, size);
    must(store_reason_of_error((const char *)data, size) != STORE_REASON_NONE);
    (void)verdict_of((const char *)data, size);
    return 0;
}
