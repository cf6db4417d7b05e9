/* agent/daemon/daemon.c - the running daemon: its parts put together, kept going, and taken down again.
 *
 * With cellrouter_main.c the only place that knows signals and the order of things. One thread, one loop.
 *
 * Start (start). The order is that of rights and needs:
 *
 *   1. the limit of files, and with it how many connections fit; the loop, with memory of its own (agent/daemon/
 *      loop_memory.h); the watchers of signals: a signal that comes from here on waits for the loop
 *   2. the router, which needs nothing but the configuration
 *   3. the SPOE server with its listeners, the admin socket, the HTTP endpoint: while still root, since their files may
 *   get other owners
 *   4. Redis' password: its file may be root's alone to read
 *   5. rights are dropped, for good
 *   6. level 0, whose files belong to the agent's user; it makes HAProxy's map file where that is missing; and the
 *   reader of HAProxy's limits
 *   7. the store, which connects as who we are from now on
 *   8. READY=1: HAProxy may start, for map file and sockets are there
 *
 * Whatever fails is one log line, start returns, and stop takes down what is there: every part may still be NULL then.
 * Redis need not be there, nor HAProxy: both are connected to on the loop, again and again.
 *
 * Running. The loop calls; each callback here does one thing. `tick` is once a second, for what may be late. `release`
 * follows the next delayed ACK (set_release): only on_notify can bring it nearer, so it is looked at after each batch
 * and when it fires.
 *
 * Reload (SIGHUP, or the admin command). The file is read as a whole, into a new configuration. When anything is wrong,
 * each error is a log line and nothing changes. Otherwise the router takes what it can, without loss: routes of cells
 * that are still there keep their place. Settings that need a restart are named in the log. `started` is the
 * configuration of the start and stays, because those settings, and whoever holds views into it, live on; `config` is
 * the one in use, and may be the same.
 *
 * End. The first SIGTERM or SIGINT drains: for lame_duck_ms health checks fail while all goes on, so that HAProxy turns
 * elsewhere; then listeners close and each connection answers what it has; when the last one is gone, on_drained leaves
 * the loop. `cut` leaves it after drain_s in any case. The lame duck gets at most half of that time. A second signal
 * leaves at once, with status 1. Then stop frees in the order in which the parts let go of each other: the server
 * first, whose calls give up their lookups; the admin socket, whose listings walk the router's table; the store, whose
 * replies have nobody left; then level 0, router, loop, configuration, and the log last. */
#include "agent/daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/config/config_machine.h"
#include "agent/daemon/daemon_http.h"
#include "agent/daemon/daemon_private.h"
#include "agent/daemon/files.h"
#include "agent/daemon/loop_memory.h"
#include "agent/daemon/privileges.h"
#include "agent/daemon/service_notify.h"
#include "agent/http/status_page.h"
#include "base/clock.h"

/* HAProxy's var-prefix in haproxy/cellrouter-spoe.conf, to check the length of the names in our ACKs. */
#define VAR_PREFIX "cellrouter"

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static void sample_server(struct counters *counters, const struct spoe_server *server)
{
    struct spoe_stats now;
    spoe_server_stats(server, &now);
#define SPOE_COUNTER(id, family, labels, text, field) counter_set(counters, COUNTER_##id, now.field);
#define SPOE_GAUGE SPOE_COUNTER
#include "agent/report/counters.def"
#define SPOE_CLOSE(id, name, level, status, text) \
    counter_set(counters, COUNTER_SPOE_CLOSE_##id, now.sessions.closes[SPOE_CLOSE_##id]);
#include "spoe/close.def"
#undef SPOE_CLOSE
}

void daemon_sample(struct daemon *daemon)
{
    sample_server(&daemon->counters, daemon->server);
    router_sample(daemon->router);
    limits_reader_sample(daemon->limits);
    counter_set(&daemon->counters, COUNTER_UPTIME_SECONDS, (clock_now_ms() - daemon->started_ms) / 1000);
    counter_set(&daemon->counters, COUNTER_ADMIN_CLIENTS, daemon->admin ? admin_clients(daemon->admin) : 0);
    counter_set(&daemon->counters, COUNTER_LOG_LINES_LOST, log_lost(daemon->log));
}

/* ---- while it runs ----------------------------------------------------------------------------------------------- */

/* The timer of ACKs that are delayed on purpose follows the one that is due next. */
static void set_release(struct daemon *daemon)
{
    uint64_t next_ms = router_next_release_ms(daemon->router);
    if (next_ms == daemon->release_ms)
        return;
    daemon->release_ms = next_ms;
    ev_timer_stop(daemon->loop, &daemon->release);
    if (next_ms == UINT64_MAX)
        return;
    uint64_t now_ms = clock_now_ms();
    ev_timer_set(&daemon->release, next_ms > now_ms ? (double)(next_ms - now_ms) / 1000 : 0., 0.);
    ev_timer_start(daemon->loop, &daemon->release);
}

/* The loop's own clock can be a little ahead: what is not due yet is waited for again. */
static void on_release(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct daemon *daemon = timer->data;
    (void)loop;
    (void)events;
    router_release(daemon->router);
    daemon->release_ms = UINT64_MAX;
    set_release(daemon);
}

static void on_notify(void *user, struct spoe_notify *batch, size_t n)
{
    struct daemon *daemon = user;
    daemon->requests.on_notify(daemon->requests.user, batch, n);
    set_release(daemon);
}

static void on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why)
{
    const struct daemon *daemon = user;
    daemon->requests.on_cancel(daemon->requests.user, call, why);
}

