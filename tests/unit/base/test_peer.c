/* tests/unit/base/test_peer.c - where each kind of address leads, and what becomes of a name. */
#include "base/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include "base/listen_socket.h"
#include "tests/unit/base/files.h"
#include "tests/unit/base/name_server.h"

static int set_up(void **state)
{
    (void)state;
    memset(&name_server, 0, sizeof name_server);
    return 0;
}

static void init(struct peer *peer, const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), ADDRESS_OK);
    peer_init(peer, &address);
}

/* Finds at once the IPv4 address and port. */
static void assert_found(struct peer *peer, const char *host, uint16_t port)
{
    const char *why = "";
    struct sockaddr_in at;
    char text[INET_ADDRSTRLEN];
    if (peer_find(peer, &why) != PEER_FOUND)
        fail_msg("%s", why);
    assert_int_equal(peer->size, sizeof at);
    memcpy(&at, &peer->at, sizeof at);
    assert_int_equal(at.sin_family, AF_INET);
    assert_int_equal(ntohs(at.sin_port), port);
    assert_string_equal(inet_ntop(AF_INET, &at.sin_addr, text, sizeof text), host);
}

static void paths_and_numbers_are_not_looked_up(void **state)
{
    struct peer peer;
    struct sockaddr_un path;
    const char *why;
    (void)state;
    init(&peer, "unix:/run/haproxy.sock");
    assert_int_equal(peer_find(&peer, &why), PEER_FOUND);
    assert_int_equal(peer.size, sizeof path);
    memcpy(&path, &peer.at, sizeof path);
    assert_int_equal(path.sun_family, AF_UNIX);
    assert_string_equal(path.sun_path, "/run/haproxy.sock");
    init(&peer, "127.0.0.1:9999");
    assert_found(&peer, "127.0.0.1", 9999);
    init(&peer, "[::1]:9999");
    assert_int_equal(peer_find(&peer, &why), PEER_FOUND);
    assert_int_equal(peer.size, sizeof(struct sockaddr_in6));
    assert_int_equal(name_server.asked, 0);
    peer_deinit(&peer);
}

static void a_name_serves_until_it_is_lost(void **state)
{
    struct peer peer;
    (void)state;
    name_server.says[0] = "192.0.2.1";
    name_server.says[1] = "192.0.2.2";
    init(&peer, "haproxy.example:9999");
    assert_found(&peer, "192.0.2.1", 9999);
    assert_found(&peer, "192.0.2.1", 9999);
    assert_int_equal(name_server.asked, 1);
    peer_lost(&peer);
    assert_found(&peer, "192.0.2.2", 9999);
    assert_int_equal(name_server.asked, 2);
    peer_deinit(&peer);
    assert_int_equal(name_server.cancelled, 0);
}

static void a_silent_name_server_is_asked_once(void **state)
{
    struct peer peer;
    const char *why;
    (void)state;
    name_server.silent = true;
    init(&peer, "haproxy.example:9999");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(peer_find(&peer, &why), PEER_BUSY);
        peer_lost(&peer);
    }
    assert_int_equal(name_server.asked, 1);
    name_server.silent = false;
    name_server.says[0] = "192.0.2.1";
    assert_found(&peer, "192.0.2.1", 9999);
    name_server.silent = true;
    peer_lost(&peer);
    assert_int_equal(peer_find(&peer, &why), PEER_BUSY);
    peer_deinit(&peer);
    assert_int_equal(name_server.cancelled, 1);
}

static void a_name_that_fails_is_asked_for_again(void **state)
{
    struct peer peer;
    const char *why = NULL;
    (void)state;
    init(&peer, "haproxy.example:9999");
    assert_int_equal(peer_find(&peer, &why), PEER_FAILED);
    assert_string_equal(why, "Name or service not known");
    name_server.says[0] = "192.0.2.1";
    assert_found(&peer, "192.0.2.1", 9999);
    assert_int_equal(name_server.asked, 2);
}

static void an_abstract_name_is_not_found(void **state)
{
    struct peer peer;
    const char *why;
    (void)state;
    init(&peer, "abns@haproxy");
    assert_int_equal(peer_find(&peer, &why), PEER_FAILED);
    peer_deinit(&peer);
}

/* A connection to whoever listens at this address arrives there. */
static void assert_connects(const char *address)
{
    struct listen_socket listening;
    struct peer peer;
    char error[300], own[200];
    const char *why;
    if (!listen_socket_open(&listening, address, NULL, error, sizeof error))
        fail_msg("%s", error);
    snprintf(own, sizeof own, "127.0.0.1:%u", (unsigned)listening.port);
    init(&peer, listening.port ? own : address);
    assert_int_equal(peer_find(&peer, &why), PEER_FOUND);
    int fd = peer_connect(&peer);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    struct pollfd arrival = {.fd = listening.fd, .events = POLLIN};
    assert_int_equal(poll(&arrival, 1, 10000), 1);
    int accepted = accept(listening.fd, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(fd);
    listen_socket_close(&listening);
    peer_deinit(&peer);
}

static void a_peer_is_connected_to(void **state)
{
    (void)state;
    assert_connects("127.0.0.1:0");
    assert_connects(in_folder("unix:", "peer.sock"));
}

static void a_failure_keeps_its_errno_and_no_descriptor(void **state)
{
    struct peer peer;
    const char *why;
    unsigned files = open_files();
    (void)state;
    init(&peer, in_folder("unix:", "nobody.sock"));
    assert_int_equal(peer_find(&peer, &why), PEER_FOUND);
    assert_int_equal(peer_connect(&peer), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(open_files(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(paths_and_numbers_are_not_looked_up, set_up),
        cmocka_unit_test_setup(a_name_serves_until_it_is_lost, set_up),
        cmocka_unit_test_setup(a_silent_name_server_is_asked_once, set_up),
        cmocka_unit_test_setup(a_name_that_fails_is_asked_for_again, set_up),
        cmocka_unit_test_setup(an_abstract_name_is_not_found, set_up),
        cmocka_unit_test_setup(a_peer_is_connected_to, set_up),
        cmocka_unit_test_setup(a_failure_keeps_its_errno_and_no_descriptor, set_up),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
