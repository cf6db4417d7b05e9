/* spoe/conn.h - SPOP connections on libev: each is a socket around a spoe_session. Private to spoe/.
 * Closing has one way, spoe_conn_close; memory goes at the end of the loop's turn. */
#ifndef CELLROUTER_SPOE_CONN_H
#define CELLROUTER_SPOE_CONN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "spoe/server.h"

struct spoe_conn;

/* One read takes at most this much, of one connection; all share the buffer. 2.6 delivers about 14 NOTIFYs a read. */
enum { SPOE_READ_SIZE = 65536 };

/* All connections of one server. An open struct, embedded; fields are spoe/conn.c's but where it says otherwise. */
struct spoe_conns {
    struct ev_loop *loop;
    struct spoe_common *common;
    void (*on_close)(void *user, const struct spoe_closed *closed); /* may be NULL */
    void *user;
    void (*on_turn)(void *owner); /* at the end of each turn of the loop, when all is consistent; the last thing done */
    void *owner;

    struct list_node all, dead; /* of struct spoe_conn */
    struct spoe_conn *dirty;
    uint64_t now, opened; /* connections; to be read */
    uint64_t reads, writes;
    ev_prepare turn;
    ev_idle stay; /* keeps the loop from sleeping while something is dirty */
    uint8_t *buffer;
};

/* handler, limits, on_close and user as in spoe_server_options. False: out of memory, or options out of range. */
MUST_USE bool spoe_conns_init(struct spoe_conns *conns, struct ev_loop *loop, const struct spoe_server_options *options,
                              void (*on_turn)(void *owner), void *owner);

/* Closes what is open with SPOE_CLOSE_CUT. */
void spoe_conns_deinit(struct spoe_conns *conns);

/* Takes over fd, a connected non-blocking stream socket. refuse: SPOE_CLOSE_NONE, or why it is closed at once.
 * False: out of memory, fd is closed; HAProxy takes it for an error and tries again. */
MUST_USE bool spoe_conns_add(struct spoe_conns *conns, int fd, enum spoe_close refuse);

/* Lets each connection answer what it has, and end (spoe_session_finish). */
void spoe_conns_finish(struct spoe_conns *conns);

/* The one way to close. The first reason counts; closing again does nothing. error: errno of IO_ERROR, else 0. */
void spoe_conn_close(struct spoe_conn *conn, enum spoe_close reason, int error);

#endif
