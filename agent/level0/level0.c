/* agent/level0/level0.c - level 0 on the loop: who keeps the map, when its HAProxy processes are told, when the file is
 * written, and who is asked about entries in doubt.
 *
 * Keeper or not. Of several agents beside one HAProxy the one that holds the file's lock is the keeper; the kernel lets
 * go of the lock when that one ends, however it ends. An agent that is not the keeper tries the lock once a second, and
 * otherwise does nothing here: its hot map is empty, and what the router tells is dropped (is_keeper). A keeper stays
 * one until its end.
 *
 * Changes. Whatever changes the hot map is followed by poke, at the latest that of the next tick, which tells the
 * runtimes when there was a change at all. They decide for themselves when to talk to HAProxy, and ask the hot map
 * then. A tick, ten times a second, ends stays that are over, goes on asking, pokes, and starts the file when it is
 * due.
 *
 * The file is written at most once a second, less often when it is large, and in steps of a timer of its own: no turn
 * of the loop writes more than 1000 entries. A new keeper waits a second with it: what HAProxy has is being read, and
 * an empty file would be worse than the old one.
 *
 * Questions. Entries found in HAProxy's map are in doubt (agent/level0/hot_map.c). At most ASKED_MAX questions about
 * them are under way. `asked` is the receipt: each question adds one, and level0_settle or level0_doubt, which take one
 * off, come exactly once for each, maybe from within the question itself. `asking` keeps such an early reply from
 * starting a second walk inside of the first one. The key is copied before it is asked about, for the reply may drop
 * the entry. When nobody can be asked now (no Redis, not watching yet), the walk ends and the next tick tries again. */
#include "agent/level0/level0.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/level0/hot_map.h"
#include "agent/level0/map_file.h"
#include "agent/level0/runtime_api.h"

enum {
    LINEAR_ENTRIES =
        12000,         /* at 2.6, where a deletion takes 11 ns an entry: 200 deletions a second take 3 % of a core */
    FILE_RATE = 20000, /* entries a second that go to the file, on the average */
    EXPIRE_MAX = 2000, /* entries a tick: 20 000 a second */
    ASKED_MAX = 128,   /* questions about entries in doubt under way: a share of what the store takes. Not tuned. */
};

static const double TICK = 0.1; /* how late an entry's stay may end */

struct level0 {
    struct ev_loop *loop;
    struct level0_options options;
    const struct cells *cells;
    struct hot_map *map;
    struct map_file *file;
    struct runtime_api *runtimes[HOT_TARGETS_MAX];
    size_t runtime_api_count;
    struct runtime_api_counts counts;
    ev_timer tick, write;
    int lock; /* -1: another agent is the keeper */
    bool waits;
    bool file_failed; /* the last time; told once until it works again */
    uint64_t poked;   /* changes of which the runtimes know */
    uint64_t written; /* changes at the start of the file last written */
    uint64_t write_after_ms, lock_after_ms;
    uint32_t doubt_cursor, asked; /* entries in doubt: where the walk is, questions under way */
    bool doubts, asking;          /* some may be in doubt; the walk is on */
};

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void on_write(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct level0 *level0 = timer->data;
    (void)events;
    enum map_file_step step = map_file_step(level0->file);
    if (step == MAP_FILE_MORE)
        return;
    if (step == MAP_FILE_FAILED) {
        if (!level0->file_failed)
            log_write(level0->options.log, REASON_LEVEL0_FILE,
                      LOG_FIELDS(LOG_STR("file", level0->options.config->map_file), LOG_STR("why", strerror(errno))));
        counter_add(level0->options.counters, COUNTER_LEVEL0_FILE_ERRORS, 1);
        level0->written = UINT64_MAX;
    } else {
        counter_add(level0->options.counters, COUNTER_LEVEL0_FILES, 1);
    }
    level0->file_failed = step == MAP_FILE_FAILED;
    ev_timer_stop(loop, timer);
}

/* At most once a second, and less often when it is large. */
static void write_file(struct level0 *level0, uint64_t now_ms)
{
    struct hot_map_stats stats = hot_map_stats(level0->map);
    if (ev_is_active(&level0->write) || stats.changes == level0->written || now_ms < level0->write_after_ms)
        return;
    uint64_t pause_ms = stats.entries * 1000 / FILE_RATE;
    level0->written = stats.changes;
    level0->write_after_ms = now_ms + (pause_ms < 1000 ? 1000 : pause_ms < 10000 ? pause_ms : 10000);
    ev_timer_set(&level0->write, 0., 0.001);
    ev_timer_start(level0->loop, &level0->write);
}

static void poke(struct level0 *level0)
{
    uint64_t changes = hot_map_stats(level0->map).changes;
    if (changes == level0->poked)
        return;
    level0->poked = changes;
    for (size_t i = 0; i < level0->runtime_api_count; i++)
        runtime_api_poke(level0->runtimes[i]);
}

