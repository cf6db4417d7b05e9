/* tests/unit/spoe/test_common.c - what sessions share: defaults, limits, the encoded "unknown", shared memory. */
#include "spoe/common.h"
#include "tests/unit/spoe/session_fixture.h"

static struct spop_action learn = {SPOP_SET_VAR, SPOP_TRANSACTION, {"learn", 5}, {.type = SPOP_BOOL, .boolean = true}};

static struct spoe_handler usual_handler(void)
{
    return (struct spoe_handler){.on_notify = on_notify, .on_cancel = on_cancel, .unknown = &learn, .unknown_count = 1};
}

static bool is_accepted(const struct spoe_limits *limits, const struct spoe_handler *handler)
{
    struct spoe_common *common = spoe_common_new(limits, handler, NULL);
    bool accepted = common;
    spoe_common_free(common);
    return accepted;
}

static void zeros_take_defaults(void **state)
{
    (void)state;
    struct spoe_handler handler = usual_handler();
    struct spoe_common *common = spoe_common_new(&(struct spoe_limits){0}, &handler, NULL);
    assert_non_null(common);
    const struct spoe_limits *limits = spoe_common_limits(common);
    assert_int_equal(limits->max_frame, 16380);
    assert_int_equal(limits->max_calls, 100);
    assert_int_equal(limits->deadline_ms, 30);
    assert_int_equal(limits->max_unsent, 262144);
    assert_int_equal(limits->max_extra, 8 << 20);
    assert_int_equal(limits->idle_ms, 0);
    spoe_common_free(common);
}

static void limits_out_of_range_are_refused(void **state)
{
    (void)state;
    struct spoe_handler handler = usual_handler();
    assert_true(is_accepted(&(struct spoe_limits){.max_frame = 256}, &handler));
    assert_false(is_accepted(&(struct spoe_limits){.max_frame = 255}, &handler));
    assert_true(is_accepted(&(struct spoe_limits){.max_frame = 1 << 20}, &handler));
    assert_false(is_accepted(&(struct spoe_limits){.max_frame = (1 << 20) + 1}, &handler));
    assert_false(is_accepted(&(struct spoe_limits){.prefix_length = 63}, &handler));
    assert_false(is_accepted(&(struct spoe_limits){.max_unsent = 255}, &handler));
}

static void a_handler_without_its_callbacks_is_refused(void **state)
{
    (void)state;
    struct spoe_limits limits = {0};
    struct spoe_handler handler = usual_handler();
    handler.on_notify = NULL;
    assert_false(is_accepted(&limits, &handler));
    handler = usual_handler();
    handler.on_cancel = NULL;
    assert_false(is_accepted(&limits, &handler));
}

static void unknown_must_be_an_answer(void **state)
{
    (void)state;
    static char longest[300];
    struct spoe_limits limits = {0};
    struct spoe_handler handler = usual_handler();
    handler.unknown_count = 0;
    assert_false(is_accepted(&limits, &handler));
    handler = usual_handler();
    struct spop_action action = learn;
    handler.unknown = &action;
    action.value = (struct spop_data){.type = SPOP_NULL};
    assert_false(is_accepted(&limits, &handler));
    /* 3 + 6 + type and length of the value are before its text */
    action.value = spop_string(longest, SPOE_UNKNOWN_MAX - 11);
    assert_true(is_accepted(&limits, &handler));
    action.value = spop_string(longest, SPOE_UNKNOWN_MAX - 10);
    assert_false(is_accepted(&limits, &handler));
}

static void no_memory_no_session(void **state)
{
    (void)state;
    struct spoe_handler handler = usual_handler();
    struct spoe_common *common = spoe_common_new(&(struct spoe_limits){0}, &handler, NULL);
    assert_non_null(common);
    fixture.allocations_left = 0;
    spoe_common_set_allocator(common, fixture_allocate);
    assert_null(spoe_session_new(common, NULL, 1, 0));
    assert_int_equal(spoe_common_counters(common)->sessions_now, 0);
    spoe_common_free(common);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_take_defaults),
        cmocka_unit_test(limits_out_of_range_are_refused),
        cmocka_unit_test(a_handler_without_its_callbacks_is_refused),
        cmocka_unit_test(unknown_must_be_an_answer),
        cmocka_unit_test(no_memory_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
