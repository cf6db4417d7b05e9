/* agent/http/http_server.c - libmicrohttpd on a libev loop.
 *
 * libmicrohttpd keeps its sockets in an epoll set of its own. That set is one descriptor, which is readable when one of
 * them has something to do: it is what our loop watches. MHD_run() then does all of it. It also knows when the next of
 * its time limits is due (MHD_get_timeout), which our timer follows after each run. */
#include "agent/http/http_server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <microhttpd.h>

enum { CONNECTION_MEMORY = 16384 }; /* bytes for the head of a request, as much as HAProxy takes */

struct http_server {
    struct ev_loop *loop;
    struct http_server_options options;
    struct listen_socket listening;
    struct MHD_Daemon *mhd;
    ev_io ready;
    ev_timer limit;
};

static unsigned connections(const struct http_server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* A server that was full listens again at the beginning of a run, and finds out at the end of one that it is not
 * full. */
static void run(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    unsigned before;
    do {
        before = connections(server);
        MHD_run(server->mhd);
    } while (connections(server) < before);
    ev_timer_stop(server->loop, &server->limit);
    if (MHD_get_timeout(server->mhd, &ms) != MHD_YES)
        return;
    ev_timer_set(&server->limit, (double)ms / 1000, 0.);
    ev_timer_start(server->loop, &server->limit);
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    run(watcher->data);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    run(timer->data);
}

static const struct http_page *find_page(const struct http_page *pages, const char *path)
{
    for (; pages->path; pages++)
        if (strcmp(pages->path, path) == 0)
            return pages;
    return NULL;
}

/* body belongs to libmicrohttpd from here on. */
static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *type, char *body,
                               size_t size)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };
    bool fine = MHD_add_response_header(response, "Content-Type", type) == MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        fine = MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES && fine;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        fine = MHD_add_response_header(response, "Allow", "GET, HEAD") == MHD_YES && fine;
    enum MHD_Result outcome = fine ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return outcome;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    char *body = strdup(why);
    return body ? respond(connection, status, "text/plain; charset=utf-8", body, strlen(body)) : MHD_NO;
}

static enum MHD_Result render(const struct http_server *server, struct MHD_Connection *connection,
                              const struct http_page *page, const char *argument)
{
    char *body = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&body, &size);
    if (!out)
        return MHD_NO;
    unsigned status = page->render(server->options.user_data, argument, out);
    if (fclose(out) != 0) {
        free(body);
        return MHD_NO; /* out of memory: the connection is closed */
    }
    return respond(connection, status, page->type, body, size);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    const struct http_server *server = user;
    static char seen;
    (void)version;
    (void)upload;
    if (!*state) { /* the first call is for the head alone: an answer to it would close the connection */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) { /* a body is taken in and dropped */
        *upload_size = 0;
        return MHD_YES;
    }
    const struct http_page *page = find_page(server->options.pages, path);
    if (!page)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such page\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "pages are only read: GET or HEAD\n");
    const char *argument = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "path");
    if (argument && strlen(argument) > HTTP_ARGUMENT_MAX)
        return refuse(connection, MHD_HTTP_URI_TOO_LONG, "the path is too long\n");
    return render(server, connection, page, argument ? argument : "");
}

/* What libmicrohttpd has to say of its clients is theirs to know. */
static void say_nothing(void *user, const char *format, va_list args)
{
    (void)user;
    (void)format;
    (void)args;
}

static bool start(struct http_server *server)
{
    const struct http_server_options *options = &server->options;
    server->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, server,
                                   MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET,
                                   server->listening.fd, MHD_OPTION_CONNECTION_LIMIT, options->max_clients,
                                   MHD_OPTION_CONNECTION_TIMEOUT, options->idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                   (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (!server->mhd)
        return false;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return false;
    ev_io_init(&server->ready, on_ready, info->epoll_fd, EV_READ);
    ev_timer_init(&server->limit, on_limit, 0., 0.);
    server->ready.data = server->limit.data = server;
    ev_io_start(server->loop, &server->ready);
    return true;
}

struct http_server *http_server_new(struct ev_loop *loop, const struct http_server_options *options, char *error,
                                    size_t error_size)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    server->loop = loop;
    server->options = *options;
    server->listening.fd = -1;
    if (!listen_socket_open(&server->listening, options->address, &options->access, error, error_size)) {
        free(server);
        return NULL;
    }
    if (!start(server)) {
        snprintf(error, error_size, "%s: libmicrohttpd does not start", options->address);
        http_server_free(server);
        return NULL;
    }
    return server;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    if (ev_is_active(&server->ready))
        ev_io_stop(server->loop, &server->ready);
    if (ev_is_active(&server->limit))
        ev_timer_stop(server->loop, &server->limit);
    if (server->mhd) {
        /* It would close the socket, and leave the file: both are one thing of listen_socket's. */
        MHD_quiesce_daemon(server->mhd);
        MHD_stop_daemon(server->mhd);
    }
    listen_socket_close(&server->listening);
    free(server);
}

unsigned http_server_port(const struct http_server *server)
{
    return server->listening.port;
}
