/* tests/unit/agent/level0/test_level0.c - who keeps the map, what the router tells it, and the file, in a folder of its
 * own. HAProxy's side is tests/unit/agent/level0/test_runtime_api.c. */
#include "agent/level0/level0.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/routes/cells.h"

enum { LIFE_S = 60, PATIENCE_S = 10 };

static uint64_t now = 1000000;

static uint64_t now_ms(void)
{
    return now;
}

struct fixture {
    struct ev_loop *loop;
    char folder[64], file[96], lock[110];
    struct config_haproxy config;
    struct counters counters;
    struct cells *cells;
    struct level0 *level0;
};

static struct level0 *open_level0(struct fixture *f, struct counters *counters)
{
    struct level0_options options = {
        .config = &f->config, .counters = counters, .seed = 42, .now_ms = now_ms, .doubt_ms = 5000};
    struct level0 *level0 = level0_new(f->loop, &options);
    assert_non_null(level0);
    level0_cells(level0, f->cells, NULL, 0);
    return level0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cellrouter-level0-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->file, sizeof f->file, "%s/routes.map", f->folder);
    snprintf(f->lock, sizeof f->lock, "%s.lock", f->file);
    f->config = (struct config_haproxy){.map_file = f->file, .map_entries = 100, .map_uses = 2, .map_life_s = LIFE_S};
    f->loop = ev_loop_new(EVFLAG_AUTO);
    f->cells = cells_new();
    assert_int_equal(cells_add(f->cells, "eu0", "Cell EU0", "eu"), CELLS_OK);
    assert_int_equal(cells_add(f->cells, "eu1", "Cell EU1", "eu"), CELLS_OK);
    f->level0 = open_level0(f, &f->counters);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    level0_free(f->level0);
    cells_free(f->cells);
    ev_loop_destroy(f->loop);
    unlink(f->file);
    unlink(f->lock);
    int left = rmdir(f->folder); /* nothing else may lie there */
    free(f);
    return left;
}

static uint64_t counted(struct level0 *level0, struct counters *counters, enum counter counter)
{
    level0_sample(level0);
    return counters->values[counter];
}

static uint64_t entries(struct fixture *f)
{
    return counted(f->level0, &f->counters, COUNTER_LEVEL0_ENTRIES);
}

static void use(struct level0 *level0, const char *key, uint16_t cell, int times)
{
    size_t length = strlen(key);
    char *exact = malloc(length);
    memcpy(exact, key, length);
    for (int i = 0; i < times; i++)
        level0_used(level0, exact, length, cell, 3600000);
    free(exact);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    *(bool *)timer->data = true;
}

/* Runs the loop until the counter has this value; its clock is stepped by what a tick takes. */
static void run_until(struct fixture *f, struct level0 *level0, struct counters *counters, enum counter counter,
                      uint64_t value)
{
    bool late = false;
    ev_timer patience;
    ev_timer_init(&patience, on_patience, PATIENCE_S, 0.);
    patience.data = &late;
    ev_timer_start(f->loop, &patience);
    while (!late && counted(level0, counters, counter) != value) {
        ev_run(f->loop, EVRUN_ONCE);
        now += 100;
    }
    ev_timer_stop(f->loop, &patience);
    assert_int_equal(counted(level0, counters, counter), value);
}

static void expect_file(struct fixture *f, const char *wanted)
{
    char text[1000] = "";
    FILE *in = fopen(f->file, "re");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(text, wanted);
}

static void the_file_is_there_at_once_and_haproxy_may_read_it(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(counted(f->level0, &f->counters, COUNTER_LEVEL0_KEEPER), 1);
}

static void routes_in_use_enter_and_are_written(void **state)
{
    struct fixture *f = *state;
    use(f->level0, "/a/", 0, 1);
    assert_int_equal(entries(f), 0);
    use(f->level0, "/a/", 0, 1);
    use(f->level0, "/b/", 1, 2);
    use(f->level0, "/odd|key/", 1, 2);
    assert_int_equal(entries(f), 2);
    assert_int_equal(counted(f->level0, &f->counters, COUNTER_LEVEL0_REFUSED), 2);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILES, 1);
    expect_file(f, "/a/ eu0|/a/\n/b/ eu1|/b/\n");
    level0_forget(f->level0, "/a/", 3);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILES, 2);
    expect_file(f, "/b/ eu1|/b/\n");
}

