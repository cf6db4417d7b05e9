/* tests/unit/agent/level0/test_runtime_api.c - the runtime client against a real HAProxy ($HAPROXY, or the installed
 * one; skipped without), and against peers that misbehave. */
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/level0/runtime_api.h"
#include "base/listen_socket.h"
#include "base/unix_socket.h"
#include "tests/unit/agent/level0/pump.h"
#include "tests/unit/base/name_server.h"

enum { START = 1000000 };

struct fixture {
    struct ev_loop *loop;
    struct cells *cells;
    const struct cells *shared;
    struct hot_map *map;
    struct runtime_api_counts counts;
    struct runtime_api *runtime;
    char folder[64], socket[96], address[104], file[96], config[96];
    pid_t haproxy;
    unsigned synced, failed;
    char why[300];
    const char *doubted; /* the only key that is not inherited; NULL: nothing is */
};

static const char *program(void)
{
    const char *given = getenv("HAPROXY");
    if (given && *given)
        return given;
    return access("/usr/sbin/haproxy", X_OK) == 0 ? "/usr/sbin/haproxy" : NULL;
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void on_event(void *user, const struct runtime_api_event *event)
{
    struct fixture *f = user;
    if (event->what == RUNTIME_API_SYNCED)
        f->synced++;
    else
        f->failed++;
    snprintf(f->why, sizeof f->why, "%s", event->why ? event->why : "");
}

static bool on_found(void *user, int target, const char *key, size_t length, uint16_t cell)
{
    struct fixture *f = user;
    if (strlen(f->doubted) == length && memcmp(f->doubted, key, length) == 0)
        return false;
    return hot_map_inherit(f->map, target, key, length, cell, 5000, START);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-runtime-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->socket, sizeof f->socket, "%s/socket", f->folder);
    snprintf(f->address, sizeof f->address, "unix:%s", f->socket);
    snprintf(f->file, sizeof f->file, "%s/routes.map", f->folder);
    snprintf(f->config, sizeof f->config, "%s/haproxy.cfg", f->folder);
    f->loop = ev_loop_new(0);
    f->cells = cells_new();
    f->shared = f->cells;
    assert_int_equal(cells_add(f->cells, "eu0", "", "eu"), CELLS_OK);
    assert_int_equal(cells_add(f->cells, "us0", "", "us"), CELLS_OK);
    struct hot_map_options options = {.entries = 20000, .uses = 1, .life_ms = 60000, .seed = 1};
    f->map = hot_map_new(&options);
    *state = f;
    return 0;
}

