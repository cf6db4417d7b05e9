/* tests/unit/agent/level0/test_hot_map_targets.c - the journal and resyncs: each target that applies what it is told
 * has what the map has. */
#include "base/rng.h"
#include "tests/unit/agent/level0/hot_map_help.h"

enum { NAMES = 60 };

struct model {
    int target;
    int cells[NAMES]; /* -1: not there */
    bool twice;       /* a key was added that was there */
};

static void name_of(int i, char *out, size_t size)
{
    if (i % 3 == 0)
        snprintf(out, size, "/n%d/", i);
    else
        snprintf(out, size, "/n%d/s%d/", i / 3 * 3, i);
}

static int number_of(const struct hot_entry *entry)
{
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        name_of(i, name, sizeof name);
        if (strlen(name) == entry->length && memcmp(name, entry->key, entry->length) == 0)
            return i;
    }
    fail_msg("no such key: %.*s", (int)entry->length, entry->key);
    return -1;
}

static void apply(void *user, bool add, const struct hot_entry *entry)
{
    struct model *model = user;
    int i = number_of(entry);
    if (add && model->cells[i] >= 0)
        model->twice = true;
    model->cells[i] = add ? entry->cell : -1;
}

static uint64_t now;

static bool found(struct hot_map *map, int target, const char *name, uint16_t cell, bool inherit)
{
    const struct hot_entry entry = {.key = name, .length = (uint16_t)strlen(name), .cell = cell};
    if (hot_map_resync_found(map, target, &entry))
        return true;
    return inherit && hot_map_inherit(map, target, name, strlen(name), cell, 5000, now) &&
           hot_map_resync_found(map, target, &entry);
}

static void resync(struct hot_map *map, struct model *model, struct rng *rng,
                   void (*disturb)(struct hot_map *, struct rng *))
{
    char name[32];
    bool doomed[NAMES] = {false};
    hot_map_resync_begin(map, model->target);
    for (int i = 0; i < NAMES; i++) {
        name_of(i, name, sizeof name);
        if (model->cells[i] >= 0)
            doomed[i] = !found(map, model->target, name, (uint16_t)model->cells[i], rng_below(rng, 2) == 0);
        disturb(map, rng);
    }
    for (int i = 0; i < NAMES; i++)
        if (doomed[i])
            model->cells[i] = -1;
    if (rng_below(rng, 4) == 0) {
        for (int i = 0; i < NAMES; i++)
            model->cells[i] = -1;
        hot_map_resync_emptied(map, model->target);
    }
    struct hot_entry entry;
    uint32_t cursor = 0;
    while (hot_map_resync_missing(map, model->target, &cursor, &entry)) {
        int i = number_of(&entry);
        model->cells[i] = entry.cell; /* may be there: what follows deletes it first */
        disturb(map, rng);
        hot_map_resync_dropped(map, model->target, 3, apply, model);
    }
    hot_map_resync_end(map, model->target);
}

static void random_step(struct hot_map *map, struct rng *rng)
{
    char name[32];
    static const uint16_t cells[] = {0, 1, 2, CELL_NONE}; /* targets have ids, which stay */
    name_of((int)rng_below(rng, NAMES), name, sizeof name);
    uint16_t cell = (uint16_t)rng_below(rng, 4);
    now += rng_below(rng, 500);
    switch (rng_below(rng, 40)) {
    case 0: hot_map_forget(map, name, strlen(name)); break;
    case 1: hot_map_learned(map, name, strlen(name), cell, now); break;
    case 2: hot_map_redirected(map, name, strlen(name), cell); break;
    case 3: hot_map_expire(map, now, 5); break;
    case 6: hot_map_withdraw(map, name, strlen(name)); break;
    case 7: hot_map_undecided(map, name, strlen(name), cell, 2000, now); break;
    case 5: hot_map_settle(map, name, strlen(name), cell, LONG, now); break;
    case 4:
        if (rng_below(rng, 20) == 0)
            hot_map_flush(map);
        else if (rng_below(rng, 20) == 0)
            hot_map_remap(map, cells, 4);
        break;
    default: hot_map_used(map, name, strlen(name), (uint16_t)(rng_below(rng, 10) ? 1 : cell), LONG, now); break;
    }
}

