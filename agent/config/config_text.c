/* agent/config/config_text.c - see the header. The rules are those of libconfuse 3.3, src/lexer.l, less what nobody needs here:
 * escapes other than of quotes and backslashes, and texts of several lines. */
#include "agent/config/config_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    struct config_text *out;
    struct config_errors *errors;
    size_t at;
    unsigned line;
};

static char peek(const struct scan *scan, size_t ahead)
{
    size_t at = scan->at + ahead;
    return at < scan->out->length ? scan->out->text[at] : '\0';
}

static void blank_to(struct scan *scan, size_t end)
{
    for (; scan->at < end; scan->at++)
        if (scan->out->text[scan->at] == '\n')
            scan->line++;
        else
            scan->out->text[scan->at] = ' ';
}

static void skip_line_comment(struct scan *scan)
{
    char *end = memchr(scan->out->text + scan->at, '\n', scan->out->length - scan->at);
    blank_to(scan, end ? (size_t)(end - scan->out->text) : scan->out->length);
}

static void skip_block_comment(struct scan *scan)
{
    const char *end = strstr(scan->out->text + scan->at + 2, "*/");
    if (!end)
        config_errors_add(scan->errors, scan->line, "a comment begins here with /* and never ends; */ ends it");
    blank_to(scan, end ? (size_t)(end - scan->out->text) + 2 : scan->out->length);
}

static int push(struct scan *scan, char kind, size_t at, size_t length)
{
    struct config_text *out = scan->out;
    if ((out->count & (out->count - 1)) == 0) { /* full at each power of two */
        size_t room = out->count ? out->count * 2 : 1;
        struct config_token *grown = realloc(out->tokens, room * sizeof *grown);
        if (!grown)
            return -1;
        out->tokens = grown;
    }
    out->tokens[out->count++] = (struct config_token){kind, at, length, scan->line};
    return 0;
}

/* ${NAME} or ${NAME:-default}, replaced by libconfuse: it must end before the line and the text do. */
static bool variable_ends(const struct scan *scan)
{
    for (size_t i = 2; peek(scan, i) && !strchr("\n\"'", peek(scan, i)); i++)
        if (peek(scan, i) == '}')
            return true;
    return false;
}

static int scan_quoted(struct scan *scan)
{
    char quote = peek(scan, 0);
    size_t start = ++scan->at;
    for (; peek(scan, 0) != quote; scan->at++) {
        char c = peek(scan, 0);
        if (c == '\0' || c == '\n') {
            config_errors_add(scan->errors, scan->line, "a text begins with %c and does not end on its line", quote);
            return push(scan, 'q', start, scan->at - start);
        }
        if (c == '\\') {
            if (peek(scan, 1) != '\\' && peek(scan, 1) != '"' && peek(scan, 1) != '\'')
                config_errors_add(scan->errors, scan->line, "\\ stands only before a quote or another \\ in a text");
            else
                scan->at++;
        }
        if (c == '$' && peek(scan, 1) == '{' && quote == '"' && !variable_ends(scan))
            config_errors_add(scan->errors, scan->line, "${ begins the name of a variable and no } ends it");
    }
    scan->at++;
    return push(scan, 'q', start, scan->at - 1 - start);
}

static bool in_word(char c)
{
    return (unsigned char)c > ' ' && c != 127 && !strchr("#\"'={}()+,*", c);
}

static int scan_word(struct scan *scan)
{
    size_t start = scan->at;
    if (peek(scan, 0) == '$' && peek(scan, 1) == '{' && variable_ends(scan))
        while (scan->out->text[scan->at - (scan->at > start)] != '}')
            scan->at++;
    while (in_word(peek(scan, 0)))
        scan->at++;
    return push(scan, 'a', start, scan->at - start);
}

static int scan_sign(struct scan *scan)
{
    char c = peek(scan, 0);
    size_t start = scan->at++;
    if (c == '+' && peek(scan, 0) == '=') {
        scan->at++;
        return push(scan, '+', start, 2);
    }
    if (strchr("={},", c))
        return push(scan, c, start, 1);
    if ((unsigned char)c > ' ' && c != 127)
        config_errors_add(scan->errors, scan->line, "an unexpected %c; texts with such characters stand in quotes", c);
    else
        config_errors_add(scan->errors, scan->line, "an unexpected byte 0x%02x", (unsigned char)c);
    return 0;
}

