/* agent/cellctl/haproxy_config.h - HAProxy's configuration, as `cellctl haproxy` prints it: the templates of
 * haproxy/rules/ with what cellrouter.conf says. Source: HAProxy configuration manual 2.6; docs/design.md 4 and 5. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_CONFIG_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_CONFIG_H

#include <stdio.h>

#include "agent/config/config.h"

/* Writes the edge's text to out. The configuration must have been checked by config_load: names go into the text as
 * they are. Returns 0, or -1 with a line on stderr. A failed write is left to the caller's ferror(out); so it is
 * below. */
MUST_USE int haproxy_config_print(FILE *out, const struct config *config);

/* The same for the process of one class of the large-body tier: class is its size as the configuration has it, "64k";
 * NULL: the only one. Returns -1 when there is no such class, and says which there are. */
MUST_USE int haproxy_config_print_large(FILE *out, const struct config *config, const char *class);

/* Writes the names of the classes to out, each with a line end, from small to large; nothing where there is no tier,
 * or where large-buffer makes a single process without a name. */
void haproxy_config_print_classes(FILE *out, const struct config *config);

#endif
