/* redis/store.c - a store's birth and end, its lookups and their deadlines, and what it says.
 *
 * A store is two connections (redis_conn.c) and four jobs on them, each with a file of its own:
 *
 *     store_read.c    ask connection    questions: which record do these prefixes have?
 *     store_write.c   ask connection    claims: this cell owns the route, or does not
 *     store_watch.c   both              news of what others changed, and the proof that it arrives
 *     store_doubt.c   both              which routes met a redirect, from router to router
 *
 * Where reads go to a replica (read_address), both connections lead there, and claims have a connection of their own,
 * to the primary (store_far.c).
 *
 * The four share struct route_store (store_parts.h), one loop and one clock. A lookup goes this way:
 *
 *     route_store_get() --- a question for the same prefixes is in flight and in time ----> wait for that one
 *          |                the oldest question is past the deadline -----------------------> FAILED not_answering
 *          v
 *     store_ask() --------- not up: FAILED away; each prefix known as absent: ABSENT
 *          |
 *          v   WAITING: one struct route_wait on one struct question (questions.h)
 *     the reply -> finish() in store_read.c -> every wait is answered, FOUND, ABSENT or FAILED
 *     the deadline -> on_deadline() here -> this wait is answered FAILED; its question stays in flight
 *     route_store_cancel() -> nobody is answered; the same
 *
 * So a question lives as long as Redis owes its reply, whoever waits. A reply that comes after all its waits is of use
 * all the same: on_late() tells it, and level 1 has it for the next request.
 *
 * A Redis that owes a reply past its deadline is not waited for until it comes: the first lookups pay the deadline,
 * those behind them nothing. They ask all the same, in passing (pass_by()): late is not lost. Where every reply has
 * been late for seconds (redis/distance.h; Redis is in another region) nobody waits at all, and the store says so once:
 * known routes stay known, new ones are known here after the first request for them.
 *
 * What cannot happen: a lookup that is answered twice or never (the wait is taken out of every list before its callback
 * runs, and route_store_free() answers those that are left); a callback that frees the store (it is forbidden, see
 * store.h); an answer that is older than a change that was told (store_read.c marks it, TRUST_ONCE). */
#include "redis/store_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    EVENT_EVERY_MS = 1000,
    OWN_ENTRIES = 65536, /* writes of this router whose echoes are on their way, two each */
    PASSING_SHARE = 4    /* of the questions in flight one in so many may be one that nobody waits for */
};

/* Redis listens on a socket file or a port. */
static bool read_address(const char *text, struct address *address)
{
    if (address_parse(text, address) != ADDRESS_OK)
        return false;
    return address->kind == ADDRESS_UNIX || (address->kind == ADDRESS_TCP && address->port != 0);
}

static bool has_replica(const struct route_store_config *config)
{
    return config->read_address && config->read_address[0] != '\0';
}

/* The second one only where it is given. */
static bool read_addresses(struct route_store *store, const struct route_store_config *config)
{
    return read_address(config->address, &store->address) &&
           (!has_replica(config) || read_address(config->read_address, &store->read_address));
}

struct route_store_config route_store_defaults(void)
{
    return (struct route_store_config){
        .router = "router",
        .deadline_ms = 15,
        .connect_ms = 1000,
        .watchdog_ms = 1000,
        .backoff_min_ms = 100,
        .backoff_max_ms = 5000,
        .max_questions = 10000,
        .max_waiting = 100000,
        .queue_bytes = 32 << 20,
        .max_writes_s = 20000,
        .absent_ms = 5000,
        .max_absent = 65536,
        .tombstone_s = 300,
        .skew_ms = 60000,
    };
}

uint64_t store_wall_ms(const struct route_store *store)
{
    return (uint64_t)(ev_now(store->loop) * 1000);
}

/* Events */

