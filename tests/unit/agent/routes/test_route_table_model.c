/* tests/unit/agent/routes/test_route_table_model.c - the route table against a naive model, by random operations.
 * CELLROUTER_TEST_SEED=N runs them another way. */
#include "agent/routes/route_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/unit/agent/routes/route_table_help.h"

enum { KEYS = 600, MODEL_CELLS = 6, FILLERS = 3 };

struct model_route {
    bool there;
    struct route_word word;
    uint64_t ends, due; /* ms */
};

struct model {
    struct rng rng;
    struct route_table *table;
    uint64_t now;
    char *keys[KEYS];
    struct model_route routes[KEYS];
    uint64_t doubts[64]; /* deadlines of those that run */
};

static uint64_t seed_of_run(void)
{
    const char *seed = getenv("CELLROUTER_TEST_SEED");
    return seed ? strtoull(seed, NULL, 10) : 1;
}

/* One to five segments out of few, some of them long: many keys are prefixes of each other. */
static char *random_key(struct rng *rng)
{
    char key[600] = "/";
    size_t depth = 1 + rng_below(rng, 5);
    for (size_t i = 0; i < depth; i++) {
        size_t length = rng_below(rng, 8) == 0 ? 20 + rng_below(rng, 60) : 1;
        memset(key + strlen(key), (int)('a' + rng_below(rng, 3)), length);
        strcat(key, "/");
    }
    return strdup(key);
}

static void model_init(struct model *model, uint64_t seed, uint64_t memory)
{
    *model = (struct model){.rng = {seed}, .now = START, .table = table_of(memory)};
    for (size_t i = 0; i < KEYS; i++) {
        char *key = random_key(&model->rng);
        for (size_t j = 0; j < i; j++)
            if (strcmp(model->keys[j], key) == 0) {
                free(key);
                key = random_key(&model->rng);
                j = (size_t)-1;
            }
        model->keys[i] = key;
    }
}

static void model_deinit(struct model *model)
{
    for (size_t i = 0; i < KEYS; i++)
        free(model->keys[i]);
    route_table_free(model->table);
}

static bool model_live(const struct model *model, size_t i)
{
    return model->routes[i].there && model->now < model->routes[i].ends;
}

static uint64_t on_tick(uint64_t ms)
{
    return START + (ms - START) / ROUTE_TICK_MS * ROUTE_TICK_MS;
}

static enum route_put model_compare(const struct model *model, size_t i, const struct route_word *word)
{
    const struct route_word *there = &model->routes[i].word;
    if (on_tick(model->now + word->left_ms) <= model->now)
        return ROUTE_PUT_BAD;
    if (!model_live(model, i))
        return ROUTE_PUT_NEW;
    if (there->pinned != word->pinned && there->pinned)
        return ROUTE_PUT_PINNED;
    if (there->pinned == word->pinned && word->stamp_ms < there->stamp_ms)
        return ROUTE_PUT_OLDER;
    if (there->cell == word->cell)
        return ROUTE_PUT_REFRESHED;
    if (there->pinned == word->pinned && word->stamp_ms == there->stamp_ms && !word->from_store)
        return ROUTE_PUT_OLDER;
    return ROUTE_PUT_MOVED;
}

static struct route_word random_word(struct rng *rng)
{
    struct route_word word = {.cell = (uint16_t)rng_below(rng, MODEL_CELLS),
                              .pinned = rng_below(rng, 10) == 0,
                              .from_store = rng_below(rng, 2) == 0,
                              .stamp_ms = rng_below(rng, 50),
                              .life_ms = 100 * (1 + rng_below(rng, 1000))};
    word.left_ms = rng_below(rng, 3) == 0 ? rng_below(rng, word.life_ms + 1) : word.life_ms;
    return word;
}

static void model_put(struct model *model, bool exact)
{
    size_t i = rng_below(&model->rng, KEYS);
    struct route_word word = random_word(&model->rng);
    enum route_put wanted = model_compare(model, i, &word);
    enum route_put outcome = put_word(model->table, model->keys[i], &word, model->now);
    if (exact && outcome != wanted)
        fail_msg("put %s: wanted %d, got %d", model->keys[i], (int)wanted, (int)outcome);
    if (outcome == ROUTE_PUT_NEW || outcome == ROUTE_PUT_MOVED || outcome == ROUTE_PUT_REFRESHED)
        model->routes[i] = (struct model_route){true, word, on_tick(model->now + word.left_ms),
                                                on_tick(word.left_ms > word.life_ms / 100 * 20
                                                            ? model->now + word.left_ms - word.life_ms / 100 * 20
                                                            : model->now)};
}

