/* agent/config/config_addresses.c - no address may belong to two. Pure.
 *
 * Some addresses are not in the file as they are: HAProxy binds haproxy.loop; of the processes for large bodies, one
 * for each class, each binds haproxy.large-address with its size behind it (-64k), the same with -check, and
 * haproxy.loop with -large-64k (haproxy/rules/). The agent binds spoe.listen and admin.socket; Redis, the runtime
 * sockets and the cells' servers are other programs' own. All of them are compared in one form, whatever their setting
 * calls them: unix:/p, unix@/p and /p are one socket. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/config/config_index.h"
#include "agent/config/config_parse.h"
#include "agent/config/large_classes.h"
#include "base/address.h"

enum {
    PLACE_MAX = 400, /* longer than any address that its check lets through */
    /* loop, 16 listeners, admin, 16 runtime sockets, Redis, three of each of 8 classes: 59 */
    PARTS_MAX = 64,
    SUFFIX_MAX = 32, /* "-large-", a class's name, "-check" */
    /* HAProxy binds a temporary name first, PATH.PID.tmp, in the 107 bytes of a socket's name; a PID has up to 7
     * digits. Source: HAProxy src/sock_unix.c, sock_unix_bind_receiver(). */
    HAPROXY_SOCKET_MAX = 107 - 12,
};

/* Somebody's address. */
struct part {
    const char *section, *key, *address;
    char suffix[SUFFIX_MAX]; /* what stands behind the address; "" nothing */
    bool too_long;           /* HAProxy could not bind it */
    struct address parsed;
    char place[PLACE_MAX];
};

struct parts {
    struct part list[PARTS_MAX];
    size_t count;
    struct config_index index;
};

