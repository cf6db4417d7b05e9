/* tests/unit/agent/daemon/test_daemon_admin.c - what each command prints and does, with a daemon of real parts that
 * does not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/daemon/daemon_private.h"
#include "base/clock.h"
#include "spoe/frame.h"
#include "spoe/hello.h"

static const char CONF[] =
    "region = eu\nrouter = r1\n"
    "cell eu0 { name = \"Cell EU0\" servers = {\"a:1\"} }\ncell eu1 { servers = {\"b:1\", \"c:1\"} }\n"
    "spoe { listen = {\"unix:/run/x\"} }\n";

struct fixture {
    struct daemon daemon;
    char folder[64], file[96];
    char *said;
};

static void write_file(const struct fixture *f, const char *text)
{
    FILE *out = fopen(f->file, "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct daemon *daemon = &f->daemon;
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-commands-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->file, sizeof f->file, "%s/cellrouter.conf", f->folder);
    write_file(f, CONF);
    daemon->config = daemon->started = config_load(f->file, stderr);
    assert_non_null(daemon->config);
    daemon->loop = ev_loop_new(EVFLAG_AUTO);
    daemon->started_ms = clock_now_ms();
    daemon->log = log_new(STDERR_FILENO, LOG_ERROR, 1, clock_wall_ms);
    struct router_options options = {.config = daemon->config,
                                     .counters = &daemon->counters,
                                     .log = daemon->log,
                                     .seed = 42,
                                     .now_ms = clock_now_ms,
                                     .wall_ms = clock_wall_ms};
    daemon->router = router_new(&options);
    struct spoe_server_options server = {.handler = router_spoe_handler(daemon->router)};
    daemon->server = spoe_server_new(daemon->loop, &server);
    *state = f;
    return daemon->router && daemon->server ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct daemon *daemon = &f->daemon;
    spoe_server_free(daemon->server);
    router_free(daemon->router);
    ev_loop_destroy(daemon->loop);
    if (daemon->config != daemon->started)
        config_free(daemon->config);
    config_free(daemon->started);
    log_free(daemon->log);
    unlink(f->file);
    rmdir(f->folder);
    free(f->said);
    free(f);
    return 0;
}

static const struct admin_command *find(const char *name)
{
    for (const struct admin_command *command = daemon_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    fail_msg("there is no command %s", name);
    return NULL;
}

/* The whole output; of a stream, in pieces of `room` bytes. */
static const char *run(struct fixture *f, const char *name, const char *argument, size_t room)
{
    struct admin_stream stream = {0};
    size_t size = 0, n;
    free(f->said);
    f->said = NULL;
    FILE *out = open_memstream(&f->said, &size);
    find(name)->run(&f->daemon, argument, out, &stream);
    char *piece = malloc(room);
    for (bool more = stream.step; more;) {
        more = stream.step(stream.state, piece, room, &n);
        assert_true(n <= room);
        fwrite(piece, 1, n, out);
    }
    if (stream.done)
        stream.done(stream.state);
    free(piece);
    fclose(out);
    return f->said;
}

/* A cell's response teaches a route, by way of a session. */
static void teach(struct fixture *f, const char *path, const char *cell, const char *cache)
{
    const char *const names[] = {"path", "cell", "cache"}, *const values[] = {path, cell, cache};
    uint8_t bytes[1000];
    struct spop_writer payload = spop_writer(bytes, sizeof bytes);
    spop_write_message(&payload, TEXT_VIEW("learn"), 3);
    for (int i = 0; i < 3; i++) {
        struct spop_data value = spop_string(values[i], strlen(values[i]));
        spop_write_arg(&payload, (struct text_view){names[i], strlen(names[i])}, &value);
    }
    assert_false(payload.full);
    struct spoe_handler handler = router_spoe_handler(f->daemon.router);
    struct spoe_common *common = spoe_common_new(&(struct spoe_limits){0}, &handler, NULL);
    struct spoe_session *session = spoe_session_new(common, NULL, 1, clock_now_ms());
    uint8_t frames[2000];
    struct spop_writer out = spop_writer(frames, sizeof frames);
    struct spop_hello hello = {.version_2 = true, .frame_size = 16380, .pipelining = true};
    assert_true(spop_write_haproxy_hello(&out, &hello, 16380));
    size_t begin = spop_begin_frame(&out, SPOP_NOTIFY, 1, 1);
    spop_write_bytes(&out, bytes, payload.used);
    assert_true(spop_end_frame(&out, begin, 16380));
    assert_int_equal(spoe_session_feed(session, frames, out.used, clock_now_ms()), SPOE_CLOSE_NONE);
    spoe_session_free(session);
    spoe_common_free(common);
}

