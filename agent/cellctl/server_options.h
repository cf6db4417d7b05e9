/* agent/cellctl/server_options.h - the rest of a cell's server line (`server-options`), word by word. Pure. */
#ifndef CELLROUTER_AGENT_CELLCTL_SERVER_OPTIONS_H
#define CELLROUTER_AGENT_CELLCTL_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* Whether this word stands among the options. */
bool server_options_has(const char *options, const char *word);

/* Prints the options without the words of the health check and their values, each with a blank before it. A check
 * stands once, in the cell's own backend; the same servers elsewhere follow its result (`track`). Source: HAProxy
 * configuration manual 2.6, section 5.2. */
void server_options_print_plain(const char *options, FILE *out);

#endif
