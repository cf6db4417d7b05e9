#include "redis/link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ev.h>

#include "base/rng.h"
#include "redis/pace.h"
#include "redis/resolve.h"

#define RESOLVE_POLL_MS 5
/* Elements of one answer or message. hiredis 0.14 allocates whatever an array's header declares, 32 GB for ten bytes. The longest
 * that a Redis really sends us names the keys that changed in one turn of its loop. */
#define ELEMENTS_MAX (1 << 20)

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

enum link_state {
    LINK_IDLE,       /* not started */
    LINK_RESTING,    /* waits for its next try */
    LINK_RESOLVING,  /* looks the host's name up */
    LINK_CONNECTING, /* until the socket is connected */
    LINK_SIGNING_IN, /* AUTH and CLIENT SETNAME are out */
    LINK_UP,
    LINK_CLOSING /* nothing is sent any more */
};

struct link {
    struct link_setup setup;
    struct link_events events;
    void *user;
    redisReplyObjectFunctions reply_functions;
    void *(*create_array)(const redisReadTask *task, element_count count); /* hiredis' own */
    redisAsyncContext *context;                                            /* NULL while there is no connection */
    enum link_state state;
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

uint64_t link_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_state(struct link *link, enum link_state state)
{
    static const unsigned next[] = {
        [LINK_IDLE] = 1u << LINK_RESTING,
        [LINK_RESTING] = 1u << LINK_RESOLVING | 1u << LINK_CONNECTING | 1u << LINK_RESTING,
        [LINK_RESOLVING] = 1u << LINK_CONNECTING | 1u << LINK_RESTING,
        [LINK_CONNECTING] = 1u << LINK_SIGNING_IN | 1u << LINK_CLOSING | 1u << LINK_RESTING,
        [LINK_SIGNING_IN] = 1u << LINK_UP | 1u << LINK_CLOSING | 1u << LINK_RESTING,
        [LINK_UP] = 1u << LINK_CLOSING | 1u << LINK_RESTING,
        [LINK_CLOSING] = 1u << LINK_RESTING,
    };

    assert((next[link->state] & 1u << state) != 0);
    (void)next; /* NDEBUG */
    link->state = state;
}

static void set_timer(struct link *link, uint64_t after_ms, uint64_t repeat_ms)
{
    ev_timer_stop(link->setup.loop, &link->timer);
    ev_timer_set(&link->timer, (double)after_ms / 1000, (double)repeat_ms / 1000);
    ev_timer_start(link->setup.loop, &link->timer);
}

static void feed_soon(struct link *link)
{
    if (!ev_is_pending(&link->soon)) {
        ev_feed_event(link->setup.loop, &link->soon, EV_CUSTOM);
    }
}

/* The end of a connection */

static void note_reason(struct link *link, enum store_reason reason, const char *detail)
{
    if (link->reason == STORE_REASON_NONE) {
        link->reason = reason;
        snprintf(link->detail, sizeof link->detail, "%s", detail == NULL ? "" : detail);
    }
}

/* hiredis frees its context, or has: ours is gone. */
static void forget(struct link *link)
{
    ev_io_stop(link->setup.loop, &link->reader);
    ev_io_stop(link->setup.loop, &link->writer);
    link->context = NULL;
    link->connected = false;
    link->wants_close = false;
    link->owed = 0;
    link->strikes = 0;
}

static void rest(struct link *link)
{
    bool was_up = link->was_up;
    enum store_reason reason = link->reason;
    char detail[sizeof link->detail];

    snprintf(detail, sizeof detail, "%s", link->detail);
    if (was_up && link_now_ms() - link->up_ms >= link->setup.watchdog_ms) {
        backoff_reset(&link->backoff);
    }
    link->was_up = false;
    link->reason = STORE_REASON_NONE;
    link->detail[0] = '\0';
    set_state(link, LINK_RESTING);
    set_timer(link, backoff_next(&link->backoff, &link->rng), 0);
    link->events.on_down(link->user, was_up, reason, detail);
}

/* An end that hiredis found: an error, or Redis closed. An error that Redis sent without being asked is in errstr. */
static void note_hiredis_error(struct link *link, const redisAsyncContext *context)
{
    const char *text = context->c.errstr[0] != '\0' ? context->c.errstr : "closed by Redis";

    if (context->c.err == REDIS_ERR_OTHER) {
        note_reason(link, store_reason_of_error(text, strlen(text)), text);
    } else if (context->c.err == REDIS_ERR_PROTOCOL) {
        note_reason(link, STORE_REASON_PROTOCOL, text);
    } else {
        note_reason(link, link->connected ? STORE_REASON_LOST : STORE_REASON_CONNECT_FAILED, text);
    }
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct link *link = context->data;

    (void)status;
    if (link->context == NULL) {
        return; /* close_now() is at it */
    }
    note_hiredis_error(link, context);
    forget(link);
    rest(link);
}

static void close_now(struct link *link)
{
    redisAsyncContext *context = link->context;

    link->context = NULL;
    redisAsyncFree(context);
    forget(link);
}

void link_close(struct link *link, enum store_reason reason, const char *detail)
{
    if (link->context == NULL) {
        return;
    }
    note_reason(link, reason, detail);
    if (link->state != LINK_CLOSING) {
        set_state(link, LINK_CLOSING);
    }
    link->wants_close = true;
    feed_soon(link);
}

enum store_reason link_ending(const struct link *link)
{
    return link->reason == STORE_REASON_NONE ? STORE_REASON_LOST : link->reason;
}

/* Reading and writing: what hiredis calls to be told of its socket, and what the loop calls then. */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct link *link = watcher->data;

