/* tests/unit/agent/level0/test_map_file.c - the map file: whole or not at all, and one keeper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/level0/map_file.h"

static char folder[64], path[96], other[110];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cellrouter-map-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/routes.map", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const ends[] = {"", ".new", ".lock"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(other, sizeof other, "%s%s", path, ends[i]);
        unlink(other);
    }
    return rmdir(folder);
}

static void expect_text(const char *expected)
{
    char text[400] = "";
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(text, expected);
}

static void ensure_keeps_what_is_there(void **state)
{
    (void)state;
    struct stat found;
    mode_t before = umask(0077);
    assert_int_equal(map_file_ensure(path), 0);
    umask(before);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0644);
    FILE *out = fopen(path, "w");
    fputs("/a/ eu0|/a/\n", out);
    fclose(out);
    assert_int_equal(map_file_ensure(path), 0);
    expect_text("/a/ eu0|/a/\n");
    assert_int_equal(map_file_ensure("/nonexistent/routes.map"), ENOENT);
}

static void one_keeper(void **state)
{
    (void)state;
    int first = map_file_lock(path);
    assert_true(first >= 0);
    assert_int_equal(map_file_lock(path), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(first);
    first = map_file_lock(path);
    assert_true(first >= 0);
    close(first);
}

static void is_put_in_place_as_a_whole(void **state)
{
    (void)state;
    struct hot_map_options options = {.entries = 5000, .uses = 1, .life_ms = 60000, .seed = 1};
    struct hot_map *map = hot_map_new(&options);
    struct cells *cells = cells_new();
    const struct cells *shared = cells;
    char key[32];
    assert_int_equal(cells_add(cells, "eu0", "", "eu"), CELLS_OK);
    struct map_file *file = map_file_new(path, map, &shared);
    assert_int_equal(map_file_step(file), MAP_FILE_DONE);
    expect_text("");
    hot_map_used(map, "/a/", 3, 0, 3600000, 1000);
    assert_int_equal(map_file_step(file), MAP_FILE_DONE);
    expect_text("/a/ eu0|/a/\n");
    for (int i = 0; i < 2500; i++) {
        snprintf(key, sizeof key, "/k%d/", i);
        hot_map_used(map, key, strlen(key), 0, 3600000, 1000);
    }
    assert_int_equal(map_file_step(file), MAP_FILE_MORE);
    assert_int_equal(map_file_step(file), MAP_FILE_MORE);
    expect_text("/a/ eu0|/a/\n");
    hot_map_flush(map); /* while it is written */
    assert_int_equal(map_file_step(file), MAP_FILE_DONE);
    assert_int_equal(map_file_step(file), MAP_FILE_DONE);
    expect_text("");
    map_file_free(file);
    file = map_file_new("/nonexistent/routes.map", map, &shared);
    assert_int_equal(map_file_step(file), MAP_FILE_FAILED);
    assert_int_equal(errno, ENOENT);
    map_file_free(file);
    hot_map_free(map);
    cells_free(cells);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ensure_keeps_what_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_keeper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_put_in_place_as_a_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
