/* tests/unit/spoe/test_conn.c - connections over real sockets on a loop: lingering, dirty ones, timers, the end. */
#include "spoe/conn.h"
#include "tests/unit/spoe/loop_fixture.h"

static struct spoe_conns conns;

static void on_turn(void *owner)
{
    assert_ptr_equal(owner, &conns);
}

static void begin(const struct spoe_limits *limits)
{
    loop_begin();
    struct spoe_server_options options = loop_options();
    if (limits)
        options.limits = *limits;
    assert_true(spoe_conns_init(&conns, loop_fixture.loop, &options, on_turn, &conns));
}

static void end(void)
{
    spoe_conns_deinit(&conns);
    loop_end();
}

/* A connection through a pair of sockets. */
static void connect_peer(struct peer *peer)
{
    int fds[2], size = 6144; /* as spoe/listener.c sets it */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    assert_true(spoe_conns_add(&conns, fds[0], SPOE_CLOSE_NONE));
    peer_begin(peer, fds[1]);
}

static bool all_gone(void *argument)
{
    (void)argument;
    return conns.now == 0;
}

static void run_until_all_gone(void)
{
    run_until(all_gone, NULL, "all connections to be gone");
}

static const struct spoe_counters *counters(void)
{
    return spoe_common_counters(conns.common);
}

static void a_read_and_a_write_for_a_batch(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    begin(NULL);
    connect_peer(&peer);
    peer_greet(&peer);
    uint64_t reads = conns.reads, writes = conns.writes;
    wire_init(&wire);
    for (unsigned i = 0; i < 3; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    peer_send(&peer, &wire);
    peer_expect(&peer, "ack 0/1 cell, ack 1/1 cell, ack 2/1 cell");
    assert_int_equal(conns.reads - reads, 1);
    assert_int_equal(conns.writes - writes, 1);
    assert_int_equal(loop_fixture.largest_batch, 3);
    peer_end(&peer);
    end();
}

static void later_answers_share_a_write(void **state)
{
    (void)state;
    struct peer peer;
    begin(NULL);
    connect_peer(&peer);
    peer_greet(&peer);
    for (unsigned i = 0; i < 3; i++)
        peer_notify(&peer, i, "hold");
    run_until_held(3);
    uint64_t writes = conns.writes;
    loop_answer_held();
    assert_int_equal(conns.writes, writes);
    peer_expect(&peer, "ack 0/1 cell, ack 1/1 cell, ack 2/1 cell");
    assert_int_equal(conns.writes - writes, 1);
    peer_end(&peer);
    end();
}

static void on_late_prepare(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    (void)revents;
    if (loop_fixture.held_count == 1)
        ev_prepare_stop(loop, watcher);
    loop_answer_held();
}

/* Another prepare watcher gives the answer after ours has run: the loop must not fall asleep on it. */
static void an_answer_at_the_very_end_of_a_turn_is_sent(void **state)
{
    (void)state;
    struct peer peer;
    ev_prepare late;
    begin(NULL);
    connect_peer(&peer);
    peer_greet(&peer);
    ev_prepare_init(&late, on_late_prepare);
    ev_set_priority(&late, EV_MINPRI);
    ev_prepare_start(loop_fixture.loop, &late);
    ev_ref(loop_fixture.loop); /* ours goes behind it: of one priority the last is called first */
    ev_prepare_stop(loop_fixture.loop, &conns.turn);
    ev_prepare_start(loop_fixture.loop, &conns.turn);
    ev_unref(loop_fixture.loop);
    double before = ev_time();
    peer_notify(&peer, 1, "hold");
    peer_expect(&peer, "ack 1/1 cell");
    assert_true(ev_time() - before < PATIENCE_S / 2);
    assert_false(ev_is_active(&late));
    peer_end(&peer);
    end();
}

static void a_deadline_wakes_the_loop(void **state)
{
    (void)state;
    struct peer peer;
    begin(&(struct spoe_limits){.deadline_ms = 20, .hello_ms = 3600000});
    connect_peer(&peer);
    peer_greet(&peer);
    peer_notify(&peer, 1, "hold");
    peer_expect(&peer, "ack 1/1 learn");
    assert_int_equal(loop_fixture.cancelled, 1);
    peer_notify(&peer, 2, "hold");
    peer_expect(&peer, "ack 2/1 learn");
    assert_int_equal(counters()->timeouts, 2);
    peer_end(&peer);
    end();
}

static void a_silent_connection_is_closed(void **state)
{
    (void)state;
    struct peer peer;
    begin(&(struct spoe_limits){.hello_ms = 20});
    connect_peer(&peer);
    peer_expect(&peer, "disconnect 2");
    peer_expect_end(&peer);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_HELLO_TIMEOUT);
    peer_end(&peer);
    run_until_all_gone();
    end();
}

