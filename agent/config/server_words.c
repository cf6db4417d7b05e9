/* agent/config/server_words.c - typos in server-options. cellctl prints these words into four backends, and HAProxy
 * would complain of four lines that nobody wrote; here the complaint names the line of cellrouter.conf. The words are
 * agent/config/server_words.def. */
#include "agent/config/server_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

static const struct {
    const char *word;
    unsigned arguments;
} server_words[] = {
#define SERVER_WORD(word, arguments) {word, arguments},
#include "agent/config/server_words.def"
#undef SERVER_WORD
};

enum { SERVER_WORDS = sizeof server_words / sizeof server_words[0] };

const char *server_words_next(const char *text, size_t *lengthp)
{
    text += strspn(text, " \t");
    size_t n = 0;
    char quote = 0;
    for (; text[n] && (quote || !isblank((unsigned char)text[n])); n++)
        if (quote ? text[n] == quote : text[n] == '"' || text[n] == '\'')
            quote = quote ? (char)0 : text[n];
        else if (text[n] == '\\' && quote != '\'' && text[n + 1])
            n++;
    *lengthp = n;
    return text;
}

static bool is_plain(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)word[i]) && word[i] != '-')
            return false;
    return length > 0;
}

/* set-proxy-v2-tlv-fmt(0x20) is known by what stands before the bracket. */
static size_t find_word(const char *word, size_t length)
{
    size_t name = strcspn(word, "(");
    name = name < length ? name : length;
    for (size_t i = 0; i < SERVER_WORDS; i++)
        if (strlen(server_words[i].word) == name && memcmp(server_words[i].word, word, name) == 0)
            return i;
    return SERVER_WORDS;
}

/* One letter of a short word, two of a longer one. Numbers and times are no words: they may follow a word that is not
 * known here. */
static const char *nearest(const char *word, size_t length)
{
    struct nearest search = nearest_to(word, length);
    search.least = length > 4 ? 3 : 2;
    if (length < 3 || isdigit((unsigned char)word[0]))
        return NULL;
    for (size_t i = 0; i < SERVER_WORDS; i++)
        nearest_try(&search, server_words[i].word);
    return search.best;
}

bool server_words_quotes_end(const char *options)
{
    char quote = 0;
    for (const char *c = options; *c; c++)
        if (quote ? *c == quote : *c == '"' || *c == '\'')
            quote = quote ? (char)0 : *c;
        else if (*c == '\\' && quote != '\'' && c[1])
            c++;
    return !quote;
}

/* Whether this word, which HAProxy does not know, is like one that it knows. */
static bool is_typo(const char *word, size_t length, char *why, size_t size)
{
    const char *near = is_plain(word, length) ? nearest(word, length) : NULL;
    if (near)
        snprintf(why, size, "HAProxy knows no server option %.*s; the nearest one is %s", (int)length, word, near);
    return near;
}

bool server_words_check(const char *options, char *why, size_t size)
{
    size_t length = 0;
    bool after_unknown = false; /* this word may be the argument of one that only a newer HAProxy knows */
    if (!server_words_quotes_end(options)) {
        snprintf(why, size, "a quote does not end");
        return false;
    }
    for (const char *word = server_words_next(options, &length); length > 0 && *word != '#';
         word = server_words_next(word + length, &length)) {
        size_t known = find_word(word, length);
        if (known == SERVER_WORDS && !after_unknown && is_typo(word, length, why, size))
            return false;
        after_unknown = known == SERVER_WORDS;
        if (after_unknown || !server_words[known].arguments)
            continue;
        word = server_words_next(word + length, &length);
        if (length == 0) {
            snprintf(why, size, "the argument of %s is missing", server_words[known].word);
            return false;
        }
    }
    return true;
}
