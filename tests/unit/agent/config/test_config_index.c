/* tests/unit/agent/config/test_config_index.c - a key is known again, and ten times the keys are ten times the work. */
#include "agent/config/config_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t put(struct config_index *index, const char *text, const char *more, size_t owner)
{
    size_t earlier = 0;
    assert_int_equal(config_index_put(index, (struct config_index_key){text, more}, owner, &earlier), 0);
    return earlier;
}

static void the_first_owner_keeps_a_key(void **state)
{
    (void)state;
    struct config_index index = {0};
    assert_int_equal(config_index_find(&index, (struct config_index_key){"a", ""}), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "a", "", 7), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "a", "", 8), 7);
    assert_int_equal(put(&index, "A", "", 9), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "", "", 10), CONFIG_INDEX_NEW);
    assert_int_equal(config_index_find(&index, (struct config_index_key){"a", ""}), 7);
    config_index_deinit(&index);
    assert_int_equal(index.room, 0);
}

static void both_texts_count_and_their_border(void **state)
{
    (void)state;
    struct config_index index = {0};
    assert_int_equal(put(&index, "ab", "c", 1), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "a", "bc", 2), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "abc", "", 3), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "a", "bc", 4), 2);
    config_index_deinit(&index);
}

static void folded_keys_differ_in_more_than_case(void **state)
{
    (void)state;
    struct config_index index = {.fold = true};
    assert_int_equal(put(&index, "Cell EU0", "", 1), CONFIG_INDEX_NEW);
    assert_int_equal(put(&index, "cELL eu0", "", 2), 1);
    assert_int_equal(put(&index, "cell eu1", "", 3), CONFIG_INDEX_NEW);
    config_index_deinit(&index);
}

/* Slots that are looked at for so many keys, each put twice. Keys like those of real files: they count up. */
static uint64_t steps_for(size_t keys)
{
    struct config_index index = {.fold = true};
    char(*texts)[32] = calloc(keys, sizeof *texts);
    for (size_t i = 0; i < keys; i++) {
        snprintf(texts[i], sizeof texts[i], "Cell %zu", i);
        assert_int_equal(put(&index, texts[i], "", i), CONFIG_INDEX_NEW);
        assert_int_equal(put(&index, texts[i], "", i + keys), i);
    }
    uint64_t steps = index.steps;
    config_index_deinit(&index);
    free(texts);
    return steps;
}

static void the_work_for_a_key_does_not_grow(void **state)
{
    (void)state;
    for (size_t keys = 100; keys <= 1000000; keys *= 10) {
        uint64_t steps = steps_for(keys);
        if (steps > keys * 8)
            fail_msg("%zu keys cost %llu looks at a slot, more than 8 each", keys, (unsigned long long)steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_owner_keeps_a_key),
        cmocka_unit_test(both_texts_count_and_their_border),
        cmocka_unit_test(folded_keys_differ_in_more_than_case),
        cmocka_unit_test(the_work_for_a_key_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
