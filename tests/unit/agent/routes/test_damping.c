/* tests/unit/agent/routes/test_damping.c - prefixes in dispute, and cells that claim without end. */
#include "agent/routes/damping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000000 };

static const struct damping_options usual = {.seed = 1, .moves = 4, .damp_ms = 30000, .claims_per_cell = 100};
static struct damping_event event;

static struct damping *new_damping(void)
{
    struct damping *damping = damping_new(&usual);
    assert_non_null(damping);
    return damping;
}

static enum damping_verdict claim(struct damping *damping, const char *key, uint16_t former, uint16_t cell,
                                  uint64_t now)
{
    return damping_claim(damping, key, strlen(key), former, cell, now, &event);
}

/* Moves a prefix to and fro between 1 and 2 until it is held; returns how many moves passed. */
static unsigned dispute(struct damping *damping, const char *key, uint64_t now)
{
    for (unsigned i = 0; i < 100; i++)
        if (claim(damping, key, (uint16_t)(1 + i % 2), (uint16_t)(2 - i % 2), now) != DAMPING_PASS)
            return i;
    return 100;
}

static void one_move_is_no_dispute(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    assert_int_equal(claim(damping, "/a/", CELL_NONE, 1, START), DAMPING_PASS);
    assert_int_equal(claim(damping, "/a/", 1, 1, START), DAMPING_PASS);
    assert_int_equal(claim(damping, "/a/", 1, 2, START), DAMPING_PASS);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(claim(damping, "/a/", 2, 2, START + i), DAMPING_PASS);
    assert_int_equal(damping_stats(damping).moves, 1);
    damping_free(damping);
    damping_free(NULL);
}

static void cells_that_claim_in_turn(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    assert_int_equal(dispute(damping, "/a/", START), 4);
    assert_true(event.hold_began);
    assert_int_equal(event.hold_ms, 30000);
    assert_int_equal(event.moves, 5);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(claim(damping, "/a/", 1, 2, START + 29999), DAMPING_HELD);
        assert_false(event.hold_began || event.quota_began); /* it is said once */
    }
    assert_int_equal(claim(damping, "/a/", 1, 1, START + 29999), DAMPING_HELD);
    assert_int_equal(claim(damping, "/b/", 1, 2, START), DAMPING_PASS); /* nobody else suffers */
    assert_int_equal(claim(damping, "/a/", 1, 2, START + 30000), DAMPING_PASS);
    struct damping_stats stats = damping_stats(damping);
    assert_int_equal(stats.holds, 1);
    assert_int_equal(stats.held_claims, 1002);
    assert_int_equal(stats.quota_claims, 0);
    damping_free(damping);
}

static void slow_moves_pass(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(claim(damping, "/a/", (uint16_t)(i % 2), (uint16_t)(1 - i % 2), START + i * 10000),
                         DAMPING_PASS);
    damping_free(damping);
}

static void holds_grow_and_calm_down(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    static const uint64_t seconds[] = {30, 60, 120, 240, 480, 480, 480};
    uint64_t now = START;
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal(dispute(damping, "/a/", now), 4);
        assert_int_equal(event.hold_ms, seconds[i] * 1000);
        now += event.hold_ms;
    }
    now += 480000; /* quiet for as long as it was held */
    assert_int_equal(dispute(damping, "/a/", now), 4);
    assert_int_equal(event.hold_ms, 30000);
    damping_free(damping);
}

/* The route is dropped between the claims, so nobody has it when the other one claims. */
static void disputes_through_drops(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    unsigned passed = 0;
    for (unsigned i = 0; i < 10; i++) {
        passed += claim(damping, "/a/", CELL_NONE, (uint16_t)(1 + i % 2), START) == DAMPING_PASS;
        damping_dropped(damping, "/a/", 3, (uint16_t)(1 + i % 2), START);
    }
    assert_int_equal(passed, 5); /* the first claim is no move */
    assert_int_equal(damping_stats(damping).holds, 1);
    /* Dropped, and learned again for the same cell: no dispute. */
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(claim(damping, "/b/", CELL_NONE, 1, START), DAMPING_PASS);
        damping_dropped(damping, "/b/", 3, 1, START);
    }
    damping_free(damping);
}

static void a_quota_is_per_cell(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    char key[16];
    unsigned passed = 0, events = 0;
    for (unsigned i = 0; i < 10000; i++) { /* a thousand a second for ten seconds */
        snprintf(key, sizeof key, "/%u/", i);
        passed += claim(damping, key, CELL_NONE, 1, START + i) == DAMPING_PASS;
        events += event.quota_began;
    }
    assert_in_range(passed, 1150, 1200); /* 200 saved, and 100 a second */
    assert_int_equal(events, 1);
    assert_int_equal(damping_stats(damping).quota_claims, 10000 - passed);
    assert_int_equal(claim(damping, "/x/", CELL_NONE, 2, START + 10000), DAMPING_PASS); /* others have their own */
    assert_int_equal(claim(damping, "/1/", 1, 1, START + 9999), DAMPING_PASS);          /* a refresh is free */
    /* Two seconds later it has its savings again, and the next time is news. */
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "/y%u/", i);
        assert_int_equal(claim(damping, key, CELL_NONE, 1, START + 20000), i < 200 ? DAMPING_PASS : DAMPING_QUOTA);
        assert_int_equal(event.quota_began, i == 200);
    }
    assert_int_equal(claim(damping, "/z/", CELL_NONE, CELLS_MAX, START), DAMPING_QUOTA); /* no cell has no quota */
    damping_free(damping);
}

/* More disputes than are remembered: held ones stay, memory does not grow, nothing breaks. */
static void many_disputes(void **state)
{
    (void)state;
    struct damping_options options = usual;
    options.claims_per_cell = 1000000;
    struct damping *damping = damping_new(&options);
    char key[16];
    assert_int_equal(dispute(damping, "/held/", START), 4);
    for (unsigned i = 0; i < 10 * DAMPING_PREFIXES; i++) {
        snprintf(key, sizeof key, "/%u/", i);
        assert_int_equal(claim(damping, key, 1, 2, START + 1 + i / 10), DAMPING_PASS);
    }
    assert_int_equal(claim(damping, "/held/", 1, 2, START + 10000), DAMPING_HELD);
    for (unsigned i = 0; i < 2 * DAMPING_PREFIXES; i++) { /* all sets full of held ones */
        snprintf(key, sizeof key, "/%u/", i);
        assert_in_range(dispute(damping, key, START + 10000), 0, 4);
    }
    damping_free(damping);
}

static void a_reset_forgets_all(void **state)
{
    (void)state;
    struct damping *damping = new_damping();
    struct damping_options fresh = usual;
    fresh.moves = 1;
    assert_int_equal(dispute(damping, "/a/", START), 4);
    damping_reset(damping, &fresh);
    assert_int_equal(dispute(damping, "/a/", START), 1);
    assert_int_equal(damping_stats(damping).holds, 2); /* counters go on */
    damping_free(damping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_move_is_no_dispute), cmocka_unit_test(cells_that_claim_in_turn),
        cmocka_unit_test(slow_moves_pass),        cmocka_unit_test(holds_grow_and_calm_down),
        cmocka_unit_test(disputes_through_drops), cmocka_unit_test(a_quota_is_per_cell),
        cmocka_unit_test(many_disputes),          cmocka_unit_test(a_reset_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
