/* agent/config/config_text.h - a look at the text of a configuration file before libconfuse sees it, and help in fixing it.
 *
 * libconfuse 3.3 counts lines wrongly after comments, skips characters it does not know without a word, stops at the first
 * unknown key, and stays inside an open string even for the next file. So comments are blanked here, texts are checked to
 * end on their line, and a statement that libconfuse stumbled over can be blanked so that the rest is still read. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_TEXT_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_TEXT_H

#include <stddef.h>

#include "agent/config/config_errors.h"
#include "base/attributes.h"

enum { CONFIG_TEXT_MAX = 1 << 20 }; /* bytes of a file: ten thousand cells fit */

struct config_token {
    char kind;     /* 'a' a word, 'q' a text in quotes, ' ' blanked, otherwise the character itself; '+' for += */
    size_t at;     /* in text; without the quote */
    size_t length; /* without quotes */
    unsigned line;
};

struct config_text {
    char *text; /* own copy, ended by a zero, comments blanked */
    size_t length;
    struct config_token *tokens;
    size_t count;
};

/* Copies and scans. Problems go to errors. Returns 0, or -1 when there was any (text is then empty). */
MUST_USE int config_text_scan(struct config_text *text, const char *bytes, size_t length, struct config_errors *errors);

void config_text_deinit(struct config_text *text);

/* Whether the token is this word. */
int config_token_is(const struct config_text *text, size_t token, const char *word);

/* The token of the key that is called name and stands on line or is the last before it; count when there is none. */
size_t config_text_key(const struct config_text *text, const char *name, unsigned line);

/* The token of the last `cell` key with this title that starts on or before line; count when there is none. */
size_t config_text_section(const struct config_text *text, const char *name, const char *title, unsigned line);

/* Blanks the statement that begins with this token: a key with its value or list, a section with its block. */
void config_text_blank(struct config_text *text, size_t token);

#endif
