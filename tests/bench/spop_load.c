/* tests/bench/spop_load.c - SPOP load in a closed loop: every connection keeps its frames in flight; every ACK is
 * checked.
 *
 *     spop_load [-c CONNECTIONS] [-f FRAMES IN FLIGHT] [-n ROUTES] [-C CELLS] [-s SECONDS | -r NOTIFYS]
 *               [-z] [-m MISSES IN 100] [-x CELL] [-l | -t | -e] [-o FIRST] [-R RATE] SOCKET...
 *       -z zipf instead of uniform paths    -x every ACK must say this cell (the least agent)
 *       -l learn: tells the agent each of the routes once, then ends
 *       -t asks for each of the routes once, then ends; "unknown" is counted and not wrong
 *       -e what is "unknown" is told by a learn message, as HAProxy does when a cell has answered; how many were, and
 *          how many were asked for the first time, is counted second by second
 *       -o the first route of -l and -t, the -n others follow
 *       -R at most so many NOTIFYs a second
 * Prints one JSON object; ends with 1 when an ACK was wrong. */
#include "bench.h"

enum { MAX_FRAMES = 200, MAX_CONNECTIONS = 1024, READ_SIZE = 65536, FRAME_SIZE = 256 };

struct slot {
    bool busy, miss, learn;
    uint8_t owner;
    uint64_t sent_ns, number;
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
static bool learning, asking_once, teaching;
static uint64_t first_route, rate, begun_ns, unknown;
struct template
{
    uint8_t bytes[FRAME_SIZE];
    size_t size, path_at, cell_at, cache_at, ids_at;
};
static struct template lookup, learn;
/* Of -e: routes that are to be told, what has been asked for, and each second's counts. */
enum { TO_TELL = 1 << 16, SECONDS = 120 };
static uint64_t to_tell[TO_TELL], told_first, told_next;
static uint8_t *seen;
static struct second {
    uint64_t asked, unknown, first;
} each[SECONDS];
static uint64_t most = UINT64_MAX, asked, acked, wrong, in_flight;
static struct histogram latencies;

static uint8_t *put_argument(uint8_t *at, const char *name, const char *value)
{
    at = put_string(at, name);
    *at++ = SPOP_STRING;
    return put_string(at, value);
}

static void make_template(struct template *t, bool teaches)
{
    uint8_t *at = begin_frame(t->bytes, SPOP_NOTIFY);
    t->ids_at = (size_t)(at - t->bytes);
    *at++ = 0; /* stream: the slot */
    *at++ = 1; /* frame */
    at = put_string(at, teaches ? "learn" : "lookup");
    *at++ = teaches ? 5 : 2;
    at = put_argument(at, "path", "/r00000000" PATH_REST);
    t->path_at = (size_t)(at - t->bytes) - strlen("r00000000" PATH_REST);
    at = put_argument(at, "host", "www.example.com");
    if (teaches) {
        at = put_argument(at, "cell", "c00");
        t->cell_at = (size_t)(at - t->bytes) - 2;
        at = put_argument(at, "cache", "{path_prefix:/r00000000/}");
        t->cache_at = (size_t)(at - t->bytes) - strlen("00000000/}");
        at = put_string(at, "redirected");
        *at++ = SPOP_BOOL_FALSE;
    }
    t->size = end_frame(t->bytes, at);
}

static struct second *second_of(uint64_t now)
{
    uint64_t at = (now - begun_ns) / UINT64_C(1000000000);
    return &each[at < SECONDS ? at : SECONDS - 1];
}

/* What this NOTIFY is about; slot says whether it teaches. */
static uint64_t next_number(struct slot *slot, uint64_t now)
{
    if (told_first < told_next) {
        slot->learn = true;
        return to_tell[told_first++ % TO_TELL];
    }
    uint64_t number = picker_next(&picker);
    slot->learn = learning;
    if (teaching) {
        second_of(now)->asked++;
        second_of(now)->first += !seen[number];
        seen[number] = 1;
    }
    return number;
}

/* One more NOTIFY, at out. */
static uint8_t *ask(struct connection *c, uint8_t *out, uint64_t now)
{
    uint8_t index = c->free_slots[--c->free_count];
    struct slot *slot = &c->slots[index];
    uint64_t number = next_number(slot, now);
    const struct template *t = slot->learn ? &learn : &lookup;
    bool miss = misses > 0 && (int)(next_random(&picker.random) % 100) < misses;
    *slot = (struct slot){true, miss, slot->learn, (uint8_t)(number % picker.cells), now, number};
    memcpy(out, t->bytes, t->size);
    out[t->ids_at] = index;
    out[t->path_at] = miss ? 'm' : 'r';
    write_digits((char *)out + t->path_at + 1, number);
    if (slot->learn) {
        out[t->cell_at] = (uint8_t)('0' + slot->owner / 10);
        out[t->cell_at + 1] = (uint8_t)('0' + slot->owner % 10);
        write_digits((char *)out + t->cache_at, number);
    }
    in_flight++;
    asked++;
    return out + t->size;
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
    if ((asking_once || teaching) && !slot->learn && !known && count > 0) {
        unknown++;
        if (teaching && told_next - told_first < TO_TELL) {
            second_of(slot->sent_ns)->unknown++;
            to_tell[told_next++ % TO_TELL] = slot->number;
        }
        known = true, cell = (const uint8_t *)owner, length = (uint64_t)owner_size;
    }
    bool right = slot->learn ? count > 0
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

static bool may_ask(uint64_t now)
{
    bool is_left = !picker.in_turn || picker.next < first_route + picker.routes;
    return is_left && asked < most && (rate == 0 || asked < (double)rate * (double)(now - begun_ns) / 1e9 + 1);
}

static void refill(struct connection *c, uint64_t now)
{
    static uint8_t out[MAX_FRAMES * FRAME_SIZE];
    uint8_t *to = out;
    while (c->free_count > 0 && may_ask(now))
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

static struct connection *open_connections(int epoll, char **where, int count)
{
    struct connection *all = calloc((size_t)connections, sizeof(*all));
    if (!all)
        die("calloc");
    for (int i = 0; i < connections; i++) {
        all[i].fd = open_socket(where[i % count], false);
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
    begun_ns = start;
    for (int i = 0; i < connections; i++)
        refill(&all[i], start);
    bool more = true;
    uint64_t heard = start;
    while (in_flight > 0 || (rate != 0 && more)) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, rate == 0 ? 3000 : 1);
        uint64_t now = now_ns();
        heard = n > 0 || in_flight == 0 ? now : heard;
        if (now - heard >= UINT64_C(3000000000))
            die("no ACK for 3 s");
        more = more && (picker.in_turn ? picker.next < first_route + picker.routes : now < end);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr, more);
        for (int i = 0; rate != 0 && more && i < connections; i++)
            refill(&all[i], now);
    }
    printf("{\"count\": %llu, \"seconds\": %.4f, \"wrong\": %llu, \"unknown\": %llu, ", (unsigned long long)acked,
           (double)(now_ns() - start) / 1e9, (unsigned long long)wrong, (unsigned long long)unknown);
    if (teaching) {
        printf("\"each\": [");
        for (int i = 0; i < SECONDS && each[i].asked > 0; i++)
            printf("%s[%llu, %llu, %llu]", i ? ", " : "", (unsigned long long)each[i].asked,
                   (unsigned long long)each[i].unknown, (unsigned long long)each[i].first);
        printf("], ");
    }
    histogram_print(&latencies);
    printf("}\n");
}

static void read_options(int argc, char **argv)
{
    bool zipf = false;
    for (int option; (option = getopt(argc, argv, "c:f:n:C:s:r:m:x:zlteo:R:")) != -1;) {
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
        case 't': asking_once = picker.in_turn = true; break;
        case 'e': teaching = true; break;
        case 'o': picker.next = first_route = strtoull(optarg, NULL, 10); break;
        case 'R': rate = strtoull(optarg, NULL, 10); break;
        default: exit(2);
        }
    }
    if (frames > MAX_FRAMES || frames < 1 || connections > MAX_CONNECTIONS || connections < 1)
        die("too many");
    if (zipf)
        picker_zipf(&picker);
    seen = calloc(picker.routes, 1);
    if (!seen)
        die("calloc");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (optind == argc)
        return fputs("usage: spop_load [OPTIONS] SOCKET...\n", stderr), 2;
    make_template(&lookup, false);
    make_template(&learn, true);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    run(epoll, open_connections(epoll, argv + optind, argc - optind));
    return wrong > 0;
}
