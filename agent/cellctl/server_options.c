/* agent/cellctl/server_options.c - the words that belong to health checks, and the rest. */
#include "agent/cellctl/server_options.h"

#include <ctype.h>
#include <string.h>

/* The words of a health check, and which of them are followed by a value. */
static const struct {
    const char *word;
    bool has_value;
} check_words[] = {
    {"check", false},
    {"no-check", false},
    {"inter", true},
    {"fastinter", true},
    {"downinter", true},
    {"rise", true},
    {"fall", true},
    {"port", true},
    {"addr", true},
    {"check-ssl", false},
    {"check-sni", true},
    {"check-alpn", true},
    {"check-proto", true},
    {"check-send-proxy", false},
    {"check-via-socks4", false},
    {"observe", true},
    {"error-limit", true},
    {"on-error", true},
    {"on-marked-down", true},
    {"on-marked-up", true},
    {"slowstart", true},
    {"agent-check", false},
    {"agent-inter", true},
    {"agent-port", true},
    {"agent-addr", true},
    {"agent-send", true},
};

/* The next blank-separated word of text; quoted blanks belong to it. *length is 0 at the end. */
static const char *next_word(const char *text, size_t *length)
{
    text += strspn(text, " \t");
    size_t n = 0;
    for (char quote = 0; text[n] != '\0' && (quote != 0 || !isblank((unsigned char)text[n])); n++)
        if (quote != 0 ? text[n] == quote : text[n] == '"' || text[n] == '\'')
            quote = quote != 0 ? (char)0 : text[n];
        else if (text[n] == '\\' && quote != '\'' && text[n + 1] != '\0')
            n++;
    *length = n;
    return text;
}

static int check_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(check_words) / sizeof(check_words[0]); i++)
        if (strlen(check_words[i].word) == length && memcmp(check_words[i].word, word, length) == 0)
            return (int)i;
    return -1;
}

bool server_options_has(const char *options, const char *word)
{
    size_t length;
    for (const char *at = next_word(options, &length); length > 0; at = next_word(at + length, &length))
        if (length == strlen(word) && memcmp(at, word, length) == 0)
            return true;
    return false;
}

void server_options_print_plain(const char *options, FILE *out)
{
    size_t length;
    for (const char *word = next_word(options, &length); length > 0; word = next_word(word + length, &length)) {
        int found = check_word(word, length);
        if (found < 0)
            fprintf(out, " %.*s", (int)length, word);
        else if (check_words[found].has_value)
            word = next_word(word + length, &length);
    }
}
