/* tests/unit/base/test_text_view.c - views of texts, and when one is a word. */
#include "base/text_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void a_view_is_a_word_by_length_too(void **state)
{
    (void)state;
    assert_true(text_view_is(TEXT_VIEW("version"), "version"));
    assert_false(text_view_is(TEXT_VIEW("versions"), "version"));
    assert_false(text_view_is(TEXT_VIEW("versio"), "version"));
    assert_false(text_view_is(TEXT_VIEW("ver\0ion"), "ver"));
    assert_true(text_view_is((struct text_view){0}, ""));
    assert_false(text_view_is((struct text_view){0}, "a"));
}

static void a_view_reads_nothing_behind_it(void **state)
{
    (void)state;
    char *exact = malloc(3);
    assert_non_null(exact);
    memcpy(exact, "abc", 3);
    struct text_view view = {exact, 3};
    assert_true(text_view_is(view, "abc"));
    assert_false(text_view_is(view, "abcd"));
    free(exact);
}

static void a_view_of_a_text_leaves_its_zero_out(void **state)
{
    (void)state;
    const char *text = "eu0";
    assert_ptr_equal(text_view_of(text).at, text);
    assert_int_equal(text_view_of(text).length, 3);
    assert_int_equal(text_view_of("").length, 0);
    assert_int_equal(TEXT_VIEW("eu0").length, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_a_word_by_length_too),
        cmocka_unit_test(a_view_reads_nothing_behind_it),
        cmocka_unit_test(a_view_of_a_text_leaves_its_zero_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
