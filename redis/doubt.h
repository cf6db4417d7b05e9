/* redis/doubt.h - what one router tells the others when a cell redirects a request and no claim explains it: the text
 * that is published. Pure. A text comes from whoever can publish: it is hostile until doubt_read() said true.
 *
 * "1 SENDER ABOUT LIFE_MS CELL HOST_LENGTH HOST/PREFIX/", with single blanks between; ABOUT is r, b or p. */
#ifndef CELLROUTER_REDIS_DOUBT_H
#define CELLROUTER_REDIS_DOUBT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/key.h"

enum route_doubt_about {
    ROUTE_DOUBT_ROUTE, /* the route of this prefix */
    ROUTE_DOUBT_BELOW, /* all paths below this prefix */
    ROUTE_DOUBT_PATH   /* exactly this path */
};

enum { DOUBT_LIFE_MAX_MS = 3600000 };

/* An open value; views. */
struct route_doubt {
    struct route_name route;
    enum route_doubt_about about;
    const char *cell; /* whose route met the redirect */
    size_t cell_length;
    uint32_t life_ms;
};

/* Writes the words before the name into out, which has room for size bytes; the name's host and prefix follow as they
 * are. sender: no blanks. Returns their length; 0: they do not fit. */
MUST_USE size_t doubt_write(const struct route_doubt *doubt, const char *sender, char *out, size_t size);

/* Reads such a text. False: it is none, or its name can be no route's. *doubt and *sender, of *sender_length bytes, are
 * views into text. */
MUST_USE bool doubt_read(const char *text, size_t length, struct route_doubt *doubt, const char **sender,
                         size_t *sender_length);

#endif
