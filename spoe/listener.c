/* spoe/listener.c - accepting: some connections a wake-up, a pause when descriptors or memory are out, and the socket
 * options that HAProxy's versions need. */
#include "spoe/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "spoe/server.h"

enum {
    /* Connections taken in one wake-up: a reloading HAProxy opens all at once, and others want their turn. */
    ACCEPT_MAX = 32,
    /* From 3.1 HAProxy wedges a connection when one read fills its 16 KiB buffer. The kernel doubles this, counts
     * overhead in, and lets one piece of half of it over the limit: at most 12 KiB are unread, whatever their cut. TCP
     * has no such limit; there only the small size of ACKs and HAProxy's own bound on waiting NOTIFYs help. */
    UNIX_SEND_BUFFER = 6144
};

static void set_option(int fd, int level, int option, int value)
{
    /* Without it the connection works, only slower. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static void set_options(int fd, enum address_kind kind)
{
    if (kind == ADDRESS_TCP) {
        /* 3.2 resets a connection whose AGENT-HELLO is split (issue 3478) */
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    } else {
        set_option(fd, SOL_SOCKET, SO_SNDBUF, UNIX_SEND_BUFFER);
    }
}

/* Out of descriptors or memory: the waiting connection would wake the loop again and again. */
static void take_pause(struct spoe_listener *listener)
{
    listener->errors++;
    ev_io_stop(listener->loop, &listener->acceptable);
    ev_timer_set(&listener->pause, (double)SPOE_ACCEPT_PAUSE_MS / 1000.0, 0.);
    ev_timer_start(listener->loop, &listener->pause);
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct spoe_listener *listener = watcher->data;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(listener->listening.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            set_options(fd, listener->listening.kind);
            listener->on_accept(listener->user, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            take_pause(listener);
            return;
        }
    }
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)revents;
    struct spoe_listener *listener = watcher->data;
    ev_io_start(loop, &listener->acceptable);
}

bool spoe_listener_start(struct spoe_listener *listener, struct ev_loop *loop, const char *address,
                         const struct listen_access *access, void (*on_accept)(void *user, int fd), void *user,
                         char *error, size_t error_size)
{
    *listener = (struct spoe_listener){.loop = loop, .on_accept = on_accept, .user = user};
    if (!listen_socket_open(&listener->listening, address, access, error, error_size))
        return false;
    ev_io_init(&listener->acceptable, on_acceptable, listener->listening.fd, EV_READ);
    ev_timer_init(&listener->pause, on_pause_over, 0., 0.);
    listener->acceptable.data = listener->pause.data = listener;
    ev_io_start(loop, &listener->acceptable);
    return true;
}

void spoe_listener_stop(struct spoe_listener *listener)
{
    ev_io_stop(listener->loop, &listener->acceptable);
    ev_timer_stop(listener->loop, &listener->pause);
    listen_socket_close(&listener->listening);
}
