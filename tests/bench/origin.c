/* tests/bench/origin.c - the cells of the bench, all in one process: a Python cell would be the bottleneck. Cell number
 * % cells owns /rNUMBER/… and claims it, and /uNUMBER/…, which depends on the user and is not claimed; the others
 * redirect there.
 *
 *     origin [-d MICROSECONDS] STATUS CELL=PORT…       STATUS of redirects: 302, 421 or 425; a cell called "any" owns
 *     every path and is not counted
 *       -d waits so long before each answer; one request at a time, so it is for loads of one connection
 * A body is read to its end and forgotten; the answer says how much of it came (X-Body). */
#include "bench.h"

enum { MAX_CELLS = 32, READ_SIZE = 32768 };

struct cell {
    const char *id;
    uint64_t number;
    bool any;
    int listener;
};
struct client {
    struct cell *cell;
    int fd;
    size_t n;
    uint64_t body, body_left; /* of a request whose head has been taken */
    char path[256];           /* its path */
    char in[READ_SIZE];
};

static struct timespec delay;
static struct cell cells[MAX_CELLS];
static uint64_t cell_count;
static const char *status;
static char *names[MAX_CELLS]; /* by number */

/* The number after the kind letter; any other path belongs to cell 0. */
static uint64_t number_of(const char *path)
{
    return strtoull(path + 2, NULL, 10);
}

static int answer(const struct client *c, char *out, size_t size)
{
    const struct cell *cell = c->cell;
    uint64_t owner = cell->any ? cell->number : number_of(c->path) % cell_count;
    if (!cell->any && owner != cell->number)
        return snprintf(out, size,
                        "HTTP/1.1 %s Elsewhere\r\nX-Gitlab-Cell-Redirect: {cell:%s}\r\nContent-Length: 0\r\n\r\n",
                        status, names[owner]);
    static const char body[] = "0123456789012345678901234567890123456789012345678901234567890123";
    int segment = (int)strcspn(c->path + 1, "/ ?") + 1;
    const char *claim = c->path[1] == 'u' ? "X-Nothing" : "X-Gitlab-Cell-Cache";
    return snprintf(out, size,
                    "HTTP/1.1 200 OK\r\nX-Cell: %s\r\nX-Body: %llu\r\n%s: {path_prefix:%.*s/}\r\n"
                    "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                    cell->id, (unsigned long long)c->body, claim, segment, c->path, sizeof(body) - 1, body);
}

static bool send_answer(struct client *c)
{
    char out[4096];
    if (delay.tv_sec > 0 || delay.tv_nsec > 0)
        nanosleep(&delay, NULL);
    return send_all(c->fd, out, (size_t)answer(c, out, sizeof(out)));
}

/* Takes a head out of in: its path and the length of its body. *taken: no head is whole yet. False: not HTTP. */
static bool take_head(struct client *c, bool *taken)
{
    const char *end = memmem(c->in, c->n, "\r\n\r\n", 4), *path = strchr(c->in, ' ');
    *taken = !!end;
    if (!end)
        return c->n < sizeof(c->in) - 1;
    if (!path || path > end)
        return false;
    snprintf(c->path, sizeof(c->path), "%.*s", (int)strcspn(path + 1, " \r"), path + 1);
    c->body = 0;
    for (const char *at = c->in; (at = memchr(at, '\n', (size_t)(end - at))) && ++at < end;)
        if (strncasecmp(at, "content-length:", 15) == 0)
            c->body = strtoull(at + 15, NULL, 10);
    c->body_left = c->body;
    size_t head = (size_t)(end - c->in) + 4;
    memmove(c->in, c->in + head, c->n - head + 1);
    c->n -= head;
    return true;
}

static bool serve(struct client *c)
{
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n - 1, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    c->n += (size_t)got;
    c->in[c->n] = '\0';
    while (c->n > 0) {
        bool taken = c->body_left > 0;
        if (!taken && !take_head(c, &taken))
            return false;
        if (!taken)
            return true;
        size_t here = c->body_left < c->n ? (size_t)c->body_left : c->n;
        memmove(c->in, c->in + here, c->n - here + 1);
        c->n -= here;
        c->body_left -= here;
        if (c->body_left > 0)
            return true;
        if (!send_answer(c))
            return false;
    }
    return true;
}

static void accept_client(int epoll, struct cell *cell)
{
    int on = 1, fd = accept4(cell->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        die("calloc");
    c->cell = cell;
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(epoll, fd, c);
}

static void add_cell(int epoll, size_t i, char *argument)
{
    char *port = strchr(argument, '=');
    if (!port || i >= MAX_CELLS)
        die(argument);
    *port++ = '\0';
    cells[i] = (struct cell){argument, cell_count, strcmp(argument, "any") == 0, open_socket(port, true)};
    if (!cells[i].any)
        names[cell_count++] = argument;
    watch(epoll, cells[i].listener, &cells[i]);
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "d:")) != -1;) {
        if (option != 'd')
            return 2;
        delay = (struct timespec){atol(optarg) / 1000000, atol(optarg) % 1000000 * 1000};
    }
    if (argc - optind < 2)
        return fputs("usage: origin [-d MICROSECONDS] STATUS CELL=PORT…\n", stderr), 2;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    status = argv[optind];
    for (int i = optind + 1; i < argc; i++)
        add_cell(epoll, (size_t)(i - optind) - 1, argv[i]);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            char *user = events[i].data.ptr;
            if (user >= (char *)cells && user < (char *)(cells + MAX_CELLS)) {
                accept_client(epoll, (struct cell *)(void *)user);
            } else if (!serve((struct client *)(void *)user)) {
                close(((struct client *)(void *)user)->fd);
                free(user);
            }
        }
    }
}
