/* redis/doubt.c - words between blanks, each checked before the next one is looked at. */
#include "redis/doubt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = {[ROUTE_DOUBT_ROUTE] = 'r', [ROUTE_DOUBT_BELOW] = 'b', [ROUTE_DOUBT_PATH] = 'p'};

size_t doubt_write(const struct route_doubt *doubt, const char *sender, char *out, size_t size)
{
    int n = snprintf(out, size, "1 %s %c %" PRIu32 " %.*s %zu ", sender, letters[doubt->about], doubt->life_ms,
                     (int)doubt->cell_length, doubt->cell, doubt->route.host_length);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

struct words {
    const char *at;
    size_t left;
};

/* The next word; NULL: there is no blank behind it, or it is empty. */
static const char *take_word(struct words *words, size_t *length)
{
    const char *word = words->at, *blank = words->left ? memchr(word, ' ', words->left) : NULL;
    if (!blank || blank == word)
        return NULL;
    *length = (size_t)(blank - word);
    words->at = blank + 1;
    words->left -= *length + 1;
    return word;
}

static bool take_number(struct words *words, uint32_t most, uint32_t *number)
{
    size_t length;
    const char *word = take_word(words, &length);
    if (!word || length > 9)
        return false;
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        *number = *number * 10 + (uint32_t)(word[i] - '0');
    }
    return *number <= most;
}

static bool take_about(struct words *words, enum route_doubt_about *about)
{
    size_t length;
    const char *word = take_word(words, &length);
    for (size_t i = 0; word && length == 1 && i < sizeof letters; i++)
        if (letters[i] == word[0]) {
            *about = (enum route_doubt_about)i;
            return true;
        }
    return false;
}

bool doubt_read(const char *text, size_t length, struct route_doubt *doubt, const char **sender, size_t *sender_length)
{
    struct words words = {text, length};
    size_t version_length;
    uint32_t host_length;
    const char *version = take_word(&words, &version_length);
    if (!version || version_length != 1 || version[0] != '1')
        return false;
    *sender = take_word(&words, sender_length);
    if (!*sender || !take_about(&words, &doubt->about) || !take_number(&words, DOUBT_LIFE_MAX_MS, &doubt->life_ms))
        return false;
    doubt->cell = take_word(&words, &doubt->cell_length);
    if (!doubt->cell || !take_number(&words, ROUTE_HOST_MAX, &host_length) || host_length > words.left)
        return false;
    doubt->route = (struct route_name){.host = words.at,
                                       .host_length = host_length,
                                       .prefix = words.at + host_length,
                                       .prefix_length = words.left - host_length};
    return key_name_ok(&doubt->route);
}
