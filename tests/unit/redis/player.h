/* tests/unit/redis/player.h - a store on a loop, with a handler that writes down what it is told, for tests with a real
 * Redis. Nothing waits for a time: player_until() runs the loop until something is so, and fails after a generous
 * bound. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_PLAYER_H
#define CELLROUTER_TESTS_UNIT_REDIS_PLAYER_H

#include "tests/unit/redis/server.h"

#include <time.h>

#include <ev.h>

#include "base/clock.h"
#include "redis/store.h"

#define PATIENCE_S 20.0
#define CHANGES_MAX 4096

struct player {
    struct ev_loop *loop;
    struct route_store *store;
    struct route_store_config config;
    unsigned changed, flushed, distrusted, late;
    char last_changed[256];
    unsigned events[STORE_REASON_COUNT];
    char last_detail[256];
    int doubts;
    char last_doubt[400];
    struct route_answer late_answer;
    char late_prefix[256];
};

struct got {
    unsigned times;
    enum route_outcome outcome;
    enum store_reason reason;
    enum route_trust trust;
    char prefix[256], cell[ROUTE_ID_MAX + 1];
    uint64_t left_ms;
    struct route_wait *wait;
};

static inline void player_changed(void *user, const struct route_name *name)
{
    struct player *player = user;

    player->changed++;
    snprintf(player->last_changed, sizeof player->last_changed, "%.*s%.*s", (int)name->host_length, name->host,
             (int)name->prefix_length, name->prefix);
}

static inline void player_flushed(void *user)
{
    ((struct player *)user)->flushed++;
}

static inline void player_distrust(void *user)
{
    ((struct player *)user)->distrusted++;
}

static inline void player_late(void *user, const struct route_answer *answer)
{
    struct player *player = user;

    player->late++;
    player->late_answer = *answer;
    snprintf(player->late_prefix, sizeof player->late_prefix, "%.*s", (int)answer->route.prefix_length,
             answer->route.prefix);
}

static inline void player_event(void *user, const struct route_store_event *event)
{
    struct player *player = user;

    player->events[event->reason]++;
    snprintf(player->last_detail, sizeof player->last_detail, "%s", event->detail);
    if (getenv("SHOW_EVENTS")) {
        fprintf(stderr, "%s %s %s: %s\n", player->config.router, event->connection, store_reason_name(event->reason),
                event->detail);
    }
}

static inline void player_doubt(void *user, const struct route_doubt *doubt)
{
    struct player *player = user;

    player->doubts++;
    snprintf(player->last_doubt, sizeof player->last_doubt, "%d %.*s%.*s %.*s %u", (int)doubt->about,
             (int)doubt->route.host_length, doubt->route.host, (int)doubt->route.prefix_length, doubt->route.prefix,
             (int)doubt->cell_length, doubt->cell, doubt->life_ms);
}

/* Generous deadlines: a loaded machine must not decide a test. */
static inline struct route_store_config player_config(const struct server *server)
{
    struct route_store_config config = route_store_defaults();

    config.address = server->address;
    config.router = "r1";
    config.deadline_ms = 5000;
    config.connect_ms = 5000;
    config.watchdog_ms = 5000;
    config.backoff_min_ms = 10;
    config.backoff_max_ms = 50;
    config.seed = 42;
    return config;
}

static inline void player_start(struct player *player, const struct route_store_config *config)
{
    static const struct route_store_handler handler = {.on_changed = player_changed,
                                                       .on_flushed = player_flushed,
                                                       .on_distrust = player_distrust,
                                                       .on_late = player_late,
                                                       .on_doubt = player_doubt,
                                                       .on_event = player_event};
    enum store_reason reason;

    memset(player, 0, sizeof *player);
    player->loop = ev_default_loop(0);
    player->config = *config;
    player->store = route_store_new(player->loop, config, &handler, player, &reason);
    assert_non_null(player->store);
}

static inline void player_end(struct player *player)
{
    route_store_free(player->store);
    player->store = NULL;
}

static inline const struct route_store_counters *counters(const struct player *player)
{
    return route_store_counters(player->store);
}

static inline double player_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void player_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
}

