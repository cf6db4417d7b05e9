/* redis/redis_conn.c - the states of a connection, its socket and its clock.
 *
 *     IDLE -> RESTING -> [RESOLVING ->] CONNECTING -> SIGNING_IN -> UP -> CLOSING -> RESTING -> ...
 *
 * IDLE        not started yet; never again after that.
 * RESTING     no socket. The timer is the next try: after a backoff with jitter, or now at the start.
 * RESOLVING   no socket. A thread looks the name up (base/peer.h), the timer asks it every 5 ms, until connect_ms.
 *             Then a rest; the next try goes on with the same lookup: a name server may take longer than that.
 * CONNECTING  a socket that is not connected. The loop says when it is; the timer is the deadline, connect_ms.
 * SIGNING_IN  AUTH and CLIENT SETNAME are out; the same deadline. Only this file sends here.
 * UP          the owner sends. The timer is the watchdog's round.
 * CLOSING     somebody called redis_conn_close(). Nothing is sent and nothing read any more; on_soon() ends it.
 *
 * There is a socket, and a struct replies, in CONNECTING, SIGNING_IN, UP and CLOSING, and in no other state. Every end
 * of one goes through end(): sockets closed, everybody who waits for a reply gets a NULL, then on_down(), then RESTING.
 *
 * Ends come from three sides. The socket's (closed, an error) and the timer's are found at the top of a callback of the
 * loop, where nothing of ours is on the stack but this file: end() at once. Those out of a callback of the owner, which
 * is below replies_next(), only mark (CLOSING) and feed on_soon(), which runs when the turn's events are done. So
 * nothing is freed below anybody's feet.
 *
 * What cannot happen: a callback that is called twice or not at all (the queue of struct replies ends with the socket);
 * a command that is sent on another connection than the one whose scripts or subscriptions its sender knows of
 * (redis_conn_send() refuses unless UP, and on_down() comes before the next UP); two connections of one struct at a
 * time.
 *
 * A burst of commands is written once, at the end of the loop's turn (on_soon() has the lowest priority); only what the
 * socket does not take at once waits for the loop. Reading takes 16 KB a turn, so that a Redis with much to say does
 * not keep the loop; an owner for whom one message is work for many turns stops it meanwhile (redis_conn_hold()). */
#include "redis/redis_conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include "base/clock.h"
#include "base/peer.h"
#include "base/rng.h"
#include "redis/pace.h"

enum {
    RESOLVE_POLL_MS = 5,
    READ_MOST = 16384,        /* bytes a turn */
    UNWRITTEN_MOST = 16 << 20 /* bytes that a Redis may leave unread before it is sent no more */
};

enum redis_conn_state {
    CONN_IDLE,
    CONN_RESTING,
    CONN_RESOLVING,
    CONN_CONNECTING,
    CONN_SIGNING_IN,
    CONN_UP,
    CONN_CLOSING
};

/* Bytes [sent, length) wait to be written. */
struct outgoing {
    char *bytes;
    size_t sent, length, room;
};

struct redis_conn {
    struct redis_conn_setup setup;
    struct redis_conn_events events;
    void *user;
    enum redis_conn_state state;
    int fd;                  /* -1: there is no connection */
    struct replies *replies; /* of this connection; NULL: none */
    struct outgoing out;
    bool was_up;
    bool held;        /* nothing is read or handed out */
    unsigned strikes; /* rounds of the watchdog in a row that found a reply overdue */
    ev_io reader, writer;
    ev_prepare soon; /* never started, only fed: runs when the turn's events are done */
    ev_timer timer;
    enum store_reason reason; /* of the end, once it is known */
    char detail[160];
    uint64_t heard_ms; /* last reply, or begin of owing one */
    uint64_t up_ms;
    struct peer peer;
    uint64_t resolve_until_ms;
    struct rng rng;
    struct backoff backoff;
};

