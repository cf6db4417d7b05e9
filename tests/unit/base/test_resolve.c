/* tests/unit/base/test_resolve.c - names: the local host, one that does not exist, one that is given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/resolve.h"

static enum resolve_state wait_for(struct resolve *resolve, unsigned turn, char address[RESOLVED_MAX], const char **why)
{
    enum resolve_state state = RESOLVE_BUSY;

    for (int i = 0; i < 4000 && state == RESOLVE_BUSY; i++) {
        state = resolve_poll(resolve, turn, address, why);
        usleep(5000);
    }
    return state;
}

static void socket_addresses(void **state)
{
    struct sockaddr_storage at;
    struct sockaddr_in v4;
    (void)state;
    assert_int_equal(resolve_numeric("127.0.0.1", 6379, &at), sizeof v4);
    memcpy(&v4, &at, sizeof v4);
    assert_int_equal(v4.sin_family, AF_INET);
    assert_int_equal(ntohs(v4.sin_port), 6379);
    assert_int_equal(ntohl(v4.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(resolve_numeric("fe80::1%lo", 0, &at), sizeof(struct sockaddr_in6));
    assert_int_equal(resolve_numeric("localhost", 1, &at), 0);
    assert_int_equal(resolve_numeric("", 1, &at), 0);
}

static void localhost_resolves(void **state)
{
    struct resolve *resolve = resolve_start("localhost");
    char address[RESOLVED_MAX];
    const char *why;

    (void)state;
    assert_non_null(resolve);
    for (unsigned turn = 0; turn < 5; turn++) {
        assert_int_equal(wait_for(resolve, turn, address, &why), RESOLVE_DONE);
        assert_true(strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0);
    }
    resolve_end(resolve);
}

/* RFC 6761: no name below invalid exists. Without a name server at all it fails, too, if later. */
static void no_such_name(void **state)
{
    struct resolve *resolve = resolve_start("redis.invalid");
    char address[RESOLVED_MAX];
    const char *why = "";

    (void)state;
    assert_int_equal(wait_for(resolve, 0, address, &why), RESOLVE_FAILED);
    assert_true(strlen(why) > 0);
    resolve_end(resolve);
}

static void given_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct resolve *resolve = resolve_start("localhost");

        assert_non_null(resolve);
        resolve_end(resolve);
    }
    resolve_end(NULL);
    for (int i = 0; i < 4000 && resolve_sweep() != 0; i++)
        usleep(5000);
    assert_int_equal(resolve_sweep(), 0); /* none is left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(socket_addresses),
        cmocka_unit_test(localhost_resolves),
        cmocka_unit_test(no_such_name),
        cmocka_unit_test(given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
