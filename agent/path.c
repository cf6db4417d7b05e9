/* agent/path.c - see the header. One pass over the path copies, folds, checks and cuts it. */
#include "agent/path.h"

#include <string.h>

/* Where the key is written. A path of max_depth segments needs no more, whatever follows. */
struct key_writer {
    char *at;
    char *end;
};

static bool key_add(struct key_writer *key, char c)
{
    if (key->at == key->end)
        return false;
    *key->at++ = c;
    return true;
}

static bool is_control(char c)
{
    return (unsigned char)c <= ' ' || c == 127;
}

/* One dot of a segment, plain or encoded: how many bytes it takes, 0 when there is none. */
static size_t dot_at(const char *bytes, size_t length)
{
    if (length >= 1 && bytes[0] == '.')
        return 1;
    if (length >= 3 && bytes[0] == '%' && bytes[1] == '2' && path_fold(bytes[2]) == 'e')
        return 3;
    return 0;
}

static bool is_dot_segment(const char *bytes, size_t length)
{
    size_t first = dot_at(bytes, length);
    if (first == 0)
        return false;
    return first == length || first + dot_at(bytes + first, length - first) == length;
}

/* Bytes of the path before its query. */
static size_t without_query(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '?' || bytes[i] == '#')
            return i;
    return length;
}

static enum path_verdict check_segment(const char *bytes, size_t length)
{
    if (length == 0)
        return PATH_EMPTY_SEGMENT;
    for (size_t i = 0; i < length; i++)
        if (is_control(bytes[i]))
            return PATH_CONTROL_BYTE;
    return is_dot_segment(bytes, length) ? PATH_DOT_SEGMENT : PATH_OK;
}

static bool add_segment(struct path *path, struct key_writer *key, const char *bytes, size_t length, bool fold)
{
    if ((size_t)(key->end - key->at) <= length)
        return false;
    if (fold)
        for (size_t i = 0; i < length; i++)
            key->at[i] = path_fold(bytes[i]);
    else
        memcpy(key->at, bytes, length);
    key->at += length;
    *key->at++ = '/';
    path->ends[path->depth++] = (uint16_t)(key->at - path->key);
    return true;
}

/* bytes begins with the slash. */
static enum path_verdict add_segments(struct path *path, const struct path_options *options, struct key_writer *key,
                                      const char *bytes, size_t length)
{
    size_t depth = options->max_depth < PATH_MAX_DEPTH ? options->max_depth : PATH_MAX_DEPTH;
    for (size_t start = 1; start < length;) {
        const char *slash = memchr(bytes + start, '/', length - start);
        size_t stop = slash ? (size_t)(slash - bytes) : length;
        enum path_verdict verdict = check_segment(bytes + start, stop - start);
        if (verdict != PATH_OK)
            return verdict;
        if (path->depth == depth)
            path->deeper = true;
        else if (!add_segment(path, key, bytes + start, stop - start, options->fold_case))
            return PATH_TOO_LONG;
        start = stop + 1;
    }
    return PATH_OK;
}

/* A host as DNS, IPv4 and [IPv6] have it; _ is no host name, but is in use. */
static bool is_host_byte(char c)
{
    char small = path_fold(c);
    return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool is_v6_byte(char c)
{
    char small = path_fold(c);
    return (small >= 'a' && small <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

static bool is_port(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
    return length <= 5;
}

/* Length of the host without its port and the dot of the DNS root; 0 when it is none. RFC 3986 3.2.2 allows "host:". */
static size_t host_part(const char *host, size_t length)
{
    bool v6 = length > 0 && host[0] == '[';
    const char *mark = v6 ? memchr(host, ']', length) : memchr(host, ':', length);
    size_t part = mark ? (size_t)(mark - host) + v6 : length;
    if (v6 && (!mark || part < 4))
        return 0;
    if (part < length && (host[part] != ':' || !is_port(host + part + 1, length - part - 1)))
        return 0;
    for (size_t i = v6; i < part - v6; i++)
        if (!(v6 ? is_v6_byte(host[i]) : is_host_byte(host[i])))
            return 0;
    return !v6 && part > 1 && host[part - 1] == '.' ? part - 1 : part;
}

static enum path_verdict add_host(struct path *path, struct key_writer *key, const char *host, size_t length)
{
    size_t part = host && length <= PATH_MAX_HOST + sizeof ".:65535" ? host_part(host, length) : 0;
    if (part == 0 || part > PATH_MAX_HOST || host[0] == '.')
        return PATH_BAD_HOST;
    path->host_length = (uint16_t)part;
    for (size_t i = 0; i < part; i++)
        if (!key_add(key, path_fold(host[i])))
            return PATH_TOO_LONG;
    return PATH_OK;
}

static enum path_verdict parse(struct path *path, const struct path_options *options, const char *bytes, size_t length,
                               const char *host, size_t host_length, struct key_writer *key)
{
    length = length ? without_query(bytes, length) : 0;
    if (length == 0 || bytes[0] != '/')
        return PATH_NOT_ABSOLUTE;
    if (length > PATH_MAX_LENGTH || length > options->max_length)
        return PATH_TOO_LONG;
    enum path_verdict verdict = options->hosts ? add_host(path, key, host, host_length) : PATH_OK;
    if (verdict != PATH_OK)
        return verdict;
    if (!key_add(key, '/'))
        return PATH_TOO_LONG;
    return add_segments(path, options, key, bytes, length);
}

enum path_verdict path_parse(struct path *path, const struct path_options *options, const char *bytes, size_t length,
                             const char *host, size_t host_length, char *buffer, size_t size)
{
    /* A larger buffer is as good as the largest key; so every end fits 16 bits. */
    size_t usable = size < PATH_KEY_SIZE ? size : PATH_KEY_SIZE;
    struct key_writer key = {.at = buffer, .end = buffer + usable};
    *path = (struct path){.key = buffer};
    enum path_verdict verdict = parse(path, options, bytes, length, host, host_length, &key);
    if (verdict != PATH_OK)
        *path = (struct path){0};
    else
        path->length = (uint16_t)(key.at - buffer);
    return verdict;
}

const char *path_verdict_text(enum path_verdict verdict)
{
    static const char *const texts[] = {
#define PATH_VERDICT(id, text) [PATH_##id] = text,
        PATH_VERDICTS(PATH_VERDICT)
#undef PATH_VERDICT
    };
    return (unsigned)verdict < PATH_VERDICT_COUNT ? texts[verdict] : "?";
}

const char *path_verdict_name(enum path_verdict verdict)
{
    static const char *const names[] = {
#define PATH_VERDICT(id, text) [PATH_##id] = #id,
        PATH_VERDICTS(PATH_VERDICT)
#undef PATH_VERDICT
    };
    return (unsigned)verdict < PATH_VERDICT_COUNT ? names[verdict] : "?";
}
