/* tests/unit/spoe/test_server.c - the server with a loop and real sockets: draining, counting, too many connections. */
#include <netinet/in.h>
#include <sys/stat.h>

#include "tests/unit/spoe/loop_fixture.h"

static struct spoe_server *server;

static void begin(const struct spoe_server_options *changed)
{
    loop_begin();
    struct spoe_server_options options = changed ? *changed : loop_options();
    server = spoe_server_new(loop_fixture.loop, &options);
    assert_non_null(server);
}

static void listen_at(const char *address)
{
    char error[300] = "";
    if (!spoe_server_listen(server, address, NULL, error, sizeof error))
        fail_msg("%s", error);
}

static void begin_listening(const struct spoe_server_options *changed)
{
    begin(changed);
    listen_at(in_folder("unix:", "a.sock"));
}

static void end(void)
{
    spoe_server_free(server);
    server = NULL;
    loop_end();
}

static struct spoe_stats stats(void)
{
    struct spoe_stats copy;
    spoe_server_stats(server, &copy);
    return copy;
}

static void connect_greeted(struct peer *peer)
{
    peer_connect(peer, in_folder("", "a.sock"));
    peer_greet(peer);
}

static void check_is_answered(const char *answer)
{
    struct peer peer;
    struct wire wire;
    wire_init(&wire);
    peer_connect(&peer, in_folder("", "a.sock"));
    wire_hello(&wire, 16380, true);
    peer_send(&peer, &wire);
    peer_expect(&peer, answer);
    peer_expect_end(&peer);
    peer_end(&peer);
}

static bool is_drained(void *argument)
{
    (void)argument;
    return loop_fixture.drains > 0;
}

static void run_until_drained(void)
{
    run_until(is_drained, NULL, "the end of the drain");
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void it_serves_and_counts(void **state)
{
    (void)state;
    struct peer peer;
    begin_listening(NULL);
    connect_greeted(&peer);
    peer_notify(&peer, 1, "now");
    peer_expect(&peer, "ack 1/1 cell");
    check_is_answered("hello 16380");
    struct spoe_stats seen = stats();
    assert_int_equal(seen.connections, 2);
    assert_int_equal(seen.sessions.notifies, 1);
    assert_int_equal(seen.sessions.acks, 1);
    assert_int_equal(seen.sessions.healthchecks, 1);
    assert_int_equal(seen.sessions.closes[SPOE_CLOSE_HEALTHCHECK], 1);
    assert_int_equal(seen.accept_errors, 0);
    assert_true(seen.sessions.bytes_in > 0 && seen.sessions.bytes_out > 0 && seen.reads > 0 && seen.writes > 0);
    peer_end(&peer);
    end();
    assert_false(exists(in_folder("", "a.sock")));
}

static void several_listeners(void **state)
{
    (void)state;
    struct peer peers[2];
    begin_listening(NULL);
    assert_int_equal(spoe_server_port(server), 0);
    listen_at("127.0.0.1:0");
    listen_at("127.0.0.1:0");
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(spoe_server_port(server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    peer_begin(&peers[0], fd);
    peer_greet(&peers[0]);
    connect_greeted(&peers[1]);
    peer_notify(&peers[0], 1, "hold");
    peer_notify(&peers[1], 1, "now");
    peer_expect(&peers[1], "ack 1/1 cell");
    run_until_held(1);

    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    peer_end(&peers[0]);
    run_until_closed(1);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_PEER_RESET);
    assert_int_equal(loop_fixture.cancelled, 1);
    peer_end(&peers[1]);
    end();
}

static void a_listener_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct peer peer;
    char error[300] = "";
    begin_listening(NULL);
    assert_false(spoe_server_listen(server, in_folder("unix:", "a.sock"), NULL, error, sizeof error));
    assert_non_null(strstr(error, "in use"));
    assert_false(spoe_server_listen(server, "nonsense", NULL, error, sizeof error));
    connect_greeted(&peer);
    peer_end(&peer);
    end();
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    loop_begin();
    struct spoe_server_options options = loop_options();
    options.limits.max_frame = 100;
    assert_null(spoe_server_new(loop_fixture.loop, &options));
    options = loop_options();
    options.handler.unknown_count = 0;
    assert_null(spoe_server_new(loop_fixture.loop, &options));
    spoe_server_free(NULL);
    loop_end();
}

static void too_many_connections(void **state)
{
    (void)state;
    struct peer peers[3];
    struct spoe_server_options options = loop_options();
    options.max_connections = 2;
    begin_listening(&options);
    connect_greeted(&peers[0]);
    connect_greeted(&peers[1]);
    peer_connect(&peers[2], in_folder("", "a.sock"));
    peer_expect_end(&peers[2]);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_TOO_MANY);
    assert_int_equal(stats().connections_now, 2);
    peer_end(&peers[2]);
    peer_notify(&peers[1], 1, "now");
    peer_expect(&peers[1], "ack 1/1 cell");
    peer_end(&peers[1]);
    run_until_closed(2);
    connect_greeted(&peers[2]); /* there is room again */
    peer_end(&peers[0]);
    peer_end(&peers[2]);
    end();
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static void a_drain_fails_checks_then_answers_then_leaves(void **state)
{
    (void)state;
    struct peer peer, newcomer;
    begin_listening(NULL);
    connect_greeted(&peer);
    spoe_server_drain(server, 300);
    check_is_answered("disconnect 99");
    peer_notify(&peer, 1, "now"); /* the lame duck still serves, and takes connections */
    peer_expect(&peer, "ack 1/1 cell");
    connect_greeted(&newcomer);
    peer_notify(&newcomer, 2, "hold");
    run_until_held(1);
    peer_expect(&peer, "disconnect 0"); /* the second phase: idle ones first */
    assert_false(exists(in_folder("", "a.sock")));
    assert_int_equal(loop_fixture.drains, 0);
    peer_notify(&newcomer, 3, "now");
    peer_expect(&newcomer, "ack 3/1 learn");
    loop_answer_held();
    peer_expect(&newcomer, "ack 2/1 cell, disconnect 0");
    peer_expect_end(&newcomer);
    peer_end(&newcomer);
    peer_expect_end(&peer);
    peer_end(&peer);
    run_until_drained();
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_DRAINED);
    assert_int_equal(loop_fixture.cancelled, 0);
    run_turns();
    assert_int_equal(loop_fixture.drains, 1);
    end();
}