static void model_forget(struct model *model, bool exact)
{
    size_t i = rng_below(&model->rng, KEYS);
    uint16_t expected = rng_below(&model->rng, 2) ? (uint16_t)rng_below(&model->rng, MODEL_CELLS) : (uint16_t)CELL_NONE;
    bool wanted = model_live(model, i) && (expected == CELL_NONE || model->routes[i].word.cell == expected);
    bool went = forget(model->table, model->keys[i], expected, model->now);
    if (exact)
        assert_int_equal(went, wanted);
    if (wanted)
        model->routes[i].there = false;
}

static void model_forget_cell(struct model *model)
{
    uint16_t cell = (uint16_t)rng_below(&model->rng, MODEL_CELLS);
    route_table_forget_cell(model->table, cell);
    for (size_t i = 0; i < KEYS; i++)
        model->routes[i].there &= model->routes[i].word.cell != cell;
}

static void model_flush(struct model *model)
{
    route_table_flush(model->table);
    for (size_t i = 0; i < KEYS; i++)
        model->routes[i].there = false;
}

/* Seven at a time at most: the table merges more of them, on the safe side. */
static void model_distrust(struct model *model)
{
    uint64_t deadline = model->now + rng_below(&model->rng, 20000);
    size_t running = 0;
    for (size_t i = 0; i < 64; i++)
        running += model->doubts[i] > model->now;
    if (running >= 7)
        return;
    model->doubts[rng_below(&model->rng, 64)] = deadline;
    for (size_t i = 0; i < 64; i++)
        if (model->doubts[i] > deadline)
            model->doubts[i] = deadline;
    route_table_distrust(model->table, deadline - model->now, model->now);
    for (size_t i = 0; i < KEYS; i++)
        if (!model->routes[i].word.pinned && model->routes[i].ends > deadline)
            model->routes[i].ends = deadline;
}

/* Rotates the cells; now and then one of them goes. */
static void model_remap(struct model *model)
{
    uint16_t map[MODEL_CELLS];
    uint16_t turn = (uint16_t)rng_below(&model->rng, MODEL_CELLS);
    for (uint16_t i = 0; i < MODEL_CELLS; i++)
        map[i] = (uint16_t)((i + turn) % MODEL_CELLS);
    if (rng_below(&model->rng, 2))
        map[rng_below(&model->rng, MODEL_CELLS)] = CELL_NONE;
    route_table_remap(model->table, map, MODEL_CELLS);
    for (size_t i = 0; i < KEYS; i++) {
        uint16_t *cell = &model->routes[i].word.cell;
        model->routes[i].there &= map[*cell] != CELL_NONE;
        *cell = map[*cell] == CELL_NONE ? 0 : map[*cell];
    }
}

static void expect_route(const struct model *model, size_t i, const struct route *route)
{
    const struct model_route *wanted = &model->routes[i];
    if (!model_live(model, i) || route->cell != wanted->word.cell || route->pinned != wanted->word.pinned ||
        route->from_store != wanted->word.from_store || route->stamp_ms != wanted->word.stamp_ms ||
        route->left_ms != wanted->ends - model->now || route->key_length != strlen(model->keys[i]) ||
        route->due != (!wanted->word.pinned && wanted->due <= model->now))
        fail_msg("%s at %llu: wanted %s cell %u stamp %llu left %llu due %llu, got cell %u stamp %llu left %llu due %d",
                 model->keys[i], (unsigned long long)model->now, model_live(model, i) ? "live" : "none",
                 wanted->word.cell, (unsigned long long)wanted->word.stamp_ms,
                 (unsigned long long)(wanted->ends - model->now), (unsigned long long)wanted->due, route->cell,
                 (unsigned long long)route->stamp_ms, (unsigned long long)route->left_ms, route->due);
}

/* The longest live prefix of a random path: by the model, and by the table. */
static void model_look(struct model *model, bool exact)
{
    char *text = random_key(&model->rng);
    size_t best = KEYS;
    struct route route;
    for (size_t i = 0; i < KEYS; i++) {
        size_t length = strlen(model->keys[i]);
        if (model_live(model, i) && strncmp(text, model->keys[i], length) == 0 &&
            (best == KEYS || length > strlen(model->keys[best])))
            best = i;
    }
    if (rng_below(&model->rng, 2))
        text[strlen(text) - 1] = '\0';
    bool there = look(model->table, text, model->now, &route);
    if (exact && there != (best < KEYS))
        fail_msg("%s: wanted %s, got %s", text, best < KEYS ? model->keys[best] : "nothing", there ? "one" : "nothing");
    if (exact && there)
        expect_route(model, best, &route);
    free(text);
}

