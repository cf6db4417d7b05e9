/* redis/store_far.c - reads and news at a replica near by, writes at a primary far away.
 *
 * With a read_address the ask and the watch connection lead to a replica of the region, and a third connection,
 * `write`, to the primary. Without one the ask connection writes as well, and nothing in this file has anything to do.
 *
 *     write ---- claims, doubts, far beats ----> primary
 *                                                   |  replication: keys, deletions, published messages, in order
 *     ask ------ questions --------------------> replica
 *     watch <--- invalidations, beats, far beats ---+
 *
 * Two things are different then.
 *
 * Is the replica alive? One that lost its primary answers as before, and tells of no change, because it hears of none.
 * So a second row of beats is published at the primary, to a channel that only this store's watch listens to. A
 * published message goes down the replication like a write, behind the changes that were made before it: hearing one
 * proves that they have been told. They are numbered. A number that is missing was lost in a full resynchronization,
 * and changes may have been as well; none for watchdog_ms, and the replica is behind, or the primary is away. Either
 * way protection ends, and begins anew with the next beat that is heard (store_watch.c). Reads go on meanwhile: what
 * the replica has is the best that there is, and level 1 trusts it for seconds.
 *
 * What did this router just write? A claim reaches the replica one way to the primary and one way back later than it
 * was made. Until then a question must not be answered by what stood there before, for a route that was dropped would
 * come back. So a copy of each claim that was sent is kept, and answers for the replica (store_read.c) until the change
 * is told, the verdict says that nothing changed, or 5 s are over.
 *
 * Source: https://redis.io/docs/management/replication/ (what is propagated, full and partial resynchronization). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "redis/store_parts.h"

enum {
    COPY_MS = 5000,   /* as long as an own write is expected to come back */
    COPIES_SHARE = 8, /* of the memory for writes that wait */
};

bool store_is_far(const struct route_store *store)
{
    return store->write_conn != store->ask_conn;
}

const char *store_write_side(const struct route_store *store)
{
    return store_is_far(store) ? "write" : "ask";
}

/* Beats */

bool store_far_holds(const struct route_store *store)
{
    return !store_is_far(store) || (store->far.heard >= store->far.attempt && store->far.heard != 0);
}

void store_far_restart(struct route_store *store)
{
    store->far.attempt = store->far.sent + 1;
}

static void on_far_publish(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        (void)store_error(store, "write", reply);
    else if (reply->type != REDIS_REPLY_INTEGER)
        redis_conn_close(store->write_conn, STORE_REASON_PROTOCOL, "PUBLISH");
}

/* Changes may have been missed, or may be from now on. */
static void fall_behind(struct route_store *store, const char *why)
{
    store_event(store, STORE_REASON_BEHIND, "watch", why, strlen(why));
    store_far_restart(store);
    store_unprotect(store);
}

/* Silence begins with the first beat that is due and not heard, sent or not. */
void store_far_beat(struct route_store *store)
{
    struct store_far *far = &store->far;
    uint64_t now_ms = clock_now_ms();
    char number[24];

    if (!store_is_far(store) || !store->watch.subscribed)
        return;
    if (far->silent_since_ms == 0)
        far->silent_since_ms = now_ms;
    if (now_ms - far->silent_since_ms > store->config.watchdog_ms && !far->behind) {
        far->behind = true;
        fall_behind(store, redis_conn_is_up(store->write_conn) ? "no heartbeat" : "the primary is away");
    }
    if (!redis_conn_is_up(store->write_conn))
        return;
    snprintf(number, sizeof number, "%llu", (unsigned long long)far->sent + 1);
    command_of(&store->command, "PUBLISH", far->channel, number, NULL);
    if (!redis_conn_send(store->write_conn, &store->command, on_far_publish, NULL))
        return;
    far->sent++;
    far->sent_ms = now_ms;
    store->counters.heartbeats++;
}

void store_far_hear(struct route_store *store, const redisReply *number)
{
    struct store_far *far = &store->far;
    uint64_t beat = strtoull(number->str, NULL, 10), expected = far->heard + 1;

    if (beat <= far->heard || beat > far->sent)
        return; /* the channel's name is no secret to whoever may MONITOR */
    far->heard = beat;
    far->silent_since_ms = 0;
    far->behind = false;
    if (beat == far->sent)
        store->counters.replica_ms = clock_now_ms() - far->sent_ms;
    if (beat != expected && store->watch.protects)
        fall_behind(store, "a heartbeat was lost on the way");
    store_protect(store);
}

/* The write connection */

void store_far_up(struct route_store *store)
{
    store->far.distance = (struct distance){0};
    store->far.heard = store->far.sent; /* those of the former connection may be lost */
    store_far_restart(store);
    store_unprotect(store);
    store_far_beat(store);
}

/* Copies of what was sent */

bool store_far_set_up(struct route_store *store)
{
    if (!store_is_far(store))
        return true;
    snprintf(store->far.channel, sizeof store->far.channel, "%s:far", store->watch.beat);
    store->far.copies = write_queue_new(&store->hash, store->config.queue_bytes / COPIES_SHARE);
    return store->far.copies;
}

void store_far_free(struct route_store *store)
{
    write_queue_free(store->far.copies);
}

void store_far_sent(struct route_store *store, const struct claim *claim)
{
    struct claim *copy;

    if (!store_is_far(store))
        return;
    copy = claim_new(claim->kind, &claim->name, &claim->record);
    if (!copy)
        return; /* then a question may see what stood there before */
    copy->sent_ms = clock_now_ms();
    (void)write_queue_add(store->far.copies, copy);
}

void store_far_over(struct route_store *store, const struct route_name *name)
{
    if (store_is_far(store))
        write_queue_drop(store->far.copies, name);
}

const struct claim *store_far_find(const struct route_store *store, const struct route_name *name)
{
    const struct claim *copy = store_is_far(store) ? write_queue_find(store->far.copies, name) : NULL;

    return copy && clock_now_ms() - copy->sent_ms < COPY_MS ? copy : NULL;
}
