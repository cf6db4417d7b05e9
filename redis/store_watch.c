/* redis/store_watch.c - news of what others changed: Redis' client-side caching, over RESP2.
 *
 * Level 1 may keep a route for as long as it lives only if every change in Redis is told. Redis tells: `CLIENT TRACKING
 * ON BCAST PREFIX cellrouter:` makes it send the names of changed keys. In RESP2 they go to another connection that has
 * subscribed to __redis__:invalidate, so there are two: the ask connection turns tracking on and names the watch
 * connection by its client id (REDIRECT). Four things have to be right, and each may stop being so without a word:
 * both connections live, they lead to the same server (a failover proxy may have sent them to two), the redirection
 * still names this watch connection, and messages come through.
 *
 * So it is proved, not assumed. A beat is a PUBLISH on the ask connection to a channel that only this store's watch
 * listens to, sent when tracking is turned on and twice in each watchdog time. Beats are numbered:
 *
 *     sent       the last one that was published
 *     delivered  the last one that Redis says it gave to one listener (the PUBLISH's reply: 1, or 0 for nobody)
 *     heard      the last one that came in on the watch connection
 *     attempt    the first one that was sent after tracking was last turned on
 *
 * The states, each the ones before it included:
 *
 *     away        the watch connection is down
 *     subscribed  it is up, its id is known, both channels are subscribed; the ask connection may turn tracking on
 *     tracking    Redis said OK to that
 *     protects    a beat >= attempt was heard: whatever changes from here on will be told. With a replica and a
 *                 primary a beat by way of the primary was heard, too (store_far.c)
 *
 * Forward: store_watch_up(), take_subscription(), store_track() and on_tracking(), hear_beat(). Back to away or
 * subscribed: either connection ends, a beat reaches nobody, a delivered beat is not heard for watchdog_ms, tracking is
 * refused. Each time that protection begins or ends level 1 is told to distrust what it has: changes may have been
 * missed. Each beginning is an epoch: a reply to a question of another epoch is trusted for seconds only
 * (store_read.c).
 *
 * "Nobody heard" is most often a watch connection that was taken away and has not noticed: it is closed, and connects
 * anew. If it happens again at once the two lead to different servers, and both connect anew (split()).
 *
 * What cannot happen: a change that was made while `protects` was true and is not told, unless Redis loses it and yet
 * delivers the beats behind it. A change is told later than it was made, and later than a reply that was read before
 * it: that race is the business of questions_changed().
 *
 * One message may name as many keys as changed in one turn of Redis' loop: a script that deletes a million makes one of
 * a million. It is worked off in slices, CHANGES_A_TURN in a turn of our loop, in their order; until the last one
 * nothing else is read from the watch connection, beats included, so the silence of the meantime is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/store_parts.h"

static const char INVALIDATE[] = "__redis__:invalidate";

/* Some 2 us each, most of it in the routes' table and level 0. */
enum { CHANGES_A_TURN = 512 };

static void distrust(struct route_store *store)
{
    if (store->used && store->handler.on_distrust && !store->ending)
        store->handler.on_distrust(store->user);
}

void store_protect(struct route_store *store)
{
    struct store_watch *watch = &store->watch;

    if (watch->protects || !watch->tracking || watch->heard < watch->attempt || !store_far_holds(store))
        return;
    watch->protects = true;
    watch->splits = 0;
    watch->epoch++;
    store->counters.watching = 1;
    store_event(store, STORE_REASON_WATCHING, "watch", "", 0);
    distrust(store); /* what came to level 1 until now came without protection */
}

void store_unprotect(struct route_store *store)
{
    struct store_watch *watch = &store->watch;

    if (!watch->protects)
        return;
    watch->protects = false;
    store->counters.watching = 0;
    store->counters.gaps++;
    expiring_set_clear(store->absent);
    distrust(store);
}

static void end_protection(struct route_store *store)
{
    store->watch.tracking = false;
    store_unprotect(store);
}

