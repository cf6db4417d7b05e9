/* agent/config/config_value.c - one function for each kind of check that settings.def names, and one for each kind of
 * value. */
#include "agent/config/config_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/backend_lines.h"
#include "agent/config/large_classes.h"
#include "agent/config/server_words.h"
#include "base/address.h"

static PRINTF_LIKE(2, 3) bool wrong(struct config_complaint *why, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}

static bool all(const char *text, bool (*allowed)(unsigned char c), struct config_complaint *why)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (!allowed(*c)) {
            if (*c > ' ' && *c < 127)
                return wrong(why, "%c is not allowed here", *c);
            return wrong(why, *c == ' ' ? "a blank is not allowed here" : "byte 0x%02x is not allowed here", *c);
        }
    return true;
}

static bool id_byte(unsigned char c)
{
    return isalnum(c) || c == '-' || c == '_';
}

static bool header_byte(unsigned char c)
{
    return isalnum(c) || c == '-';
}

static bool token_byte(unsigned char c)
{
    return header_byte(c) || c == '/' || c == '.';
}

static bool type_byte(unsigned char c)
{
    return token_byte(c) || c == '+' || c == '_';
}

static bool plain_byte(unsigned char c)
{
    return c > ' ' && c != 127;
}

/* Quotes, braces, commas, colons and backslashes would break the directive grammar of docs/design.md 3.3; $ would
 * begin a variable of HAProxy's, in whose quotes the name is printed. */
static bool name_byte(unsigned char c)
{
    return c >= ' ' && c != 127 && !strchr("{}\",:\\$", c);
}

static bool line_byte(unsigned char c)
{
    return c >= ' ' && c != 127;
}

static bool host_byte(unsigned char c)
{
    return isalnum(c) || c == '-' || c == '_' || c == '.';
}

static bool v6_byte(unsigned char c)
{
    return isxdigit(c) || c == ':' || c == '.';
}

/* A socket file's path of its own, without a prefix. */
static bool check_socket(const char *path, struct config_complaint *why)
{
    struct address address;
    enum address_outcome outcome = address_parse_path(path, &address);
    return outcome == ADDRESS_OK ? all(path, plain_byte, why) : wrong(why, "%s", address_text(outcome));
}

static bool check_host_port(const char *text, const struct address *address, struct config_complaint *why)
{
    if (!all(address->where, text[0] == '[' ? v6_byte : host_byte, why))
        return false;
    return address->port != 0 || wrong(why, "%s", address_text(ADDRESS_BAD_PORT));
}

/* host:port, or a socket file with that prefix: our own addresses are written "unix:/path", HAProxy's "unix@/path". */
static bool check_address(const char *text, const char *prefix, struct config_complaint *why)
{
    struct address address;
    enum address_outcome outcome = address_parse(text, &address);
    if (outcome != ADDRESS_OK)
        return wrong(why, "%s", address_text(outcome));
    if (address.kind == ADDRESS_TCP)
        return check_host_port(text, &address, why);
    if (address.kind != ADDRESS_UNIX || strncmp(text, prefix, strlen(prefix)) != 0)
        return wrong(why, "neither host:port nor %s/path", prefix);
    return all(address.where, plain_byte, why);
}

static bool check_loop(const char *text, struct config_complaint *why)
{
    struct address address;
    if (strncmp(text, "unix@", 5) == 0)
        return check_socket(text + 5, why);
    if (strncmp(text, "abns@", 5) != 0)
        return wrong(why, "neither an abstract socket nor a unix socket");
    enum address_outcome outcome = address_parse(text, &address);
    return outcome == ADDRESS_OK ? all(address.where, id_byte, why) : wrong(why, "%s", address_text(outcome));
}

static bool check_prefix(const char *text, struct config_complaint *why)
{
    size_t length = strlen(text);
    if (length == 0 || text[0] != '/' || text[length - 1] != '/')
        return wrong(why, "a prefix starts and ends with /");
    if (strstr(text, "//") || strstr(text, "/./") || strstr(text, "/../"))
        return wrong(why, "a prefix has no empty and no dot segments");
    if (strpbrk(text, "?#"))
        return wrong(why, "a prefix is a path alone, without ? and #");
    return all(text, plain_byte, why);
}

