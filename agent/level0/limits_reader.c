/* agent/level0/limits_reader.c - for each process a short conversation: connect, ask in one line, read to the end,
 * close. A connection of its own each time, because one that stays open would stay with the old worker after a reload.
 *
 *   WAITING     no connection; the timer runs until the next time: EVERY, or AGAIN after a failure
 *   RESOLVING   the name of the address is looked up beside the loop (base/peer.h)
 *   ASKING      connecting, then sending the question
 *   READING     until HAProxy closes
 *
 * Each time has STEP seconds in all. A failure keeps what was read before, and says so with it; it is logged once,
 * after PATIENCE times, because HAProxy may start after the agent. What is wrong is logged when it was not so the last
 * time. */
#include "agent/level0/limits_reader.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/level0/haproxy_limits.h"
#include "base/peer.h"

enum {
    REPLY_MOST = 1 << 20, /* bytes: several hundred frontends */
    REPLY_FIRST = 8192,
    PATIENCE = 8, /* failures in a row */
};

/* Seconds. None is tuned. */
static const double EVERY = 10, AGAIN = 1, STEP = 2, RESOLVE_POLL = 0.005;

enum state { WAITING, RESOLVING, ASKING, READING };

struct process {
    struct limits_reader *reader;
    const char *address;
    enum state state;
    int fd;
    ev_io io;
    ev_timer timer;
    ev_tstamp until; /* the end of this time */
    struct peer peer;
    size_t sent;
    char *reply; /* used of room bytes */
    size_t used, room;
    unsigned failures; /* since the last success */
    const char *why;   /* of the last one; static memory, or strerror's */
    struct haproxy_limits limits;
    bool known; /* limits were read */
    struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT];
    size_t wrong_count;
};

struct limits_reader {
    struct ev_loop *loop;
    struct limits_reader_options options;
    size_t count;
    struct process processes[];
};

/* ---- the end of a time ------------------------------------------------------------------------------------------ */

static void set_timer(struct process *process, double seconds)
{
    ev_timer_stop(process->reader->loop, &process->timer);
    ev_timer_set(&process->timer, seconds, 0.);
    ev_timer_start(process->reader->loop, &process->timer);
}

static void hang_up(struct process *process)
{
    if (process->fd >= 0) {
        ev_io_stop(process->reader->loop, &process->io);
        close(process->fd);
    }
    process->fd = -1;
    process->state = WAITING;
    process->used = process->sent = 0;
}

static void fail(struct process *process, const char *why)
{
    const struct limits_reader_options *options = &process->reader->options;
    hang_up(process);
    peer_lost(&process->peer);
    process->why = why;
    counter_add(options->counters, COUNTER_HAPROXY_LIMITS_FAILED, 1);
    if (++process->failures == PATIENCE)
        log_write(options->log, REASON_HAPROXY_UNREAD,
                  LOG_FIELDS(LOG_STR("address", process->address), LOG_STR("why", why)));
    set_timer(process, AGAIN);
}

static bool was_wrong(const struct process *process, const struct haproxy_wrong *now)
{
    for (size_t i = 0; i < process->wrong_count; i++) {
        const struct haproxy_wrong *was = &process->wrong[i];
        if (was->limit == now->limit && was->is == now->is && was->right == now->right)
            return true;
    }
    return false;
}

static void tell(const struct process *process, const struct haproxy_wrong *wrong)
{
    char right[60];
    snprintf(right, sizeof right, "%s %" PRIu64, haproxy_limit_bound(wrong->limit), wrong->right);
    log_write(process->reader->options.log, REASON_HAPROXY_LIMITS,
              LOG_FIELDS(LOG_STR("address", process->address), LOG_NUM("pid", process->limits.pid),
                         LOG_STR("limit", haproxy_limit_name(wrong->limit)), LOG_NUM("is", wrong->is),
                         LOG_STR("right", right), LOG_STR("frontends", process->limits.names),
                         LOG_STR("what", haproxy_limit_text(wrong->limit))));
}

