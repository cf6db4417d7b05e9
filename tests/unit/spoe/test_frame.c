/* tests/unit/spoe/test_frame.c - the envelope of frames: round trips, sizes, every truncation. */
#include "tests/unit/spoe/wire.h"

enum { MAX = 16380 };

static void an_ack_is_written_as_specified(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("learn"), spop_bool(true)};
    assert_true(spop_write_ack(&w, 240, 1, &action, 1, MAX));
    static const uint8_t expected[] = "\0\0\0\x12\x67\0\0\0\1\xf0\0\1\1\3\2\5learn\x11";
    assert_int_equal(w.used, sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
}

static void frames_come_back(void **state)
{
    (void)state;
    static const enum spop_frame_type types[] = {SPOP_UNSET,  SPOP_HAPROXY_HELLO,      SPOP_HAPROXY_DISCONNECT,
                                                 SPOP_NOTIFY, SPOP_AGENT_HELLO,        SPOP_AGENT_DISCONNECT,
                                                 SPOP_ACK,    (enum spop_frame_type)77};
    static const uint64_t ids[] = {0, 239, 2288, UINT64_MAX};
    for (size_t i = 0; i < 8 * 4; i++) {
        uint8_t bytes[64];
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        size_t begin = spop_begin_frame(&w, types[i % 8], ids[i / 8], ids[3 - i / 8]);
        spop_write_bytes(&w, "payload", 7);
        assert_true(spop_end_frame(&w, begin, MAX));
        uint8_t *copy = exact_copy(bytes, w.used);
        struct spop_cursor in = spop_cursor(copy, w.used);
        struct spop_frame frame;
        assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_OK);
        assert_int_equal(in.left, 0);
        assert_int_equal(frame.type, types[i % 8]);
        assert_int_equal(frame.flags, SPOP_FLAG_FIN);
        assert_true(frame.stream_id == ids[i / 8] && frame.frame_id == ids[3 - i / 8]);
        assert_int_equal(frame.payload.left, 7);
        assert_memory_equal(frame.payload.at, "payload", 7);
        free(copy);
    }
}

static void a_cut_frame_is_short_and_nothing_is_taken(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    wire_notify(&wire, UINT64_MAX, 2288, "lookup", "/my-company/x");
    for (size_t n = 0; n < wire.w.used; n++) {
        uint8_t *copy = exact_copy(wire.bytes, n);
        struct spop_cursor in = spop_cursor(copy, n);
        struct spop_frame frame = {.flags = 4711};
        assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_SHORT);
        assert_int_equal(in.left, n);
        assert_int_equal(frame.flags, 4711);
        free(copy);
    }
}

static void a_frame_must_hold_its_own_head(void **state)
{
    (void)state;
    for (uint32_t length = 0; length < 12; length++) {
        /* The second id needs two bytes: the head has 8. */
        uint8_t bytes[] = {0, 0, 0, (uint8_t)length, SPOP_NOTIFY, 0, 0, 0, 1, 5, 0xf0, 0, 'p', 'a', 'y', 'l'};
        uint8_t *copy = exact_copy(bytes, 4 + length);
        struct spop_cursor in = spop_cursor(copy, 4 + length);
        struct spop_frame frame;
        assert_int_equal(spop_next_frame(&in, MAX, &frame), length < 8 ? SPOP_FRAMING_BAD : SPOP_FRAMING_OK);
        free(copy);
    }
}

static void the_length_is_judged_before_the_rest_is_there(void **state)
{
    (void)state;
    struct spop_frame frame;
    struct spop_cursor in = spop_cursor("\0\0\1\1", 4);
    assert_int_equal(spop_next_frame(&in, 256, &frame), SPOP_FRAMING_TOO_BIG);
    in = spop_cursor("\0\0\1\0", 4);
    assert_int_equal(spop_next_frame(&in, 256, &frame), SPOP_FRAMING_SHORT);
    in = spop_cursor("\xff\xff\xff\xff", 4);
    assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_TOO_BIG);
    in = spop_cursor("\0\0\0\6", 4);
    assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_BAD);
}

static void frames_follow_each_other(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    for (unsigned i = 0; i < 5; i++)
        wire_notify(&wire, i, 1, "lookup", "/a");
    struct spop_cursor in = spop_cursor(wire.bytes, wire.w.used);
    struct spop_frame frame;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_OK);
        assert_int_equal(frame.stream_id, i);
    }
    assert_int_equal(spop_next_frame(&in, MAX, &frame), SPOP_FRAMING_SHORT);
}

static void an_ack_that_does_not_fit_leaves_no_trace(void **state)
{
    (void)state;
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("learn"), spop_bool(true)};
    for (size_t size = 0; size <= 30; size++) {
        uint8_t *bytes = exact_copy("******************************", size);
        struct spop_writer w = spop_writer(bytes, size);
        bool fits = size >= 21;
        assert_int_equal(spop_write_ack(&w, 5, 1, &action, 1, MAX), fits);
        assert_int_equal(w.used, fits ? 21 : 0);
        assert_false(w.full);
        free(bytes);
    }
}

static void max_counts_without_the_length(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("learn"), spop_bool(true)};
    assert_true(spop_write_ack(&w, 5, 1, &action, 1, 17));
    assert_false(spop_write_ack(&w, 5, 1, &action, 1, 16));
    assert_int_equal(w.used, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_is_written_as_specified),
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(a_cut_frame_is_short_and_nothing_is_taken),
        cmocka_unit_test(a_frame_must_hold_its_own_head),
        cmocka_unit_test(the_length_is_judged_before_the_rest_is_there),
        cmocka_unit_test(frames_follow_each_other),
        cmocka_unit_test(an_ack_that_does_not_fit_leaves_no_trace),
        cmocka_unit_test(max_counts_without_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
