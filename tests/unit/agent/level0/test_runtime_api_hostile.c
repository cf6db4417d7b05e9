/* tests/unit/agent/level0/test_runtime_api_hostile.c - a HAProxy, or whoever stands at its runtime socket, that says
 * what no HAProxy says: the connection is closed with a reason, the next one works, and nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ev.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/level0/runtime_api.h"
#include "base/listen_socket.h"
#include "tests/unit/agent/level0/pump.h"

enum { START = 1000000, LONG = 70000 };

#define PID_5 "\n> Name: HAProxy\nVersion: 3.0.11\nPid: 5\nStart_time_sec: 7\n\n> "
#define PID_6 "\n> Name: HAProxy\nVersion: 3.0.11\nPid: 6\nStart_time_sec: 7\n\n> "
#define NO_PID "show info tells no Pid: is this HAProxy's runtime socket, and its level admin?"
#define CLOSED "HAProxy closed the connection"
#define UNASKED "HAProxy says what nobody asked for"
#define SILENT "HAProxy does not answer in time"
#define NO_TEXT "HAProxy's reply is no text"
#define NO_LINE "HAProxy's reply has no end of line"
#define NO_END "HAProxy's reply does not end"

/* What is said to "prompt" and "show info", and then to whatever comes next. The process that the agent knows is number
 * 5, and is told changes; number 6 is asked for its map. */
struct form {
    const char *what, *info;
    size_t info_length;
    const char *next;
    size_t next_length;
    const char *more; /* this again and again, LONG bytes, behind the last of them */
    bool stays;       /* the connection; otherwise it is closed then */
    const char *why;
};

#define SAYS(text) text, sizeof(text) - 1
#define NOTHING NULL, 0

