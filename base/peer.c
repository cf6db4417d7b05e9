/* base/peer.c - paths and numeric addresses are known at once, names by a lookup of base/resolve.h. */
#include "base/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/resolve.h"
#include "base/unix_socket.h"

void peer_init(struct peer *peer, const struct address *address)
{
    *peer = (struct peer){.address = *address};
    if (address->kind == ADDRESS_ABSTRACT) /* a host without a name is not found */
        peer->address = (struct address){.kind = ADDRESS_TCP};
}

static void set_path(struct peer *peer)
{
    struct sockaddr_un path = unix_socket_address(peer->address.where);
    memcpy(&peer->at, &path, sizeof path);
    peer->size = sizeof path;
}

static void end_lookup(struct peer *peer)
{
    resolve_end(peer->resolve);
    peer->resolve = NULL;
}

static enum peer_state look_up(struct peer *peer, const char **whyp)
{
    char host[RESOLVED_MAX];
    if (!peer->resolve)
        peer->resolve = resolve_start(peer->address.where);
    *whyp = "out of memory";
    if (!peer->resolve)
        return PEER_NO_MEMORY;
    enum resolve_state state = resolve_poll(peer->resolve, peer->turn, host, whyp);
    if (state == RESOLVE_BUSY)
        return PEER_BUSY;
    end_lookup(peer);
    if (state == RESOLVE_FAILED)
        return PEER_FAILED;
    peer->turn++;
    peer->size = resolve_numeric(host, peer->address.port, &peer->at);
    *whyp = "the name has no address that can be used";
    return peer->size > 0 ? PEER_FOUND : PEER_FAILED;
}

enum peer_state peer_find(struct peer *peer, const char **whyp)
{
    if (peer->size == 0 && peer->address.kind == ADDRESS_UNIX)
        set_path(peer);
    else if (peer->size == 0)
        peer->size = resolve_numeric(peer->address.where, peer->address.port, &peer->at);
    return peer->size > 0 ? PEER_FOUND : look_up(peer, whyp);
}

int peer_connect(const struct peer *peer)
{
    int on = 1, fd = socket(peer->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (peer->address.kind == ADDRESS_TCP) /* without it all works, only slower */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&peer->at, peer->size) == 0 || errno == EINPROGRESS)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void peer_lost(struct peer *peer)
{
    peer->size = 0;
}

void peer_deinit(struct peer *peer)
{
    end_lookup(peer);
}
