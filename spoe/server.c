/* spoe/server.c - puts listeners and connections together, counts connections, and drains.
 *
 * A drain goes forward through enum drain. It is moved on in on_turn only, at the end of a turn of the loop, when no
 * connection is in use further up: the timer just leaves a mark. on_drained is the last thing done there, because the
 * user may free the server in it. */
#include "spoe/server.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

#include "spoe/conn.h"
#include "spoe/listener.h"

enum { CONNECTIONS_MAX = 4096 };

enum drain {
    DRAIN_NO,
    DRAIN_LAME_DUCK, /* health checks fail, all else goes on */
    DRAIN_ENDING,    /* the listeners are closed, connections end */
    DRAIN_DONE       /* the user was told */
};

struct spoe_server {
    struct ev_loop *loop;
    struct spoe_conns conns;
    struct spoe_listener *listeners;
    uint64_t accept_errors; /* of connections that found no memory, and of listeners that are closed */
    uint32_t max_connections;
    void (*on_drained)(void *user);
    void *user;
    enum drain drain;
    bool lame_duck_over; /* the end of the turn goes on with DRAIN_ENDING: no connection is in use there */
    ev_timer lame_duck;
};

static void stop_listeners(struct spoe_server *server)
{
    while (server->listeners) {
        struct spoe_listener *listener = server->listeners;
        server->listeners = listener->next;
        server->accept_errors += listener->errors;
        spoe_listener_stop(listener);
        free(listener);
    }
}

static void on_lame_duck_over(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct spoe_server *server = watcher->data;
    server->lame_duck_over = true;
}

/* The end of each turn of the loop. Nothing may follow on_drained: it may free the server. */
static void on_turn(void *owner)
{
    struct spoe_server *server = owner;
    if (server->drain == DRAIN_LAME_DUCK && server->lame_duck_over) {
        server->drain = DRAIN_ENDING;
        stop_listeners(server);
        spoe_conns_finish(&server->conns);
    }
    if (server->drain != DRAIN_ENDING || server->conns.now > 0)
        return;
    server->drain = DRAIN_DONE;
    if (server->on_drained)
        server->on_drained(server->user);
}

struct spoe_server *spoe_server_new(struct ev_loop *loop, const struct spoe_server_options *options)
{
    struct spoe_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    if (!spoe_conns_init(&server->conns, loop, options, on_turn, server)) {
        free(server);
        return NULL;
    }
    server->loop = loop;
    server->max_connections = options->max_connections > 0 ? options->max_connections : CONNECTIONS_MAX;
    server->on_drained = options->on_drained;
    server->user = options->handler.user;
    ev_timer_init(&server->lame_duck, on_lame_duck_over, 0., 0.);
    server->lame_duck.data = server;
    return server;
}

static void on_accept(void *user, int fd)
{
    struct spoe_server *server = user;
    bool full = server->conns.now >= server->max_connections;
    if (!spoe_conns_add(&server->conns, fd, full ? SPOE_CLOSE_TOO_MANY : SPOE_CLOSE_NONE))
        server->accept_errors++;
}

bool spoe_server_listen(struct spoe_server *server, const char *address, const struct listen_access *access,
                        char *error, size_t error_size)
{
    struct spoe_listener *listener = malloc(sizeof *listener);
    if (!listener) {
        snprintf(error, error_size, "%s: out of memory", address);
        return false;
    }
    if (!spoe_listener_start(listener, server->loop, address, access, on_accept, server, error, error_size)) {
        free(listener);
        return false;
    }
    struct spoe_listener **last = &server->listeners;
    while (*last)
        last = &(*last)->next;
    *last = listener;
    return true;
}

uint16_t spoe_server_port(const struct spoe_server *server)
{
    for (const struct spoe_listener *listener = server->listeners; listener; listener = listener->next)
        if (listener->listening.kind == ADDRESS_TCP)
            return listener->listening.port;
    return 0;
}

void spoe_server_drain(struct spoe_server *server, uint32_t lame_duck_ms)
{
    double wait = lame_duck_ms / 1000.0;
    if (server->drain > DRAIN_LAME_DUCK || server->lame_duck_over)
        return;
    if (server->drain == DRAIN_LAME_DUCK && ev_timer_remaining(server->loop, &server->lame_duck) <= wait)
        return;
    server->drain = DRAIN_LAME_DUCK;
    spoe_common_refuse_checks(server->conns.common);
    ev_timer_stop(server->loop, &server->lame_duck);
    ev_timer_set(&server->lame_duck, wait, 0.); /* of 0: still a turn of the loop, as handlers may call this */
    ev_timer_start(server->loop, &server->lame_duck);
}

void spoe_server_stats(const struct spoe_server *server, struct spoe_stats *stats)
{
    *stats = (struct spoe_stats){
        .sessions = *spoe_common_counters(server->conns.common),
        .connections_now = server->conns.now,
        .connections = server->conns.opened,
        .accept_errors = server->accept_errors,
        .reads = server->conns.reads,
        .writes = server->conns.writes,
    };
    for (const struct spoe_listener *listener = server->listeners; listener; listener = listener->next)
        stats->accept_errors += listener->errors;
}

void spoe_server_free(struct spoe_server *server)
{
    if (!server)
        return;
    stop_listeners(server);
    ev_timer_stop(server->loop, &server->lame_duck);
    spoe_conns_deinit(&server->conns);
    free(server);
}
