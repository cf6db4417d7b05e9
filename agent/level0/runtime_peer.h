/* agent/level0/runtime_peer.h - the socket address that a configured address leads to; names are looked up beside the
 * loop.
 *
 * What was found serves until it is lost, and not for one connection: each batch of changes has one of its own, and a
 * name with several addresses shall not lead to another HAProxy process each time. */
#ifndef CELLROUTER_AGENT_LEVEL0_RUNTIME_PEER_H
#define CELLROUTER_AGENT_LEVEL0_RUNTIME_PEER_H

#include <sys/socket.h>

#include "base/address.h"
#include "base/attributes.h"

/* Embedded; at and size are to be read after RUNTIME_PEER_FOUND. */
struct runtime_peer {
    struct sockaddr_storage at;
    socklen_t size; /* 0: not known */
    struct address address;
    struct resolve *resolve; /* the lookup under way */
    unsigned turn;           /* of the addresses of the name */
};

enum runtime_peer_state {
    RUNTIME_PEER_FOUND,
    RUNTIME_PEER_BUSY,  /* ask again in some milliseconds */
    RUNTIME_PEER_FAILED /* the next call tries again */
};

/* address as in struct runtime_api_options; it is copied. */
void runtime_peer_init(struct runtime_peer *peer, const char *address);

/* Does not block. FAILED: *whyp is a sentence in static memory. A caller who has no more patience with BUSY may come
 * back any time later to the same lookup: glibc cannot stop its thread, so a new one would only take another thread. */
MUST_USE enum runtime_peer_state runtime_peer_find(struct runtime_peer *peer, const char **whyp);

/* Nobody is there any more: the next call of runtime_peer_find looks again, at the next address of the name. */
void runtime_peer_lost(struct runtime_peer *peer);

/* Ends a lookup under way. */
void runtime_peer_deinit(struct runtime_peer *peer);

#endif
