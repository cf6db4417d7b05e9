/* tests/unit/base/test_unix_socket.c - paths at their longest, and connections that nobody takes. A full queue is
 * tested where there is a listener, in test_listen_socket.c. */
#include "base/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/unit/base/files.h"

static void the_longest_path_fits_and_more_is_cut_off(void **state)
{
    (void)state;
    char path[120] = "/";
    memset(path + 1, 'x', 108);
    struct sockaddr_un address = unix_socket_address(path);
    assert_int_equal(address.sun_family, AF_UNIX);
    assert_int_equal(strlen(address.sun_path), 107);
    assert_int_equal(unix_socket_connect(path, 0), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    path[107] = '\0';
    assert_string_equal(unix_socket_address(path).sun_path, path);
}

static void a_failure_keeps_its_errno_and_no_descriptor(void **state)
{
    (void)state;
    unsigned files = open_files();
    assert_int_equal(unix_socket_connect(in_folder("", "nobody.sock"), 0), -1);
    assert_int_equal(errno, ENOENT);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = unix_socket_address(in_folder("", "dead.sock"));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(unix_socket_connect(address.sun_path, 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(open_files(), files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_path_fits_and_more_is_cut_off),
        cmocka_unit_test(a_failure_keeps_its_errno_and_no_descriptor),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