static const struct form forms[] = {
    {"nothing", SAYS(""), NOTHING, NULL, false, CLOSED},
    {"nothing, and stays", SAYS(""), NOTHING, NULL, true, SILENT},
    {"another prompt", SAYS("\n$ Pid: 5\n\n$ "), NOTHING, NULL, false, CLOSED},
    {"the master's prompt", SAYS("\nmaster> Pid: 5\n\nmaster> "), NOTHING, NULL, false, CLOSED},
    {"HTTP", SAYS("HTTP/1.1 400 Bad Request\r\n\r\n"), NOTHING, NULL, false, CLOSED},
    {"one prompt of two", SAYS("\n> Pid: 5\n"), NOTHING, NULL, false, CLOSED},
    {"half a prompt", SAYS("\n> Pid: 5\n\n>"), NOTHING, NULL, false, CLOSED},
    {"half a line", SAYS("\n> Pid: 5"), NOTHING, NULL, false, CLOSED},
    {"no pid", SAYS("\n> \n> "), NOTHING, NULL, true, NO_PID},
    {"prompts alone", SAYS("> > "), NOTHING, NULL, true, NO_PID},
    {"a level below admin", SAYS("\n> Permission denied\n\n> "), NOTHING, NULL, true, NO_PID},
    {"a pid of letters", SAYS("\n> Pid: five\n\n> "), NOTHING, NULL, true, NO_PID},
    {"a pid below zero", SAYS("\n> Pid: -5\n\n> "), NOTHING, NULL, true, NO_PID},
    {"a pid that fits no number", SAYS("\n> Pid: 99999999999999999999\n\n> "), NOTHING, NULL, true, NO_PID},
    {"a zero in a line", SAYS("\n> Pid: 5\0006\n\n> "), NOTHING, NULL, true, NO_TEXT},
    {"zeros", SAYS("\0\0\0\0"), NOTHING, NULL, true, NO_TEXT},
    {"bytes of all kinds", SAYS("\377\376\375\1\2\3\n> \200\n\n> "), NOTHING, NULL, true, NO_PID},
    {"a line without an end", SAYS("\n> "), NOTHING, "x", true, NO_LINE},
    {"lines without an end", SAYS("\n> "), NOTHING, "Uptime: 5\n", true, NO_END},
    {"empty lines without an end", SAYS(""), NOTHING, "\n", true, NO_END},
    {"payload prompts without an end", SAYS("\n> "), NOTHING, "+ ", true, NO_END},
    {"prompts without an end", SAYS(PID_5), NOTHING, "> ", true, UNASKED},
    {"one prompt too many", SAYS(PID_5 "> "), NOTHING, NULL, true, UNASKED},
    {"a line that nobody asked for", SAYS(PID_5 "Pid: 9\n"), NOTHING, NULL, true, UNASKED},
    {"half a line that nobody asked for", SAYS(PID_5 "P"), NOTHING, NULL, true, UNASKED},
    {"the info, and ends", SAYS(PID_6), NOTHING, NULL, false, CLOSED},
    {"another map", SAYS(PID_6), SAYS("Unknown map identifier. Please use #<id> or <file>.\n\n> "), NULL, true,
     "HAProxy says: Unknown map identifier. Please use #<id> or <file>."},
    {"a map that it may not show", SAYS(PID_6), SAYS("Permission denied\n\n> "), NULL, true,
     "HAProxy says: Permission denied"},
    {"an address without an entry", SAYS(PID_6), SAYS("0x1\n\n> "), NULL, true, "HAProxy says: 0x1"},
    {"the info in place of the map", SAYS(PID_6), SAYS("Pid: 5\n\n> "), NULL, true, "HAProxy says: Pid: 5"},
    {"half a map", SAYS(PID_6), SAYS("0x1 /a/ eu0|/a/\n"), NULL, false, CLOSED},
    {"half an entry", SAYS(PID_6), SAYS("0x1 /a/ eu"), NULL, false, CLOSED},
    {"an entry with a zero", SAYS(PID_6), SAYS("0x1 /a\0/ eu0|/a/\n\n> "), NULL, true, NO_TEXT},
    {"an entry without an end", SAYS(PID_6), SAYS("0x1 /"), "a", true, NO_LINE},
    {"a prompt behind the map", SAYS(PID_6), SAYS("\n> > "), NULL, true, UNASKED},
    {"a map that is not shown", SAYS(PID_6), SAYS(""), NULL, false, CLOSED},
    {"a map that is full of others' entries, and ends", SAYS(PID_6), SAYS(""), "0x1 /b/ eu9|/b/\n", false, CLOSED},
    {"a change in another map", SAYS(PID_5), SAYS("Unknown map identifier.\n\n> "), NULL, true,
     "HAProxy says: Unknown map identifier."},
    {"a change without memory", SAYS(PID_5), SAYS("Out of memory error.\n\n> "), NULL, true,
     "HAProxy says: Out of memory error."},
    {"a change that it may not make", SAYS(PID_5), SAYS("Permission denied\n\n> "), NULL, true,
     "HAProxy says: Permission denied"},
    {"a change and a map", SAYS(PID_5), SAYS("0x1 /a/ eu0|/a/\n\n> "), NULL, true, "HAProxy says: 0x1 /a/ eu0|/a/"},
    {"keys not found without an end", SAYS(PID_5), SAYS(""), "Key not found.\n", true, NO_END},
    {"one prompt too many behind a change", SAYS(PID_5), SAYS("\n> > "), NULL, true, UNASKED},
    {"a change that nobody answers", SAYS(PID_5), SAYS("+ + "), NULL, true, SILENT},
    {"the end in the middle of a change", SAYS(PID_5), SAYS("+ \n"), NULL, false, CLOSED},
    {"a change, answered by zeros", SAYS(PID_5), SAYS("\0\n> "), NULL, true, NO_TEXT},
};

struct fixture {
    struct ev_loop *loop;
    struct cells *cells;
    const struct cells *shared;
    struct hot_map *map;
    struct runtime_api_counts counts;
    struct runtime_api *runtime;
    struct listen_socket peer;
    ev_io accepts, reads;
    int fd;
    const struct form *form; /* NULL: an honest HAProxy */
    unsigned turn;
    bool in_payload;
    char folder[64], socket[96], address[104], why[300], line[700];
    size_t line_used;
};

static void on_event(void *user, const struct runtime_api_event *event)
{
    struct fixture *f = user;
    snprintf(f->why, sizeof f->why, "%s", event->why ? event->why : "");
}

static void hang_up(struct fixture *f)
{
    if (f->fd < 0)
        return;
    ev_io_stop(f->loop, &f->reads);
    close(f->fd);
    f->fd = -1;
}

static void say(struct fixture *f, const char *bytes, size_t n)
{
    while (n > 0 && f->fd >= 0) {
        ssize_t sent = send(f->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0)
            return;
        bytes += sent;
        n -= (size_t)sent;
    }
}

static void be_honest(struct fixture *f, const char *line)
{
    static const char info[] = "Name: HAProxy\nVersion: 3.0.11\nPid: 5\nStart_time_sec: 7\n";
    if (f->in_payload && *line) {
        say(f, "+ ", 2);
        return;
    }
    f->in_payload = strstr(line, " <<");
    if (strcmp(line, "show info") == 0)
        say(f, info, sizeof info - 1);
    say(f, f->in_payload ? "+ " : "\n> ", f->in_payload ? 2 : 3);
}

