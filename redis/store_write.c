/* redis/store_write.c - what this router learned or dropped, on its way to Redis.
 *
 * A claim says "this cell owns the route" (PUT) or "this cell does not" (FORGET), with the stamp of its making. Its
 * life:
 *
 *     made       add_claim(): gets a stamp that no other claim of this router on this route has; replies to questions
 *                that are on their way, and verifying reads, are older than it and are marked so
 *     waits      in the queue (write_queue.h), one a route, the newest; bounded in bytes, the oldest goes
 *     in flight  sent as a script (scripts.h) that compares and writes in one step
 *     over       the script's verdict: written, kept (it says nothing new), lost (the handler drops the route), ...
 *
 * Back from in flight to waiting: Redis refused it (read-only, full, loading, NOSCRIPT), or the connection was lost and
 * nobody knows whether it was written. Sending one twice does no harm, since the verdict depends on stamps alone. What
 * Redis says it will never take (a Cluster's other slot) is dropped and counted.
 *
 * Every claim goes through the queue, and leaves it at once where nothing speaks against it. What may:
 *
 *     not connected   store_writer_up() drains
 *     the window      as many in flight as the distance needs (store_window()); each verdict drains
 *     the rate        max_writes_s, an upper bound; the timer drains
 *     a pause         Redis refused the last one; grows while it goes on, ends by the timer
 *
 * There is no other rate than the window's: a Redis that takes fewer writes answers later, and so gets fewer.
 *
 * The newest goes first, for it is the one that requests need; nothing is sent over a newer claim of this router.
 *
 * Redis tells every change to every router, and with scripts to the one that made it as well. Own writes are marked for
 * seconds (own), by name and by claim, so that store_watch.c can tell an echo from somebody else's change.
 *
 * What cannot happen: two claims of this router on one route in the wrong order (stamps ascend, the queue holds one); a
 * claim that is lost without a counter; a claim that is freed while it is in flight (its callback comes once, with NULL
 * at the connection's end). */
#include <string.h>

#include "base/clock.h"
#include "redis/store_parts.h"

enum {
    /* Writes in flight: enough to fill a pipeline, few enough not to delay questions behind them; further away, as many
     * as max_writes_s needs, twice, since what is nearest is not the mean. */
    IN_FLIGHT_LEAST = 128,
    IN_FLIGHT_MOST = 16384,
    ECHO_MS = 5000 /* how long a change of a name is taken for a possible echo of an own write */
};
/* The most that a stamp runs ahead of the clock; the agent's damping lets no route change its cell so often (1000 times
 * in a second). What is further ahead is from before the clock was set back. */
static const uint64_t STAMP_AHEAD_MS = 1000;

/* Marks of own writes */

