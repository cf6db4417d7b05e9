/* redis/redis_conn.h - one connection to Redis: connects, signs in, watches that it is answered, and comes back after a
 * pause.
 *
 * What hiredis (0.14 and 1.x) wants, and where it is seen to here:
 * - It frees its context itself after a failed connect and after a disconnect: forget() is the only place that drops
 *   ours.
 * - Every callback may get a NULL reply: the connection is ending. Nothing can be sent then; redis_conn_send() refuses.
 * - A context must not be freed inside one of its callbacks: redis_conn_close() only marks, on_soon() does it.
 * - Its own timeout does not fire while commands keep being written: the deadline of connecting and the watchdog are
 *   here.
 * - Its libev adapter asks for write events through epoll for each burst: here a burst is written in the loop turn in
 *   which it was made, without that.
 * Source: hiredis async.c of v0.14.1 and v1.2.0. */
#ifndef CELLROUTER_REDIS_REDIS_CONN_H
#define CELLROUTER_REDIS_REDIS_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "base/address.h"
#include "base/attributes.h"
#include "redis/command.h"
#include "redis/reason.h"

struct ev_loop;
struct redis_conn;

/* Everything is borrowed for the life of the conn, the pointers' targets included. */
struct redis_conn_setup {
    struct ev_loop *loop;
    const struct address *address;
    const char *username, *password; /* NULL: none */
    const char *client_name;         /* for CLIENT SETNAME */
    uint32_t connect_ms;             /* for connecting and signing in */
    uint32_t watchdog_ms;            /* the longest time without any reply while one is owed */
    uint32_t backoff_min_ms, backoff_max_ms;
    uint64_t seed;
};

/* Called from the loop. on_down comes after all callbacks of commands had their NULL; the conn tries again by itself.
 * It is called for every end, of a connection that never came up as well. */
struct redis_conn_events {
    void (*on_up)(void *user);
    void (*on_down)(void *user, bool was_up, enum store_reason reason, const char *detail);
};

/* NULL: out of memory. redis_conn_start() makes it connect when the loop runs. */
MUST_USE struct redis_conn *redis_conn_new(const struct redis_conn_setup *setup, const struct redis_conn_events *events,
                                           void *user);
void redis_conn_start(struct redis_conn *conn);

/* Closes at once, without on_down; callbacks of commands get their NULL. Not from a callback. NULL is fine. */
void redis_conn_free(struct redis_conn *conn);

bool redis_conn_is_up(const struct redis_conn *conn);

/* Sends the command when the loop turn ends. callback gets (context, redisReply or NULL, data) and calls
 * redis_conn_reply() first. False: not up, or no memory; then callback is not called. */
MUST_USE bool redis_conn_send(struct redis_conn *conn, const struct command *command, redisCallbackFn *callback,
                              void *data);

/* Accounts for a reply or message; returns the user of the conn. reply may be NULL. */
void *redis_conn_reply(struct redisAsyncContext *context, const void *reply);

/* Ends the connection for this reason, soon. detail is copied. A second reason is ignored. */
void redis_conn_close(struct redis_conn *conn, enum store_reason reason, const char *detail);

/* Why the connection is ending, for callbacks that got a NULL reply. */
enum store_reason redis_conn_ending(const struct redis_conn *conn);

#endif