static void judge(struct process *process)
{
    const struct limits_reader_options *options = &process->reader->options;
    struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT];
    size_t count = haproxy_limits_judge(&process->limits, options->config, wrong);
    for (size_t i = 0; i < count; i++)
        if (!was_wrong(process, &wrong[i]))
            tell(process, &wrong[i]);
    if (count == 0 && process->wrong_count > 0)
        log_write(options->log, REASON_HAPROXY_LIMITS_RIGHT,
                  LOG_FIELDS(LOG_STR("address", process->address), LOG_NUM("pid", process->limits.pid)));
    memcpy(process->wrong, wrong, sizeof wrong);
    process->wrong_count = count;
}

static void take_reply(struct process *process)
{
    struct haproxy_limits limits;
    if (!haproxy_limits_read((struct text_view){process->reply, process->used}, &limits)) {
        fail(process, "the reply is not that of HAProxy's runtime socket");
        return;
    }
    hang_up(process);
    process->limits = limits;
    process->known = true;
    process->failures = 0;
    process->why = NULL;
    counter_add(process->reader->options.counters, COUNTER_HAPROXY_LIMITS_READ, 1);
    judge(process);
    set_timer(process, EVERY);
}

/* ---- the conversation ------------------------------------------------------------------------------------------- */

static bool make_room(struct process *process)
{
    if (process->used < process->room)
        return true;
    size_t room = process->room > 0 ? process->room * 2 : REPLY_FIRST;
    char *reply = room <= REPLY_MOST ? realloc(process->reply, room) : NULL;
    if (!reply)
        return false;
    process->reply = reply;
    process->room = room;
    return true;
}

