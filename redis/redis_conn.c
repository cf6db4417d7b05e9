#include "redis/redis_conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "base/clock.h"
#include "base/resolve.h"
#include "base/rng.h"
#include "redis/pace.h"

#define RESOLVE_POLL_MS 5
/* Elements of one answer or message. hiredis 0.14 allocates whatever an array's header declares, 32 GB for ten bytes.
 * The longest that a Redis really sends us names the keys that changed in one turn of its loop. */
#define ELEMENTS_MAX (1 << 20)

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

enum redis_conn_state {
    CONN_IDLE,       /* not started */
    CONN_RESTING,    /* waits for its next try */
    CONN_RESOLVING,  /* looks the host's name up */
    CONN_CONNECTING, /* until the socket is connected */
    CONN_SIGNING_IN, /* AUTH and CLIENT SETNAME are out */
    CONN_UP,
    CONN_CLOSING /* nothing is sent any more */
};

struct redis_conn {
    struct redis_conn_setup setup;
    struct redis_conn_events events;
    void *user;
    redisReplyObjectFunctions reply_functions;
    void *(*create_array)(const redisReadTask *task, element_count count); /* hiredis' own */
    redisAsyncContext *context;                                            /* NULL while there is no connection */
    enum redis_conn_state state;
    bool was_up, connected, wants_close;
    bool writing;     /* inside redisAsyncHandleWrite(): what is left then waits for the loop */
    unsigned strikes; /* rounds of the watchdog in a row that found an answer overdue */
    ev_io reader, writer;
    ev_prepare soon; /* never started, only fed: runs when the turn's events are done */
    ev_timer timer;  /* RESTING: the next try; CONNECTING, SIGNING_IN: the deadline; UP: the watchdog's rounds */
    enum store_reason reason;
    char detail[160];
    uint32_t owed;
    uint64_t heard_ms; /* last answer, or begin of owing one */
    uint64_t up_ms;
    struct resolve *resolve; /* while RESOLVING */
    uint64_t resolve_until_ms;
    unsigned turn; /* of the addresses of a name */
    struct rng rng;
    struct backoff backoff;
};