static void a_peer_that_leaves_cancels_its_calls(void **state)
{
    (void)state;
    struct peer peer, other;
    begin(NULL);
    connect_peer(&peer);
    connect_peer(&other);
    peer_greet(&peer);
    peer_greet(&other);
    peer_notify(&peer, 1, "hold");
    run_until_held(1);
    peer_notify(&other, 1, "hold"); /* the same ids */
    run_until_held(2);
    peer_end(&peer);
    run_until_closed(1);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_PEER_GONE);
    assert_int_equal(loop_fixture.closed.connection, 1);
    assert_int_equal(loop_fixture.cancelled, 1);
    assert_int_equal(conns.now, 1);
    loop_answer_held();
    peer_expect(&other, "ack 1/1 cell");
    peer_end(&other);
    run_until_all_gone();
    end();
}

static void bytes_before_a_half_close_are_answered(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    begin(NULL);
    connect_peer(&peer);
    wire_init(&wire);
    wire_hello(&wire, 16380, false);
    wire_notify(&wire, 1, 1, "now", "/a");
    peer_send(&peer, &wire);
    shutdown(peer.fd, SHUT_WR);
    peer_expect(&peer, "hello 16380, ack 1/1 cell");
    peer_expect_end(&peer);
    peer_end(&peer);
    end();
}

/* The peer reads the goodbye though it had sent more, which nobody read any more. */
static void a_bad_frame_is_answered_and_closed(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    begin(NULL);
    connect_peer(&peer);
    peer_greet(&peer);
    peer_notify(&peer, 1, "hold");
    run_until_held(1);
    wire_init(&wire);
    wire_frame(&wire, SPOP_UNSET, 0, 1, 1, "");
    peer_send(&peer, &wire);
    peer_notify(&peer, 2, "now");
    peer_expect(&peer, "disconnect 10");
    peer_expect_end(&peer);
    peer_notify(&peer, 3, "now"); /* the socket stays for a while, or this would reset it */
    run_turns();
    assert_int_equal(conns.now, 1);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_FRAGMENTED);
    assert_int_equal(loop_fixture.cancelled, 1);
    peer_end(&peer);
    run_until_all_gone();
    assert_int_equal(loop_fixture.closes, 1);
    end();
}

static void a_peer_that_does_not_leave_is_left(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    begin(NULL);
    connect_peer(&peer);
    wire_init(&wire);
    wire_hello(&wire, 16380, true);
    peer_send(&peer, &wire);
    peer_expect(&peer, "hello 16380");
    peer_expect_end(&peer); /* our side of the socket */
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_HEALTHCHECK);
    run_until_all_gone(); /* it never closes its own */
    peer_end(&peer);
    end();
}