static void stop_haproxy(struct fixture *f)
{
    if (f->haproxy > 0) {
        kill(f->haproxy, SIGKILL);
        waitpid(f->haproxy, NULL, 0);
    }
    f->haproxy = 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    runtime_api_free(f->runtime);
    stop_haproxy(f);
    hot_map_free(f->map);
    cells_free(f->cells);
    ev_loop_destroy(f->loop);
    unlink(f->socket);
    unlink(f->file);
    unlink(f->config);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void start_haproxy(struct fixture *f)
{
    char text[600];
    snprintf(
        text, sizeof text,
        "global\n stats socket unix@%s mode 600 level admin\n nbthread 1\ndefaults\n mode http\n timeout client 1s\n"
        " timeout connect 1s\n timeout server 1s\nfrontend f\n bind unix@%s.http\n"
        " http-request return status 200 hdr X-Entry %%[path,map_beg(%s)]\n",
        f->socket, f->socket, f->file);
    write_text(f->config, text);
    pid_t parent = getpid();
    f->haproxy = fork();
    assert_true(f->haproxy >= 0);
    if (f->haproxy > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        execl(program(), program(), "-db", "-q", "-f", f->config, (char *)NULL);
    _exit(127);
}

static void start_runtime(struct fixture *f)
{
    struct runtime_api_options options = {.address = f->address,
                                          .map_file = f->file,
                                          .map = f->map,
                                          .cells = &f->shared,
                                          .counts = &f->counts,
                                          .seed = 1,
                                          .on_event = on_event,
                                          .on_found = f->doubted ? on_found : NULL,
                                          .user = f};
    f->runtime = runtime_api_new(f->loop, &options);
    assert_non_null(f->runtime);
}

static void in(struct fixture *f, const char *key, uint16_t cell)
{
    hot_map_used(f->map, key, strlen(key), cell, 3600000, START);
    runtime_api_poke(f->runtime);
}

static void out(struct fixture *f, const char *key)
{
    hot_map_forget(f->map, key, strlen(key));
    runtime_api_poke(f->runtime);
}

/* HAProxy's map without the addresses, a line each; the caller frees it. */
static char *the_map(struct fixture *f)
{
    char command[200], line[600], *text = NULL;
    size_t size = 0;
    int fd = unix_socket_connect(f->socket, 0);
    assert_true(fd >= 0);
    snprintf(command, sizeof command, "show map %s\n", f->file);
    assert_true(write(fd, command, strlen(command)) > 0);
    FILE *answer = fdopen(fd, "r"), *kept = open_memstream(&text, &size);
    while (fgets(line, sizeof line, answer))
        if (strncmp(line, "0x", 2) == 0)
            fputs(strchr(line, ' ') + 1, kept);
    fclose(answer);
    fclose(kept);
    return text;
}

static void expect_map(struct fixture *f, const char *expected)
{
    char *text = the_map(f);
    assert_string_equal(text, expected);
    free(text);
}

static void changes_reach_haproxy(void **state)
{
    struct fixture *f = *state;
    if (!program())
        skip();
    write_text(f->file, "/old/ us0|/old/\n");
    start_haproxy(f);
    start_runtime(f);
    PUMP_UNTIL(f, __func__, f->synced == 1);
    expect_map(f, "");
    in(f, "/a/", 0);
    in(f, "/b/", 1);
    PUMP_UNTIL(f, __func__, runtime_api_is_synced(f->runtime));
    expect_map(f, "/a/ eu0|/a/\n/b/ us0|/b/\n");
    out(f, "/a/");
    in(f, "/a/", 1); /* in one batch: deleted, then added */
    PUMP_UNTIL(f, __func__, runtime_api_is_synced(f->runtime));
    expect_map(f, "/b/ us0|/b/\n/a/ us0|/a/\n");
    assert_int_equal(f->counts.resyncs, 1);
    assert_int_equal(f->failed, 0);
}

static void a_new_process_is_brought_in_line(void **state)
{
    struct fixture *f = *state;
    if (!program())
        skip();
    write_text(f->file, "");
    start_haproxy(f);
    start_runtime(f);
    in(f, "/a/", 0);
    in(f, "/b/", 1);
    PUMP_UNTIL(f, __func__, f->synced == 1 && runtime_api_is_synced(f->runtime));
    stop_haproxy(f);
    write_text(f->file,
               "/a/ eu0|/a/\n/b/ eu0|/b/\n/b/ us0|/b/\n/gone/ us0|/gone/\n/odd/ what\n/other/ nocell|/other/\n");
    start_haproxy(f);
    PUMP_UNTIL(f, __func__, f->synced == 2 && runtime_api_is_synced(f->runtime));
    expect_map(f, "/a/ eu0|/a/\n/b/ us0|/b/\n");
}

static void stock_is_taken_of_the_first_process(void **state)
{
    struct fixture *f = *state;
    if (!program())
        skip();
    f->doubted = "/doubted/";
    write_text(f->file,
               "/a/ eu0|/a/\n/b/ us0|/b/\n/doubted/ us0|/doubted/\n/a/ us0|/a/\n/odd/ what\n/other/ nocell|/other/\n");
    start_haproxy(f);
    start_runtime(f);
    PUMP_UNTIL(f, __func__, f->synced == 1 && runtime_api_is_synced(f->runtime));
    expect_map(f, "/b/ us0|/b/\n/a/ eu0|/a/\n"); /* of the two for /a/ one comes back */
    out(f, "/b/");
    PUMP_UNTIL(f, __func__, runtime_api_is_synced(f->runtime));
    expect_map(f, "/a/ eu0|/a/\n");
    stop_haproxy(f);
    write_text(f->file, "/a/ eu0|/a/\n/b/ us0|/b/\n");
    start_haproxy(f);
    PUMP_UNTIL(f, __func__, f->synced == 2 && runtime_api_is_synced(f->runtime));
    expect_map(f, "/a/ eu0|/a/\n"); /* by now the agent knows better */
}

static void keys_that_cannot_be_deleted_by_name(void **state)
{
    struct fixture *f = *state;
    if (!program())
        skip();
    write_text(f->file, "/a/ eu0|/a/\n/semi;colon/ us0|/semi;colon/\n");
    start_haproxy(f);
    start_runtime(f);
    in(f, "/a/", 0);
    PUMP_UNTIL(f, __func__, f->synced == 1 && runtime_api_is_synced(f->runtime));
    expect_map(f, "/a/ eu0|/a/\n");
}

static void many_entries(void **state)
{
    struct fixture *f = *state;
    char key[64];
    if (!program())
        skip();
    write_text(f->file, "");
    start_haproxy(f);
    start_runtime(f);
    PUMP_UNTIL(f, __func__, f->synced == 1);
    for (int i = 0; i < 20000; i++) { /* more than the journal keeps */
        snprintf(key, sizeof key, "/a-group-of-some-length-%d/", i);
        in(f, key, (uint16_t)(i % 2));
    }
    PUMP_UNTIL(f, __func__, f->counts.resyncs == 2 && runtime_api_is_synced(f->runtime));
    char *text = the_map(f);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    free(text);
    assert_int_equal(lines, 20000);
    hot_map_flush(f->map);
    runtime_api_poke(f->runtime);
    PUMP_UNTIL(f, __func__, runtime_api_is_synced(f->runtime));
    expect_map(f, "");
}

static void a_process_without_the_map(void **state)
{
    struct fixture *f = *state;
    if (!program())
        skip();
    write_text(f->file, "");
    start_haproxy(f);
    snprintf(f->file, sizeof f->file, "%s/other.map", f->folder);
    start_runtime(f);
    PUMP_UNTIL(f, __func__, f->failed == 1);
    assert_string_equal(f->why, "HAProxy says: Unknown map identifier. Please use #<id> or <file>.");
    snprintf(f->file, sizeof f->file, "%s/routes.map", f->folder);
    PUMP_UNTIL(f, __func__, f->synced == 1);
}

static void nobody_there(void **state)
{
    struct fixture *f = *state;
    start_runtime(f);
    in(f, "/a/", 0);
    PUMP_UNTIL(f, __func__, f->failed == 1);
    assert_string_equal(f->why, "No such file or directory");
    assert_false(runtime_api_is_synced(f->runtime));
}

/* A peer that accepts, and says this. */
static const char *peer_says;

static void on_peer(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    int fd = accept(watcher->fd, NULL, NULL);
    (void)!write(fd, peer_says, strlen(peer_says));
    close(fd);
}

static void peers_that_are_no_haproxy(void **state)
{
    static const char *const says[] = {"", "> > ", "\n> Pid: 5\n> 0x1 /a/ x|/a/", "HTTP/1.1 400 Bad\r\n\r\n",
                                       "\n> Permission denied\n\n> "};
    struct fixture *f = *state;
    struct listen_socket peer;
    assert_true(listen_socket_open_path(&peer, f->socket, NULL, f->why, sizeof f->why));
    ev_io watcher;
    ev_io_init(&watcher, on_peer, peer.fd, EV_READ);
    ev_io_start(f->loop, &watcher);
    peer_says = says[0];
    start_runtime(f);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        uint64_t before = f->counts.errors;
        peer_says = says[i];
        PUMP_UNTIL(f, __func__, f->counts.errors > before);
        assert_false(runtime_api_is_synced(f->runtime));
    }
    ev_io_stop(f->loop, &watcher);
    listen_socket_close(&peer);
}

struct ticks {
    unsigned count;
    double last, longest; /* when it came, and the longest pause; seconds */
};

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct ticks *ticks = timer->data;
    double now = ev_time();
    (void)loop;
    (void)events;
    if (ticks->count++ > 0 && now - ticks->last > ticks->longest)
        ticks->longest = now - ticks->last;
    ticks->last = now;
}

