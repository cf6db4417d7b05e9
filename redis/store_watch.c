/* redis/store_watch.c - news of what others changed: Redis' client-side caching, for RESP2 and so for hiredis 0.14 and
 * 1.x.
 *
 * The watch connection subscribes to __redis__:invalidate. The ask connection turns tracking on, redirected to the
 * watch's client id. Then it PUBLISHes a beat to a channel that only this watch listens to, now and twice in each
 * watchdog time: that Redis counts one listener and that the beat arrives proves that both connections live, that they
 * lead to the same server (a failover proxy may have sent them to two), and that messages come through. Protection
 * begins with the first beat heard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/store_parts.h"

#define INVALIDATE "__redis__:invalidate"

static void distrust(struct route_store *store)
{
    if (store->used && store->handler.on_distrust && !store->ending)
        store->handler.on_distrust(store->user);
}

static void begin_protection(struct route_store *store)
{
    struct store_watch *watch = &store->watch;

    if (watch->protects || !watch->tracking || watch->heard < watch->attempt)
        return;
    watch->protects = true;
    watch->splits = 0;
    watch->epoch++;
    store->counters.watching = 1;
    store_event(store, STORE_REASON_WATCHING, "watch", "", 0);
    distrust(store); /* what came to level 1 until now came without protection */
}

static void end_protection(struct route_store *store)
{
    struct store_watch *watch = &store->watch;

    watch->tracking = false;
    if (!watch->protects)
        return;
    watch->protects = false;
    store->counters.watching = 0;
    store->counters.gaps++;
    expiring_set_clear(store->absent);
    distrust(store);
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

static void on_publish(redisAsyncContext *context, void *data, void *number)
{
    struct route_store *store = redis_conn_reply(context, data);
    struct store_watch *watch = &store->watch;
    const redisReply *reply = data;
    uint64_t beat = (uint64_t)(uintptr_t)number;

    if (!reply || !watch->subscribed)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        store_event(store, store_reason_of_error(reply->str, (size_t)reply->len), "ask", reply->str,
                    (size_t)reply->len);
    } else if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        if (beat >= watch->attempt) /* of this watch, not of one before it */
            split(store, "nobody heard the heartbeat", 26);
    } else {
        watch->delivered = beat;
        if (watch->silent_since_ms == 0 && watch->heard < beat)
            watch->silent_since_ms = clock_now_ms();
    }
}

static void on_pong(redisAsyncContext *context, void *data, void *unused)
{
    (void)unused;
    redis_conn_reply(context, data);
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

    watch->heard = number->type == REDIS_REPLY_STRING ? strtoull(number->str, NULL, 10) : 0;
    if (watch->heard >= watch->delivered)
        watch->silent_since_ms = 0;
    begin_protection(store);
}

void store_on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct route_store *store = timer->data;
    struct store_watch *watch = &store->watch;

    (void)loop, (void)events;
    if (!redis_conn_is_up(store->ask_conn))
        return;
    if (!watch->subscribed) {
        command_of(&store->command, "PING", NULL);
        store->counters.heartbeats += redis_conn_send(store->ask_conn, &store->command, on_pong, NULL);
    } else if (watch->silent_since_ms != 0 && clock_now_ms() - watch->silent_since_ms > store->config.watchdog_ms) {
        redis_conn_close(store->watch_conn, STORE_REASON_WATCHDOG, "beats do not arrive");
    } else if (!watch->tracking) {
        store_track(store); /* it was refused; that may have changed */
    } else {
        send_beat(store);
    }
}

/* Turning it on */

static void on_tracking(redisAsyncContext *context, void *data, void *client_id)
{
    struct route_store *store = redis_conn_reply(context, data);
    const redisReply *reply = data;

    store->watch.asking = false;
    if (!reply || !store->watch.subscribed)
        return;
    if ((uintptr_t)store->watch.client_id != (uintptr_t)client_id) {
        store_track(store); /* meanwhile the watch connected anew */
    } else if (reply->type != REDIS_REPLY_ERROR) {
        store->watch.tracking = true;
        begin_protection(store);
    } else if (strstr(reply->str, "client ID")) {
        split(store, reply->str, (size_t)reply->len);
    } else {
        store_event(store, store_reason_of_error(reply->str, (size_t)reply->len), "ask", reply->str,
                    (size_t)reply->len);
    }
}

static void on_tracking_off(redisAsyncContext *context, void *data, void *unused)
{
    (void)unused;
    redis_conn_reply(context, data);
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
}

void store_untrack(struct route_store *store)
{
    store->watch.asking = false;
    store->watch.silent_since_ms = 0;
    end_protection(store);
}

/* Messages */

static void take_change(struct route_store *store, const redisReply *key)
{
    struct route_name name;

    store->counters.invalidations++;
    if (key->type != REDIS_REPLY_STRING || !key_parse(key->str, (size_t)key->len, &name)) {
        store->counters.invalid_keys++;
        return;
    }
    questions_changed(store->questions, &name);
    expiring_set_drop(store->absent, hash_name(&store->hash, &name));
    if (store_wrote(store, &name))
        store_verify(store, &name);
    else
        store_tell_changed(store, &name);
}

static void take_flush(struct route_store *store)
{
    store->counters.flushes++;
    questions_all_changed(store->questions);
    expiring_set_clear(store->own);
    if (store->handler.on_flushed && !store->ending)
        store->handler.on_flushed(store->user);
}

static void take_message(struct route_store *store, const redisReply *channel, const redisReply *body)
{
    if (strcmp(channel->str, INVALIDATE) != 0)
        hear_beat(store, body);
    else if (body->type == REDIS_REPLY_ARRAY)
        for (size_t i = 0; i < body->elements; i++)
            take_change(store, body->element[i]);
    else if (body->type == REDIS_REPLY_NIL)
        take_flush(store);
}

static void on_message(redisAsyncContext *context, void *data, void *unused)
{
    struct route_store *store = redis_conn_reply(context, data);
    const redisReply *reply = data;

    (void)unused;
    if (!reply)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        redis_conn_close(store->watch_conn, STORE_REASON_PROTOCOL, "a message of another shape");
    } else if (strcmp(reply->element[0]->str, "message") == 0) {
        take_message(store, reply->element[1], reply->element[2]);
    } else if (strcmp(reply->element[0]->str, "subscribe") == 0 && ++store->watch.subscriptions == 2) {
        store->watch.subscribed = true;
        store_track(store);
    }
}

static void on_client_id(redisAsyncContext *context, void *data, void *unused)
{
    struct route_store *store = redis_conn_reply(context, data);
    const redisReply *reply = data;

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
    command_of(&store->command, "SUBSCRIBE", INVALIDATE, store->watch.beat, NULL);
    if (!sent || !redis_conn_send(store->watch_conn, &store->command, on_message, NULL))
        redis_conn_close(store->watch_conn, STORE_REASON_MEMORY, "");
}

void store_watch_down(struct route_store *store)
{
    store->watch.subscribed = false;
    store->watch.silent_since_ms = 0;
    end_protection(store);
}