static bool is_local(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Of an address that its check let through; a path alone is one, too. */
static struct address read_address(const char *text)
{
    struct address address = {.kind = ADDRESS_UNIX};
    enum address_outcome outcome = text[0] == '/' ? address_parse_path(text, &address) : address_parse(text, &address);
    if (outcome != ADDRESS_OK)
        snprintf(address.where, sizeof address.where, "%s", text);
    return address;
}

/* The address in the form that is compared: a path, @name, or host:port in small letters. A host of all addresses is
 * *. */
static void place_of(const struct address *address, const char *suffix, char *out)
{
    const char *host = is_any(address->where)                         ? "*"
                       : strcasecmp(address->where, "localhost") == 0 ? "127.0.0.1"
                                                                      : address->where;
    if (address->kind == ADDRESS_TCP)
        snprintf(out, PLACE_MAX, "%s:%u", host, address->port);
    else
        snprintf(out, PLACE_MAX, "%s%s%s", address->kind == ADDRESS_UNIX ? "" : "@", address->where, suffix);
    for (char *c = out; address->kind == ADDRESS_TCP && *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
}

static void add(struct parts *parts, const char *section, const char *key, const char *address, const char *suffix)
{
    if (!address[0] || parts->count == PARTS_MAX)
        return;
    struct part *part = &parts->list[parts->count++];
    *part = (struct part){.section = section, .key = key, .address = address};
    snprintf(part->suffix, sizeof part->suffix, "%s", suffix);
    part->parsed = read_address(address);
    place_of(&part->parsed, suffix, part->place);
}

static void add_list(struct parts *parts, const char *section, const char *key, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        add(parts, section, key, list->items[i], "");
}

/* What the processes for large bodies bind: haproxy/rules/large-bodies.cfg, haproxy/rules/replay-inner.cfg. */
static void find_classes(struct parts *parts, const struct config_haproxy *haproxy)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    size_t count = large_classes(haproxy, classes);
    char suffix[SUFFIX_MAX];
    for (size_t i = 0; i < count; i++) {
        const char *dash = classes[i].name[0] ? "-" : "";
        snprintf(suffix, sizeof suffix, "-large%s%.*s", dash, LARGE_NAME_SIZE - 1, classes[i].name);
        add(parts, "haproxy", "loop", haproxy->loop, suffix);
        snprintf(suffix, sizeof suffix, "%s%.*s", dash, LARGE_NAME_SIZE - 1, classes[i].name);
        add(parts, "haproxy", "large-address", haproxy->large_address, suffix);
        snprintf(suffix, sizeof suffix, "%s%.*s-check", dash, LARGE_NAME_SIZE - 1, classes[i].name);
        add(parts, "haproxy", "large-address", haproxy->large_address, suffix);
    }
}

static void find_parts(struct parts *parts, const struct config *config)
{
    const struct config_haproxy *haproxy = &config->haproxy;
    add(parts, "haproxy", "loop", haproxy->loop, "");
    add_list(parts, "spoe", "listen", &config->spoe.listen);
    add(parts, "admin", "socket", config->admin.socket, "");
    add_list(parts, "haproxy", "runtime", &haproxy->runtime);
    find_classes(parts, haproxy);
    add(parts, "redis", "address", config->redis.address, "");
    add(parts, "redis", "read-address", config->redis.read_address, "");
}

/* Who has this place, or NULL. */
static const struct part *owner_of(struct parts *parts, const char *place, const struct address *address)
{
    size_t owner = config_index_find(&parts->index, (struct config_index_key){place, ""});
    if (owner == CONFIG_INDEX_NEW && address->kind == ADDRESS_TCP && is_local(address->where)) {
        char any[16];
        snprintf(any, sizeof any, "*:%u", address->port);
        owner = config_index_find(&parts->index, (struct config_index_key){any, ""});
    }
    return owner == CONFIG_INDEX_NEW ? NULL : &parts->list[owner];
}

static void complain(struct config_parse *parse, unsigned line, const struct setting *s, const char *value,
                     const char *suffix, const struct part *owner)
{
    char what[300];
    if (suffix[0])
        snprintf(what, sizeof what,
                 "with %s behind it, as the process for large bodies binds it, this is the address of %s.%s", suffix,
                 owner->section, owner->key);
    else if (owner->suffix[0])
        snprintf(what, sizeof what,
                 "the process for large bodies binds this address already: it is %s.%s with %s behind it",
                 owner->section, owner->key, owner->suffix);
    else
        snprintf(what, sizeof what, "this is the address of %s.%s already", owner->section, owner->key);
    config_complain(parse, line, s, value, what);
}

static unsigned line_of(const struct config_parse *parse, const struct part *part)
{
    return config_line(parse, 0, part->section, part->key);
}

/* A listener of its own list that is given twice has its error already (agent/config/config_check.c). */
static bool is_told(const struct part *a, const struct part *b)
{
    return strcmp(a->section, b->section) == 0 && strcmp(a->key, b->key) == 0 && strcmp(a->address, b->address) == 0;
}

static int check_part(struct config_parse *parse, struct parts *parts, size_t number)
{
    const struct part *part = &parts->list[number], *owner = owner_of(parts, part->place, &part->parsed);
    if (owner && !is_told(part, owner)) {
        /* A default is never to blame for what the file says. */
        bool turn = !line_of(parse, part) && line_of(parse, owner);
        const struct part *told = turn ? owner : part, *other = turn ? part : owner;
        complain(parse, line_of(parse, told), setting_find(told->section, told->key), told->address, told->suffix,
                 other);
    }
    size_t earlier;
    return config_index_put(&parts->index, (struct config_index_key){part->place, ""}, number, &earlier);
}

/* An address is told once, not for each class. */
static bool is_told_long(const struct parts *parts, const struct part *part)
{
    for (const struct part *earlier = parts->list; earlier < part; earlier++)
        if (earlier->too_long && strcmp(earlier->key, part->key) == 0)
            return true;
    return false;
}

static void check_length(struct config_parse *parse, const struct parts *parts, struct part *part)
{
    bool binds = strcmp(part->key, "loop") == 0 || strcmp(part->key, "large-address") == 0;
    size_t length = strlen(part->place) + strlen(parse->config->haproxy.chroot);
    char what[200];
    part->too_long = binds && part->place[0] == '/' && length > HAPROXY_SOCKET_MAX;
    if (!part->too_long || is_told_long(parts, part))
        return;
    snprintf(what, sizeof what, "the path%s%s has %zu bytes, more than the %d that HAProxy can bind",
             part->suffix[0] ? " with " : "", part->suffix, length, HAPROXY_SOCKET_MAX);
    config_complain(parse, line_of(parse, part), setting_find(part->section, part->key), part->address, what);
}

static void check_servers(struct config_parse *parse, struct parts *parts, size_t number)
{
    const struct config_cell *cell = &parse->config->cells[number];
    unsigned line = config_line(parse, number + 1, "cell", "servers");
    char place[PLACE_MAX];
    for (size_t i = 0; i < cell->servers.count; i++) {
        struct address address = read_address(cell->servers.items[i]);
        place_of(&address, "", place);
        const struct part *owner = owner_of(parts, place, &address);
        if (owner)
            complain(parse, line, setting_find("cell", "servers"), cell->servers.items[i], "", owner);
    }
}

/* Those on all of the machine's addresses come first, so that the others meet them. */
int config_check_addresses(struct config_parse *parse)
{
    struct parts *parts = calloc(1, sizeof *parts);
    int outcome = parts ? 0 : -1;
    if (parts)
        find_parts(parts, parse->config);
    for (int any = 1; any >= 0; any--)
        for (size_t i = 0; outcome == 0 && i < parts->count; i++)
            if ((parts->list[i].place[0] == '*') == any)
                outcome = check_part(parse, parts, i);
    for (size_t i = 0; outcome == 0 && i < parts->count; i++)
        check_length(parse, parts, &parts->list[i]);
    for (size_t i = 0; outcome == 0 && i < parse->config->cell_count; i++)
        check_servers(parse, parts, i);
    if (parts)
        config_index_deinit(&parts->index);
    free(parts);
    return outcome;
}