/* The first time the watch is thought to be the one that was taken away; again, and both connect anew. */
static void split(struct route_store *store, const char *text, size_t n)
{
    store_event(store, STORE_REASON_TWO_SERVERS, "watch", text, n);
    end_protection(store);
    store->watch.subscribed = false; /* further replies of the same read tell nothing new */
    redis_conn_close(store->watch_conn, STORE_REASON_SPLIT, "");
    if (store->watch.splits++ != 0)
        redis_conn_close(store->ask_conn, STORE_REASON_SPLIT, "");
}

/* Beats */

static void on_publish(void *user, const redisReply *reply, void *number)
{
    struct route_store *store = user;
    struct store_watch *watch = &store->watch;
    uint64_t beat = (uint64_t)(uintptr_t)number;

    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)store_error(store, "ask", reply);
    } else if (reply->type != REDIS_REPLY_INTEGER) {
        redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "PUBLISH");
    } else if (!watch->subscribed) {
        return; /* the watch of that beat is gone */
    } else if (reply->integer == 0) {
        if (beat >= watch->attempt) /* of this watch, not of one before it */
            split(store, "nobody heard the heartbeat", 26);
    } else {
        watch->delivered = beat;
        if (watch->silent_since_ms == 0 && watch->heard < beat)
            watch->silent_since_ms = clock_now_ms();
    }
}

static void on_pong(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    if (reply && reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_ERROR)
        redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "PING");
}

static void send_beat(struct route_store *store)
{
    struct store_watch *watch = &store->watch;
    char number[24];

    snprintf(number, sizeof number, "%llu", (unsigned long long)++watch->sent);
    command_of(&store->command, "PUBLISH", watch->beat, number, NULL);
    if (redis_conn_send(store->ask_conn, &store->command, on_publish, (void *)(uintptr_t)watch->sent))
        store->counters.heartbeats++;
}

static void hear_beat(struct route_store *store, const redisReply *number)
{
    struct store_watch *watch = &store->watch;
    uint64_t heard = strtoull(number->str, NULL, 10);

    watch->heard = heard <= watch->sent ? heard : 0; /* the channel's name is no secret to whoever may MONITOR */
    if (watch->heard >= watch->delivered)
        watch->silent_since_ms = 0;
    store_protect(store);
}

static bool is_silent(const struct route_store *store)
{
    const struct store_watch *watch = &store->watch;

    return !watch->changes && watch->silent_since_ms != 0 &&
           clock_now_ms() - watch->silent_since_ms > store->config.watchdog_ms;
}

void store_on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct route_store *store = timer->data;
    struct store_watch *watch = &store->watch;

    (void)loop, (void)events;
    store_far_beat(store);
    if (!redis_conn_is_up(store->ask_conn))
        return;
    if (!watch->subscribed) {
        command_of(&store->command, "PING", NULL);
        store->counters.heartbeats += redis_conn_send(store->ask_conn, &store->command, on_pong, NULL);
    } else if (is_silent(store)) {
        redis_conn_close(store->watch_conn, STORE_REASON_WATCHDOG, "beats do not arrive");
    } else if (!watch->tracking) {
        store_track(store); /* it was refused; that may have changed */
    } else {
        send_beat(store);
    }
}

/* Turning it on */

static void on_tracking(void *user, const redisReply *reply, void *client_id)
{
    struct route_store *store = user;

    store->watch.asking = false;
    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_ERROR) {
        redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "CLIENT TRACKING");
    } else if (!store->watch.subscribed) {
        return; /* the watch that it was for is gone */
    } else if ((uintptr_t)store->watch.client_id != (uintptr_t)client_id) {
        store_track(store); /* meanwhile the watch connected anew */
    } else if (reply->type == REDIS_REPLY_STATUS) {
        store->watch.tracking = true;
        store_protect(store);
    } else if (strstr(reply->str, "client ID")) {
        split(store, reply->str, (size_t)reply->len);
    } else {
        (void)store_error(store, "ask", reply);
    }
}

/* An error is that of the user's rights; turning it on, which follows, tells. */
static void on_tracking_off(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    if (reply && reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_ERROR)
        redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "CLIENT TRACKING OFF");
}

