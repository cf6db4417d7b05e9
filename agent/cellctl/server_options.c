/* agent/cellctl/server_options.c - the words that belong to health checks, and the rest. */
#include "agent/cellctl/server_options.h"

#include <string.h>

#include "agent/config/server_words.h"

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
    for (const char *at = server_words_next(options, &length); length > 0; at = server_words_next(at + length, &length))
        if (length == strlen(word) && memcmp(at, word, length) == 0)
            return true;
    return false;
}

void server_options_print_plain(const char *options, FILE *out)
{
    size_t length;
    for (const char *word = server_words_next(options, &length); length > 0;
         word = server_words_next(word + length, &length)) {
        int found = check_word(word, length);
        if (found < 0)
            fprintf(out, " %.*s", (int)length, word);
        else if (check_words[found].has_value)
            word = server_words_next(word + length, &length);
    }
}
