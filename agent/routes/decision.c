/* agent/routes/decision.c - three short rules: nobody knows, level 1 knows, the store knows. */
#include "agent/routes/decision.h"

#include <stddef.h>

struct decision decision_unknown(enum path_verdict verdict, const struct path *path)
{
    /* Without a prefix there is nothing that a cell could claim. */
    return (struct decision){.cell = CELL_NONE, .learn = verdict == PATH_OK && path->depth > 0};
}

struct decision decision_level1(struct route_table *table, const struct doubts *doubts, enum path_verdict verdict,
                                const struct route_probe *probe, uint64_t now_ms, struct route *route,
                                struct doubt *why)
{
    struct route found;
    if (verdict != PATH_OK)
        return decision_unknown(verdict, NULL);
    if (!route_table_get(table, probe, now_ms, &found))
        return decision_unknown(verdict, probe->path);
    if (route)
        *route = found;
    if (found.due)
        route_table_asked(table, &found, DECISION_HOLD_MS, now_ms);
    bool doubt = doubts_has(doubts, probe->path, found.key_length, found.cell, now_ms, why);
    if (!doubt)
        route_table_seen(table, &found, now_ms);
    bool learn = found.due || doubt;
    return (struct decision){
        .cell = found.cell, .level = 1, .learn = learn, .fresh = found.fresh && !learn, .doubt = doubt};
}

struct decision decision_level2(const struct route_word *word, uint32_t refresh_percent, bool fresh, bool doubt)
{
    bool ages = !word->pinned && word->left_ms != ROUTE_FOREVER && refresh_percent < 100;
    uint64_t rest = word->life_ms / 100 * (100 - (ages ? refresh_percent : 0));
    bool learn = doubt || (ages && word->left_ms <= rest);
    return (struct decision){.cell = word->cell, .level = 2, .learn = learn, .fresh = fresh && !learn, .doubt = doubt};
}
