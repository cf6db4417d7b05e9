/* agent/config/large_classes.c - SIZE[:REQUESTS] read, and the classes of a configuration. */
#include "agent/config/large_classes.h"

#include <string.h>

/* Digits at *textp, at most most; moves behind them. False: none, or more than that. */
static bool read_digits(const char **textp, uint64_t most, uint64_t *outp)
{
    const char *at = *textp;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9' && number <= most; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    bool any = at != *textp;
    *textp = at;
    *outp = number;
    return any && number <= most;
}

static bool read_size(const char **textp, uint64_t *bodyp)
{
    if (!read_digits(textp, LARGE_BODY_MAX, bodyp))
        return false;
    unsigned shift = **textp == 'k' ? 10 : **textp == 'm' ? 20 : 0;
    *bodyp <<= shift;
    *textp += shift > 0;
    return *bodyp >= LARGE_BODY_MIN && *bodyp <= LARGE_BODY_MAX;
}

bool large_class_read(const char *text, struct large_class *classp, const char **whyp)
{
    const char *at = text;
    uint64_t places = 0;
    *classp = (struct large_class){0};
    *whyp = "the size is not 16k to 255m";
    if (!read_size(&at, &classp->body) || (*at != '\0' && *at != ':'))
        return false;
    size_t length = (size_t)(at - text);
    if (length >= sizeof classp->name)
        return false;
    memcpy(classp->name, text, length);
    *whyp = "behind the colon are not 1 to 10000 requests";
    if (*at == ':' && (at++, !read_digits(&at, LARGE_PLACES_MAX, &places) || places == 0 || *at != '\0'))
        return false;
    classp->places = (uint32_t)places;
    classp->buffer = classp->body + LARGE_HEADERS;
    return true;
}

size_t large_classes(const struct config_haproxy *haproxy, struct large_class classes[LARGE_CLASSES_MAX])
{
    const char *why;
    if (haproxy->large_address[0] == '\0')
        return 0;
    if (haproxy->large_buffer > 0) {
        classes[0] = (struct large_class){.body = haproxy->large_buffer - LARGE_HEADERS,
                                          .buffer = haproxy->large_buffer,
                                          .places = haproxy->large_requests};
        return 1;
    }
    size_t count = 0;
    for (size_t i = 0; i < haproxy->large_classes.count && count < LARGE_CLASSES_MAX; i++) {
        struct large_class *class = &classes[count];
        if (!large_class_read(haproxy->large_classes.items[i], class, &why))
            continue;
        class->places = class->places > 0 ? class->places : haproxy->large_requests;
        count++;
    }
    return count;
}
