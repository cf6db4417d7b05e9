/* tests/unit/agent/level0/test_runtime_peer.c - where each kind of address leads, and what becomes of a name. */
#include "agent/level0/runtime_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/unit/base/name_server.h"

static int set_up(void **state)
{
    (void)state;
    memset(&name_server, 0, sizeof name_server);
    return 0;
}

/* Finds at once the IPv4 address and port. */
static void assert_found(struct runtime_peer *peer, const char *host, uint16_t port)
{
    const char *why = "";
    struct sockaddr_in at;
    char text[INET_ADDRSTRLEN];
    if (runtime_peer_find(peer, &why) != RUNTIME_PEER_FOUND)
        fail_msg("%s", why);
    assert_int_equal(peer->size, sizeof at);
    memcpy(&at, &peer->at, sizeof at);
    assert_int_equal(at.sin_family, AF_INET);
    assert_int_equal(ntohs(at.sin_port), port);
    assert_string_equal(inet_ntop(AF_INET, &at.sin_addr, text, sizeof text), host);
}

static void paths_and_numbers_are_not_looked_up(void **state)
{
    struct runtime_peer peer;
    struct sockaddr_un path;
    const char *why;
    (void)state;
    runtime_peer_init(&peer, "unix:/run/haproxy.sock");
    assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_FOUND);
    assert_int_equal(peer.size, sizeof path);
    memcpy(&path, &peer.at, sizeof path);
    assert_int_equal(path.sun_family, AF_UNIX);
    assert_string_equal(path.sun_path, "/run/haproxy.sock");
    runtime_peer_init(&peer, "127.0.0.1:9999");
    assert_found(&peer, "127.0.0.1", 9999);
    runtime_peer_init(&peer, "[::1]:9999");
    assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_FOUND);
    assert_int_equal(peer.size, sizeof(struct sockaddr_in6));
    assert_int_equal(name_server.asked, 0);
    runtime_peer_deinit(&peer);
}

static void a_name_serves_until_it_is_lost(void **state)
{
    struct runtime_peer peer;
    (void)state;
    name_server.says[0] = "192.0.2.1";
    name_server.says[1] = "192.0.2.2";
    runtime_peer_init(&peer, "haproxy.example:9999");
    assert_found(&peer, "192.0.2.1", 9999);
    assert_found(&peer, "192.0.2.1", 9999);
    assert_int_equal(name_server.asked, 1);
    runtime_peer_lost(&peer);
    assert_found(&peer, "192.0.2.2", 9999);
    assert_int_equal(name_server.asked, 2);
    runtime_peer_deinit(&peer);
    assert_int_equal(name_server.cancelled, 0);
}

static void a_silent_name_server_is_asked_once(void **state)
{
    struct runtime_peer peer;
    const char *why;
    (void)state;
    name_server.silent = true;
    runtime_peer_init(&peer, "haproxy.example:9999");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_BUSY);
        runtime_peer_lost(&peer);
    }
    assert_int_equal(name_server.asked, 1);
    name_server.silent = false;
    name_server.says[0] = "192.0.2.1";
    assert_found(&peer, "192.0.2.1", 9999);
    name_server.silent = true;
    runtime_peer_lost(&peer);
    assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_BUSY);
    runtime_peer_deinit(&peer);
    assert_int_equal(name_server.cancelled, 1);
}

static void a_name_that_fails_is_asked_for_again(void **state)
{
    struct runtime_peer peer;
    const char *why = NULL;
    (void)state;
    runtime_peer_init(&peer, "haproxy.example:9999");
    assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_FAILED);
    assert_string_equal(why, "Name or service not known");
    name_server.says[0] = "192.0.2.1";
    assert_found(&peer, "192.0.2.1", 9999);
    assert_int_equal(name_server.asked, 2);
}

static void what_is_no_address_is_not_found(void **state)
{
    static const char *const wrong[] = {"haproxy", "unix:relative", "abns@haproxy", ""};
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct runtime_peer peer;
        runtime_peer_init(&peer, wrong[i]);
        assert_int_equal(runtime_peer_find(&peer, &why), RUNTIME_PEER_FAILED);
        runtime_peer_deinit(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(paths_and_numbers_are_not_looked_up, set_up),
        cmocka_unit_test_setup(a_name_serves_until_it_is_lost, set_up),
        cmocka_unit_test_setup(a_silent_name_server_is_asked_once, set_up),
        cmocka_unit_test_setup(a_name_that_fails_is_asked_for_again, set_up),
        cmocka_unit_test_setup(what_is_no_address_is_not_found, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