static void set_state(struct redis_conn *conn, enum redis_conn_state state)
{
    static const unsigned next[] = {
        [CONN_IDLE] = 1u << CONN_RESTING,
        [CONN_RESTING] = 1u << CONN_RESOLVING | 1u << CONN_CONNECTING | 1u << CONN_RESTING,
        [CONN_RESOLVING] = 1u << CONN_CONNECTING | 1u << CONN_RESTING,
        [CONN_CONNECTING] = 1u << CONN_SIGNING_IN | 1u << CONN_CLOSING,
        [CONN_SIGNING_IN] = 1u << CONN_UP | 1u << CONN_CLOSING,
        [CONN_UP] = 1u << CONN_CLOSING,
        [CONN_CLOSING] = 1u << CONN_RESTING,
    };

    assert((next[conn->state] & 1u << state) != 0);
    (void)next; /* NDEBUG */
    conn->state = state;
}

static void set_timer(struct redis_conn *conn, uint64_t after_ms, uint64_t repeat_ms)
{
    ev_timer_stop(conn->setup.loop, &conn->timer);
    ev_timer_set(&conn->timer, (double)after_ms / 1000, (double)repeat_ms / 1000);
    ev_timer_start(conn->setup.loop, &conn->timer);
}

static void feed_soon(struct redis_conn *conn)
{
    if (!ev_is_pending(&conn->soon))
        ev_feed_event(conn->setup.loop, &conn->soon, EV_CUSTOM);
}

/* The end of a connection */

/* The first reason is the one that counts. */
static void note_reason(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    if (conn->reason == STORE_REASON_NONE) {
        conn->reason = reason;
        snprintf(conn->detail, sizeof conn->detail, "%s", detail);
    }
}

/* No connection any more, or none came about. */
static void rest(struct redis_conn *conn)
{
    bool was_up = conn->was_up;
    enum store_reason reason = conn->reason;
    char detail[sizeof conn->detail];

    memcpy(detail, conn->detail, sizeof detail);
    if (was_up && clock_now_ms() - conn->up_ms >= conn->setup.watchdog_ms)
        backoff_reset(&conn->backoff);
    conn->was_up = false;
    conn->reason = STORE_REASON_NONE;
    conn->detail[0] = '\0';
    set_state(conn, CONN_RESTING);
    set_timer(conn, backoff_next(&conn->backoff, &conn->rng), 0);
    conn->events.on_down(conn->user, was_up, reason, detail);
}

/* Not below replies_next(). While the NULLs go out the state is CLOSING, so that nothing joins them. */
static void drop(struct redis_conn *conn)
{
    struct replies *replies = conn->replies;

    if (conn->state != CONN_CLOSING)
        set_state(conn, CONN_CLOSING);
    ev_io_stop(conn->setup.loop, &conn->reader);
    ev_io_stop(conn->setup.loop, &conn->writer);
    close(conn->fd);
    conn->fd = -1;
    conn->replies = NULL;
    conn->out.sent = conn->out.length = 0;
    conn->held = false;
    conn->strikes = 0;
    replies_end(replies);
    replies_free(replies);
}

static void end(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    note_reason(conn, reason, detail);
    drop(conn);
    rest(conn);
}

void redis_conn_close(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    if (conn->fd < 0)
        return;
    note_reason(conn, reason, detail);
    if (conn->state != CONN_CLOSING)
        set_state(conn, CONN_CLOSING);
    feed_soon(conn);
}

enum store_reason redis_conn_ending(const struct redis_conn *conn)
{
    return conn->reason == STORE_REASON_NONE ? STORE_REASON_LOST : conn->reason;
}

/* Writing */

