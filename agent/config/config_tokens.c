/* agent/config/config_tokens.c - see the header.
 *
 * One pass from the first byte to the last; nothing is looked at more than twice (a variable's name: once for its
 * end, once to copy it). The tokens' texts lie one behind the other in one block, which may move while it grows, so a
 * token holds an offset until the end, when it becomes a pointer. */
#include "agent/config/config_tokens.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NO_TEXT = -1, NAME_MAX_LENGTH = 256 }; /* of a variable and its default; nobody needs more */

struct reader {
    const char *bytes;
    size_t length, at;
    unsigned line;
    config_variable_fn *variable;
    struct config_errors *errors;
    struct config_token *list;
    ptrdiff_t *offsets; /* of each token's text in texts, or NO_TEXT */
    size_t count, room;
    char *texts;
    size_t used, texts_room;
    bool swallowed;
    bool failed; /* out of memory, or the texts are too long; said already */
};

/* The byte so far ahead; a zero behind the last, for none is in the file. */
static char peek(const struct reader *r, size_t ahead)
{
    return ahead < r->length - r->at ? r->bytes[r->at + ahead] : '\0';
}

static bool starts(const struct reader *r, const char *word)
{
    size_t length = strlen(word);
    return length <= r->length - r->at && memcmp(r->bytes + r->at, word, length) == 0;
}

static void fail(struct reader *r, const char *why)
{
    if (!r->failed)
        config_errors_add(r->errors, 0, "%s", why);
    r->failed = true;
}

/* ---- what has been read ------------------------------------------------------------------------------------------ */

static void put(struct reader *r, const char *from, size_t length)
{
    if (length > CONFIG_TEXTS_MAX - r->used) {
        fail(r, "larger than it may be, once the variables in it are replaced");
        return;
    }
    if (length > r->texts_room - r->used) {
        size_t room = r->texts_room * 2 > r->used + length ? r->texts_room * 2 : r->used + length + 64;
        char *grown = realloc(r->texts, room);
        if (!grown) {
            fail(r, "out of memory");
            return;
        }
        r->texts = grown;
        r->texts_room = room;
    }
    if (length)
        memcpy(r->texts + r->used, from, length);
    r->used += length;
}

static bool grow(struct reader *r)
{
    size_t room = r->room ? r->room * 2 : 64;
    struct config_token *list = realloc(r->list, room * sizeof *list);
    if (list)
        r->list = list;
    ptrdiff_t *offsets = list ? realloc(r->offsets, room * sizeof *offsets) : NULL;
    if (!offsets)
        return false;
    r->offsets = offsets;
    r->room = room;
    return true;
}

static void push(struct reader *r, enum config_token_kind kind, const char *text, ptrdiff_t offset)
{
    if (r->count == r->room && !grow(r)) {
        fail(r, "out of memory");
        return;
    }
    r->list[r->count] = (struct config_token){.kind = kind, .line = r->line, .text = text};
    r->offsets[r->count++] = offset;
}

