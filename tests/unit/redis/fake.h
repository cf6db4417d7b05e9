/* tests/unit/redis/fake.h - a Redis on the loop of the test that behaves, and then says whatever the test wants.
 *
 * It accepts the connections of a store, knows which is which by their names, and gives each command the reply that a
 * Redis with no keys gives; fake_say() puts any bytes behind that. What it was asked is counted by the command's
 * name. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_FAKE_H
#define CELLROUTER_TESTS_UNIT_REDIS_FAKE_H

#include "tests/unit/redis/player.h"

#include <sys/socket.h>
#include <sys/un.h>

enum fake_side { FAKE_ASK, FAKE_WATCH, FAKE_SIDES };

enum { FAKE_PEERS = 64, FAKE_WORDS = 16, FAKE_COMMANDS = 32 };

struct fake;

struct fake_peer {
    struct fake *fake;
    int fd;
    ev_io readable;
    char *in;
    size_t length;
};

struct fake_count {
    char name[16];
    unsigned times;
};

struct fake {
    char folder[64], path[96], address[112];
    int listener;
    ev_io acceptable;
    struct fake_peer peers[FAKE_PEERS];
    struct fake_peer *side[FAKE_SIDES]; /* the newest of each */
    unsigned accepted;
    const char *greeting;     /* said to each new connection, or NULL */
    const char *name, *reply; /* the reply to this command is another one; "" for none at all */
    struct fake_count counts[FAKE_COMMANDS];
};

static inline void fake_write(const struct fake_peer *peer, const char *bytes, size_t n)
{
    for (size_t sent = 0; sent < n;) {
        ssize_t now = send(peer->fd, bytes + sent, n - sent, MSG_NOSIGNAL);

        if (now <= 0)
            return; /* the store has closed it */
        sent += (size_t)now;
    }
}

static inline void fake_text(const struct fake_peer *peer, const char *text)
{
    fake_write(peer, text, strlen(text));
}

/* Says it on the newest connection of that side. */
static inline void fake_say(const struct fake *fake, enum fake_side side, const char *bytes, size_t n)
{
    if (fake->side[side])
        fake_write(fake->side[side], bytes, n);
}

static inline unsigned *fake_times(struct fake *fake, const char *name)
{
    for (size_t i = 0; i < FAKE_COMMANDS; i++) {
        if (fake->counts[i].name[0] == '\0')
            snprintf(fake->counts[i].name, sizeof fake->counts[i].name, "%s", name);
        if (strcmp(fake->counts[i].name, name) == 0)
            return &fake->counts[i].times;
    }
    fail_msg("too many commands for the fake");
    return NULL;
}

static inline void fake_subscribe(const struct fake_peer *peer, char *const words[], size_t count)
{
    char text[400];

    for (size_t i = 1; i < count; i++) {
        snprintf(text, sizeof text, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:%zu\r\n", strlen(words[i]), words[i], i);
        fake_text(peer, text);
    }
}

static inline void fake_publish(const struct fake_peer *peer, char *const words[])
{
    char text[400];

    snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(words[1]), words[1],
             strlen(words[2]), words[2]);
    fake_say(peer->fake, FAKE_WATCH, text, strlen(text));
    fake_text(peer, ":1\r\n");
}

/* What a Redis without keys says. */
static inline void fake_answer(struct fake_peer *peer, char *const words[], size_t count)
{
    struct fake *fake = peer->fake;
    const char *name = strcmp(words[0], "CLIENT") == 0 && count > 1 ? words[1] : words[0];

    ++*fake_times(fake, name);
    if (strcmp(name, "SETNAME") == 0)
        fake->side[strstr(words[2], ":ask") ? FAKE_ASK : FAKE_WATCH] = peer;
    if (fake->name && strcmp(name, fake->name) == 0)
        fake_text(peer, fake->reply);
    else if (strcmp(name, "ID") == 0)
        fake_text(peer, ":7\r\n");
    else if (strcmp(name, "SUBSCRIBE") == 0)
        fake_subscribe(peer, words, count);
    else if (strcmp(name, "PUBLISH") == 0)
        fake_publish(peer, words);
    else if (strcmp(name, "SCRIPT") == 0)
        fake_text(peer, "$40\r\n0123456789012345678901234567890123456789\r\n");
    else if (strcmp(name, "GETRANGE") == 0)
        fake_text(peer, "$0\r\n\r\n");
    else if (strncmp(name, "EVAL", 4) == 0)
        fake_text(peer, "$7\r\nwritten\r\n");
    else
        fake_text(peer, strcmp(name, "PING") == 0 ? "+PONG\r\n" : "+OK\r\n");
}

