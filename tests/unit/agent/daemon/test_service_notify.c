/* tests/unit/agent/daemon/test_service_notify.c - what a service manager hears: on a real datagram socket, by path and
 * abstract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/daemon/service_notify.h"

static char name[64];

/* The manager's end. name: a path, or '@' and an abstract name. */
static int listen_at(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(where);
    memcpy(address.sun_path, where, length);
    if (where[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    return fd;
}

static void expect_heard(int fd, const char *expected)
{
    char heard[200] = "";
    ssize_t n = recv(fd, heard, sizeof heard - 1, 0);
    if (!expected) {
        assert_true(n < 0 && errno == EAGAIN);
        return;
    }
    assert_int_equal(n, strlen(expected));
    assert_string_equal(heard, expected);
}

static void hears(const char *where)
{
    int fd = listen_at(where);
    setenv("NOTIFY_SOCKET", where, 1);
    service_notify("READY=1");
    service_notify("RELOADING=1\nMONOTONIC_USEC=5000");
    expect_heard(fd, "READY=1");
    expect_heard(fd, "RELOADING=1\nMONOTONIC_USEC=5000");
    expect_heard(fd, NULL);
    close(fd);
}

static void a_path_is_told(void **state)
{
    (void)state;
    snprintf(name, sizeof name, "/tmp/cellrouter-notify-%d", (int)getpid());
    unlink(name);
    hears(name);
    service_notify("READY=1"); /* nobody listens there any more: no error, no signal */
    unlink(name);
    service_notify("READY=1");
}

static void an_abstract_name_is_told(void **state)
{
    (void)state;
    snprintf(name, sizeof name, "@cellrouter-notify-%d", (int)getpid());
    hears(name);
}

/* What is no address of a unix socket is nobody: the process goes on, and no descriptor is left open. */
static void no_manager(void **state)
{
    (void)state;
    static char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    const char *const nobody[] = {NULL, "", "/", "@", "relative", "vsock:2:1234", longest};
    int before = dup(0);
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        if (nobody[i])
            setenv("NOTIFY_SOCKET", nobody[i], 1);
        else
            unsetenv("NOTIFY_SOCKET");
        service_notify("READY=1");
    }
    close(before);
    int after = dup(0);
    assert_int_equal(after, before);
    close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_told),
        cmocka_unit_test(an_abstract_name_is_told),
        cmocka_unit_test(no_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
