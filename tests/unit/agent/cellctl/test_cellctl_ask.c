/* tests/unit/agent/cellctl/test_cellctl_ask.c - one command over a socket: what is sent, what is printed where, and the
 * exit status, with an agent that the test plays. */
#include "agent/cellctl/cellctl.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

struct fixture {
    char folder[64], path[96];
    int listener;
    char asked[20000], out[200000], errors[2000];
    int status;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-ask-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/admin", f->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f->path, strlen(f->path));
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *state = f;
    return bind(f->listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(f->listener, 1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->listener);
    unlink(f->path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void read_to_end(int fd, char *text, size_t size)
{
    size_t used = 0;
    for (ssize_t n; used + 1 < size && (n = read(fd, text + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    text[used] = '\0';
    close(fd);
}

/* Takes the command, and says the pieces one after the other; one of "" makes a break, so that they arrive apart. */
static void play_agent(struct fixture *f, const char *const *pieces)
{
    struct pollfd ready = {.fd = f->listener, .events = POLLIN};
    f->asked[0] = '\0';
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        return;
    int fd = accept(f->listener, NULL, NULL);
    size_t used = 0;
    for (ssize_t n; (n = recv(fd, f->asked + used, sizeof f->asked - 1 - used, 0)) > 0;)
        used += (size_t)n;
    f->asked[used] = '\0';
    for (; *pieces; pieces++)
        if (!**pieces)
            usleep(20000);
        else
            assert_int_equal(send(fd, *pieces, strlen(*pieces), MSG_NOSIGNAL), strlen(*pieces));
    close(fd);
}

/* Runs cellctl_ask in a child. pieces NULL: nobody listens. */
static void ask(struct fixture *f, const char *path, char *const *words, int count, const char *const *pieces)
{
    int out[2], errors[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(errors), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(errors[1], STDERR_FILENO);
        close(out[0]);
        close(errors[0]);
        close(f->listener);
        int status = cellctl_ask(path, words, count);
        fflush(stdout);
        _exit(status);
    }
    close(out[1]);
    close(errors[1]);
    if (pieces)
        play_agent(f, pieces);
    read_to_end(out[0], f->out, sizeof f->out);
    read_to_end(errors[0], f->errors, sizeof f->errors);
    assert_int_equal(waitpid(child, &f->status, 0), child);
    assert_true(WIFEXITED(f->status));
    f->status = WEXITSTATUS(f->status);
}

static void output_is_printed_without_its_empty_line(void **state)
{
    struct fixture *f = *state;
    char *words[] = {"show", "routes", "/a/"};
    const char *const pieces[] = {"/a/ eu0\n", "", "/a/b/ eu1\n\n", NULL};
    ask(f, f->path, words, 3, pieces);
    assert_string_equal(f->asked, "show routes /a/\n");
    assert_string_equal(f->out, "/a/ eu0\n/a/b/ eu1\n");
    assert_string_equal(f->errors, "");
    assert_int_equal(f->status, 0);
}

/* Wherever the output is cut, also between its last two line ends. */
static void the_cuts_make_no_difference(void **state)
{
    static const char whole[] = "a\n\nb\n\n";
    struct fixture *f = *state;
    char *words[] = {"help"};
    for (size_t cut = 1; cut < sizeof whole - 1; cut++) {
        char first[sizeof whole] = "";
        memcpy(first, whole, cut);
        const char *const pieces[] = {first, "", whole + cut, NULL};
        ask(f, f->path, words, 1, pieces);
        assert_string_equal(f->out, "a\n\nb\n");
        assert_int_equal(f->status, 0);
    }
}

static void an_error_goes_to_stderr_and_is_a_status(void **state)
{
    struct fixture *f = *state;
    char *words[] = {"forget", "/a/"};
    const char *const pieces[] = {"error: no such route is known\n\n", NULL};
    ask(f, f->path, words, 2, pieces);
    assert_string_equal(f->out, "");
    assert_string_equal(f->errors, "error: no such route is known\n");
    assert_int_equal(f->status, 1);
}

static void an_agent_that_says_nothing_is_an_error(void **state)
{
    struct fixture *f = *state;
    char *words[] = {"help"};
    const char *const pieces[] = {NULL};
    ask(f, f->path, words, 1, pieces);
    assert_non_null(strstr(f->errors, "closed the connection"));
    assert_int_equal(f->status, 1);
}

static void where_nobody_listens_the_socket_is_named(void **state)
{
    struct fixture *f = *state;
    char other[120];
    char *words[] = {"help"};
    snprintf(other, sizeof other, "%s.not", f->path);
    ask(f, other, words, 1, NULL);
    assert_non_null(strstr(f->errors, other));
    assert_non_null(strstr(f->errors, "-s names another socket"));
    assert_int_equal(f->status, 1);
}

static void a_command_is_one_line(void **state)
{
    static char longer[10000];
    struct fixture *f = *state;
    char *two_lines[] = {"show", "info\nflush"}, *too_long[] = {longer};
    const char *const pieces[] = {NULL};
    memset(longer, 'x', sizeof longer - 1);
    ask(f, f->path, two_lines, 2, pieces);
    assert_string_equal(f->asked, "");
    assert_non_null(strstr(f->errors, "longer than one line"));
    assert_int_equal(f->status, 1);
    ask(f, f->path, too_long, 1, pieces);
    assert_string_equal(f->asked, "");
    assert_non_null(strstr(f->errors, "longer than one line"));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(output_is_printed_without_its_empty_line), WITH(the_cuts_make_no_difference),
        WITH(an_error_goes_to_stderr_and_is_a_status),  WITH(an_agent_that_says_nothing_is_an_error),
        WITH(where_nobody_listens_the_socket_is_named), WITH(a_command_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