static void expect_parts(const char *said, const char *const *parts)
{
    for (; *parts; parts++)
        if (!strstr(said, *parts))
            fail_msg("\"%s\" is not in:\n%s", *parts, said);
}

static void show_info_tells_what_runs(void **state)
{
    struct fixture *f = *state;
    const char *const parts[] = {"version " CELLROUTER_VERSION "\n",
                                 "router r1\nregion eu\n",
                                 "\nstate serving\n",
                                 "\nlisten unix:/run/x\n",
                                 "\nredis none\n",
                                 "\ncells 2\nroutes 0\n",
                                 NULL};
    expect_parts(run(f, "show info", "", 100), parts);
    f->daemon.draining = true;
    const char *const draining[] = {"\nstate draining\n", NULL};
    expect_parts(run(f, "show info", "", 100), draining);
}

static void show_counters_and_metrics_have_every_counter(void **state)
{
    struct fixture *f = *state;
    char wanted[100];
    teach(f, "/a/x", "eu0", "{path_prefix:/a/}");
    const char *const parts[] = {"\nroutes 1\n", "\nroutes_learned 1\n", "\ncells 2\n", NULL};
    const char *said = run(f, "show counters", "", 100);
    expect_parts(said, parts);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        char name[80];
        counter_name((enum counter)i, name, sizeof name);
        snprintf(wanted, sizeof wanted, "%s ", name);
        assert_non_null(strstr(said, wanted));
    }
    const char *const metrics[] = {"\ncellrouter_routes 1\n", "# TYPE cellrouter_routes gauge\n", NULL};
    expect_parts(run(f, "show metrics", "", 100), metrics);
}

static void show_cells_has_a_line_each(void **state)
{
    struct fixture *f = *state;
    const char *const parts[] = {"eu0 region=eu answers=302 servers=1 name=\"Cell EU0\"\n",
                                 "eu1 region=eu answers=302 servers=2 name=\"eu1\"\n", NULL};
    expect_parts(run(f, "show cells", "", 100), parts);
}

static void show_routes_lists_in_pieces_of_any_size(void **state)
{
    struct fixture *f = *state;
    char path[40], cache[60], line[60];
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/o%03d/x", i);
        snprintf(cache, sizeof cache, "{path_prefix:/o%03d/}", i);
        teach(f, path, i % 2 ? "eu1" : "eu0", cache);
    }
    for (size_t room = 1; room < 5000; room = room * 5 + 2) {
        const char *said = run(f, "show routes", "", room);
        for (int i = 0; i < 200; i++) {
            snprintf(line, sizeof line, "/o%03d/ %s left=", i, i % 2 ? "eu1" : "eu0");
            assert_non_null(strstr(said, line));
        }
    }
    const char *said = run(f, "show routes", "/o01", 100);
    int lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 10);
    const char *const parts[] = {"/o010/ eu0 left=", "from=learning learned-by=r1\n", NULL};
    expect_parts(said, parts);
}