static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void write_out(struct redis_conn *conn)
{
    struct outgoing *out = &conn->out;

    while (out->sent < out->length) {
        ssize_t n = send(conn->fd, out->bytes + out->sent, out->length - out->sent, MSG_NOSIGNAL);

        if (n < 0 && is_for_later(errno)) {
            ev_io_start(conn->setup.loop, &conn->writer);
            return;
        }
        if (n < 0) {
            end(conn, STORE_REASON_LOST, strerror(errno));
            return;
        }
        out->sent += (size_t)n;
    }
    out->sent = out->length = 0;
    ev_io_stop(conn->setup.loop, &conn->writer);
}

/* False: no memory, or Redis reads nothing. */
static bool append(struct outgoing *out, const struct command *command)
{
    size_t rest = out->length - out->sent;

    if (command->bad || rest + command->length > UNWRITTEN_MOST)
        return false;
    if (out->length + command->length > out->room) {
        size_t room = 2 * (rest + command->length);
        char *bytes = malloc(room);

        if (!bytes)
            return false;
        if (rest != 0)
            memcpy(bytes, out->bytes + out->sent, rest);
        free(out->bytes);
        *out = (struct outgoing){.bytes = bytes, .length = rest, .room = room};
    }
    memcpy(out->bytes + out->length, command->bytes, command->length);
    out->length += command->length;
    return true;
}

static bool send_now(struct redis_conn *conn, const struct command *command)
{
    if (!append(&conn->out, command))
        return false;
    feed_soon(conn);
    return true;
}

/* The callback stands in the queue before the command is in the output, or neither is. */
static bool ask_now(struct redis_conn *conn, const struct command *command, redis_reply_fn *callback, void *data)
{
    if (replies_expected(conn->replies) == 0)
        conn->heard_ms = clock_now_ms();
    if (!send_now(conn, command))
        return false;
    if (replies_expect(conn->replies, callback, data))
        return true;
    conn->out.length -= command->length;
    return false;
}

static void on_soon(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop, (void)events;
    if (conn->fd < 0)
        return;
    if (conn->state == CONN_CLOSING)
        end(conn, STORE_REASON_LOST, ""); /* redis_conn_close() has said why */
    else
        write_out(conn);
}

/* Reading */

static void hand_out(struct redis_conn *conn)
{
    while (conn->state != CONN_CLOSING && !conn->held) {
        switch (replies_next(conn->replies)) {
        case REPLIES_NONE: return;
        case REPLIES_TAKEN: conn->heard_ms = clock_now_ms(); break;
        case REPLIES_BROKEN: redis_conn_close(conn, STORE_REASON_PROTOCOL, replies_broken(conn->replies)); break;
        case REPLIES_REFUSED: {
            const char *error = replies_broken(conn->replies);

            redis_conn_close(conn, store_reason_of_error(error, strlen(error)), error);
            break;
        }
        }
    }
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_conn *conn = watcher->data;
    char bytes[READ_MOST];
    ssize_t n = recv(conn->fd, bytes, sizeof bytes, 0);

    (void)loop, (void)events;
    if (n < 0 && is_for_later(errno))
        return;
    if (n <= 0) {
        end(conn, STORE_REASON_LOST, n == 0 ? "closed by Redis" : strerror(errno));
        return;
    }
    replies_feed(conn->replies, bytes, (size_t)n);
    hand_out(conn);
}

void redis_conn_hold(struct redis_conn *conn)
{
    if (conn->fd < 0)
        return;
    conn->held = true;
    ev_io_stop(conn->setup.loop, &conn->reader);
}

void redis_conn_go_on(struct redis_conn *conn)
{
    if (!conn->held)
        return;
    conn->held = false;
    ev_io_start(conn->setup.loop, &conn->reader);
    hand_out(conn);
}

/* Signing in */

static void on_auth(void *user, const redisReply *reply, void *data)
{
    struct redis_conn *conn = data;

    (void)user;
    if (reply && reply->type == REDIS_REPLY_ERROR)
        redis_conn_close(conn, store_reason_of_error(reply->str, (size_t)reply->len), reply->str);
    else if (reply && reply->type != REDIS_REPLY_STATUS)
        redis_conn_close(conn, STORE_REASON_PROTOCOL, "AUTH");
}

