/* agent/routes/path.c - one walk over the path checks and cuts it; then so much as has prefixes is
 * copied, and folded. */
#include "agent/routes/path.h"

#include <endian.h>
#include <string.h>

/* What a byte of a path is to the walk over it. */
enum byte_class { PLAIN, SLASH, END, CONTROL };

static const uint8_t classes[256] = {[0 ... ' '] = CONTROL, [127] = CONTROL, ['/'] = SLASH, ['?'] = END, ['#'] = END};

static enum byte_class class_of(char c)
{
    return (enum byte_class)classes[(unsigned char)c];
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
        if (class_of(bytes[i]) == END)
            return i;
    return length;
}

/* A segment without control bytes. */
static enum path_verdict check_segment(const char *bytes, size_t length)
{
    if (length == 0)
        return PATH_EMPTY_SEGMENT;
    return is_dot_segment(bytes, length) ? PATH_DOT_SEGMENT : PATH_OK;
}

/* The top bit of each byte of word that is not PLAIN. No byte spills over into the next one: 7 bits and 7 bits are
 * 8. */
static uint64_t not_plain(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = word & each * 0x7f;
    uint64_t above_blank = low + each * (0x7f - ' ');
    uint64_t is_127 = low + each;
    uint64_t no_slash = ((low & ~(each * ('/' ^ '?'))) ^ each * ('/' & '?')) + each * 0x7f; /* nor a question mark */
    uint64_t no_hash = (low ^ each * '#') + each * 0x7f;
    return ~((above_blank & ~is_127 & no_slash & no_hash) | word) & each * 0x80;
}

/* The first byte that is not PLAIN, or end. */
static const char *skip_plain(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t found = not_plain(le64toh(word));
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    while (at < end && class_of(*at) == PLAIN)
        at++;
    return at;
}

/* Finds the ends of the segments in the key, which is the path as it stands behind the host: room bytes of it fit. */
static enum path_verdict find_ends(struct path *path, size_t depth, struct text_view text, size_t room)
{
    const char *end = text.at + text.length;
    size_t count = 0;
    for (const char *start = text.at + 1, *at;; start = at + 1) {
        at = skip_plain(start, end);
        enum byte_class class = at < end ? class_of(*at) : END;
        if (class == CONTROL)
            return PATH_CONTROL_BYTE;
        if (class == END && at == start)
            break;
        enum path_verdict verdict = check_segment(start, (size_t)(at - start));
        if (verdict != PATH_OK)
            return verdict;
        size_t before = (size_t)(at - text.at);
        if (count == depth)
            path->deeper = true;
        else if (before >= room)
            return PATH_TOO_LONG;
        else
            path->ends[count++] = (uint16_t)(path->host_length + before + 1);
        if (class == END)
            break;
    }
    path->depth = (uint16_t)count;
    return PATH_OK;
}

/* The key's part behind the host: length bytes, with the slash at its end. */
static void write_key(char *key, const char *bytes, size_t length, bool fold)
{
    if (fold)
        for (size_t i = 0; i < length - 1; i++)
            key[i] = path_fold(bytes[i]);
    else
        memcpy(key, bytes, length - 1);
    key[length - 1] = '/';
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

static enum path_verdict write_host(struct path *path, struct text_view host, char *key, size_t size)
{
    size_t part = host.at && host.length <= PATH_MAX_HOST + sizeof ".:65535" ? host_part(host.at, host.length) : 0;
    if (part == 0 || part > PATH_MAX_HOST || host.at[0] == '.')
        return PATH_BAD_HOST;
    if (part > size)
        return PATH_TOO_LONG;
    for (size_t i = 0; i < part; i++)
        key[i] = path_fold(host.at[i]);
    path->host_length = (uint16_t)part;
    return PATH_OK;
}

/* text begins with the slash. */
static enum path_verdict parse(struct path *path, const struct path_options *options, struct text_view text,
                               struct text_view host, char *buffer, size_t size)
{
    enum path_verdict verdict = options->hosts ? write_host(path, host, buffer, size) : PATH_OK;
    if (verdict != PATH_OK)
        return verdict;
    size_t room = size - path->host_length;
    if (room == 0)
        return PATH_TOO_LONG;
    verdict = find_ends(path, options->max_depth < PATH_MAX_DEPTH ? options->max_depth : PATH_MAX_DEPTH, text, room);
    if (verdict != PATH_OK)
        return verdict;
    path->length = path->depth > 0 ? path->ends[path->depth - 1] : (uint16_t)(path->host_length + 1);
    write_key(buffer + path->host_length, text.at, (size_t)(path->length - path->host_length), options->fold_case);
    return PATH_OK;
}

enum path_verdict path_parse(struct path *path, const struct path_options *options, struct text_view text,
                             struct text_view host, char *buffer, size_t size)
{
    size_t limit = options->max_length < PATH_MAX_LENGTH ? options->max_length : PATH_MAX_LENGTH;
    /* A larger buffer is as good as the largest key; so every end fits 16 bits. */
    size_t usable = size < PATH_KEY_SIZE ? size : PATH_KEY_SIZE;
    enum path_verdict verdict;
    path->key = buffer;
    path->length = path->host_length = path->depth = 0;
    path->deeper = false;
    if (text.length == 0 || text.at[0] != '/')
        verdict = PATH_NOT_ABSOLUTE;
    else if (text.length > limit && without_query(text.at, limit + 1) > limit)
        verdict = PATH_TOO_LONG;
    else
        verdict = parse(path, options, text, host, buffer, usable);
    if (verdict != PATH_OK)
        *path = (struct path){0};
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
