/* base/peer.h - somebody to connect to: the socket address that an address leads to, its name looked up beside the
 * loop, and a connection to it. Nothing here blocks.
 *
 * What was found serves until it is lost. A name with several addresses leads to another one after each loss. */
#ifndef CELLROUTER_BASE_PEER_H
#define CELLROUTER_BASE_PEER_H

#include <sys/socket.h>

#include "base/address.h"
#include "base/attributes.h"

/* Embedded; peer.c's. */
struct peer {
    struct sockaddr_storage at;
    socklen_t size; /* 0: not known */
    struct address address;
    struct resolve *resolve; /* the lookup under way */
    unsigned turn;           /* of the addresses of the name */
};

enum peer_state {
    PEER_FOUND,
    PEER_BUSY,      /* ask again in some milliseconds */
    PEER_NO_MEMORY, /* the next call tries again */
    PEER_FAILED     /* likewise */
};

/* address is copied. It is a path or a host: of an abstract name nothing is found. */
void peer_init(struct peer *peer, const struct address *address);

/* FAILED, NO_MEMORY: *whyp is a sentence in static memory. A caller who has no more patience with BUSY may come back
 * any time later to the same lookup: glibc cannot stop its thread, so a new one would only take another thread. */
MUST_USE enum peer_state peer_find(struct peer *peer, const char **whyp);

/* After PEER_FOUND: a non-blocking, close-on-exec descriptor whose connection is made or under way; writable when that
 * is decided (SO_ERROR). -1 with errno. */
MUST_USE int peer_connect(const struct peer *peer);

/* Nobody is there any more: the next call of peer_find looks again. */
void peer_lost(struct peer *peer);

/* Ends a lookup under way. Twice is safe. */
void peer_deinit(struct peer *peer);

#endif
