/* spoe/server.h - an SPOE agent's side of all connections from HAProxy, on libev: listeners, connections, draining,
 * counters. What arrives is given to a spoe_handler (spoe/session.h) in batches, answers are written once a wake-up.
 * One loop, one thread. Source: HAProxy doc/SPOE.txt. A minimal agent:
 *
 *     static void on_notify(void *user, struct spoe_notify *batch, size_t n)
 *     {
 *         for (size_t i = 0; i < n; i++)
 *             spoe_call_ack(batch[i].call, actions, 1);
 *     }
 *     server = spoe_server_new(EV_DEFAULT, &options);
 *     spoe_server_listen(server, "unix:/run/agent.sock", NULL, error, sizeof error);
 *     ev_run(EV_DEFAULT, 0);
 */
#ifndef CELLROUTER_SPOE_SERVER_H
#define CELLROUTER_SPOE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/listen_socket.h"
#include "spoe/session.h"

struct ev_loop;
struct spoe_server;

struct spoe_closed {
    uint64_t connection; /* its number, counted from 1 */
    enum spoe_close reason;
    uint32_t peer_status; /* of PEER_DISCONNECT and PEER_ERROR: the status in HAProxy's frame */
    int error;            /* of IO_ERROR: errno; else 0 */
};

struct spoe_server_options {
    struct spoe_limits limits;
    uint32_t max_connections; /* more are closed at once; 0: 4096 */
    struct spoe_handler handler;

    /* Called once for each connection, with handler.user; its calls were cancelled before. Levels: spoe_close_level.
     * May be NULL. */
    void (*on_close)(void *user, const struct spoe_closed *closed);

    /* The drain is over: no listener and no connection is left. The server may be freed here. Comes
     * just before the loop goes to sleep, so use ev_break rather than a flag to leave it. May be NULL. */
    void (*on_drained)(void *user);
};

/* Copies options. The loop stays the caller's and must outlive the server. NULL: out of memory, or options out of
 * range. */
MUST_USE struct spoe_server *spoe_server_new(struct ev_loop *loop, const struct spoe_server_options *options);

/* Starts to listen at address, as listen_socket_open: a socket file (unix:/path), an abstract name (abns@name, open to
 * every local user), TCP (host:port, [v6]:port). Socket files are removed at the end. True, or false with a sentence in
 * error that names the address, what is wrong and what would be right. */
MUST_USE bool spoe_server_listen(struct spoe_server *server, const char *address, const struct listen_access *access,
                                 char *error, size_t error_size);

/* The port of the first TCP listener; 0: there is none. */
uint16_t spoe_server_port(const struct spoe_server *server);

/* Ends without losing an answer: first health checks fail while everything goes on (HAProxy looks for another agent);
 * after lame_duck_ms listeners close, each connection answers what it has and says AGENT-DISCONNECT. Then on_drained. A
 * second call can only shorten the first phase. May be called from handlers. */
void spoe_server_drain(struct spoe_server *server, uint32_t lame_duck_ms);

struct spoe_stats {
    struct spoe_counters sessions;
    uint64_t connections_now;
    uint64_t connections;   /* accepted */
    uint64_t accept_errors; /* out of descriptors or memory: accepting pauses for SPOE_ACCEPT_PAUSE_MS */
    uint64_t reads, writes; /* system calls */
};

enum { SPOE_ACCEPT_PAUSE_MS = 100 };

/* A copy. */
void spoe_server_stats(const struct spoe_server *server, struct spoe_stats *stats);

/* Ends at once: calls are cancelled, connections closed with SPOE_CLOSE_CUT, socket files removed. NULL is allowed. Not
 * from within on_notify, on_cancel or on_close. */
void spoe_server_free(struct spoe_server *server);

#endif