static bool check_absolute(const char *text, struct config_complaint *why)
{
    return text[0] == '/' ? all(text, line_byte, why) : wrong(why, "the path is not absolute");
}

/* Stands in double quotes, and among the arguments of HAProxy's converters. */
static bool haproxy_byte(unsigned char c)
{
    return c > ' ' && c != 127 && !strchr(",()\"'\\$", c);
}

static bool check_haproxy_path(const char *text, struct config_complaint *why)
{
    return check_absolute(text, why) && all(text, haproxy_byte, why);
}

static bool check_options(const char *text, struct config_complaint *why)
{
    return all(text, line_byte, why) && server_words_check(text, why->text, sizeof why->text);
}

static bool check_line(const char *text, struct config_complaint *why)
{
    return all(text, line_byte, why) && backend_line_check(text, why->text, sizeof why->text);
}

static bool check_class(const char *text, struct config_complaint *why)
{
    struct large_class class;
    const char *half;
    return large_class_read(text, &class, &half) || wrong(why, "%s", half);
}

static bool check_text(enum setting_check check, const char *text, struct config_complaint *why)
{
    switch (check) {
    case CHECK_PLAIN: return all(text, plain_byte, why);
    case CHECK_ID:
    case CHECK_ID_OR_EMPTY: return all(text, id_byte, why);
    case CHECK_NAME: return all(text, name_byte, why);
    case CHECK_SERVER:
    case CHECK_SERVER_OR_EMPTY: return !*text || check_address(text, "unix@", why);
    case CHECK_OPTIONS: return check_options(text, why);
    case CHECK_LINE: return check_line(text, why);
    case CHECK_ADDRESS:
    case CHECK_ADDRESS_OR_EMPTY: return !*text || check_address(text, "unix:", why);
    case CHECK_SOCKET_OR_EMPTY: return !*text || check_socket(text, why);
    case CHECK_PATH_OR_EMPTY: return !*text || check_absolute(text, why);
    case CHECK_HAPROXY_PATH_OR_EMPTY: return !*text || check_haproxy_path(text, why);
    case CHECK_PREFIX: return check_prefix(text, why);
    case CHECK_TOKEN: return all(text, token_byte, why);
    case CHECK_HEADER: return all(text, header_byte, why);
    case CHECK_TYPE: return all(text, type_byte, why);
    case CHECK_LOOP: return !*text || check_loop(text, why);
    case CHECK_CLASS: return check_class(text, why);
    case CHECK_NONE:
    case CHECK_cell_answers:
    case CHECK_log_levels:
    case CHECK_direct_hits: break;
    }
    return true;
}

static bool check_length(const struct setting *s, const char *text, struct config_complaint *why)
{
    size_t length = strlen(text);
    if (s->kind == SETTING_LIST)
        return length > 0 || wrong(why, "an item of the list is empty");
    if (length < s->min)
        return wrong(why, "it is empty");
    if (length > s->max)
        return wrong(why, "%zu bytes long, at most %u are allowed", length, (unsigned)s->max);
    return true;
}

static bool parse_number(const struct setting *s, const char *text, uint64_t *outp, struct config_complaint *why)
{
    char *end = NULL;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return wrong(why, text[0] == '-' ? "a number below zero" : "not a number");
    unsigned long long number = strtoull(text, &end, s->kind == SETTING_MODE ? 8 : 10);
    const char *suffix = s->kind == SETTING_SIZE && *end ? strchr("kKmMgG", *end) : NULL;
    unsigned shift = suffix ? 10U * (unsigned)((suffix - strchr("kKmMgG", 'k')) / 2 + 1) : 0;
    bool over = errno == ERANGE;
    if (suffix) {
        over = over || number > UINT64_MAX >> shift;
        number <<= shift;
        end++;
    }
    if (*end)
        return wrong(why, s->kind == SETTING_MODE ? "not an octal number" : "not a whole number");
    if (over || number > s->max)
        return wrong(why, "too large");
    if (number < s->min)
        return wrong(why, "too small");
    *outp = number;
    return true;
}

