/* tests/unit/agent/level0/test_hot_uses.c - counts of uses and bars: thresholds, time, and places that are shared. */
#include "agent/level0/hot_uses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/routes/cells.h"

enum { LIFE = 60000, START = 1000000 };

/* Two hashes of one place in every table, with different tags. */
static const uint64_t HASH = UINT64_C(0x1111111100000007), RIVAL = UINT64_C(0x2222222200000007);

static struct hot_uses *uses_of(uint32_t threshold)
{
    struct hot_uses *uses = hot_uses_new(1000, threshold, LIFE);
    assert_non_null(uses);
    return uses;
}

static void enough_uses_within_a_life_are_enough(void **state)
{
    (void)state;
    struct hot_uses *uses = uses_of(3);
    assert_false(hot_uses_count(uses, HASH, START));
    assert_false(hot_uses_count(uses, HASH, START + LIFE - 1));
    assert_true(hot_uses_count(uses, HASH, START + LIFE));
    assert_false(hot_uses_count(uses, HASH, START + LIFE)); /* the count starts again */
    assert_false(hot_uses_count(uses, HASH, START + LIFE));
    assert_false(hot_uses_count(uses, HASH, START + 2 * LIFE + 1)); /* too late for the first two */
    assert_false(hot_uses_count(uses, HASH, START + 2 * LIFE + 1));
    assert_true(hot_uses_count(uses, HASH, START + 2 * LIFE + 1));
    hot_uses_free(uses);
}

static void a_threshold_of_one_is_met_at_once(void **state)
{
    (void)state;
    struct hot_uses *uses = uses_of(1);
    assert_true(hot_uses_count(uses, HASH, START));
    assert_true(hot_uses_count(uses, RIVAL, START));
    assert_true(hot_uses_count(uses, HASH, START));
    hot_uses_free(uses);
}

static void a_rival_takes_the_place_of_what_is_used_less(void **state)
{
    (void)state;
    struct hot_uses *uses = uses_of(5);
    assert_false(hot_uses_count(uses, HASH, START));
    assert_false(hot_uses_count(uses, RIVAL, START)); /* takes the place of one that was used once */
    for (int i = 0; i < 3; i++)
        assert_false(hot_uses_count(uses, RIVAL, START));
    assert_true(hot_uses_count(uses, RIVAL, START));
    for (int i = 0; i < 4; i++)
        assert_false(hot_uses_count(uses, HASH, START));
    assert_false(hot_uses_count(uses, RIVAL, START)); /* halves the four */
    for (int i = 0; i < 2; i++)
        assert_false(hot_uses_count(uses, HASH, START));
    assert_true(hot_uses_count(uses, HASH, START));
    hot_uses_free(uses);
}

static void a_clear_begins_all_counts_anew(void **state)
{
    (void)state;
    struct hot_uses *uses = uses_of(2);
    assert_false(hot_uses_count(uses, HASH, START));
    hot_uses_bar(uses, HASH, 3, START);
    hot_uses_clear_counts(uses);
    assert_false(hot_uses_count(uses, HASH, START));
    assert_true(hot_uses_count(uses, HASH, START));
    assert_true(hot_uses_is_barred(uses, HASH, 4, START)); /* bars stay */
    hot_uses_clear_bars(uses);
    assert_false(hot_uses_is_barred(uses, HASH, 4, START));
    hot_uses_free(uses);
}

static void a_bar_is_for_other_cells_and_for_a_while(void **state)
{
    (void)state;
    struct hot_uses *uses = uses_of(2);
    assert_false(hot_uses_is_barred(uses, HASH, 4, START));
    hot_uses_bar(uses, HASH, 3, START);
    assert_false(hot_uses_is_barred(uses, HASH, 3, START));
    assert_true(hot_uses_is_barred(uses, HASH, 4, START));
    assert_true(hot_uses_is_barred(uses, HASH, 4, START + LIFE));
    assert_false(hot_uses_is_barred(uses, HASH, 4, START + LIFE + 1));
    hot_uses_bar(uses, HASH, 3, START + LIFE + 1); /* of one cell again, for the old bar was over */
    assert_false(hot_uses_is_barred(uses, HASH, 3, START + LIFE + 1));
    hot_uses_bar(uses, HASH, 5, START + LIFE + 2); /* of a second cell: for all */
    assert_true(hot_uses_is_barred(uses, HASH, 3, START + LIFE + 2));
    assert_true(hot_uses_is_barred(uses, HASH, 5, START + LIFE + 2));
    hot_uses_lift(uses, RIVAL); /* another's place, but not its bar */
    assert_true(hot_uses_is_barred(uses, HASH, 5, START + LIFE + 2));
    assert_false(hot_uses_is_barred(uses, RIVAL, 5, START + LIFE + 2));
    hot_uses_lift(uses, HASH);
    assert_false(hot_uses_is_barred(uses, HASH, 5, START + LIFE + 2));
    hot_uses_free(uses);
    hot_uses_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_uses_within_a_life_are_enough),
        cmocka_unit_test(a_threshold_of_one_is_met_at_once),
        cmocka_unit_test(a_rival_takes_the_place_of_what_is_used_less),
        cmocka_unit_test(a_clear_begins_all_counts_anew),
        cmocka_unit_test(a_bar_is_for_other_cells_and_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