static int scan_one(struct scan *scan)
{
    char c = peek(scan, 0);
    if (c == '\n') {
        scan->line++;
        scan->at++;
        return 0;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
        scan->at++;
        return 0;
    }
    if (c == '#' || (c == '/' && peek(scan, 1) == '/')) {
        skip_line_comment(scan);
        return 0;
    }
    if (c == '/' && peek(scan, 1) == '*') {
        skip_block_comment(scan);
        return 0;
    }
    if (c == '"' || c == '\'')
        return scan_quoted(scan);
    return in_word(c) ? scan_word(scan) : scan_sign(scan);
}

/* libconfuse takes the end of the file for the end of every open block. */
static void check_braces(const struct config_text *text, struct config_errors *errors)
{
    size_t open = 0;
    unsigned line = 0;
    for (size_t i = 0; i < text->count; i++) {
        if (text->tokens[i].kind == '{' && open++ == 0)
            line = text->tokens[i].line;
        if (text->tokens[i].kind == '}' && open > 0)
            open--;
    }
    if (open)
        config_errors_add(errors, line, "a block or list begins here with { and never ends; } ends it");
}

int config_text_scan(struct config_text *text, const char *bytes, size_t length, struct config_errors *errors)
{
    *text = (struct config_text){0};
    size_t before = errors->total;
    struct scan scan = {.out = text, .errors = errors, .line = 1};
    if (length > CONFIG_TEXT_MAX)
        config_errors_add(errors, 0, "larger than %d bytes", CONFIG_TEXT_MAX);
    else if (length && memchr(bytes, '\0', length))
        config_errors_add(errors, 0, "holds a zero byte; a configuration is plain text");
    else if (!(text->text = malloc(length + 1)))
        config_errors_add(errors, 0, "out of memory");
    if (!text->text)
        return -1;
    if (length)
        memcpy(text->text, bytes, length);
    text->text[length] = '\0';
    text->length = length;
    while (scan.at < length)
        if (scan_one(&scan) != 0) {
            config_errors_add(errors, 0, "out of memory");
            break;
        }
    check_braces(text, errors);
    if (errors->total == before)
        return 0;
    config_text_deinit(text);
    return -1;
}

void config_text_deinit(struct config_text *text)
{
    free(text->text);
    free(text->tokens);
    *text = (struct config_text){0};
}

static bool is_text(const struct config_token *t)
{
    return t->kind == 'a' || t->kind == 'q';
}

int config_token_is(const struct config_text *text, size_t token, const char *word)
{
    const struct config_token *t = &text->tokens[token];
    return is_text(t) && strlen(word) == t->length && memcmp(text->text + t->at, word, t->length) == 0;
}

/* Whether a value, and no key, stands at this token. */
static bool is_value(const struct config_text *text, size_t token)
{
    return token > 0 && strchr("=+,", text->tokens[token - 1].kind);
}

size_t config_text_key(const struct config_text *text, const char *name, unsigned line)
{
    size_t found = text->count;
    for (size_t i = 0; i < text->count && text->tokens[i].line <= line; i++)
        if (config_token_is(text, i, name) && !is_value(text, i))
            found = i;
    return found;
}

size_t config_text_section(const struct config_text *text, const char *name, const char *title, unsigned line)
{
    size_t found = text->count;
    for (size_t i = 0; i + 1 < text->count && text->tokens[i].line <= line; i++)
        if (config_token_is(text, i, name) && !is_value(text, i) && config_token_is(text, i + 1, title))
            found = i;
    return found;
}

/* The token after the brace that closes the one at token. */
static size_t after_block(const struct config_text *text, size_t token)
{
    unsigned depth = 0;
    for (; token < text->count; token++) {
        if (text->tokens[token].kind == '{')
            depth++;
        if (text->tokens[token].kind == '}' && --depth == 0)
            return token + 1;
    }
    return token;
}

static size_t after_statement(const struct config_text *text, size_t token)
{
    size_t next = token + 1;
    if (next < text->count && is_text(&text->tokens[next]))
        next++; /* a title */
    if (next < text->count && (text->tokens[next].kind == '=' || text->tokens[next].kind == '+'))
        next++;
    if (next < text->count && text->tokens[next].kind == '{')
        return after_block(text, next);
    return next < text->count && is_text(&text->tokens[next]) ? next + 1 : next;
}

void config_text_blank(struct config_text *text, size_t token)
{
    size_t end = after_statement(text, token);
    for (size_t i = token; i < end; i++) {
        struct config_token *t = &text->tokens[i];
        size_t from = t->at, to = t->at + t->length;
        if (t->kind == 'q') {
            from--;
            to++;
        }
        memset(text->text + from, ' ', to - from);
        t->kind = ' ';
    }
}
