/* redis/key.c - what a name must be like, its key, and the way back. */
#include "redis/key.h"

#include <string.h>

static bool host_ok(const char *host, size_t n)
{
    if (n > ROUTE_HOST_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)host[i];

        if (c <= ' ' || c == 0x7f || c == '/' || c == '}')
            return false;
    }
    return true;
}

static bool prefix_ok(const char *prefix, size_t n)
{
    return n >= 3 && n <= ROUTE_PREFIX_MAX && prefix[0] == '/' && prefix[1] != '/' && prefix[n - 1] == '/';
}

bool key_name_ok(const struct route_name *name)
{
    return host_ok(name->host, name->host_length) && prefix_ok(name->prefix, name->prefix_length);
}

bool key_question_ok(const struct route_question *question)
{
    size_t least = 3;

    if (question->count == 0 || question->count > ROUTE_PREFIXES_MAX || !host_ok(question->host, question->host_length))
        return false;
    for (size_t i = 0; i < question->count; i++) {
        size_t end = question->ends[i];

        if (end < least || !prefix_ok(question->text, end))
            return false;
        least = end + 1;
    }
    return true;
}

size_t key_segment(const struct route_name *name)
{
    const char *slash = memchr(name->prefix + 1, '/', name->prefix_length - 1);

    return (size_t)(slash - name->prefix) - 1;
}

static size_t length_behind(size_t space, const struct route_name *name)
{
    return space + sizeof "{/}" - 1 + name->host_length + key_segment(name) + name->prefix_length;
}

size_t key_length(const struct route_name *name)
{
    return length_behind(sizeof ROUTE_KEYS - 1, name);
}

size_t key_tombstone_length(const struct route_name *name)
{
    return length_behind(sizeof ROUTE_TOMBSTONES - 1, name);
}

static char *append(char *out, const char *bytes, size_t n)
{
    if (n != 0) /* an empty host may be NULL */
        memcpy(out, bytes, n);
    return out + n;
}

static void write_behind(char *out, const struct route_name *name)
{
    out = append(out, "{", 1);
    out = append(out, name->host, name->host_length);
    out = append(out, name->prefix, 1 + key_segment(name));
    out = append(out, "}", 1);
    append(out, name->prefix, name->prefix_length);
}

void key_write(const struct route_name *name, char *out)
{
    write_behind(append(out, ROUTE_KEYS, sizeof ROUTE_KEYS - 1), name);
}

void key_write_tombstone(const struct route_name *name, char *out)
{
    write_behind(append(out, ROUTE_TOMBSTONES, sizeof ROUTE_TOMBSTONES - 1), name);
}

/* Neither host nor segment holds a '/': the first slash ends the host, the second begins the prefix. */
bool key_parse(const char *key, size_t n, struct route_name *name)
{
    const size_t start = sizeof ROUTE_KEYS "{" - 1;
    const char *end = key + n, *host, *first, *second;
    struct route_name found;

    if (n <= start || memcmp(key, ROUTE_KEYS "{", start) != 0)
        return false;
    host = key + start;
    first = memchr(host, '/', (size_t)(end - host));
    if (!first)
        return false;
    second = memchr(first + 1, '/', (size_t)(end - first) - 1);
    if (!second || second[-1] != '}')
        return false;
    found = (struct route_name){host, (size_t)(first - host), second, (size_t)(end - second)};
    if (!key_name_ok(&found))
        return false;
    size_t segment = (size_t)(second - first) - 2;
    if (key_segment(&found) != segment || memcmp(first + 1, second + 1, segment) != 0)
        return false;
    *name = found;
    return true;
}
