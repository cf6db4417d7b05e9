/* tests/fuzz/fuzz_socket.h - a unix socket of a fuzz target's own, at which what it tests finds its peer. */
#ifndef CELLROUTER_TESTS_FUZZ_FUZZ_SOCKET_H
#define CELLROUTER_TESTS_FUZZ_FUZZ_SOCKET_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un here = {.sun_family = AF_UNIX};
static int listener = -1;

static inline void must(int truth)
{
    if (!truth)
        abort();
}

static inline void remove_socket(void)
{
    unlink(here.sun_path);
}

static inline void listen_here(void)
{
    snprintf(here.sun_path, sizeof here.sun_path, "/tmp/cellrouter-fuzz-%ld", (long)getpid());
    unlink(here.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    must(bind(listener, (const struct sockaddr *)&here, sizeof here) == 0 && listen(listener, 16) == 0);
    atexit(remove_socket);
}

#endif
