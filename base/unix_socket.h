/* base/unix_socket.h - the address of a socket file for the system, and a connection to one. */
#ifndef CELLROUTER_BASE_UNIX_SOCKET_H
#define CELLROUTER_BASE_UNIX_SOCKET_H

#include <sys/un.h>

#include "base/attributes.h"

/* path has at most ADDRESS_PATH_MAX bytes; of a longer one the rest is cut off. */
struct sockaddr_un unix_socket_address(const char *path);

/* A blocking, close-on-exec descriptor, or -1 with errno: ENAMETOOLONG, EAGAIN after patience_s seconds (0: no end) in
 * which the other side, whose queue is full, took nobody, and what connect(2) has. Sending has the same patience. */
MUST_USE int unix_socket_connect(const char *path, unsigned patience_s);

#endif