/* The number behind a '*' or '$' at *at, or -1 while the line is not whole. */
static inline long fake_number(char **at, const char *end)
{
    char *line = memchr(*at, '\n', (size_t)(end - *at));
    long number = line ? atol(*at + 1) : -1;

    *at = line ? line + 1 : *at;
    return number;
}

/* Answers the first command in the buffer, if all of it is there. Returns its length. */
static inline size_t fake_take(struct fake_peer *peer)
{
    char *at = peer->in, *end = peer->in + peer->length, *words[FAKE_WORDS], *ends[FAKE_WORDS];
    long count = peer->length == 0 ? -1 : fake_number(&at, end);

    assert_true(count <= FAKE_WORDS);
    for (long i = 0; i < count; i++) {
        long n = at < end ? fake_number(&at, end) : -1;

        if (n < 0 || end - at < n + 2)
            return 0;
        words[i] = at;
        ends[i] = at + n;
        at += n + 2;
    }
    if (count <= 0)
        return 0;
    for (long i = 0; i < count; i++)
        *ends[i] = '\0'; /* over its line end */
    fake_answer(peer, words, (size_t)count);
    return (size_t)(at - peer->in);
}

static inline void fake_leave(struct fake_peer *peer)
{
    ev_io_stop(ev_default_loop(0), &peer->readable);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    free(peer->in);
    peer->in = NULL;
    for (size_t i = 0; i < FAKE_SIDES; i++)
        if (peer->fake->side[i] == peer)
            peer->fake->side[i] = NULL;
}

static inline void fake_read(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct fake_peer *peer = watcher->data;
    char bytes[65536];
    ssize_t n = read(peer->fd, bytes, sizeof bytes);

    (void)loop, (void)events;
    if (n <= 0) {
        fake_leave(peer);
        return;
    }
    peer->in = realloc(peer->in, peer->length + (size_t)n);
    memcpy(peer->in + peer->length, bytes, (size_t)n);
    peer->length += (size_t)n;
    for (size_t taken; peer->fd >= 0 && (taken = fake_take(peer)) != 0; peer->length -= taken)
        memmove(peer->in, peer->in + taken, peer->length - taken);
}

static inline void fake_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct fake *fake = watcher->data;
    struct fake_peer *peer = &fake->peers[fake->accepted++ % FAKE_PEERS];

    (void)events;
    if (peer->fake)
        fake_leave(peer);
    *peer = (struct fake_peer){.fake = fake, .fd = accept(fake->listener, NULL, NULL)};
    ev_io_init(&peer->readable, fake_read, peer->fd, EV_READ);
    peer->readable.data = peer;
    ev_io_start(loop, &peer->readable);
    if (fake->greeting)
        fake_text(peer, fake->greeting);
}

static inline void fake_start(struct fake *fake)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fake = (struct fake){.folder = "/tmp/cellrouter-fake-XXXXXX"};
    assert_non_null(mkdtemp(fake->folder));
    snprintf(fake->path, sizeof fake->path, "%s/s", fake->folder);
    snprintf(fake->address, sizeof fake->address, "unix:%s", fake->path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fake->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fake->listener, 64), 0);
    ev_io_init(&fake->acceptable, fake_accept, fake->listener, EV_READ);
    fake->acceptable.data = fake;
    ev_io_start(ev_default_loop(0), &fake->acceptable);
}

static inline void fake_end(struct fake *fake)
{
    ev_io_stop(ev_default_loop(0), &fake->acceptable);
    close(fake->listener);
    for (size_t i = 0; i < FAKE_PEERS; i++)
        if (fake->peers[i].fake)
            fake_leave(&fake->peers[i]);
    unlink(fake->path);
    rmdir(fake->folder);
}

/* As player_config(), for a fake. */
static inline struct route_store_config fake_config(const struct fake *fake)
{
    struct server nowhere = {.pid = 0};
    struct route_store_config config = player_config(&nowhere);

    config.address = fake->address;
    return config;
}

#endif
