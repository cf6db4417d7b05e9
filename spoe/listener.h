/* spoe/listener.h - accepts connections on one listening socket, on libev. Private to spoe/. */
#ifndef CELLROUTER_SPOE_LISTENER_H
#define CELLROUTER_SPOE_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/listen_socket.h"

/* Embedded; next is its owner's, the rest listener.c's. */
struct spoe_listener {
    struct spoe_listener *next;
    struct ev_loop *loop;
    struct listen_socket listening;
    ev_io acceptable;
    ev_timer pause;
    uint64_t errors; /* to be read: times accepting paused for want of descriptors or memory */
    void (*on_accept)(void *user, int fd);
    void *user;
};

/* on_accept takes over fd: non-blocking, close-on-exec, its socket options set. Errors as spoe_server_listen. */
MUST_USE bool spoe_listener_start(struct spoe_listener *listener, struct ev_loop *loop, const char *address,
                                  const struct listen_access *access, void (*on_accept)(void *user, int fd), void *user,
                                  char *error, size_t error_size);

/* Accepts no more and closes the socket, with its file; connections that were accepted live on. Its memory is the
 * owner's. */
void spoe_listener_stop(struct spoe_listener *listener);

#endif
