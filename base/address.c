/* base/address.c - the part before the first colon or at-sign decides which kind of address it is; nothing is
 * guessed. */
#include "base/address.h"

#include <stdbool.h>
#include <string.h>

enum { PORT_MAX = 65535 };

static const char *const texts[] = {
#define X(id, text) [ADDRESS_##id] = text,
    ADDRESS_OUTCOMES(X)
#undef X
};

const char *address_text(enum address_outcome outcome)
{
    return texts[outcome];
}

static bool parse_port(const char *text, uint16_t *port)
{
    uint32_t value = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (uint32_t)(*at - '0');
        if (value > PORT_MAX)
            return false;
    }
    *port = (uint16_t)value;
    return *text != '\0';
}

/* n is checked. */
static void set(struct address *address, enum address_kind kind, const char *where, size_t n)
{
    *address = (struct address){.kind = kind};
    memcpy(address->where, where, n);
}

enum address_outcome address_parse_path(const char *path, struct address *address)
{
    size_t n = strlen(path);
    if (path[0] != '/')
        return ADDRESS_RELATIVE;
    if (n > ADDRESS_PATH_MAX)
        return ADDRESS_LONG_PATH;
    set(address, ADDRESS_UNIX, path, n);
    return ADDRESS_OK;
}

static enum address_outcome parse_name(const char *name, struct address *address)
{
    size_t n = strlen(name);
    if (n == 0 || n > ADDRESS_PATH_MAX)
        return ADDRESS_BAD_NAME;
    set(address, ADDRESS_ABSTRACT, name, n);
    return ADDRESS_OK;
}

static enum address_outcome parse_host_port(const char *text, struct address *address)
{
    const char *colon = strrchr(text, ':');
    uint16_t port = 0;
    if (!colon)
        return ADDRESS_NO_PORT;
    const char *host = text;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    } else if (n > 0 && (host[0] == '[' || memchr(host, ':', n))) {
        return ADDRESS_NO_BRACKETS;
    }
    if (n == 0 || n > ADDRESS_HOST_MAX)
        return n == 0 ? ADDRESS_NO_HOST : ADDRESS_LONG_HOST;
    if (!parse_port(colon + 1, &port))
        return ADDRESS_BAD_PORT;
    set(address, ADDRESS_TCP, host, n);
    address->port = port;
    return ADDRESS_OK;
}

enum address_outcome address_parse(const char *text, struct address *address)
{
    if (strncmp(text, "unix:", 5) == 0 || strncmp(text, "unix@", 5) == 0)
        return address_parse_path(text + 5, address);
    if (strncmp(text, "abns@", 5) == 0)
        return parse_name(text + 5, address);
    return parse_host_port(text, address);
}
