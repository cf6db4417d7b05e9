/* agent/config/large_classes.h - the size classes of the large-body tier, as haproxy.large-classes has them. Pure.
 *
 * HAProxy copies a whole buffer for each request that it may have to send again, however little is in it, and has one
 * size of buffer in a process (docs/design.md 11). So each class is a process of its own. */
#ifndef CELLROUTER_AGENT_CONFIG_LARGE_CLASSES_H
#define CELLROUTER_AGENT_CONFIG_LARGE_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"

enum {
    LARGE_CLASSES_MAX = 8, /* processes of a router; large-classes takes no more */
    /* Kept of a buffer for the request's headers and HTX' own use: 16 KiB of headers, as much for rewriting, and
     * slack. */
    LARGE_HEADERS = 65536,
    /* The least largest body of a class: what is smaller fits the edge's own buffer. */
    LARGE_BODY_MIN = 16384,
    /* The largest: HAProxy takes a tune.bufsize below 256 MB only. Source: HAProxy 2.6, check_config_validity(). */
    LARGE_BODY_MAX = 255 << 20,
    LARGE_PLACES_MAX = 10000,
    LARGE_NAME_SIZE = 12,
};

struct large_class {
    /* Its size as it is written, "64k"; "" for the one class that large-buffer makes, whose process and addresses keep
     * the names that they had before there were classes. */
    char name[LARGE_NAME_SIZE];
    uint64_t body;   /* bytes of the largest body that it replays */
    uint64_t buffer; /* tune.bufsize of its process */
    uint32_t places; /* requests in it at a time; 0: not written, large-requests says it */
};

/* Reads one item of large-classes: SIZE[:REQUESTS], such as 64k or 64k:32. False: it is not one, and *whyp says why,
 * as half a sentence. */
bool large_class_read(const char *text, struct large_class *classp, const char **whyp);

/* Fills classes with those of a checked configuration, from small to large, and returns how many there are; 0: there
 * is no tier. */
size_t large_classes(const struct config_haproxy *haproxy, struct large_class classes[LARGE_CLASSES_MAX]);

#endif
