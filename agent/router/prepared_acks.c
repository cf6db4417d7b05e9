/* agent/router/prepared_acks.c - the actions of an ACK, and a table of those that are encoded once: four a cell, and as
 * many places for "unknown", which is never fresh. */
#include "agent/router/prepared_acks.h"

#include <assert.h>
#include <stdlib.h>

/* What stands at cell * STATES + state is a hit's; behind the last cell come those of "unknown". */
enum { SETTLED, FRESH, LEARN, DOUBT, STATES };

struct prepared_acks {
    size_t cells;
    struct spoe_prepared prepared[];
};

static struct spop_action set(struct text_view name, struct spop_data value)
{
    return (struct spop_action){.kind = SPOP_SET_VAR, .scope = SPOP_TRANSACTION, .name = name, .value = value};
}

size_t ack_actions(const struct cells *cells, const struct decision *decision, struct spop_action *actions)
{
    size_t n = 0;
    if (decision->cell != CELL_NONE)
        actions[n++] = set(TEXT_VIEW("cell"),
                           spop_string(cells_id(cells, decision->cell), cells_id_length(cells, decision->cell)));
    actions[n++] = set(TEXT_VIEW("learn"), spop_bool(decision->learn));
    if (decision->level) /* HAProxy's log says "none" for one that is not set, and 0 for its own map */
        actions[n++] = set(TEXT_VIEW("level"), spop_int32(decision->level));
    if (decision->fresh)
        actions[n++] = set(TEXT_VIEW("fresh"), spop_bool(true));
    if (decision->doubt)
        actions[n++] = set(TEXT_VIEW("doubt"), spop_bool(true));
    return n;
}

struct spop_action ack_done(bool done)
{
    return set(TEXT_VIEW("done"), spop_bool(done));
}

static bool prepare(struct spoe_prepared *prepared, const struct cells *cells, struct decision decision)
{
    struct spop_action actions[ACK_ACTIONS_MAX];
    return spoe_prepare(prepared, actions, ack_actions(cells, &decision, actions));
}

struct prepared_acks *prepared_acks_new(const struct cells *cells)
{
    size_t count = cells_count(cells);
    struct prepared_acks *acks = malloc(sizeof *acks + (count + 1) * STATES * sizeof acks->prepared[0]);
    if (!acks)
        return NULL;
    acks->cells = count;
    bool fits = true;
    for (size_t i = 0; i <= count; i++)
        for (unsigned state = 0; state < STATES; state++) {
            struct decision decision = {.cell = i < count ? (uint16_t)i : CELL_NONE,
                                        .level = i < count,
                                        .learn = state == LEARN || state == DOUBT,
                                        .fresh = state == FRESH,
                                        .doubt = state == DOUBT};
            fits = prepare(&acks->prepared[i * STATES + state], cells, decision) && fits;
        }
    assert(fits); /* CELL_ID_MAX leaves room for the rest */
    (void)fits;
    return acks;
}

void prepared_acks_free(struct prepared_acks *acks)
{
    free(acks);
}

const struct spoe_prepared *prepared_acks_find(const struct prepared_acks *acks, const struct decision *decision)
{
    bool known = decision->cell != CELL_NONE;
    if (decision->level != known || (known && decision->cell >= acks->cells))
        return NULL;
    size_t cell = known ? decision->cell : acks->cells;
    unsigned state = decision->doubt ? DOUBT : decision->learn ? LEARN : decision->fresh ? FRESH : SETTLED;
    return &acks->prepared[cell * STATES + state];
}