static void come_up(struct redis_conn *conn)
{
    uint64_t round_ms = conn->setup.watchdog_ms / 4 + 1;

    set_state(conn, CONN_UP);
    conn->was_up = true;
    conn->up_ms = conn->heard_ms = clock_now_ms();
    set_timer(conn, round_ms, round_ms);
    conn->events.on_up(conn->user);
}

/* The name is for CLIENT LIST only: a user who may not set it is as good. Any other error is one of signing in. */
static void on_name(void *user, const redisReply *reply, void *data)
{
    struct redis_conn *conn = data;
    enum store_reason reason = STORE_REASON_NONE;

    (void)user;
    if (!reply || conn->state != CONN_SIGNING_IN)
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        reason = store_reason_of_error(reply->str, (size_t)reply->len);
    else if (reply->type != REDIS_REPLY_STATUS)
        reason = STORE_REASON_PROTOCOL;
    if (reason == STORE_REASON_NONE || reason == STORE_REASON_NOPERM)
        come_up(conn);
    else
        redis_conn_close(conn, reason, reply->type == REDIS_REPLY_ERROR ? reply->str : "CLIENT SETNAME");
}

static void sign_in(struct redis_conn *conn)
{
    struct command command = {0};
    const struct redis_conn_setup *setup = &conn->setup;
    bool sent = true;

    set_state(conn, CONN_SIGNING_IN);
    if (setup->password) {
        if (setup->username)
            command_of(&command, "AUTH", setup->username, setup->password, NULL);
        else
            command_of(&command, "AUTH", setup->password, NULL);
        sent = ask_now(conn, &command, on_auth, conn);
    }
    command_of(&command, "CLIENT", "SETNAME", setup->client_name, NULL);
    if (!sent || !ask_now(conn, &command, on_name, conn))
        redis_conn_close(conn, STORE_REASON_MEMORY, "");
    command_free(&command);
}

static void on_connected(struct redis_conn *conn)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error != 0) {
        end(conn, STORE_REASON_CONNECT_FAILED, strerror(error));
        return;
    }
    ev_io_stop(conn->setup.loop, &conn->writer);
    ev_io_start(conn->setup.loop, &conn->reader);
    sign_in(conn);
    write_out(conn);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop, (void)events;
    if (conn->state == CONN_CONNECTING)
        on_connected(conn);
    else if (conn->state != CONN_CLOSING)
        write_out(conn);
}

/* Connecting */

static void connect_to_peer(struct redis_conn *conn)
{
    conn->replies = replies_new(conn->user, conn->events.on_message);
    if (!conn->replies)
        note_reason(conn, STORE_REASON_MEMORY, "");
    else if ((conn->fd = peer_connect(&conn->peer)) < 0)
        note_reason(conn, STORE_REASON_CONNECT_FAILED, strerror(errno));
    if (conn->fd < 0) {
        replies_free(conn->replies);
        conn->replies = NULL;
        rest(conn);
        return;
    }
    set_state(conn, CONN_CONNECTING);
    ev_io_set(&conn->reader, conn->fd, EV_READ);
    ev_io_set(&conn->writer, conn->fd, EV_WRITE);
    ev_io_start(conn->setup.loop, &conn->writer);
    set_timer(conn, conn->setup.connect_ms, 0);
}

static void give_up(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    note_reason(conn, reason, detail);
    rest(conn);
}

/* Also again and again while RESOLVING. */
static void look_for_peer(struct redis_conn *conn)
{
    const char *why;

    switch (peer_find(&conn->peer, &why)) {
    case PEER_FOUND: connect_to_peer(conn); break;
    case PEER_NO_MEMORY: give_up(conn, STORE_REASON_MEMORY, "looking up the host's name"); break;
    case PEER_FAILED: give_up(conn, STORE_REASON_CONNECT_FAILED, why); break;
    case PEER_BUSY:
        if (conn->state == CONN_RESTING) {
            set_state(conn, CONN_RESOLVING);
            set_timer(conn, RESOLVE_POLL_MS, RESOLVE_POLL_MS);
        } else if (clock_now_ms() >= conn->resolve_until_ms) {
            give_up(conn, STORE_REASON_CONNECT_DEADLINE, "looking up the host's name");
        }
        break;
    }
}

