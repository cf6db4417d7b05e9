/* agent/config/server_options.h - the rest of HAProxy's server line, as server-options has it: looking for typos in its words. Pure. */
#ifndef CELLROUTER_AGENT_CONFIG_SERVER_OPTIONS_H
#define CELLROUTER_AGENT_CONFIG_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Looks at the words of options from the left. Returns false at the first that is one or two letters away from a word that HAProxy
 * knows, at a last word whose argument is missing, and at a quote that does not end; why then holds a sentence without its end.
 * Words in quotes, arguments, and words like no known one are never looked at: a newer HAProxy may know more. */
bool server_options_check(const char *options, char *why, size_t size);

#endif