/* ---- what is found in HAProxy's map ----------------------------------------------------------------------------- */

static void ask_more(struct level0 *level0)
{
    struct hot_entry entry;
    if (level0->asking || !level0->doubts)
        return;
    level0->asking = true;
    while (level0->asked < ASKED_MAX) {
        if (!hot_map_next_in_doubt(level0->map, &level0->doubt_cursor, &entry)) {
            level0->doubts = false;
            break;
        }
        char key[HOT_KEY_MAX]; /* the reply may change the map */
        memcpy(key, entry.key, entry.length);
        level0->asked++;
        if (level0->options.ask(level0->options.user, key, entry.length))
            continue;
        level0_doubt(level0, key, entry.length);
        break;
    }
    level0->asking = false;
}

static bool on_found(void *user, int target, const char *key, size_t length, uint16_t cell)
{
    struct level0 *level0 = user;
    if (!hot_map_inherit(level0->map, target, key, length, cell, level0->options.doubt_ms, level0->options.now_ms()))
        return false;
    level0->doubts = true;
    level0->doubt_cursor = 0;
    return true;
}

void level0_settle(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t left_ms)
{
    if (!level0)
        return;
    level0->asked--;
    hot_map_settle(level0->map, key, length, cell, left_ms, level0->options.now_ms());
    poke(level0);
    ask_more(level0);
}

void level0_doubt(struct level0 *level0, const char *key, size_t length)
{
    if (!level0)
        return;
    level0->asked--;
    hot_map_doubt(level0->map, key, length);
    level0->doubts = true;
    level0->doubt_cursor = 0;
}

/* ---- the runtimes ----------------------------------------------------------------------------------------------- */

static void on_event(void *user, const struct runtime_api_event *event)
{
    struct level0 *level0 = user;
    if (event->what == RUNTIME_API_FAILED) {
        log_write(level0->options.log, REASON_HAPROXY_FAILED,
                  LOG_FIELDS(LOG_STR("address", event->address), LOG_STR("why", event->why)));
        return;
    }
    log_write(level0->options.log, REASON_HAPROXY_SYNCED,
              LOG_FIELDS(LOG_STR("address", event->address), LOG_NUM("pid", event->pid), LOG_NUM("added", event->adds),
                         LOG_NUM("deleted", event->dels)));
    for (size_t i = 0; i < level0->runtime_api_count; i++)
        if (runtime_api_is_linear(level0->runtimes[i]))
            hot_map_limit(level0->map, LINEAR_ENTRIES);
}

static void open_runtimes(struct level0 *level0)
{
    const struct config_list *list = &level0->options.config->runtime;
    for (size_t i = 0; i < list->count && i < HOT_TARGETS_MAX; i++) {
        struct runtime_api_options options = {.address = list->items[i],
                                              .map_file = level0->options.config->map_file,
                                              .map = level0->map,
                                              .cells = &level0->cells,
                                              .counts = &level0->counts,
                                              .seed = level0->options.seed + i,
                                              .on_event = on_event,
                                              .on_found = level0->options.ask ? on_found : NULL,
                                              .user = level0};
        struct runtime_api *runtime = runtime_api_new(level0->loop, &options);
        if (runtime)
            level0->runtimes[level0->runtime_api_count++] = runtime;
    }
}

/* ---- who does it ------------------------------------------------------------------------------------------------ */

static void try_lock(struct level0 *level0)
{
    const char *path = level0->options.config->map_file;
    level0->lock = map_file_lock(path);
    if (level0->lock >= 0) {
        log_write(level0->options.log, REASON_LEVEL0_KEEPER, LOG_FIELDS(LOG_STR("file", path)));
        /* Nothing of what the file says was verified; but what HAProxy has may be true, and takes a moment to be
         * read. */
        level0->written = UINT64_MAX;
        level0->write_after_ms = level0->options.now_ms() + 1000;
        open_runtimes(level0);
        return;
    }
    if (!level0->waits && errno == EWOULDBLOCK)
        log_write(level0->options.log, REASON_LEVEL0_WAITS, LOG_FIELDS(LOG_STR("file", path)));
    else if (!level0->waits)
        log_write(level0->options.log, REASON_LEVEL0_FILE,
                  LOG_FIELDS(LOG_STR("file", path), LOG_STR("why", strerror(errno))));
    level0->waits = true;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct level0 *level0 = timer->data;
    uint64_t now_ms = level0->options.now_ms();
    (void)loop;
    (void)events;
    if (level0->lock < 0) {
        if (now_ms < level0->lock_after_ms)
            return;
        level0->lock_after_ms = now_ms + 1000;
        try_lock(level0);
        return;
    }
    hot_map_expire(level0->map, now_ms, EXPIRE_MAX);
    ask_more(level0);
    poke(level0);
    write_file(level0, now_ms);
}