static void connect_now(struct redis_conn *conn)
{
    peer_lost(&conn->peer);
    conn->resolve_until_ms = clock_now_ms() + conn->setup.connect_ms;
    look_for_peer(conn);
}

/* Time */

/* One strike is not out: after this process itself stood still the reply may lie in the socket. */
static void watch_over(struct redis_conn *conn)
{
    if (replies_expected(conn->replies) == 0 || clock_now_ms() - conn->heard_ms < conn->setup.watchdog_ms) {
        conn->strikes = 0;
        return;
    }
    if (conn->strikes++ != 0)
        end(conn, STORE_REASON_WATCHDOG, "");
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct redis_conn *conn = timer->data;

    (void)loop, (void)events;
    switch (conn->state) {
    case CONN_RESTING: connect_now(conn); break;
    case CONN_RESOLVING: look_for_peer(conn); break;
    case CONN_CONNECTING:
    case CONN_SIGNING_IN: end(conn, STORE_REASON_CONNECT_DEADLINE, ""); break;
    case CONN_UP: watch_over(conn); break;
    case CONN_IDLE:
    case CONN_CLOSING: break;
    }
}

/* From outside */

struct redis_conn *redis_conn_new(const struct redis_conn_setup *setup, const struct redis_conn_events *events,
                                  void *user)
{
    struct redis_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return NULL;
    conn->setup = *setup;
    conn->events = *events;
    conn->user = user;
    conn->fd = -1;
    peer_init(&conn->peer, setup->address);
    conn->rng.state = setup->seed;
    conn->backoff = (struct backoff){.min_ms = setup->backoff_min_ms, .max_ms = setup->backoff_max_ms};
    ev_init(&conn->reader, on_readable);
    ev_init(&conn->writer, on_writable);
    ev_init(&conn->soon, on_soon);
    ev_init(&conn->timer, on_timer);
    ev_set_priority(&conn->soon, EV_MINPRI); /* after everything else of the turn, so that one write does for all */
    conn->reader.data = conn->writer.data = conn->soon.data = conn->timer.data = conn;
    return conn;
}

void redis_conn_start(struct redis_conn *conn)
{
    assert(conn->state == CONN_IDLE);
    ev_now_update(conn->setup.loop); /* before the loop runs, its time is that of its making */
    set_state(conn, CONN_RESTING);
    set_timer(conn, 0, 0);
}

void redis_conn_set_password(struct redis_conn *conn, const char *password)
{
    conn->setup.password = password;
}

void redis_conn_free(struct redis_conn *conn)
{
    if (!conn)
        return;
    if (conn->fd >= 0) {
        note_reason(conn, STORE_REASON_SHUTTING_DOWN, "");
        drop(conn);
    }
    peer_deinit(&conn->peer);
    ev_timer_stop(conn->setup.loop, &conn->timer);
    ev_clear_pending(conn->setup.loop, &conn->soon);
    free(conn->out.bytes);
    free(conn);
}

bool redis_conn_is_up(const struct redis_conn *conn)
{
    return conn->state == CONN_UP;
}

bool redis_conn_send(struct redis_conn *conn, const struct command *command, redis_reply_fn *callback, void *data)
{
    return conn->state == CONN_UP && ask_now(conn, command, callback, data);
}

bool redis_conn_subscribe(struct redis_conn *conn, const struct command *command)
{
    if (conn->state != CONN_UP || !send_now(conn, command))
        return false;
    replies_listen(conn->replies);
    return true;
}