/* Sends NOTIFYs and reads nothing, until the agent has enough. */
static void a_peer_that_does_not_read_is_closed(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    begin(&(struct spoe_limits){.max_unsent = 4096});
    connect_peer(&peer);
    peer_greet(&peer);
    ev_io_stop(loop_fixture.loop, &peer.readable);
    wire_init(&wire);
    for (unsigned i = 0; i < 50; i++)
        wire_notify(&wire, i, 1, "now", "/a");
    for (unsigned i = 0; i < 10000 && loop_fixture.closes == 0; i++) {
        if (send(peer.fd, wire.bytes, wire.w.used, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            assert_true(errno == EAGAIN || errno == EPIPE);
        run_turns();
    }
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_NOT_READING);
    assert_int_equal(conns.now, 0);
    peer_end(&peer);
    end();
}

static void a_slow_peer_gets_everything(void **state)
{
    (void)state;
    struct peer peer;
    struct wire wire;
    unsigned sent = 0;
    begin(NULL);
    connect_peer(&peer);
    peer_greet(&peer);
    ev_io_stop(loop_fixture.loop, &peer.readable);
    for (unsigned round = 0; round < 60; round++) {
        wire_init(&wire);
        for (unsigned i = 0; i < 50; i++)
            wire_notify(&wire, sent++, 1, "now", "/a");
        peer_send(&peer, &wire);
        run_turns();
    }
    assert_true(counters()->bytes_out < 20000); /* most of it had to wait */
    ev_io_start(loop_fixture.loop, &peer.readable);
    static char expected[1 << 17];
    size_t n = 0;
    for (unsigned i = 0; i < sent; i++)
        n += (size_t)snprintf(expected + n, sizeof expected - n, "%sack %u/1 cell", i ? ", " : "", i);
    peer_expect(&peer, expected);
    assert_int_equal(loop_fixture.closes, 0);
    peer_end(&peer);
    end();
}

static void a_refused_connection_costs_nothing(void **state)
{
    (void)state;
    struct peer peer;
    int fds[2];
    begin(NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    assert_true(spoe_conns_add(&conns, fds[0], SPOE_CLOSE_TOO_MANY));
    assert_int_equal(conns.now, 0);
    peer_begin(&peer, fds[1]);
    peer_expect(&peer, "disconnect 13");
    peer_expect_end(&peer);
    assert_int_equal(counters()->closes[SPOE_CLOSE_TOO_MANY], 1);
    peer_end(&peer);
    end();
}

static void ending_cuts_everything(void **state)
{
    (void)state;
    struct peer peers[3];
    unsigned files = open_files();
    begin(NULL);
    unsigned with_loop = open_files();
    for (unsigned i = 0; i < 3; i++) {
        connect_peer(&peers[i]);
        peer_greet(&peers[i]);
        peer_notify(&peers[i], i, "hold");
        run_until_held(i + 1);
    }
    loop_fixture.held_count = 3;
    spoe_conns_deinit(&conns);
    assert_int_equal(loop_fixture.cancelled, 3);
    assert_int_equal(loop_fixture.closed.reason, SPOE_CLOSE_CUT);
    for (unsigned i = 0; i < 3; i++) {
        peer_expect(&peers[i], "disconnect 0");
        peer_expect_end(&peers[i]);
        peer_end(&peers[i]);
    }
    assert_int_equal(open_files(), with_loop);
    loop_end();
    assert_int_equal(open_files(), files);
}

static void many_connections_come_and_go(void **state)
{
    (void)state;
    begin(NULL);
    unsigned files = open_files();
    for (unsigned round = 0; round < 50; round++) {
        static struct peer peers[10];
        for (unsigned i = 0; i < 10; i++) {
            connect_peer(&peers[i]);
            peer_greet(&peers[i]);
            peer_notify(&peers[i], i, i % 2 ? "now" : "hold");
        }
        run_until_held(5);
        for (unsigned i = 0; i < 10; i++)
            peer_end(&peers[i]);
        run_until_all_gone();
        loop_fixture.held_count = 0;
    }
    run_turns();
    assert_int_equal(open_files(), files);
    assert_int_equal(counters()->sessions_now, 0);
    assert_int_equal(counters()->calls_now, 0);
    assert_int_equal(loop_fixture.closes, 500);
    end();
}

static void the_server_alone_keeps_no_loop_running(void **state)
{
    (void)state;
    begin(NULL);
    assert_false(ev_run(loop_fixture.loop, 0));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_and_a_write_for_a_batch),
        cmocka_unit_test(later_answers_share_a_write),
        cmocka_unit_test(an_answer_at_the_very_end_of_a_turn_is_sent),
        cmocka_unit_test(a_deadline_wakes_the_loop),
        cmocka_unit_test(a_silent_connection_is_closed),
        cmocka_unit_test(a_peer_that_leaves_cancels_its_calls),
        cmocka_unit_test(bytes_before_a_half_close_are_answered),
        cmocka_unit_test(a_bad_frame_is_answered_and_closed),
        cmocka_unit_test(a_peer_that_does_not_leave_is_left),
        cmocka_unit_test(a_peer_that_does_not_read_is_closed),
        cmocka_unit_test(a_slow_peer_gets_everything),
        cmocka_unit_test(a_refused_connection_costs_nothing),
        cmocka_unit_test(ending_cuts_everything),
        cmocka_unit_test(many_connections_come_and_go),
        cmocka_unit_test(the_server_alone_keeps_no_loop_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