static void on_readable(struct process *process)
{
    if (!make_room(process)) {
        fail(process, "the reply is longer than 1 MiB, or memory is short");
        return;
    }
    ssize_t n = read(process->fd, process->reply + process->used, process->room - process->used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        fail(process, strerror(errno));
    else if (n == 0)
        take_reply(process);
    else
        process->used += (size_t)n;
}

static void on_writable(struct process *process)
{
    static const char question[] = HAPROXY_LIMITS_QUESTION;
    size_t length = sizeof question - 1;
    ssize_t n = send(process->fd, question + process->sent, length - process->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) { /* of a connection that was not made: why not */
        fail(process, strerror(errno));
        return;
    }
    process->sent += (size_t)n;
    if (process->sent < length)
        return;
    process->state = READING;
    ev_io_stop(process->reader->loop, &process->io);
    ev_io_set(&process->io, process->fd, EV_READ);
    ev_io_start(process->reader->loop, &process->io);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    struct process *process = io->data;
    (void)loop;
    (void)events;
    if (process->state == ASKING)
        on_writable(process);
    else
        on_readable(process);
}

static void ask(struct process *process)
{
    process->fd = peer_connect(&process->peer);
    if (process->fd < 0) {
        fail(process, strerror(errno));
        return;
    }
    process->state = ASKING;
    ev_io_set(&process->io, process->fd, EV_WRITE);
    ev_io_start(process->reader->loop, &process->io);
    set_timer(process, STEP);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct process *process = timer->data;
    const char *why = NULL;
    (void)events;
    if (process->state > RESOLVING) {
        fail(process, "HAProxy does not answer in time");
        return;
    }
    if (process->state == WAITING)
        process->until = ev_now(loop) + STEP;
    process->state = RESOLVING;
    enum peer_state found = peer_find(&process->peer, &why);
    if (found == PEER_FOUND)
        ask(process);
    else if (found != PEER_BUSY)
        fail(process, why);
    else if (ev_now(loop) >= process->until)
        fail(process, "the name server does not answer in time");
    else
        set_timer(process, RESOLVE_POLL);
}

/* ---- making and freeing ----------------------------------------------------------------------------------------- */

static void open_process(struct limits_reader *reader, const char *address)
{
    struct process *process = &reader->processes[reader->count++];
    struct address at;
    /* The configuration was checked. What gets here all the same is a host without a name, and is not found. */
    if (address_parse(address, &at) != ADDRESS_OK)
        at = (struct address){.kind = ADDRESS_TCP};
    process->reader = reader;
    process->address = address;
    process->fd = -1;
    process->why = "not asked yet";
    peer_init(&process->peer, &at);
    ev_init(&process->io, on_io);
    ev_init(&process->timer, on_timer);
    process->io.data = process->timer.data = process;
    set_timer(process, 0);
}

struct limits_reader *limits_reader_new(struct ev_loop *loop, const struct limits_reader_options *options)
{
    const struct config_list *list = &options->config->runtime;
    struct limits_reader *reader = calloc(1, sizeof *reader + list->count * sizeof reader->processes[0]);
    if (!reader)
        return NULL;
    reader->loop = loop;
    reader->options = *options;
    for (size_t i = 0; i < list->count; i++)
        open_process(reader, list->items[i]);
    return reader;
}

void limits_reader_free(struct limits_reader *reader)
{
    for (size_t i = 0; reader && i < reader->count; i++) {
        struct process *process = &reader->processes[i];
        hang_up(process);
        ev_timer_stop(reader->loop, &process->timer);
        peer_deinit(&process->peer);
        free(process->reply);
    }
    free(reader);
}

/* ---- what is known ---------------------------------------------------------------------------------------------- */

static void print_process(const struct process *process, FILE *out)
{
    const struct haproxy_limits *limits = &process->limits;
    fprintf(out, "haproxy %s\n", process->address);
    if (process->why)
        fprintf(out, "unread %s\n", process->why);
    if (!process->known)
        return;
    fprintf(out,
            "version %s\npid %" PRIu64 "\nmaxconn %" PRIu64 "\nloop %" PRIu64 "\nclients %" PRIu64
            "\nfrontends %s\ndescriptors %" PRIu64 " of %" PRIu64 "\n",
            limits->version, limits->pid, limits->maxconn, limits->inner, limits->clients, limits->names,
            limits->maxsock, limits->files);
    for (size_t i = 0; i < process->wrong_count; i++) {
        const struct haproxy_wrong *wrong = &process->wrong[i];
        fprintf(out, "wrong %s is %" PRIu64 ", right is %s %" PRIu64 ": %s\n", haproxy_limit_name(wrong->limit),
                wrong->is, haproxy_limit_bound(wrong->limit), wrong->right, haproxy_limit_text(wrong->limit));
    }
    if (process->wrong_count == 0)
        fputs("right\n", out);
}

void limits_reader_print(const struct limits_reader *reader, FILE *out)
{
    if (!reader)
        fputs("no HAProxy is known: haproxy.runtime is empty\n", out);
    for (size_t i = 0; reader && i < reader->count; i++)
        print_process(&reader->processes[i], out);
}

void limits_reader_hurry(struct limits_reader *reader)
{
    for (size_t i = 0; reader && i < reader->count; i++)
        if (reader->processes[i].state == WAITING)
            set_timer(&reader->processes[i], 0);
}

void limits_reader_complain(const struct limits_reader *reader, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; reader && i < reader->count; i++) {
        const struct process *process = &reader->processes[i];
        const struct haproxy_wrong *wrong = &process->wrong[0];
        if (process->wrong_count == 0)
            continue;
        snprintf(out, size, "%s: %s is %" PRIu64 ", right is %s %" PRIu64 "; %s", process->address,
                 haproxy_limit_name(wrong->limit), wrong->is, haproxy_limit_bound(wrong->limit), wrong->right,
                 haproxy_limit_text(wrong->limit));
        return;
    }
}

void limits_reader_sample(const struct limits_reader *reader)
{
    uint64_t known = 0, wrong = 0;
    if (!reader)
        return;
    for (size_t i = 0; i < reader->count; i++) {
        known += reader->processes[i].known && reader->processes[i].failures == 0;
        wrong += reader->processes[i].wrong_count;
    }
    counter_set(reader->options.counters, COUNTER_HAPROXY_PROCESSES, known);
    counter_set(reader->options.counters, COUNTER_HAPROXY_LIMITS_WRONG, wrong);
}
