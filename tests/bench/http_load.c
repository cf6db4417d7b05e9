/* tests/bench/http_load.c - HTTP load in a closed loop over keep-alive connections; every answer is checked: status 200, from the cell
 * that owns the path, nothing of the contract left in it.
 *
 *     http_load [-c CONNECTIONS] [-n ROUTES] [-C CELLS] [-o ONLY THIS CELL'S] [-s SECONDS] [-z] [-t FIRST [-r REQUESTS]] [-p] [-a] [-k] PORT
 *       -t paths in turn from this number, each once    -p POST with a small body    -a any cell and any header is right
 *       -k the contract's headers may stay in the answer (bare HAProxy)
 * Prints one JSON object; ends with 1 when an answer was wrong. */
#include "bench.h"

enum { MAX_CONNECTIONS = 1024, READ_SIZE = 16384 };

struct connection {
    int fd;
    size_t n;
    unsigned owner;
    uint64_t sent_ns;
    char in[READ_SIZE];
};

static struct picker picker = {.routes = 10000, .random = 88172645463325252U, .cells = 2, .only = UINT64_MAX};
static int connections = 64, seconds = 2;
static bool post, anything, headers_stay;
static uint64_t most = UINT64_MAX, asked, answered, wrong;
static struct histogram latencies;
static char request[512];
static size_t request_size;

static void make_request(void)
{
    request_size =
        (size_t)snprintf(request, sizeof(request),
                         "%s /r00000000" PATH_REST " HTTP/1.1\r\nHost: www.example.com\r\n"
                         "User-Agent: bench\r\nAccept: */*\r\n%s\r\n%s",
                         post ? "POST" : "GET", post ? "Content-Length: 16\r\n" : "", post ? "0123456789abcdef" : "");
}

static void ask(struct connection *c)
{
    uint64_t number = picker_next(&picker);
    c->owner = (unsigned)(number % picker.cells);
    write_digits(request + (post ? 7 : 6), number);
    c->sent_ns = now_ns();
    asked++;
    if (!send_all(c->fd, request, request_size))
        die("the router closed a connection");
}

static bool is_right(const char *in, size_t n, unsigned owner)
{
    char cell[32];
    if (n < 12 || memcmp(in + 8, " 200", 4) != 0)
        return false;
    snprintf(cell, sizeof(cell), "x-cell: c%02u", owner);
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
    for (int option; (option = getopt(argc, argv, "c:n:C:o:s:t:r:zpak")) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'n': picker.routes = strtoull(optarg, NULL, 10); break;
        case 'C': picker.cells = strtoull(optarg, NULL, 10); break;
        case 'o': picker.only = strtoull(optarg, NULL, 10); break;
        case 's': seconds = atoi(optarg); break;
        case 't':
            picker.next = strtoull(optarg, NULL, 10);
            picker.in_turn = true;
            break;
        case 'r': most = strtoull(optarg, NULL, 10); break;
        case 'z': zipf = true; break;
        case 'p': post = true; break;
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
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)connections, sizeof(*all));
    if (!all)
        die("calloc");
    uint64_t start = now_ns(), end = start + (uint64_t)seconds * 1000000000U;
    for (int i = 0; i < connections && asked < most; i++) {
        all[i].fd = open_socket(argv[optind], false);
        watch(epoll, all[i].fd, &all[i]);
        ask(&all[i]);
    }
    while (answered < asked) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, 5000);
        bool more = now_ns() < end;
        if (n == 0)
            die("no answer for 5 s");
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.ptr, more);
    }
    printf("{\"count\": %llu, \"seconds\": %.4f, \"wrong\": %llu, ", (unsigned long long)answered,
           (double)(now_ns() - start) / 1e9, (unsigned long long)wrong);
    histogram_print(&latencies);
    printf("}\n");
    return wrong > 0;
}