struct level0 *level0_new(struct ev_loop *loop, const struct level0_options *options)
{
    const struct config_haproxy *config = options->config;
    struct level0 *level0 = calloc(1, sizeof *level0);
    if (!level0)
        return NULL;
    struct hot_map_options hot = {.entries = config->map_entries,
                                  .uses = config->map_uses,
                                  .life_ms = (uint64_t)config->map_life_s * 1000,
                                  .seed = options->seed};
    level0->loop = loop;
    level0->options = *options;
    level0->lock = -1;
    ev_timer_init(&level0->tick, on_tick, TICK, TICK);
    ev_init(&level0->write, on_write);
    level0->tick.data = level0->write.data = level0;
    level0->map = hot_map_new(&hot);
    level0->file = map_file_new(config->map_file, level0->map, &level0->cells);
    if (!level0->map || !level0->file) {
        level0_free(level0);
        return NULL;
    }
    int error = map_file_ensure(config->map_file);
    if (error)
        log_write(options->log, REASON_LEVEL0_FILE,
                  LOG_FIELDS(LOG_STR("file", config->map_file), LOG_STR("why", strerror(error))));
    try_lock(level0);
    ev_timer_start(loop, &level0->tick);
    return level0;
}

void level0_free(struct level0 *level0)
{
    if (!level0)
        return;
    ev_timer_stop(level0->loop, &level0->tick);
    ev_timer_stop(level0->loop, &level0->write);
    for (size_t i = 0; i < level0->runtime_api_count; i++)
        runtime_api_free(level0->runtimes[i]);
    map_file_free(level0->file);
    hot_map_free(level0->map);
    if (level0->lock >= 0)
        close(level0->lock);
    free(level0);
}

/* ---- what the router tells -------------------------------------------------------------------------------------- */

static bool is_keeper(const struct level0 *level0)
{
    return level0 && level0->lock >= 0;
}

void level0_cells(struct level0 *level0, const struct cells *cells, const uint16_t *map, size_t count)
{
    if (!level0)
        return;
    level0->cells = cells;
    if (!map)
        return;
    hot_map_remap(level0->map, map, count);
    poke(level0);
}

void level0_used(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t left_ms)
{
    if (!is_keeper(level0))
        return;
    hot_map_used(level0->map, key, length, cell, left_ms, level0->options.now_ms());
    poke(level0);
}

void level0_learned(struct level0 *level0, const char *key, size_t length, uint16_t cell)
{
    if (!is_keeper(level0))
        return;
    hot_map_learned(level0->map, key, length, cell, level0->options.now_ms());
    poke(level0);
}

void level0_forget(struct level0 *level0, const char *key, size_t length)
{
    if (!is_keeper(level0))
        return;
    hot_map_forget(level0->map, key, length);
    poke(level0);
}

void level0_withdraw(struct level0 *level0, const char *key, size_t length)
{
    if (!is_keeper(level0))
        return;
    hot_map_withdraw(level0->map, key, length);
    poke(level0);
}

void level0_undecided(struct level0 *level0, const char *key, size_t length, uint16_t cell, uint64_t life_ms)
{
    if (!is_keeper(level0))
        return;
    hot_map_undecided(level0->map, key, length, cell, life_ms, level0->options.now_ms());
    poke(level0);
}

void level0_bar(struct level0 *level0, const char *key, size_t length, uint16_t cell)
{
    if (!is_keeper(level0))
        return;
    hot_map_bar(level0->map, key, length, cell, level0->options.now_ms());
    poke(level0);
}

void level0_redirected(struct level0 *level0, const char *path_key, size_t length, uint16_t cell)
{
    if (!is_keeper(level0))
        return;
    hot_map_redirected(level0->map, path_key, length, cell);
    poke(level0);
}

void level0_flush(struct level0 *level0)
{
    if (!is_keeper(level0))
        return;
    hot_map_flush(level0->map);
    level0->poked = UINT64_MAX;
    poke(level0);
}

void level0_distrust(struct level0 *level0, uint64_t life_ms)
{
    if (is_keeper(level0))
        hot_map_distrust(level0->map, life_ms, level0->options.now_ms());
}

void level0_sample(struct level0 *level0)
{
    if (!level0)
        return;
    struct counters *counters = level0->options.counters;
    struct {
        struct hot_map_stats map;
        struct runtime_api_counts commands;
        uint64_t keeper, synced;
    } now = {hot_map_stats(level0->map), level0->counts, level0->lock >= 0, 0};
    for (size_t i = 0; i < level0->runtime_api_count; i++)
        now.synced += runtime_api_is_synced(level0->runtimes[i]);
#define LEVEL0_COUNTER(id, family, labels, text, field) counter_set(counters, COUNTER_##id, now.field);
#define LEVEL0_GAUGE LEVEL0_COUNTER
#include "agent/report/counters.def"
}
