/* tests/unit/spoe/test_close.c - the table of reasons to close: names, levels, what HAProxy is told. */
#include <ctype.h>

#include "spoe/close.h"
#include "tests/unit/spoe/wire.h"

static const char *const ids[] = {
    "NONE",
#define SPOE_CLOSE(id, name, level, status, text) #id,
#include "spoe/close.def"
#undef SPOE_CLOSE
};

static void names_are_the_ids_in_small_letters(void **state)
{
    (void)state;
    for (int reason = 0; reason < SPOE_CLOSE_COUNT; reason++) {
        char small[64] = {0};
        for (size_t i = 0; ids[reason][i]; i++)
            small[i] = (char)tolower((unsigned char)ids[reason][i]);
        assert_string_equal(spoe_close_name((enum spoe_close)reason), small);
    }
}

static void texts_fit_haproxys_limit(void **state)
{
    (void)state;
    for (int reason = 0; reason < SPOE_CLOSE_COUNT; reason++)
        assert_in_range(strlen(spoe_close_text((enum spoe_close)reason)), 5, 255);
}

static void what_is_no_reason_is_none(void **state)
{
    (void)state;
    assert_string_equal(spoe_close_name(SPOE_CLOSE_COUNT), "none");
    assert_string_equal(spoe_close_name((enum spoe_close) - 1), "none");
    assert_int_equal(spoe_close_level((enum spoe_close)1000), SPOE_QUIET);
    assert_int_equal(spoe_close_status(SPOE_CLOSE_NONE), -1);
}

static void health_checks_are_quiet_and_the_peers_faults_are_not(void **state)
{
    (void)state;
    assert_int_equal(spoe_close_level(SPOE_CLOSE_HEALTHCHECK), SPOE_QUIET);
    assert_int_equal(spoe_close_level(SPOE_CLOSE_HEALTHCHECK_DRAIN), SPOE_QUIET);
    assert_int_equal(spoe_close_level(SPOE_CLOSE_BAD_FRAME), SPOE_WARN);
    assert_int_equal(spoe_close_status(SPOE_CLOSE_FRAGMENTED), SPOP_STATUS_FRAGMENTED);
    assert_int_equal(spoe_close_status(SPOE_CLOSE_DRAINED), SPOP_STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_ids_in_small_letters),
        cmocka_unit_test(texts_fit_haproxys_limit),
        cmocka_unit_test(what_is_no_reason_is_none),
        cmocka_unit_test(health_checks_are_quiet_and_the_peers_faults_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
