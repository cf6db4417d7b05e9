/* tests/unit/redis/test_record.c - records: round trips, msgpack-c as the second opinion, every truncation, every kind
 * of hostile value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "redis/record.h"

static struct route_record sample(const char *cell, const char *router)
{
    struct route_record record = {.stamp_ms = 1700000000123, .life_s = 3600, .flags = ROUTE_PINNED};

    assert_true(record_set_id(record.cell, &record.cell_length, cell, strlen(cell)));
    if (router[0] != '\0')
        assert_true(record_set_id(record.router, &record.router_length, router, strlen(router)));
    return record;
}

/* Decodes a copy of exactly n bytes, so that a read behind them is seen. */
static enum route_record_state decode(const void *bytes, size_t n, struct route_record *record)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);
    enum route_record_state state;

    assert_non_null(copy);
    if (n != 0)
        memcpy(copy, bytes, n);
    state = record_decode(n == 0 ? NULL : copy, n, record);
    free(copy);
    return state;
}

#define assert_state(wanted, ...) \
    do { \
        struct route_record unused_; \
        enum route_record_state is_ = decode(__VA_ARGS__, &unused_); \
        if (is_ != ROUTE_RECORD_##wanted) \
            fail_msg("%s, wanted " #wanted, record_state_name(is_)); \
    } while (0)

static void assert_same(const struct route_record *a, const struct route_record *b)
{
    assert_int_equal(a->stamp_ms, b->stamp_ms);
    assert_int_equal(a->life_s, b->life_s);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->cell_length, b->cell_length);
    assert_memory_equal(a->cell, b->cell, a->cell_length);
    assert_int_equal(a->router_length, b->router_length);
    assert_memory_equal(a->router, b->router, a->router_length);
}

static void test_round_trip_and_truncation(void **state)
{
    char longest[ROUTE_ID_MAX + 1];
    const char *ids[] = {"e", "eu0", longest};
    uint8_t bytes[ROUTE_RECORD_MAX + 1];

    (void)state;
    memset(longest, 'x', ROUTE_ID_MAX);
    longest[ROUTE_ID_MAX] = '\0';
    for (size_t i = 0; i < 9; i++) {
        struct route_record record = sample(ids[i / 3], i % 3 == 0 ? "" : ids[i % 3]), back;

        record.stamp_ms = i == 8 ? UINT64_MAX : record.stamp_ms;
        record.life_s = i == 8 ? ROUTE_LIFE_MAX_S : record.life_s;
        size_t n = record_encode(&record, bytes);
        assert_true(n <= ROUTE_RECORD_MAX);
        assert_int_equal(decode(bytes, n, &back), ROUTE_RECORD_OK);
        assert_same(&record, &back);
        for (size_t cut = 0; cut < n; cut++)
            assert_state(GARBAGE, bytes, cut);
        bytes[n] = 0;
        assert_state(GARBAGE, bytes, n + 1);
    }
}

static void test_msgpack_reads_what_we_write(void **state)
{
    struct route_record record = sample("eu0", "eu-1");
    uint8_t bytes[ROUTE_RECORD_MAX];
    size_t n = record_encode(&record, bytes);
    msgpack_unpacked unpacked;

    (void)state;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)bytes, n, NULL), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(unpacked.data.via.array.size, 6);
    const msgpack_object *fields = unpacked.data.via.array.ptr;
    assert_int_equal(fields[0].via.u64, ROUTE_RECORD_VERSION);
    assert_int_equal(fields[1].type, MSGPACK_OBJECT_STR);
    assert_memory_equal(fields[1].via.str.ptr, "eu0", 3);
    assert_int_equal(fields[2].via.u64, record.stamp_ms);
    assert_int_equal(fields[3].via.u64, 3600);
    assert_int_equal(fields[4].via.u64, ROUTE_PINNED);
    assert_memory_equal(fields[5].via.str.ptr, "eu-1", 4);
    msgpack_unpacked_destroy(&unpacked);
}

#define B(text) text, sizeof text - 1

static void test_other_encoders_forms(void **state)
{
    struct route_record record;

    (void)state;
    /* array16, str8, signed and wide numbers */
    assert_int_equal(
        decode(B("\xdc\x00\x06\xd0\x01\xd9\x03"
                 "eu0\xd3\x00\x00\x01\x8b\xcf\xe5\x68\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x3c\xcc\x00\xda\x00\x02r1"),
               &record),
        ROUTE_RECORD_OK);
    assert_int_equal(record.life_s, 60);
    assert_int_equal(record.stamp_ms, 0x18bcfe56800);
    /* array32, str32 */
    assert_int_equal(decode(B("\xdd\x00\x00\x00\x06\x01\xdb\x00\x00\x00\x03"
                              "eu0\x01\x01\x00\xa0"),
                            &record),
                     ROUTE_RECORD_OK);
    assert_int_equal(record.router_length, 0);
}

