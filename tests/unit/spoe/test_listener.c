/* tests/unit/spoe/test_listener.c - accepting on real sockets: options, pauses when descriptors are out. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "spoe/listener.h"
#include "tests/unit/spoe/loop_fixture.h"

static int accepted[256];
static size_t accepted_count;

static void on_accept(void *user, int fd)
{
    assert_ptr_equal(user, accepted);
    accepted[accepted_count++] = fd;
}

static void begin(struct spoe_listener *listener, const char *address)
{
    char error[300] = "";
    loop_begin();
    accepted_count = 0;
    if (!spoe_listener_start(listener, loop_fixture.loop, address, NULL, on_accept, accepted, error, sizeof error))
        fail_msg("%s", error);
}

static void end(struct spoe_listener *listener)
{
    while (accepted_count > 0)
        close(accepted[--accepted_count]);
    spoe_listener_stop(listener);
    loop_end();
}

static bool is_accepted(void *count)
{
    return accepted_count >= *(const size_t *)count;
}

static void run_until_accepted(size_t count)
{
    run_until(is_accepted, &count, "connections to be accepted");
}

static void a_crowd_is_taken_in_turns(void **state)
{
    (void)state;
    static struct peer peers[100];
    struct spoe_listener listener;
    begin(&listener, in_folder("unix:", "a.sock"));
    for (size_t i = 0; i < 100; i++)
        peer_connect(&peers[i], in_folder("", "a.sock"));
    ev_run(loop_fixture.loop, EVRUN_ONCE);
    assert_in_range(accepted_count, 1, 32);
    run_until_accepted(100);
    assert_int_equal(fcntl(accepted[99], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(accepted[99], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    for (size_t i = 0; i < 100; i++)
        peer_end(&peers[i]);
    end(&listener);
}

static bool has_errors(void *listener)
{
    return ((struct spoe_listener *)listener)->errors >= 3;
}

/* Out of descriptors: pauses between tries rather than turning round and round, and goes on when there are some
 * again. */
static void out_of_descriptors(void **state)
{
    (void)state;
    struct peer peer;
    struct spoe_listener listener;
    struct rlimit limit, none;
    begin(&listener, in_folder("unix:", "a.sock"));
    peer_connect(&peer, in_folder("", "a.sock"));
    run_turns(); /* whatever the loop opens on its first turn is open */
    while (accepted_count > 0)
        close(accepted[--accepted_count]);
    struct peer second;
    peer_connect(&second, in_folder("", "a.sock"));

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_until(has_errors, &listener, "three failures");
    unsigned turns = ev_iteration(loop_fixture.loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_in_range(turns, 1, 60); /* busy waiting would have made thousands in 200 ms */
    run_until_accepted(1);
    peer_end(&peer);
    peer_end(&second);
    end(&listener);
}

static void stopping_while_it_pauses(void **state)
{
    (void)state;
    struct peer peer;
    struct spoe_listener listener;
    struct rlimit limit, none;
    begin(&listener, in_folder("unix:", "a.sock"));
    run_turns();
    peer_connect(&peer, in_folder("", "a.sock"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_turns();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(listener.errors, 1);
    peer_end(&peer);
    end(&listener);
}

static void tcp_connections_do_not_delay_small_frames(void **state)
{
    (void)state;
    struct spoe_listener listener;
    begin(&listener, "127.0.0.1:0");
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(listener.listening.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 0;
    socklen_t size = sizeof on;
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    run_until_accepted(1);
    assert_int_equal(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_int_not_equal(on, 0);
    close(fd);
    end(&listener);
}

/* From 3.1 on HAProxy must never find 16 KiB at once, whatever the size of the answers. */
static void a_unix_peer_never_has_16_kib_unread(void **state)
{
    (void)state;
    static const uint8_t bytes[65536];
    for (size_t piece = 16; piece <= sizeof bytes; piece = piece * 3 / 2) {
        struct peer peer;
        struct spoe_listener listener;
        int unread = 0;
        begin(&listener, in_folder("unix:", "a.sock"));
        peer_connect(&peer, in_folder("", "a.sock"));
        ev_io_stop(loop_fixture.loop, &peer.readable);
        run_until_accepted(1);
        while (send(accepted[0], bytes, piece, MSG_NOSIGNAL) > 0)
            ;
        assert_int_equal(ioctl(peer.fd, FIONREAD, &unread), 0);
        assert_in_range(unread, 1, 16383);
        peer_end(&peer);
        end(&listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_is_taken_in_turns),
        cmocka_unit_test(out_of_descriptors),
        cmocka_unit_test(stopping_while_it_pauses),
        cmocka_unit_test(tcp_connections_do_not_delay_small_frames),
        cmocka_unit_test(a_unix_peer_never_has_16_kib_unread),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