/* Whatever Redis said goes to a log: only printable ASCII, and not too much of it. */
static void make_plain(char *out, size_t room, const char *text, size_t n)
{
    size_t i = 0;

    for (; i < n && i + 1 < room; i++)
        out[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    out[i] = '\0';
}

bool store_is_misplaced(enum store_reason reason)
{
    return reason == STORE_REASON_MOVED || reason == STORE_REASON_ASK || reason == STORE_REASON_CROSSSLOT ||
           reason == STORE_REASON_TRYAGAIN;
}

/* Whether the handler has heard of it recently enough. */
static bool was_told(struct route_store *store, enum store_reason reason, const char *connection)
{
    unsigned which = connection[0] == 'a' ? 1 : connection[0] != 'w' ? 0 : connection[1] == 'a' ? 2 : 3;
    uint64_t now_ms = clock_now_ms(), *last_ms = &store->event_ms[which][reason];

    if (store->misplaced_told[reason] || (*last_ms != 0 && now_ms - *last_ms < EVENT_EVERY_MS))
        return true;
    *last_ms = now_ms;
    store->misplaced_told[reason] = store_is_misplaced(reason);
    return false;
}

/* Where this connection leads, as an address of the configuration. */
static void print_address(const struct route_store *store, const char *connection, char *out, size_t size)
{
    bool near = store_is_far(store) && strcmp(connection, "write") != 0;
    const struct address *address = near ? &store->read_address : &store->address;
    if (!connection[0])
        out[0] = '\0';
    else if (address->kind == ADDRESS_UNIX)
        snprintf(out, size, "unix:%s", address->where);
    else
        snprintf(out, size, strchr(address->where, ':') ? "[%s]:%u" : "%s:%u", address->where, address->port);
}

void store_event(struct route_store *store, enum store_reason reason, const char *connection, const char *text,
                 size_t n)
{
    char detail[200], address[ADDRESS_HOST_MAX + 20];

    store->counters.reasons[reason]++;
    if (!store->handler.on_event || store->ending || was_told(store, reason, connection))
        return;
    make_plain(detail, sizeof detail, text, n);
    print_address(store, connection, address, sizeof address);
    struct route_store_event event = {reason, connection, address, detail};
    store->handler.on_event(store->user, &event);
}

enum store_reason store_error(struct route_store *store, const char *connection, const redisReply *reply)
{
    enum store_reason reason = store_reason_of_error(reply->str, (size_t)reply->len);

    store_event(store, reason, connection, reply->str, (size_t)reply->len);
    return reason;
}

/* Connections */

static void write_up(struct route_store *store)
{
    store->counters.writable = 1;
    store_writer_up(store);
}

static void write_down(struct route_store *store)
{
    store->counters.writable = 0;
    store_writer_down(store);
}

static void on_ask_up(void *user)
{
    struct route_store *store = user;

    store->counters.connected = 1;
    store->distance = (struct distance){0};
    memset(store->misplaced_told, 0, sizeof store->misplaced_told);
    store_event(store, STORE_REASON_CONNECTED, "ask", "", 0);
    if (!store_is_far(store))
        write_up(store);
    store_track(store);
}

static void on_ask_down(void *user, bool was_up, enum store_reason reason, const char *detail)
{
    struct route_store *store = user;

    (void)was_up;
    store->counters.connected = 0;
    store->counters.disconnects++;
    store_event(store, reason, "ask", detail, strlen(detail));
    if (!store_is_far(store))
        write_down(store);
    store_untrack(store);
}

static void on_write_up(void *user)
{
    struct route_store *store = user;

    store_event(store, STORE_REASON_CONNECTED, "write", "", 0);
    write_up(store);
    store_far_up(store);
}

static void on_write_down(void *user, bool was_up, enum store_reason reason, const char *detail)
{
    struct route_store *store = user;

    (void)was_up;
    store->counters.disconnects++;
    store_event(store, reason, "write", detail, strlen(detail));
    write_down(store);
}

static void on_watch_up(void *user)
{
    store_watch_up(user);
}

static void on_watch_down(void *user, bool was_up, enum store_reason reason, const char *detail)
{
    struct route_store *store = user;

    (void)was_up;
    store->counters.disconnects++;
    store_event(store, reason, "watch", detail, strlen(detail));
    store_watch_down(store);
}

/* Birth and end */

static struct redis_conn *make_conn(struct route_store *store, const struct address *address, const char *client_name,
                                    const struct redis_conn_events *events)
{
    const struct redis_conn_setup setup = {
        .loop = store->loop,
        .address = address,
        .username = store->username,
        .password = store->password,
        .client_name = client_name,
        .connect_ms = store->config.connect_ms,
        .watchdog_ms = store->config.watchdog_ms,
        .backoff_min_ms = store->config.backoff_min_ms,
        .backoff_max_ms = store->config.backoff_max_ms,
        .seed = rng_next(&store->rng),
    };

    return redis_conn_new(&setup, events, store);
}

static bool copy_text(char **to, const char *from)
{
    *to = NULL;
    if (!from || from[0] == '\0')
        return true;
    *to = strdup(from);
    return *to;
}

static bool make_parts(struct route_store *store)
{
    static const struct redis_conn_events asking = {on_ask_up, on_ask_down, NULL};
    static const struct redis_conn_events watching = {on_watch_up, on_watch_down, store_on_message};
    static const struct redis_conn_events writing = {on_write_up, on_write_down, NULL};
    const struct route_store_config *config = &store->config;
    bool is_far = has_replica(config);
    const struct address *near = is_far ? &store->read_address : &store->address;

    store->questions = questions_new(&store->hash, config->max_questions, config->max_waiting);
    store->writer.queue = write_queue_new(&store->hash, config->queue_bytes);
    store->absent = expiring_set_new(config->max_absent);
    store->own = expiring_set_new(OWN_ENTRIES);
    store->ask_conn = make_conn(store, near, store->ask_name, &asking);
    store->watch_conn = make_conn(store, near, store->watch_name, &watching);
    store->write_conn = is_far ? make_conn(store, &store->address, store->write_name, &writing) : store->ask_conn;
    store->write_distance = is_far ? &store->far.distance : &store->distance;
    return store_far_set_up(store) && store->questions && store->writer.queue && store->absent && store->own &&
           store->ask_conn && store->watch_conn && store->write_conn;
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events);

static void set_up(struct route_store *store)
{
    const struct route_store_config *config = &store->config;

    store->hash = (struct hash_key){rng_next(&store->rng), rng_next(&store->rng)};
    store->writer.pause = (struct backoff){.min_ms = config->backoff_min_ms, .max_ms = config->backoff_max_ms};
    store->writer.load_pause = store->writer.pause;
    store->writer.rate = (struct bucket){.per_s = config->max_writes_s};
    snprintf(store->ask_name, sizeof store->ask_name, "cellrouter:%s:ask", store->router);
    snprintf(store->watch_name, sizeof store->watch_name, "cellrouter:%s:watch", store->router);
    snprintf(store->write_name, sizeof store->write_name, "cellrouter:%s:write", store->router);
    snprintf(store->watch.beat, sizeof store->watch.beat, "cellrouter-beat:%s:%016llx", store->router,
             (unsigned long long)rng_next(&store->rng));
    list_init(&store->probes);
    ev_init(&store->deadlines, on_deadline);
    ev_init(&store->writer.timer, store_on_writer_timer);
    ev_timer_init(&store->watch.timer, store_on_heartbeat, 0, (double)config->watchdog_ms / 2000);
    ev_init(&store->watch.slices, store_on_slice);
    store->deadlines.data = store->watch.slices.data = store->writer.timer.data = store->watch.timer.data = store;
}

/* Also of a store that is only half made. */
static void free_parts(struct route_store *store)
{
    if (store_is_far(store))
        redis_conn_free(store->write_conn);
    redis_conn_free(store->ask_conn);
    redis_conn_free(store->watch_conn);
    store_far_free(store);
    ev_timer_stop(store->loop, &store->deadlines);
    ev_timer_stop(store->loop, &store->writer.timer);
    store_watch_free(store);
    questions_free(store->questions);
    write_queue_free(store->writer.queue);
    expiring_set_free(store->absent);
    expiring_set_free(store->own);
    command_free(&store->command);
    free(store->username);
    free(store->password);
    free(store);
}

struct route_store *route_store_new(struct ev_loop *loop, const struct route_store_config *config,
                                    const struct route_store_handler *handler, void *user, enum store_reason *reason)
{
    struct route_store *store = calloc(1, sizeof *store);
    char router[ROUTE_ID_MAX];
    uint8_t router_length;

    *reason = STORE_REASON_MEMORY;
    if (!store)
        return NULL;
    store->loop = loop;
    store->config = *config;
    store->handler = *handler;
    store->user = user;
    store->rng.state = config->seed;
    if (!record_set_id(router, &router_length, config->router, strlen(config->router))) {
        *reason = STORE_REASON_BAD_NAME;
        free(store);
        return NULL;
    }
    memcpy(store->router, router, router_length);
    set_up(store);
    if (!read_addresses(store, config)) {
        *reason = STORE_REASON_BAD_ADDRESS;
    } else if (copy_text(&store->username, config->username) && copy_text(&store->password, config->password) &&
               make_parts(store)) {
        *reason = STORE_REASON_NONE;
        redis_conn_start(store->ask_conn);
        redis_conn_start(store->watch_conn);
        if (store_is_far(store))
            redis_conn_start(store->write_conn);
        ev_timer_again(store->loop, &store->watch.timer);
        return store;
    }
    free_parts(store);
    return NULL;
}

bool route_store_set_password(struct route_store *store, const char *password)
{
    char *old = store->password;

    if (!copy_text(&store->password, password)) {
        store->password = old;
        return false;
    }
    redis_conn_set_password(store->ask_conn, store->password);
    redis_conn_set_password(store->watch_conn, store->password);
    redis_conn_set_password(store->write_conn, store->password);
    if (old)
        explicit_bzero(old, strlen(old));
    free(old);
    return true;
}

void route_store_free(struct route_store *store)
{
    static const struct route_answer over = {.outcome = ROUTE_FAILED, .reason = STORE_REASON_SHUTTING_DOWN};
    struct route_wait *wait;

    if (!store)
        return;
    store->ending = true;
    while ((wait = questions_first_wait(store->questions)))
        store_answer_all(store, wait->question, &over);
    free_parts(store);
}

/* Lookups */

static void set_deadline(struct route_store *store)
{
    const struct route_wait *first = questions_first_wait(store->questions);
    uint64_t now_ms = clock_now_ms();

    if (!first || ev_is_active(&store->deadlines))
        return; /* a timer that comes too early sets itself again */
    uint64_t after_ms = first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0;
    ev_timer_set(&store->deadlines, (double)after_ms / 1000, 0);
    ev_timer_start(store->loop, &store->deadlines);
}

/* The wait is over before its callback runs: the callback may do what it likes with the store. */
static void answer_one(struct route_store *store, struct route_wait *wait, const struct route_answer *answer)
{
    route_answer_fn *callback = wait->callback;
    void *user = wait->user;

    questions_unwait(store->questions, wait);
    store->counters.found += answer->outcome == ROUTE_FOUND;
    store->counters.not_found += answer->outcome == ROUTE_ABSENT;
    if (answer->outcome == ROUTE_FAILED) {
        store->counters.failed++;
        store->counters.reasons[answer->reason]++;
    }
    callback(user, answer);
}

void store_answer_all(struct route_store *store, struct question *question, const struct route_answer *answer)
{
    while (!list_is_empty(&question->waits))
        answer_one(store, LIST_OWNER(question->waits.next, struct route_wait, among), answer);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
    static const struct route_answer late = {.outcome = ROUTE_FAILED, .reason = STORE_REASON_DEADLINE};
    struct route_store *store = timer->data;
    uint64_t now_ms = clock_now_ms();
    struct route_wait *wait;

    (void)loop, (void)events;
    while ((wait = questions_first_wait(store->questions)) && wait->deadline_ms <= now_ms)
        answer_one(store, wait, &late);
    set_deadline(store);
}

static enum route_outcome failed(struct route_store *store, enum store_reason why, enum store_reason *reason)
{
    store->counters.failed++;
    *reason = why;
    if (why == STORE_REASON_OVERLOADED)
        store_event(store, why, "", "", 0);
    else
        store->counters.reasons[why]++;
    return ROUTE_FAILED;
}

/* A Redis that owes a reply past its deadline is not waited for: the first lookups pay the deadline, not all. */
static bool is_stalled(const struct route_store *store, uint64_t now_ms)
{
    const struct question *oldest = questions_oldest(store->questions);

    return oldest && now_ms - oldest->asked_ms >= store->config.deadline_ms;
}

/* Nobody waits, but Redis is asked all the same, a bounded number of times: the reply is for the next request. */
static enum route_outcome pass_by(struct route_store *store, const struct route_question *what, bool is_asked,
                                  enum store_reason *reason)
{
    enum store_reason why = store->distance.beyond ? STORE_REASON_BEYOND : STORE_REASON_NOT_ANSWERING;
    struct question *question;
    enum store_reason unsent;

    if (!is_asked && questions_count(store->questions) < store->config.max_questions / PASSING_SHARE) {
        enum route_outcome outcome = store_ask(store, what, &question, &unsent);

        store->counters.passing += outcome == ROUTE_WAITING;
        if (outcome == ROUTE_ABSENT) {
            store->counters.remembered++;
            return ROUTE_ABSENT;
        }
    }
    return failed(store, why, reason);
}

enum route_outcome route_store_get(struct route_store *store, const struct route_question *what,
                                   route_answer_fn *callback, void *user, struct route_wait **waitp,
                                   enum store_reason *reason)
{
    uint64_t now_ms = clock_now_ms();
    struct question *question;
    struct route_wait *wait;

    *reason = STORE_REASON_NONE;
    store->used = true;
    store->counters.gets++;
    if (!key_question_ok(what))
        return failed(store, STORE_REASON_BAD_NAME, reason);
    question = questions_find(store->questions, what);
    if (question && !store->distance.beyond && now_ms - question->asked_ms < store->config.deadline_ms) {
        store->counters.shared++;
    } else if (store->distance.beyond || is_stalled(store, now_ms)) {
        return pass_by(store, what, question, reason);
    } else {
        enum route_outcome outcome = store_ask(store, what, &question, reason);

        if (outcome == ROUTE_FAILED)
            return failed(store, *reason, reason);
        if (outcome == ROUTE_ABSENT) {
            store->counters.remembered++;
            return ROUTE_ABSENT;
        }
    }
    wait = questions_wait(store->questions, question, now_ms + store->config.deadline_ms, reason);
    if (!wait)
        return failed(store, *reason, reason);
    wait->callback = callback;
    wait->user = user;
    set_deadline(store);
    *waitp = wait;
    return ROUTE_WAITING;
}

void route_store_cancel(struct route_store *store, struct route_wait *wait)
{
    store->counters.cancelled++;
    questions_unwait(store->questions, wait);
}

const struct route_store_counters *route_store_counters(const struct route_store *store)
{
    /* The gauges are read when somebody looks; that is no change that the caller could see otherwise. */
    struct route_store_counters *counters = (struct route_store_counters *)&store->counters;

    counters->beyond = store->distance.beyond;
    counters->round_trip_ms = distance_nearest_ms(&store->distance);
    counters->write_trip_ms = distance_nearest_ms(store->write_distance);
    counters->window = store_window(store);
    counters->questions = questions_count(store->questions);
    counters->waiting = questions_waits(store->questions);
    counters->queued = write_queue_count(store->writer.queue);
    counters->writing = store->writer.in_flight;
    counters->absent = expiring_set_count(store->absent);
    return counters;
}