    (void)loop, (void)events;
    redisAsyncHandleRead(link->context);
}

static void write_out(struct link *link)
{
    link->writing = true;
    redisAsyncHandleWrite(link->context);
    link->writing = false;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct link *link = watcher->data;

    (void)loop, (void)events;
    write_out(link);
}

static void on_soon(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct link *link = watcher->data;

    (void)loop, (void)events;
    if (link->context == NULL) {
        return;
    }
    if (link->wants_close) {
        close_now(link);
        rest(link);
        return;
    }
    write_out(link);
}

static void add_read(void *data)
{
    struct link *link = data;

    ev_io_start(link->setup.loop, &link->reader);
}

static void del_read(void *data)
{
    struct link *link = data;

    ev_io_stop(link->setup.loop, &link->reader);
}

/* Before the socket is connected, and when it is full, only the loop can tell when to write. */
static void add_write(void *data)
{
    struct link *link = data;

    if (link->connected && !link->writing) {
        feed_soon(link);
    } else {
        ev_io_start(link->setup.loop, &link->writer);
    }
}

static void del_write(void *data)
{
    struct link *link = data;

    ev_io_stop(link->setup.loop, &link->writer);
}

static void cleanup(void *data)
{
    del_read(data);
    del_write(data);
}

/* NULL is "out of memory" to hiredis: it ends the connection. */
static void *create_array(const redisReadTask *task, element_count count)
{
    const struct link *link = task->privdata;

    return count > ELEMENTS_MAX ? NULL : link->create_array(task, count);
}

static void limit_arrays(struct link *link)
{
    redisReader *reader = link->context->c.reader;

    link->reply_functions = *reader->fn;
    link->create_array = reader->fn->createArray;
    link->reply_functions.createArray = create_array;
    reader->fn = &link->reply_functions;
    reader->privdata = link;
}

static void attach(struct link *link)
{
    redisAsyncContext *context = link->context;

    limit_arrays(link);
    context->data = link;
    context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    ev_io_set(&link->reader, context->c.fd, EV_READ);
    ev_io_set(&link->writer, context->c.fd, EV_WRITE);
}

/* Signing in */

