/* agent/cellctl/haproxy_lists.h - how names and lists of settings stand in HAProxy's configuration: as words, and as
 * regular expressions. The settings' checks (agent/config/config_value.c) keep out what would need more than that. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_LISTS_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_LISTS_H

#include <stdio.h>

#include "agent/config/config.h"

/* Each item in double quotes, with blanks between; nothing of an empty list. */
void haproxy_list_words(const struct config_list *list, FILE *out);

/* A regular expression for the items, which have letters, digits, -, / and dots; of an empty list one that nothing
 * matches. */
void haproxy_list_expression(const struct config_list *list, FILE *out);

/* One for the beginning of a header's name in any spelling; it has letters, digits and dashes. */
void haproxy_header_expression(const char *prefix, FILE *out);

#endif
