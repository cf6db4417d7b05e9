/* tests/unit/redis/proxy.h - a bad network between store and Redis: on the loop of the test, it holds, delays or
 * swallows the bytes of the ask or of the watch connection, leads one of them to another server, or puts other text
 * into Redis' mouth. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_PROXY_H
#define CELLROUTER_TESTS_UNIT_REDIS_PROXY_H

#include "tests/unit/redis/player.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PROXY_PAIRS 64
#define PROXY_CHUNKS 4096

enum proxy_way { WAY_PASS, WAY_HOLD, WAY_SWALLOW };
enum proxy_side { SIDE_ASK, SIDE_WATCH, SIDES };

struct proxy;

struct chunk {
    char *bytes;
    size_t n;
    double due;
};

struct lane { /* one direction of one connection */
    struct pair *pair;
    int from, to;
    ev_io readable;
    struct chunk chunks[PROXY_CHUNKS];
    size_t first, count;
};

struct pair {
    struct proxy *proxy;
    bool open, known; /* known: it said its name */
    enum proxy_side side;
    struct lane up, down; /* to the server, to the store */
};

struct proxy {
    char address[160], path[128];
    int listener;
    ev_io acceptable;
    ev_timer tick;
    const struct server *servers[SIDES];
    enum proxy_way up[SIDES], down[SIDES];
    double delay_s; /* of each direction */
    const char *heard,
        *said; /* what Redis answers on the ask connection, the first time in each read, and what the store gets */
    unsigned accepted;
    struct pair *pairs[PROXY_PAIRS];
};

static inline struct sockaddr_un proxy_sockaddr(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    for (size_t i = 0; i < sizeof address.sun_path - 1 && path[i] != 0; i++)
        address.sun_path[i] = path[i];
    return address;
}

