/* tests/unit/agent/level0/test_limits_reader.c - the reader against a peer in the same loop, which replies as it is
 * told: right, wrong, in pieces, not at all, without end. */
#include "agent/level0/limits_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ev.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/level0/haproxy_limits.h"

#define REPLY(maxconn) \
    "Version: 3.0.11\nPid: 7\nUlimit-n: 830\nMaxsock: 830\nMaxconn: " maxconn "\n\n# pxname,svname,qcur,\n" \
    "cellrouter-inner,FRONTEND,,,0,0,180,0\nmysite,FRONTEND,,,0,0,120,0\n\n"

struct fixture {
    struct ev_loop *loop;
    struct config_haproxy config;
    struct counters counters;
    struct limits_reader *reader;
    char folder[64], socket[96], address[104], asked[200];
    char *items[1];
    int listener, client;
    ev_io accepts, reads;
    const char *reply; /* NULL: none; "": the same byte without end */
};

static void on_question(struct ev_loop *loop, ev_io *io, int events)
{
    struct fixture *f = io->data;
    static char endless[65536];
    (void)events;
    size_t used = strlen(f->asked);
    ssize_t n = f->reply && !f->reply[0] ? 1 : read(f->client, f->asked + used, sizeof f->asked - 1 - used);
    if (n > 0 && f->reply && !f->reply[0]) {
        memset(endless, 'x', sizeof endless);
        n = send(f->client, endless, sizeof endless, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            return;
    } else if (n > 0) {
        if (!strchr(f->asked, '\n') || !f->reply)
            return;
        size_t half = strlen(f->reply) / 2;
        assert_true(send(f->client, f->reply, half, MSG_NOSIGNAL) >= 0);
        assert_true(send(f->client, f->reply + half, strlen(f->reply) - half, MSG_NOSIGNAL) >= 0);
    }
    ev_io_stop(loop, io);
    close(f->client);
    f->client = -1;
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
    struct fixture *f = io->data;
    (void)events;
    f->client = accept(f->listener, NULL, NULL);
    assert_true(f->client >= 0);
    f->asked[0] = '\0';
    ev_io_init(&f->reads, on_question, f->client, f->reply && !f->reply[0] ? EV_WRITE : EV_READ);
    f->reads.data = f;
    ev_io_start(loop, &f->reads);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-limits-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->socket, sizeof f->socket, "%s/socket", f->folder);
    snprintf(f->address, sizeof f->address, "unix:%s", f->socket);
    strcpy(at.sun_path, f->socket);
    f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(f->listener, 5), 0);
    f->client = -1;
    f->loop = ev_loop_new(0);
    ev_io_init(&f->accepts, on_client, f->listener, EV_READ);
    f->accepts.data = f;
    ev_io_start(f->loop, &f->accepts);
    f->items[0] = f->address;
    f->config = (struct config_haproxy){.maxconn = 120, .runtime = {.items = f->items, .count = 1}};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    limits_reader_free(f->reader);
    ev_loop_destroy(f->loop);
    if (f->client >= 0)
        close(f->client);
    close(f->listener);
    unlink(f->socket);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* Until so many questions had this outcome. */
static void wait_for(struct fixture *f, enum counter outcome, uint64_t times)
{
    if (!f->reader) {
        const struct limits_reader_options options = {.config = &f->config, .counters = &f->counters};
        f->reader = limits_reader_new(f->loop, &options);
        assert_non_null(f->reader);
    }
    while (f->counters.values[outcome] < times)
        ev_run(f->loop, EVRUN_ONCE);
    limits_reader_sample(f->reader);
}

static const char *shown(const struct fixture *f)
{
    static char text[2000];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    limits_reader_print(f->reader, out);
    fclose(out);
    return text;
}

static void limits_that_fit_are_shown(void **state)
{
    struct fixture *f = *state;
    char complaint[300];
    f->reply = REPLY("400");
    wait_for(f, COUNTER_HAPROXY_LIMITS_READ, 1);
    assert_string_equal(f->asked, HAPROXY_LIMITS_QUESTION);
    assert_non_null(strstr(shown(f), "version 3.0.11\npid 7\nmaxconn 400\nloop 180\nclients 120\nfrontends mysite=120\n"
                                     "descriptors 830 of 830\nright\n"));
    assert_int_equal(f->counters.values[COUNTER_HAPROXY_PROCESSES], 1);
    assert_int_equal(f->counters.values[COUNTER_HAPROXY_LIMITS_WRONG], 0);
    limits_reader_complain(f->reader, complaint, sizeof complaint);
    assert_string_equal(complaint, "");
}

static void limits_that_do_not_fit_are_told(void **state)
{
    struct fixture *f = *state;
    char complaint[300];
    f->reply = REPLY("290");
    wait_for(f, COUNTER_HAPROXY_LIMITS_READ, 1);
    assert_non_null(strstr(shown(f), "wrong maxconn is 290, right is at least 400: "));
    assert_non_null(strstr(shown(f), "wrong clients is 120, right is at most 110: "));
    assert_null(strstr(shown(f), "\nright\n"));
    assert_int_equal(f->counters.values[COUNTER_HAPROXY_LIMITS_WRONG], 2);
    limits_reader_complain(f->reader, complaint, sizeof complaint);
    assert_non_null(strstr(complaint, ": maxconn is 290, right is at least 400; "));
}

static void failures_are_survived(void **state)
{
    static const struct {
        const char *reply, *why;
    } cases[] = {{"Permission denied\n\n", "the reply is not that of HAProxy"},
                 {NULL, "HAProxy does not answer in time"},
                 {"", "longer than 1 MiB"}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->reply = cases[i].reply;
        wait_for(f, COUNTER_HAPROXY_LIMITS_FAILED, i + 1);
        assert_non_null(strstr(shown(f), cases[i].why));
        assert_int_equal(f->counters.values[COUNTER_HAPROXY_PROCESSES], 0);
        if (f->client >= 0) {
            ev_io_stop(f->loop, &f->reads);
            close(f->client);
            f->client = -1;
        }
    }
    f->reply = REPLY("400");
    limits_reader_hurry(f->reader);
    wait_for(f, COUNTER_HAPROXY_LIMITS_READ, 1);
    assert_null(strstr(shown(f), "unread"));
}

static void nobody_there(void **state)
{
    struct fixture *f = *state;
    unlink(f->socket);
    wait_for(f, COUNTER_HAPROXY_LIMITS_FAILED, 1);
    assert_non_null(strstr(shown(f), "unread No such file or directory\n"));
    limits_reader_free(NULL);
    limits_reader_sample(NULL);
    limits_reader_free(f->reader);
    f->reader = NULL;
    assert_non_null(strstr(shown(f), "haproxy.runtime is empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_that_fit_are_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_that_do_not_fit_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
