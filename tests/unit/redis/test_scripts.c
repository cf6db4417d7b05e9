/* tests/unit/redis/test_scripts.c - what a script returned as a verdict: each one, and nothing else. What the scripts
 * decide is in test_store.c and test_store_write.c, on a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "redis/scripts.h"

static const char *const texts[] = {"written", "replaced", "forgotten", "moot",          "kept",
                                    "lost",    "pinned",   "dropped",   "newer_version", "skewed"};

static void test_verdicts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verdict_of(texts[i], strlen(texts[i])), i);
        assert_int_equal(verdict_of(texts[i], strlen(texts[i]) - 1), VERDICT_UNKNOWN);
        assert_int_equal(verdict_of(texts[i], strlen(texts[i]) + 1), VERDICT_UNKNOWN); /* its zero */
    }
    assert_int_equal(verdict_of("", 0), VERDICT_UNKNOWN);
}

/* A verdict that a script gives and nobody reads would be taken for a stream out of step. */
static void test_each_is_in_a_script(void **state)
{
    char quoted[32];

    (void)state;
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        quoted[0] = '\'';
        strcpy(quoted + 1, texts[i]);
        strcat(quoted, "'");
        if (!strstr(script_put(), quoted) && !strstr(script_forget(), quoted))
            fail_msg("no script returns %s", quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts), cmocka_unit_test(test_each_is_in_a_script)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
