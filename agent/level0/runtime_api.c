/* agent/level0/runtime_api.c - one HAProxy process: a conversation of commands and replies over its runtime socket, and
 * the states that it goes through.
 *
 *   WAITING     no connection. The timer runs until the next batch: IDLE without news, sooner when the hot map changed
 *               (runtime_api_poke), a backoff after a failure.
 *   RESOLVING   the name of the address is looked up beside the loop (base/peer.h).
 *   CONNECTING  the socket is connecting; "prompt" and "show info" are ready to be sent.
 *   INFO        both were or are being sent. The reply tells pid and start time: whose socket this is.
 *   CHANGING    a process that is known is told changes, at most CHANGES at a time, until there are no more.
 *   SHOWING     a process that is not known, or too far behind, is read: each entry is right, or doomed.
 *   CLEARING    too much is doomed, or nothing should stand there: the map is emptied as a whole.
 *   DELETING    the doomed keys are deleted, at most CHANGES at a time.
 *   ADDING      what is missing is added, PAYLOADS commands at a time; then the process is in line, and CHANGING goes
 *               on with what happened meanwhile.
 *
 *   WAITING -> [RESOLVING ->] CONNECTING -> INFO -> CHANGING -> WAITING              a process that is in line
 *                            INFO -> SHOWING -> DELETING -> ADDING -> CHANGING -> WAITING
 *                            INFO -> [SHOWING ->] CLEARING -> ADDING -> CHANGING -> WAITING
 *   any -> WAITING                                                    fail: with a backoff
 *
 * A state sends commands and is over when each was replied to. HAProxy's interactive mode ("prompt") ends a reply with
 * "> ", and asks for the next line of a payload with "+ ": `owed` counts the replies that are still to come. Commands
 * and replies are whole texts in memory, bounded by CHANGES, PAYLOADS, RUNTIME_LINE_MAX and REPLY_MAX_BYTES. Each state
 * has STEP seconds from its start, and from each byte that arrives, but no more than STEP_MAX. What HAProxy says is
 * read by agent/level0/runtime_reply.h; bytes that nobody asked for end the connection.
 *
 * What cannot happen. A batch does not go to the wrong process: it has a connection of its own, and the first thing
 * asked there is whose it is. After a failure nothing is taken for granted: when commands may have been sent, the
 * target is lost (hot_map_lost), and the next batch compares it as a whole. A failure frees nothing; the object lives
 * until runtime_api_free, so callers up the stack may go on, and they return at once.
 *
 * Entries that nobody here knows are deleted, but for the first time with a process (takes_stock): then they may be
 * true, and on_found may inherit them. */
#include "agent/level0/runtime_api.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/level0/runtime_reply.h"
#include "base/clock.h"
#include "base/peer.h"
#include "base/rng.h"

enum {
    PAYLOAD = 8192, /* bytes of one add: HAProxy keeps a command with its payload in one buffer, tune.bufsize, 16384 */
    PAYLOADS = 4,   /* adds under way at a time */
    CHANGES = 200,  /* changes under way at a time */
    REPLY_MAX_BYTES = 65536, /* of one command but show map; show info has some 3000 */
    DOOMED_MAX = 1 << 20,    /* bytes of keys to delete; more: the map is cleared */
    PATIENCE = 8,            /* failures that are not told before HAProxy was met: it starts after the agent */
    DOOMED_LINEAR = 100,     /* keys; at 10k entries one deletion takes 2.6 as long as 100 additions */
};

/* Seconds. None is tuned. */
static const double URGENT = 0.003, LAZY = 0.1, LAZY_LINEAR = 1, IDLE = 0.5, STEP = 2, STEP_MAX = 30,
                    BACKOFF_MIN = 0.05, BACKOFF_MAX = 2, RESOLVE_POLL = 0.005;

enum state { WAITING, RESOLVING, CONNECTING, INFO, CHANGING, SHOWING, CLEARING, DELETING, ADDING };

struct text {
    char *at;
    size_t used, size;
    bool failed; /* memory was short */
};