static void free_it(void)
{
    spoe_server_free(server);
    server = NULL;
}

static void the_server_may_be_freed_when_drained(void **state)
{
    (void)state;
    begin_listening(NULL);
    loop_fixture.then = free_it;
    spoe_server_drain(server, 0);
    run_until_drained();
    assert_null(server);
    loop_end();
}

static void drain_it(void)
{
    loop_fixture.then = NULL;
    spoe_server_drain(server, 0);
}

static void a_drain_may_begin_in_a_handler(void **state)
{
    (void)state;
    struct peer peer;
    begin_listening(NULL);
    connect_greeted(&peer);
    loop_fixture.then = drain_it;
    peer_notify(&peer, 1, "now");
    peer_expect(&peer, "ack 1/1 cell, disconnect 0");
    peer_end(&peer);
    run_until_drained();
    end();
}

static void a_second_drain_can_only_hurry(void **state)
{
    (void)state;
    begin_listening(NULL);
    spoe_server_drain(server, 3600000);
    run_turns();
    spoe_server_drain(server, 7200000);
    spoe_server_drain(server, 1);
    run_until_drained();
    spoe_server_drain(server, 0);
    run_turns();
    assert_int_equal(loop_fixture.drains, 1);
    end();
}

/* Calls that nobody answers hold a drain up until their deadline, not longer. */
static void a_drain_ends_with_the_deadlines(void **state)
{
    (void)state;
    struct peer peer;
    struct spoe_server_options options = loop_options();
    options.limits.deadline_ms = 50;
    begin_listening(&options);
    connect_greeted(&peer);
    peer_notify(&peer, 1, "hold");
    run_until_held(1);
    spoe_server_drain(server, 0);
    peer_expect(&peer, "ack 1/1 learn, disconnect 0");
    peer_end(&peer);
    run_until_drained();
    end();
}

static void freeing_cuts_everything(void **state)
{
    (void)state;
    struct peer peer;
    unsigned files = open_files();
    begin_listening(NULL);
    connect_greeted(&peer);
    peer_notify(&peer, 1, "hold");
    run_until_held(1);
    spoe_server_free(server);
    assert_int_equal(loop_fixture.cancelled, 1);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_CUT);
    assert_false(exists(in_folder("", "a.sock")));
    peer_expect(&peer, "disconnect 0");
    peer_expect_end(&peer);
    peer_end(&peer);
    loop_end();
    assert_int_equal(open_files(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_serves_and_counts),
        cmocka_unit_test(several_listeners),
        cmocka_unit_test(a_listener_that_fails_changes_nothing),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(too_many_connections),
        cmocka_unit_test(a_drain_fails_checks_then_answers_then_leaves),
        cmocka_unit_test(the_server_may_be_freed_when_drained),
        cmocka_unit_test(a_drain_may_begin_in_a_handler),
        cmocka_unit_test(a_second_drain_can_only_hurry),
        cmocka_unit_test(a_drain_ends_with_the_deadlines),
        cmocka_unit_test(freeing_cuts_everything),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