static void show_routes_filters(void **state)
{
    struct fixture *f = *state;
    teach(f, "/a/x", "eu0", "{path_prefix:/a/}");
    teach(f, "/b/x", "eu1", "{path_prefix:/b/}");
    static const struct {
        const char *argument;
        bool a, b;
    } cases[] = {
        {"cell=eu0", true, false},        {"cell=eu1", false, true},       {"/a/ cell=eu1", false, false},
        {"  cell=eu0   /a", true, false}, {"from=learning", true, true},   {"from=redis", false, false},
        {"pinned", false, false},         {"older=100", false, false},     {"older=0", true, true},
        {"younger=100", true, true},      {"younger=0 /a/", false, false}, {"younger=100 /b/", false, true},
        {"/pinned", false, false},        {"site.example", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *said = run(f, "show routes", cases[i].argument, 100);
        if (!!strstr(said, "/a/ eu0 ") != cases[i].a || !!strstr(said, "/b/ eu1 ") != cases[i].b)
            fail_msg("show routes %s:\n%s", cases[i].argument, said);
    }
}

static void show_routes_names_the_right_filters(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"cel=eu0", "error: cel=eu0: no such filter; "},
        {"/a/ pined", "error: pined: no such filter; "},
        {"cell=eu7", "error: cell=eu7: no such cell (show cells); "},
        {"from=disk", "error: from=disk: no such source; "},
        {"older=", "error: older=: not a number of seconds; "},
        {"younger=-1", "error: younger=-1: not a number of seconds; "},
        {"older=9999999999", "error: older=9999999999: not a number of seconds; "},
        {"/a/ /b/", "error: /b/: a second prefix; "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const parts[] = {cases[i][1], "filters are a prefix (/a/ or host/a/), cell=ID, ", NULL};
        expect_parts(run(f, "show routes", cases[i][0], 100), parts);
    }
}

static void forget_and_flush_say_what_they_did(void **state)
{
    struct fixture *f = *state;
    teach(f, "/a/x", "eu0", "{path_prefix:/a/}");
    teach(f, "/b/x", "eu0", "{path_prefix:/b/}");
    assert_string_equal(run(f, "forget", "/a/", 100), "forgotten\n");
    assert_string_equal(run(f, "forget", "/a/", 100), "error: no such route is known\n");
    assert_string_equal(run(f, "forget", "/", 100), "error: a prefix has one to routes.max-depth segments\n");
    const char *const parts[] = {"error: this prefix has ", NULL};
    expect_parts(run(f, "forget", "/a//b", 100), parts);
    assert_string_equal(run(f, "flush", "", 100), "1 routes dropped from memory\n");
    assert_string_equal(run(f, "show routes", "", 100), "");
}

static void explain_takes_a_path_and_a_host(void **state)
{
    struct fixture *f = *state;
    teach(f, "/a/x", "eu1", "{path_prefix:/a/}");
    const char *const parts[] = {"/a/b/ not in memory\n", "/a/ eu1 left=", NULL};
    expect_parts(run(f, "explain", "/a/b   site.example", 100), parts);
    expect_parts(run(f, "explain", "/a/b", 100), parts);
}

static void reload_puts_the_file_in_use_or_says_that_it_does_not(void **state)
{
    struct fixture *f = *state;
    char more[500];
    snprintf(more, sizeof more, "%scell new7 { servers = {\"d:1\"} }\n", CONF);
    write_file(f, more);
    assert_string_equal(run(f, "reload", "", 100), "the new configuration is in use\n");
    const char *const parts[] = {"new7 region=eu", NULL};
    expect_parts(run(f, "show cells", "", 100), parts);
    log_set(f->daemon.log, LOG_ERROR, 0);
    write_file(f, "region = \n");
    const char *const refused[] = {"error: the old configuration stays in use", NULL};
    expect_parts(run(f, "reload", "", 100), refused);
    expect_parts(run(f, "show cells", "", 100), parts);
    assert_int_equal(f->daemon.counters.values[COUNTER_RELOADS], 1);
    assert_int_equal(f->daemon.counters.values[COUNTER_RELOADS_REFUSED], 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(show_info_tells_what_runs),
        WITH(show_counters_and_metrics_have_every_counter),
        WITH(show_cells_has_a_line_each),
        WITH(show_routes_lists_in_pieces_of_any_size),
        WITH(show_routes_filters),
        WITH(show_routes_names_the_right_filters),
        WITH(forget_and_flush_say_what_they_did),
        WITH(explain_takes_a_path_and_a_host),
        WITH(reload_puts_the_file_in_use_or_says_that_it_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