void *link_reply(struct redisAsyncContext *context, const void *reply)
{
    struct link *link = context->data;

    if (reply == NULL) {
        if (link->context != NULL && link->state != LINK_CLOSING) { /* hiredis is ending it; on_disconnect() follows */
            note_hiredis_error(link, context);
            set_state(link, LINK_CLOSING);
        }
    } else {
        link->owed -= link->owed != 0;
        link->heard_ms = link_now_ms();
    }
    return link->user;
}

static bool send_now(struct link *link, const struct command *command, redisCallbackFn *callback, void *data)
{
    if (command->bad ||
        redisAsyncFormattedCommand(link->context, callback, data, command->bytes, command->length) != REDIS_OK) {
        return false;
    }
    if (link->owed++ == 0) {
        link->heard_ms = link_now_ms();
    }
    return true;
}

static void on_auth(redisAsyncContext *context, void *data, void *unused)
{
    const redisReply *reply = data;
    struct link *link = context->data;

    (void)unused;
    link_reply(context, data);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        link_close(link, store_reason_of_error(reply->str, (size_t)reply->len), reply->str);
    }
}

/* The name is for CLIENT LIST only: a user who may not set it is as good. Any other error is one of signing in. */
static void on_name(redisAsyncContext *context, void *data, void *unused)
{
    const redisReply *reply = data;
    struct link *link = context->data;
    enum store_reason reason = STORE_REASON_NONE;

    (void)unused;
    link_reply(context, data);
    if (reply == NULL || link->state != LINK_SIGNING_IN) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        reason = store_reason_of_error(reply->str, (size_t)reply->len);
    }
    if (reason != STORE_REASON_NONE && reason != STORE_REASON_NOPERM) {
        link_close(link, reason, reply->str);
        return;
    }
    set_state(link, LINK_UP);
    link->was_up = true;
    link->up_ms = link->heard_ms;
    uint64_t round_ms = link->setup.watchdog_ms / 4 + 1;
    set_timer(link, round_ms, round_ms);
    link->events.on_up(link->user);
}

static void sign_in(struct link *link)
{
    struct command command = {0};
    const struct link_setup *setup = &link->setup;
    bool sent = true;

    set_state(link, LINK_SIGNING_IN);
    if (setup->password != NULL) {
        if (setup->username != NULL) {
            command_words(&command, "AUTH", setup->username, setup->password, NULL);
        } else {
            command_words(&command, "AUTH", setup->password, NULL);
        }
        sent = send_now(link, &command, on_auth, NULL);
    }
    command_words(&command, "CLIENT", "SETNAME", setup->client_name, NULL);
    if (!sent || !send_now(link, &command, on_name, NULL)) {
        link_close(link, STORE_REASON_MEMORY, "");
    }
    command_free(&command);
}

/* After a failure hiredis frees the context when this returns, without a call to on_disconnect(). */
static void on_connect(const redisAsyncContext *context, int status)
{
    struct link *link = context->data;

    if (status != REDIS_OK) {
        note_hiredis_error(link, context);
        forget(link);
        rest(link);
        return;
    }
    link->connected = true;
    if (link->state == LINK_CONNECTING) {
        sign_in(link);
    }
}

/* Time */

static void connect_to(struct link *link, const char *where)
{
    const struct address *address = link->setup.address;

    link->context = address->is_unix ? redisAsyncConnectUnix(where) : redisAsyncConnect(where, address->port);
    if (link->context == NULL) {
        note_reason(link, STORE_REASON_MEMORY, "");
        rest(link);
        return;
    }
    if (link->context->err != 0) {
        note_reason(link, STORE_REASON_CONNECT_FAILED, link->context->errstr);
        link->context->data = link;
        close_now(link);
        rest(link);
        return;
    }
    set_state(link, LINK_CONNECTING);
    attach(link);
    redisAsyncSetDisconnectCallback(link->context, on_disconnect);
    redisAsyncSetConnectCallback(link->context, on_connect);
    set_timer(link, link->setup.connect_ms, 0);
}

static void give_up(struct link *link, enum store_reason reason, const char *detail)
{
    resolve_end(link->resolve);
    link->resolve = NULL;
    note_reason(link, reason, detail);
    rest(link);
}