/* Failures have a limit of their own, so that daily business does not push them out of the log. */
static void on_close(void *user, const struct spoe_closed *closed)
{
    static const enum log_level levels[] = {
        [SPOE_QUIET] = LOG_DEBUG, [SPOE_INFO] = LOG_DEBUG, [SPOE_WARN] = LOG_WARN, [SPOE_ERROR] = LOG_ERROR};
    const struct daemon *daemon = user;
    enum spoe_level level = spoe_close_level(closed->reason);
    char name[64], text[200];
    if (level == SPOE_QUIET)
        return;
    snprintf(name, sizeof name, "spoe_%s", spoe_close_name(closed->reason));
    snprintf(text, sizeof text, "%s; connection %" PRIu64 "%s%s", spoe_close_text(closed->reason), closed->connection,
             closed->error ? ": " : "", closed->error ? strerror(closed->error) : "");
    size_t used = strlen(text);
    if (closed->reason == SPOE_CLOSE_PEER_ERROR)
        snprintf(text + used, sizeof text - used, ", status %" PRIu32, closed->peer_status);
    log_event(daemon->log, level == SPOE_INFO ? REASON_SPOE_CLOSED : REASON_SPOE_FAILED, levels[level], name, text);
}

static void on_drained(void *user)
{
    const struct daemon *daemon = user;
    ev_break(daemon->loop, EVBREAK_ALL);
}

static void on_admin_refused(void *user, const char *why)
{
    const struct daemon *daemon = user;
    log_write(daemon->log, REASON_ADMIN_REFUSED, LOG_FIELDS(LOG_STR("why", why)));
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct daemon *daemon = timer->data;
    (void)loop;
    (void)events;
    log_tick(daemon->log);
    router_tick(daemon->router);
    if (daemon->http) {
        uint64_t series[STATUS_SERIES];
        status_series(&daemon->counters, series);
        history_take(&daemon->history, series, STATUS_SERIES, clock_now_ms());
    }
}

static void on_cut(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct daemon *daemon = timer->data;
    (void)events;
    log_write(daemon->log, REASON_DRAIN_CUT, LOG_FIELDS(LOG_NUM("seconds", daemon->config->drain_s)));
    ev_break(loop, EVBREAK_ALL);
}

