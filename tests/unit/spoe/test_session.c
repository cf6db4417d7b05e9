/* tests/unit/spoe/test_session.c - handshake, frames and answers; limits and time are in test_session_limits, pieces in
 * test_session_pieces. */
#include "tests/unit/spoe/session_fixture.h"

static void hello_is_answered(void **state)
{
    (void)state;
    fixture_begin(NULL);
    assert_reason(feed(hello_2_6, HELLO_2_6_SIZE), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "hello 16380");
    assert_string_equal(take_output(), "");
    fixture_end();
}

static void the_smaller_frame_size_is_agreed(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin(&(struct spoe_limits){.max_frame = 4096});
    wire_init(&wire);
    wire_hello(&wire, 1000, false);
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "hello 1000");
    fixture_end();
    fixture_begin(&(struct spoe_limits){.max_frame = 4096});
    assert_reason(feed(hello_2_6, HELLO_2_6_SIZE), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "hello 4096");
    fixture_end();
}

static void a_health_check_is_answered_and_closed(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin(NULL);
    wire_init(&wire);
    wire_hello(&wire, 16380, true);
    assert_reason(feed_wire(&wire), SPOE_CLOSE_HEALTHCHECK);
    assert_string_equal(take_output(), "hello 16380");
    assert_int_equal(counters()->healthchecks, 1);
    assert_int_equal(counters()->closes[SPOE_CLOSE_HEALTHCHECK], 1);
    fixture_end();
}

static void a_health_check_fails_when_told_to(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin(NULL);
    spoe_common_refuse_checks(fixture.common);
    wire_init(&wire);
    wire_hello(&wire, 16380, true);
    assert_reason(feed_wire(&wire), SPOE_CLOSE_HEALTHCHECK_DRAIN);
    assert_string_equal(take_output(), "disconnect 99");
    assert_int_equal(counters()->healthchecks_drain, 1);
    fixture_end();
    fixture_begin(NULL); /* other connections are served */
    spoe_common_refuse_checks(fixture.common);
    assert_reason(feed(hello_2_6, HELLO_2_6_SIZE), SPOE_CLOSE_NONE);
    assert_reason(notify(1, "now"), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "hello 16380, ack 1/1 cell");
    fixture_end();
}

static void all_notifies_of_a_read_come_together(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin(NULL);
    wire_init(&wire);
    wire_hello(&wire, 16380, false);
    for (unsigned i = 0; i < 14; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_int_equal(fixture.largest_batch, 14);
    assert_int_equal(counters()->batches, 1);
    assert_int_equal(counters()->acks, 14);
    assert_int_equal(fixture.outputs, 0); /* feed's caller sends anyway */
    fixture_end();
}

static void answers_come_in_any_order(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(0, "hold"), SPOE_CLOSE_NONE);
    assert_reason(notify(7, "hold"), SPOE_CLOSE_NONE);
    assert_reason(notify(UINT64_MAX, "now"), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 18446744073709551615/1 cell");
    answer_held(1);
    assert_int_equal(fixture.outputs, 1);
    answer_held(0);
    assert_string_equal(take_output(), "ack 7/1 cell, ack 0/1 cell");
    assert_int_equal(counters()->calls_now, 0);
    fixture_end();
}

static void senseless_answers_become_unknown(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "senseless"), SPOE_CLOSE_NONE);
    assert_reason(notify(2, "huge"), SPOE_CLOSE_NONE);
    assert_reason(notify(3, "hold"), SPOE_CLOSE_NONE);
    struct spoe_call *call = fixture.held[0];
    fixture.held[0] = NULL;
    spoe_call_ack(call, NULL, 0);
    assert_string_equal(take_output(), "ack 1/1 learn, ack 2/1 learn, ack 3/1 learn");
    assert_int_equal(counters()->bad_acks, 3);
    fixture_end();
}

static void a_second_answer_is_ignored(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    struct spoe_call *call = fixture.held[0];
    answer_held(0);
    answer(call);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_int_equal(counters()->late_acks, 1);
    fixture_end();
}

static void an_answer_after_the_end_is_ignored(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    struct spoe_call *call = fixture.held[0];
    assert_reason(spoe_session_close(fixture.session, SPOE_CLOSE_PEER_GONE), SPOE_CLOSE_PEER_GONE);
    answer(call);
    assert_string_equal(take_output(), "");
    assert_int_equal(counters()->late_acks, 1);
    assert_int_equal(counters()->cancelled, 1);
    fixture_end();
}

