/* tests/bench/bench.h - what the bench's programs share: numbers, time, sockets, a histogram, paths. All of it static:
 * each program is one file and one compiler call (tests/bench/run). */
#ifndef CELLROUTER_TESTS_BENCH_BENCH_H
#define CELLROUTER_TESTS_BENCH_BENCH_H

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#define UNUSED_OK __attribute__((unused))

UNUSED_OK static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(2);
}

UNUSED_OK static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* xorshift64: the same paths in every run. */
UNUSED_OK static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Latencies, 1/128 apart: exact enough for a difference of two medians, no memory of single values. */
enum { HISTOGRAM_BITS = 7, HISTOGRAM_STEPS = 1 << HISTOGRAM_BITS, HISTOGRAM_SIZE = 36 * HISTOGRAM_STEPS };
struct histogram {
    uint64_t count, slots[HISTOGRAM_SIZE];
};

UNUSED_OK static void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t v = ns / 64 + HISTOGRAM_STEPS; /* unit 64 ns */
    int high = 63 - __builtin_clzll(v) - HISTOGRAM_BITS;
    size_t slot = (size_t)high * HISTOGRAM_STEPS + ((v >> high) & (HISTOGRAM_STEPS - 1));
    h->slots[slot < HISTOGRAM_SIZE ? slot : HISTOGRAM_SIZE - 1]++;
    h->count++;
}

UNUSED_OK static double histogram_us(const struct histogram *h, double share)
{
    uint64_t left = (uint64_t)((double)h->count * share);
    for (size_t slot = 0; slot < HISTOGRAM_SIZE; slot++) {
        if (left < h->slots[slot])
            return (ldexp(HISTOGRAM_STEPS + (double)(slot % HISTOGRAM_STEPS) + 0.5, (int)(slot / HISTOGRAM_STEPS)) -
                    HISTOGRAM_STEPS) *
                   64 / 1000;
        left -= h->slots[slot];
    }
    return 0;
}

UNUSED_OK static void histogram_print(const struct histogram *h)
{
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f", histogram_us(h, 0.5), histogram_us(h, 0.99),
           histogram_us(h, 0.999));
}

/* A path is one kind letter and 8 digits, then a rest: /r00001234/project/issues/5. Cell number % cells owns it. */
enum { PATH_DIGITS = 8 };
#define PATH_REST "/project/issues/5"

UNUSED_OK static void write_digits(char *at, uint64_t number)
{
    for (int i = PATH_DIGITS - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
}

/* Which path comes next. */
struct picker {
    uint64_t routes, random, next;
    uint64_t cells, only; /* only: paths of that cell alone; UINT64_MAX: all */
    bool in_turn;         /* next, next + 1, … each once: first visits */
    uint32_t *zipf;       /* drawn beforehand; NULL: uniform */
};
enum { ZIPF_DRAWN = 1 << 20 };

/* Exponent 1, by inversion of the continuous distribution; ranks are scattered over the numbers. */
UNUSED_OK static void picker_zipf(struct picker *p)
{
    p->zipf = malloc(ZIPF_DRAWN * sizeof(*p->zipf));
    if (!p->zipf)
        die("malloc");
    for (size_t i = 0; i < ZIPF_DRAWN; i++) {
        double u = (double)(next_random(&p->random) >> 11) / 9007199254740992.0;
        uint64_t rank = (uint64_t)exp(u * log((double)p->routes));
        p->zipf[i] = (uint32_t)((rank * UINT64_C(2654435761)) % p->routes);
    }
}

UNUSED_OK static uint64_t picker_next(struct picker *p)
{
    uint64_t number;
    if (p->in_turn)
        number = p->next++;
    else if (p->zipf)
        number = p->zipf[p->next++ % ZIPF_DRAWN];
    else
        number = (uint64_t)(((unsigned __int128)next_random(&p->random) * p->routes) >> 64);
    if (p->only == UINT64_MAX)
        return number;
    return p->in_turn ? number * p->cells + p->only : number - number % p->cells + p->only;
}

/* unix path, or a port of 127.0.0.1. */
UNUSED_OK static int open_socket(const char *where, bool listening)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_unix = where[0] == '/';
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        die("socket");
    if (is_unix)
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
    else
        in.sin_port = htons((uint16_t)atoi(where));
    const struct sockaddr *address = is_unix ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    socklen_t size = is_unix ? sizeof(un) : sizeof(in);
    if (listening) {
        if (is_unix)
            unlink(where);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, address, size) < 0 || listen(fd, 1024) < 0)
            die(where);
    } else if (connect(fd, address, size) < 0) {
        die(where);
    }
    if (!is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

UNUSED_OK static void watch(int epoll, int fd, void *user)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = user};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* Writes all of it; the peer reads, so waiting for it is no deadlock. */
UNUSED_OK static bool send_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            at += sent;
            n -= (size_t)sent;
        }
    }
    return true;
}

/* SPOP's variable-length integers. Source: HAProxy doc/SPOE.txt, section 3.1. */
UNUSED_OK static uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    if (v < 240) {
        *at++ = (uint8_t)v;
        return at;
    }
    *at++ = (uint8_t)(v | 240);
    for (v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7)
        *at++ = (uint8_t)(v | 128);
    *at++ = (uint8_t)v;
    return at;
}

/* NULL when it does not end before end. */
UNUSED_OK static const uint8_t *get_varint(const uint8_t *at, const uint8_t *end, uint64_t *v)
{
    if (at >= end)
        return NULL;
    *v = *at++;
    if (*v < 240)
        return at;
    for (int shift = 4; shift < 60; shift += 7) {
        if (at >= end)
            return NULL;
        *v += (uint64_t)*at << shift;
        if (*at++ < 128)
            return at;
    }
    return NULL;
}

UNUSED_OK static uint8_t *put_string(uint8_t *at, const char *text)
{
    size_t n = strlen(text);
    at = put_varint(at, n);
    memcpy(at, text, n);
    return at + n;
}

enum { SPOP_HAPROXY_HELLO = 1, SPOP_NOTIFY = 3, SPOP_AGENT_HELLO = 101, SPOP_ACK = 103 };
enum { SPOP_BOOL_TRUE = 0x11, SPOP_BOOL_FALSE = 0x01, SPOP_INT32 = 2, SPOP_UINT32 = 3, SPOP_STRING = 8 };

/* Type, FIN, and the 4 bytes before them; end_frame fills in the length. */
UNUSED_OK static uint8_t *begin_frame(uint8_t *frame, uint8_t type)
{
    frame[4] = type;
    memcpy(frame + 5, "\0\0\0\1", 4);
    return frame + 9;
}

UNUSED_OK static size_t end_frame(uint8_t *frame, const uint8_t *end)
{
    uint32_t length = htonl((uint32_t)(end - frame - 4));
    memcpy(frame, &length, 4);
    return (size_t)(end - frame);
}

#endif
