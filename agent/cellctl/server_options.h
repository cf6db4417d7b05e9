/* agent/cellctl/server_options.h - the rest of a cell's server line (`server-options`), word by word. Pure. */
#ifndef CELLROUTER_AGENT_CELLCTL_SERVER_OPTIONS_H
#define CELLROUTER_AGENT_CELLCTL_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* Whether this word stands among the options. */
bool server_options_has(const char *options, const char *word);

/* Whether the name that the client asked for in TLS, `ssl_fc_sni`, is used in them. */
bool server_options_use_client_sni(const char *options);

/* Whether they say anything about the client's connection: to the cell (`send-proxy` and its like), as the connection's
 * own source (`source`), or in an expression (src, dst, fc_…, ssl_fc_…). */
bool server_options_use_connection(const char *options);

/* Prints the options, each with a blank before it. `ssl_fc_sni` becomes a variable of the rules: the inner half of the
 * replay pass has no TLS connection of the client's, and knows the name all the same (haproxy/rules/edge.cfg). */
void server_options_print(const char *options, FILE *out);

/* The same without the words of the health check and their values. A check stands once, in the cell's own backend; the
 * same servers elsewhere follow its result (`track`). Source: HAProxy configuration manual 2.6, section 5.2. */
void server_options_print_plain(const char *options, FILE *out);

#endif
