/* tests/unit/agent/daemon/test_admin.c - commands in, answers out, and no client that can hold up the others or the
 * loop. */
#include "agent/daemon/admin.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/listen_socket.h"
#include "base/unix_socket.h"

enum { LONG_LINES = 200000 };

struct fixture {
    struct ev_loop *loop;
    struct admin *admin;
    char folder[64], path[96];
    unsigned long steps, streams_ended, refusals;
    unsigned long left; /* lines of the long answer */
    char *got;          /* what the last reader read */
    size_t got_length, got_room;
};

static void run_echo(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    (void)user;
    (void)stream;
    fprintf(out, "<%s>\n", argument);
}

/* Every other step brings nothing, as in a search that finds little. */
static bool long_step(void *state, char *out, size_t room, size_t *lengthp)
{
    struct fixture *f = state;
    size_t at = 0;
    f->steps++;
    for (; f->steps % 2 && f->left && room - at > 100; f->left--)
        at += (size_t)snprintf(out + at, room - at, "line %lu\n", f->left);
    *lengthp = at;
    return f->left > 0;
}

static void long_done(void *state)
{
    ((struct fixture *)state)->streams_ended++;
}

static void run_long(void *user, const char *argument, FILE *out, struct admin_stream *stream)
{
    (void)argument;
    (void)out;
    ((struct fixture *)user)->left = LONG_LINES;
    *stream = (struct admin_stream){.step = long_step, .done = long_done, .state = user};
}

static void on_refused(void *user, const char *why)
{
    (void)why;
    ((struct fixture *)user)->refusals++;
}

static const struct admin_command commands[] = {{"show echo", "[TEXT]", "says it again", run_echo},
                                                {"need", "TEXT", "needs it", run_echo},
                                                {"none", NULL, "takes none", run_echo},
                                                {"show long", NULL, "a long answer", run_long},
                                                {NULL, NULL, NULL, NULL}};

static char why[500];

static struct admin *open_admin(struct fixture *f, const char *path)
{
    struct admin_options options = {.path = path,
                                    .access = {.mode = 0640},
                                    .max_clients = 3,
                                    .idle_s = 60,
                                    .commands = commands,
                                    .user_data = f,
                                    .on_refused = on_refused};
    return admin_new(f->loop, &options, why, sizeof why);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-admin-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/admin.sock", f->folder);
    f->loop = ev_loop_new(EVFLAG_AUTO);
    f->admin = open_admin(f, f->path);
    if (!f->admin)
        fprintf(stderr, "%s\n", why);
    *state = f;
    return f->admin ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    admin_free(f->admin);
    ev_loop_destroy(f->loop);
    rmdir(f->folder);
    free(f->got);
    free(f);
    return 0;
}

static int client(struct fixture *f)
{
    int fd = unix_socket_connect(f->path, 0);
    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ev_run(f->loop, EVRUN_NOWAIT); /* accepts */
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void keep(struct fixture *f, const char *bytes, size_t length)
{
    if (f->got_length + length + 1 > f->got_room) {
        f->got_room = 2 * f->got_room + length + 1;
        f->got = realloc(f->got, f->got_room);
    }
    memcpy(f->got + f->got_length, bytes, length);
    f->got_length += length;
    f->got[f->got_length] = '\0';
}

/* Turns the loop and reads until the other side closes (true) or 200 turns brought nothing (false). */
static bool read_all(struct fixture *f, int fd)
{
    f->got_length = 0;
    keep(f, "", 0);
    for (int quiet = 0; quiet < 200;) {
        char bytes[65536];
        ev_run(f->loop, EVRUN_NOWAIT);
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n > 0)
            keep(f, bytes, (size_t)n);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        quiet = n > 0 ? 0 : quiet + 1;
    }
    return false;
}

static void expect(struct fixture *f, const char *in, const char *out)
{
    int fd = client(f);
    say(fd, in);
    assert_false(read_all(f, fd));
    assert_string_equal(f->got, out);
    close(fd);
    ev_run(f->loop, EVRUN_NOWAIT);
}

static void commands_get_their_argument_and_wrong_ones_an_error(void **state)
{
    struct fixture *f = *state;
    expect(f, "show echo\n", "<>\n\n");
    expect(f, "  show echo   a b \r\n", "<a b>\n\n");
    expect(f, "show echoes\n", "error: unknown command; `help` lists those that there are\n\n");
    expect(f, "need\n", "error: need needs an argument: TEXT\n\n");
    expect(f, "none x\n", "error: none takes no argument\n\n");
    expect(f, "\n\nneed x\nnone\n", "<x>\n\n<>\n\n");
    expect(f, "show ec", "");
    int fd = client(f);
    say(fd, "help\n");
    read_all(f, fd);
    assert_non_null(strstr(f->got, "show echo [TEXT]"));
    close(fd);
}

