/* tests/unit/spoe/test_hello.c - HELLO and DISCONNECT: what HAProxy's versions send, what is missing or wrong, every
 * truncation. */
#include "tests/unit/spoe/wire.h"

/* The payload of a whole frame. */
static struct spop_cursor payload(const uint8_t *bytes, size_t n)
{
    struct spop_cursor in = spop_cursor(bytes, n);
    struct spop_frame frame;
    assert_int_equal(spop_next_frame(&in, 16380, &frame), SPOP_FRAMING_OK);
    assert_int_equal(in.left, 0);
    return frame.payload;
}

static void the_hello_of_2_6(void **state)
{
    (void)state;
    uint8_t *copy = exact_copy(hello_2_6, HELLO_2_6_SIZE);
    struct spop_hello hello;
    assert_int_equal(spop_read_haproxy_hello(payload(copy, HELLO_2_6_SIZE), &hello), SPOP_STATUS_OK);
    assert_true(hello.version_2);
    assert_int_equal(hello.frame_size, 16380);
    assert_true(hello.pipelining);
    assert_false(hello.async || hello.fragmentation || hello.healthcheck);
    assert_text(hello.engine_id, "a3364468-8ea8-4256-82c7-0ebad8ebd8e4");
    free(copy);
}

static void every_cut_of_a_hello_is_refused(void **state)
{
    (void)state;
    struct spop_cursor whole = payload(hello_2_6, HELLO_2_6_SIZE);
    for (size_t n = 0; n < whole.left; n++) {
        uint8_t *copy = exact_copy(whole.at, n);
        struct spop_hello hello = {.frame_size = 4711};
        enum spop_status status = spop_read_haproxy_hello(spop_cursor(copy, n), &hello);
        /* Cuts between pairs: what is missing has its own status. Without the engine's id nothing is. */
        enum spop_status expected = n == 0                 ? SPOP_STATUS_NO_VERSION
                                    : n == 24              ? SPOP_STATUS_NO_FRAME_SIZE
                                    : n == 43              ? SPOP_STATUS_NO_CAPABILITIES
                                    : n == whole.left - 48 ? SPOP_STATUS_OK
                                                           : SPOP_STATUS_INVALID;
        if (status != expected)
            fail_msg("cut at %zu of %zu: status %d instead of %d", n, whole.left, (int)status, (int)expected);
        if (status != SPOP_STATUS_OK)
            assert_int_equal(hello.frame_size, 4711);
        free(copy);
    }
}

struct pairs {
    uint8_t bytes[512];
    struct spop_writer w;
};

static void add(struct pairs *pairs, const char *key, struct spop_data value)
{
    spop_write_arg(&pairs->w, (struct text_view){key, strlen(key)}, &value);
}

static struct spop_data text(const char *s)
{
    return spop_string(s, strlen(s));
}

/* A HELLO of these three values; NULL leaves the key out. */
static enum spop_status hello_of(const char *versions, int64_t frame_size, const char *capabilities,
                                 struct spop_hello *hello)
{
    struct pairs pairs;
    pairs.w = spop_writer(pairs.bytes, sizeof pairs.bytes);
    if (capabilities)
        add(&pairs, "capabilities", text(capabilities));
    if (frame_size)
        add(&pairs, "max-frame-size", spop_int64(frame_size));
    if (versions)
        add(&pairs, "supported-versions", text(versions));
    assert_false(pairs.w.full);
    return spop_read_haproxy_hello(spop_cursor(pairs.bytes, pairs.w.used), hello);
}

