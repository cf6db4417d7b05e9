/* tests/bench/spop_load.c - SPOP load in a closed loop: every connection keeps its frames in flight; every ACK is
 * checked.
 *
 *     spop_load [-c CONNECTIONS] [-f FRAMES IN FLIGHT] [-n ROUTES] [-C CELLS] [-s SECONDS | -r NOTIFYS]
 *               [-z] [-m MISSES IN 100] [-x CELL] [-l] SOCKET
 *       -z zipf instead of uniform paths    -x every ACK must say this cell (the least agent)
 *       -l learn: tells the agent each of the routes once, then ends
 * Prints one JSON object; ends with 1 when an ACK was wrong. */
#include "bench.h"

enum { MAX_FRAMES = 200, MAX_CONNECTIONS = 1024, READ_SIZE = 65536, FRAME_SIZE = 256 };

struct slot {
    bool busy, miss;
    uint8_t owner;
    uint64_t sent_ns;
};
struct connection {
    int fd;
    size_t n, free_count;
    uint8_t free_slots[MAX_FRAMES];
    struct slot slots[MAX_FRAMES];
    uint8_t in[READ_SIZE];
};

static struct picker picker = {.routes = 1000, .random = 88172645463325252U, .cells = 2, .only = UINT64_MAX};
static int connections = 4, frames = 16, misses;
static double seconds = 2;
static const char *fixed_cell;
static bool learning;
static uint8_t template[FRAME_SIZE];
static size_t template_size, path_at, cell_at, cache_at, ids_at;
static uint64_t most = UINT64_MAX, asked, acked, wrong, in_flight;
static struct histogram latencies;

static uint8_t *put_argument(uint8_t *at, const char *name, const char *value)
{
    at = put_string(at, name);
    *at++ = SPOP_STRING;
    return put_string(at, value);
}

static void make_template(void)
{
    uint8_t *at = begin_frame(template, SPOP_NOTIFY);
    ids_at = (size_t)(at - template);
    *at++ = 0; /* stream: the slot */
    *at++ = 1; /* frame */
    at = put_string(at, learning ? "learn" : "lookup");
    *at++ = learning ? 5 : 2;
    at = put_argument(at, "path", "/r00000000" PATH_REST);
    path_at = (size_t)(at - template) - strlen("r00000000" PATH_REST);
    at = put_argument(at, "host", "www.example.com");
    if (learning) {
        at = put_argument(at, "cell", "c00");
        cell_at = (size_t)(at - template) - 2;
        at = put_argument(at, "cache", "{path_prefix:/r00000000/}");
        cache_at = (size_t)(at - template) - strlen("00000000/}");
        at = put_string(at, "redirected");
        *at++ = SPOP_BOOL_FALSE;
    }
    template_size = end_frame(template, at);
}

/* One more NOTIFY, at out. */
static uint8_t *ask(struct connection *c, uint8_t *out, uint64_t now)
{
    uint8_t index = c->free_slots[--c->free_count];
    struct slot *slot = &c->slots[index];
    uint64_t number = picker_next(&picker);
    bool miss = misses > 0 && (int)(next_random(&picker.random) % 100) < misses;
    *slot = (struct slot){true, miss, (uint8_t)(number % picker.cells), now};
    memcpy(out, template, template_size);
    out[ids_at] = index;
    out[path_at] = miss ? 'm' : 'r';
    write_digits((char *)out + path_at + 1, number);
    if (learning) {
        out[cell_at] = (uint8_t)('0' + slot->owner / 10);
        out[cell_at + 1] = (uint8_t)('0' + slot->owner % 10);
        write_digits((char *)out + cache_at, number);
    }
    in_flight++;
    asked++;
    return out + template_size;
}

/* The string that the actions set cell to; false: they set none. Any value's type but a string's is skipped by its
 * size. */
static bool find_cell(const uint8_t *at, const uint8_t *end, const uint8_t **cell, uint64_t *length, size_t *count)
{
    bool found = false;
    for (*count = 0; at && at + 4 <= end; (*count)++) {
        uint64_t n, v;
        at = get_varint(at + 3, end, &n);
        if (!at || n > (uint64_t)(end - at) || at + n >= end)
            return wrong++, false;
        bool is_cell = n == 4 && memcmp(at, "cell", 4) == 0;
        uint8_t type = at[n] & 15U;
        at += n + 1;
        if (type == SPOP_STRING) {
            at = get_varint(at, end, &v);
            if (!at || v > (uint64_t)(end - at))
                return wrong++, false;
            if (is_cell)
                *cell = at, *length = v, found = true;
            at += v;
        } else if (type != 1) {
            at = get_varint(at, end, &v);
        }
    }
    if (at != end)
        wrong++;
    return found;
}