static void a_client_that_ends_gets_its_answers_then_the_end(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    say(fd, "show echo 1\nshow echo 2"); /* the last line may lack its end */
    shutdown(fd, SHUT_WR);
    assert_true(read_all(f, fd));
    assert_string_equal(f->got, "<1>\n\n<2>\n\n");
    close(fd);
    assert_int_equal(admin_clients(f->admin), 0);
}

static void a_command_arrives_byte_by_byte(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    for (const char *c = "show echo x\n"; *c; c++) {
        assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
        ev_run(f->loop, EVRUN_NOWAIT);
    }
    assert_false(read_all(f, fd));
    assert_string_equal(f->got, "<x>\n\n");
    close(fd);
}

static void a_line_without_end_is_cut_off(void **state)
{
    struct fixture *f = *state;
    char big[ADMIN_LINE_MAX + 1];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    int fd = client(f);
    say(fd, big);
    assert_true(read_all(f, fd));
    assert_int_equal(f->got_length, 0);
    close(fd);
    assert_int_equal(admin_clients(f->admin), 0);
}

static void a_long_answer_waits_for_its_reader_and_others_do_not(void **state)
{
    struct fixture *f = *state;
    int slow = client(f);
    say(slow, "show long\n");
    for (int i = 0; i < 1000; i++)
        ev_run(f->loop, EVRUN_NOWAIT);
    unsigned long steps = f->steps;
    assert_true(f->left > LONG_LINES / 2); /* not made ahead of the reader */
    ev_run(f->loop, EVRUN_NOWAIT);
    assert_int_equal(f->steps, steps);
    expect(f, "show echo x\n", "<x>\n\n");
    assert_false(read_all(f, slow));
    assert_int_equal(f->left, 0);
    assert_int_equal(f->streams_ended, 1);
    assert_string_equal(f->got + f->got_length - 8, "line 1\n\n");
    close(slow);
}

static void a_client_that_leaves_in_between_ends_its_answer(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    say(fd, "show long\n");
    for (int i = 0; i < 10; i++)
        ev_run(f->loop, EVRUN_NOWAIT);
    close(fd);
    for (int i = 0; i < 10; i++)
        ev_run(f->loop, EVRUN_NOWAIT);
    assert_int_equal(f->streams_ended, 1);
    assert_int_equal(admin_clients(f->admin), 0);
}

static void too_many_clients_are_told_so(void **state)
{
    struct fixture *f = *state;
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = client(f);
    assert_true(read_all(f, fds[3]));
    assert_string_equal(f->got, "error: too many admin clients\n\n");
    assert_int_equal(admin_clients(f->admin), 3);
    assert_int_equal(f->refusals, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void the_socket_has_its_mode_and_is_not_taken_twice(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_null(open_admin(f, f->path));
    assert_non_null(strstr(why, "in use: another process listens there"));
    assert_null(open_admin(f, "/nowhere/at/all"));
    assert_non_null(strstr(why, "/nowhere/at/all: the folder /nowhere/at cannot be used"));
    assert_null(open_admin(f, "/etc/passwd"));
    assert_non_null(strstr(why, "no socket"));
}

static void a_dead_daemons_socket_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct listen_socket dead;
    snprintf(path, sizeof path, "%s/old.sock", f->folder);
    assert_true(listen_socket_open_path(&dead, path, NULL, why, sizeof why));
    close(dead.fd);
    struct admin *admin = open_admin(f, path);
    if (!admin)
        fail_msg("%s", why);
    admin_free(admin);
    assert_int_equal(access(path, F_OK), -1);
}

/* The file of the old agent was removed by hand, so that a new one could start. */
static void the_end_leaves_a_successors_socket_alone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlink(f->path), 0);
    struct admin *successor = open_admin(f, f->path);
    if (!successor)
        fail_msg("%s", why);
    admin_free(f->admin);
    f->admin = successor;
    close(client(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_get_their_argument_and_wrong_ones_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_ends_gets_its_answers_then_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_command_arrives_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_without_end_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_answer_waits_for_its_reader_and_others_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_in_between_ends_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_clients_are_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(the_socket_has_its_mode_and_is_not_taken_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_daemons_socket_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_leaves_a_successors_socket_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
