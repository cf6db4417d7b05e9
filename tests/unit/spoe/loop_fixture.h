/* tests/unit/spoe/loop_fixture.h - a loop, a user that answers as a message's name says ("now", "hold"), and peers that
 * play HAProxy with plain sockets. Nothing waits for a fixed time: the loop runs until what is expected is there, or
 * PATIENCE_S. */
#ifndef CELLROUTER_TESTS_UNIT_SPOE_LOOP_FIXTURE_H
#define CELLROUTER_TESTS_UNIT_SPOE_LOOP_FIXTURE_H

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "spoe/server.h"
#include "tests/unit/base/files.h"
#include "tests/unit/spoe/wire.h"

enum { HELD_MAX = 4096 };
#define PATIENCE_S 10.0

static struct {
    struct ev_loop *loop;
    struct spoe_call *held[HELD_MAX];
    size_t held_count, cancelled;
    unsigned batches;
    size_t largest_batch;
    unsigned closes, drains;
    struct spoe_closed closed; /* the last one */
    void (*then)(void);        /* at the end of on_notify and on_drained; NULL: nothing */
    bool too_late;
} loop_fixture;

static const struct spop_action loop_unknown = {
    SPOP_SET_VAR, SPOP_TRANSACTION, {"learn", 5}, {.type = SPOP_BOOL, .boolean = true}};

static inline void loop_answer(struct spoe_call *call)
{
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_string("eu0", 3)};
    spoe_call_ack(call, &action, 1);
}

static inline void loop_answer_held(void)
{
    for (size_t i = 0; i < loop_fixture.held_count; i++) {
        struct spoe_call *call = loop_fixture.held[i];
        loop_fixture.held[i] = NULL;
        if (call)
            loop_answer(call);
    }
    loop_fixture.held_count = 0;
}

static inline void loop_on_notify(void *user, struct spoe_notify *batch, size_t n)
{
    assert_ptr_equal(user, &loop_fixture);
    loop_fixture.batches++;
    if (n > loop_fixture.largest_batch)
        loop_fixture.largest_batch = n;
    for (size_t i = 0; i < n; i++) {
        struct text_view name = {0};
        assert_true(spop_next_message(&batch[i].messages, &name));
        if (!text_view_is(name, "hold")) {
            loop_answer(batch[i].call);
            continue;
        }
        spoe_call_set_user(batch[i].call, &loop_fixture.held[loop_fixture.held_count]);
        loop_fixture.held[loop_fixture.held_count++] = batch[i].call;
    }
    if (loop_fixture.then)
        loop_fixture.then();
}

static inline void loop_on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why)
{
    (void)why;
    assert_ptr_equal(user, &loop_fixture);
    struct spoe_call **held = spoe_call_user(call);
    assert_ptr_equal(*held, call);
    *held = NULL;
    loop_fixture.cancelled++;
}

static inline void loop_on_close(void *user, const struct spoe_closed *closed)
{
    assert_ptr_equal(user, &loop_fixture);
    loop_fixture.closes++;
    loop_fixture.closed = *closed;
    ev_break(loop_fixture.loop, EVBREAK_ONE);
}

static inline void loop_on_drained(void *user)
{
    assert_ptr_equal(user, &loop_fixture);
    loop_fixture.drains++;
    ev_break(loop_fixture.loop, EVBREAK_ONE); /* the loop was about to sleep */
    if (loop_fixture.then)
        loop_fixture.then();
}

static inline struct spoe_server_options loop_options(void)
{
    return (struct spoe_server_options){
        .limits = {.deadline_ms = 5000},
        .handler = {.user = &loop_fixture,
                    .on_notify = loop_on_notify,
                    .on_cancel = loop_on_cancel,
                    .unknown = &loop_unknown,
                    .unknown_count = 1},
        .on_close = loop_on_close,
        .on_drained = loop_on_drained,
    };
}

static inline void loop_begin(void)
{
    memset(&loop_fixture, 0, sizeof loop_fixture);
    loop_fixture.loop = ev_loop_new(0);
    assert_non_null(loop_fixture.loop);
}

static inline void loop_end(void)
{
    for (size_t i = 0; i < loop_fixture.held_count; i++)
        assert_null(loop_fixture.held[i]);
    ev_loop_destroy(loop_fixture.loop);
}

