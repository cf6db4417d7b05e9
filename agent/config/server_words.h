/* agent/config/server_words.h - the words of HAProxy's server line, as server-options has them, and the typos in
 * them. Pure. */
#ifndef CELLROUTER_AGENT_CONFIG_SERVER_WORDS_H
#define CELLROUTER_AGENT_CONFIG_SERVER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The next blank-separated word; quoted blanks belong to it. *lengthp is 0 at the end.
 * Source: HAProxy configuration manual 2.6, section 2.2. */
const char *server_words_next(const char *text, size_t *lengthp);

/* Whether each quote of the text has its end.
 * Source: HAProxy configuration manual 2.6, section 2.2. */
bool server_words_quotes_end(const char *text);

/* Looks at the words of options from the left. Returns false at the first that is one or two letters away from a word
 * that HAProxy knows, at a last word whose argument is missing, and at a quote that does not end; why then holds a
 * sentence without its end. Words in quotes, arguments, and words like no known one are never looked at: a newer
 * HAProxy may know more. */
bool server_words_check(const char *options, char *why, size_t size);

#endif