static bool parse_bool(const char *text, bool *outp, struct config_complaint *why)
{
    static const char *const yes[] = {"true", "on", "yes"}, *const no[] = {"false", "off", "no"};
    for (size_t i = 0; i < 3; i++)
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *outp = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    return wrong(why, "neither true nor false");
}

static bool parse_choice(const struct setting *s, const char *text, int *outp, struct config_complaint *why)
{
    for (const struct setting_word *word = setting_words(s->check); word->word; word++)
        if (strcmp(word->word, text) == 0) {
            *outp = word->value;
            return true;
        }
    return wrong(why, "not one of the words");
}

static enum config_value set_text(char **field, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return CONFIG_VALUE_MEMORY;
    free(*field);
    *field = copy;
    return CONFIG_VALUE_OK;
}

static enum config_value add_item(struct config_list *list, const char *text)
{
    char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
    if (!grown)
        return CONFIG_VALUE_MEMORY;
    list->items = grown;
    list->items[list->count] = strdup(text);
    if (!list->items[list->count])
        return CONFIG_VALUE_MEMORY;
    list->count++;
    return CONFIG_VALUE_OK;
}

static enum config_value set_list(const struct setting *s, struct config_list *list, const char *text,
                                  struct config_complaint *why)
{
    if (list->count >= s->max) {
        wrong(why, "more than %u items", (unsigned)s->max);
        return CONFIG_VALUE_WRONG;
    }
    return add_item(list, text);
}

static enum config_value set_number(const struct setting *s, void *field, const char *text,
                                    struct config_complaint *why)
{
    uint64_t number = 0;
    if (!parse_number(s, text, &number, why))
        return CONFIG_VALUE_WRONG;
    if (s->kind == SETTING_SIZE)
        *(uint64_t *)field = number;
    else
        *(uint32_t *)field = (uint32_t)number;
    return CONFIG_VALUE_OK;
}

enum config_value config_value_set(const struct setting *s, void *field, const char *text, struct config_complaint *why)
{
    switch (s->kind) {
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_MODE: return set_number(s, field, text, why);
    case SETTING_BOOL: return parse_bool(text, field, why) ? CONFIG_VALUE_OK : CONFIG_VALUE_WRONG;
    case SETTING_CHOICE: return parse_choice(s, text, field, why) ? CONFIG_VALUE_OK : CONFIG_VALUE_WRONG;
    case SETTING_TEXT:
    case SETTING_LIST: break;
    }
    if (!check_length(s, text, why) || !check_text(s->check, text, why))
        return CONFIG_VALUE_WRONG;
    return s->kind == SETTING_TEXT ? set_text(field, text) : set_list(s, field, text, why);
}

enum config_value config_value_preset(const struct setting *s, void *field)
{
    struct config_complaint why;
    if (s->kind == SETTING_TEXT)
        return set_text(field, s->preset);
    if (s->kind != SETTING_LIST)
        return config_value_set(s, field, s->preset, &why);
    /* The items of a default list are in quotes, and hold none. */
    for (const char *at = strchr(s->preset, '"'); at; at = strchr(at, '"')) {
        char item[128];
        size_t length = strcspn(at + 1, "\"");
        snprintf(item, sizeof item, "%.*s", (int)length, at + 1);
        if (add_item(field, item) != CONFIG_VALUE_OK)
            return CONFIG_VALUE_MEMORY;
        at += length + 2;
    }
    return CONFIG_VALUE_OK;
}

void config_list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct config_list){0};
}

bool config_address_is_loopback(const char *text)
{
    struct in_addr v4;
    struct address address;
    if (address_parse(text, &address) != ADDRESS_OK || address.kind != ADDRESS_TCP)
        return false;
    if (strcmp(address.where, "::1") == 0 || strcmp(address.where, "localhost") == 0)
        return true;
    return inet_pton(AF_INET, address.where, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}