static void set_state(struct redis_conn *conn, enum redis_conn_state state)
{
    static const unsigned next[] = {
        [CONN_IDLE] = 1u << CONN_RESTING,
        [CONN_RESTING] = 1u << CONN_RESOLVING | 1u << CONN_CONNECTING | 1u << CONN_RESTING,
        [CONN_RESOLVING] = 1u << CONN_CONNECTING | 1u << CONN_RESTING,
        [CONN_CONNECTING] = 1u << CONN_SIGNING_IN | 1u << CONN_CLOSING | 1u << CONN_RESTING,
        [CONN_SIGNING_IN] = 1u << CONN_UP | 1u << CONN_CLOSING | 1u << CONN_RESTING,
        [CONN_UP] = 1u << CONN_CLOSING | 1u << CONN_RESTING,
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

static void note_reason(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    if (conn->reason == STORE_REASON_NONE) {
        conn->reason = reason;
        snprintf(conn->detail, sizeof conn->detail, "%s", !detail ? "" : detail);
    }
}

/* hiredis frees its context, or has: ours is gone. */
static void forget(struct redis_conn *conn)
{
    ev_io_stop(conn->setup.loop, &conn->reader);
    ev_io_stop(conn->setup.loop, &conn->writer);
    conn->context = NULL;
    conn->connected = false;
    conn->wants_close = false;
    conn->owed = 0;
    conn->strikes = 0;
}

static void rest(struct redis_conn *conn)
{
    bool was_up = conn->was_up;
    enum store_reason reason = conn->reason;
    char detail[sizeof conn->detail];

    snprintf(detail, sizeof detail, "%s", conn->detail);
    if (was_up && clock_now_ms() - conn->up_ms >= conn->setup.watchdog_ms)
        backoff_reset(&conn->backoff);
    conn->was_up = false;
    conn->reason = STORE_REASON_NONE;
    conn->detail[0] = '\0';
    set_state(conn, CONN_RESTING);
    set_timer(conn, backoff_next(&conn->backoff, &conn->rng), 0);
    conn->events.on_down(conn->user, was_up, reason, detail);
}

/* An end that hiredis found: an error, or Redis closed. An error that Redis sent without being asked is in errstr. */
static void note_hiredis_error(struct redis_conn *conn, const redisAsyncContext *context)
{
    const char *text = context->c.errstr[0] != '\0' ? context->c.errstr : "closed by Redis";

    if (context->c.err == REDIS_ERR_OTHER)
        note_reason(conn, store_reason_of_error(text, strlen(text)), text);
    else if (context->c.err == REDIS_ERR_PROTOCOL)
        note_reason(conn, STORE_REASON_PROTOCOL, text);
    else
        note_reason(conn, conn->connected ? STORE_REASON_LOST : STORE_REASON_CONNECT_FAILED, text);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis_conn *conn = context->data;

    (void)status;
    if (!conn->context)
        return; /* close_now() is at it */
    note_hiredis_error(conn, context);
    forget(conn);
    rest(conn);
}

static void close_now(struct redis_conn *conn)
{
    redisAsyncContext *context = conn->context;

    conn->context = NULL;
    redisAsyncFree(context);
    forget(conn);
}

void redis_conn_close(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    if (!conn->context)
        return;
    note_reason(conn, reason, detail);
    if (conn->state != CONN_CLOSING)
        set_state(conn, CONN_CLOSING);
    conn->wants_close = true;
    feed_soon(conn);
}

enum store_reason redis_conn_ending(const struct redis_conn *conn)
{
    return conn->reason == STORE_REASON_NONE ? STORE_REASON_LOST : conn->reason;
}

/* Reading and writing: what hiredis calls to be told of its socket, and what the loop calls then. */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop, (void)events;
    redisAsyncHandleRead(conn->context);
}

static void write_out(struct redis_conn *conn)
{
    conn->writing = true;
    redisAsyncHandleWrite(conn->context);
    conn->writing = false;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop, (void)events;
    write_out(conn);
}

static void on_soon(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct redis_conn *conn = watcher->data;

    (void)loop, (void)events;
    if (!conn->context)
        return;
    if (conn->wants_close) {
        close_now(conn);
        rest(conn);
        return;
    }
    write_out(conn);
}

static void add_read(void *data)
{
    struct redis_conn *conn = data;

    ev_io_start(conn->setup.loop, &conn->reader);
}

static void del_read(void *data)
{
    struct redis_conn *conn = data;

    ev_io_stop(conn->setup.loop, &conn->reader);
}

/* Before the socket is connected, and when it is full, only the loop can tell when to write. */
static void add_write(void *data)
{
    struct redis_conn *conn = data;

    if (conn->connected && !conn->writing)
        feed_soon(conn);
    else
        ev_io_start(conn->setup.loop, &conn->writer);
}

static void del_write(void *data)
{
    struct redis_conn *conn = data;

    ev_io_stop(conn->setup.loop, &conn->writer);
}

static void cleanup(void *data)
{
    del_read(data);
    del_write(data);
}

/* NULL is "out of memory" to hiredis: it ends the connection. */
static void *create_array(const redisReadTask *task, element_count count)
{
    const struct redis_conn *conn = task->privdata;

    return count > ELEMENTS_MAX ? NULL : conn->create_array(task, count);
}

static void limit_arrays(struct redis_conn *conn)
{
    redisReader *reader = conn->context->c.reader;

    conn->reply_functions = *reader->fn;
    conn->create_array = reader->fn->createArray;
    conn->reply_functions.createArray = create_array;
    reader->fn = &conn->reply_functions;
    reader->privdata = conn;
}

static void attach(struct redis_conn *conn)
{
    redisAsyncContext *context = conn->context;

    limit_arrays(conn);
    context->data = conn;
    context->ev.data = conn;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    ev_io_set(&conn->reader, context->c.fd, EV_READ);
    ev_io_set(&conn->writer, context->c.fd, EV_WRITE);
}

/* Signing in */

void *redis_conn_reply(struct redisAsyncContext *context, const void *reply)
{
    struct redis_conn *conn = context->data;

    if (!reply) {
        if (conn->context && conn->state != CONN_CLOSING) { /* hiredis is ending it; on_disconnect() follows */
            note_hiredis_error(conn, context);
            set_state(conn, CONN_CLOSING);
        }
    } else {
        conn->owed -= conn->owed != 0;
        conn->heard_ms = clock_now_ms();
    }
    return conn->user;
}

static bool send_now(struct redis_conn *conn, const struct command *command, redisCallbackFn *callback, void *data)
{
    if (command->bad ||
        redisAsyncFormattedCommand(conn->context, callback, data, command->bytes, command->length) != REDIS_OK)
        return false;
    if (conn->owed++ == 0)
        conn->heard_ms = clock_now_ms();
    return true;
}

static void on_auth(redisAsyncContext *context, void *data, void *unused)
{
    const redisReply *reply = data;
    struct redis_conn *conn = context->data;

    (void)unused;
    redis_conn_reply(context, data);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        redis_conn_close(conn, store_reason_of_error(reply->str, (size_t)reply->len), reply->str);
}

/* The name is for CLIENT LIST only: a user who may not set it is as good. Any other error is one of signing in. */
static void on_name(redisAsyncContext *context, void *data, void *unused)
{
    const redisReply *reply = data;
    struct redis_conn *conn = context->data;
    enum store_reason reason = STORE_REASON_NONE;

    (void)unused;
    redis_conn_reply(context, data);
    if (!reply || conn->state != CONN_SIGNING_IN)
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        reason = store_reason_of_error(reply->str, (size_t)reply->len);
    if (reason != STORE_REASON_NONE && reason != STORE_REASON_NOPERM) {
        redis_conn_close(conn, reason, reply->str);
        return;
    }
    set_state(conn, CONN_UP);
    conn->was_up = true;
    conn->up_ms = conn->heard_ms;
    uint64_t round_ms = conn->setup.watchdog_ms / 4 + 1;
    set_timer(conn, round_ms, round_ms);
    conn->events.on_up(conn->user);
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
        sent = send_now(conn, &command, on_auth, NULL);
    }
    command_of(&command, "CLIENT", "SETNAME", setup->client_name, NULL);
    if (!sent || !send_now(conn, &command, on_name, NULL))
        redis_conn_close(conn, STORE_REASON_MEMORY, "");
    command_free(&command);
}

