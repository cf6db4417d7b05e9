/* tests/unit/agent/config/test_places.c - mirrors agent/config/places.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/config/places.h"

static void a_client_has_room_for_a_turn_on_the_loop(void **state)
{
    (void)state;
    const struct config_haproxy some = {.maxconn = 3000}, one = {.maxconn = 1};
    assert_int_equal(places_idle_loops(&some), 1500);
    assert_int_equal(places_inner(&some), 4500);
    assert_int_equal(places_global(&some), 7600);
    assert_int_equal(places_idle_loops(&one), 0);
    assert_int_equal(places_global(&one), 102);
}

static void one_request_may_always_wait(void **state)
{
    (void)state;
    char address[] = "unix@/bodies";
    const struct config_haproxy one = {.maxconn = 1, .large_buffer = 1 << 20, .large_address = address},
                                some = {.maxconn = 100, .large_buffer = 1 << 20, .large_address = address},
                                open = {.large_buffer = 1 << 20, .large_address = address};
    assert_int_equal(places_class_queue(&one), 1);
    assert_int_equal(places_class_queue(&some), 50);
    assert_int_equal(places_class_queue(&open), 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_has_room_for_a_turn_on_the_loop),
        cmocka_unit_test(one_request_may_always_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
