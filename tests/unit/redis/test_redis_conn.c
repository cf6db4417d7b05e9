/* tests/unit/redis/test_redis_conn.c - a connection to a name: one lookup at a time, beside the loop. */
#include "redis/redis_conn.h"

#include <stdlib.h>

#include <ev.h>

#include "base/listen_socket.h"
#include "tests/unit/base/name_server.h"

struct fixture {
    struct ev_loop *loop;
    struct redis_conn *conn;
    struct address address;
    unsigned downs;
    enum store_reason reason; /* of the last one */
};

static void on_up(void *user)
{
    (void)user;
}

static void on_down(void *user, bool was_up, enum store_reason reason, const char *detail)
{
    struct fixture *f = user;

    (void)detail;
    assert_false(was_up);
    f->downs++;
    f->reason = reason;
}

/* Nobody listens on the port. */
static int set_up(void **state)
{
    static const struct redis_conn_events events = {.on_up = on_up, .on_down = on_down, .on_message = NULL};
    struct fixture *f = calloc(1, sizeof *f);
    struct listen_socket gone;
    char error[300];

    assert_non_null(f);
    memset(&name_server, 0, sizeof name_server);
    assert_true(listen_socket_open(&gone, "127.0.0.1:0", NULL, error, sizeof error));
    listen_socket_close(&gone);
    f->loop = ev_loop_new(0);
    f->address = (struct address){.kind = ADDRESS_TCP, .port = gone.port, .where = "redis.example"};
    struct redis_conn_setup setup = {.loop = f->loop,
                                     .address = &f->address,
                                     .client_name = "test",
                                     .connect_ms = 30,
                                     .watchdog_ms = 1000,
                                     .backoff_min_ms = 5,
                                     .backoff_max_ms = 10,
                                     .seed = 1};
    f->conn = redis_conn_new(&setup, &events, f);
    assert_non_null(f->conn);
    redis_conn_start(f->conn);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    redis_conn_free(f->conn);
    ev_loop_destroy(f->loop);
    free(f);
    return 0;
}

static void run_until_down(struct fixture *f, unsigned times)
{
    for (times += f->downs; f->downs < times;)
        ev_run(f->loop, EVRUN_ONCE);
}

static void a_slow_name_server_is_asked_once(void **state)
{
    struct fixture *f = *state;

    name_server.silent = true;
    run_until_down(f, 4);
    assert_int_equal(f->reason, STORE_REASON_CONNECT_DEADLINE);
    assert_int_equal(name_server.asked, 1);
    assert_int_equal(name_server.cancelled, 0);
    name_server.silent = false;
    name_server.says[0] = "127.0.0.1";
    run_until_down(f, 1);
    assert_int_equal(f->reason, STORE_REASON_CONNECT_FAILED);
    assert_int_equal(name_server.asked, 1);
    run_until_down(f, 1);
    assert_int_equal(name_server.asked, 2);
}

static void an_end_while_a_name_is_looked_up_cancels(void **state)
{
    struct fixture *f = *state;

    name_server.silent = true;
    run_until_down(f, 1);
    redis_conn_free(f->conn);
    f->conn = NULL;
    assert_int_equal(name_server.cancelled, 1);
}

static void a_name_that_does_not_exist_is_asked_for_again(void **state)
{
    struct fixture *f = *state;

    run_until_down(f, 3);
    assert_int_equal(f->reason, STORE_REASON_CONNECT_FAILED);
    assert_int_equal(name_server.asked, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_name_server_is_asked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_while_a_name_is_looked_up_cancels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_does_not_exist_is_asked_for_again, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