static void model_find(struct model *model, bool exact)
{
    size_t i = rng_below(&model->rng, KEYS);
    struct route route;
    bool there = route_table_find(model->table, model->keys[i], strlen(model->keys[i]), model->now, &route);
    if (there || exact)
        assert_int_equal(there, model_live(model, i));
    if (there)
        expect_route(model, i, &route);
}

static void count_visit(void *user, const char *key, size_t length, const struct route *route)
{
    struct model *model = ((void **)user)[0];
    size_t *count = ((void **)user)[1];
    for (size_t i = 0; i < KEYS; i++)
        if (strlen(model->keys[i]) == length && memcmp(model->keys[i], key, length) == 0) {
            expect_route(model, i, route);
            ++*count;
            return;
        }
    if (length < 2 || key[1] != 'z') /* filler */
        fail_msg("a key that nobody put: %.*s", (int)length, key);
}

static void model_list(struct model *model, bool exact)
{
    size_t live = 0, listed = 0, by_cell = 0;
    void *user[] = {model, &listed};
    struct route_cursor cursor = {0};
    while (route_table_list(model->table, &cursor, 3, model->now, count_visit, user))
        ;
    for (size_t i = 0; i < KEYS; i++)
        live += model_live(model, i);
    for (uint16_t i = 0; i < MODEL_CELLS + FILLERS; i++)
        by_cell += route_table_cell_routes(model->table, i);
    if (exact)
        assert_int_equal(listed, live);
    else
        assert_true(listed <= live);
    assert_int_equal(by_cell, route_table_stats(model->table).routes);
    assert_true(by_cell >= listed);
    expect_bounded(model->table);
}

static void model_step(struct model *model, bool exact)
{
    uint64_t dice = rng_below(&model->rng, 1000);
    if (dice < 400)
        model_put(model, exact);
    else if (dice < 700)
        model_look(model, exact);
    else if (dice < 850)
        model_find(model, exact);
    else if (dice < 950)
        model_forget(model, exact);
    else if (dice < 980)
        model->now += rng_below(&model->rng, 2000);
    else if (dice < 985)
        route_table_sweep(model->table, rng_below(&model->rng, 200), model->now);
    else if (dice < 988)
        model_distrust(model);
    else if (dice < 992)
        model_forget_cell(model);
    else if (dice < 994)
        model_remap(model);
    else if (dice < 995)
        model_flush(model);
    else
        model_list(model, exact);
}

static void against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = seed_of_run(); seed < seed_of_run() + 10; seed++) {
        struct model model;
        model_init(&model, seed, 8 * MEGABYTE);
        for (unsigned i = 0; i < 20000; i++)
            model_step(&model, true);
        model_list(&model, true);
        assert_int_equal(route_table_stats(model.table).evicted, 0);
        model_deinit(&model);
    }
}

/* The least table, whose routes are pushed out all the time by filler: what it still says must be true. */
static void against_a_model_when_full(void **state)
{
    (void)state;
    for (uint64_t seed = seed_of_run(); seed < seed_of_run() + 5; seed++) {
        struct model model;
        model_init(&model, seed, 0);
        /* Each evicted route may be missing, and an older word then counts as new; so only this is asked: is everything
         * that is found what was put last? */
        for (unsigned i = 0; i < 20000; i++) {
            model_step(&model, false);
            char filler[300];
            memset(filler, 'z', sizeof filler);
            int length = snprintf(filler, sizeof filler, "/z%llu", (unsigned long long)rng_below(&model.rng, 100000));
            filler[length] = 'z';
            length += (int)rng_below(&model.rng, 200);
            filler[length++] = '/';
            struct route_word word = word_of((uint16_t)(MODEL_CELLS + i % FILLERS), i, 100000);
            assert_int_not_equal(route_table_put(model.table, filler, (size_t)length, &word, model.now, NULL),
                                 ROUTE_PUT_BAD);
            expect_bounded(model.table);
        }
        assert_true(route_table_stats(model.table).evicted > 1000);
        model_deinit(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_model),
        cmocka_unit_test(against_a_model_when_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
