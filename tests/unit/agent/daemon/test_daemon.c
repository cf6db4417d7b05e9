/* tests/unit/agent/daemon/test_daemon.c - start, reload and end of the daemon as a process: each in a child of its own,
 * whose log and exit status tell. What it serves is tests/system's. */
#include "agent/daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct fixture {
    char folder[64], file[96], spoe[96], admin[96];
    pid_t child;
    int log;
    char said[30000];
    size_t said_length;
    rlim_t files; /* 0: as it is */
};

static void write_conf(struct fixture *f, const char *more)
{
    FILE *out = fopen(f->file, "we");
    assert_non_null(out);
    fprintf(out,
            "region = eu\nrouter = r1\ndrain = 20\ncell eu0 { servers = {\"127.0.0.1:1\"} }\n"
            "spoe { listen = {\"unix:%s\"}\n lame-duck = 0 }\nadmin { socket = \"%s\" }\n%s",
            f->spoe, f->admin, more);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-daemon-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->file, sizeof f->file, "%s/cellrouter.conf", f->folder);
    snprintf(f->spoe, sizeof f->spoe, "%s/spoe", f->folder);
    snprintf(f->admin, sizeof f->admin, "%s/admin", f->folder);
    f->log = -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->child > 0) { /* a test that failed in between */
        kill(f->child, SIGKILL);
        waitpid(f->child, NULL, 0);
    }
    if (f->log >= 0)
        close(f->log);
    unlink(f->file);
    unlink(f->spoe);
    unlink(f->admin);
    rmdir(f->folder);
    free(f);
    return 0;
}

static int child_main(const struct fixture *f)
{
    struct rlimit limit = {f->files, f->files};
    if (f->files && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 90;
    struct config *config = config_load(f->file, stderr);
    return config ? daemon_run(config, false) : 91;
}

static void start(struct fixture *f)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    f->child = fork();
    assert_true(f->child >= 0);
    if (f->child == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        _exit(child_main(f));
    }
    close(ends[1]);
    f->log = ends[0];
}

/* Reads the log until it has this text; false: it ended, or nothing came for too long. */
static bool has_said(struct fixture *f, const char *text)
{
    struct pollfd ready = {.fd = f->log, .events = POLLIN};
    while (!strstr(f->said, text)) {
        if (f->said_length + 1 == sizeof f->said || poll(&ready, 1, PATIENCE_MS) != 1)
            return false;
        ssize_t n = read(f->log, f->said + f->said_length, sizeof f->said - 1 - f->said_length);
        if (n <= 0)
            return false;
        f->said_length += (size_t)n;
        f->said[f->said_length] = '\0';
    }
    return true;
}

static void wait_for(struct fixture *f, const char *text)
{
    if (!has_said(f, text))
        fail_msg("\"%s\" is not in the log:\n%s", text, f->said);
}

static void expect_end(struct fixture *f, int wanted)
{
    int status;
    (void)!has_said(f, "\001"); /* to the end of the log */
    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    f->child = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
        fail_msg("it ended with 0x%x instead of exit status %d:\n%s", (unsigned)status, wanted, f->said);
}

static void it_starts_and_ends_in_order(void **state)
{
    struct fixture *f = *state;
    write_conf(f, "");
    start(f);
    wait_for(f, "reason=started");
    assert_int_equal(access(f->spoe, F_OK) | access(f->admin, F_OK), 0);
    kill(f->child, SIGTERM);
    wait_for(f, "reason=stopping signal=15");
    expect_end(f, 0);
    wait_for(f, "reason=stopped");
    assert_int_not_equal(access(f->spoe, F_OK), 0);
    assert_int_not_equal(access(f->admin, F_OK), 0);
}

static void a_second_signal_ends_it_at_once(void **state)
{
    struct fixture *f = *state;
    write_conf(f, "");
    start(f);
    wait_for(f, "reason=started");
    kill(f->child, SIGSTOP); /* both arrive in one go: in whatever order they are seen, one is the second */
    kill(f->child, SIGTERM);
    kill(f->child, SIGINT);
    kill(f->child, SIGCONT);
    expect_end(f, 1);
    wait_for(f, "reason=second_signal");
}

static void a_reload_takes_what_is_right_and_leaves_what_is_not(void **state)
{
    struct fixture *f = *state;
    write_conf(f, "");
    start(f);
    wait_for(f, "reason=started");
    write_conf(f, "cell eu1 { servers = {\"127.0.0.1:2\"} }\nroutes { memory = 33554432 }\n");
    kill(f->child, SIGHUP);
    wait_for(f, "reason=reloaded");
    wait_for(f, "cells=2");
    wait_for(f, "setting=routes.memory");
    write_conf(f, "cell eu1 { servers = {} \n");
    kill(f->child, SIGHUP);
    wait_for(f, "reason=reload_error");
    wait_for(f, "reason=reload_refused");
    kill(f->child, SIGINT);
    expect_end(f, 0);
}

static void what_fails_at_the_start_is_one_line_and_status_1(void **state)
{
    struct fixture *f = *state;
    write_conf(f, "");
    snprintf(f->spoe, sizeof f->spoe, "%s/none/spoe", f->folder);
    write_conf(f, "");
    start(f);
    expect_end(f, 1);
    wait_for(f, "reason=start_failed");
    wait_for(f, f->spoe);
    assert_null(strstr(f->said, "reason=started"));
}

static void too_few_descriptors_are_said_with_both_numbers(void **state)
{
    struct fixture *f = *state;
    f->files = 24;
    write_conf(f, "");
    start(f);
    expect_end(f, 1);
    wait_for(f, "the limit of open files is 24, and the agent itself needs ");
}

static void few_descriptors_are_fewer_connections(void **state)
{
    struct fixture *f = *state;
    f->files = 64;
    write_conf(f, "");
    start(f);
    wait_for(f, "reason=files_limit limit=64 ");
    wait_for(f, "reason=started");
    kill(f->child, SIGTERM);
    expect_end(f, 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(it_starts_and_ends_in_order),
        WITH(a_second_signal_ends_it_at_once),
        WITH(a_reload_takes_what_is_right_and_leaves_what_is_not),
        WITH(what_fails_at_the_start_is_one_line_and_status_1),
        WITH(too_few_descriptors_are_said_with_both_numbers),
        WITH(few_descriptors_are_fewer_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