/* OFF first: Redis refuses a prefix that overlaps one that is tracked already, also the same one. */
void store_track(struct route_store *store)
{
    struct store_watch *watch = &store->watch;
    char id[24];

    if (watch->asking || !watch->subscribed || !redis_conn_is_up(store->ask_conn))
        return;
    watch->tracking = false;
    watch->attempt = watch->sent + 1;
    snprintf(id, sizeof id, "%lld", watch->client_id);
    command_of(&store->command, "CLIENT", "TRACKING", "OFF", NULL);
    if (!redis_conn_send(store->ask_conn, &store->command, on_tracking_off, NULL))
        return;
    command_of(&store->command, "CLIENT", "TRACKING", "ON", "REDIRECT", id, "BCAST", "PREFIX", ROUTE_KEYS, "NOLOOP",
               NULL);
    watch->asking = redis_conn_send(store->ask_conn, &store->command, on_tracking, (void *)(uintptr_t)watch->client_id);
    send_beat(store);
    store_far_restart(store);
    store_far_beat(store);
}

void store_untrack(struct route_store *store)
{
    store->watch.asking = false;
    store->watch.silent_since_ms = 0;
    end_protection(store);
}

/* Changes */

static void take_change(struct route_store *store, const redisReply *key)
{
    struct route_name name;

    store->counters.invalidations++;
    if (!key_parse(key->str, (size_t)key->len, &name)) {
        store->counters.invalid_keys++;
        return;
    }
    questions_changed(store->questions, &name);
    expiring_set_drop(store->absent, hash_name(&store->hash, &name));
    store_far_over(store, &name);
    if (store_wrote(store, &name))
        store_verify(store, &name);
    else
        store_tell_changed(store, &name);
}

static void drop_changes(struct route_store *store)
{
    ev_timer_stop(store->loop, &store->watch.slices);
    freeReplyObject(store->watch.changes);
    store->watch.changes = NULL;
}

/* Takes the next keys of the message at hand. Each is freed behind its use: a million at once would stop the loop.
 * False: one of them is no key, and the connection is closing. */
static bool take_slice(struct route_store *store)
{
    struct store_watch *watch = &store->watch;
    redisReply *keys = watch->changes->element[2];
    size_t until =
        keys->elements - watch->next_change > CHANGES_A_TURN ? watch->next_change + CHANGES_A_TURN : keys->elements;

    store->counters.slices++;
    for (; watch->next_change < until; watch->next_change++) {
        redisReply *key = keys->element[watch->next_change];

        if (key->type != REDIS_REPLY_STRING) {
            redis_conn_close(store->watch_conn, STORE_REASON_PROTOCOL, "an invalidation of what is no key");
            return false;
        }
        take_change(store, key);
        keys->element[watch->next_change] = NULL;
        freeReplyObject(key);
    }
    return true;
}

void store_watch_free(struct route_store *store)
{
    drop_changes(store);
    ev_timer_stop(store->loop, &store->watch.timer);
}

void store_on_slice(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct route_store *store = timer->data;
    struct store_watch *watch = &store->watch;

    (void)loop, (void)events;
    if (take_slice(store) && watch->next_change < watch->changes->element[2]->elements) {
        ev_timer_start(store->loop, &watch->slices);
        return;
    }
    drop_changes(store);
    if (watch->silent_since_ms != 0)
        watch->silent_since_ms = clock_now_ms(); /* the beats stand in the socket */
    redis_conn_go_on(store->watch_conn);
}

/* Owns the message. A turn's worth is taken at once, more of it in later turns. */
static void take_changes(struct route_store *store, redisReply *message)
{
    struct store_watch *watch = &store->watch;

    watch->changes = message;
    watch->next_change = 0;
    if (take_slice(store) && watch->next_change < message->element[2]->elements) {
        redis_conn_hold(store->watch_conn);
        ev_timer_set(&watch->slices, 0, 0);
        ev_timer_start(store->loop, &watch->slices);
    } else {
        drop_changes(store);
    }
}

static void take_flush(struct route_store *store)
{
    store->counters.flushes++;
    questions_all_changed(store->questions);
    expiring_set_clear(store->own);
    if (store->handler.on_flushed && !store->ending)
        store->handler.on_flushed(store->user);
}

/* Messages */

static bool is_text(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && (size_t)reply->len == strlen(text) &&
           memcmp(reply->str, text, (size_t)reply->len) == 0;
}

