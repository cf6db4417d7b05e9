#include "redis/address.h"

#include <string.h>

enum { UNIX_PATH_MAX_BYTES = 107 }; /* sizeof sun_path of Linux, less the terminator */

static bool parse_port(const char *text, int *port)
{
    int value = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || value > 6553)
            return false;
        value = value * 10 + (*at - '0');
    }
    *port = value;
    return value >= 1 && value <= 65535;
}

static bool copy(struct address *address, const char *from, size_t n, size_t most)
{
    if (n == 0 || n > most)
        return false;
    memcpy(address->where, from, n);
    address->where[n] = '\0';
    return true;
}

bool address_parse(const char *text, struct address *address)
{
    struct address found = {0};
    const char *colon = strrchr(text, ':');
    size_t host;

    if (strncmp(text, "unix:", 5) == 0) {
        found.is_unix = true;
        if (text[5] != '/' || !copy(&found, text + 5, strlen(text + 5), UNIX_PATH_MAX_BYTES))
            return false;
        *address = found;
        return true;
    }
    if (!colon || !parse_port(colon + 1, &found.port))
        return false;
    host = (size_t)(colon - text);
    if (host >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        host -= 2;
    } else if (memchr(text, ':', host)) {
        return false; /* an IPv6 address needs its brackets */
    }
    if (!copy(&found, text, host, sizeof found.where - 1))
        return false;
    *address = found;
    return true;
}
