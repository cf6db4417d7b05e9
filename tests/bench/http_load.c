/* tests/bench/http_load.c - HTTP load in a closed loop over keep-alive connections; every answer is checked: status
 * 200, from the cell that owns the path, nothing of the contract left in it.
 *
 *     http_load [-c CONNECTIONS] [-n ROUTES] [-C CELLS] [-o ONLY THIS CELL'S] [-s SECONDS] [-z] [-t FIRST] [-r
 *     REQUESTS] [-p] [-b BYTES] [-a] [-k] PORT
 *       -t paths in turn from this number, each once    -r ends after so many    -a any cell and any header is right
 *       -p POST with a body of 16 bytes    -b POST with a body of so many bytes; the cell must have got all of it
 *       -k the contract's headers may stay in the answer (bare HAProxy)
 *       -m the mix of a real site (docs/performance.md), with paths of -n tenants, zipf; new ones count from -t
 * Prints one JSON object; ends with 1 when an answer was wrong. */
#include "bench.h"

enum { MAX_CONNECTIONS = 1024, READ_SIZE = 16384 };

struct connection {
    int fd;
    size_t n;
    unsigned owner;
    uint64_t sent_ns, body_size, body_left;
    char in[READ_SIZE];
};

static struct picker picker = {.routes = 10000, .random = 88172645463325252U, .cells = 2, .only = UINT64_MAX};
static int connections = 64, epoll;
static double seconds = 2;
static uint64_t body_size;
static bool anything, headers_stay, mixed;
static uint64_t next_tenant;
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

static const char browser[] =
    "Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\nAccept: text/html,"
    "application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nReferer: https://www.example.com/r00000001/project\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cache-Control: max-age=0\r\n"
    "Cookie: _session=6f2d8e0b1c4a4d7f9e3b5a8c7d6e5f40; known_sign_in=ZUxKdG1Rb0JzV2pEN0E9PQ; theme=2\r\n"
    "Priority: u=0, i\r\nDNT: 1\r\n";
static const char api_client[] = "User-Agent: client/1.0\r\nAccept: application/json\r\n"
                                 "Authorization: Bearer glpat-0123456789abcdefghij\r\n";

static uint64_t between(uint64_t least, uint64_t largest)
{
    return least + next_random(&picker.random) % (largest - least + 1);
}

/* One of the site's requests: 70 % of 100 are GETs of a browser, 12 % of an API client, 10 % POSTs of 1 to 14 kB, 3 %
 * of 20 to 200 kB, 1 % of 1 to 10 MB, 3 % GETs of paths that depend on the user, 1 % of new tenants. */
static size_t make_mixed(struct connection *c, char *head, size_t size)
{
    uint64_t kind = between(0, 99), number = picker_next(&picker);
    const char *headers = kind < 70 || kind >= 96 ? browser : api_client;
    char letter = kind >= 96 && kind < 99 ? 'u' : 'r', length[64] = "";
    if (kind == 99)
        number = next_tenant++;
    c->body_size = kind < 82 || kind >= 96 ? 0
                   : kind < 92             ? between(1000, 14000)
                   : kind < 95             ? between(20000, 200000)
                                           : between(1000000, 10000000);
    c->owner = (unsigned)(number % picker.cells);
    if (c->body_size > 0)
        snprintf(length, sizeof(length), "Content-Length: %llu\r\n", (unsigned long long)c->body_size);
    return (size_t)snprintf(head, size, "%s /%c%08llu" PATH_REST " HTTP/1.1\r\nHost: www.example.com\r\n%s%s\r\n",
                            c->body_size > 0 ? "POST" : "GET", letter, (unsigned long long)number, headers, length);
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

static size_t make_plain(struct connection *c)
{
    uint64_t number = picker_next(&picker);
    c->owner = (unsigned)(number % picker.cells);
    c->body_size = body_size;
    write_digits(request + path_at, number);
    return request_size;
}

static void ask(struct connection *c)
{
    static char head[2048];
    size_t size = mixed ? make_mixed(c, head, sizeof(head)) : make_plain(c);
    c->sent_ns = now_ns();
    asked++;
    if (!send_all(c->fd, mixed ? head : request, size))
        die("the router closed a connection");
    if (c->body_size > SMALL_BODY) {
        c->body_left = c->body_size;
        want_writable(c, true);
    }
}

static bool is_right(const char *in, size_t n, const struct connection *c)
{
    char cell[32], body[48];
    if (n < 12 || memcmp(in + 8, " 200", 4) != 0)
        return false;
    snprintf(cell, sizeof(cell), "x-cell: c%02u", c->owner);
    snprintf(body, sizeof(body), "x-body: %llu\r\n", (unsigned long long)c->body_size);
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
    if (c->n != length || !is_right(c->in, c->n, c)) {
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
    for (int option; (option = getopt(argc, argv, "c:n:C:o:s:t:r:b:zpakm")) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'n': picker.routes = strtoull(optarg, NULL, 10); break;
        case 'C': picker.cells = strtoull(optarg, NULL, 10); break;
        case 'o': picker.only = strtoull(optarg, NULL, 10); break;
        case 's': seconds = atof(optarg); break;
        case 't':
            picker.next = strtoull(optarg, NULL, 10);
            next_tenant = picker.next;
            picker.in_turn = true;
            break;
        case 'r': most = strtoull(optarg, NULL, 10); break;
        case 'z': zipf = true; break;
        case 'p': body_size = SMALL_BODY; break;
        case 'b': body_size = strtoull(optarg, NULL, 10); break;
        case 'a': anything = true; break;
        case 'k': headers_stay = true; break;
        case 'm': mixed = zipf = true; break;
        default: exit(2);
        }
    }
    if (connections > MAX_CONNECTIONS || connections < 1)
        die("too many");
    if (mixed)
        picker.in_turn = false;
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
