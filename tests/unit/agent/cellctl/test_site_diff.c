/* tests/unit/agent/cellctl/test_site_diff.c - mirrors agent/cellctl/site_diff.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cellctl/site_diff.h"

static char said[4000];

static const char *diff(const char *bytes, struct site_edits *edits)
{
    struct site_text text;
    assert_int_equal(site_text_read(&text, bytes, strlen(bytes)), 0);
    memset(said, 0, sizeof said);
    FILE *out = fmemopen(said, sizeof said - 1, "w");
    assert_non_null(out);
    site_edits_print_diff(edits, &text, "/x", out);
    fclose(out);
    site_text_deinit(&text);
    site_edits_deinit(edits);
    return said;
}

static void nothing_changes_nothing(void **state)
{
    (void)state;
    assert_string_equal(diff("a\n", &(struct site_edits){0}), "");
}

static void a_line_is_replaced_in_its_context(void **state)
{
    (void)state;
    struct site_edits edits = {0};
    site_edits_insert(&edits, 4, "%s%d", "new", 1);
    site_edits_remove(&edits, 4);
    site_edits_remove(&edits, 4);
    assert_true(site_edits_removes(&edits, 4));
    assert_false(site_edits_removes(&edits, 3));
    assert_string_equal(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", &edits),
                        "--- a/x\n+++ b/x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+new1\n 6\n 7\n 8\n");
}

static void far_changes_are_two_hunks_and_near_ones_one(void **state)
{
    (void)state;
    struct site_edits far = {0}, near = {0};
    site_edits_remove(&far, 9);
    site_edits_insert(&far, 0, "top");
    assert_string_equal(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", &far),
                        "--- a/x\n+++ b/x\n@@ -1,4 +1,5 @@\n+top\n 1\n 2\n 3\n 4\n"
                        "@@ -7,4 +8,3 @@\n 7\n 8\n 9\n-10\n");
    site_edits_remove(&near, 7);
    site_edits_insert(&near, 0, "top");
    assert_string_equal(diff("1\n2\n3\n4\n5\n6\n7\n8\n", &near),
                        "--- a/x\n+++ b/x\n@@ -1,8 +1,8 @@\n+top\n 1\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n");
}

static void edits_of_one_place_keep_their_order(void **state)
{
    (void)state;
    struct site_edits edits = {0};
    site_edits_insert(&edits, 1, "a");
    site_edits_insert(&edits, 0, "0");
    site_edits_insert(&edits, 1, "b\nc");
    assert_string_equal(diff("1\n2\n", &edits), "--- a/x\n+++ b/x\n@@ -1,2 +1,6 @@\n+0\n 1\n+a\n+b\n+c\n 2\n");
}

static void a_text_without_a_last_end_gets_one(void **state)
{
    (void)state;
    struct site_edits behind = {0}, last = {0}, empty = {0};
    site_edits_insert(&behind, 1, "2");
    assert_string_equal(diff("1", &behind),
                        "--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n-1\n\\ No newline at end of file\n+1\n+2\n");
    site_edits_insert(&last, 0, "0");
    assert_string_equal(diff("1", &last), "--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n+0\n 1\n\\ No newline at end of file\n");
    site_edits_insert(&empty, 0, "1");
    assert_string_equal(diff("", &empty), "--- a/x\n+++ b/x\n@@ -0,0 +1,1 @@\n+1\n");
}

static void lines_that_move_take_their_changes_along(void **state)
{
    (void)state;
    static const char bytes[] = "head\nglobal\n a\n b\nrest\n";
    struct site_text text;
    struct site_edits edits = {0};
    assert_int_equal(site_text_read(&text, bytes, sizeof bytes - 1), 0);
    site_edits_remove(&edits, 2);
    site_edits_insert(&edits, 3, " more");
    site_edits_insert(&edits, 4, "new");
    memset(said, 0, sizeof said);
    FILE *out = fmemopen(said, sizeof said - 1, "w");
    site_edits_move(&edits, &text, 1, 4, out);
    fclose(out);
    assert_string_equal(said, "global\n more\n b\n");
    site_text_deinit(&text);
    assert_string_equal(diff(bytes, &edits),
                        "--- a/x\n+++ b/x\n@@ -1,5 +1,3 @@\n head\n-global\n- a\n- b\n+new\n rest\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(a_line_is_replaced_in_its_context),
        cmocka_unit_test(far_changes_are_two_hunks_and_near_ones_one),
        cmocka_unit_test(edits_of_one_place_keep_their_order),
        cmocka_unit_test(a_text_without_a_last_end_gets_one),
        cmocka_unit_test(lines_that_move_take_their_changes_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