struct runtime_api {
    struct ev_loop *loop;
    struct runtime_api_options options;
    int target;
    enum state state;
    int fd;
    ev_io reader, writer;
    ev_timer timer; /* WAITING: until the next batch; otherwise the deadline of the step */
    struct rng rng;
    double backoff;
    unsigned failures; /* since the last success */
    struct peer peer;
    double resolve_until; /* as now() */
    struct text out, in, payload, doomed;
    size_t sent;
    size_t heard;      /* bytes of the reply that is coming */
    double step_until; /* as now() */
    unsigned owed;     /* replies */
    /* of the process at the other end; identity: what it was when it was brought in line */
    struct runtime_info info;
    uint64_t known_pid, known_started;
    bool linear;
    uint32_t cursor;
    size_t doomed_at, doomed_count;
    bool clear;
    uint64_t adds, dels; /* of the resync */
};

static void fail(struct runtime_api *runtime, const char *why);
static void begin(struct runtime_api *runtime);

/* ---- text ------------------------------------------------------------------------------------------------------- */

static void put(struct text *text, const char *bytes, size_t n)
{
    if (text->size - text->used < n) {
        size_t size = (text->used + n) * 2;
        char *at = realloc(text->at, size);
        if (!at) {
            text->failed = true;
            return;
        }
        text->at = at;
        text->size = size;
    }
    memcpy(text->at + text->used, bytes, n);
    text->used += n;
}

