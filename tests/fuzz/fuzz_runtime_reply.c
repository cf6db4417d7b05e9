/* tests/fuzz/fuzz_runtime_reply.c - whatever HAProxy, or who stands in its place, says on the runtime socket.
 *
 * The bytes are read twice: by the pure reader, from a block of their exact size; and by a real runtime client on a
 * real loop, which connects to a socket of this process. The input: a byte of flags (bit 0: the connection before this
 * one was that of an honest HAProxy, so that changes are told instead of the map being read; bit 1: the connection
 * ends), then what is said, in turns that a byte 1 divides. Nothing may end the process, and what the agent knew stays
 * in its own map. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>

#include "agent/level0/runtime_api.h"
#include "agent/level0/runtime_reply.h"
#include "tests/fuzz/fuzz_socket.h"

enum { NOW = 1000000, TURNS = 64 };

struct play {
    struct ev_loop *loop;
    struct cells *cells;
    const struct cells *shared;
    struct hot_map *map;
    struct runtime_api *runtime;
    struct runtime_api_counts counts;
    char address[128];
    int fd;
};

/* ---- the pure reader -------------------------------------------------------------------------------------------- */

static int within(struct text_view part, struct text_view whole)
{
    return part.at >= whole.at && part.at + part.length <= whole.at + whole.length;
}

static void read_line(struct text_view line)
{
    struct runtime_info info = {0};
    struct runtime_entry entry;
    must(line.length == 0 || (!memchr(line.at, '\n', line.length) && !memchr(line.at, '\0', line.length)));
    runtime_reply_info(&info, line);
    if (runtime_reply_entry(line, &entry))
        must(entry.key.length > 0 && within(entry.key, line) && (!entry.cell.at || within(entry.cell, line)));
    must(!runtime_reply_is_harmless(line) || line.length == 0 || line.at[0] == 'K');
}

static void read_all(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size ? size : 1);
    struct text_view line;
    size_t used, at = 0;
    memcpy(bytes, data, size);
    for (;;) {
        enum runtime_piece piece = runtime_reply_take(bytes + at, size - at, &line, &used);
        must(used <= size - at);
        at += used;
        if (piece == RUNTIME_PIECE_LINE)
            read_line(line);
        if (used == 0)
            break;
    }
    free(bytes);
}

/* ---- the client ------------------------------------------------------------------------------------------------- */

static void on_event(void *user, const struct runtime_api_event *event)
{
    (void)user;
    must(event->what == RUNTIME_API_SYNCED || event->why[0] != '\0');
}

static bool on_found(void *user, int target, const char *key, size_t length, uint16_t cell)
{
    const struct play *play = user;
    must(length > 0 && cell < cells_count(play->shared));
    return hot_map_inherit(play->map, target, key, length, cell, 5000, NOW);
}

static void turn(struct play *play)
{
    char bytes[65536];
    for (int i = 0; i < 3; i++)
        ev_run(play->loop, EVRUN_NOWAIT);
    if (play->fd < 0)
        play->fd = accept(listener, NULL, NULL);
    if (play->fd >= 0)
        (void)!recv(play->fd, bytes, sizeof bytes, MSG_DONTWAIT);
}

static void say(struct play *play, const void *bytes, size_t n)
{
    turn(play);
    if (play->fd >= 0)
        (void)!send(play->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    turn(play);
}

static void hang_up(struct play *play)
{
    if (play->fd >= 0)
        close(play->fd);
    play->fd = -1;
    turn(play);
}

static void use(struct play *play, const char *key, uint16_t cell)
{
    hot_map_used(play->map, key, strlen(key), cell, 3600000, NOW);
}

/* The first connection reads a map, as of a process that is not known. */
static void be_honest(struct play *play)
{
    static const char info[] = "\n> Version: 3.0.11\nPid: 5\nStart_time_sec: 7\n\n> ";
    say(play, info, sizeof info - 1);
    say(play, "0x1 /a/ eu0|/a/\n0x2 /b/ us0|/b/\n\n> ", 36);
    for (int i = 0; i < 4 && !runtime_api_is_synced(play->runtime); i++)
        say(play, "\n> ", 3);
    use(play, "/c/", 1); /* what is told now */
}

static void play_turns(struct play *play, const uint8_t *data, size_t size)
{
    for (int i = 0; i < TURNS && size > 0; i++) {
        const uint8_t *end = memchr(data, 1, size);
        size_t n = end ? (size_t)(end - data) : size;
        say(play, data, n);
        n += (end ? 1 : 0);
        data += n;
        size -= n;
    }
}

static void make(struct play *play)
{
    struct hot_map_options hot = {.entries = 64, .uses = 1, .life_ms = 60000, .seed = 42};
    play->cells = cells_new();
    play->shared = play->cells;
    must(play->cells && cells_add(play->cells, "eu0", "", "eu") == CELLS_OK);
    must(cells_add(play->cells, "us0", "", "us") == CELLS_OK);
    play->map = hot_map_new(&hot);
    must(play->map != 0);
    use(play, "/a/", 0);
    snprintf(play->address, sizeof play->address, "unix:%s", here.sun_path);
    struct runtime_api_options options = {.address = play->address,
                                          .map_file = "m",
                                          .map = play->map,
                                          .cells = &play->shared,
                                          .counts = &play->counts,
                                          .seed = 42,
                                          .on_event = on_event,
                                          .on_found = on_found,
                                          .user = play};
    play->runtime = runtime_api_new(play->loop, &options);
    must(play->runtime != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play play = {.loop = ev_default_loop(0), .fd = -1};
    struct hot_entry entry;
    if (size == 0)
        return 0;
    if (listener < 0)
        listen_here();
    read_all(data + 1, size - 1);
    make(&play);
    if (data[0] & 1)
        be_honest(&play);
    play_turns(&play, data + 1, size - 1);
    if (data[0] & 2)
        hang_up(&play);
    must(hot_map_find(play.map, "/a/", 3, &entry) && entry.cell == 0);
    runtime_api_free(play.runtime);
    hot_map_free(play.map);
    cells_free(play.cells);
    if (play.fd >= 0)
        close(play.fd);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
        close(fd);
    return 0;
}
