/* tests/bench/least_agent.c - the least possible SPOP agent: the yardstick of ours. Finds the frames, answers each
 * NOTIFY with the same ACK, one read and one write a wake-up, pipelining; no look at what is asked, no limits, no
 * deadlines.
 *
 *     least_agent SOCKET CELL        SOCKET: a unix path or a port; CELL: what every ACK says */
#include "bench.h"

enum { READ_SIZE = 65536, MAX_CLIENTS = 1024 };

struct client {
    int fd;
    size_t n;
    uint8_t in[READ_SIZE];
};

static uint8_t actions[128];
static size_t actions_size;

static void make_actions(const char *cell)
{
    uint8_t *at = actions;
    static const uint8_t set_in_txn[] = {1, 3, 2}; /* set-var, 3 arguments, scope txn */
    memcpy(at, set_in_txn, 3);
    at = put_string(at + 3, "cell");
    *at++ = SPOP_STRING;
    at = put_string(at, cell);
    memcpy(at, set_in_txn, 3);
    at = put_string(at + 3, "level");
    *at++ = SPOP_INT32;
    *at++ = 1;
    memcpy(at, set_in_txn, 3);
    at = put_string(at + 3, "learn");
    *at++ = SPOP_BOOL_FALSE;
    actions_size = (size_t)(at - actions);
}

static uint8_t *answer_hello(uint8_t *out)
{
    uint8_t *at = begin_frame(out, SPOP_AGENT_HELLO);
    *at++ = 0;
    *at++ = 0;
    at = put_string(at, "version");
    *at++ = SPOP_STRING;
    at = put_string(at, "2.0");
    at = put_string(at, "max-frame-size");
    *at++ = SPOP_UINT32;
    at = put_varint(at, 16380);
    at = put_string(at, "capabilities");
    *at++ = SPOP_STRING;
    at = put_string(at, "pipelining");
    return out + end_frame(out, at);
}

/* The ACK repeats the ids byte for byte. */
static uint8_t *answer_notify(uint8_t *out, const uint8_t *ids, const uint8_t *end)
{
    uint64_t id;
    const uint8_t *after = get_varint(ids, end, &id);
    after = after ? get_varint(after, end, &id) : NULL;
    if (!after)
        return out;
    uint8_t *at = begin_frame(out, SPOP_ACK);
    memcpy(at, ids, (size_t)(after - ids));
    at += after - ids;
    memcpy(at, actions, actions_size);
    return out + end_frame(out, at + actions_size);
}

/* Answers all whole frames; false: the connection is to be closed. */
static bool serve(struct client *c)
{
    static uint8_t out[READ_SIZE * 8];
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    c->n += (size_t)got;
    uint8_t *to = out;
    size_t at = 0;
    bool hello = false, check = false;
    while (c->n - at >= 4) {
        uint32_t length;
        memcpy(&length, c->in + at, 4);
        length = ntohl(length);
        if (length > READ_SIZE - 4 || length < 7)
            return false;
        if (c->n - at - 4 < length)
            break;
        const uint8_t *frame = c->in + at + 4;
        if (frame[0] == SPOP_HAPROXY_HELLO) {
            hello = true;
            to = answer_hello(to);
            check = check || memmem(frame, length, "healthcheck", 11);
        } else if (frame[0] == SPOP_NOTIFY) {
            to = answer_notify(to, frame + 5, frame + length);
        } else {
            return false;
        }
        at += 4 + length;
    }
    memmove(c->in, c->in + at, c->n - at);
    c->n -= at;
    return send_all(c->fd, out, (size_t)(to - out)) && !(hello && check);
}

static void accept_client(int epoll, int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        die("calloc");
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(epoll, fd, c);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fputs("usage: least_agent SOCKET CELL\n", stderr), 2;
    make_actions(argv[2]);
    int listener = open_socket(argv[1], true), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener, NULL);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                accept_client(epoll, listener);
            } else if (!serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