static void versions(void **state)
{
    (void)state;
    static const char *const good[] = {"2.0", "1.0,2.0", " 2.0 , 1.5", "2.12", "3.0,2.1", ",,2.0"};
    static const char *const wrong[] = {"", "1.0", "2", "2.", "2.x", "12.0", "2.0.1", "3.0", "2 .0", ","};
    struct spop_hello hello;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(hello_of(good[i], 1000, "", &hello), SPOP_STATUS_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(hello_of(wrong[i], 1000, "", &hello), SPOP_STATUS_BAD_VERSION);
}

static void frame_sizes(void **state)
{
    (void)state;
    struct spop_hello hello;
    assert_int_equal(hello_of("2.0", 255, "", &hello), SPOP_STATUS_BAD_FRAME_SIZE);
    assert_int_equal(hello_of("2.0", 256, "", &hello), SPOP_STATUS_OK);
    assert_int_equal(hello.frame_size, 256);
    assert_int_equal(hello_of("2.0", INT64_MAX, "", &hello), SPOP_STATUS_OK);
    assert_true(hello.frame_size == UINT32_MAX);
    assert_int_equal(hello_of("2.0", -1, "", &hello), SPOP_STATUS_INVALID);
}

static void missing_keys(void **state)
{
    (void)state;
    struct spop_hello hello;
    assert_int_equal(hello_of(NULL, 1000, "", &hello), SPOP_STATUS_NO_VERSION);
    assert_int_equal(hello_of("2.0", 0, "", &hello), SPOP_STATUS_NO_FRAME_SIZE);
    assert_int_equal(hello_of("2.0", 1000, NULL, &hello), SPOP_STATUS_NO_CAPABILITIES);
}

static void capabilities(void **state)
{
    (void)state;
    struct spop_hello hello;
    assert_int_equal(hello_of("2.0", 1000, "pipelining", &hello), SPOP_STATUS_OK);
    assert_true(hello.pipelining && !hello.async && !hello.fragmentation);
    assert_int_equal(hello_of("2.0", 1000, " fragmentation ,\tasync,x", &hello), SPOP_STATUS_OK);
    assert_true(!hello.pipelining && hello.async && hello.fragmentation);
    assert_int_equal(hello_of("2.0", 1000, "pipeliningx,xasync,async2", &hello), SPOP_STATUS_OK);
    assert_false(hello.pipelining || hello.async || hello.fragmentation);
}

static enum spop_status with_pair(const char *key, struct spop_data value, struct spop_hello *hello)
{
    struct pairs pairs;
    pairs.w = spop_writer(pairs.bytes, sizeof pairs.bytes);
    add(&pairs, "supported-versions", text("2.0"));
    add(&pairs, "max-frame-size", spop_int64(1000));
    add(&pairs, "capabilities", text(""));
    add(&pairs, key, value);
    assert_false(pairs.w.full);
    return spop_read_haproxy_hello(spop_cursor(pairs.bytes, pairs.w.used), hello);
}

static void keys_count_only_whole(void **state)
{
    (void)state;
    struct spop_hello hello;
    assert_int_equal(with_pair("healthcheck", spop_bool(true), &hello), SPOP_STATUS_OK);
    assert_true(hello.healthcheck);
    assert_int_equal(with_pair("healthcheck", spop_bool(false), &hello), SPOP_STATUS_OK);
    assert_false(hello.healthcheck);
    assert_int_equal(with_pair("healthchecks", spop_bool(true), &hello), SPOP_STATUS_OK);
    assert_false(hello.healthcheck);
    assert_int_equal(with_pair("healthchec", spop_bool(true), &hello), SPOP_STATUS_OK);
    assert_false(hello.healthcheck);
    assert_int_equal(with_pair("max-frame-size-x", spop_int64(1), &hello), SPOP_STATUS_OK);
    assert_int_equal(hello.frame_size, 1000);
    assert_int_equal(with_pair("", spop_bool(true), &hello), SPOP_STATUS_INVALID);
}

static void values_of_the_wrong_type_are_refused(void **state)
{
    (void)state;
    struct spop_hello hello;
    static const char *const keys[] = {"supported-versions", "capabilities", "engine-id", "max-frame-size",
                                       "healthcheck"};
    for (size_t i = 0; i < 5; i++) {
        struct spop_data wrong = i < 3 ? spop_int64(1000) : text("2.0");
        assert_int_equal(with_pair(keys[i], wrong, &hello), SPOP_STATUS_INVALID);
    }
    assert_int_equal(with_pair("max-frame-size", (struct spop_data){.type = SPOP_UINT64, .natural = 300}, &hello),
                     SPOP_STATUS_OK);
    assert_int_equal(hello.frame_size, 300);
}

static void the_agents_hello_as_haproxy_reads_it(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    assert_true(spop_write_agent_hello(&w, 16380, 16380));
    static const uint8_t expected[] = "\0\0\0\x40\x65\0\0\0\1\0\0"
                                      "\x07version\x08\x03"
                                      "2.0"
                                      "\x0emax-frame-size\x03\xfc\xf0\x06"
                                      "\x0c"
                                      "capabilities\x08\x0apipelining";
    assert_int_equal(w.used, sizeof expected - 1);
    assert_memory_equal(bytes, expected, w.used);
    struct spop_hello hello;
    assert_int_equal(spop_read_agent_hello(payload(bytes, w.used), &hello), SPOP_STATUS_OK);
    assert_true(hello.version_2 && hello.pipelining && !hello.async);
    assert_int_equal(hello.frame_size, 16380);
    assert_int_equal(spop_read_haproxy_hello(payload(bytes, w.used), &hello), SPOP_STATUS_NO_VERSION);
}

static void a_hello_that_does_not_fit_leaves_no_trace(void **state)
{
    (void)state;
    for (size_t size = 0; size < 68; size++) {
        uint8_t *bytes = malloc(size + 1);
        struct spop_writer w = spop_writer(bytes, size);
        assert_false(spop_write_agent_hello(&w, 16380, 16380));
        assert_int_equal(w.used, 0);
        free(bytes);
    }
}

static void disconnects_come_back(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    assert_true(spop_write_disconnect(&w, SPOP_AGENT_DISCONNECT, SPOP_STATUS_UNKNOWN, TEXT_VIEW("why"), 16380));
    struct spop_cursor whole = payload(bytes, w.used);
    for (size_t n = 0; n <= whole.left; n++) {
        uint8_t *copy = exact_copy(whole.at, n);
        struct spop_disconnect disconnect = {0};
        bool between = n == 0 || n == 14 || n == whole.left;
        assert_int_equal(spop_read_disconnect(spop_cursor(copy, n), &disconnect), between);
        if (between)
            assert_int_equal(disconnect.status, SPOP_STATUS_UNKNOWN);
        if (n == whole.left)
            assert_text(disconnect.text, "why");
        free(copy);
    }
}

static void disconnects_with_the_wrong_types_are_refused(void **state)
{
    (void)state;
    struct spop_disconnect disconnect;
    struct pairs pairs;
    pairs.w = spop_writer(pairs.bytes, sizeof pairs.bytes);
    add(&pairs, "status-code", text("0"));
    assert_false(spop_read_disconnect(spop_cursor(pairs.bytes, pairs.w.used), &disconnect));
    pairs.w = spop_writer(pairs.bytes, sizeof pairs.bytes);
    add(&pairs, "message", spop_int64(0));
    assert_false(spop_read_disconnect(spop_cursor(pairs.bytes, pairs.w.used), &disconnect));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hello_of_2_6),
        cmocka_unit_test(every_cut_of_a_hello_is_refused),
        cmocka_unit_test(versions),
        cmocka_unit_test(frame_sizes),
        cmocka_unit_test(missing_keys),
        cmocka_unit_test(capabilities),
        cmocka_unit_test(keys_count_only_whole),
        cmocka_unit_test(values_of_the_wrong_type_are_refused),
        cmocka_unit_test(the_agents_hello_as_haproxy_reads_it),
        cmocka_unit_test(a_hello_that_does_not_fit_leaves_no_trace),
        cmocka_unit_test(disconnects_come_back),
        cmocka_unit_test(disconnects_with_the_wrong_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
