/* tests/unit/agent/router/test_prepared_acks.c - what was encoded beforehand says the same as the actions of the
 * decision. */
#include "agent/router/prepared_acks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Ids of all lengths, up to the longest. */
static struct cells *cells_of(size_t count)
{
    struct cells *cells = cells_new();
    assert_non_null(cells);
    for (size_t i = 0; i < count; i++) {
        char id[CELL_ID_MAX + 1];
        snprintf(id, sizeof id, "%0*zu", 4 + (int)(i % (CELL_ID_MAX - 3)), i);
        assert_int_equal(cells_add(cells, id, NULL, "eu"), CELLS_OK);
    }
    return cells;
}

static void expect_same(const struct cells *cells, const struct prepared_acks *answers, struct decision decision)
{
    struct spop_action actions[ACK_ACTIONS_MAX];
    uint8_t bytes[200];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    spop_write_actions(&w, actions, ack_actions(cells, &decision, actions));
    const struct spoe_prepared *prepared = prepared_acks_find(answers, &decision);
    if (!prepared || w.full || prepared->length != w.used || memcmp(prepared->bytes, bytes, w.used) != 0)
        fail_msg("cell %u learn %d: another answer than its actions", decision.cell, decision.learn);
}

static void every_usual_answer(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 40, CELLS_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct cells *cells = cells_of(counts[i]);
        struct prepared_acks *answers = prepared_acks_new(cells);
        assert_non_null(answers);
        for (unsigned learn = 0; learn < 2; learn++) {
            for (size_t cell = 0; cell < counts[i]; cell++)
                for (unsigned flag = 0; flag < 2; flag++)
                    expect_same(cells, answers,
                                (struct decision){.cell = (uint16_t)cell,
                                                  .level = 1,
                                                  .learn = learn,
                                                  .fresh = flag && !learn,
                                                  .doubt = flag && learn});
            expect_same(cells, answers, (struct decision){.cell = CELL_NONE, .learn = learn});
        }
        prepared_acks_free(answers);
        cells_free(cells);
    }
}

static void others_are_not_prepared(void **state)
{
    (void)state;
    struct cells *cells = cells_of(3);
    struct prepared_acks *answers = prepared_acks_new(cells);
    assert_non_null(answers);
    static const struct decision others[] = {
        {.cell = 0, .level = 2}, {.cell = 0, .level = 0}, {.cell = 3, .level = 1}, {.cell = CELL_NONE, .level = 1}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(prepared_acks_find(answers, &others[i]));
    cells_free(cells);
    prepared_acks_free(answers);
    prepared_acks_free(NULL);
}

static void what_the_actions_say(void **state)
{
    (void)state;
    struct cells *cells = cells_of(1);
    struct spop_action actions[ACK_ACTIONS_MAX];
    struct decision decision = {.cell = 0, .level = 2, .learn = true};
    assert_int_equal(ack_actions(cells, &decision, actions), 3);
    assert_true(text_view_is(actions[0].name, "cell") && text_view_is(actions[0].value.text, "0000"));
    assert_true(text_view_is(actions[1].name, "learn") && actions[1].value.boolean);
    assert_true(text_view_is(actions[2].name, "level") && actions[2].value.integer == 2);
    decision.fresh = true;
    assert_int_equal(ack_actions(cells, &decision, actions), 4);
    assert_true(text_view_is(actions[3].name, "fresh") && actions[3].value.boolean);
    decision = (struct decision){.cell = CELL_NONE};
    assert_int_equal(ack_actions(cells, &decision, actions), 1);
    assert_true(text_view_is(actions[0].name, "learn") && !actions[0].value.boolean);
    cells_free(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_usual_answer),
        cmocka_unit_test(others_are_not_prepared),
        cmocka_unit_test(what_the_actions_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