static uint64_t hash_of_claim(uint64_t name, uint64_t stamp_ms)
{
    return name ^ (stamp_ms + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

bool store_wrote(const struct route_store *store, const struct route_name *name)
{
    return expiring_set_has(store->own, hash_name(&store->hash, name), clock_now_ms());
}

bool store_wrote_claim(const struct route_store *store, const struct route_name *name, uint64_t stamp_ms)
{
    return expiring_set_has(store->own, hash_of_claim(hash_name(&store->hash, name), stamp_ms), clock_now_ms());
}

static void mark(struct route_store *store, const struct claim *claim)
{
    uint64_t hash = hash_name(&store->hash, &claim->name), now_ms = clock_now_ms();

    expiring_set_add(store->own, hash, now_ms, now_ms + ECHO_MS);
    if (claim->kind == CLAIM_PUT)
        expiring_set_add(store->own, hash_of_claim(hash, claim->record.stamp_ms), now_ms, now_ms + ECHO_MS);
}

/* The queue */

static void enqueue(struct route_store *store, struct claim *claim)
{
    switch (write_queue_add(store->writer.queue, claim)) {
    case WRITE_QUEUE_ADDED: break;
    case WRITE_QUEUE_REPLACED:
    case WRITE_QUEUE_REFUSED: store->counters.queue_replaced++; break;
    case WRITE_QUEUE_PUSHED:
        store->counters.queue_full++;
        store_event(store, STORE_REASON_QUEUE_FULL, "", "", 0);
        break;
    }
}

static void set_timer(struct route_store *store, uint64_t after_ms)
{
    ev_timer_stop(store->loop, &store->writer.timer);
    ev_timer_set(&store->writer.timer, (double)after_ms / 1000, 0);
    ev_timer_start(store->loop, &store->writer.timer);
}

/* Redis would refuse the next one as well. */
static void pause_writing(struct route_store *store)
{
    if (!store->writer.paused) {
        store->writer.paused = true;
        set_timer(store, backoff_next(&store->writer.pause, &store->rng));
    }
}

/* Scripts */

static void take_sha(struct route_store *store, char sha[SCRIPT_SHA + 1], const redisReply *reply)
{
    sha[0] = '\0';
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        return;
    if (reply->type == REDIS_REPLY_STRING && reply->len == SCRIPT_SHA && strlen(reply->str) == SCRIPT_SHA)
        memcpy(sha, reply->str, SCRIPT_SHA + 1);
    else
        redis_conn_close(store->write_conn, STORE_REASON_PROTOCOL, "SCRIPT LOAD");
}

static void on_put_loaded(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    take_sha(store, store->writer.put_sha, reply);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        store->counters.reasons[store_reason_of_error(reply->str, (size_t)reply->len)]++;
        store->writer.load_again_ms = clock_now_ms() + backoff_next(&store->writer.load_pause, &store->rng);
    } else if (reply) {
        backoff_reset(&store->writer.load_pause);
    }
}

static void on_forget_loaded(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    take_sha(store, store->writer.forget_sha, reply);
    store->writer.loading = false;
}

/* Until their hashes are known, and where the user may not load, the scripts' text goes with each write. A Redis that
 * refused them is asked again, with growing pauses. */
static void load_scripts(struct route_store *store)
{
    if (store->writer.loading || clock_now_ms() < store->writer.load_again_ms)
        return;
    command_of(&store->command, "SCRIPT", "LOAD", script_put(), NULL);
    if (!redis_conn_send(store->write_conn, &store->command, on_put_loaded, NULL))
        return;
    command_of(&store->command, "SCRIPT", "LOAD", script_forget(), NULL);
    store->writer.loading = redis_conn_send(store->write_conn, &store->command, on_forget_loaded, NULL);
}

/* The hashes are worth nothing, even while the scripts may not be loaded. */
static void forget_scripts(struct route_store *store)
{
    store->writer.put_sha[0] = store->writer.forget_sha[0] = '\0';
    load_scripts(store);
}

/* Verdicts */

static void take_put_verdict(struct route_store *store, const struct claim *claim, enum verdict verdict)
{
    struct route_store_counters *counters = &store->counters;

    counters->written += verdict == VERDICT_WRITTEN || verdict == VERDICT_REPLACED;
    counters->replaced_garbage += verdict == VERDICT_REPLACED;
    counters->kept += verdict == VERDICT_KEPT;
    counters->lost += verdict == VERDICT_LOST;
    counters->lost_pinned += verdict == VERDICT_PINNED;
    counters->lost_dropped += verdict == VERDICT_DROPPED;
    if (verdict == VERDICT_LOST || verdict == VERDICT_PINNED || verdict == VERDICT_DROPPED)
        store_tell_changed(store, &claim->name);
}

static void take_verdict(struct route_store *store, const struct claim *claim, const redisReply *reply)
{
    enum verdict verdict = verdict_of(reply->str, (size_t)reply->len);

    backoff_reset(&store->writer.pause);
    store->counters.lost_newer_version += verdict == VERDICT_NEWER_VERSION;
    store->counters.lost_skewed += verdict == VERDICT_SKEWED;
    if (verdict == VERDICT_SKEWED) {
        store_event(store, STORE_REASON_SKEWED, store_write_side(store), "", 0);
    } else if (verdict == VERDICT_UNKNOWN) {
        redis_conn_close(store->write_conn, STORE_REASON_PROTOCOL, "a verdict that the script does not give");
    } else if (claim->kind == CLAIM_PUT) {
        take_put_verdict(store, claim, verdict);
    } else {
        store->counters.forgotten += verdict == VERDICT_FORGOTTEN;
        store->counters.forget_moot += verdict == VERDICT_MOOT;
        store->counters.lost_pinned += verdict == VERDICT_PINNED;
    }
    if (verdict != VERDICT_WRITTEN && verdict != VERDICT_REPLACED && verdict != VERDICT_FORGOTTEN)
        store_far_over(store, &claim->name); /* nothing changed that could be told */
    if (store->writer.put_sha[0] == '\0')
        load_scripts(store);
}

static void take_write_error(struct route_store *store, struct claim *claim, const redisReply *reply)
{
    enum store_reason reason = store_error(store, store_write_side(store), reply);

    store->counters.write_errors++;
    if (store_is_misplaced(reason)) {
        store->counters.lost_misplaced++;
        claim_free(claim); /* this Redis will never take it, but does take others */
        return;
    }
    if (reason == STORE_REASON_NOSCRIPT)
        forget_scripts(store);
    else
        pause_writing(store);
    enqueue(store, claim);
}

static void on_written(void *user, const redisReply *reply, void *data)
{
    struct route_store *store = user;
    struct claim *claim = data;

    store->writer.in_flight--;
    if (!reply && store->ending) {
        claim_free(claim);
    } else if (!reply) {
        enqueue(store, claim);
    } else if (reply->type == REDIS_REPLY_STRING) {
        distance_saw(store->write_distance, (uint32_t)(clock_now_ms() - claim->sent_ms), clock_now_ms());
        take_verdict(store, claim, reply);
        claim_free(claim);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        take_write_error(store, claim, reply);
    } else {
        redis_conn_close(store->write_conn, STORE_REASON_PROTOCOL, "a verdict that is no text");
        enqueue(store, claim);
    }
    store_drain(store);
}

/* Sending */

uint32_t store_window(const struct route_store *store)
{
    uint64_t window = 2 * (uint64_t)store->config.max_writes_s * distance_nearest_ms(store->write_distance) / 1000;

    if (window < IN_FLIGHT_LEAST)
        return IN_FLIGHT_LEAST;
    return window > IN_FLIGHT_MOST ? IN_FLIGHT_MOST : (uint32_t)window;
}

static void build(struct route_store *store, const struct claim *claim)
{
    bool is_put = claim->kind == CLAIM_PUT;
    const char *sha = is_put ? store->writer.put_sha : store->writer.forget_sha;
    struct command *command = &store->command;
    uint8_t bytes[ROUTE_RECORD_MAX];

    command_begin(command, is_put ? 13 : 9);
    command_text(command, sha[0] != '\0' ? "EVALSHA" : "EVAL");
    command_text(command, sha[0] != '\0' ? sha : is_put ? script_put() : script_forget());
    command_text(command, "2");
    command_key(command, &claim->name);
    command_tombstone(command, &claim->name);
    command_number(command, claim->record.stamp_ms);
    command_bytes(command, claim->record.cell, claim->record.cell_length);
    command_number(command, store->config.skew_ms);
    if (!is_put) {
        command_number(command, (uint64_t)store->config.tombstone_s * 1000);
        return;
    }
    command_bytes(command, bytes, record_encode(&claim->record, bytes));
    command_number(command, record_left_ms(&claim->record, store_wall_ms(store)));
    command_number(command, claim->record.flags);
    command_bytes(command, claim->record.router, claim->record.router_length);
    command_number(command, claim->record.life_s);
}

static bool is_stale(struct route_store *store, const struct claim *claim)
{
    return claim->kind == CLAIM_PUT && record_left_ms(&claim->record, store_wall_ms(store)) == 0;
}

/* False: it went back into the queue. */
static bool send_claim(struct route_store *store, struct claim *claim)
{
    build(store, claim);
    if (!redis_conn_send(store->write_conn, &store->command, on_written, claim)) {
        enqueue(store, claim);
        return false;
    }
    claim->sent_ms = clock_now_ms();
    mark(store, claim);
    store_far_sent(store, claim);
    store->counters.sent++;
    store->writer.in_flight++;
    return true;
}

void store_drain(struct route_store *store)
{
    struct store_writer *writer = &store->writer;
    struct claim *claim;

    while (!writer->paused && !store->ending && redis_conn_is_up(store->write_conn) &&
           writer->in_flight < store_window(store) && write_queue_count(writer->queue) != 0) {
        if (!bucket_take(&writer->rate, clock_now_ms())) {
            uint64_t wait_ms = bucket_wait_ms(&writer->rate, clock_now_ms());

            if (wait_ms != UINT64_MAX)
                set_timer(store, wait_ms);
            return;
        }
        claim = write_queue_take(writer->queue);
        if (is_stale(store, claim)) {
            store->counters.queue_stale++;
            claim_free(claim);
        } else if (!send_claim(store, claim)) {
            return;
        }
    }
}

void store_on_writer_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct route_store *store = timer->data;

    (void)loop, (void)events;
    store->writer.paused = false;
    store_drain(store);
}