/* The loop goes on all the time, with one lookup under way over all tries. */
static void a_silent_name_server(void **state)
{
    struct fixture *f = *state;
    struct listen_socket peer;
    struct ticks ticks = {0};
    ev_timer tick;
    ev_io watcher;
    name_server.silent = true;
    assert_true(listen_socket_open(&peer, "127.0.0.1:0", NULL, f->why, sizeof f->why));
    ev_io_init(&watcher, on_peer, peer.fd, EV_READ);
    ev_timer_init(&tick, on_tick, 0., 0.01);
    tick.data = &ticks;
    ev_timer_start(f->loop, &tick);
    ev_io_start(f->loop, &watcher);
    peer_says = "";
    snprintf(f->address, sizeof f->address, "haproxy.example:%u", (unsigned)peer.port);
    start_runtime(f);
    PUMP_UNTIL(f, __func__, f->counts.errors == 1);
    assert_true(ticks.count > 20);
    PUMP_UNTIL(f, __func__, ticks.count > 250);
    assert_true(ticks.longest < 1);
    assert_int_equal(name_server.asked, 1);
    name_server.says[0] = "127.0.0.1";
    name_server.silent = false;
    PUMP_UNTIL(f, __func__, f->counts.errors == 3); /* the peer ended the connection; the name is looked up again */
    assert_int_equal(name_server.asked, 2);
    ev_timer_stop(f->loop, &tick);
    ev_io_stop(f->loop, &watcher);
    listen_socket_close(&peer);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(changes_reach_haproxy),
        TEST(a_new_process_is_brought_in_line),
        TEST(stock_is_taken_of_the_first_process),
        TEST(keys_that_cannot_be_deleted_by_name),
        TEST(many_entries),
        TEST(a_process_without_the_map),
        TEST(nobody_there),
        TEST(peers_that_are_no_haproxy),
        TEST(a_silent_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