static void what_the_router_tells_takes_entries_out(void **state)
{
    struct fixture *f = *state;
    use(f->level0, "/a/", 0, 2);
    level0_learned(f->level0, "/a/", 3, 0);
    assert_int_equal(entries(f), 1);
    level0_learned(f->level0, "/a/", 3, 1); /* another cell's now */
    assert_int_equal(entries(f), 0);
    use(f->level0, "/a/", 1, 2);
    level0_redirected(f->level0, "/a/b/c/", 7, 0); /* of a path that goes there, but by another cell */
    assert_int_equal(entries(f), 1);
    level0_redirected(f->level0, "/a/b/c/", 7, 1);
    assert_int_equal(entries(f), 0);
    use(f->level0, "/a/", 0, 2);
    use(f->level0, "/b/", 1, 2);
    level0_flush(f->level0);
    assert_int_equal(entries(f), 0);
}

static void a_reload_renames_cells_and_drops_those_that_are_gone(void **state)
{
    struct fixture *f = *state;
    use(f->level0, "/a/", 0, 2);
    use(f->level0, "/b/", 1, 2);
    struct cells *fresh = cells_new();
    uint16_t map[2];
    assert_int_equal(cells_add(fresh, "new7", NULL, "eu"), CELLS_OK);
    assert_int_equal(cells_add(fresh, "eu1", NULL, "eu"), CELLS_OK);
    cells_map(f->cells, fresh, map);
    level0_cells(f->level0, fresh, map, 2);
    cells_free(f->cells);
    f->cells = fresh;
    assert_int_equal(entries(f), 1);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILES, 1);
    expect_file(f, "/b/ eu1|/b/\n");
}

static void stays_end_by_themselves_and_sooner_in_distrust(void **state)
{
    struct fixture *f = *state;
    use(f->level0, "/a/", 0, 2);
    use(f->level0, "/b/", 1, 2);
    level0_distrust(f->level0, 1000);
    use(f->level0, "/c/", 1, 2);
    now += 1001;
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_ENTRIES, 1);
    now += LIFE_S * 1000;
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_ENTRIES, 0);
    assert_int_equal(counted(f->level0, &f->counters, COUNTER_LEVEL0_EXPIRED), 3);
}

static void a_second_agent_waits_and_takes_over(void **state)
{
    struct fixture *f = *state;
    struct counters counters = {0};
    struct level0 *second = open_level0(f, &counters);
    assert_int_equal(counted(second, &counters, COUNTER_LEVEL0_KEEPER), 0);
    use(second, "/a/", 0, 5); /* what it is told is dropped: its map is nobody's */
    assert_int_equal(counted(second, &counters, COUNTER_LEVEL0_ENTRIES), 0);
    use(f->level0, "/kept/", 1, 2);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILES, 1);
    level0_free(f->level0);
    f->level0 = NULL;
    expect_file(f, "/kept/ eu1|/kept/\n"); /* outlives the one who wrote it */
    run_until(f, second, &counters, COUNTER_LEVEL0_KEEPER, 1);
    use(second, "/a/", 0, 2);
    assert_int_equal(counted(second, &counters, COUNTER_LEVEL0_ENTRIES), 1);
    run_until(f, second, &counters, COUNTER_LEVEL0_FILES, 1);
    expect_file(f, "/a/ eu0|/a/\n");
    level0_free(second);
}

static void a_file_that_cannot_be_written_is_tried_again(void **state)
{
    struct fixture *f = *state;
    char in_the_way[110];
    snprintf(in_the_way, sizeof in_the_way, "%s.new", f->file);
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    use(f->level0, "/a/", 0, 2);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILE_ERRORS, 1);
    expect_file(f, "");
    assert_int_equal(rmdir(in_the_way), 0);
    run_until(f, f->level0, &f->counters, COUNTER_LEVEL0_FILES, 1);
    expect_file(f, "/a/ eu0|/a/\n");
}

static void without_level0_all_calls_do_nothing(void **state)
{
    (void)state;
    level0_cells(NULL, NULL, NULL, 0);
    level0_used(NULL, "/a/", 3, 0, 1000);
    level0_learned(NULL, "/a/", 3, 0);
    level0_forget(NULL, "/a/", 3);
    level0_redirected(NULL, "/a/", 3, 0);
    level0_settle(NULL, "/a/", 3, 0, 1000);
    level0_doubt(NULL, "/a/", 3);
    level0_flush(NULL);
    level0_distrust(NULL, 1000);
    level0_sample(NULL);
    level0_free(NULL);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(the_file_is_there_at_once_and_haproxy_may_read_it),
        WITH(routes_in_use_enter_and_are_written),
        WITH(what_the_router_tells_takes_entries_out),
        WITH(a_reload_renames_cells_and_drops_those_that_are_gone),
        WITH(stays_end_by_themselves_and_sooner_in_distrust),
        WITH(a_second_agent_waits_and_takes_over),
        WITH(a_file_that_cannot_be_written_is_tried_again),
        cmocka_unit_test(without_level0_all_calls_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