static void catch_up(struct hot_map *map, struct model *model, struct rng *rng)
{
    while (hot_map_need(map, model->target) == HOT_ALL)
        resync(map, model, rng, random_step);
    model->twice = false;
    while (hot_map_take(map, model->target, 1 + rng_below(rng, 7), apply, model) > 0) {
    }
    assert_false(model->twice);
    if (hot_map_need(map, model->target) == HOT_ALL)
        return;
    assert_int_equal(hot_map_need(map, model->target), HOT_NOTHING);
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        struct hot_entry entry;
        name_of(i, name, sizeof name);
        int cell = hot_map_find(map, name, strlen(name), &entry) ? entry.cell : -1;
        if (cell != model->cells[i])
            fail_msg("%s: the map says %d, the target has %d", name, cell, model->cells[i]);
    }
}

static void targets_follow(void **state)
{
    (void)state;
    struct hot_map *map = map_of(40, 2);
    struct rng rng = {.state = 3};
    struct model models[3] = {0};
    now = START;
    for (int i = 0; i < 3; i++) {
        models[i].target = hot_map_target(map);
        assert_int_equal(models[i].target, i);
        for (int k = 0; k < NAMES; k++)
            models[i].cells[k] = k % 5 - 1; /* what an earlier agent left */
    }
    for (int round = 0; round < 200000; round++) {
        random_step(map, &rng);
        struct model *model = &models[rng_below(&rng, 3)];
        if (rng_below(&rng, 50) == 0)
            catch_up(map, model, &rng);
        if (rng_below(&rng, 5000) == 0)
            hot_map_lost(map, model->target);
        if (rng_below(&rng, 300) == 0) { /* HAProxy takes an entry out by itself: it may be missing, never wrong */
            hot_map_lost(map, model->target);
            model->cells[rng_below(&rng, NAMES)] = -1;
        }
    }
    struct hot_map_stats stats = hot_map_stats(map);
    assert_true(stats.added > 1000 && stats.evicted > 10 && stats.expired > 10 && stats.forgotten > 100);
    hot_map_free(map);
}

static void a_target_far_behind_is_resynchronised(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    struct model model = {.target = hot_map_target(map)};
    memset(model.cells, 0xff, sizeof model.cells);
    assert_int_equal(hot_map_need(map, model.target), HOT_ALL);
    assert_int_equal(hot_map_take(map, model.target, 10, apply, &model), 0);
    hot_map_resync_begin(map, model.target);
    hot_map_resync_end(map, model.target);
    assert_int_equal(hot_map_need(map, model.target), HOT_NOTHING);
    for (int i = 0; i < HOT_JOURNAL / 2; i++) {
        used(map, "/n0/", 1, START);
        hot_map_forget(map, "/n0/", 4);
    }
    assert_int_equal(hot_map_need(map, model.target), HOT_URGENT);
    used(map, "/n0/", 1, START);
    assert_int_equal(hot_map_need(map, model.target), HOT_ALL);
    hot_map_resync_begin(map, model.target);
    hot_map_flush(map);
    hot_map_resync_end(map, model.target);
    assert_int_equal(hot_map_need(map, model.target), HOT_ALL); /* the flush came in between */
    hot_map_free(map);
}

static void expiry_is_lazy(void **state)
{
    (void)state;
    struct hot_map *map = map_of(100, 1);
    int target = hot_map_target(map);
    hot_map_resync_begin(map, target);
    hot_map_resync_end(map, target);
    used(map, "/n0/", 1, START);
    assert_int_equal(hot_map_need(map, target), HOT_URGENT);
    struct model model = {.target = target};
    memset(model.cells, 0xff, sizeof model.cells);
    assert_int_equal(hot_map_take(map, target, 10, apply, &model), 1);
    hot_map_expire(map, START + LIFE, 1);
    assert_int_equal(hot_map_need(map, target), HOT_LAZY);
    for (int i = 1; i < HOT_TARGETS_MAX; i++)
        assert_int_equal(hot_map_target(map), i);
    assert_int_equal(hot_map_target(map), -1);
    hot_map_free(map);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_follow),
        cmocka_unit_test(a_target_far_behind_is_resynchronised),
        cmocka_unit_test(expiry_is_lazy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
