/* base/unix_socket.h - a listening unix socket with owner and mode, and a connection to one. */
#ifndef CELLROUTER_BASE_UNIX_SOCKET_H
#define CELLROUTER_BASE_UNIX_SOCKET_H

#include "base/attributes.h"

/* Returns a non-blocking, close-on-exec descriptor, or -1; then *whyp says what is wrong and what would be right, in static
 * memory. A file of this name that is a socket without a listener is replaced; anything else is left alone. user and group
 * are names, NULL or "": as the process. */
MUST_USE int unix_socket_listen(const char *path, unsigned mode, const char *user, const char *group,
                                const char **whyp);

/* A blocking, close-on-exec descriptor, or -1 with errno. */
MUST_USE int unix_socket_connect(const char *path);

#endif