static void check_ack(struct connection *c, const uint8_t *frame, const uint8_t *end, uint64_t now)
{
    uint64_t stream, id, length = 0;
    size_t count;
    const uint8_t *at = get_varint(frame + 5, end, &stream), *cell = NULL;
    at = at ? get_varint(at, end, &id) : NULL;
    if (!at || stream >= (uint64_t)frames || id != 1 || !c->slots[stream].busy) {
        wrong++;
        return;
    }
    struct slot *slot = &c->slots[stream];
    bool known = find_cell(at, end, &cell, &length, &count);
    char owner[8];
    int owner_size = snprintf(owner, sizeof(owner), "c%02u", slot->owner);
    bool right = learning ? count > 0
                 : slot->miss && !fixed_cell
                     ? !known && count > 0
                     : known && (fixed_cell ? length == strlen(fixed_cell) && memcmp(cell, fixed_cell, length) == 0
                                            : length == (uint64_t)owner_size && memcmp(cell, owner, length) == 0);
    if (!right)
        wrong++;
    histogram_add(&latencies, now - slot->sent_ns);
    slot->busy = false;
    c->free_slots[c->free_count++] = (uint8_t)stream;
    in_flight--;
    acked++;
}

static void refill(struct connection *c, uint64_t now)
{
    static uint8_t out[MAX_FRAMES * FRAME_SIZE];
    uint8_t *to = out;
    while (c->free_count > 0 && asked < most && !(learning && picker.next >= picker.routes))
        to = ask(c, to, now);
    if (to > out && !send_all(c->fd, out, (size_t)(to - out)))
        die("the agent closed a connection");
}

static void on_readable(struct connection *c, bool more)
{
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n, 0);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        die("the agent closed a connection");
    }
    c->n += (size_t)got;
    uint64_t now = now_ns();
    size_t at = 0;
    while (c->n - at >= 4) {
        uint32_t length;
        memcpy(&length, c->in + at, 4);
        length = ntohl(length);
        if (c->n - at - 4 < length)
            break;
        const uint8_t *frame = c->in + at + 4;
        if (length < 7 || frame[0] != SPOP_ACK)
            die("a frame that is no ACK");
        check_ack(c, frame, frame + length, now);
        at += 4 + length;
    }
    memmove(c->in, c->in + at, c->n - at);
    c->n -= at;
    if (more)
        refill(c, now);
}

static void say_hello(struct connection *c)
{
    uint8_t out[FRAME_SIZE], *at = begin_frame(out, SPOP_HAPROXY_HELLO);
    *at++ = 0;
    *at++ = 0;
    at = put_argument(at, "supported-versions", "2.0");
    at = put_string(at, "max-frame-size");
    *at++ = SPOP_UINT32;
    at = put_varint(at, 16380);
    at = put_argument(at, "capabilities", "pipelining");
    at = put_argument(at, "engine-id", "bench");
    send_all(c->fd, out, end_frame(out, at));
    ssize_t got;
    while ((got = recv(c->fd, c->in, sizeof(c->in), 0)) < 0 && errno == EAGAIN)
        ;
    if (got < 5 || c->in[4] != SPOP_AGENT_HELLO)
        die("no AGENT-HELLO");
}

static struct connection *open_connections(int epoll, const char *where)
{
    struct connection *all = calloc((size_t)connections, sizeof(*all));
    if (!all)
        die("calloc");
    for (int i = 0; i < connections; i++) {
        all[i].fd = open_socket(where, false);
        say_hello(&all[i]);
        for (all[i].free_count = 0; all[i].free_count < (size_t)frames; all[i].free_count++)
            all[i].free_slots[all[i].free_count] = (uint8_t)all[i].free_count;
        watch(epoll, all[i].fd, &all[i]);
    }
    return all;
}

static void run(int epoll, struct connection *all)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < connections; i++)
        refill(&all[i], start);
    bool more = true;
    while (in_flight > 0) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, 3000);
        if (n == 0)
            die("no ACK for 3 s");
        more = more && (learning || now_ns() < end);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr, more);
    }
    printf("{\"count\": %llu, \"seconds\": %.4f, \"wrong\": %llu, ", (unsigned long long)acked,
           (double)(now_ns() - start) / 1e9, (unsigned long long)wrong);
    histogram_print(&latencies);
    printf("}\n");
}

static void read_options(int argc, char **argv)
{
    bool zipf = false;
    for (int option; (option = getopt(argc, argv, "c:f:n:C:s:r:m:x:zl")) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'f': frames = atoi(optarg); break;
        case 'n': picker.routes = strtoull(optarg, NULL, 10); break;
        case 'C': picker.cells = strtoull(optarg, NULL, 10); break;
        case 's': seconds = atof(optarg); break;
        case 'r':
            most = strtoull(optarg, NULL, 10);
            seconds = 3600;
            break;
        case 'm': misses = atoi(optarg); break;
        case 'x': fixed_cell = optarg; break;
        case 'z': zipf = true; break;
        case 'l': learning = picker.in_turn = true; break;
        default: exit(2);
        }
    }
    if (frames > MAX_FRAMES || frames < 1 || connections > MAX_CONNECTIONS || connections < 1)
        die("too many");
    if (zipf)
        picker_zipf(&picker);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (optind + 1 != argc)
        return fputs("usage: spop_load [OPTIONS] SOCKET\n", stderr), 2;
    make_template();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    run(epoll, open_connections(epoll, argv[optind]));
    return wrong > 0;
}
