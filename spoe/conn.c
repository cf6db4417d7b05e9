/* spoe/conn.c - the sockets around the sessions, on libev. A session (spoe/session.c) knows what was said and what
 * there is to say; a connection moves the bytes, tells the session the time, and carries out the end that is decided.
 *
 * States. to_state alone changes them, and only forwards:
 *
 *   OPEN       bytes go both ways.
 *   LINGERING  spoe_conn_close was called. The session is closed, its calls were cancelled, on_close was told: nobody
 *              is answered any more. Last bytes (the HELLO to a health check, AGENT-DISCONNECT) go out, then our side
 *              of the socket is shut, and HAProxy has LINGER_MS to close its own. What it still sends is read and
 *              thrown away: a socket that is closed with unread bytes resets the connection, and a reset can take from
 *              HAProxy what it has not read yet.
 *   DEAD       bury gave up socket and watchers. Only memory is left, for those who still look at the state.
 *
 * Not every reason lingers. To a peer that is gone or does not read there is nothing to say (FAREWELL_NONE). When there
 * are too many connections, or the agent ends at once, one write is tried and the socket closed (FAREWELL_WRITE).
 *
 * Memory. A connection may be closed in the middle of anything: a write fails while its caller still wants to look at
 * the clock, or a reason comes out of the very read that is being worked on. So bury frees nothing. Dead connections
 * are freed in on_turn, after the dirty ones were settled, and in spoe_conns_deinit: no other function of this file has
 * one in its hands there.
 *
 * Ownership. struct spoe_conns owns the connections, a connection its socket and its session. All connections read into
 * one buffer, which is free again when spoe_session_feed returns: the session keeps a copy of what it needs.
 *
 * Writing. What was answered within a read leaves in one sendmsg at its end (settle). What is answered later, when
 * Redis has spoken, comes by on_output: the connection becomes dirty, and all dirty ones are settled at the end of the
 * turn, so that many answers to one connection are one write. on_turn is a prepare watcher of the lowest priority; it
 * runs after those of other rooms, and before the loop sleeps. What becomes dirty after that, from within on_turn,
 * starts `stay`, which keeps the loop from sleeping.
 *
 * Time. One timer a connection stands at the earliest of the session's times (spoe_session_wakeup), or at the end of
 * the lingering. It is brought forward but never put back: one that fires too early finds nothing due and is set again.
 * So the calls that come and go by the thousand do not touch the loop's heap of timers. */
#include "spoe/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PIECES_MAX = 16, /* blocks in one write; the rest waits for the next wake-up */
    LINGER_MS =
        1000, /* after our last byte, for HAProxy to close; closing at once would throw away what it has not read */
};

enum conn_state {
    CONN_OPEN,
    CONN_LINGERING, /* the session is closed; last bytes are on their way */
    CONN_DEAD       /* no socket any more; freed at the end of the turn */
};

struct spoe_conn {
    struct spoe_conns *conns;
    struct spoe_session *session;
    struct list_node node; /* in conns->all, then in conns->dead */
    struct spoe_conn *next_dirty;
    bool is_dirty;
    bool is_shut; /* our side of the socket */
    enum conn_state state;
    int fd;
    uint64_t number;
    uint64_t timer_ms; /* when timer fires, if it is active */
    ev_io readable, writable;
    ev_timer timer;
};

/* ---- the end of a connection ------------------------------------------------------------------------------------ */

static void to_state(struct spoe_conn *conn, enum conn_state state)
{
    assert(state == conn->state + 1);
    conn->state = state;
}

static void set_timer(struct spoe_conn *conn, uint64_t at_ms, uint64_t now_ms)
{
    uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 1;
    ev_timer_stop(conn->conns->loop, &conn->timer);
    ev_timer_set(&conn->timer, (double)wait_ms / 1000.0, 0.);
    ev_timer_start(conn->conns->loop, &conn->timer);
    conn->timer_ms = at_ms;
}

