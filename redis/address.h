/* redis/address.h - where Redis listens, out of a configured text. Pure. */
#ifndef CELLROUTER_REDIS_ADDRESS_H
#define CELLROUTER_REDIS_ADDRESS_H

#include <stdbool.h>

#include "base/attributes.h"

/* An open value. */
struct address {
    bool is_unix;
    char where[256]; /* path, or host without brackets; terminated. A path has 107 bytes at most: sockaddr_un */
    int port;        /* 1 … 65535; 0 for a path */
};

/* "unix:/path", "host:port", "[v6]:port". False: none of these. */
MUST_USE bool address_parse(const char *text, struct address *address);

#endif