/* Runs the loop until condition holds; it is looked at after each turn and every 5 ms. */
#define player_until(condition) \
    do { \
        double until_ = player_clock() + PATIENCE_S; \
        ev_timer tick_; \
        ev_timer_init(&tick_, player_tick, 0.005, 0.005); \
        ev_timer_start(ev_default_loop(0), &tick_); \
        while (!(condition) && player_clock() < until_) \
            ev_run(ev_default_loop(0), EVRUN_ONCE); \
        ev_timer_stop(ev_default_loop(0), &tick_); \
        if (!(condition)) \
            fail_msg("%s:%d: not within %.0f s: %s", __FILE__, __LINE__, PATIENCE_S, #condition); \
    } while (0)

static inline void player_ready(struct player *player)
{
    player_until(counters(player)->watching == 1);
}

/* Lookups */

static inline void on_answer(void *user, const struct route_answer *answer)
{
    struct got *got = user;

    got->times++;
    got->outcome = answer->outcome;
    got->reason = answer->reason;
    got->wait = NULL;
    if (answer->outcome == ROUTE_FOUND) {
        got->trust = answer->trust;
        got->left_ms = answer->left_ms;
        snprintf(got->prefix, sizeof got->prefix, "%.*s", (int)answer->route.prefix_length, answer->route.prefix);
        snprintf(got->cell, sizeof got->cell, "%.*s", answer->record.cell_length, answer->record.cell);
    }
}

/* Begins a lookup of all prefixes of path, which ends in '/'. */
static inline void look(struct player *player, const char *host, const char *path, struct got *got)
{
    uint16_t ends[ROUTE_PREFIXES_MAX];
    size_t count = 0;

    memset(got, 0, sizeof *got);
    for (size_t i = 1; path[i] != '\0' && count < ROUTE_PREFIXES_MAX; i++)
        if (path[i] == '/')
            ends[count++] = (uint16_t)(i + 1);
    struct route_question question = {host, strlen(host), path, ends, count};
    got->outcome = route_store_get(player->store, &question, on_answer, got, &got->wait, &got->reason);
}

static inline void look_done(struct player *player, const char *path, struct got *got)
{
    look(player, "", path, got);
    player_until(got->outcome != ROUTE_WAITING);
}

static inline bool put(struct player *player, const char *prefix, const char *cell, uint32_t life_s, uint32_t flags)
{
    struct route_name name = {"", 0, prefix, strlen(prefix)};

    return route_store_put(player->store, &name, cell, strlen(cell), life_s, flags);
}

static inline bool forget(struct player *player, const char *prefix, const char *cell)
{
    struct route_name name = {"", 0, prefix, strlen(prefix)};

    return route_store_forget(player->store, &name, cell, strlen(cell));
}

static inline bool is_written(const struct player *player)
{
    return counters(player)->queued == 0 && counters(player)->writing == 0;
}

/* A record as another router would have written it. */
static inline size_t make_record(uint8_t *out, const char *cell, uint64_t stamp_ms, uint32_t life_s, uint32_t flags,
                                 const char *router)
{
    struct route_record record = {.stamp_ms = stamp_ms, .life_s = life_s, .flags = flags};

    assert_true(record_set_id(record.cell, &record.cell_length, cell, strlen(cell)));
    assert_true(record_set_id(record.router, &record.router_length, router, strlen(router)));
    return record_encode(&record, out);
}

/* Sets a route from outside. key without its prefix: "{/a}/a/b/". */
static inline void outside_set(redisContext *client, const char *key, const char *cell)
{
    uint8_t bytes[ROUTE_RECORD_MAX];
    size_t n = make_record(bytes, cell, clock_wall_ms(), 600, 0, "outside");

    server_do(client, "SET cellrouter:%s %b PX 600000", key, bytes, n);
}

#define assert_got(got, wanted_outcome, wanted_prefix, wanted_cell) \
    do { \
        if ((got)->outcome != (wanted_outcome) || strcmp((got)->prefix, wanted_prefix) != 0 || \
            strcmp((got)->cell, wanted_cell) != 0) \
            fail_msg("got outcome %d (%s) %s -> %s, wanted %d %s -> %s", (got)->outcome, \
                     store_reason_name((got)->reason), (got)->prefix, (got)->cell, wanted_outcome, wanted_prefix, \
                     wanted_cell); \
    } while (0)

/* main() of a test program: a redis-server that is missing is said loudly, and is no success. */
static inline int needs_server(void)
{
    if (!server_is_installed()) {
        fprintf(stderr, "SKIPPED: there is no %s on this machine; the store was NOT tested\n", server_program());
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

#endif
