/* agent/http/http_server.h - pages for operators and for Prometheus, over HTTP: a table of pages, answered out of
 * memory.
 *
 * It only reads: GET and HEAD, no body, no state between requests. libmicrohttpd speaks HTTP; it runs on our loop,
 * without threads of its own, so that a page is one turn of the loop and must be made in well below a millisecond. A
 * client that is slow waits in libmicrohttpd's memory, never in the loop; one of too many is turned away.
 *
 * Source: RFC 9110; libmicrohttpd's manual, "Starting and stopping the server", external polling. */
#ifndef CELLROUTER_AGENT_HTTP_HTTP_SERVER_H
#define CELLROUTER_AGENT_HTTP_HTTP_SERVER_H

#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/listen_socket.h"

struct ev_loop;
struct http_server;

/* A page. render writes its body to out and returns the status, such as 200. argument is the value of `path` in the
 * query of the request, "" where there is none; it lives only during the call and can be anything but longer than
 * HTTP_ARGUMENT_MAX. */
struct http_page {
    const char *path; /* "/metrics" */
    const char *type; /* its Content-Type */
    unsigned (*render)(void *user, const char *argument, FILE *out);
};

enum { HTTP_ARGUMENT_MAX = 4096 }; /* bytes; a longer one is refused with 414 */

struct http_server_options {
    const char *address; /* base/address.h */
    struct listen_access access;
    unsigned max_clients;
    unsigned idle_s;
    const struct http_page *pages; /* ended by a row without a path; must outlive the server */
    void *user_data;               /* given to render */
};

/* Listens and serves. The loop must outlive the server. NULL: a sentence in error says what is wrong. */
MUST_USE struct http_server *http_server_new(struct ev_loop *loop, const struct http_server_options *options,
                                             char *error, size_t error_size);

/* Closes all connections and the socket. NULL is allowed. */
void http_server_free(struct http_server *server);

/* The port that it listens on; 0 on a unix socket. */
unsigned http_server_port(const struct http_server *server);

#endif
