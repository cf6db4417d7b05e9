/* tests/bench/origin.c - the cells of the bench, all in one process: a Python cell would be the bottleneck. Cell number % cells owns
 * /rNUMBER/…; the others redirect there.
 *
 *     origin STATUS CELL=PORT…       STATUS of redirects: 302, 421 or 425; a cell called "any" owns every path and is not counted */
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
    char in[READ_SIZE];
};

static struct cell cells[MAX_CELLS];
static uint64_t cell_count;
static const char *status;
static char *names[MAX_CELLS]; /* by number */

/* The number after the kind letter; any other path belongs to cell 0. */
static uint64_t number_of(const char *path)
{
    return strtoull(path + 2, NULL, 10);
}

static int answer(const struct cell *cell, const char *path, char *out, size_t size)
{
    uint64_t owner = cell->any ? cell->number : number_of(path) % cell_count;
    if (!cell->any && owner != cell->number)
        return snprintf(out, size,
                        "HTTP/1.1 %s Elsewhere\r\nX-Gitlab-Cell-Redirect: {cell:%s}\r\nContent-Length: 0\r\n\r\n",
                        status, names[owner]);
    static const char body[] = "0123456789012345678901234567890123456789012345678901234567890123";
    int segment = (int)strcspn(path + 1, "/ ?") + 1;
    return snprintf(out, size,
                    "HTTP/1.1 200 OK\r\nX-Cell: %s\r\nX-Gitlab-Cell-Cache: {path_prefix:%.*s/}\r\n"
                    "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                    cell->id, segment, path, sizeof(body) - 1, body);
}

/* Length of the request at in, 0 when it is not whole. */
static size_t request_length(const char *in, size_t n)
{
    const char *end = memmem(in, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - in) + 4, body = 0;
    const char *at = in;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end) {
        if (strncasecmp(at, "content-length:", 15) == 0)
            body = strtoull(at + 15, NULL, 10);
    }
    return n >= head + body ? head + body : 0;
}

static bool serve(struct client *c)
{
    char out[4096];
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - c->n - 1, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    c->n += (size_t)got;
    c->in[c->n] = '\0';
    size_t length;
    while ((length = request_length(c->in, c->n)) > 0) {
        const char *path = strchr(c->in, ' ');
        if (!path)
            return false;
        int n = answer(c->cell, path + 1, out, sizeof(out));
        if (!send_all(c->fd, out, (size_t)n))
            return false;
        memmove(c->in, c->in + length, c->n - length + 1);
        c->n -= length;
    }
    return c->n < sizeof(c->in) - 1;
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
    if (argc < 3)
        return fputs("usage: origin STATUS CELL=PORT…\n", stderr), 2;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    status = argv[1];
    for (int i = 2; i < argc; i++)
        add_cell(epoll, (size_t)i - 2, argv[i]);
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
