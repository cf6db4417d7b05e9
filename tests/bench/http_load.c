/* tests/bench/http_load.c - HTTP load in a closed loop over keep-alive connections; every answer is checked: status
 * 200, from the cell that owns the path, nothing of the contract left in it.
 *
 *     http_load [-c CONNECTIONS] [-n ROUTES] [-C CELLS] [-o ONLY THIS CELL'S] [-s SECONDS] [-z] [-t FIRST] [-r
 *     REQUESTS] [-p] [-b BYTES] [-a] [-k] PORT
 *       -t paths in turn from this number, each once    -r ends after so many    -a any cell and any header is right
 *       -p POST with a body of 16 bytes    -b POST with a body of so many bytes; the cell must have got all of it
 *       -k the contract's headers may stay in the answer (bare HAProxy)
 * Prints one JSON object; ends with 1 when an answer was wrong. */
#include "bench.h"

enum { MAX_CONNECTIONS = 1024, READ_SIZE = 16384 };

struct connection {
    int fd;
    size_t n;
    unsigned owner;
    uint64_t sent_ns, body_left;
    char in[READ_SIZE];
};

static struct picker picker = {.routes = 10000, .random = 88172645463325252U, .cells = 2, .only = UINT64_MAX};
static int connections = 64, epoll;
static double seconds = 2;
static uint64_t body_size;
static bool anything, headers_stay;
static uint64_t most = UINT64_MAX, asked, answered, wrong;
static struct histogram latencies;
enum { SMALL_BODY = 16 };
static char request[512], piece[65536]; /* a small body goes out with the head, a larger one in pieces */
static size_t request_size, path_at;

static void make_request(void)
{
    char length[64] = "";
    memset(piece, 'x', sizeof(piece));
    if (body_size > 0)
        snprintf(length, sizeof(length), "Content-Length: %llu\r\n", (unsigned long long)body_size);
    request_size =
        (size_t)snprintf(request, sizeof(request),
                         "%s /r00000000" PATH_REST " HTTP/1.1\r\nHost: www.example.com\r\n"
                         "User-Agent: bench\r\nAccept: */*\r\n%s\r\n%.*s",
                         body_size > 0 ? "POST" : "GET", length, body_size == SMALL_BODY ? SMALL_BODY : 0, piece);
    path_at = strcspn(request, "/") + 2;
}

static void want_writable(struct connection *c, bool want)
{
    struct epoll_event event = {.events = want ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event) < 0)
        die("epoll_ctl");
}

/* As much of the body as goes out at once. */
static void send_body(struct connection *c)
{
    while (c->body_left > 0) {
        ssize_t sent = send(c->fd, piece, c->body_left < sizeof(piece) ? c->body_left : sizeof(piece), MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent <= 0)
            die("the router closed a connection");
        c->body_left -= (uint64_t)sent;
    }
    want_writable(c, false);
}

static void ask(struct connection *c)
{
    uint64_t number = picker_next(&picker);
    c->owner = (unsigned)(number % picker.cells);
    write_digits(request + path_at, number);
    c->sent_ns = now_ns();
    asked++;
    if (!send_all(c->fd, request, request_size))
        die("the router closed a connection");
    if (body_size > SMALL_BODY) {
        c->body_left = body_size;
        want_writable(c, true);
    }
}

static bool is_right(const char *in, size_t n, unsigned owner)
{
    char cell[32], body[48];
    if (n < 12 || memcmp(in + 8, " 200", 4) != 0)
        return false;
    snprintf(cell, sizeof(cell), "x-cell: c%02u", owner);
    snprintf(body, sizeof(body), "x-body: %llu\r\n", (unsigned long long)body_size);
    if (!strcasestr(in, body))
        return false;
    return anything || (strcasestr(in, cell) && (headers_stay || !strcasestr(in, "x-gitlab-cell-")));
}

/* Of a whole answer at the start of in; 0: not whole. */
static size_t answer_length(const char *in)
{
    const char *end = strstr(in, "\r\n\r\n"), *length = strcasestr(in, "content-length:");
    if (!end)
        return 0;
    if (!length || length > end) {
        fprintf(stderr, "%.300s\n", in);
        die("an answer without content-length");
    }
    return (size_t)(end - in) + 4 + strtoul(length + 15, NULL, 10);
}

static void on_readable(struct connection *c, bool more)
{
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("the router closed a connection");
    c->n += (size_t)got;
    c->in[c->n] = '\0';
    size_t length = answer_length(c->in);
    if (length == 0 || c->n < length)
        return;
    histogram_add(&latencies, now_ns() - c->sent_ns);
    answered++;
    if (c->n != length || !is_right(c->in, c->n, c->owner)) {
        if (wrong++ == 0)
            fprintf(stderr, "wrong, expected c%02u:\n%.400s\n", c->owner, c->in);
    }
    c->n = 0;
    if (more && asked < most)
        ask(c);
}

static void read_options(int argc, char **argv)
{
    bool zipf = false;
    for (int option; (option = getopt(argc, argv, "c:n:C:o:s:t:r:b:zpak")) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'n': picker.routes = strtoull(optarg, NULL, 10); break;
        case 'C': picker.cells = strtoull(optarg, NULL, 10); break;
        case 'o': picker.only = strtoull(optarg, NULL, 10); break;
        case 's': seconds = atof(optarg); break;
        case 't':
            picker.next = strtoull(optarg, NULL, 10);
            picker.in_turn = true;
            break;
        case 'r': most = strtoull(optarg, NULL, 10); break;
        case 'z': zipf = true; break;
        case 'p': body_size = SMALL_BODY; break;
        case 'b': body_size = strtoull(optarg, NULL, 10); break;
        case 'a': anything = true; break;
        case 'k': headers_stay = true; break;
        default: exit(2);
        }
    }
    if (connections > MAX_CONNECTIONS || connections < 1)
        die("too many");
    if (zipf)
        picker_zipf(&picker);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (optind + 1 != argc)
        return fputs("usage: http_load [OPTIONS] PORT\n", stderr), 2;
    make_request();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)connections, sizeof(*all));
    if (!all)
        die("calloc");
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    for (int i = 0; i < connections && asked < most; i++) {
        all[i].fd = open_socket(argv[optind], false);
        watch(epoll, all[i].fd, &all[i]);
        ask(&all[i]);
    }
    while (answered < asked) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, 10000);
        bool more = now_ns() < end;
        if (n == 0)
            die("nothing moves for 10 s");
        for (int i = 0; i < n; i++) {
            if (events[i].events & EPOLLOUT)
                send_body(events[i].data.ptr);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                on_readable(events[i].data.ptr, more);
        }
    }
    printf("{\"count\": %llu, \"seconds\": %.4f, \"wrong\": %llu, ", (unsigned long long)answered,
           (double)(now_ns() - start) / 1e9, (unsigned long long)wrong);
    histogram_print(&latencies);
    printf("}\n");
    return wrong > 0;
}
