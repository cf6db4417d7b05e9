/* tests/unit/agent/router/test_router_hidden.c - hide messages: answered at their time, at once, or by nobody any
 * more. */
#include "tests/unit/agent/router/router_fixture.h"

static int setup_hidden(void **state)
{
    *state = start("hidden { min = 100 max = 100 most = 2 }");
    return 0;
}

/* A NULL elapsed is sent as NULL data. */
static void hide(struct fixture *f, const struct spop_data *elapsed)
{
    static const struct spop_data null = {.type = SPOP_NULL};
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("hide"), 2);
    arg(f, "later", "an argument that is not known yet");
    spop_write_arg(&f->out, TEXT_VIEW("elapsed"), elapsed ? elapsed : &null);
    assert_true(spop_end_frame(&f->out, begin, 16380));
}

static void hide_after(struct fixture *f, int64_t elapsed_ms)
{
    struct spop_data value = {.type = SPOP_INT64, .integer = elapsed_ms};
    hide(f, &value);
}

static void expect_at(struct fixture *f, uint64_t ms, const char *acks)
{
    now = 1000000 + ms;
    router_release(f->router);
    expect(f, acks);
}

static void answers_come_at_their_time_and_lookups_in_between(void **state)
{
    struct fixture *f = *state;
    assert_true(router_next_release_ms(f->router) == UINT64_MAX);
    hide(f, NULL);
    hide_after(f, 60);
    expect(f, "");
    assert_int_equal(router_next_release_ms(f->router), 1000042);
    lookup(f, "/a");
    expect_at(f, 41, "3:learn=true");
    expect_at(f, 42, "2:done=true");
    expect_at(f, 101, ""); /* longer than the deadline of lookups */
    expect_at(f, 102, "1:done=true");
    assert_true(router_next_release_ms(f->router) == UINT64_MAX);
    expect_counter(f, COUNTER_HIDDEN_DELAYED, 2);
    assert_int_equal(spoe_common_counters(f->common)->timeouts, 0);
}

static void an_age_that_makes_no_sense_is_not_known(void **state)
{
    struct fixture *f = *state;
    struct spop_data text = spop_string("50", 2);
    hide(f, &text);
    hide_after(f, -50);
    expect(f, "");
    assert_int_equal(router_next_release_ms(f->router), 1000102);
    expect_at(f, 101, "");
    expect_at(f, 102, "1:done=true 2:done=true");
}

static void beyond_the_limit_they_pass_at_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        hide_after(f, 0);
    expect(f, "3:done=true 4:done=true");
    expect_counter(f, COUNTER_HIDDEN_DELAYED, 2);
    expect_counter(f, COUNTER_HIDDEN_FULL, 2);
    router_sample(f->router);
    expect_counter(f, COUNTER_HIDDEN_WAITING, 2);
}

static void the_end_of_their_connection_frees_them(void **state)
{
    struct fixture *f = *state;
    hide_after(f, 0);
    hide_after(f, 0);
    expect(f, "");
    spoe_session_close(f->session, SPOE_CLOSE_PEER_GONE);
    expect_counter(f, COUNTER_HIDDEN_CANCELLED, 2);
    assert_true(router_next_release_ms(f->router) == UINT64_MAX);
}

static void a_reload_changes_those_to_come(void **state)
{
    struct fixture *f = *state;
    hide_after(f, 0);
    expect(f, "");
    struct config *fresh = config_of("");
    assert_int_equal(router_reload(f->router, fresh), 0);
    config_free(f->config);
    f->config = fresh;
    hide_after(f, 0);
    expect(f, "2:done=true");
    expect_counter(f, COUNTER_HIDDEN_OFF, 1);
    expect_at(f, 102, "1:done=true");
}

static void a_message_cut_short_is_answered_at_once(void **state)
{
    struct fixture *f = *state;
    size_t begin = spop_begin_frame(&f->out, SPOP_NOTIFY, f->next_stream++, 1);
    spop_write_message(&f->out, TEXT_VIEW("hide"), 1);
    assert_true(spop_end_frame(&f->out, begin, 16380));
    expect(f, "1:done=false");
    expect_counter(f, COUNTER_MESSAGES_MALFORMED, 1);
    expect_counter(f, COUNTER_HIDDEN_DELAYED, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup_hidden, answers_come_at_their_time_and_lookups_in_between),
        WITH(setup_hidden, an_age_that_makes_no_sense_is_not_known),
        WITH(setup_hidden, beyond_the_limit_they_pass_at_once),
        WITH(setup_hidden, the_end_of_their_connection_frees_them),
        WITH(setup_hidden, a_reload_changes_those_to_come),
        WITH(setup_hidden, a_message_cut_short_is_answered_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
