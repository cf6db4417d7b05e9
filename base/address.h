/* base/address.h - where something listens, out of a configured text:
 *
 *     unix:/path, unix@/path   a socket file
 *     abns@name                an abstract name of Linux, as HAProxy spells it
 *     host:port, [v6]:port     TCP
 *
 * Pure: no name is looked up, and which of these make sense is the caller's to say. */
#ifndef CELLROUTER_BASE_ADDRESS_H
#define CELLROUTER_BASE_ADDRESS_H

#include <stdint.h>

#include "base/attributes.h"

enum {
    ADDRESS_HOST_MAX = 255, /* bytes: no name of the DNS is longer, RFC 1035 */
    ADDRESS_PATH_MAX = 107, /* bytes: sizeof sun_path, less its terminator: unix(7). Of an abstract name as well */
};

enum address_kind { ADDRESS_UNIX, ADDRESS_ABSTRACT, ADDRESS_TCP };

/* An open value. */
struct address {
    enum address_kind kind;
    uint16_t port;                    /* of TCP, may be 0; else 0 */
    char where[ADDRESS_HOST_MAX + 1]; /* path, abstract name, or host without brackets; not empty */
};

/* What is wrong with an address, and a sentence without its end. */
#define ADDRESS_OUTCOMES(X) \
    X(OK, "nothing is wrong") \
    X(NO_PORT, "there is no port") \
    X(NO_HOST, "there is no host") \
    X(LONG_HOST, "the host is longer than 255 bytes") \
    X(NO_BRACKETS, "an IPv6 address stands in [ ]") \
    X(BAD_PORT, "the port is not a number from 1 to 65535") \
    X(RELATIVE, "the path of a socket is not absolute") \
    X(LONG_PATH, "the path of a socket is longer than the 107 bytes that the system allows") \
    X(BAD_NAME, "an abstract name has 1 to 107 bytes")

enum address_outcome {
#define X(id, text) ADDRESS_##id,
    ADDRESS_OUTCOMES(X)
#undef X
};

/* Sets *address on ADDRESS_OK only. */
MUST_USE enum address_outcome address_parse(const char *text, struct address *address);

/* As "unix:" and the path: OK, RELATIVE or LONG_PATH. */
MUST_USE enum address_outcome address_parse_path(const char *path, struct address *address);

/* The sentence of an outcome. */
const char *address_text(enum address_outcome outcome);

#endif
