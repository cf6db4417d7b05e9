/* tests/unit/spoe/test_session_prepared.c - ACKs of actions that were encoded beforehand. */
#include "tests/unit/spoe/session_fixture.h"

enum { CALLS = 1500 }; /* their ACKs fill several blocks */

/* cell, learn and level; the texts lie in heap blocks that are gone when they are encoded. */
static struct spoe_prepared prepare(const char *cell)
{
    struct spoe_prepared prepared;
    char *name = (char *)exact_copy("cell", 4), *value = (char *)exact_copy(cell, strlen(cell));
    const struct spop_action actions[] = {
        {SPOP_SET_VAR, SPOP_TRANSACTION, {name, 4}, spop_string(value, strlen(cell))},
        {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("learn"), spop_bool(true)},
        {SPOP_SET_VAR, SPOP_SESSION, TEXT_VIEW("level"), spop_int32(1)},
    };
    assert_true(spoe_prepare(&prepared, actions, 3));
    free(name);
    free(value);
    return prepared;
}

static size_t take_bytes(uint8_t *bytes, size_t size)
{
    struct spoe_bytes piece;
    size_t used = 0;
    while (spoe_session_output(fixture.session, &piece, 1) > 0) {
        assert_true(piece.length <= size - used);
        memcpy(bytes + used, piece.at, piece.length);
        used += piece.length;
        spoe_session_sent(fixture.session, piece.length, fixture.now_ms);
    }
    return used;
}

/* Holds CALLS NOTIFYs with ids of all lengths. */
static void hold_many(void)
{
    static const uint64_t strides[] = {1, 300, 5000000, UINT64_C(1) << 62};
    struct wire wire;
    wire_init(&wire);
    for (unsigned i = 0; i < CALLS; i++) {
        wire_notify(&wire, i * strides[i % 4], i, "hold", "/a");
        if (i % 100 == 99)
            assert_reason(feed_wire(&wire), SPOE_CLOSE_NONE);
    }
    assert_int_equal(fixture.held_count, CALLS);
}

static void they_are_the_same_bytes(void **state)
{
    (void)state;
    static uint8_t plain[200000], quick[200000];
    size_t length[2];
    struct spoe_prepared prepared = prepare("eu0");
    const struct spop_action actions[] = {
        {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_string("eu0", 3)},
        {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("learn"), spop_bool(true)},
        {SPOP_SET_VAR, SPOP_SESSION, TEXT_VIEW("level"), spop_int32(1)},
    };
    for (unsigned round = 0; round < 2; round++) {
        fixture_begin_greeted(&(struct spoe_limits){.max_calls = CALLS});
        hold_many();
        for (size_t i = 0; i < CALLS; i++) {
            struct spoe_call *call = fixture.held[i];
            fixture.held[i] = NULL;
            if (round == 0)
                spoe_call_ack(call, actions, 3);
            else
                spoe_call_ack_prepared(call, &prepared);
        }
        assert_int_equal(fixture.outputs, CALLS);
        length[round] = take_bytes(round ? quick : plain, sizeof plain);
        assert_int_equal(counters()->acks, CALLS);
        assert_int_equal(counters()->bad_acks, 0);
        fixture_end();
    }
    assert_int_equal(length[0], length[1]);
    assert_memory_equal(plain, quick, length[0]);
}

static void what_haproxy_would_not_take_is_not_prepared(void **state)
{
    (void)state;
    static const char large[SPOE_PREPARED_MAX - 9] = "x";
    static const struct spoe_prepared nothing;
    struct spop_action good = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_string("eu0", 3)};
    struct spop_action name = good, null = good, scope = good, size = good, fits = good;
    name.name = TEXT_VIEW("a b");
    null.value.type = SPOP_NULL;
    scope.scope = (enum spop_scope)5;
    size.value = spop_string(large, sizeof large);
    fits.value = spop_string(large, sizeof large - 1 /* with the 10 bytes around it: all there are */);
    const struct spop_action cases[] = {name, null, scope, size};
    struct spoe_prepared prepared;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&prepared, 0xff, sizeof prepared);
        if (spoe_prepare(&prepared, &cases[i], 1) || memcmp(&prepared, &nothing, sizeof prepared) != 0)
            fail_msg("case %zu was prepared", i);
    }
    assert_false(spoe_prepare(&prepared, &good, 0));
    assert_true(spoe_prepare(&prepared, &fits, 1));
}

/* Answers the call that is held first. */
static void answer_first(const struct spoe_prepared *prepared)
{
    struct spoe_call *call = fixture.held[0];
    fixture.held[0] = NULL;
    fixture.held_count = 0;
    spoe_call_ack_prepared(call, prepared);
}

static void nothing_prepared_becomes_unknown(void **state)
{
    (void)state;
    static const struct spoe_prepared nothing;
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    answer_first(&nothing);
    assert_string_equal(take_output(), "ack 1/1 learn");
    assert_int_equal(counters()->bad_acks, 1);
    fixture_end();
}

/* "txn." + prefix + ".level"; HAProxy has room for 63. sess. is one longer. */
static void the_sessions_prefix_counts(void **state)
{
    (void)state;
    struct spoe_prepared prepared = prepare("eu0");
    fixture_begin_greeted(&(struct spoe_limits){.prefix_length = SPOP_NAME_MAX - 5 - 6});
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    answer_first(&prepared);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_int_equal(counters()->bad_acks, 0);
    fixture_end();
    fixture_begin_greeted(&(struct spoe_limits){.prefix_length = SPOP_NAME_MAX - 5 - 5});
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    answer_first(&prepared);
    assert_string_equal(take_output(), "ack 1/1 learn");
    assert_int_equal(counters()->bad_acks, 1);
    fixture_end();
}

static void too_late_is_ignored(void **state)
{
    (void)state;
    struct spoe_prepared prepared = prepare("eu0");
    fixture_begin_greeted(NULL);
    assert_reason(notify(1, "hold"), SPOE_CLOSE_NONE);
    struct spoe_call *call = fixture.held[0];
    answer_first(&prepared);
    spoe_call_ack_prepared(call, &prepared);
    assert_string_equal(take_output(), "ack 1/1 cell");
    assert_int_equal(counters()->late_acks, 1);
    fixture_end();
}

static void they_are_bounded_too(void **state)
{
    (void)state;
    struct spoe_prepared prepared = prepare("eu0");
    fixture_begin_greeted(&(struct spoe_limits){.max_calls = CALLS, .max_unsent = 20000});
    hold_many();
    for (size_t i = 0; i < CALLS; i++) {
        spoe_call_ack_prepared(fixture.held[i], &prepared);
        fixture.held[i] = NULL;
        assert_true(spoe_session_unsent(fixture.session) <= 20000);
    }
    assert_reason(spoe_session_tick(fixture.session, fixture.now_ms), SPOE_CLOSE_NOT_READING);
    fixture_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_the_same_bytes),
        cmocka_unit_test(what_haproxy_would_not_take_is_not_prepared),
        cmocka_unit_test(nothing_prepared_becomes_unknown),
        cmocka_unit_test(the_sessions_prefix_counts),
        cmocka_unit_test(too_late_is_ignored),
        cmocka_unit_test(they_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