static void on_terminate(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct daemon *daemon = watcher->data;
    (void)events;
    if (daemon->draining) {
        log_write(daemon->log, REASON_SECOND_SIGNAL, LOG_FIELDS(LOG_NUM("signal", watcher->signum)));
        daemon->status = 1;
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    daemon->draining = true;
    service_notify("STOPPING=1");
    uint64_t drain_ms = (uint64_t)daemon->config->drain_s * 1000;
    uint64_t lame_ms = daemon->config->spoe.lame_duck_ms;
    if (lame_ms > drain_ms / 2)
        lame_ms = drain_ms / 2;
    log_write(daemon->log, REASON_STOPPING,
              LOG_FIELDS(LOG_NUM("signal", watcher->signum), LOG_NUM("lame_duck_ms", lame_ms),
                         LOG_NUM("drain_s", daemon->config->drain_s)));
    ev_timer_set(&daemon->cut, daemon->config->drain_s, 0.);
    ev_timer_start(loop, &daemon->cut);
    spoe_server_drain(daemon->server, (uint32_t)lame_ms);
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

static void on_needs_restart(void *user, const char *section, const char *key)
{
    const struct daemon *daemon = user;
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", section, section[0] ? "." : "", key);
    log_write(daemon->log, REASON_NEEDS_RESTART, LOG_FIELDS(LOG_STR("setting", name)));
}

/* The new configuration, or NULL; then the log has a line for each error. */
static struct config *load_again(struct daemon *daemon)
{
    char *text = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&text, &size);
    if (!errors)
        return NULL;
    struct config *fresh = config_load(daemon->started->file, errors);
    fclose(errors);
    for (char *line = text, *rest = NULL; text && (line = strtok_r(rest ? NULL : line, "\n", &rest));)
        log_write(daemon->log, REASON_RELOAD_ERROR, LOG_FIELDS(LOG_STR("error", line)));
    free(text);
    return fresh;
}

static enum log_level log_level_of(const struct daemon *daemon, const struct config *config)
{
    return daemon->debug ? LOG_DEBUG : config->log.level;
}

static void use(struct daemon *daemon, struct config *fresh)
{
    config_needs_restart(daemon->started, fresh, on_needs_restart, daemon);
    size_t along = config_cells_without_region(fresh);
    if (along && strcmp(daemon->config->region, fresh->region) != 0)
        log_write(
            daemon->log, REASON_REGION_CHANGED,
            LOG_FIELDS(LOG_STR("from", daemon->config->region), LOG_STR("to", fresh->region), LOG_NUM("cells", along)));
    if (daemon->config != daemon->started)
        config_free(daemon->config);
    daemon->config = fresh;
    log_set(daemon->log, log_level_of(daemon, fresh), fresh->log.per_reason);
    counter_add(&daemon->counters, COUNTER_RELOADS, 1);
    log_write(daemon->log, REASON_RELOADED,
              LOG_FIELDS(LOG_STR("file", fresh->file), LOG_NUM("cells", fresh->cell_count)));
}

/* Remembers how the file looks, so that a reload knows whether it changed. */
static void note_password_file(struct daemon *daemon, const struct config *config)
{
    if (stat(config->redis.password_file, &daemon->password_file) != 0)
        memset(&daemon->password_file, 0, sizeof daemon->password_file);
}

static bool password_file_changed(const struct daemon *daemon, const struct config *fresh)
{
    const struct stat *was = &daemon->password_file;
    struct stat is;
    return stat(fresh->redis.password_file, &is) != 0 || is.st_ino != was->st_ino || is.st_size != was->st_size ||
           is.st_mtim.tv_sec != was->st_mtim.tv_sec || is.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

static void free_password(char *password)
{
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

/* Takes password, which is the caller's no more. */
static void use_password(struct daemon *daemon, const struct config *fresh, char *password)
{
    note_password_file(daemon, fresh);
    if (strcmp(password, daemon->password) == 0 || !route_store_set_password(daemon->store, password)) {
        free_password(password);
        return;
    }
    free_password(daemon->password);
    daemon->password = password;
    log_write(daemon->log, REASON_NEW_PASSWORD, LOG_FIELDS(LOG_STR("file", fresh->redis.password_file)));
}

/* A password that changed is used; one that cannot be read refuses the new configuration. The file that only root may
 * read was read before the daemon became somebody else: then all that can be seen is whether it changed. */
static int reload_password(struct daemon *daemon, const struct config *fresh)
{
    char *password = NULL, why[CONFIG_WHY_MAX];
    bool in_use = daemon->store && daemon->password &&
                  strcmp(daemon->started->redis.password_file, fresh->redis.password_file) == 0;
    enum config_password outcome = config_read_password(fresh, &password, why);
    if (outcome == CONFIG_PASSWORD_FORBIDDEN && in_use) {
        if (password_file_changed(daemon, fresh))
            log_write(daemon->log, REASON_OLD_PASSWORD, LOG_FIELDS(LOG_STR("file", fresh->redis.password_file)));
        return 0;
    }
    if (outcome == CONFIG_PASSWORD_OK && in_use)
        use_password(daemon, fresh, password);
    else if (outcome == CONFIG_PASSWORD_OK)
        free_password(password); /* another file: it takes effect with the restart that the setting needs */
    if (outcome == CONFIG_PASSWORD_UNREADABLE || outcome == CONFIG_PASSWORD_FORBIDDEN)
        log_write(daemon->log, REASON_RELOAD_ERROR, LOG_FIELDS(LOG_STR("error", why)));
    return outcome == CONFIG_PASSWORD_OK || outcome == CONFIG_PASSWORD_NONE ? 0 : -1;
}

void daemon_reload(struct daemon *daemon)
{
    char state[80];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ms() * 1000);
    service_notify(state);
    struct config *fresh = load_again(daemon);
    if (fresh && reload_password(daemon, fresh) != 0) {
        config_free(fresh);
        fresh = NULL;
    }
    if (fresh && router_reload(daemon->router, fresh) == 0) {
        use(daemon, fresh);
    } else {
        log_write(daemon->log, fresh ? REASON_RELOAD_FAILED : REASON_RELOAD_REFUSED,
                  LOG_FIELDS(LOG_STR("file", daemon->started->file)));
        counter_add(&daemon->counters, COUNTER_RELOADS_REFUSED, 1);
        config_free(fresh);
    }
    service_notify(daemon->draining ? "STOPPING=1" : "READY=1");
}

static void on_hangup(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    daemon_reload(watcher->data);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static int failed(const struct daemon *daemon, const char *why)
{
    log_write(daemon->log, REASON_START_FAILED, LOG_FIELDS(LOG_STR("why", why)));
    return -1;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = clock_wall_ms() * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)getpid();
    return seed;
}

/* Decides how many connections HAProxy may have: as many as configured, or as fit beside what the agent needs
 * itself. */
static int allow_files(struct daemon *daemon)
{
    uint32_t configured = daemon->config->spoe.max_connections;
    uint64_t own = files_own(daemon->config, privileges_open_files());
    uint64_t limit = privileges_allow_files(own + configured);
    char why[160];
    daemon->max_connections = files_fit(limit, own, configured);
    daemon->files = own + daemon->max_connections;
    counter_set(&daemon->counters, COUNTER_SPOE_CONNECTIONS_MAX, daemon->max_connections);
    if (daemon->max_connections == configured)
        return 0;
    if (daemon->max_connections > 0) {
        log_write(daemon->log, REASON_FILES_LIMIT,
                  LOG_FIELDS(LOG_NUM("limit", limit), LOG_NUM("wanted", own + configured),
                             LOG_NUM("connections", daemon->max_connections)));
        return 0;
    }
    snprintf(why, sizeof why,
             "the limit of open files is %" PRIu64 ", and the agent itself needs %" PRIu64
             ": raise ulimit -n or LimitNOFILE=",
             limit, own);
    return failed(daemon, why);
}

static int open_loop(struct daemon *daemon)
{
    if (loop_memory_init(daemon->files) != 0)
        return failed(daemon, "out of memory");
    daemon->loop = ev_default_loop(EVFLAG_AUTO);
    return daemon->loop ? 0 : failed(daemon, "no event loop: libev finds no way to wait for events");
}

static int open_router(struct daemon *daemon)
{
    struct router_options options = {.config = daemon->config,
                                     .counters = &daemon->counters,
                                     .log = daemon->log,
                                     .seed = random_seed(),
                                     .now_ms = clock_now_ms,
                                     .wall_ms = clock_wall_ms};
    daemon->router = router_new(&options);
    return daemon->router ? 0 : failed(daemon, "out of memory");
}

static int open_listeners(struct daemon *daemon)
{
    const struct config_spoe *spoe = &daemon->config->spoe;
    const struct listen_access access = {
        .mode = spoe->mode, .user = spoe->user, .group = spoe->group, .allow_remote = spoe->allow_remote};
    char error[500];
    for (size_t i = 0; i < spoe->listen.count; i++) {
        if (!spoe_server_listen(daemon->server, spoe->listen.items[i], &access, error, sizeof error))
            return failed(daemon, error);
        log_write(daemon->log, REASON_LISTENING, LOG_FIELDS(LOG_STR("address", spoe->listen.items[i])));
    }
    return 0;
}

static int open_server(struct daemon *daemon)
{
    const struct config_spoe *spoe = &daemon->config->spoe;
    daemon->requests = router_spoe_handler(daemon->router);
    struct spoe_server_options options = {.limits = {.max_frame = spoe->max_frame,
                                                     .max_calls = spoe->max_calls,
                                                     .deadline_ms = spoe->deadline_ms,
                                                     .idle_ms = spoe->idle_s * 1000,
                                                     .prefix_length = sizeof VAR_PREFIX - 1},
                                          .max_connections = daemon->max_connections,
                                          .handler = daemon->requests,
                                          .on_close = on_close,
                                          .on_drained = on_drained};
    options.handler.user = daemon;
    options.handler.on_notify = on_notify;
    options.handler.on_cancel = on_cancel;
    daemon->server = spoe_server_new(daemon->loop, &options);
    return daemon->server ? open_listeners(daemon) : failed(daemon, "out of memory");
}

static int open_admin(struct daemon *daemon)
{
    const struct config_admin *admin = &daemon->config->admin;
    char error[500];
    if (!admin->socket[0])
        return 0;
    struct admin_options options = {.path = admin->socket,
                                    .access = {.mode = admin->mode, .user = admin->user, .group = admin->group},
                                    .max_clients = admin->max_clients,
                                    .idle_s = admin->idle_s,
                                    .commands = daemon_commands,
                                    .user_data = daemon,
                                    .on_refused = on_admin_refused};
    daemon->admin = admin_new(daemon->loop, &options, error, sizeof error);
    return daemon->admin ? 0 : failed(daemon, error);
}

static int open_http(struct daemon *daemon)
{
    const struct config_http *http = &daemon->config->http;
    char error[500];
    if (!http->listen[0])
        return 0;
    const struct http_server_options options = {
        .address = http->listen,
        .access = {.mode = http->mode, .user = http->user, .group = http->group, .allow_remote = http->allow_remote},
        .max_clients = http->max_clients,
        .idle_s = http->idle_s,
        .pages = daemon_pages,
        .user_data = daemon};
    daemon->http = http_server_new(daemon->loop, &options, error, sizeof error);
    if (!daemon->http)
        return failed(daemon, error);
    log_write(daemon->log, REASON_HTTP_LISTENING, LOG_FIELDS(LOG_STR("address", http->listen)));
    return 0;
}

/* While still root: the file is nobody else's to read. */
static int read_password(struct daemon *daemon)
{
    char why[CONFIG_WHY_MAX];
    note_password_file(daemon, daemon->config);
    switch (config_read_password(daemon->config, &daemon->password, why)) {
    case CONFIG_PASSWORD_OK:
    case CONFIG_PASSWORD_NONE: return 0;
    case CONFIG_PASSWORD_MEMORY: return failed(daemon, "out of memory");
    case CONFIG_PASSWORD_FORBIDDEN:
    case CONFIG_PASSWORD_UNREADABLE: break;
    }
    return failed(daemon, why);
}

/* After privileges were dropped: that is who connects, from the first time on. */
static int open_store(struct daemon *daemon)
{
    const struct config_redis *redis = &daemon->config->redis;
    if (!redis->address[0]) {
        log_write(daemon->log, REASON_NO_STORE, NULL, 0);
        return 0;
    }
    struct route_store_config config = route_store_defaults();
    config.address = redis->address;
    config.read_address = redis->read_address;
    config.username = redis->username;
    config.password = daemon->password;
    config.router = daemon->config->router;
    config.deadline_ms = redis->deadline_ms;
    config.connect_ms = redis->connect_ms;
    config.watchdog_ms = redis->watchdog_ms;
    config.backoff_min_ms = redis->backoff_min_ms;
    config.backoff_max_ms = redis->backoff_max_ms;
    config.max_questions = redis->max_questions;
    config.max_waiting = redis->max_waiting;
    config.queue_bytes = redis->queue_memory;
    config.max_writes_s = redis->max_writes_s;
    config.max_absent = redis->max_absent;
    config.tombstone_s = redis->tombstone_s;
    config.skew_ms = redis->skew_ms;
    config.absent_ms = daemon->config->routes.absent_s * 1000;
    config.seed = random_seed();
    struct route_store_handler handler = router_store_handler();
    enum store_reason reason;
    daemon->store = route_store_new(daemon->loop, &config, &handler, daemon->router, &reason);
    if (!daemon->store)
        return failed(daemon, store_reason_text(reason));
    router_set_store(daemon->router, daemon->store);
    return 0;
}

static int open_level0(struct daemon *daemon)
{
    const struct config_haproxy *haproxy = &daemon->config->haproxy;
    if (haproxy->runtime.count == 0 || !haproxy->map_file[0])
        return 0;
    struct level0_options options = {.config = haproxy,
                                     .counters = &daemon->counters,
                                     .log = daemon->log,
                                     .seed = random_seed(),
                                     .now_ms = clock_now_ms,
                                     .ask = daemon->config->redis.address[0] ? router_ask : NULL,
                                     .user = daemon->router,
                                     .doubt_ms = daemon->config->routes.distrust_s * 1000};
    daemon->level0 = level0_new(daemon->loop, &options);
    if (!daemon->level0)
        return failed(daemon, "out of memory");
    router_set_level0(daemon->router, daemon->level0);
    return 0;
}

static int open_limits(struct daemon *daemon)
{
    const struct limits_reader_options options = {
        .config = &daemon->config->haproxy, .counters = &daemon->counters, .log = daemon->log};
    if (options.config->runtime.count == 0)
        return 0;
    daemon->limits = limits_reader_new(daemon->loop, &options);
    return daemon->limits ? 0 : failed(daemon, "out of memory");
}

static int drop_privileges(const struct daemon *daemon)
{
    const char *why = NULL;
    if (privileges_drop(daemon->config->user, daemon->config->group, &why) != 0)
        return failed(daemon, why);
    if (daemon->config->user[0] || daemon->config->group[0])
        log_write(daemon->log, REASON_PRIVILEGES, LOG_FIELDS(LOG_NUM("uid", geteuid()), LOG_NUM("gid", getegid())));
    return 0;
}

static void watch_signal(struct daemon *daemon, ev_signal *watcher, void (*on)(struct ev_loop *, ev_signal *, int),
                         int number)
{
    ev_signal_init(watcher, on, number);
    watcher->data = daemon;
    ev_signal_start(daemon->loop, watcher);
}

static void watch(struct daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file as large as it may be (LimitFSIZE=) is a write that fails, as on a full disk */
    watch_signal(daemon, &daemon->term, on_terminate, SIGTERM);
    watch_signal(daemon, &daemon->interrupt, on_terminate, SIGINT);
    watch_signal(daemon, &daemon->hangup, on_hangup, SIGHUP);
    ev_timer_init(&daemon->tick, on_tick, 1., 1.);
    daemon->tick.data = daemon;
    ev_timer_start(daemon->loop, &daemon->tick);
    ev_init(&daemon->release, on_release);
    daemon->release.data = daemon;
    daemon->release_ms = UINT64_MAX;
    ev_init(&daemon->cut, on_cut);
    daemon->cut.data = daemon;
}

static int start(struct daemon *daemon)
{
    if (allow_files(daemon) != 0 || open_loop(daemon) != 0)
        return -1;
    watch(daemon);
    if (open_router(daemon) != 0 || open_server(daemon) != 0 || open_admin(daemon) != 0 || open_http(daemon) != 0 ||
        read_password(daemon) != 0 || drop_privileges(daemon) != 0 || open_level0(daemon) != 0 ||
        open_limits(daemon) != 0 || open_store(daemon) != 0)
        return -1;
    log_write(daemon->log, REASON_STARTED,
              LOG_FIELDS(LOG_STR("version", CELLROUTER_VERSION), LOG_STR("router", daemon->config->router),
                         LOG_STR("region", daemon->config->region), LOG_NUM("cells", daemon->config->cell_count)));
    service_notify("READY=1");
    return 0;
}

/* ---- end --------------------------------------------------------------------------------------------------------- */

/* The server first: its calls let go of their lookups; then the store, whose replies have nobody left; then the
 * rest. */
static void stop(struct daemon *daemon)
{
    spoe_server_free(daemon->server);
    admin_free(daemon->admin);
    http_server_free(daemon->http);
    route_store_free(daemon->store);
    if (daemon->router) {
        router_set_store(daemon->router, NULL);
        router_set_level0(daemon->router, NULL);
    }
    limits_reader_free(daemon->limits);
    level0_free(daemon->level0);
    router_free(daemon->router);
    free_password(daemon->password);
    if (daemon->loop)
        ev_loop_destroy(daemon->loop);
    loop_memory_deinit();
    if (daemon->config != daemon->started)
        config_free(daemon->config);
    config_free(daemon->started);
    log_free(daemon->log);
}

int daemon_run(struct config *config, bool debug)
{
    struct daemon daemon = {
        .config = config, .started = config, .debug = debug, .status = 0, .started_ms = clock_now_ms()};
    daemon.log = log_new(STDERR_FILENO, log_level_of(&daemon, config), config->log.per_reason, clock_wall_ms);
    if (!daemon.log || start(&daemon) != 0) {
        stop(&daemon);
        return 1;
    }
    ev_run(daemon.loop, 0);
    log_write(daemon.log, REASON_STOPPED, LOG_FIELDS(LOG_NUM("uptime_s", (clock_now_ms() - daemon.started_ms) / 1000)));
    stop(&daemon);
    return daemon.status;
}