/* After a failure hiredis frees the context when this returns, without a call to on_disconnect(). */
static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis_conn *conn = context->data;

    if (status != REDIS_OK) {
        note_hiredis_error(conn, context);
        forget(conn);
        rest(conn);
        return;
    }
    conn->connected = true;
    if (conn->state == CONN_CONNECTING)
        sign_in(conn);
}

/* Time */

static void connect_to(struct redis_conn *conn, const char *where)
{
    const struct address *address = conn->setup.address;

    conn->context =
        address->kind == ADDRESS_UNIX ? redisAsyncConnectUnix(where) : redisAsyncConnect(where, address->port);
    if (!conn->context) {
        note_reason(conn, STORE_REASON_MEMORY, "");
        rest(conn);
        return;
    }
    if (conn->context->err != 0) {
        note_reason(conn, STORE_REASON_CONNECT_FAILED, conn->context->errstr);
        conn->context->data = conn;
        close_now(conn);
        rest(conn);
        return;
    }
    set_state(conn, CONN_CONNECTING);
    attach(conn);
    redisAsyncSetDisconnectCallback(conn->context, on_disconnect);
    redisAsyncSetConnectCallback(conn->context, on_connect);
    set_timer(conn, conn->setup.connect_ms, 0);
}

static void give_up(struct redis_conn *conn, enum store_reason reason, const char *detail)
{
    resolve_end(conn->resolve);
    conn->resolve = NULL;
    note_reason(conn, reason, detail);
    rest(conn);
}

static void connect_now(struct redis_conn *conn)
{
    const struct address *address = conn->setup.address;

    if (address->kind == ADDRESS_UNIX || resolve_is_numeric(address->where)) {
        connect_to(conn, address->where);
        return;
    }
    conn->resolve = resolve_start(address->where);
    if (!conn->resolve) {
        give_up(conn, STORE_REASON_MEMORY, "looking up the host's name");
        return;
    }
    set_state(conn, CONN_RESOLVING);
    conn->resolve_until_ms = clock_now_ms() + conn->setup.connect_ms;
    set_timer(conn, RESOLVE_POLL_MS, RESOLVE_POLL_MS);
}

static void look_at_lookup(struct redis_conn *conn)
{
    char where[RESOLVED_MAX];
    const char *why;

    switch (resolve_poll(conn->resolve, conn->turn, where, &why)) {
    case RESOLVE_BUSY:
        if (clock_now_ms() >= conn->resolve_until_ms)
            give_up(conn, STORE_REASON_CONNECT_DEADLINE, "looking up the host's name");
        break;
    case RESOLVE_FAILED: give_up(conn, STORE_REASON_CONNECT_FAILED, why); break;
    case RESOLVE_DONE:
        resolve_end(conn->resolve);
        conn->resolve = NULL;
        conn->turn++;
        connect_to(conn, where);
        break;
    }
}

/* One strike is not out: after this process itself stood still the answer may lie in the socket. */
static void watch_over(struct redis_conn *conn)
{
    uint64_t quiet_ms = clock_now_ms() - conn->heard_ms;

    if (conn->owed == 0 || quiet_ms < conn->setup.watchdog_ms) {
        conn->strikes = 0;
        return;
    }
    if (conn->strikes++ != 0)
        redis_conn_close(conn, STORE_REASON_WATCHDOG, "");
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct redis_conn *conn = timer->data;

    (void)loop, (void)events;
    switch (conn->state) {
    case CONN_RESTING: connect_now(conn); break;
    case CONN_RESOLVING: look_at_lookup(conn); break;
    case CONN_CONNECTING:
    case CONN_SIGNING_IN: redis_conn_close(conn, STORE_REASON_CONNECT_DEADLINE, ""); break;
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

void redis_conn_free(struct redis_conn *conn)
{
    if (!conn)
        return;
    if (conn->context) {
        note_reason(conn, STORE_REASON_SHUTTING_DOWN, "");
        if (conn->state != CONN_CLOSING)
            set_state(conn, CONN_CLOSING);
        close_now(conn);
    }
    resolve_end(conn->resolve);
    ev_timer_stop(conn->setup.loop, &conn->timer);
    ev_clear_pending(conn->setup.loop, &conn->soon);
    free(conn);
}

bool redis_conn_is_up(const struct redis_conn *conn)
{
    return conn->state == CONN_UP;
}

bool redis_conn_send(struct redis_conn *conn, const struct command *command, redisCallbackFn *callback, void *data)
{
    return conn->state == CONN_UP && send_now(conn, command, callback, data);
}
