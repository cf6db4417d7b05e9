/* agent/daemon/admin.c - clients of the admin socket, a line in, output out, one after the other.
 *
 * A client does one thing at a time:
 *
 *   reading   its io watches for input; `in` holds what has arrived, at most ADMIN_LINE_MAX bytes. A line that does not
 *             end within that ends the client.
 *   writing   its io watches for room to write; `out` is what is being sent. Nothing is read meanwhile, so an impatient
 *             client fills its own socket and not our memory; lines that came in one piece wait in `in`.
 *   closed    client_close has freed it: whoever called that returns to the loop at once.
 *
 * A command's output is made in one go (run_line), or in pieces: then `stream` is set, and client_write makes a piece
 * when the last one was sent, one piece and one write a turn of the loop. So a listing of ten million routes holds up
 * nobody, and a client that stops reading stops its own listing. What the stream holds is given back by its `done`,
 * after the last piece or in client_close.
 *
 * A client that has sent the end of its stream (`ended`) gets the output of what it has asked, and then is closed. One
 * that does nothing for idle_s is closed; each byte either way counts. Want of memory ends a client, too, and
 * admin_free ends all. */
#include "agent/daemon/admin.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"

struct client {
    struct admin *admin;
    struct list_node node; /* in admin->clients */
    ev_io io;
    ev_timer idle;
    bool ended; /* it sends no more */
    char in[ADMIN_LINE_MAX];
    size_t in_length;
    char *out; /* heap; NULL between outputs */
    size_t out_at, out_length;
    struct admin_stream stream;
};

struct admin {
    struct ev_loop *loop;
    struct admin_options options;
    struct listen_socket listening;
    ev_io accept;
    ev_timer retry; /* of accepting, when descriptors ran out */
    struct list_node clients;
    uint32_t count;
};

static void end_stream(struct client *client)
{
    if (client->stream.done)
        client->stream.done(client->stream.state);
    client->stream = (struct admin_stream){0};
}

/* The only way to close a client; the caller returns to the loop at once. */
static void client_close(struct client *client)
{
    struct admin *admin = client->admin;
    ev_io_stop(admin->loop, &client->io);
    ev_timer_stop(admin->loop, &client->idle);
    close(client->io.fd);
    end_stream(client);
    free(client->out);
    list_remove(&client->node);
    admin->count--;
    free(client);
}

static void watch(struct client *client, int events)
{
    if (client->io.events == events)
        return;
    ev_io_stop(client->admin->loop, &client->io);
    ev_io_set(&client->io, client->io.fd, events);
    ev_io_start(client->admin->loop, &client->io);
}

static void help(const struct admin *admin, FILE *out)
{
    fprintf(out, "%-28s %s\n", "help", "print this list");
    for (const struct admin_command *c = admin->options.commands; c->name; c++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s%s%s", c->name, c->argument ? " " : "", c->argument ? c->argument : "");
        fprintf(out, "%-28s %s\n", usage, c->text);
    }
}

/* The rest of line after the command's name, or NULL when it is another command. Blanks around it are gone. */
static const char *argument_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || (line[length] != '\0' && line[length] != ' '))
        return NULL;
    return line + length + strspn(line + length, " ");
}

static void run(struct client *client, const char *line, FILE *out)
{
    const struct admin *admin = client->admin;
    for (const struct admin_command *c = admin->options.commands; c->name; c++) {
        const char *argument = argument_of(line, c->name);
        if (!argument)
            continue;
        if (*argument && !c->argument)
            fprintf(out, "error: %s takes no argument\n", c->name);
        else if (!*argument && c->argument && c->argument[0] != '[')
            fprintf(out, "error: %s needs an argument: %s\n", c->name, c->argument);
        else
            c->run(admin->options.user_data, argument, out, &client->stream);
        return;
    }
    if (strcmp(line, "help") == 0)
        help(admin, out);
    else
        fprintf(out, "error: unknown command; `help` lists those that there are\n");
}

/* Runs one line's command, its output into client->out; -1: out of memory. */
static int run_line(struct client *client, const char *line)
{
    client->out_at = client->out_length = 0;
    FILE *out = open_memstream(&client->out, &client->out_length);
    if (!out)
        return -1;
    run(client, line, out);
    if (!client->stream.step)
        fputc('\n', out);
    return fclose(out) == 0 && client->out ? 0 : -1;
}

/* The next piece of a long output, with the empty line after the last one. Returns -1 when out of memory. */
static int next_piece(struct client *client)
{
    free(client->out);
    client->out = malloc(ADMIN_PIECE + 1);
    if (!client->out)
        return -1;
    client->out_at = client->out_length = 0;
    if (!client->stream.step(client->stream.state, client->out, ADMIN_PIECE, &client->out_length)) {
        client->out[client->out_length++] = '\n'; /* the empty line; there is one byte more than the piece */
        end_stream(client);
    }
    return 0;
}

