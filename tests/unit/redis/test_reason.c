/* tests/unit/redis/test_reason.c - Redis' error replies, as its versions 6 and 7 put them, and the table's own
 * names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/reason.h"
#include "redis/scripts.h"

static const struct {
    enum store_reason reason;
    const char *text;
} errors[] = {
    {STORE_REASON_READONLY, "READONLY You can't write against a read only replica."},
    {STORE_REASON_READONLY, "READONLY You can't write against a read only replica. script: a0, on @user_script:35."},
    {STORE_REASON_READONLY,
     "ERR Error running script (call to f_a0): @user_script:35: @user_script: 35: -READONLY You can't "
     "write against a read only replica."},
    {STORE_REASON_OOM, "OOM command not allowed when used memory > 'maxmemory'."},
    {STORE_REASON_OOM,
     "ERR Error running script (call to f_a0): @user_script:2: -OOM command not allowed when used memory"},
    {STORE_REASON_NOAUTH, "NOAUTH Authentication required."},
    {STORE_REASON_WRONGPASS, "WRONGPASS invalid username-password pair or user is disabled."},
    {STORE_REASON_WRONGPASS, "ERR invalid password"},
    {STORE_REASON_WRONGPASS, "ERR AUTH <password> called without any password configured for the default user."},
    {STORE_REASON_NOPERM, "NOPERM this user has no permissions to run the 'publish' command"},
    {STORE_REASON_LOADING, "LOADING Redis is loading the dataset in memory"},
    {STORE_REASON_BUSY, "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."},
    {STORE_REASON_MOVED, "MOVED 3999 127.0.0.1:6381"},
    {STORE_REASON_ASK, "ASK 3999 127.0.0.1:6381"},
    {STORE_REASON_CROSSSLOT, "CROSSSLOT Keys in request don't hash to the same slot"},
    {STORE_REASON_CLUSTERDOWN, "CLUSTERDOWN Hash slot not served"},
    {STORE_REASON_TRYAGAIN, "TRYAGAIN Multiple keys request during rehashing of slot"},
    {STORE_REASON_MASTERDOWN, "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."},
    {STORE_REASON_NOREPLICAS, "NOREPLICAS Not enough good replicas to write."},
    {STORE_REASON_MISCONF,
     "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."},
    {STORE_REASON_WRONGTYPE, "WRONGTYPE Operation against a key holding the wrong kind of value"},
    {STORE_REASON_NOSCRIPT, "NOSCRIPT No matching script. Please use EVAL."},
    {STORE_REASON_MAXCLIENTS, "ERR max number of clients reached"},
    {STORE_REASON_NO_USERS, "ERR wrong number of arguments for 'auth' command"},
    {STORE_REASON_UNSUPPORTED, "ERR unknown command 'CLIENT', with args beginning with: 'TRACKING'"},
    {STORE_REASON_OTHER_ERROR, "ERR syntax error"},
    {STORE_REASON_OTHER_ERROR, "ERR Error running script (call to f_a0): @user_script:1: -WHATEVER"},
    {STORE_REASON_OTHER_ERROR, ""},
    {STORE_REASON_OTHER_ERROR, "READONLYX"},
    {STORE_REASON_OTHER_ERROR, "ASKING"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        size_t n = strlen(errors[i].text);
        char *copy = malloc(n == 0 ? 1 : n);

        memcpy(copy, errors[i].text, n);
        enum store_reason reason = store_reason_of_error(copy, n);
        if (reason != errors[i].reason) {
            fail_msg("%s is taken for %s, wanted %s", errors[i].text, store_reason_name(reason),
                     store_reason_name(errors[i].reason));
        }
        for (size_t cut = 0; cut < n; cut++) { /* any beginning of it has some reason */
            char *shorter = malloc(cut == 0 ? 1 : cut);

            memcpy(shorter, copy, cut);
            assert_in_range(store_reason_of_error(shorter, cut), 1, STORE_REASON_COUNT - 1);
            free(shorter);
        }
        free(copy);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(store_reason_name(STORE_REASON_WRONGPASS), "wrongpass");
    assert_string_equal(store_reason_name(STORE_REASON_TWO_SERVERS), "two_servers");
    assert_string_equal(store_reason_name(STORE_REASON_COUNT), "unknown");
    for (unsigned i = 0; i < STORE_REASON_COUNT; i++) {
        const char *name = store_reason_name((enum store_reason)i);

        for (const char *at = name; *at != '\0'; at++)
            assert_true((*at >= 'a' && *at <= 'z') || *at == '_');
        assert_true(strlen(store_reason_text((enum store_reason)i)) >= 9);
        assert_in_range(store_reason_level((enum store_reason)i), STORE_LEVEL_ERROR, STORE_LEVEL_DEBUG);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    assert_int_equal(verdict_of("written", 7), VERDICT_WRITTEN);
    assert_int_equal(verdict_of("newer_version", 13), VERDICT_NEWER_VERSION);
    assert_int_equal(verdict_of("writte", 6), VERDICT_UNKNOWN);
    assert_int_equal(verdict_of("writtenx", 8), VERDICT_UNKNOWN);
    assert_int_equal(verdict_of("", 0), VERDICT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