static inline int proxy_connect(const char *path)
{
    struct sockaddr_un address = proxy_sockaddr(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void lane_end(struct lane *lane)
{
    ev_io_stop(ev_default_loop(0), &lane->readable);
    for (; lane->count != 0; lane->count--, lane->first = (lane->first + 1) % PROXY_CHUNKS)
        free(lane->chunks[lane->first].bytes);
    if (lane->from >= 0)
        close(lane->from);
    lane->from = lane->to = -1;
}

static inline void pair_end(struct pair *pair)
{
    pair->open = false;
    lane_end(&pair->up);
    lane_end(&pair->down);
}

static inline void lane_flush(struct lane *lane)
{
    struct pair *pair = lane->pair;
    const struct proxy *proxy = pair->proxy;
    enum proxy_way way = (lane == &pair->up ? proxy->up : proxy->down)[pair->side];
    double now = player_clock();

    while (lane->count != 0 && lane->chunks[lane->first].due <= now && (!pair->known || way != WAY_HOLD)) {
        struct chunk *chunk = &lane->chunks[lane->first];
        bool sent = (pair->known && way == WAY_SWALLOW) || write(lane->to, chunk->bytes, chunk->n) == (ssize_t)chunk->n;

        free(chunk->bytes);
        lane->first = (lane->first + 1) % PROXY_CHUNKS;
        lane->count--;
        if (!sent) {
            pair_end(pair);
            return;
        }
    }
}

/* Which side a connection is stands in its CLIENT SETNAME. */
static inline void pair_learn(struct pair *pair, const char *bytes, size_t n)
{
    bool ask = memmem(bytes, n, ":ask\r\n", 6), watch = memmem(bytes, n, ":watch\r\n", 8);

    if (pair->known || (!ask && !watch))
        return;
    pair->known = true;
    pair->side = ask ? SIDE_ASK : SIDE_WATCH;
    pair->up.to = pair->down.from = proxy_connect(pair->proxy->servers[pair->side]->socket);
    if (pair->up.to < 0) {
        pair_end(pair);
        return;
    }
    ev_io_set(&pair->down.readable, pair->down.from, EV_READ);
    ev_io_start(ev_default_loop(0), &pair->down.readable);
}

/* Copies what was read, with other text where the proxy has some. The caller frees. */
static inline char *lane_words(const struct lane *lane, const char *bytes, size_t *n)
{
    const struct proxy *proxy = lane->pair->proxy;
    const char *at = lane == &lane->pair->down && lane->pair->side == SIDE_ASK && proxy->heard
                         ? memmem(bytes, *n, proxy->heard, strlen(proxy->heard))
                         : NULL;
    size_t before = !at ? *n : (size_t)(at - bytes), heard = !at ? 0 : strlen(proxy->heard),
           said = !at ? 0 : strlen(proxy->said), after = *n - before - heard;
    char *copy = malloc(before + said + after);

    memcpy(copy, bytes, before);
    if (at) {
        memcpy(copy + before, proxy->said, said);
        memcpy(copy + before + said, at + heard, after);
    }
    *n = before + said + after;
    return copy;
}

static inline void lane_read(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct lane *lane = watcher->data;
    char bytes[65536];
    ssize_t n = read(lane->from, bytes, sizeof bytes);

    (void)loop, (void)events;
    if (n <= 0 || lane->count == PROXY_CHUNKS) {
        pair_end(lane->pair);
        return;
    }
    struct chunk *chunk = &lane->chunks[(lane->first + lane->count++) % PROXY_CHUNKS];
    chunk->n = (size_t)n;
    chunk->bytes = lane_words(lane, bytes, &chunk->n);
    chunk->due = player_clock() + lane->pair->proxy->delay_s;
    if (lane == &lane->pair->up)
        pair_learn(lane->pair, bytes, (size_t)n);
    if (lane->pair->open && lane->pair->known)
        lane_flush(lane);
}

static inline void proxy_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct proxy *proxy = watcher->data;
    struct pair *pair = calloc(1, sizeof *pair);

    (void)events;
    assert_true(proxy->accepted < PROXY_PAIRS);
    proxy->pairs[proxy->accepted++] = pair;
    pair->proxy = proxy;
    pair->open = true;
    pair->up.pair = pair->down.pair = pair;
    pair->up.from = pair->down.to = accept(proxy->listener, NULL, NULL);
    pair->up.to = pair->down.from = -1;
    ev_init(&pair->up.readable, lane_read);
    ev_init(&pair->down.readable, lane_read);
    pair->up.readable.data = &pair->up;
    pair->down.readable.data = &pair->down;
    ev_io_set(&pair->up.readable, pair->up.from, EV_READ);
    ev_io_start(loop, &pair->up.readable);
}

static inline void proxy_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct proxy *proxy = timer->data;

    (void)loop, (void)events;
    for (unsigned i = 0; i < proxy->accepted; i++) {
        if (proxy->pairs[i]->open && proxy->pairs[i]->known)
            lane_flush(&proxy->pairs[i]->up);
        if (proxy->pairs[i]->open && proxy->pairs[i]->known)
            lane_flush(&proxy->pairs[i]->down);
    }
}

static inline void proxy_start(struct proxy *proxy, const struct server *server)
{
    struct sockaddr_un address;

    memset(proxy, 0, sizeof *proxy);
    proxy->servers[SIDE_ASK] = proxy->servers[SIDE_WATCH] = server;
    snprintf(proxy->path, sizeof proxy->path, "%s/proxy", server->folder);
    snprintf(proxy->address, sizeof proxy->address, "unix:%s", proxy->path);
    address = proxy_sockaddr(proxy->path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listener, 16), 0);
    ev_io_init(&proxy->acceptable, proxy_accept, proxy->listener, EV_READ);
    proxy->acceptable.data = proxy;
    ev_io_start(ev_default_loop(0), &proxy->acceptable);
    ev_timer_init(&proxy->tick, proxy_tick, 0.002, 0.002);
    proxy->tick.data = proxy;
    ev_timer_start(ev_default_loop(0), &proxy->tick);
}

static inline void proxy_end(struct proxy *proxy)
{
    ev_io_stop(ev_default_loop(0), &proxy->acceptable);
    ev_timer_stop(ev_default_loop(0), &proxy->tick);
    close(proxy->listener);
    unlink(proxy->path);
    for (unsigned i = 0; i < proxy->accepted; i++) {
        pair_end(proxy->pairs[i]);
        free(proxy->pairs[i]);
    }
}

#endif
