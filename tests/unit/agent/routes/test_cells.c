/* tests/unit/agent/routes/test_cells.c - cells by id and by name, and their numbers before and after a reload. */
#include "agent/routes/cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint16_t find(const struct cells *cells, const char *text, bool names)
{
    size_t length = strlen(text);
    char *exact = malloc(length ? length : 1);
    memcpy(exact, text, length);
    uint16_t cell = names ? cells_find(cells, (struct text_view){exact, length})
                          : cells_find_id(cells, (struct text_view){exact, length});
    free(exact);
    return cell;
}

static void expect_add(struct cells *cells, const char *id, const char *name, enum cells_outcome wanted)
{
    enum cells_outcome outcome = cells_add(cells, id, name, "eu");
    if (outcome != wanted)
        fail_msg("cell \"%s\" \"%s\": wanted %d, got %d", id, name ? name : "", (int)wanted, (int)outcome);
}

static void ids_and_names_are_found(void **state)
{
    (void)state;
    struct cells *cells = cells_new();
    assert_non_null(cells);
    assert_int_equal(find(cells, "eu0", true), CELL_NONE);
    expect_add(cells, "eu0", "Cell EU0", CELLS_OK);
    expect_add(cells, "us-0_B", NULL, CELLS_OK);
    expect_add(cells, "x", "", CELLS_OK);
    assert_int_equal(cells_count(cells), 3);
    assert_int_equal(find(cells, "eu0", false), 0);
    assert_int_equal(find(cells, "eu0", true), 0);
    assert_int_equal(find(cells, "Cell EU0", true), 0);
    assert_int_equal(find(cells, "Cell EU0", false), CELL_NONE);
    assert_int_equal(find(cells, "us-0_B", true), 1);
    assert_int_equal(find(cells, "x", true), 2);
    static const char *const strangers[] = {"", "eu", "eu00", "EU0", "cell eu0", "Cell EU0 ", "?"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_int_equal(find(cells, strangers[i], true), CELL_NONE);
    assert_int_equal(cells_find(cells, (struct text_view){0}), CELL_NONE);
    assert_string_equal(cells_id(cells, 0), "eu0");
    assert_string_equal(cells_name(cells, 0), "Cell EU0");
    assert_string_equal(cells_name(cells, 1), "us-0_B");
    assert_string_equal(cells_region(cells, 1), "eu");
    assert_int_equal(cells_id_length(cells, 1), 6);
    assert_string_equal(cells_id(cells, 3), "?");
    assert_string_equal(cells_name(cells, CELL_NONE), "?");
    assert_string_equal(cells_region(cells, CELL_NONE), "?");
    cells_free(cells);
    cells_free(NULL);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    struct cells *cells = cells_new();
    expect_add(cells, "eu0", "Cell EU0", CELLS_OK);
    expect_add(cells, "eu0", "Other", CELLS_DUPLICATE);
    expect_add(cells, "eu1", "Cell EU0", CELLS_DUPLICATE);
    expect_add(cells, "eu1", "eu0", CELLS_DUPLICATE); /* would be found by two names */
    expect_add(cells, "", "a", CELLS_BAD_ID);
    expect_add(cells, "a b", "a", CELLS_BAD_ID);
    expect_add(cells, "a.b", "a", CELLS_BAD_ID);
    expect_add(cells, "0123456789012345678901234567890123", "a", CELLS_BAD_ID);
    expect_add(cells, "01234567890123456789012345678901", "a", CELLS_OK);
    static const char *const names[] = {"a\"", "a{", "a}", "a,b", "a:b", "a\\b", "a\nb", "a\x7f"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_add(cells, "n", names[i], CELLS_BAD_NAME);
    char name[CELL_NAME_MAX + 2] = "";
    memset(name, 'n', CELL_NAME_MAX + 1);
    expect_add(cells, "n", name, CELLS_BAD_NAME);
    name[CELL_NAME_MAX] = '\0';
    expect_add(cells, "n", name, CELLS_OK);
    assert_int_equal(find(cells, name, true), 2);
    assert_int_equal(cells_count(cells), 3);
    cells_free(cells);
}

static void many_cells_are_found(void **state)
{
    (void)state;
    struct cells *cells = cells_new();
    char id[CELL_ID_MAX], name[CELL_NAME_MAX];
    for (unsigned i = 0; i < CELLS_MAX; i++) {
        snprintf(id, sizeof id, "c%u", i);
        snprintf(name, sizeof name, "Cell %u", i);
        expect_add(cells, id, name, CELLS_OK);
    }
    expect_add(cells, "more", NULL, CELLS_FULL);
    for (unsigned i = 0; i < CELLS_MAX; i++) {
        snprintf(id, sizeof id, "c%u", i);
        snprintf(name, sizeof name, "Cell %u", i);
        assert_int_equal(find(cells, id, false), i);
        assert_int_equal(find(cells, name, true), i);
    }
    assert_int_equal(find(cells, "c4096", true), CELL_NONE);
    cells_free(cells);
}

static void numbers_are_mapped(void **state)
{
    (void)state;
    struct cells *old = cells_new(), *fresh = cells_new();
    expect_add(old, "a", "A", CELLS_OK);
    expect_add(old, "b", "B", CELLS_OK);
    expect_add(old, "c", "C", CELLS_OK);
    expect_add(fresh, "new", "B", CELLS_OK); /* the name of another cell now: the id counts */
    expect_add(fresh, "c", "Other", CELLS_OK);
    expect_add(fresh, "a", "A", CELLS_OK);
    uint16_t *map = malloc(3 * sizeof *map);
    cells_map(old, fresh, map);
    assert_int_equal(map[0], 2);
    assert_int_equal(map[1], CELL_NONE);
    assert_int_equal(map[2], 1);
    free(map);
    cells_free(old);
    cells_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_names_are_found),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(many_cells_are_found),
        cmocka_unit_test(numbers_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