/* Gives up the socket. The memory stays until the end of the turn: a caller may still hold the connection. */
static void bury(struct spoe_conn *conn)
{
    struct spoe_conns *conns = conn->conns;
    to_state(conn, CONN_DEAD);
    ev_io_stop(conns->loop, &conn->readable);
    ev_io_stop(conns->loop, &conn->writable);
    ev_timer_stop(conns->loop, &conn->timer);
    close(conn->fd);
    list_remove(&conn->node);
    list_insert(&conns->dead, &conn->node);
    conns->now--;
}

static void free_dead(struct spoe_conns *conns)
{
    while (!list_is_empty(&conns->dead)) {
        struct spoe_conn *conn = LIST_OWNER(conns->dead.next, struct spoe_conn, node);
        list_remove(&conn->node);
        spoe_session_free(conn->session);
        free(conn);
    }
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void write_failed(struct spoe_conn *conn, int error)
{
    bool gone = error == EPIPE || error == ECONNRESET;
    if (conn->state == CONN_LINGERING)
        bury(conn);
    else
        spoe_conn_close(conn, gone ? SPOE_CLOSE_PEER_RESET : SPOE_CLOSE_IO_ERROR, gone ? 0 : error);
}

/* One system call with all there is. */
static ssize_t write_pieces(struct spoe_conn *conn)
{
    struct spoe_bytes pieces[PIECES_MAX];
    struct iovec vector[PIECES_MAX];
    size_t n = spoe_session_output(conn->session, pieces, PIECES_MAX);
    for (size_t i = 0; i < n; i++)
        vector[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].at, .iov_len = pieces[i].length};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = n};
    conn->conns->writes++;
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

/* Sends what waits, as far as the socket takes it. May close or bury the connection. */
static void flush(struct spoe_conn *conn, uint64_t now_ms)
{
    struct ev_loop *loop = conn->conns->loop;
    if (conn->state == CONN_DEAD)
        return;
    if (spoe_session_unsent(conn->session) > 0) {
        ssize_t sent = write_pieces(conn);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            write_failed(conn, errno);
            return;
        }
        if (sent > 0)
            spoe_session_sent(conn->session, (size_t)sent, now_ms);
    }
    if (spoe_session_unsent(conn->session) > 0)
        ev_io_start(loop, &conn->writable);
    else
        ev_io_stop(loop, &conn->writable);
}