static inline void loop_on_patience(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
    loop_fixture.too_late = true;
}

/* Runs the loop until done(argument). */
static inline void run_until(bool (*done)(void *argument), void *argument, const char *what)
{
    ev_timer patience;
    ev_timer_init(&patience, loop_on_patience, PATIENCE_S, 0.);
    ev_now_update(loop_fixture.loop);
    ev_timer_start(loop_fixture.loop, &patience);
    while (!done(argument) && !loop_fixture.too_late)
        ev_run(loop_fixture.loop, EVRUN_ONCE);
    ev_timer_stop(loop_fixture.loop, &patience);
    if (loop_fixture.too_late)
        fail_msg("waited %.0f s in vain for %s", PATIENCE_S, what);
}

/* Some turns without waiting: what is due happens. */
static inline void run_turns(void)
{
    for (unsigned i = 0; i < 5; i++)
        ev_run(loop_fixture.loop, EVRUN_NOWAIT);
}

static inline bool has_closed(void *count)
{
    return loop_fixture.closes >= *(const unsigned *)count;
}

static inline void run_until_closed(unsigned count)
{
    run_until(has_closed, &count, "the end of a connection");
}

static inline bool is_held(void *count)
{
    return loop_fixture.held_count >= *(const size_t *)count;
}

static inline void run_until_held(size_t count)
{
    run_until(is_held, &count, "calls");
}

/* ---- peers ------------------------------------------------------------------------------------------------------ */

struct peer {
    int fd;
    bool ended; /* the agent closed */
    ev_io readable;
    uint8_t bytes[1 << 17];
    size_t used;
    size_t described; /* bytes that peer_expect has seen */
    const char *expected;
};

static inline void peer_on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    struct peer *peer = watcher->data;
    ssize_t n = recv(peer->fd, peer->bytes + peer->used, sizeof peer->bytes - peer->used, MSG_DONTWAIT);
    if (n > 0) {
        peer->used += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        peer->ended = true;
        ev_io_stop(loop, watcher);
    }
}

/* Takes over fd. */
static inline void peer_begin(struct peer *peer, int fd)
{
    memset(peer, 0, sizeof *peer);
    peer->fd = fd;
    ev_io_init(&peer->readable, peer_on_readable, fd, EV_READ);
    peer->readable.data = peer;
    ev_io_start(loop_fixture.loop, &peer->readable);
}

static inline void peer_end(struct peer *peer)
{
    ev_io_stop(loop_fixture.loop, &peer->readable);
    close(peer->fd);
}

static inline void peer_connect(struct peer *peer, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("%s: %s", path, strerror(errno));
    peer_begin(peer, fd);
}

static inline void peer_send(struct peer *peer, struct wire *wire)
{
    assert_int_equal(send(peer->fd, wire->bytes, wire->w.used, MSG_NOSIGNAL), wire->w.used);
    wire_init(wire);
}

static inline bool peer_has_it(void *argument)
{
    static char text[1 << 17];
    struct peer *peer = argument;
    describe_frames(peer->bytes + peer->described, peer->used - peer->described, text, sizeof text);
    return strcmp(text, peer->expected) == 0 || strlen(text) > strlen(peer->expected);
}

/* Runs the loop until the agent sent exactly this, as of describe_frames, since the last time. */
static inline void peer_expect(struct peer *peer, const char *expected)
{
    static char text[1 << 17];
    peer->expected = expected;
    run_until(peer_has_it, peer, expected);
    peer->described += describe_frames(peer->bytes + peer->described, peer->used - peer->described, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(peer->described, peer->used);
}

static inline bool peer_has_ended(void *argument)
{
    return ((struct peer *)argument)->ended;
}

static inline void peer_expect_end(struct peer *peer)
{
    run_until(peer_has_ended, peer, "the agent to close");
}

static inline void peer_greet(struct peer *peer)
{
    struct wire wire;
    wire_init(&wire);
    wire_hello(&wire, 16380, false);
    peer_send(peer, &wire);
    peer_expect(peer, "hello 16380");
}

static inline void peer_notify(struct peer *peer, uint64_t stream_id, const char *name)
{
    struct wire wire;
    wire_init(&wire);
    wire_notify(&wire, stream_id, 1, name, "/a");
    peer_send(peer, &wire);
}

#endif
