/* redis/redis_conn.h - one connection to Redis: connects, signs in, watches that it is answered, and comes back after a
 * pause. What Redis says on it: redis/replies.h. */
#ifndef CELLROUTER_REDIS_REDIS_CONN_H
#define CELLROUTER_REDIS_REDIS_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/attributes.h"
#include "redis/command.h"
#include "redis/reason.h"
#include "redis/replies.h"

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

/* Called from the loop. */
struct redis_conn_events {
    /* Signed in: commands can be sent, nothing of an earlier connection is known to this one. */
    void (*on_up)(void *user);
    /* After all callbacks of commands had their NULL; the conn tries again by itself. Called for every end, of a
     * connection that never came up as well (was_up says). detail lives as long as the call. */
    void (*on_down)(void *user, bool was_up, enum store_reason reason, const char *detail);
    /* A message, behind redis_conn_subscribe(); the callee owns it. NULL for a conn that never subscribes. */
    redis_message_fn *on_message;
};

/* NULL: out of memory. redis_conn_start() makes it connect when the loop runs. */
MUST_USE struct redis_conn *redis_conn_new(const struct redis_conn_setup *setup, const struct redis_conn_events *events,
                                           void *user);

/* Connects, once the loop runs. Called once. */
void redis_conn_start(struct redis_conn *conn);

/* Signs in with this password from the next time on, borrowed as the setup's. NULL: none. */
void redis_conn_set_password(struct redis_conn *conn, const char *password);

/* Closes at once, without on_down; callbacks of commands get their NULL. Not from a callback. NULL is fine. */
void redis_conn_free(struct redis_conn *conn);

/* Signed in and not ending: commands can be sent. */
bool redis_conn_is_up(const struct redis_conn *conn);

/* Sends the command when the loop turn ends; its bytes are copied. callback gets the reply, or NULL when the connection
 * ends before. False: not up, no memory, or too much is unsent; then callback is not called. */
MUST_USE bool redis_conn_send(struct redis_conn *conn, const struct command *command, redis_reply_fn *callback,
                              void *data);

/* The same for a command whose replies are messages, SUBSCRIBE. It has to be the last one on this connection. */
MUST_USE bool redis_conn_subscribe(struct redis_conn *conn, const struct command *command);

/* Nothing more is read or handed out until redis_conn_go_on(); a lost connection is found out after that. Neither is
 * called from a callback of a reply of another conn. An end of the connection lifts it. */
void redis_conn_hold(struct redis_conn *conn);

/* Hands out what came before, reads again. May call callbacks. Nothing unless it is held. */
void redis_conn_go_on(struct redis_conn *conn);

/* Ends the connection for this reason, soon; nothing more is sent or handed out. detail is copied. A second reason is
 * ignored, as is a call without a connection. */
void redis_conn_close(struct redis_conn *conn, enum store_reason reason, const char *detail);

/* Why the connection is ending, for callbacks that got a NULL reply. */
enum store_reason redis_conn_ending(const struct redis_conn *conn);

#endif