void store_writer_up(struct route_store *store)
{
    store->writer.load_again_ms = 0;
    forget_scripts(store);
    store_drain(store);
}

void store_writer_down(struct route_store *store)
{
    store->writer.loading = false;
    store->writer.paused = false;
    ev_timer_stop(store->loop, &store->writer.timer);
}

/* Claims from the router */

static bool add_claim(struct route_store *store, enum claim_kind kind, const struct route_name *name,
                      const struct route_record *record)
{
    struct claim *claim;

    if (!key_name_ok(name)) {
        store->counters.reasons[STORE_REASON_BAD_NAME]++;
        return false;
    }
    claim = claim_new(kind, name, record);
    if (!claim) {
        store->counters.reasons[STORE_REASON_MEMORY]++;
        return false;
    }
    store->used = true;
    questions_changed(store->questions, name); /* replies on their way are older than this claim */
    store_overtake_probes(store, name);
    expiring_set_drop(store->absent, hash_name(&store->hash, name));
    enqueue(store, claim);
    store_drain(store);
    return true;
}

/* Two claims of this router on one route never have the same stamp: the later one is the newer one. On different routes
 * they may, so that stamps follow the clock however many claims there are: one from the future would win against a
 * later claim of another router. Routes that share a slot count as one, which costs them a millisecond. A clock that
 * was set back is followed. */