static void test_hostile(void **state)
{
    char large[ROUTE_RECORD_MAX + 1] = {0};

    (void)state;
    assert_state(TOO_LARGE, large, sizeof large);
    assert_state(GARBAGE, large, sizeof large - 1);
    assert_state(GARBAGE, B("\xdd\xff\xff\xff\xff"));      /* an array of 4 billion */
    assert_state(GARBAGE, B("\xdd\xff\xff\xff\xff\x01\xa3" /* the same, with a beginning */
                            "eu0\x01\x01\x00\xa1r"));
    assert_state(GARBAGE, B("\x96\x01\xdb\xff\xff\xff\xff"));         /* a text of 4 GB */
    assert_state(GARBAGE, B("\x96\x01\xc6\xff\xff\xff\xff"));         /* bytes of 4 GB */
    assert_state(GARBAGE, B("\xdf\xff\xff\xff\xff"));                 /* a map */
    assert_state(GARBAGE, B("\x91\x91\x91\x91\x91\x91\x91\x91\x91")); /* depth */
    assert_state(GARBAGE, B("\x96\x00\xa3"
                            "eu0\x01\x01\x00\xa1r"));
    assert_state(GARBAGE, B("\x95\x01\xa3"
                            "eu0\x01\x01\x00"));
    assert_state(GARBAGE, B("\x96\xff\xa3" /* version -1 */
                            "eu0\x01\x01\x00\xa1r"));
    assert_state(GARBAGE, B("\x96\x01\xa3" /* stamp -1 */
                            "eu0\xd3\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\xa1r"));
    assert_state(GARBAGE, B("\x96\x01\xa3" /* a stamp that is a float */
                            "eu0\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01\x00\xa1r"));
    assert_state(NEWER_VERSION, B("\x91\x02"));
    assert_state(NEWER_VERSION, B("\x98\xcd\x01\x00"));
    assert_state(GARBAGE, B("\x90\x02"));
    assert_state(BAD_CELL, B("\x96\x01\xa0\x01\x01\x00\xa1r"));
    assert_state(BAD_CELL, B("\x96\x01\xa2\x65\x00\x01\x01\x00\xa1r"));
    assert_state(BAD_CELL, B("\x96\x01\xa3"
                             "e 0\x01\x01\x00\xa1r"));
    assert_state(BAD_CELL, B("\x96\x01\xa3"
                             "e\"0\x01\x01\x00\xa1r"));
    assert_state(BAD_CELL, B("\x96\x01\xa2\xc3\xa9\x01\x01\x00\xa1r"));
    assert_state(BAD_ROUTER, B("\x96\x01\xa3"
                               "eu0\x01\x01\x00\xa1\n"));
    assert_state(BAD_LIFE, B("\x96\x01\xa3"
                             "eu0\x01\x00\x00\xa1r"));
    assert_state(BAD_LIFE, B("\x96\x01\xa3"
                             "eu0\x01\xce\x01\xe1\x33\x81\x00\xa1r"));
    assert_state(BAD_FLAGS, B("\x96\x01\xa3"
                              "eu0\x01\x01\x02\xa1r"));
}

/* One byte of a good record changed to every value: nothing but a verdict comes out. */
static void test_every_byte_changed(void **state)
{
    struct route_record record = sample("eu0", "eu-1"), back;
    uint8_t bytes[ROUTE_RECORD_MAX];
    size_t n = record_encode(&record, bytes);
    unsigned good = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        uint8_t was = bytes[i];

        for (unsigned value = 0; value < 256; value++) {
            bytes[i] = (uint8_t)value;
            good += decode(bytes, n, &back) == ROUTE_RECORD_OK;
        }
        bytes[i] = was;
    }
    assert_true(good > n);       /* itself, other letters, other numbers */
    assert_true(good < n * 256); /* not everything */
}

static void test_time(void **state)
{
    struct route_record record = sample("eu0", "r");

    (void)state;
    record.flags = 0;
    record.stamp_ms = 1000000;
    record.life_s = 10;
    assert_int_equal(record_left_ms(&record, 1000000), 10000);
    assert_int_equal(record_left_ms(&record, 1009999), 1);
    assert_int_equal(record_left_ms(&record, 1010000), 0);
    assert_int_equal(record_left_ms(&record, UINT64_MAX), 0);
    assert_int_equal(record_left_ms(&record, 0), 10000); /* a stamp ahead gives no more than the life */
    assert_int_equal(record_judge(&record, 1009999, 0), ROUTE_RECORD_OK);
    assert_int_equal(record_judge(&record, 1010000, 0), ROUTE_RECORD_EXPIRED);
    assert_int_equal(record_judge(&record, 999000, 1000), ROUTE_RECORD_OK);
    assert_int_equal(record_judge(&record, 998999, 1000), ROUTE_RECORD_FUTURE);
    record.stamp_ms = UINT64_MAX;
    assert_int_equal(record_judge(&record, 1, UINT64_MAX), ROUTE_RECORD_OK);
    assert_int_equal(record_judge(&record, 1, 1000), ROUTE_RECORD_FUTURE);
    record.flags = ROUTE_PINNED;
    assert_int_equal(record_judge(&record, 1, 1000), ROUTE_RECORD_OK);
}

static void test_names_of_states(void **state)
{
    (void)state;
    assert_string_equal(record_state_name(ROUTE_RECORD_NEWER_VERSION), "newer_version");
    for (unsigned i = 0; i < ROUTE_RECORD_STATES; i++) {
        assert_true(strlen(record_state_name((enum route_record_state)i)) >= 2);
        assert_true(strlen(record_state_text((enum route_record_state)i)) >= 4);
    }
    assert_string_equal(record_state_name(ROUTE_RECORD_STATES), "unknown");
    assert_string_equal(record_state_text((enum route_record_state) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_and_truncation), cmocka_unit_test(test_msgpack_reads_what_we_write),
        cmocka_unit_test(test_other_encoders_forms),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_every_byte_changed),        cmocka_unit_test(test_time),
        cmocka_unit_test(test_names_of_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
