/* tests/fuzz/fuzz_redis_reply.c - whatever Redis, or who stands in its place, says on the two connections of a store.
 *
 * A real store on a real loop connects to a socket of this process. The input: a byte of flags (bit 0: signing in,
 * subscribing and tracking are played as a good Redis plays them; bit 1: questions and claims are in flight), then
 * pieces: a byte (bit 0: which connection; bit 1: a turn of the loop behind it), two bytes of length, bytes. Nothing
 * may end the process, and each lookup is answered once, at the latest when the store is freed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>

#include "redis/store.h"
#include "tests/fuzz/fuzz_socket.h"

enum { ASK, WATCH, SIDES, LOOKUPS = 3 };

struct play {
    struct ev_loop *loop;
    struct route_store *store;
    int fd[SIDES];
    char beat[160]; /* the channel, out of SUBSCRIBE */
    unsigned waiting, answered;
};

static void turn(const struct play *play)
{
    ev_run(play->loop, EVRUN_NOWAIT);
}

/* What the store sent is read and thrown away, but for the channel of its beats. */
static void listen_to(struct play *play, int side)
{
    char bytes[65536];
    ssize_t n = play->fd[side] < 0 ? 0 : recv(play->fd[side], bytes, sizeof bytes - 1, MSG_DONTWAIT);
    char *at = n > 0 ? memmem(bytes, (size_t)n, "cellrouter-beat:", 16) : NULL;

    if (at) {
        bytes[n] = '\0';
        snprintf(play->beat, sizeof play->beat, "%.*s", (int)strcspn(at, "\r"), at);
    }
}

static void say(struct play *play, int side, const void *bytes, size_t n)
{
    if (play->fd[side] >= 0)
        (void)!send(play->fd[side], bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_text(struct play *play, int side, const char *text)
{
    say(play, side, text, strlen(text));
    turn(play);
    listen_to(play, ASK);
    listen_to(play, WATCH);
}

static void connect_both(struct play *play)
{
    for (int i = 0; i < 4; i++)
        turn(play);
    for (int i = 0; i < SIDES; i++) {
        char bytes[512];
        int fd = accept(listener, NULL, NULL);
        ssize_t n = fd < 0 ? 0 : recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        int side = n > 0 && memmem(bytes, (size_t)n, ":watch\r\n", 8) ? WATCH : ASK;

        must(fd >= 0 && play->fd[side] < 0);
        play->fd[side] = fd;
    }
}

static void play_well(struct play *play)
{
    char text[800];
    int n = (int)sizeof "__redis__:invalidate" - 1;

    say_text(play, ASK, "+OK\r\n");
    say_text(play, ASK, "$40\r\n0123456789012345678901234567890123456789\r\n");
    say_text(play, ASK, "$40\r\n0123456789012345678901234567890123456789\r\n");
    say_text(play, WATCH, "+OK\r\n");
    say_text(play, WATCH, ":7\r\n");
    snprintf(
        text, sizeof text,
        "*3\r\n$9\r\nsubscribe\r\n$%d\r\n__redis__:invalidate\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:2\r\n",
        n, strlen(play->beat), play->beat);
    say_text(play, WATCH, text);
    say_text(play, WATCH, "*3\r\n$9\r\nsubscribe\r\n$22\r\ncellrouter-beat:doubts\r\n:3\r\n");
    say_text(play, ASK, "+OK\r\n+OK\r\n:1\r\n");
    snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$1\r\n1\r\n", strlen(play->beat), play->beat);
    say_text(play, WATCH, text);
    must(route_store_counters(play->store)->watching == 1);
}

static void on_answer(void *user, const struct route_answer *answer)
{
    struct play *play = user;

    must(answer->outcome != ROUTE_WAITING);
    play->answered++;
}

static void have_something_in_flight(struct play *play)
{
    static const uint16_t ends[] = {3, 5};
    static const struct route_name name = {"", 0, "/a/", 3};
    static const char *const paths[LOOKUPS] = {"/a/b/", "/b/c/", "/c/d/"};

    for (size_t i = 0; i < LOOKUPS; i++) {
        struct route_question question = {"", 0, paths[i], ends, 2};
        enum store_reason reason;
        struct route_wait *wait;

        play->waiting += route_store_get(play->store, &question, on_answer, play, &wait, &reason) == ROUTE_WAITING;
    }
    must(route_store_put(play->store, &name, "eu0", 3, 600, 0));
    must(route_store_forget(play->store, &name, "eu1", 3));
    turn(play);
}

static void play_pieces(struct play *play, const uint8_t *data, size_t size)
{
    while (size >= 3) {
        size_t n = (size_t)data[1] << 8 | data[2];
        int flags = data[0];

        data += 3;
        size -= 3;
        n = n < size ? n : size;
        say(play, flags & 1 ? WATCH : ASK, data, n);
        data += n;
        size -= n;
        if (flags & 2)
            turn(play);
    }
    for (int i = 0; i < 4; i++)
        turn(play);
}

static struct route_store_config config_here(char *address, size_t n)
{
    struct route_store_config config = route_store_defaults();

    snprintf(address, n, "unix:%s", here.sun_path);
    config.address = address;
    config.router = "r1";
    config.max_questions = config.max_waiting = config.max_absent = 64; /* made anew for each input */
    config.seed = 42;
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct route_store_handler handler = {0};
    struct play play = {.loop = ev_default_loop(0), .fd = {-1, -1}};
    char address[128];
    enum store_reason reason;

    if (size == 0)
        return 0;
    if (listener < 0)
        listen_here();
    struct route_store_config config = config_here(address, sizeof address);
    play.store = route_store_new(play.loop, &config, &handler, NULL, &reason);
    must(play.store != 0);
    connect_both(&play);
    if (data[0] & 1)
        play_well(&play);
    if (data[0] & 2)
        have_something_in_flight(&play);
    play_pieces(&play, data + 1, size - 1);
    route_store_free(play.store);
    must(play.answered == play.waiting);
    for (int i = 0; i < SIDES; i++)
        close(play.fd[i]);
    return 0;
}