/* One frame after the handshake, or instead of it, ends the connection. */
static void assert_ends(bool greeted, struct wire *wire, enum spoe_close reason, const char *output)
{
    if (greeted)
        fixture_begin_greeted(NULL);
    else
        fixture_begin(NULL);
    uint8_t *again = exact_copy(wire->bytes, wire->w.used);
    size_t size = wire->w.used;
    assert_reason(feed_wire(wire), reason);
    assert_string_equal(take_output(), output);
    /* The same reason from every call, and nothing more to send. */
    assert_reason(feed(again, size), reason);
    assert_reason(feed(hello_2_6, HELLO_2_6_SIZE), reason);
    assert_reason(spoe_session_tick(fixture.session, START_MS + 1000000), reason);
    assert_reason(spoe_session_finish(fixture.session), reason);
    assert_reason(spoe_session_close(fixture.session, SPOE_CLOSE_CUT), reason);
    assert_reason(spoe_session_reason(fixture.session), reason);
    assert_true(spoe_session_wakeup(fixture.session) == UINT64_MAX);
    assert_string_equal(take_output(), "");
    assert_int_equal(counters()->closes[reason], 1);
    free(again);
    fixture_end();
}

static void frames_out_of_place_end_it(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    wire_notify(&wire, 1, 1, "now", "/a");
    assert_ends(false, &wire, SPOE_CLOSE_UNEXPECTED_FRAME, "disconnect 4");
    wire_hello(&wire, 16380, false);
    assert_ends(true, &wire, SPOE_CLOSE_UNEXPECTED_FRAME, "disconnect 4");
    for (unsigned type = SPOP_AGENT_HELLO; type <= SPOP_ACK; type++) {
        wire_frame(&wire, (uint8_t)type, SPOP_FLAG_FIN, 0, 0, "");
        assert_ends(true, &wire, SPOE_CLOSE_UNEXPECTED_FRAME, "disconnect 4");
    }
}

static void fragments_are_refused(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    wire_frame(&wire, SPOP_NOTIFY, 0, 1, 1, "");
    assert_ends(true, &wire, SPOE_CLOSE_FRAGMENTED, "disconnect 10");
    wire_frame(&wire, SPOP_UNSET, SPOP_FLAG_FIN, 1, 1, "");
    assert_ends(true, &wire, SPOE_CLOSE_FRAGMENTED, "disconnect 10");
    wire_frame(&wire, SPOP_UNSET, SPOP_FLAG_FIN | SPOP_FLAG_ABORT, 1, 1, "");
    assert_ends(true, &wire, SPOE_CLOSE_FRAGMENTED, "disconnect 10");
    wire_frame(&wire, SPOP_HAPROXY_HELLO, 0, 0, 0, "");
    assert_ends(false, &wire, SPOE_CLOSE_FRAGMENTED, "disconnect 10");
}

static void bad_frames_end_it(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    wire_frame(&wire, SPOP_HAPROXY_HELLO, SPOP_FLAG_FIN, 1, 0, "");
    assert_ends(false, &wire, SPOE_CLOSE_BAD_FRAME, "disconnect 4");
    wire_frame(&wire, SPOP_HAPROXY_DISCONNECT, SPOP_FLAG_FIN, 0, 1, "");
    assert_ends(true, &wire, SPOE_CLOSE_BAD_FRAME, "disconnect 4");
    wire_frame(&wire, SPOP_HAPROXY_DISCONNECT, SPOP_FLAG_FIN, 0, 0, "\x05stat");
    assert_ends(true, &wire, SPOE_CLOSE_BAD_FRAME, "disconnect 4");
    spop_write_u32(&wire.w, 6);
    assert_ends(true, &wire, SPOE_CLOSE_BAD_FRAME, "disconnect 4");
    spop_write_u32(&wire.w, 16381);
    assert_ends(true, &wire, SPOE_CLOSE_FRAME_TOO_BIG, "disconnect 3");
    spop_write_bytes(&wire.w, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_ends(false, &wire, SPOE_CLOSE_FRAME_TOO_BIG, "disconnect 3");
}

static void hellos_that_lack_something(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        enum spoe_close reason;
        const char *output;
    } wrong[] = {
        {"", SPOE_CLOSE_NO_VERSION, "disconnect 5"},
        {"\x12supported-versions\x08\x03"
         "2.0",
         SPOE_CLOSE_NO_FRAME_SIZE, "disconnect 6"},
        {"\x12supported-versions\x08\x03"
         "2.0\x0emax-frame-size\x03\xfc\xf0\x06",
         SPOE_CLOSE_NO_CAPABILITIES, "disconnect 7"},
        {"\x12supported-versions\x08\x03"
         "1.0\x0emax-frame-size\x03\xfc\xf0\x06\x0c"
         "capabilities\x08\x01,",
         SPOE_CLOSE_BAD_VERSION, "disconnect 8"},
        {"\x12supported-versions\x08\x03"
         "2.0\x0emax-frame-size\x03\x64\x0c"
         "capabilities\x08\x01,",
         SPOE_CLOSE_BAD_FRAME_SIZE, "disconnect 9"},
        {"\x12supported-versions\x08\x04"
         "2.0",
         SPOE_CLOSE_BAD_FRAME, "disconnect 4"},
    };
    struct wire wire;
    wire_init(&wire);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        wire_frame(&wire, SPOP_HAPROXY_HELLO, SPOP_FLAG_FIN, 0, 0, wrong[i].payload);
        assert_ends(false, &wire, wrong[i].reason, wrong[i].output);
    }
}

