/* tests/unit/agent/routes/test_route_life.c - when routes end: ticks, generations, and doubts against a model that
 * remembers each of them. */
#include "agent/routes/route_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"

enum { BIRTH = 1000000, TICK = ROUTE_LIFE_TICK_MS };

static struct route_entry entry_of(uint32_t generation, uint32_t ends, bool pinned)
{
    return (struct route_entry){.generation = generation & ROUTE_GENERATION_MAX, .ends = ends, .pinned = pinned};
}

static void ends_are_rounded_down_to_ticks(void **state)
{
    (void)state;
    struct route_life life;
    route_life_init(&life, BIRTH);
    assert_int_equal(route_life_tick(&life, BIRTH), 0);
    assert_int_equal(route_life_tick(&life, BIRTH - 5), 0); /* before the table was born */
    assert_int_equal(route_life_tick(&life, BIRTH + TICK - 1), 0);
    assert_int_equal(route_life_tick(&life, BIRTH + TICK), 1);
    assert_int_equal(route_life_tick(&life, UINT64_MAX), UINT32_MAX);
    struct route_entry entry = entry_of(1, 10, false);
    assert_int_equal(route_life_end(&life, &entry), BIRTH + 10 * TICK);
    entry.ends = ROUTE_TICK_FOREVER;
    assert_true(route_life_end(&life, &entry) == UINT64_MAX);
}

static void a_generation_is_closed_only_when_it_was_written(void **state)
{
    (void)state;
    struct route_life life;
    route_life_init(&life, BIRTH);
    assert_int_equal(route_life_close(&life), 0); /* covers nothing: barriers start here */
    uint32_t first = route_life_mark(&life);
    assert_int_equal(first, 1);
    assert_int_equal(route_life_mark(&life), first);
    assert_int_equal(route_life_close(&life), first);
    assert_int_equal(route_life_close(&life), first);
    assert_int_equal(route_life_mark(&life), first + 1);
}

static void they_are_used_up_in_the_end_and_begin_again(void **state)
{
    (void)state;
    struct route_life life;
    route_life_init(&life, BIRTH);
    for (uint32_t i = 1; i < ROUTE_GENERATION_MAX; i++) {
        route_life_mark(&life);
        assert_false(route_life_used_up(&life));
        route_life_close(&life);
    }
    assert_false(route_life_used_up(&life)); /* the last one was not written yet */
    route_life_mark(&life);
    assert_true(route_life_used_up(&life));
    route_life_reset(&life);
    assert_false(route_life_used_up(&life));
    assert_int_equal(route_life_mark(&life), 1);
    assert_int_equal(life.birth, BIRTH); /* time goes on */
}

static void a_doubt_ends_what_was_put_before_it(void **state)
{
    (void)state;
    struct route_life life;
    route_life_init(&life, BIRTH);
    struct route_entry before = entry_of(route_life_mark(&life), 1000, false), pinned = before, brief = before;
    pinned.pinned = 1;
    brief.ends = 2;
    route_life_distrust(&life, BIRTH + 5000, BIRTH);
    struct route_entry after = entry_of(route_life_mark(&life), 1000, false);
    assert_int_equal(route_life_end(&life, &before), BIRTH + 5000);
    assert_int_equal(route_life_end(&life, &brief), BIRTH + 2 * TICK); /* it makes no life longer */
    assert_int_equal(route_life_end(&life, &pinned), BIRTH + 1000 * TICK);
    assert_int_equal(route_life_end(&life, &after), BIRTH + 1000 * TICK);
    route_life_distrust(&life, BIRTH + 3000, BIRTH + 1); /* in more of a hurry than the first one */
    assert_int_equal(route_life_end(&life, &before), BIRTH + 3000);
    assert_int_equal(route_life_end(&life, &after), BIRTH + 3000);
}

/* However many doubts there are, no route lives longer than each of them says, and one that no doubt covers is left. */
static void many_doubts_become_few_on_the_safe_side(void **state)
{
    enum { DOUBTS = 300 };
    (void)state;
    struct route_life life;
    struct rng rng = {.state = 9};
    uint64_t now = BIRTH, least[DOUBTS];
    uint32_t generations[DOUBTS];
    route_life_init(&life, BIRTH);
    for (unsigned i = 0; i < DOUBTS; i++) {
        generations[i] = route_life_mark(&life);
        least[i] = UINT64_MAX;
        uint64_t deadline = now + 1 + rng_below(&rng, 3000);
        route_life_distrust(&life, deadline, now);
        for (unsigned k = 0; k <= i; k++) {
            struct route_entry entry = entry_of(generations[k], ROUTE_TICK_FOREVER, false);
            least[k] = deadline < least[k] ? deadline : least[k];
            if (least[k] > now)
                assert_true(route_life_end(&life, &entry) <= least[k]);
            else
                assert_true(route_life_end(&life, &entry) <= now);
        }
        struct route_entry fresh = entry_of(route_life_mark(&life), ROUTE_TICK_FOREVER, false);
        assert_true(route_life_end(&life, &fresh) == UINT64_MAX);
        assert_in_range(life.distrust_count, 1, ROUTE_DISTRUSTS);
        now += rng_below(&rng, 800);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_rounded_down_to_ticks),
        cmocka_unit_test(a_generation_is_closed_only_when_it_was_written),
        cmocka_unit_test(they_are_used_up_in_the_end_and_begin_again),
        cmocka_unit_test(a_doubt_ends_what_was_put_before_it),
        cmocka_unit_test(many_doubts_become_few_on_the_safe_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