static uint64_t next_stamp_ms(struct route_store *store, const struct route_name *name)
{
    uint64_t *last_ms = &store->writer.last_stamp_ms[hash_name(&store->hash, name) % STAMP_SLOTS];
    uint64_t now_ms = store_wall_ms(store);

    *last_ms = now_ms <= *last_ms && *last_ms - now_ms < STAMP_AHEAD_MS ? *last_ms + 1 : now_ms;
    return *last_ms;
}

bool route_store_put(struct route_store *store, const struct route_name *name, const char *cell, size_t cell_length,
                     uint32_t life_s, uint32_t flags)
{
    struct route_record record = {.stamp_ms = next_stamp_ms(store, name), .life_s = life_s, .flags = flags};

    store->counters.puts++;
    if (!record_set_id(record.cell, &record.cell_length, cell, cell_length) ||
        !record_set_id(record.router, &record.router_length, store->router, strlen(store->router)) || life_s == 0 ||
        life_s > ROUTE_LIFE_MAX_S || (flags & ~(uint32_t)ROUTE_FLAGS_KNOWN) != 0) {
        store->counters.reasons[STORE_REASON_BAD_NAME]++;
        return false;
    }
    return add_claim(store, CLAIM_PUT, name, &record);
}

bool route_store_forget(struct route_store *store, const struct route_name *name, const char *cell, size_t cell_length)
{
    struct route_record record = {.stamp_ms = next_stamp_ms(store, name)};

    store->counters.forgets++;
    if (!record_set_id(record.cell, &record.cell_length, cell, cell_length)) {
        store->counters.reasons[STORE_REASON_BAD_NAME]++;
        return false;
    }
    return add_claim(store, CLAIM_FORGET, name, &record);
}
