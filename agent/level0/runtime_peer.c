/* agent/level0/runtime_peer.c - paths and numeric addresses are known at once, names by a lookup of base/resolve.h. */
#include "agent/level0/runtime_peer.h"

#include <string.h>

#include "base/resolve.h"
#include "base/unix_socket.h"

void runtime_peer_init(struct runtime_peer *peer, const char *address)
{
    *peer = (struct runtime_peer){.size = 0};
    /* The configuration was checked. What gets here all the same is a host without a name, and is not found. */
    if (address_parse(address, &peer->address) != ADDRESS_OK || peer->address.kind == ADDRESS_ABSTRACT)
        peer->address = (struct address){.kind = ADDRESS_TCP};
}

static void set_path(struct runtime_peer *peer)
{
    struct sockaddr_un path = unix_socket_address(peer->address.where);
    memcpy(&peer->at, &path, sizeof path);
    peer->size = sizeof path;
}

static void end_lookup(struct runtime_peer *peer)
{
    resolve_end(peer->resolve);
    peer->resolve = NULL;
}

static enum runtime_peer_state look_up(struct runtime_peer *peer, const char **whyp)
{
    char host[RESOLVED_MAX];
    *whyp = "out of memory";
    if (!peer->resolve)
        peer->resolve = resolve_start(peer->address.where);
    enum resolve_state state = peer->resolve ? resolve_poll(peer->resolve, peer->turn, host, whyp) : RESOLVE_FAILED;
    if (state == RESOLVE_BUSY)
        return RUNTIME_PEER_BUSY;
    end_lookup(peer);
    if (state == RESOLVE_FAILED)
        return RUNTIME_PEER_FAILED;
    peer->turn++;
    peer->size = resolve_numeric(host, peer->address.port, &peer->at);
    *whyp = "the name has no address that can be used";
    return peer->size > 0 ? RUNTIME_PEER_FOUND : RUNTIME_PEER_FAILED;
}

enum runtime_peer_state runtime_peer_find(struct runtime_peer *peer, const char **whyp)
{
    if (peer->size == 0 && peer->address.kind == ADDRESS_UNIX)
        set_path(peer);
    else if (peer->size == 0)
        peer->size = resolve_numeric(peer->address.where, peer->address.port, &peer->at);
    return peer->size > 0 ? RUNTIME_PEER_FOUND : look_up(peer, whyp);
}

void runtime_peer_lost(struct runtime_peer *peer)
{
    peer->size = 0;
}

void runtime_peer_deinit(struct runtime_peer *peer)
{
    end_lookup(peer);
}
