/* agent/daemon/admin.h - the admin socket: commands in lines on a unix socket, as HAProxy's runtime socket has them,
 * without ever holding up the loop: input is bounded, output is written as fast as the client reads it, and a long one
 * (all routes) is made piece by piece. What the commands do is the caller's; cellctl is the usual client.
 *
 * A client sends "command\n", gets the output and one empty line, and may send the next. Output that begins with
 * "error: " means that nothing was done. Closing the sending side ends the connection after the last output. */
#ifndef CELLROUTER_AGENT_DAEMON_ADMIN_H
#define CELLROUTER_AGENT_DAEMON_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/listen_socket.h"

struct ev_loop;
struct admin;

enum {
    ADMIN_LINE_MAX = 9000, /* bytes of a command: "forget " and the longest path (routes.max-path) fit */
    ADMIN_PIECE = 65536,   /* bytes of output that are made at a time */
};

/* A long output. step writes at most room bytes (ADMIN_PIECE) to out, sets *lengthp to how many, which may be none, and
 * returns whether there is more to come; it must not take long. done, if set, is called once, also when the client goes
 * away in between. */
struct admin_stream {
    bool (*step)(void *state, char *out, size_t room, size_t *lengthp);
    void (*done)(void *state);
    void *state;
};

/* Writes a short output to out (each line ended), or sets stream->step and leaves out alone. argument is the rest of
 * the line without blanks around it, "" when there is none. */
typedef void (*admin_run)(void *user, const char *argument, FILE *out, struct admin_stream *stream);

struct admin_command {
    const char *name;     /* "show counters" */
    const char *argument; /* "PREFIX", "[PREFIX]", or NULL: it takes none */
    const char *text;     /* for help */
    admin_run run;
};

struct admin_options {
    const char *path;
    struct listen_access access;
    uint32_t max_clients;
    uint32_t idle_s;
    const struct admin_command *commands;            /* ended by a row without a name; must outlive the admin */
    void *user_data;                                 /* given to run */
    void (*on_refused)(void *user, const char *why); /* a client was turned away; may be NULL */
};

/* Opens the socket as listen_socket_open_path does. The loop and options' commands must outlive the admin; all else is
 * copied or not needed again. NULL: error is a sentence that says what is wrong. */
MUST_USE struct admin *admin_new(struct ev_loop *loop, const struct admin_options *options, char *error,
                                 size_t error_size);

/* Closes everything and removes the socket file if it is still ours. NULL is allowed. */
void admin_free(struct admin *admin);

/* How many clients are connected now. */
uint32_t admin_clients(const struct admin *admin);

#endif