static void puts_to(struct text *text, const char *string)
{
    put(text, string, strlen(string));
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static void put_delete(struct runtime_api *runtime, const char *key, size_t length)
{
    puts_to(&runtime->out, "del map ");
    puts_to(&runtime->out, runtime->options.map_file);
    put(&runtime->out, " ", 1);
    put(&runtime->out, key, length);
    put(&runtime->out, "\n", 1);
    runtime->owed++;
    runtime->dels++;
    runtime->options.counts->dels++;
}

/* Sends what is collected as one command. */
static void flush_payload(struct runtime_api *runtime)
{
    if (runtime->payload.used == 0)
        return;
    puts_to(&runtime->out, "add map ");
    puts_to(&runtime->out, runtime->options.map_file);
    puts_to(&runtime->out, " <<\n");
    put(&runtime->out, runtime->payload.at, runtime->payload.used);
    put(&runtime->out, "\n", 1);
    runtime->owed++;
    runtime->payload.used = 0;
}

static void put_add(struct runtime_api *runtime, const struct hot_entry *entry)
{
    struct text *payload = &runtime->payload;
    const char *id = cells_id(*runtime->options.cells, entry->cell);
    size_t n = 2 * (size_t)entry->length + strlen(id) + sizeof "k i|k\n" UNDECIDED_MARK;
    if (payload->used + n > PAYLOAD)
        flush_payload(runtime);
    put(payload, entry->key, entry->length);
    put(payload, " ", 1);
    puts_to(payload, id);
    put(payload, "|", 1);
    put(payload, entry->key, entry->length);
    if (entry->undecided)
        puts_to(payload, UNDECIDED_MARK);
    put(payload, "\n", 1);
    runtime->adds++;
    runtime->options.counts->adds++;
}

static void visit(void *user, bool add, const struct hot_entry *entry)
{
    if (add)
        put_add(user, entry);
    else
        put_delete(user, entry->key, entry->length);
}

static void put_command(struct runtime_api *runtime, const char *command)
{
    puts_to(&runtime->out, command);
    puts_to(&runtime->out, runtime->options.map_file);
    put(&runtime->out, "\n", 1);
    runtime->owed++;
}

/* ---- the connection --------------------------------------------------------------------------------------------- */

/* Seconds, of the clock that nobody sets: ev_now() is the other one. */
static double now(void)
{
    return (double)clock_now_ms() / 1000;
}

static void set_timer(struct runtime_api *runtime, double seconds)
{
    ev_timer_stop(runtime->loop, &runtime->timer);
    ev_timer_set(&runtime->timer, seconds, 0.);
    ev_timer_start(runtime->loop, &runtime->timer);
}

/* Each byte that arrives gives the step more time, but one that drips does not hold it up for good. */
static void set_step_timer(struct runtime_api *runtime)
{
    double left = runtime->step_until - now();
    set_timer(runtime, left > STEP ? STEP : left > 0 ? left : 0);
}

static void hang_up(struct runtime_api *runtime)
{
    if (runtime->fd >= 0) {
        ev_io_stop(runtime->loop, &runtime->reader);
        ev_io_stop(runtime->loop, &runtime->writer);
        close(runtime->fd);
    }
    runtime->fd = -1;
    runtime->state = WAITING;
    runtime->out.used = runtime->in.used = runtime->payload.used = runtime->doomed.used = 0;
    runtime->sent = 0;
    runtime->owed = 0;
}

static void finish(struct runtime_api *runtime)
{
    hang_up(runtime);
    runtime->backoff = BACKOFF_MIN;
    runtime->failures = 0;
    set_timer(runtime, IDLE);
    runtime_api_poke(runtime);
}

/* What was sent may have been done or not: then nothing is known of the process. */
static void fail(struct runtime_api *runtime, const char *why)
{
    if (runtime->state > INFO)
        hot_map_lost(runtime->options.map, runtime->target);
    struct runtime_api_event event = {
        .what = RUNTIME_API_FAILED, .address = runtime->options.address, .why = why, .pid = runtime->info.pid};
    peer_lost(&runtime->peer);
    bool tell = ++runtime->failures == (runtime->known_pid ? 1 : PATIENCE);
    hang_up(runtime);
    runtime->options.counts->errors++;
    set_timer(runtime, (double)rng_jitter(&runtime->rng, (uint64_t)(runtime->backoff * 1000), 25) / 1000);
    runtime->backoff = runtime->backoff * 2 < BACKOFF_MAX ? runtime->backoff * 2 : BACKOFF_MAX;
    if (tell)
        runtime->options.on_event(runtime->options.user, &event);
}

/* ---- steps: each sends commands, and is over when all of them were replied to ---------------------------- */

static void send_step(struct runtime_api *runtime, enum state state)
{
    runtime->state = state;
    flush_payload(runtime);
    if (runtime->out.failed || runtime->payload.failed || runtime->doomed.failed) {
        runtime->out.failed = runtime->payload.failed = runtime->doomed.failed = false;
        fail(runtime, "out of memory");
        return;
    }
    runtime->heard = 0;
    runtime->step_until = now() + STEP_MAX;
    set_step_timer(runtime);
    ev_io_start(runtime->loop, &runtime->writer);
}

static void start_adding(struct runtime_api *runtime);

static void change(struct runtime_api *runtime)
{
    if (hot_map_need(runtime->options.map, runtime->target) == HOT_ALL) {
        begin(runtime);
        return;
    }
    while (hot_map_take(runtime->options.map, runtime->target, CHANGES, visit, runtime) > 0) {
        flush_payload(runtime);
        if (runtime->owed > 0) {
            send_step(runtime, CHANGING);
            return;
        }
    }
    finish(runtime);
}

/* Whether what is found there may be true, though the hot map does not know it: the process has it from another agent,
 * or from the file. */
static bool takes_stock(const struct runtime_api *runtime)
{
    return runtime->options.on_found && runtime->known_pid == 0;
}

static void show(struct runtime_api *runtime)
{
    struct hot_map *map = runtime->options.map;
    hot_map_resync_begin(map, runtime->target);
    runtime->options.counts->resyncs++;
    runtime->cursor = 0;
    runtime->doomed_at = runtime->doomed_count = 0;
    runtime->adds = runtime->dels = 0;
    runtime->clear = hot_map_stats(map).entries == 0 && !takes_stock(runtime);
    put_command(runtime, runtime->clear ? "clear map " : "show map ");
    send_step(runtime, runtime->clear ? CLEARING : SHOWING);
}

static void delete_doomed(struct runtime_api *runtime)
{
    while (runtime->doomed_at < runtime->doomed.used && runtime->owed < CHANGES) {
        const char *key = runtime->doomed.at + runtime->doomed_at;
        size_t length = strlen(key);
        put_delete(runtime, key, length);
        runtime->doomed_at += length + 1;
    }
    if (runtime->owed > 0)
        send_step(runtime, DELETING);
    else
        start_adding(runtime);
}

static void shown(struct runtime_api *runtime)
{
    if (!runtime->clear) {
        delete_doomed(runtime);
        return;
    }
    put_command(runtime, "clear map ");
    send_step(runtime, CLEARING);
}

static void start_adding(struct runtime_api *runtime)
{
    struct hot_map *map = runtime->options.map;
    struct hot_entry entry;
    hot_map_resync_dropped(map, runtime->target, CHANGES, visit, runtime);
    unsigned limit = runtime->owed + PAYLOADS;
    bool more = false;
    while (runtime->owed < limit && (more = hot_map_resync_missing(map, runtime->target, &runtime->cursor, &entry)))
        put_add(runtime, &entry);
    flush_payload(runtime);
    if (more || runtime->owed > 0) {
        send_step(runtime, ADDING);
        return;
    }
    hot_map_resync_end(map, runtime->target);
    runtime->known_pid = runtime->info.pid;
    runtime->known_started = runtime->info.started;
    struct runtime_api_event event = {.what = RUNTIME_API_SYNCED,
                                      .address = runtime->options.address,
                                      .pid = runtime->info.pid,
                                      .adds = runtime->adds,
                                      .dels = runtime->dels};
    runtime->options.on_event(runtime->options.user, &event);
    change(runtime);
}

static void begin(struct runtime_api *runtime)
{
    if (runtime->info.pid == 0) {
        fail(runtime, "show info tells no Pid: is this HAProxy's runtime socket, and its level admin?");
        return;
    }
    runtime->linear = runtime->info.version > 0 && runtime->info.version < 3;
    if (runtime->info.pid != runtime->known_pid || runtime->info.started != runtime->known_started)
        hot_map_lost(runtime->options.map, runtime->target);
    runtime->options.counts->batches++;
    if (hot_map_need(runtime->options.map, runtime->target) == HOT_ALL)
        show(runtime);
    else
        change(runtime);
}

static void step(struct runtime_api *runtime)
{
    switch (runtime->state) {
    case INFO: begin(runtime); break;
    case CHANGING: change(runtime); break;
    case SHOWING: shown(runtime); break;
    case CLEARING:
        hot_map_resync_emptied(runtime->options.map, runtime->target);
        start_adding(runtime);
        break;
    case DELETING: delete_doomed(runtime); break;
    case ADDING: start_adding(runtime); break;
    case WAITING:
    case RESOLVING:
    case CONNECTING: break;
    }
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

static void doom(struct runtime_api *runtime, struct text_view key)
{
    if (runtime->clear)
        return;
    runtime->doomed_count++;
    runtime->clear = !hot_map_takes(key.at, key.length) || runtime->doomed.used > DOOMED_MAX ||
                     (runtime->linear && runtime->doomed_count > DOOMED_LINEAR);
    if (runtime->clear)
        return;
    put(&runtime->doomed, key.at, key.length);
    put(&runtime->doomed, "", 1);
}

/* Whether the process may keep the entry. */
static bool is_right(struct runtime_api *runtime, const struct hot_entry *found)
{
    const struct runtime_api_options *options = &runtime->options;
    if (found->cell == CELL_NONE)
        return false;
    if (hot_map_resync_found(options->map, runtime->target, found))
        return true;
    return takes_stock(runtime) && !found->undecided &&
           options->on_found(options->user, runtime->target, found->key, found->length, found->cell) &&
           hot_map_resync_found(options->map, runtime->target, found);
}

static bool read_entry(struct runtime_api *runtime, struct text_view line)
{
    struct runtime_entry entry;
    if (!runtime_reply_entry(line, &entry))
        return false;
    struct hot_entry found = {.key = entry.key.at,
                              .length = entry.key.length < UINT16_MAX ? (uint16_t)entry.key.length : UINT16_MAX,
                              .cell = entry.cell.at ? cells_find_id(*runtime->options.cells, entry.cell) : CELL_NONE,
                              .undecided = entry.undecided};
    if (!is_right(runtime, &found))
        doom(runtime, entry.key);
    return true;
}

/* False: it should not stand there. */
static bool read_line(struct runtime_api *runtime, struct text_view line)
{
    if (line.length > 0 && runtime->state == SHOWING)
        return read_entry(runtime, line);
    if (runtime->state != INFO)
        return runtime_reply_is_harmless(line);
    runtime_reply_info(&runtime->info, line);
    return true;
}

/* Takes one piece off the front of what came. False: nothing is whole, or it failed. */
static bool take_piece(struct runtime_api *runtime, size_t *at)
{
    struct text_view line;
    size_t used;
    const char *bytes = runtime->in.at + *at;
    switch (runtime_reply_take(bytes, runtime->in.used - *at, &line, &used)) {
    case RUNTIME_PIECE_MORE: return false;
    case RUNTIME_PIECE_PROMPT:
        runtime->owed--;
        runtime->heard = 0;
        break;
    case RUNTIME_PIECE_PAYLOAD: break;
    case RUNTIME_PIECE_LINE:
        if (read_line(runtime, line))
            break;
        char why[200];
        snprintf(why, sizeof why, "HAProxy says: %.*s", (int)(line.length < 150 ? line.length : 150), line.at);
        fail(runtime, why);
        return false;
    case RUNTIME_PIECE_TOO_LONG: fail(runtime, "HAProxy's reply has no end of line"); return false;
    case RUNTIME_PIECE_BINARY: fail(runtime, "HAProxy's reply is no text"); return false;
    }
    *at += used;
    runtime->heard += used;
    return true;
}

/* Only the map can be long. */
static bool says_too_much(const struct runtime_api *runtime)
{
    return runtime->state != SHOWING && runtime->heard > REPLY_MAX_BYTES;
}

static void take_replies(struct runtime_api *runtime)
{
    size_t at = 0;
    while (runtime->owed > 0 && at < runtime->in.used && take_piece(runtime, &at)) {
    }
    if (runtime->state == WAITING)
        return; /* it failed */
    memmove(runtime->in.at, runtime->in.at + at, runtime->in.used - at);
    runtime->in.used -= at;
    if (says_too_much(runtime))
        fail(runtime, "HAProxy's reply does not end");
    else if (runtime->owed > 0)
        return;
    else if (runtime->in.used > 0 || runtime->out.used > 0)
        fail(runtime, "HAProxy says what nobody asked for");
    else
        step(runtime);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct runtime_api *runtime = watcher->data;
    char bytes[16384];
    (void)loop;
    (void)events;
    ssize_t n = read(runtime->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        fail(runtime, n == 0 ? "HAProxy closed the connection" : strerror(errno));
        return;
    }
    if (runtime->state == CONNECTING) {
        fail(runtime, "HAProxy says what nobody asked for");
        return;
    }
    put(&runtime->in, bytes, (size_t)n);
    if (runtime->in.failed) {
        runtime->in.failed = false;
        fail(runtime, "out of memory");
        return;
    }
    set_step_timer(runtime);
    take_replies(runtime);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct runtime_api *runtime = watcher->data;
    (void)events;
    if (runtime->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(runtime->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            fail(runtime, strerror(error ? error : errno));
            return;
        }
        runtime->state = INFO;
    }
    ssize_t n = send(runtime->fd, runtime->out.at + runtime->sent, runtime->out.used - runtime->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail(runtime, strerror(errno));
        return;
    }
    runtime->sent += (size_t)n;
    if (runtime->sent < runtime->out.used)
        return;
    runtime->out.used = runtime->sent = 0;
    ev_io_stop(loop, watcher);
}

/* ---- when ------------------------------------------------------------------------------------------------------- */

static void connect_to_peer(struct runtime_api *runtime)
{
    runtime->fd = peer_connect(&runtime->peer);
    if (runtime->fd < 0) {
        fail(runtime, strerror(errno));
        return;
    }
    runtime->info = (struct runtime_info){0};
    ev_io_set(&runtime->reader, runtime->fd, EV_READ);
    ev_io_set(&runtime->writer, runtime->fd, EV_WRITE);
    ev_io_start(runtime->loop, &runtime->reader);
    puts_to(&runtime->out, "prompt\nshow info\n");
    runtime->owed = 2;
    send_step(runtime, CONNECTING);
}

/* From WAITING, and again and again while RESOLVING. */
static void connect_now(struct runtime_api *runtime)
{
    const char *why = NULL;
    enum peer_state state = peer_find(&runtime->peer, &why);
    if (state == PEER_FOUND) {
        connect_to_peer(runtime);
        return;
    }
    if (runtime->state == WAITING)
        runtime->resolve_until = now() + STEP;
    runtime->state = RESOLVING;
    if (state != PEER_BUSY)
        fail(runtime, why);
    else if (now() >= runtime->resolve_until)
        fail(runtime, "the name server does not answer in time");
    else
        set_timer(runtime, RESOLVE_POLL);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct runtime_api *runtime = timer->data;
    (void)loop;
    (void)events;
    if (runtime->state <= RESOLVING)
        connect_now(runtime);
    else
        fail(runtime, "HAProxy does not answer in time");
}

void runtime_api_poke(struct runtime_api *runtime)
{
    if (runtime->state != WAITING || runtime->failures > 0)
        return;
    double within = IDLE;
    switch (hot_map_need(runtime->options.map, runtime->target)) {
    case HOT_NOTHING: return;
    case HOT_LAZY: within = runtime->linear ? LAZY_LINEAR : LAZY; break;
    case HOT_URGENT:
    case HOT_ALL: within = URGENT; break;
    }
    if (ev_timer_remaining(runtime->loop, &runtime->timer) > within)
        set_timer(runtime, within);
}

/* ---- making and freeing ----------------------------------------------------------------------------------------- */

/* The configuration was checked. What gets here all the same is a host without a name, and is not found. */
static struct address read_address(const char *text)
{
    struct address address;
    return address_parse(text, &address) == ADDRESS_OK ? address : (struct address){.kind = ADDRESS_TCP};
}

struct runtime_api *runtime_api_new(struct ev_loop *loop, const struct runtime_api_options *options)
{
    struct address address = read_address(options->address);
    int target = hot_map_target(options->map);
    struct runtime_api *runtime = target >= 0 ? calloc(1, sizeof *runtime) : NULL;
    if (!runtime)
        return NULL;
    runtime->loop = loop;
    runtime->options = *options;
    runtime->target = target;
    runtime->fd = -1;
    runtime->backoff = BACKOFF_MIN;
    runtime->rng.state = options->seed;
    peer_init(&runtime->peer, &address);
    ev_init(&runtime->reader, on_readable);
    ev_init(&runtime->writer, on_writable);
    ev_init(&runtime->timer, on_timer);
    runtime->reader.data = runtime->writer.data = runtime->timer.data = runtime;
    set_timer(runtime, 0);
    return runtime;
}

void runtime_api_free(struct runtime_api *runtime)
{
    if (!runtime)
        return;
    hang_up(runtime);
    peer_deinit(&runtime->peer);
    ev_timer_stop(runtime->loop, &runtime->timer);
    free(runtime->out.at);
    free(runtime->in.at);
    free(runtime->payload.at);
    free(runtime->doomed.at);
    free(runtime);
}

bool runtime_api_is_linear(const struct runtime_api *runtime)
{
    return runtime->linear;
}

bool runtime_api_is_synced(const struct runtime_api *runtime)
{
    return runtime->failures == 0 && runtime->state <= INFO &&
           hot_map_need(runtime->options.map, runtime->target) == HOT_NOTHING;
}
