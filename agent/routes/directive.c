/* agent/routes/directive.c - one pass, one function a grammar rule; the first error ends it. */
#include "agent/routes/directive.h"

#include <string.h>

struct reader {
    const char *at;
    const char *end;
    char *storage; /* where the next unpacked string goes */
};

/* A key or value. For a quoted one, bytes are what stands between the quotes. */
struct token {
    const char *bytes;
    size_t length;
    bool escaped; /* has a backslash: must be unpacked before it is used */
};

static void skip_blanks(struct reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t'))
        in->at++;
}

static bool take(struct reader *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 127;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits after \u: their value, or -1. */
static int hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* One escape, behind its backslash: RFC 8259, 7. */
static enum directive_outcome skip_escape(struct reader *in)
{
    if (in->at == in->end)
        return DIRECTIVE_UNFINISHED;
    char c = *in->at++;
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return DIRECTIVE_BAD_STRING;
    if (c != 'u')
        return DIRECTIVE_OK;
    if (hex4(in->at, in->end) < 0)
        return in->end - in->at < 4 ? DIRECTIVE_UNFINISHED : DIRECTIVE_BAD_STRING;
    in->at += 4;
    return DIRECTIVE_OK;
}

/* Behind the opening quote. */
static enum directive_outcome read_quoted(struct reader *in, struct token *token)
{
    *token = (struct token){.bytes = in->at};
    while (in->at < in->end) {
        char c = *in->at++;
        if (c == '"') {
            token->length = (size_t)(in->at - 1 - token->bytes);
            return DIRECTIVE_OK;
        }
        if (is_control(c))
            return DIRECTIVE_BAD_STRING;
        if (c == '\\') {
            enum directive_outcome outcome = skip_escape(in);
            if (outcome != DIRECTIVE_OK)
                return outcome;
            token->escaped = true;
        }
    }
    return DIRECTIVE_UNFINISHED;
}

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static enum directive_outcome read_key(struct reader *in, struct token *token)
{
    if (take(in, '"'))
        return read_quoted(in, token);
    *token = (struct token){.bytes = in->at};
    while (in->at < in->end && is_key_byte(*in->at))
        in->at++;
    token->length = (size_t)(in->at - token->bytes);
    if (token->length > 0)
        return DIRECTIVE_OK;
    return in->at == in->end ? DIRECTIVE_UNFINISHED : DIRECTIVE_BAD_KEY;
}

static enum directive_outcome read_value(struct reader *in, struct token *token)
{
    if (take(in, '"'))
        return read_quoted(in, token);
    *token = (struct token){.bytes = in->at};
    if (in->at < in->end && *in->at == '[')
        return DIRECTIVE_BAD_VALUE;
    for (; in->at < in->end && *in->at != ',' && *in->at != '}'; in->at++)
        if (*in->at == '"' || *in->at == '{' || (is_control(*in->at) && *in->at != '\t'))
            return DIRECTIVE_BAD_VALUE;
    if (in->at == in->end)
        return DIRECTIVE_UNFINISHED;
    const char *stop = in->at;
    while (stop > token->bytes && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    token->length = (size_t)(stop - token->bytes);
    /* A tab is a blank at the ends of a value, and a control byte inside. */
    if (token->length == 0 || memchr(token->bytes, '\t', token->length))
        return DIRECTIVE_BAD_VALUE;
    return DIRECTIVE_OK;
}

/* The character that an escape of a known-good string stands for, at its backslash; 0 for one that is not printable
 * ASCII. */
static char unpack_escape(const char **at, const char *end)
{
    char c = (*at)[1];
    if (c != 'u') {
        *at += 2;
        return strchr("bfnrt", c) ? '\0' : c;
    }
    int code = hex4(*at + 2, end);
    *at += 6;
    return code >= ' ' && code < 127 ? (char)code : '\0';
}

/* The text of a value that is used. */
static enum directive_outcome unpack(struct reader *in, const struct token *token, struct text_view *text)
{
    if (token->length == 0)
        return DIRECTIVE_BAD_VALUE;
    *text = (struct text_view){token->bytes, token->length};
    if (!token->escaped)
        return DIRECTIVE_OK;
    char *out = in->storage;
    const char *end = token->bytes + token->length;
    for (const char *at = token->bytes; at < end; out++) {
        *out = *at == '\\' ? unpack_escape(&at, end) : *at++;
        if (*out == '\0')
            return DIRECTIVE_BAD_STRING;
    }
    *text = (struct text_view){in->storage, (size_t)(out - in->storage)};
    in->storage = out;
    return DIRECTIVE_OK;
}

static enum directive_outcome set_text(struct reader *in, const struct token *value, struct text_view *text)
{
    return text->at ? DIRECTIVE_TWICE : unpack(in, value, text);
}

static enum directive_outcome set_ttl(struct reader *in, const struct token *value, struct directive *directive)
{
    struct text_view digits;
    if (directive->has_ttl)
        return DIRECTIVE_TWICE;
    enum directive_outcome outcome = unpack(in, value, &digits);
    if (outcome != DIRECTIVE_OK)
        return outcome;
    uint64_t seconds = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return DIRECTIVE_BAD_TTL;
        seconds = seconds * 10 + (uint64_t)(digits.at[i] - '0');
        if (seconds > UINT32_MAX)
            seconds = UINT32_MAX;
    }
    directive->has_ttl = true;
    directive->ttl_s = (uint32_t)seconds;
    return DIRECTIVE_OK;
}

static enum directive_outcome set(struct reader *in, const struct token *key, const struct token *value,
                                  struct directive *directive)
{
    struct text_view name;
    if (key->length == 0)
        return DIRECTIVE_BAD_KEY;
    if (unpack(in, key, &name) != DIRECTIVE_OK)
        return DIRECTIVE_OK; /* spelled with other than ASCII: none of ours */
    if (text_view_is(name, "cell"))
        return set_text(in, value, &directive->cell);
    if (text_view_is(name, "path_prefix"))
        return set_text(in, value, &directive->path_prefix);
    if (text_view_is(name, "ttl"))
        return set_ttl(in, value, directive);
    return DIRECTIVE_OK;
}

static enum directive_outcome read_pair(struct reader *in, struct directive *directive)
{
    struct token key, value;
    skip_blanks(in);
    enum directive_outcome outcome = read_key(in, &key);
    if (outcome != DIRECTIVE_OK)
        return outcome;
    skip_blanks(in);
    if (!take(in, ':'))
        return in->at == in->end ? DIRECTIVE_UNFINISHED : DIRECTIVE_NO_COLON;
    skip_blanks(in);
    outcome = read_value(in, &value);
    return outcome == DIRECTIVE_OK ? set(in, &key, &value, directive) : outcome;
}

static enum directive_outcome read_pairs(struct reader *in, struct directive *directive)
{
    skip_blanks(in);
    if (take(in, '}'))
        return DIRECTIVE_OK;
    for (unsigned pairs = 0; pairs < DIRECTIVE_MAX_PAIRS; pairs++) {
        enum directive_outcome outcome = read_pair(in, directive);
        if (outcome != DIRECTIVE_OK)
            return outcome;
        skip_blanks(in);
        if (take(in, '}'))
            return DIRECTIVE_OK;
        if (!take(in, ','))
            return in->at == in->end ? DIRECTIVE_UNFINISHED : DIRECTIVE_NO_COMMA;
    }
    return DIRECTIVE_TOO_MANY;
}

static enum directive_outcome read_all(struct reader *in, struct directive *directive)
{
    skip_blanks(in);
    if (in->at == in->end)
        return DIRECTIVE_EMPTY;
    if (!take(in, '{'))
        return DIRECTIVE_NO_BRACE;
    enum directive_outcome outcome = read_pairs(in, directive);
    if (outcome != DIRECTIVE_OK)
        return outcome;
    skip_blanks(in);
    return in->at == in->end ? DIRECTIVE_OK : DIRECTIVE_TRAILING;
}

enum directive_outcome directive_parse(struct directive *directive, struct text_view text, char *storage)
{
    struct reader in = {.at = text.at, .end = text.length ? text.at + text.length : text.at, .storage = storage};
    *directive = (struct directive){0};
    enum directive_outcome outcome = text.length > DIRECTIVE_MAX_LENGTH ? DIRECTIVE_TOO_LONG : read_all(&in, directive);
    if (outcome != DIRECTIVE_OK)
        *directive = (struct directive){0};
    return outcome;
}

const char *directive_outcome_text(enum directive_outcome outcome)
{
    static const char *const texts[] = {
#define DIRECTIVE_OUTCOME(id, text) [DIRECTIVE_##id] = text,
        DIRECTIVE_OUTCOMES(DIRECTIVE_OUTCOME)
#undef DIRECTIVE_OUTCOME
    };
    return (unsigned)outcome < DIRECTIVE_OUTCOME_COUNT ? texts[outcome] : "?";
}

const char *directive_outcome_name(enum directive_outcome outcome)
{
    static const char *const names[] = {
#define DIRECTIVE_OUTCOME(id, text) [DIRECTIVE_##id] = #id,
        DIRECTIVE_OUTCOMES(DIRECTIVE_OUTCOME)
#undef DIRECTIVE_OUTCOME
    };
    return (unsigned)outcome < DIRECTIVE_OUTCOME_COUNT ? names[outcome] : "?";
}