static void connect_now(struct link *link)
{
    const struct address *address = link->setup.address;

    if (address->is_unix || resolve_is_numeric(address->where)) {
        connect_to(link, address->where);
        return;
    }
    link->resolve = resolve_start(address->where);
    if (link->resolve == NULL) {
        give_up(link, STORE_REASON_MEMORY, "looking up the host's name");
        return;
    }
    set_state(link, LINK_RESOLVING);
    link->resolve_until_ms = link_now_ms() + link->setup.connect_ms;
    set_timer(link, RESOLVE_POLL_MS, RESOLVE_POLL_MS);
}

static void look_at_lookup(struct link *link)
{
    char where[RESOLVED_MAX];
    const char *why;

    switch (resolve_poll(link->resolve, link->turn, where, &why)) {
    case RESOLVE_BUSY:
        if (link_now_ms() >= link->resolve_until_ms) {
            give_up(link, STORE_REASON_CONNECT_DEADLINE, "looking up the host's name");
        }
        break;
    case RESOLVE_FAILED: give_up(link, STORE_REASON_CONNECT_FAILED, why); break;
    case RESOLVE_DONE:
        resolve_end(link->resolve);
        link->resolve = NULL;
        link->turn++;
        connect_to(link, where);
        break;
    }
}

/* One strike is not out: after this process itself stood still the answer may lie in the socket. */
static void watch_over(struct link *link)
{
    uint64_t quiet_ms = link_now_ms() - link->heard_ms;

    if (link->owed == 0 || quiet_ms < link->setup.watchdog_ms) {
        link->strikes = 0;
        return;
    }
    if (link->strikes++ != 0) {
        link_close(link, STORE_REASON_WATCHDOG, "");
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct link *link = timer->data;

    (void)loop, (void)events;
    switch (link->state) {
    case LINK_RESTING: connect_now(link); break;
    case LINK_RESOLVING: look_at_lookup(link); break;
    case LINK_CONNECTING:
    case LINK_SIGNING_IN: link_close(link, STORE_REASON_CONNECT_DEADLINE, ""); break;
    case LINK_UP: watch_over(link); break;
    case LINK_IDLE:
    case LINK_CLOSING: break;
    }
}

/* From outside */

struct link *link_new(const struct link_setup *setup, const struct link_events *events, void *user)
{
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL) {
        return NULL;
    }
    link->setup = *setup;
    link->events = *events;
    link->user = user;
    link->rng.state = setup->seed;
    link->backoff = (struct backoff){.min_ms = setup->backoff_min_ms, .max_ms = setup->backoff_max_ms};
    ev_init(&link->reader, on_readable);
    ev_init(&link->writer, on_writable);
    ev_init(&link->soon, on_soon);
    ev_init(&link->timer, on_timer);
    ev_set_priority(&link->soon, EV_MINPRI); /* after everything else of the turn, so that one write does for all */
    link->reader.data = link->writer.data = link->soon.data = link->timer.data = link;
    return link;
}

void link_start(struct link *link)
{
    assert(link->state == LINK_IDLE);
    ev_now_update(link->setup.loop); /* before the loop runs, its time is that of its making */
    set_state(link, LINK_RESTING);
    set_timer(link, 0, 0);
}

void link_free(struct link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->context != NULL) {
        note_reason(link, STORE_REASON_SHUTTING_DOWN, "");
        if (link->state != LINK_CLOSING) {
            set_state(link, LINK_CLOSING);
        }
        close_now(link);
    }
    resolve_end(link->resolve);
    ev_timer_stop(link->setup.loop, &link->timer);
    ev_clear_pending(link->setup.loop, &link->soon);
    free(link);
}

bool link_is_up(const struct link *link)
{
    return link->state == LINK_UP;
}

bool link_send(struct link *link, const struct command *command, redisCallbackFn *callback, void *data)
{
    return link->state == LINK_UP && send_now(link, command, callback, data);
}
