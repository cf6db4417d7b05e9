/* tests/unit/base/test_listen_socket.c - listening sockets out of text: each kind, and each sentence
 * for what is wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/listen_socket.h"
#include "base/unix_socket.h"
#include "tests/unit/base/files.h"

static char error[400];

static bool open_socket(struct listen_socket *listening, const char *address, const struct listen_access *access)
{
    error[0] = '\0';
    return listen_socket_open(listening, address, access, error, sizeof error);
}

/* It is refused with a sentence that begins with the address and contains all of word. */
static void assert_refused(const char *address, const struct listen_access *access, const char *word)
{
    struct listen_socket listening;
    if (open_socket(&listening, address, access))
        fail_msg("%s was taken", address);
    if (strncmp(error, address, strlen(address)) != 0 || !strstr(error, word))
        fail_msg("\"%s\" instead of \"%s: ...%s...\"", error, address, word);
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void a_unix_socket_has_its_mode_and_goes_with_its_end(void **state)
{
    (void)state;
    static const unsigned modes[] = {0660, 0600, 0777, 0};
    for (size_t i = 0; i < 4; i++) {
        struct listen_access access = {.mode = modes[i]};
        struct listen_socket listening;
        struct stat st;
        if (!open_socket(&listening, in_folder(i % 2 ? "unix:" : "unix@", "a.sock"), &access))
            fail_msg("%s", error);
        assert_int_equal(lstat(in_folder("", "a.sock"), &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 0777, modes[i]);
        assert_int_equal(fcntl(listening.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(listening.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        listen_socket_close(&listening);
        assert_false(exists(in_folder("", "a.sock")));
    }
}

static void without_access_the_mode_is_0660(void **state)
{
    (void)state;
    struct listen_socket listening;
    struct stat st;
    assert_true(open_socket(&listening, in_folder("unix:", "a.sock"), NULL));
    assert_int_equal(lstat(in_folder("", "a.sock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    listen_socket_close(&listening);
}

static void owner_and_group_are_set(void **state)
{
    (void)state;
    const struct group *group = getgrgid(getgid());
    struct listen_access access = {.mode = 0660, .user = "", .group = group ? group->gr_name : NULL};
    struct listen_socket listening;
    struct stat st;
    if (!open_socket(&listening, in_folder("unix:", "a.sock"), &access))
        fail_msg("%s", error);
    assert_int_equal(lstat(in_folder("", "a.sock"), &st), 0);
    assert_int_equal(st.st_gid, getgid());
    listen_socket_close(&listening);
    if (getuid() != 0)
        return;
    access = (struct listen_access){.mode = 0660, .user = "daemon", .group = "daemon"};
    assert_true(open_socket(&listening, in_folder("unix:", "a.sock"), &access));
    assert_int_equal(lstat(in_folder("", "a.sock"), &st), 0);
    assert_int_not_equal(st.st_uid, 0);
    assert_int_not_equal(st.st_gid, 0);
    listen_socket_close(&listening);
}

static void a_failure_leaves_no_file(void **state)
{
    (void)state;
    unsigned files = open_files();
    assert_refused(in_folder("unix:", "a.sock"), &(struct listen_access){.user = "no-such-user"},
                   "no user no-such-user");
    assert_refused(in_folder("unix:", "a.sock"), &(struct listen_access){.group = "no-such-group"}, "no group");
    assert_false(exists(in_folder("", "a.sock")));
    assert_int_equal(open_files(), files);
}

static void one_that_is_in_use_is_refused(void **state)
{
    (void)state;
    struct listen_socket listening;
    assert_true(open_socket(&listening, in_folder("unix:", "a.sock"), NULL));
    assert_refused(in_folder("unix:", "a.sock"), NULL, "in use: another process");
    assert_true(exists(in_folder("", "a.sock")));
    listen_socket_close(&listening);
}

/* Another process stands still, and its queue is full: neither one that starts nor a client waits without end. */
static void a_full_queue_is_in_use_too(void **state)
{
    (void)state;
    struct listen_socket listening;
    int fds[8];
    struct sockaddr_un path = unix_socket_address(in_folder("", "a.sock"));
    assert_true(open_socket(&listening, in_folder("unix:", "a.sock"), NULL));
    assert_int_equal(listen(listening.fd, 1), 0);
    for (size_t i = 0; i < 8; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], (const struct sockaddr *)&path, sizeof path);
    }
    assert_refused(in_folder("unix:", "a.sock"), NULL, "in use: another process");
    assert_int_equal(unix_socket_connect(path.sun_path, 1), -1);
    assert_int_equal(errno, EAGAIN);
    for (size_t i = 0; i < 8; i++)
        close(fds[i]);
    listen_socket_close(&listening);
}

static void one_that_nobody_listens_on_is_replaced(void **state)
{
    (void)state;
    struct listen_socket crashed, listening;
    assert_true(open_socket(&crashed, in_folder("unix:", "a.sock"), NULL));
    close(crashed.fd);
    assert_true(exists(in_folder("", "a.sock")));
    if (!open_socket(&listening, in_folder("unix:", "a.sock"), NULL))
        fail_msg("%s", error);
    int fd = unix_socket_connect(in_folder("", "a.sock"), 1);
    assert_true(fd >= 0);
    close(fd);
    listen_socket_close(&listening);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s", in_folder("", "a.sock"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_refused(in_folder("unix:", "a.sock"), NULL, "no socket");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_refused(in_folder("unix:", "a.sock"), NULL, "no socket");
    assert_int_equal(unlink(path), 0);
}

/* A new process may have put its own socket there already. */
static void a_successors_file_is_left_alone(void **state)
{
    (void)state;
    struct listen_socket old, new;
    assert_true(open_socket(&old, in_folder("unix:", "a.sock"), NULL));
    assert_int_equal(unlink(in_folder("", "a.sock")), 0);
    assert_true(open_socket(&new, in_folder("unix:", "a.sock"), NULL));
    listen_socket_close(&old);
    assert_true(exists(in_folder("", "a.sock")));
    listen_socket_close(&new);
}

static void senseless_unix_addresses(void **state)
{
    (void)state;
    char path[200] = "unix:/";
    memset(path + 6, 'x', 108);
    assert_refused(path, NULL, "longer than the 107 bytes");
    assert_refused("unix:", NULL, "not absolute; write unix:/path");
    assert_refused("unix:relative.sock", NULL, "not absolute");
    assert_refused("unix:/no/such/folder/a.sock", NULL, "the folder /no/such/folder cannot be used");
    assert_refused("unix:/etc/passwd/a.sock", NULL, "/etc/passwd is not a folder");
    assert_refused("unix:/proc", NULL, "no socket");
}

static void a_path_alone_is_enough(void **state)
{
    (void)state;
    struct listen_socket listening;
    char path[200] = "/";
    assert_true(listen_socket_open_path(&listening, in_folder("", "a.sock"), NULL, error, sizeof error));
    listen_socket_close(&listening);
    assert_false(exists(in_folder("", "a.sock")));
    assert_false(listen_socket_open_path(&listening, "a.sock", NULL, error, sizeof error));
    assert_string_equal(error, "a.sock: the path of a socket is not absolute");
    memset(path + 1, 'x', 107);
    assert_false(listen_socket_open_path(&listening, path, NULL, error, sizeof error));
}

static void abstract_names(void **state)
{
    (void)state;
    struct listen_socket listening;
    char address[64];
    snprintf(address, sizeof address, "abns@spoe-test-%d", (int)getpid());
    if (!open_socket(&listening, address, NULL))
        fail_msg("%s", error);
    assert_refused(address, NULL, "in use: another process");
    listen_socket_close(&listening);
    assert_refused("abns@", NULL, "1 to 107 bytes");
}

static void tcp_takes_a_free_port(void **state)
{
    (void)state;
    struct listen_socket listening;
    char address[64];
    if (!open_socket(&listening, "127.0.0.1:0", NULL))
        fail_msg("%s", error);
    assert_int_not_equal(listening.port, 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)listening.port);
    assert_refused(address, NULL, "in use: another process");
    listen_socket_close(&listening);
    if (!open_socket(&listening, "localhost:0", NULL))
        fail_msg("%s", error);
    listen_socket_close(&listening);
}

static void tcp_is_loopback_unless_allowed(void **state)
{
    (void)state;
    struct listen_socket listening;
    assert_refused("0.0.0.0:0", NULL, "not a loopback address");
    assert_refused("*:0", NULL, "not a loopback address");
    assert_refused("192.0.2.1:0", NULL, "not a loopback address");
    assert_refused("[::]:0", NULL, "not a loopback address");
    assert_refused("[::ffff:192.0.2.1]:0", NULL, "not a loopback address");
    if (!open_socket(&listening, "*:0", &(struct listen_access){.allow_remote = true}))
        fail_msg("%s", error);
    listen_socket_close(&listening);
}

static void senseless_tcp_addresses(void **state)
{
    (void)state;
    assert_refused("", NULL, "there is no port");
    assert_refused("localhost", NULL, "there is no port; write");
    assert_refused(":9000", NULL, "there is no host");
    assert_refused("[]:9000", NULL, "there is no host");
    assert_refused("::1:9000", NULL, "in [ ]");
    assert_refused("127.0.0.1:", NULL, "the port is not a number");
    assert_refused("127.0.0.1:x", NULL, "the port is not a number");
    assert_refused("127.0.0.1:-1", NULL, "the port is not a number");
    assert_refused("127.0.0.1:65536", NULL, "the port is not a number");
    assert_refused("127.0.0.1:99999999999999999999", NULL, "the port is not a number");
    assert_refused("no-such-host.invalid:9000", NULL, "is not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unix_socket_has_its_mode_and_goes_with_its_end),
        cmocka_unit_test(without_access_the_mode_is_0660),
        cmocka_unit_test(owner_and_group_are_set),
        cmocka_unit_test(a_failure_leaves_no_file),
        cmocka_unit_test(one_that_is_in_use_is_refused),
        cmocka_unit_test(a_full_queue_is_in_use_too),
        cmocka_unit_test(one_that_nobody_listens_on_is_replaced),
        cmocka_unit_test(what_is_no_socket_is_left_alone),
        cmocka_unit_test(a_successors_file_is_left_alone),
        cmocka_unit_test(senseless_unix_addresses),
        cmocka_unit_test(a_path_alone_is_enough),
        cmocka_unit_test(abstract_names),
        cmocka_unit_test(tcp_takes_a_free_port),
        cmocka_unit_test(tcp_is_loopback_unless_allowed),
        cmocka_unit_test(senseless_tcp_addresses),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