/* After the last byte HAProxy sees the end of the stream, and has LINGER_MS to close its side. */
static void flush_last(struct spoe_conn *conn, uint64_t now_ms)
{
    flush(conn, now_ms);
    if (conn->state != CONN_LINGERING || conn->is_shut || spoe_session_unsent(conn->session) > 0)
        return;
    conn->is_shut = true;
    if (shutdown(conn->fd, SHUT_WR) != 0)
        bury(conn);
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

enum farewell {
    FAREWELL_NONE,  /* HAProxy is not there, or does not listen */
    FAREWELL_WRITE, /* one try; it is meant to cost nothing */
    FAREWELL_LINGER /* HAProxy gets the time to read it */
};

static enum farewell farewell_of(enum spoe_close reason)
{
    switch ((int)reason) {
    case SPOE_CLOSE_PEER_GONE:
    case SPOE_CLOSE_PEER_RESET:
    case SPOE_CLOSE_IO_ERROR:
    case SPOE_CLOSE_NOT_READING:
    case SPOE_CLOSE_NO_MEMORY: return FAREWELL_NONE;
    case SPOE_CLOSE_TOO_MANY:
    case SPOE_CLOSE_CUT: return FAREWELL_WRITE;
    default: return FAREWELL_LINGER;
    }
}

static void say_farewell(struct spoe_conn *conn, enum farewell farewell)
{
    uint64_t now_ms = clock_now_ms();
    if (farewell != FAREWELL_NONE)
        flush_last(conn, now_ms);
    if (conn->state == CONN_DEAD)
        return;
    if (farewell == FAREWELL_LINGER)
        set_timer(conn, now_ms + LINGER_MS, now_ms);
    else
        bury(conn);
}

void spoe_conn_close(struct spoe_conn *conn, enum spoe_close reason, int error)
{
    struct spoe_conns *conns = conn->conns;
    if (conn->state != CONN_OPEN)
        return;
    to_state(conn, CONN_LINGERING);
    reason = spoe_session_close(conn->session, reason);
    if (conns->on_close) {
        struct spoe_closed closed = {.connection = conn->number,
                                     .reason = reason,
                                     .peer_status = spoe_session_peer_status(conn->session),
                                     .error = error};
        conns->on_close(conns->user, &closed);
    }
    say_farewell(conn, farewell_of(reason));
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* After anything that happened to the session: close it, or send and look at the clock. */
static void settle(struct spoe_conn *conn, enum spoe_close reason, uint64_t now_ms)
{
    if (reason != SPOE_CLOSE_NONE) {
        spoe_conn_close(conn, reason, 0);
        return;
    }
    flush(conn, now_ms);
    if (conn->state != CONN_OPEN)
        return;
    /* A timer that fires too early only looks again, so it is left alone while calls come and go. */
    uint64_t at_ms = spoe_session_wakeup(conn->session);
    if (at_ms != UINT64_MAX && (!ev_is_active(&conn->timer) || at_ms < conn->timer_ms))
        set_timer(conn, at_ms, now_ms);
}

static void read_failed(struct spoe_conn *conn, ssize_t n, int error)
{
    if (n < 0 && (error == EAGAIN || error == EWOULDBLOCK || error == EINTR))
        return;
    if (conn->state == CONN_LINGERING)
        bury(conn);
    else if (n == 0)
        spoe_conn_close(conn, SPOE_CLOSE_PEER_GONE, 0);
    else if (error == ECONNRESET)
        spoe_conn_close(conn, SPOE_CLOSE_PEER_RESET, 0);
    else
        spoe_conn_close(conn, SPOE_CLOSE_IO_ERROR, error);
}

/* One read a wake-up: the loop comes back when there is more, and other connections have their turn. */
static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct spoe_conn *conn = watcher->data;
    struct spoe_conns *conns = conn->conns;
    ssize_t n = recv(conn->fd, conns->buffer, SPOE_READ_SIZE, 0);
    conns->reads++;
    if (n <= 0) {
        read_failed(conn, n, errno);
        return;
    }
    if (conn->state == CONN_LINGERING)
        return; /* what HAProxy sent before it saw our goodbye */
    uint64_t now_ms = clock_now_ms();
    settle(conn, spoe_session_feed(conn->session, conns->buffer, (size_t)n, now_ms), now_ms);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct spoe_conn *conn = watcher->data;
    uint64_t now_ms = clock_now_ms();
    if (conn->state == CONN_LINGERING)
        flush_last(conn, now_ms);
    else
        settle(conn, SPOE_CLOSE_NONE, now_ms);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct spoe_conn *conn = watcher->data;
    if (conn->state == CONN_LINGERING) {
        bury(conn);
        return;
    }
    uint64_t now_ms = clock_now_ms();
    settle(conn, spoe_session_tick(conn->session, now_ms), now_ms);
}

/* The session was given answers outside of an event of its connection: they are sent together at the end of the
 * turn. */
static void on_output(void *owner)
{
    struct spoe_conn *conn = owner;
    struct spoe_conns *conns = conn->conns;
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    conn->next_dirty = conns->dirty;
    conns->dirty = conn;
    if (!ev_is_active(&conns->stay))
        ev_idle_start(conns->loop, &conns->stay);
}

static void settle_dirty(struct spoe_conns *conns)
{
    uint64_t now_ms = conns->dirty ? clock_now_ms() : 0;
    while (conns->dirty) {
        struct spoe_conn *conn = conns->dirty;
        conns->dirty = conn->next_dirty;
        conn->is_dirty = false;
        if (conn->state == CONN_OPEN)
            settle(conn, spoe_session_tick(conn->session, now_ms), now_ms);
    }
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    (void)revents;
    struct spoe_conns *conns = watcher->data;
    settle_dirty(conns);
    ev_idle_stop(loop, &conns->stay);
    free_dead(conns);
    conns->on_turn(conns->owner);
}

static void on_stay(struct ev_loop *loop, ev_idle *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

/* ---- beginning -------------------------------------------------------------------------------------------------- */

static struct spoe_conn *new_conn(struct spoe_conns *conns, int fd)
{
    struct spoe_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->number = ++conns->opened;
    conn->session = spoe_session_new(conns->common, conn, conn->number, clock_now_ms());
    if (!conn->session) {
        free(conn);
        return NULL;
    }
    conn->conns = conns;
    conn->fd = fd;
    ev_io_init(&conn->readable, on_readable, fd, EV_READ);
    ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
    ev_timer_init(&conn->timer, on_timer, 0., 0.);
    conn->readable.data = conn->writable.data = conn->timer.data = conn;
    return conn;
}

bool spoe_conns_add(struct spoe_conns *conns, int fd, enum spoe_close refuse)
{
    struct spoe_conn *conn = new_conn(conns, fd);
    if (!conn) {
        close(fd);
        return false;
    }
    list_insert(&conns->all, &conn->node);
    conns->now++;
    if (refuse == SPOE_CLOSE_NONE)
        ev_io_start(conns->loop, &conn->readable);
    settle(conn, refuse, clock_now_ms());
    return true;
}

void spoe_conns_finish(struct spoe_conns *conns)
{
    uint64_t now_ms = clock_now_ms();
    for (struct list_node *at = conns->all.next, *next; at != &conns->all; at = next) {
        struct spoe_conn *conn = LIST_OWNER(at, struct spoe_conn, node);
        next = at->next;
        if (conn->state == CONN_OPEN)
            settle(conn, spoe_session_finish(conn->session), now_ms);
    }
}

bool spoe_conns_init(struct spoe_conns *conns, struct ev_loop *loop, const struct spoe_server_options *options,
                     void (*at_turn)(void *owner), void *owner)
{
    *conns = (struct spoe_conns){
        .loop = loop, .on_close = options->on_close, .user = options->handler.user, .on_turn = at_turn, .owner = owner};
    list_init(&conns->all);
    list_init(&conns->dead);
    conns->common = spoe_common_new(&options->limits, &options->handler, on_output);
    conns->buffer = malloc(SPOE_READ_SIZE);
    if (!conns->common || !conns->buffer) {
        spoe_common_free(conns->common);
        free(conns->buffer);
        return false;
    }
    ev_idle_init(&conns->stay, on_stay);
    ev_prepare_init(&conns->turn, on_turn);
    ev_set_priority(&conns->turn, EV_MINPRI); /* after other rooms' prepare watchers, which may give answers */
    conns->turn.data = conns;
    ev_prepare_start(loop, &conns->turn);
    ev_unref(loop); /* it is no work of its own that would keep ev_run going */
    return true;
}

void spoe_conns_deinit(struct spoe_conns *conns)
{
    while (!list_is_empty(&conns->all)) {
        struct spoe_conn *conn = LIST_OWNER(conns->all.next, struct spoe_conn, node);
        if (conn->state == CONN_OPEN)
            spoe_conn_close(conn, SPOE_CLOSE_CUT, 0);
        else
            bury(conn);
    }
    free_dead(conns);
    ev_ref(conns->loop);
    ev_prepare_stop(conns->loop, &conns->turn);
    ev_idle_stop(conns->loop, &conns->stay);
    spoe_common_free(conns->common);
    free(conns->buffer);
}
