/* agent/level0/haproxy_limits.c - lines "Name: value", then a table with commas, whose header begins with "# pxname".
 * Each ends in an empty line. Columns are only ever added behind others, so they are counted. */
#include "agent/level0/haproxy_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/places.h"

/* The names are those of haproxy/rules/replay-inner.cfg. */
static const char inner_name[] = "cellrouter-inner", header[] = "# pxname,svname,";

enum { NAME = 0, KIND = 1, LIMIT = 6 }; /* columns */

static const struct {
    const char *name, *bound, *text;
} table[HAPROXY_LIMIT_COUNT] = {
#define HAPROXY_LIMIT(id, name, bound, text) {name, bound, text},
#include "agent/level0/haproxy_limits.def"
#undef HAPROXY_LIMIT
};

/* Digits only, at least one. What does not fit is as large as there is. */
static bool read_number(struct text_view text, uint64_t *numberp)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    *numberp = number;
    return text.length > 0;
}

/* Takes the text up to the separator off the front; false: there is none. */
static bool take(struct text_view *rest, char separator, struct text_view *foundp)
{
    const char *end = rest->length > 0 ? memchr(rest->at, separator, rest->length) : NULL;
    if (!end)
        return false;
    *foundp = (struct text_view){rest->at, (size_t)(end - rest->at)};
    *rest = (struct text_view){end + 1, rest->length - foundp->length - 1};
    return true;
}

static bool begins(struct text_view line, const char *word, struct text_view *restp)
{
    size_t length = strlen(word);
    if (line.length < length || memcmp(line.at, word, length) != 0)
        return false;
    *restp = (struct text_view){line.at + length, line.length - length};
    return true;
}

/* Letters, digits and what else HAProxy allows in a name; others become a "?". Source: HAProxy configuration manual
 * 2.6, section 4. */
static void copy_name(struct text_view name, char *out, size_t size)
{
    size_t length = name.length < size - 1 ? name.length : size - 1;
    for (size_t i = 0; i < length; i++) {
        char byte = name.at[i];
        bool fine = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                    (byte != '\0' && strchr("-_.:+~", byte));
        out[i] = fine ? byte : '?';
    }
    out[length] = '\0';
}

/* False: a number that is none. *seen has a bit for each number that was there. */
static bool read_info(struct text_view line, struct haproxy_limits *limits, unsigned *seen)
{
    const struct {
        const char *word;
        uint64_t *number;
    } numbers[] = {{"Pid: ", &limits->pid},
                   {"Maxconn: ", &limits->maxconn},
                   {"Maxsock: ", &limits->maxsock},
                   {"Ulimit-n: ", &limits->files}};
    struct text_view value;
    if (begins(line, "Version: ", &value))
        copy_name(value, limits->version, sizeof limits->version);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (begins(line, numbers[i].word, &value)) {
            *seen |= 1U << i;
            return read_number(value, numbers[i].number);
        }
    return true;
}

static void add_name(struct haproxy_limits *limits, struct text_view name, uint64_t most)
{
    char shown[60], text[100];
    size_t used = strlen(limits->names);
    copy_name(name, shown, sizeof shown);
    snprintf(text, sizeof text, "%s%s=%" PRIu64, used > 0 ? " " : "", shown, most);
    if (used + strlen(text) + sizeof " ..." <= sizeof limits->names)
        strcpy(limits->names + used, text);
    else if (used < 3 || strcmp(limits->names + used - 3, "...") != 0)
        strcpy(limits->names + used, " ...");
}

/* A row of the table: a frontend, or the part of a `listen` that clients come to. */
static bool read_frontend(struct text_view line, struct haproxy_limits *limits)
{
    struct text_view columns[LIMIT + 1];
    uint64_t most;
    for (size_t i = 0; i <= LIMIT; i++)
        if (!take(&line, ',', &columns[i]))
            return false;
    if (!text_view_is(columns[KIND], "FRONTEND") || !read_number(columns[LIMIT], &most))
        return false;
    if (text_view_is(columns[NAME], inner_name)) {
        limits->inner = most;
        return true;
    }
    limits->clients = limits->clients > UINT64_MAX - most ? UINT64_MAX : limits->clients + most;
    add_name(limits, columns[NAME], most);
    return true;
}

bool haproxy_limits_read(struct text_view reply, struct haproxy_limits *limitsp)
{
    struct text_view rest = reply, line, ignored;
    unsigned seen = 0;
    bool rows = false;
    memset(limitsp, 0, sizeof *limitsp);
    if (reply.length < 2 || memcmp(reply.at + reply.length - 2, "\n\n", 2) != 0)
        return false;
    while (take(&rest, '\n', &line)) {
        if (line.length == 0)
            continue;
        if (begins(line, header, &ignored))
            rows = true;
        else if (rows ? !read_frontend(line, limitsp) : !read_info(line, limitsp, &seen))
            return false;
    }
    return rows && seen == 0xf;
}

size_t haproxy_limits_judge(const struct haproxy_limits *limits, const struct config_haproxy *config,
                            struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT])
{
    size_t count = 0;
    uint64_t places = places_global(config), loop = places_inner(config);
    uint64_t room = limits->maxconn > limits->inner ? limits->maxconn - limits->inner : 0;
    if (config->maxconn > 0 && limits->maxconn < places)
        wrong[count++] = (struct haproxy_wrong){HAPROXY_LIMIT_PLACES, limits->maxconn, places};
    if (config->maxconn > 0 && limits->inner < loop)
        wrong[count++] = (struct haproxy_wrong){HAPROXY_LIMIT_LOOP, limits->inner, loop};
    if (config->maxconn > 0 && limits->clients > room)
        wrong[count++] = (struct haproxy_wrong){HAPROXY_LIMIT_CLIENTS, limits->clients, room};
    if (limits->files < limits->maxsock)
        wrong[count++] = (struct haproxy_wrong){HAPROXY_LIMIT_FILES, limits->files, limits->maxsock};
    return count;
}

const char *haproxy_limit_name(enum haproxy_limit limit)
{
    return table[limit].name;
}

const char *haproxy_limit_bound(enum haproxy_limit limit)
{
    return table[limit].bound;
}

const char *haproxy_limit_text(enum haproxy_limit limit)
{
    return table[limit].text;
}