/* Takes the first line out of the input; false: there is none yet. */
static bool take_line(struct client *client, char *line)
{
    char *end = memchr(client->in, '\n', client->in_length);
    if (!end && !(client->ended && client->in_length && client->in_length < sizeof client->in))
        return false;
    size_t length = end ? (size_t)(end - client->in) : client->in_length;
    size_t taken = end ? length + 1 : length;
    size_t start = 0;
    while (start < length && client->in[start] == ' ')
        start++;
    size_t stop = length;
    while (stop > start && strchr(" \r\t", client->in[stop - 1]))
        stop--;
    memcpy(line, client->in + start, stop - start);
    line[stop - start] = '\0';
    memmove(client->in, client->in + taken, client->in_length - taken);
    client->in_length -= taken;
    return true;
}

/* Starts the next output, or waits for input, or ends. Returns false when the client is gone. */
static bool client_next(struct client *client)
{
    char line[ADMIN_LINE_MAX + 1];
    while (take_line(client, line)) {
        if (!line[0])
            continue;
        if (run_line(client, line) != 0) {
            client_close(client);
            return false;
        }
        watch(client, EV_WRITE);
        return true;
    }
    if (client->ended || client->in_length == sizeof client->in) { /* a line without end is no command */
        client_close(client);
        return false;
    }
    watch(client, EV_READ);
    return true;
}

/* One write and at most one piece a turn: the loop's other work goes on in between. */
static void client_write(struct client *client)
{
    if (client->out_at == client->out_length && client->stream.step && next_piece(client) != 0) {
        client_close(client);
        return;
    }
    if (client->out_at == client->out_length)
        return; /* nothing yet: the loop comes back here */
    ssize_t n = send(client->io.fd, client->out + client->out_at, client->out_length - client->out_at, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_close(client);
        return;
    }
    client->out_at += (size_t)n;
    ev_timer_again(client->admin->loop, &client->idle);
    if (client->out_at < client->out_length || client->stream.step)
        return;
    free(client->out);
    client->out = NULL;
    client_next(client);
}

static void client_read(struct client *client)
{
    ssize_t n = recv(client->io.fd, client->in + client->in_length, sizeof client->in - client->in_length, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        client_close(client);
        return;
    }
    client->ended = n == 0;
    client->in_length += (size_t)n;
    ev_timer_again(client->admin->loop, &client->idle);
    client_next(client);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    struct client *client = io->data;
    if (events & EV_WRITE)
        client_write(client);
    else
        client_read(client);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    client_close(timer->data);
}

static void refused(struct admin *admin, const char *why)
{
    if (admin->options.on_refused)
        admin->options.on_refused(admin->options.user_data, why);
}

static void client_new(struct admin *admin, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        close(fd);
        refused(admin, "out of memory");
        return;
    }
    client->admin = admin;
    list_insert(&admin->clients, &client->node);
    admin->count++;
    ev_io_init(&client->io, on_io, fd, EV_READ);
    client->io.data = client;
    ev_io_start(admin->loop, &client->io);
    ev_timer_init(&client->idle, on_idle, 0., admin->options.idle_s);
    client->idle.data = client;
    ev_timer_again(admin->loop, &client->idle);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    struct admin *admin = timer->data;
    ev_io_start(loop, &admin->accept);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    struct admin *admin = io->data;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            return; /* the client went away meanwhile */
        refused(admin, "no file descriptor left");
        ev_io_stop(loop, io); /* it would be readable again at once */
        ev_timer_set(&admin->retry, 1., 0.);
        ev_timer_start(loop, &admin->retry);
        return;
    }
    if (admin->count < admin->options.max_clients) {
        client_new(admin, fd);
        return;
    }
    static const char full[] = "error: too many admin clients\n\n";
    if (send(fd, full, sizeof full - 1, MSG_NOSIGNAL) < 0)
        refused(admin, "too many clients, and this one is gone");
    else
        refused(admin, "too many clients");
    close(fd);
}

struct admin *admin_new(struct ev_loop *loop, const struct admin_options *options, char *error, size_t error_size)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    *admin = (struct admin){.loop = loop, .options = *options};
    admin->options.path = NULL; /* done with, and not ours */
    admin->options.access = (struct listen_access){0};
    if (!listen_socket_open_path(&admin->listening, options->path, &options->access, error, error_size)) {
        free(admin);
        return NULL;
    }
    list_init(&admin->clients);
    ev_io_init(&admin->accept, on_accept, admin->listening.fd, EV_READ);
    admin->accept.data = admin;
    ev_io_start(loop, &admin->accept);
    ev_init(&admin->retry, on_retry);
    admin->retry.data = admin;
    return admin;
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    while (!list_is_empty(&admin->clients))
        client_close(LIST_OWNER(admin->clients.next, struct client, node));
    ev_io_stop(admin->loop, &admin->accept);
    ev_timer_stop(admin->loop, &admin->retry);
    /* The file stays when the daemon may not write the folder any more: the next start replaces it. */
    listen_socket_close(&admin->listening);
    free(admin);
}

uint32_t admin_clients(const struct admin *admin)
{
    return admin->count;
}
