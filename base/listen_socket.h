/* base/listen_socket.h - a listening socket out of an address as text: a socket file with owner and mode, an abstract
 * name, TCP. For start-up: a host's name is looked up with a call that blocks. */
#ifndef CELLROUTER_BASE_LISTEN_SOCKET_H
#define CELLROUTER_BASE_LISTEN_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/address.h"

/* Who may connect. A NULL pointer instead of it takes mode 0660, the process as owner, no remote address. */
struct listen_access {
    unsigned mode;            /* of a socket file */
    const char *user, *group; /* owner of that file by name; NULL or "": as the process */
    bool allow_remote;        /* TCP on other than loopback addresses: nothing here knows a password or encryption */
};

/* An open value; to be closed with listen_socket_close. */
struct listen_socket {
    enum address_kind kind;
    int fd;                          /* non-blocking, close-on-exec */
    uint16_t port;                   /* of TCP */
    char path[ADDRESS_PATH_MAX + 1]; /* the socket file, and which file it was */
    dev_t device;
    ino_t inode;
};

/* Listens at an address (base/address.h). Host "*" stands for all addresses of the machine, port 0 for a free port; a
 * name takes its first address. A socket file that nobody listens on is replaced; one in use is not, and nothing else
 * of that name is. Whether it is in use is found out without waiting: a process that stands still counts. The folder
 * must be there. True, or false with a sentence in error that names the address, what is wrong and what would be
 * right. */
MUST_USE bool listen_socket_open(struct listen_socket *listening, const char *address,
                                 const struct listen_access *access, char *error, size_t error_size);

/* The same for the path of a socket file. */
MUST_USE bool listen_socket_open_path(struct listen_socket *listening, const char *path,
                                      const struct listen_access *access, char *error, size_t error_size);

/* Closes it and removes its file, if the file is still this socket's: a successor may have put its own there. */
void listen_socket_close(struct listen_socket *listening);

#endif
