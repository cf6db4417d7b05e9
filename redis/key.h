/* redis/key.h - names of routes and their keys in Redis. Pure.
 *
 *   cellrouter:{<host>/<first segment>}<prefix>       the record
 *   cellrouter-gone:{<host>/<first segment>}<prefix>  the tombstone of a dropped route
 *
 * <host> is empty where routes have no host: cellrouter:{/my-company}/my-company/x/. What stands in {} is a Redis
 * Cluster hash tag: all prefixes of one path, and the tombstones, are in one slot. A '}' in the first segment shortens
 * the tag, for all keys of that segment alike.
 * Source: https://redis.io/docs/reference/cluster-spec/#hash-tags */
#ifndef CELLROUTER_REDIS_KEY_H
#define CELLROUTER_REDIS_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

#define ROUTE_KEYS "cellrouter:"
#define ROUTE_TOMBSTONES "cellrouter-gone:"
enum {
    ROUTE_HOST_MAX = 255,    /* bytes; RFC 1035 */
    ROUTE_PREFIX_MAX = 8193, /* bytes; the most that routes max-path allows, and the slash at its end */
    ROUTE_PREFIXES_MAX = 32  /* the most that routes max-depth allows */
};

/* One route: a host (empty where routes have none) and a prefix that begins and ends with '/', "/my-company/".
 * Views. */
struct route_name {
    const char *host;
    size_t host_length;
    const char *prefix;
    size_t prefix_length;
};

/* All prefixes of one path. text is the path in its canonical form, with a '/' at its end or at least up to the last of
 * ends; ends[i] is the length of the i-th prefix, text[ends[i] - 1] is '/', ends ascend, all of them are longer than
 * "/" and have the first segment in common. Views. */
struct route_question {
    const char *host;
    size_t host_length;
    const char *text;
    const uint16_t *ends;
    size_t count; /* 1 … ROUTE_PREFIXES_MAX */
};

/* Whether the name can be a key: lengths, a first segment, '/' at both ends, no '/' or '}' or control byte in the
 * host. */
MUST_USE bool key_name_ok(const struct route_name *name);

/* The same for every prefix of a question, and that it is one as described above. */
MUST_USE bool key_question_ok(const struct route_question *question);

/* The length of the name's first segment, "my-company": 10. The name must be ok. */
size_t key_segment(const struct route_name *name);

/* Length of the record's key; key_tombstone_length() of the tombstone's. */
size_t key_length(const struct route_name *name);
size_t key_tombstone_length(const struct route_name *name);

/* Write the key, exactly that long and not terminated. */
void key_write(const struct route_name *name, char *out);
void key_write_tombstone(const struct route_name *name, char *out);

/* Reads a record's key back. The name's views point into key. False for bytes that key_write() does not produce. */
MUST_USE bool key_parse(const char *key, size_t n, struct route_name *name);

#endif
