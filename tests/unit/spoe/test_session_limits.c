/* tests/unit/spoe/test_session_limits.c - what bounds a session: calls, time, bytes, memory; and its orderly end. Time
 * is stepped. */
#include "tests/unit/spoe/session_fixture.h"

static enum spoe_close tick_at(uint64_t after_ms)
{
    fixture.now_ms = START_MS + after_ms;
    return spoe_session_tick(fixture.session, fixture.now_ms);
}

static void assert_wakeup(uint64_t after_ms)
{
    uint64_t at = spoe_session_wakeup(fixture.session);
    if (at != START_MS + after_ms)
        fail_msg("wakes up after %lld ms instead of %llu", (long long)(at - START_MS), (unsigned long long)after_ms);
}

/* ---- deadlines -------------------------------------------------------------------------------------------------- */

static void a_deadline_answers_unknown_and_cancels(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    assert_true(spoe_call_deadline_ms(fixture.held[0]) == START_MS + 30);
    fixture.now_ms = START_MS + 10;
    assert_reason(notify(2, "hold"), SPOE_CLOSE_NONE);
    assert_wakeup(30);
    assert_reason(tick_at(29), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "");
    assert_reason(tick_at(30), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 1/1 learn");
    assert_wakeup(40);
    answer_held(1); /* in time */
    assert_reason(tick_at(100), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 2/1 cell");
    assert_log("1/1 hold /a\n2/1 hold /a\ncancel 0 deadline\n");
    assert_int_equal(counters()->timeouts, 1);
    assert_true(spoe_session_wakeup(fixture.session) == UINT64_MAX);
    fixture_end();
}

static void never_two_answers(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    struct spoe_call *call = fixture.held[0];
    assert_reason(tick_at(1000000), SPOE_CLOSE_NONE);
    answer(call);
    assert_string_equal(take_output(), "ack 1/1 learn");
    fixture_end();
}

static void many_deadlines_in_order(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    for (unsigned i = 0; i < 50; i++) {
        fixture.now_ms = START_MS + i;
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
        if (i % 7 == 3)
            answer_held(i / 2);
    }
    take_output();
    for (unsigned step = 30; step < 90; step++) {
        assert_reason(tick_at(step), SPOE_CLOSE_NONE);
        assert_true(spoe_session_wakeup(fixture.session) > fixture.now_ms);
    }
    assert_int_equal(counters()->timeouts + 7, 50);
    fixture_end();
}

static void others_may_be_answered_at_a_deadline(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
    fixture.answers_others = true;
    assert_reason(tick_at(30), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 0/1 learn, ack 1/1 cell, ack 2/1 cell");
    assert_int_equal(counters()->timeouts, 1);
    fixture_end();
}

static void time_does_not_run_backwards(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    fixture.now_ms = START_MS + 100;
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    fixture.now_ms = START_MS;
    assert_reason(notify(2, "hold"), SPOE_CLOSE_NONE);
    assert_true(spoe_call_deadline_ms(fixture.held[1]) == START_MS + 130);
    assert_reason(tick_at(129), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "");
    assert_reason(tick_at(130), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 1/1 learn, ack 2/1 learn");
    fixture_end();
}

/* ---- held: no deadline ------------------------------------------------------------------------------------------ */

static void a_call_that_is_held_has_neither_deadline_nor_place(void **state)
{
    (void)state;
    fixture_begin_greeted(&(struct spoe_limits){.max_calls = 1, .idle_ms = 100, .deadline_ms = 30});
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    assert_false(spoe_call_is_held(fixture.held[0]));
    spoe_call_hold(fixture.held[0]);
    spoe_call_hold(fixture.held[0]);
    assert_true(spoe_call_is_held(fixture.held[0]));
    assert_true(spoe_session_wakeup(fixture.session) == UINT64_MAX);
    assert_reason(notify(2, "hold"), SPOE_CLOSE_NONE); /* it is no overload */
    assert_wakeup(30);
    assert_reason(tick_at(1000), SPOE_CLOSE_NONE); /* nor is the connection idle */
    assert_string_equal(take_output(), "ack 2/1 learn");
    assert_int_equal(counters()->calls_now, 1);
    answer_held(0);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_reason(tick_at(1000), SPOE_CLOSE_IDLE);
    fixture_end();
}

static void a_drain_waits_for_what_is_held(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    spoe_call_hold(fixture.held[0]);
    assert_reason(spoe_session_finish(fixture.session), SPOE_CLOSE_NONE);
    assert_reason(tick_at(100000), SPOE_CLOSE_NONE);
    answer_held(0);
    assert_reason(tick_at(100000), SPOE_CLOSE_DRAINED);
    assert_string_equal(take_output(), "ack 1/1 cell, disconnect 0");
    fixture_end();
}

static void the_end_cancels_what_is_held(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
    spoe_call_hold(fixture.held[0]);
    spoe_call_hold(fixture.held[2]);
    assert_reason(spoe_session_close(fixture.session, SPOE_CLOSE_PEER_GONE), SPOE_CLOSE_PEER_GONE);
    assert_log("0/1 hold /a\n1/1 hold /a\n2/1 hold /a\ncancel 1 closed\ncancel 0 closed\ncancel 2 closed\n");
    assert_int_equal(counters()->cancelled, 3);
    assert_int_equal(counters()->calls_now, 0);
    fixture_end();
}

/* ---- overload --------------------------------------------------------------------------------------------------- */

static void calls_beyond_the_limit_are_answered_at_once(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(&(struct spoe_limits){.max_calls = 2});
    wire_init(&wire);
    for (unsigned i = 0; i < 4; i++)
        wire_notify(&wire, i, 1, "hold", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 2/1 learn, ack 3/1 learn");
    assert_int_equal(counters()->overloads, 2);
    answer_held(0);
    assert_reason(notify(5, "now"), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 0/1 cell, ack 5/1 cell");
    fixture_end();
}

static void quick_answers_of_one_read_are_no_overload(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(&(struct spoe_limits){.max_calls = 2});
    wire_init(&wire);
    for (unsigned i = 0; i < 9; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_int_equal(counters()->overloads, 0);
    assert_int_equal(counters()->acks, 9);
    assert_int_equal(fixture.largest_batch, 2);
    fixture_end();
}

static void a_batch_has_its_limit(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(&(struct spoe_limits){.max_calls = 1000});
    wire_init(&wire);
    for (unsigned i = 0; i < 300; i++)
        wire_notify(&wire, i, 1, "hold", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    assert_int_equal(fixture.largest_batch, SPOE_BATCH_MAX);
    assert_int_equal(counters()->batches, 3);
    assert_int_equal(fixture.held_count, 300);
    assert_reason(tick_at(30), SPOE_CLOSE_NONE);
    fixture_end();
}

/* ---- silence ---------------------------------------------------------------------------------------------------- */

static void hello_must_come_in_time(void **state)
{
    (void)state;
    fixture_begin(&(struct spoe_limits){.hello_ms = 500});
    assert_wakeup(500);
    assert_reason(feed(hello_2_6, HELLO_2_6_SIZE - 1), SPOE_CLOSE_NONE);
    assert_reason(tick_at(499), SPOE_CLOSE_NONE);
    assert_reason(tick_at(500), SPOE_CLOSE_HELLO_TIMEOUT);
    assert_string_equal(take_output(), "disconnect 2");
    fixture_end();
}

static void an_idle_connection_ends_if_told_so(void **state)
{
    (void)state;
    fixture_begin_greeted(&(struct spoe_limits){.idle_ms = 100, .deadline_ms = 1000});
    assert_wakeup(100);
    fixture.now_ms = START_MS + 50;
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    assert_wakeup(1050); /* it is not idle: it waits for us */
    assert_reason(tick_at(500), SPOE_CLOSE_NONE);
    answer_held(0);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_wakeup(150);
    assert_reason(tick_at(500), SPOE_CLOSE_IDLE);
    assert_string_equal(take_output(), "disconnect 0");
    fixture_end();
}

static void an_idle_connection_stays_otherwise(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_true(spoe_session_wakeup(fixture.session) == UINT64_MAX);
    assert_reason(tick_at(1000000000), SPOE_CLOSE_NONE);
    fixture_end();
}

/* ---- a peer that does not read ---------------------------------------------------------------------------------- */

static void unsent_bytes_are_bounded(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(&(struct spoe_limits){.max_unsent = 256});
    wire_init(&wire);
    for (unsigned i = 0; i < 20; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    wire_notify(&wire, 20, 1, "hold", "/a");
    assert_reason(feed_wire(&wire), SPOE_CLOSE_NOT_READING);
    assert_in_range(spoe_session_unsent(fixture.session), 1, 256);
    assert_log("0/1 now /a\n1/1 now /a\n2/1 now /a\n3/1 now /a\n4/1 now /a\n5/1 now /a\n6/1 now /a\n7/1 now /a\n"
               "8/1 now /a\n9/1 now /a\n10/1 now /a\n11/1 now /a\n12/1 now /a\n13/1 now /a\n14/1 now /a\n15/1 now /a\n"
               "16/1 now /a\n17/1 now /a\n18/1 now /a\n19/1 now /a\n20/1 hold /a\ncancel 0 closed\n");
    fixture_end();
}

static void answers_given_outside_of_a_feed_are_bounded_too(void **state)
{
    (void)state;
    fixture_begin_greeted(&(struct spoe_limits){.max_unsent = 256});
    for (unsigned i = 0; i < 20; i++)
        assert_reason(notify(i, "hold"), SPOE_CLOSE_NONE);
    for (unsigned i = 0; i < 19; i++)
        answer_held(i); /* none of these cancels another: that would come as a surprise */
    assert_log(
        "0/1 hold /a\n1/1 hold /a\n2/1 hold /a\n3/1 hold /a\n4/1 hold /a\n5/1 hold /a\n6/1 hold /a\n7/1 hold /a\n"
        "8/1 hold /a\n9/1 hold /a\n10/1 hold /a\n11/1 hold /a\n12/1 hold /a\n13/1 hold /a\n14/1 hold /a\n"
        "15/1 hold /a\n16/1 hold /a\n17/1 hold /a\n18/1 hold /a\n19/1 hold /a\n");
    assert_int_equal(fixture.outputs, 19);
    assert_reason(spoe_session_reason(fixture.session), SPOE_CLOSE_NONE);
    assert_reason(tick_at(1), SPOE_CLOSE_NOT_READING);
    assert_int_equal(counters()->cancelled, 1);
    fixture_end();
}

static size_t allocated;

static void *allocate_and_count(size_t size)
{
    allocated += size;
    return malloc(size);
}

/* A peer that sends until it is closed, and reads nothing. */
static void send_until_closed(struct spoe_session *session, struct wire *wire)
{
    uint8_t *copy = exact_copy(wire->bytes, wire->w.used);
    enum spoe_close reason = SPOE_CLOSE_NONE;
    for (unsigned i = 0; i < 1000 && reason == SPOE_CLOSE_NONE; i++)
        reason = spoe_session_feed(session, copy, wire->w.used, fixture.now_ms);
    free(copy);
    assert_reason(reason, SPOE_CLOSE_NOT_READING);
}

static void peers_that_do_not_read_share_a_bound(void **state)
{
    enum { SILENT = 300, EXTRA = 1 << 20 };
    (void)state;
    static struct spoe_session *silent[SILENT];
    static struct wire wire;
    fixture_begin_greeted(&(struct spoe_limits){.max_extra = EXTRA});
    spoe_common_set_allocator(fixture.common, allocate_and_count);
    allocated = 0;
    for (unsigned i = 0; i < SILENT; i++) {
        silent[i] = spoe_session_new(fixture.common, &fixture, i + 2, fixture.now_ms);
        assert_non_null(silent[i]);
        wire_init(&wire);
        wire_hello(&wire, 16380, false);
        assert_reason(spoe_session_feed(silent[i], wire.bytes, wire.w.used, fixture.now_ms), SPOE_CLOSE_NONE);
    }
    wire_init(&wire);
    for (unsigned i = 0; i < 100; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    for (unsigned i = 0; i < SILENT; i++)
        send_until_closed(silent[i], &wire);
    assert_in_range(allocated, 0, EXTRA + SILENT * (16384 + 1024)); /* and not 300 times max_unsent: 77 MB */
    for (unsigned i = 0; i < 200; i++) {                            /* one that reads does not notice */
        assert_reason(feed(wire.bytes, wire.w.used), SPOE_CLOSE_NONE);
        assert_int_equal(spoe_session_unsent(fixture.session) > 0, true);
        spoe_session_sent(fixture.session, spoe_session_unsent(fixture.session), fixture.now_ms);
    }
    for (unsigned i = 0; i < SILENT; i++)
        spoe_session_free(silent[i]);
    fixture_end();
}

static void a_stall_ends_it(void **state)
{
    (void)state;
    fixture_begin_greeted(&(struct spoe_limits){.stall_ms = 200});
    fixture.now_ms = START_MS + 50;
    assert_reason(notify(1, "now"), SPOE_CLOSE_NONE);
    assert_wakeup(250);
    assert_reason(tick_at(249), SPOE_CLOSE_NONE);
    spoe_session_sent(fixture.session, 5, START_MS + 249); /* it took some */
    assert_wakeup(449);
    assert_reason(tick_at(448), SPOE_CLOSE_NONE);
    assert_reason(tick_at(449), SPOE_CLOSE_NOT_READING);
    fixture_end();
}

/* ---- draining --------------------------------------------------------------------------------------------------- */

static void an_idle_session_finishes_at_once(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(spoe_session_finish(fixture.session), SPOE_CLOSE_DRAINED);
    assert_string_equal(take_output(), "disconnect 0");
    fixture_end();
}

static void everything_is_answered_before_the_goodbye(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    assert_reason(notify(2, "hold"), SPOE_CLOSE_NONE);
    assert_reason(spoe_session_finish(fixture.session), SPOE_CLOSE_NONE);
    assert_reason(notify(3, "now"), SPOE_CLOSE_NONE); /* it came too late for HAProxy to know: unknown, at once */
    answer_held(0);
    assert_reason(tick_at(1), SPOE_CLOSE_NONE);
    answer_held(1);
    assert_reason(tick_at(2), SPOE_CLOSE_DRAINED);
    assert_string_equal(take_output(), "ack 3/1 learn, ack 1/1 cell, ack 2/1 cell, disconnect 0");
    assert_int_equal(counters()->overloads, 1);
    assert_int_equal(counters()->cancelled, 0);
    fixture_end();
}

static void a_deadline_ends_the_drain_too(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    assert_reason(spoe_session_finish(fixture.session), SPOE_CLOSE_NONE);
    assert_reason(tick_at(30), SPOE_CLOSE_DRAINED);
    assert_string_equal(take_output(), "ack 1/1 learn, disconnect 0");
    fixture_end();
}

static void a_session_without_hello_finishes_too(void **state)
{
    (void)state;
    fixture_begin(NULL);
    assert_reason(feed(hello_2_6, 10), SPOE_CLOSE_NONE);
    assert_reason(spoe_session_finish(fixture.session), SPOE_CLOSE_DRAINED);
    fixture_end();
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* A conversation with fewer and fewer allocations: each ends well or with NO_MEMORY, and nothing is lost or answered
 * twice (fixture_end). */
static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    unsigned survived = 0;
    for (unsigned allowed = 0; allowed < 10; allowed++) {
        struct wire wire;
        fixture_begin(NULL);
        fixture.allocations_left = allowed;
        spoe_common_set_allocator(fixture.common, fixture_allocate);
        wire_init(&wire);
        wire_hello(&wire, 16380, false);
        for (unsigned i = 0; i < 70; i++)
            wire_notify(&wire, i, 1, i % 2 ? "hold" : "now", "/a");
        enum spoe_close reason = feed(wire.bytes, wire.w.used - 1);
        if (reason == SPOE_CLOSE_NONE)
            reason = feed(wire.bytes + wire.w.used - 1, 1);
        if (reason == SPOE_CLOSE_NONE)
            survived++;
        else
            assert_reason(reason, SPOE_CLOSE_NO_MEMORY);
        fixture_end();
    }
    assert_in_range(survived, 5, 9); /* it is not the number that counts, but that both happened */
}

static void without_memory_for_a_call_it_is_answered_at_once(void **state)
{
    (void)state;
    fixture_begin_greeted(NULL);
    fixture.allocations_left = 0;
    spoe_common_set_allocator(fixture.common, fixture_allocate);
    assert_reason(notify(1, "now"), SPOE_CLOSE_NONE);
    assert_string_equal(take_output(), "ack 1/1 learn");
    assert_int_equal(counters()->overloads, 1);
    fixture_end();
}

static void steady_work_allocates_nothing(void **state)
{
    (void)state;
    struct wire wire;
    fixture_begin_greeted(NULL);
    wire_init(&wire);
    for (unsigned i = 0; i < 100; i++)
        wire_notify(&wire, i, 1, i % 2 ? "hold" : "now", "/a");
    assert_reason(feed(wire.bytes, wire.w.used), SPOE_CLOSE_NONE);
    assert_reason(tick_at(30), SPOE_CLOSE_NONE);
    take_output();
    fixture.allocations_left = 0;
    spoe_common_set_allocator(fixture.common, fixture_allocate);
    for (unsigned round = 1; round < 20; round++) {
        assert_reason(feed(wire.bytes, wire.w.used), SPOE_CLOSE_NONE);
        assert_reason(tick_at(30 * (round + 1)), SPOE_CLOSE_NONE);
        take_output();
    }
    assert_int_equal(counters()->overloads, 0);
    fixture_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_answers_unknown_and_cancels),
        cmocka_unit_test(never_two_answers),
        cmocka_unit_test(many_deadlines_in_order),
        cmocka_unit_test(others_may_be_answered_at_a_deadline),
        cmocka_unit_test(time_does_not_run_backwards),
        cmocka_unit_test(a_call_that_is_held_has_neither_deadline_nor_place),
        cmocka_unit_test(a_drain_waits_for_what_is_held),
        cmocka_unit_test(the_end_cancels_what_is_held),
        cmocka_unit_test(calls_beyond_the_limit_are_answered_at_once),
        cmocka_unit_test(quick_answers_of_one_read_are_no_overload),
        cmocka_unit_test(a_batch_has_its_limit),
        cmocka_unit_test(hello_must_come_in_time),
        cmocka_unit_test(an_idle_connection_ends_if_told_so),
        cmocka_unit_test(an_idle_connection_stays_otherwise),
        cmocka_unit_test(unsent_bytes_are_bounded),
        cmocka_unit_test(answers_given_outside_of_a_feed_are_bounded_too),
        cmocka_unit_test(peers_that_do_not_read_share_a_bound),
        cmocka_unit_test(a_stall_ends_it),
        cmocka_unit_test(an_idle_session_finishes_at_once),
        cmocka_unit_test(everything_is_answered_before_the_goodbye),
        cmocka_unit_test(a_deadline_ends_the_drain_too),
        cmocka_unit_test(a_session_without_hello_finishes_too),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(without_memory_for_a_call_it_is_answered_at_once),
        cmocka_unit_test(steady_work_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