/* What a message is. Everything but these has another shape than what Redis sends to a connection with these
 * subscriptions. */
enum message {
    MESSAGE_SUBSCRIBED,
    MESSAGE_BEAT,
    MESSAGE_FAR_BEAT,
    MESSAGE_CHANGES,
    MESSAGE_FLUSH,
    MESSAGE_DOUBT,
    MESSAGE_NONE
};

static enum message kind_of(const struct route_store *store, const redisReply *message)
{
    const redisReply *const *part = (const redisReply *const *)message->element;

    if (message->type != REDIS_REPLY_ARRAY || message->elements != 3)
        return MESSAGE_NONE;
    bool is_beat = is_text(part[1], store->watch.beat), is_change = is_text(part[1], INVALIDATE);
    bool is_doubt = is_text(part[1], store_doubts_channel());
    bool is_far = store_is_far(store) && is_text(part[1], store->far.channel);

    if (is_text(part[0], "subscribe") && (is_beat || is_change || is_doubt || is_far) &&
        part[2]->type == REDIS_REPLY_INTEGER && !store->watch.subscribed)
        return MESSAGE_SUBSCRIBED;
    if (!is_text(part[0], "message"))
        return MESSAGE_NONE;
    if (is_beat)
        return part[2]->type == REDIS_REPLY_STRING ? MESSAGE_BEAT : MESSAGE_NONE;
    if (is_far)
        return part[2]->type == REDIS_REPLY_STRING ? MESSAGE_FAR_BEAT : MESSAGE_NONE;
    if (is_doubt)
        return MESSAGE_DOUBT;
    if (is_change && part[2]->type == REDIS_REPLY_ARRAY)
        return MESSAGE_CHANGES;
    return is_change && part[2]->type == REDIS_REPLY_NIL ? MESSAGE_FLUSH : MESSAGE_NONE;
}

static void take_subscription(struct route_store *store)
{
    if (++store->watch.subscriptions == (store_is_far(store) ? 4 : 3)) {
        store->watch.subscribed = true;
        store_track(store);
    }
}

void store_on_message(void *user, redisReply *message)
{
    struct route_store *store = user;

    switch (kind_of(store, message)) {
    case MESSAGE_SUBSCRIBED: take_subscription(store); break;
    case MESSAGE_BEAT: hear_beat(store, message->element[2]); break;
    case MESSAGE_FAR_BEAT: store_far_hear(store, message->element[2]); break;
    case MESSAGE_FLUSH: take_flush(store); break;
    case MESSAGE_DOUBT: store_take_doubt(store, message->element[2]); break;
    case MESSAGE_CHANGES: take_changes(store, message); return;
    case MESSAGE_NONE: redis_conn_close(store->watch_conn, STORE_REASON_PROTOCOL, "a message of another shape"); break;
    }
    freeReplyObject(message);
}

static void on_client_id(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_INTEGER)
        store->watch.client_id = reply->integer;
    else if (reply->type == REDIS_REPLY_ERROR)
        redis_conn_close(store->watch_conn, store_reason_of_error(reply->str, (size_t)reply->len), reply->str);
    else
        redis_conn_close(store->watch_conn, STORE_REASON_PROTOCOL, "CLIENT ID");
}

void store_watch_up(struct route_store *store)
{
    bool sent;

    store->watch.subscriptions = 0;
    command_of(&store->command, "CLIENT", "ID", NULL);
    sent = redis_conn_send(store->watch_conn, &store->command, on_client_id, NULL);
    command_of(&store->command, "SUBSCRIBE", INVALIDATE, store->watch.beat, store_doubts_channel(),
               store_is_far(store) ? store->far.channel : NULL, NULL);
    if (!sent || !redis_conn_subscribe(store->watch_conn, &store->command))
        redis_conn_close(store->watch_conn, STORE_REASON_MEMORY, "");
}

/* Changes that were not worked off yet are in doubt like all the others. */
void store_watch_down(struct route_store *store)
{
    drop_changes(store);
    store->watch.subscribed = false;
    store->watch.silent_since_ms = 0;
    end_protection(store);
}