static void haproxys_goodbye(void **state)
{
    (void)state;
    struct wire wire;
    wire_init(&wire);
    wire_disconnect(&wire, SPOP_STATUS_OK);
    assert_ends(true, &wire, SPOE_CLOSE_PEER_DISCONNECT, "disconnect 0");
    wire_disconnect(&wire, SPOP_STATUS_TIMEOUT); /* "timeout idle" */
    assert_ends(true, &wire, SPOE_CLOSE_PEER_DISCONNECT, "disconnect 0");
    wire_disconnect(&wire, SPOP_STATUS_OK);
    assert_ends(false, &wire, SPOE_CLOSE_PEER_DISCONNECT, "disconnect 0");
    wire_disconnect(&wire, SPOP_STATUS_FRAME_ID);
    assert_ends(true, &wire, SPOE_CLOSE_PEER_ERROR, "disconnect 0");

    fixture_begin_greeted(NULL);
    wire_disconnect(&wire, SPOP_STATUS_FRAME_ID);
    assert_reason(feed_wire(&wire), SPOE_CLOSE_PEER_ERROR);
    assert_int_equal(spoe_session_peer_status(fixture.session), SPOP_STATUS_FRAME_ID);
    fixture_end();
}

static void frames_unknown_here_are_skipped(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(NULL);
    wire_init(&wire);
    wire_frame(&wire, 50, 0, 1, 2, "whatever");
    wire_notify(&wire, 1, 1, "now", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_int_equal(counters()->unknown_frames, 1);
    fixture_end();
}

static void what_came_before_a_bad_frame_is_answered(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(NULL);
    wire_init(&wire);
    wire_notify(&wire, 1, 1, "now", "/a");
    wire_notify(&wire, 2, 1, "hold", "/a");
    wire_frame(&wire, SPOP_UNSET, 0, 1, 1, "");
    wire_notify(&wire, 3, 1, "now", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_FRAGMENTED);
    assert_string_equal(take_output(), "ack 1/1 cell, disconnect 10");
    assert_log("1/1 now /a\n2/1 hold /a\ncancel 0 closed\n");
    fixture_end();
}

static void a_malformed_payload_is_the_users_matter(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(NULL);
    wire_init(&wire);
    wire_frame(&wire, SPOP_NOTIFY, SPOP_FLAG_FIN, 1, 1, "\x50no message");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 1/1 cell");
    fixture_end();
}

static void closing_cancels_everything_once(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
    answer_held(1);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_reason(spoe_session_close(fixture.session, SPOE_CLOSE_PEER_RESET), SPOE_CLOSE_PEER_RESET);
    assert_log("0/1 hold /a\n1/1 hold /a\n2/1 hold /a\ncancel 0 closed\ncancel 2 closed\n");
    assert_int_equal(counters()->cancelled, 2);
    fixture_end();
}

static void others_may_be_answered_when_one_is_cancelled(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
    fixture.answers_others = true;
    assert_reason(spoe_session_close(fixture.session, SPOE_CLOSE_PEER_GONE), SPOE_CLOSE_PEER_GONE);
    assert_string_equal(take_output(), "");
    assert_int_equal(counters()->cancelled, 3);
    fixture_end();
}

static void closing_from_within_a_handler_waits_for_its_end(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(NULL);
    wire_init(&wire);
    wire_notify(&wire, 1, 1, "close", "/a");
    wire_notify(&wire, 2, 1, "now", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_CUT);
    assert_string_equal(take_output(), "ack 2/1 cell, disconnect 0");
    assert_log("1/1 close /a\n2/1 now /a\ncancel 0 closed\n");
    fixture_end();
}

static void nothing_fed_is_nothing(void **state)
{
    (void)state;
    fixture_begin(NULL);
    assert_reason(spoe_session_feed(fixture.session, NULL, 0, START_MS), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "");
    fixture_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_answered),
        cmocka_unit_test(the_smaller_frame_size_is_agreed),
        cmocka_unit_test(a_health_check_is_answered_and_closed),
        cmocka_unit_test(a_health_check_fails_when_told_to),
        cmocka_unit_test(all_notifies_of_a_read_come_together),
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test(senseless_answers_become_unknown),
        cmocka_unit_test(a_second_answer_is_ignored),
        cmocka_unit_test(an_answer_after_the_end_is_ignored),
        cmocka_unit_test(frames_out_of_place_end_it),
        cmocka_unit_test(fragments_are_refused),
        cmocka_unit_test(bad_frames_end_it),
        cmocka_unit_test(hellos_that_lack_something),
        cmocka_unit_test(haproxys_goodbye),
        cmocka_unit_test(frames_unknown_here_are_skipped),
        cmocka_unit_test(what_came_before_a_bad_frame_is_answered),
        cmocka_unit_test(a_malformed_payload_is_the_users_matter),
        cmocka_unit_test(closing_cancels_everything_once),
        cmocka_unit_test(others_may_be_answered_when_one_is_cancelled),
        cmocka_unit_test(closing_from_within_a_handler_waits_for_its_end),
        cmocka_unit_test(nothing_fed_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
