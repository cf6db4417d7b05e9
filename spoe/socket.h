/* spoe/socket.h - a listening socket out of an address as text: unix, abstract unix, TCP. Start-up only. Private to
 * spoe/. */
#ifndef CELLROUTER_SPOE_SOCKET_H
#define CELLROUTER_SPOE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "spoe/server.h"

enum spoe_socket_kind { SPOE_SOCKET_UNIX, SPOE_SOCKET_ABSTRACT, SPOE_SOCKET_TCP };

struct spoe_socket {
    enum spoe_socket_kind kind;
    int fd;         /* non-blocking, close-on-exec */
    uint16_t port;  /* TCP */
    char path[108]; /* UNIX: the file, and which file it was */
    dev_t device;
    ino_t inode;
};

/* As spoe_server_listen. */
MUST_USE bool spoe_socket_open(struct spoe_socket *listening, const char *address, const struct spoe_access *access,
                               char *error, size_t error_size);

/* Closes it and removes its file, if the file is still this socket's. */
void spoe_socket_close(struct spoe_socket *listening);

#endif
