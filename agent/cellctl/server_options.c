/* agent/cellctl/server_options.c - the words that belong to health checks, and the rest. */
#include "agent/cellctl/server_options.h"

#include <ctype.h>
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

static const char client_sni[] = "ssl_fc_sni";
static const char client_sni_variable[] = "var(txn.cellrouter.sni)";

/* Where the word names the client's SNI at or behind `from`; its end when it does not. A name goes on with a letter, a
 * digit, _ or a dot. */
static const char *find_client_sni(const char *from, const char *end)
{
    const size_t size = sizeof client_sni - 1;
    for (const char *at = from; (size_t)(end - at) >= size; at++) {
        bool begins = at == from || !(isalnum((unsigned char)at[-1]) || at[-1] == '_' || at[-1] == '.');
        bool ends = at + size == end || !(isalnum((unsigned char)at[size]) || at[size] == '_' || at[size] == '.');
        if (begins && ends && memcmp(at, client_sni, size) == 0)
            return at;
    }
    return end;
}

static void print_word(const char *word, size_t length, FILE *out)
{
    const char *end = word + length, *found;
    fputc(' ', out);
    while ((found = find_client_sni(word, end)) < end) {
        fprintf(out, "%.*s%s", (int)(found - word), word, client_sni_variable);
        word = found + sizeof client_sni - 1;
    }
    fprintf(out, "%.*s", (int)(end - word), word);
}

bool server_options_use_client_sni(const char *options)
{
    const char *end = options + strlen(options);
    return find_client_sni(options, end) < end;
}

bool server_options_use_connection(const char *options)
{
    static const char *const signs[] = {"send-proxy", "source", "src", "dst", "fc_"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(options, signs[i]))
            return true;
    return false;
}

static void print_words(const char *options, bool with_check, FILE *out)
{
    size_t length;
    for (const char *word = server_words_next(options, &length); length > 0;
         word = server_words_next(word + length, &length)) {
        int found = with_check ? -1 : check_word(word, length);
        if (found < 0)
            print_word(word, length, out);
        else if (check_words[found].has_value)
            word = server_words_next(word + length, &length);
    }
}

void server_options_print(const char *options, FILE *out)
{
    print_words(options, true, out);
}

void server_options_print_plain(const char *options, FILE *out)
{
    print_words(options, false, out);
}
