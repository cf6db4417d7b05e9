/* redis/store_doubt.c - doubts go from router to router by PUBLISH, not as keys: they live for seconds, and a key that
 * changes makes others forget the route, which a redirect must not. What gets lost costs a client one more 307. */
#include "redis/store_parts.h"

#include <string.h>

#include "base/clock.h"

/* Within the rights that docs/redis.md asks for. No heartbeat has this channel: theirs have two colons. */
static const char channel[] = "cellrouter-beat:doubts";

enum {
    /* So that whoever asks for redirecting paths cannot keep all routers busy. Not tuned. */
    DOUBTS_A_SECOND = 100,
    DOUBT_WORDS_MAX = 320
};

static void on_published(void *user, const redisReply *reply, void *unused)
{
    struct route_store *store = user;

    (void)unused;
    if (reply && reply->type == REDIS_REPLY_ERROR)
        (void)store_error(store, store_write_side(store), reply);
}

void route_store_doubt(struct route_store *store, const struct route_doubt *doubt)
{
    char text[DOUBT_WORDS_MAX + ROUTE_HOST_MAX + ROUTE_PREFIX_MAX];
    const struct route_name *route = &doubt->route;
    size_t n = doubt_write(doubt, store->watch.beat, text, DOUBT_WORDS_MAX);

    if (n == 0 || !key_name_ok(route) || !redis_conn_is_up(store->write_conn))
        return;
    if (store->doubts.per_s == 0)
        store->doubts = (struct bucket){.per_s = DOUBTS_A_SECOND};
    if (!bucket_take(&store->doubts, clock_now_ms()))
        return;
    if (route->host_length)
        memcpy(text + n, route->host, route->host_length);
    memcpy(text + n + route->host_length, route->prefix, route->prefix_length);
    command_begin(&store->command, 3);
    command_text(&store->command, "PUBLISH");
    command_text(&store->command, channel);
    command_bytes(&store->command, text, n + route->host_length + route->prefix_length);
    store->counters.doubts_told += redis_conn_send(store->write_conn, &store->command, on_published, NULL);
}

const char *store_doubts_channel(void)
{
    return channel;
}

void store_take_doubt(struct route_store *store, const redisReply *body)
{
    struct route_doubt doubt;
    const char *sender;
    size_t length;

    if (body->type != REDIS_REPLY_STRING || !doubt_read(body->str, (size_t)body->len, &doubt, &sender, &length)) {
        store->counters.doubts_invalid++;
    } else if (length != strlen(store->watch.beat) || memcmp(sender, store->watch.beat, length) != 0) {
        store->counters.doubts_heard++;
        if (store->handler.on_doubt && !store->ending)
            store->handler.on_doubt(store->user, &doubt);
    }
}