/* The text that began at this offset is complete. known is false when an error was found in it. */
static void push_text(struct reader *r, size_t begin, bool known)
{
    put(r, "", 1);
    push(r, TOKEN_TEXT, NULL, known ? (ptrdiff_t)begin : NO_TEXT);
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* The length of ${NAME} or ${NAME:-default} that begins here, or 0 when it does not end on its line, or in its text. */
static size_t variable_length(const struct reader *r)
{
    for (size_t i = 2; i < NAME_MAX_LENGTH; i++) {
        char c = peek(r, i);
        if (c == '}')
            return i + 1;
        if (c == '\0' || c == '\n' || c == '"' || c == '\'' || (c == '$' && peek(r, i + 1) == '{'))
            return 0;
    }
    return 0;
}

/* Replaces the variable that begins here and goes behind it. Returns whether its value is known. */
static bool read_variable(struct reader *r)
{
    char name[NAME_MAX_LENGTH] = "";
    size_t length = variable_length(r);
    if (length == 0) {
        config_errors_add(r->errors, r->line, "${ begins the name of a variable and no } ends it");
        r->at += 2;
        return false;
    }
    memcpy(name, r->bytes + r->at + 2, length - 3);
    r->at += length;
    char *otherwise = strstr(name, ":-");
    if (otherwise)
        *otherwise = '\0';
    const char *value = r->variable(name);
    if (!value && !otherwise) {
        config_errors_add(
            r->errors, r->line,
            "the variable %s is not set; right would be to set it, or ${%s:-text} with what stands for it "
            "then (${%s:-} for nothing)",
            name, name, name);
        return false;
    }
    value = value ? value : otherwise + 2;
    put(r, value, strlen(value));
    return true;
}

/* A backslash in a text, at which r stands. In '…' \" keeps its backslash. */
static bool read_escape(struct reader *r, char quote)
{
    char next = peek(r, 1);
    if (next != '\\' && next != '"' && next != '\'') {
        config_errors_add(r->errors, r->line, "\\ stands only before a quote or another \\ in a text");
        r->at++;
        return false;
    }
    if (quote == '\'' && next == '"')
        put(r, "\\", 1);
    put(r, &next, 1);
    r->at += 2;
    return true;
}

static void read_quoted(struct reader *r)
{
    char quote = peek(r, 0);
    size_t begin = r->used;
    bool known = true;
    r->at++;
    for (char c; (c = peek(r, 0)) != quote;) {
        if (c == '\0' || c == '\n') {
            config_errors_add(r->errors, r->line, "a text begins with %c and does not end on its line", quote);
            push_text(r, begin, false);
            r->swallowed = true;
            return;
        }
        if (c == '\\') {
            known = read_escape(r, quote) && known;
        } else if (quote == '"' && starts(r, "${")) {
            known = read_variable(r) && known;
        } else {
            put(r, &c, 1);
            r->at++;
        }
    }
    r->at++;
    push_text(r, begin, known);
}

static bool in_word(char c)
{
    return (unsigned char)c > ' ' && c != 127 && !strchr("#\"'={}()+,*", c);
}

static void read_word(struct reader *r)
{
    size_t begin = r->used;
    bool known = true;
    for (char c; in_word(c = peek(r, 0));)
        if (starts(r, "${")) {
            known = read_variable(r) && known;
        } else {
            put(r, &c, 1);
            r->at++;
        }
    push_text(r, begin, known);
}

/* ---- everything else --------------------------------------------------------------------------------------------- */

static void skip_line(struct reader *r)
{
    const char *end = memchr(r->bytes + r->at, '\n', r->length - r->at);
    r->at = end ? (size_t)(end - r->bytes) : r->length;
}

static void skip_block_comment(struct reader *r)
{
    unsigned begin = r->line;
    for (r->at += 2; r->at < r->length && !starts(r, "*/"); r->at++)
        r->line += peek(r, 0) == '\n';
    if (r->at < r->length) {
        r->at += 2;
        return;
    }
    r->swallowed = true;
    config_errors_add(r->errors, begin, "a comment begins here with /* and never ends; */ ends it");
}

static void read_sign(struct reader *r)
{
    static const struct {
        const char *sign;
        enum config_token_kind kind;
    } signs[] = {{"=", TOKEN_EQUALS}, {"+=", TOKEN_APPEND}, {"{", TOKEN_OPEN}, {"}", TOKEN_CLOSE}, {",", TOKEN_COMMA}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (starts(r, signs[i].sign)) {
            push(r, signs[i].kind, signs[i].sign, NO_TEXT);
            r->at += strlen(signs[i].sign);
            return;
        }
    char c = peek(r, 0);
    r->at++;
    if ((unsigned char)c > ' ' && c != 127)
        config_errors_add(r->errors, r->line, "an unexpected %c; texts with such characters stand in quotes", c);
    else
        config_errors_add(r->errors, r->line, "an unexpected byte 0x%02x", (unsigned char)c);
}

static void read_one(struct reader *r)
{
    char c = peek(r, 0);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        r->line += c == '\n';
        r->at++;
    } else if (c == '#' || starts(r, "//")) {
        skip_line(r);
    } else if (starts(r, "/*")) {
        skip_block_comment(r);
    } else if (c == '"' || c == '\'') {
        read_quoted(r);
    } else if (in_word(c)) {
        read_word(r);
    } else {
        read_sign(r);
    }
}

/* Whether this can be a configuration at all. Goes behind a byte-order mark, so that what follows is checked, too. */
static bool looks_like_text(struct reader *r)
{
    if (r->length > CONFIG_TEXT_MAX) {
        config_errors_add(r->errors, 0, "larger than %d bytes", CONFIG_TEXT_MAX);
        return false;
    }
    if (starts(r, "\xff\xfe") || starts(r, "\xfe\xff")) {
        config_errors_add(r->errors, 0,
                          "is UTF-16, as its byte-order mark says; right would be UTF-8 without such a mark");
        return false;
    }
    if (r->length && memchr(r->bytes, '\0', r->length)) {
        config_errors_add(r->errors, 0, "holds a zero byte; a configuration is plain text");
        return false;
    }
    if (starts(r, "\xef\xbb\xbf")) {
        config_errors_add(r->errors, 1,
                          "a byte-order mark, bytes ef bb bf, before the first word; right would be UTF-8 without one");
        r->at = 3;
    }
    return true;
}

int config_tokens_read(struct config_tokens *tokens, const char *bytes, size_t length, config_variable_fn *variable,
                       struct config_errors *errors)
{
    struct reader r = {.bytes = bytes, .length = length, .line = 1, .variable = variable, .errors = errors};
    *tokens = (struct config_tokens){0};
    if (!looks_like_text(&r))
        return -1;
    while (r.at < length && !r.failed)
        read_one(&r);
    push(&r, TOKEN_END, "", NO_TEXT);
    for (size_t i = 0; i < r.count && !r.failed; i++)
        if (r.offsets[i] != NO_TEXT)
            r.list[i].text = r.texts + r.offsets[i];
    free(r.offsets);
    *tokens = (struct config_tokens){.list = r.list, .count = r.count, .swallowed = r.swallowed, .texts = r.texts};
    if (!r.failed)
        return 0;
    config_tokens_deinit(tokens);
    return -1;
}

void config_tokens_deinit(struct config_tokens *tokens)
{
    free(tokens->list);
    free(tokens->texts);
    *tokens = (struct config_tokens){0};
}
