/* base/unix_socket.c - connecting to a socket file waits while the queue of its listener is full; so it has a bound. */
#include "base/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct sockaddr_un unix_socket_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    return address;
}

/* For connect(2), too: socket(7). */
static bool set_patience(int fd, unsigned patience_s)
{
    struct timeval patience = {.tv_sec = patience_s};
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0;
}

int unix_socket_connect(const char *path, unsigned patience_s)
{
    struct sockaddr_un address = unix_socket_address(path);
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (set_patience(fd, patience_s) && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