/* One answer to all that was read at once: the agent sends the commands of a step together. */
static void be_hostile(struct fixture *f)
{
    const struct form *form = f->form;
    if (f->turn == 0)
        say(f, form->info, form->info_length);
    else
        say(f, form->next, form->next_length);
    if (f->turn++ == 0 && form->next)
        return;
    char bytes[LONG]; /* in one piece: a socket's buffer takes few small ones */
    size_t n = form->more ? strlen(form->more) : 0;
    for (size_t i = 0; n > 0 && i < sizeof bytes; i++)
        bytes[i] = form->more[i % n];
    if (n > 0)
        say(f, bytes, sizeof bytes);
    f->form = NULL; /* the next connection finds an honest one */
    if (!form->stays)
        hang_up(f);
    else
        ev_io_stop(f->loop, &f->reads);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct fixture *f = watcher->data;
    char bytes[16384];
    (void)loop;
    (void)events;
    ssize_t n = recv(f->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0)
        hang_up(f);
    else if (f->form)
        be_hostile(f);
    else
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] != '\n') {
                assert_true(f->line_used < sizeof f->line - 1);
                f->line[f->line_used++] = bytes[i];
                continue;
            }
            f->line[f->line_used] = '\0';
            f->line_used = 0;
            be_honest(f, f->line);
        }
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct fixture *f = watcher->data;
    int size = 1 << 20;
    (void)events;
    hang_up(f);
    f->fd = accept(watcher->fd, NULL, NULL);
    assert_true(f->fd >= 0);
    setsockopt(f->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    f->turn = 0;
    f->line_used = 0;
    f->in_payload = false;
    ev_io_init(&f->reads, on_readable, f->fd, EV_READ);
    f->reads.data = f;
    ev_io_start(loop, &f->reads);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-runtime-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->socket, sizeof f->socket, "%s/socket", f->folder);
    snprintf(f->address, sizeof f->address, "unix:%s", f->socket);
    f->fd = -1;
    f->loop = ev_loop_new(0);
    f->cells = cells_new();
    f->shared = f->cells;
    assert_int_equal(cells_add(f->cells, "eu0", "", "eu"), CELLS_OK);
    struct hot_map_options hot = {.entries = 20000, .uses = 1, .life_ms = 60000, .seed = 1};
    f->map = hot_map_new(&hot);
    assert_true(listen_socket_open_path(&f->peer, f->socket, NULL, f->why, sizeof f->why));
    ev_io_init(&f->accepts, on_connection, f->peer.fd, EV_READ);
    f->accepts.data = f;
    ev_io_start(f->loop, &f->accepts);
    struct runtime_api_options options = {.address = f->address,
                                          .map_file = "routes.map",
                                          .map = f->map,
                                          .cells = &f->shared,
                                          .counts = &f->counts,
                                          .seed = 1,
                                          .on_event = on_event,
                                          .user = f};
    f->runtime = runtime_api_new(f->loop, &options);
    assert_non_null(f->runtime);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    runtime_api_free(f->runtime);
    hang_up(f);
    ev_io_stop(f->loop, &f->accepts);
    listen_socket_close(&f->peer);
    hot_map_free(f->map);
    cells_free(f->cells);
    ev_loop_destroy(f->loop);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void each_form_costs_one_connection(void **state)
{
    struct fixture *f = *state;
    char key[64];
    assert_true(sizeof forms / sizeof forms[0] >= 24);
    PUMP_UNTIL(f, "at the start", runtime_api_is_synced(f->runtime));
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        uint64_t errors = f->counts.errors;
        snprintf(key, sizeof key, "/a%zu/", i);
        f->form = &forms[i];
        f->why[0] = '\0';
        hot_map_used(f->map, key, strlen(key), 0, 3600000, START); /* a change to tell */
        runtime_api_poke(f->runtime);
        PUMP_UNTIL(f, forms[i].what, f->counts.errors > errors);
        if (strcmp(f->why, forms[i].why) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", forms[i].what, f->why, forms[i].why);
        PUMP_UNTIL(f, forms[i].what, runtime_api_is_synced(f->runtime));
        if (f->counts.errors != errors + 1)
            fail_msg("%s: %u errors", forms[i].what, (unsigned)(f->counts.errors - errors));
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_form_costs_one_connection, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
