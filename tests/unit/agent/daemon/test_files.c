/* tests/unit/agent/daemon/test_files.c - what the agent needs itself is never given to HAProxy's connections. */
#include "agent/daemon/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct config least(void)
{
    static char nothing[] = "";
    struct config config;
    memset(&config, 0, sizeof config);
    config.admin.socket = config.http.listen = config.redis.address = config.haproxy.map_file = nothing;
    config.spoe.listen.count = 1;
    return config;
}

static void each_part_is_counted(void **state)
{
    static char something[] = "x";
    (void)state;
    struct config config = least();
    uint64_t own = files_own(&config, 3);
    assert_true(own >= 3 + 1);
    assert_int_equal(files_own(&config, 10), own + 7);
    config.spoe.listen.count = 3;
    assert_int_equal(files_own(&config, 3), own + 2);
    config = least();
    config.admin.max_clients = 16;
    assert_int_equal(files_own(&config, 3), own); /* of a socket that there is not */
    config.admin.socket = something;
    assert_true(files_own(&config, 3) >= own + 17);
    config = least();
    config.http.max_clients = 16;
    assert_int_equal(files_own(&config, 3), own);
    config.http.listen = something;
    assert_true(files_own(&config, 3) >= own + 17);
    config = least();
    config.redis.address = something;
    assert_true(files_own(&config, 3) >= own + 2);
    config = least();
    config.haproxy.runtime.count = 4;
    assert_int_equal(files_own(&config, 3), own + 4);
    config.haproxy.map_file = something;
    assert_true(files_own(&config, 3) >= own + 4 + 4 + 2);
}

static void the_rest_is_for_connections(void **state)
{
    (void)state;
    assert_int_equal(files_fit(1000, 40, 4096), 960);
    assert_int_equal(files_fit(4136, 40, 4096), 4096);
    assert_int_equal(files_fit(UINT64_MAX, 40, 4096), 4096); /* no limit */
    assert_int_equal(files_fit(64, 43, 4096), 21);
    assert_int_equal(files_fit(41, 40, 4096), 1);
    assert_int_equal(files_fit(40, 40, 4096), 0);
    assert_int_equal(files_fit(0, 40, 4096), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_counted),
        cmocka_unit_test(the_rest_is_for_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
