/* agent/cellctl/haproxy_config.h - HAProxy's configuration, as `cellctl haproxy` prints it: the templates of
 * haproxy/rules/ with what cellrouter.conf says. Source: HAProxy configuration manual 2.6; docs/design.md 4 and 5. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_CONFIG_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/config/config.h"

/* Writes the text to out: for the edge, or, with large, for the second process that replays large bodies. The
 * configuration must have been checked by config_load: names go into the text as they are. Returns 0, or -1 with a
 * line on stderr when there is to be no such process. A failed write is left to the
 * caller's ferror(out). */
MUST_USE int haproxy_config_print(FILE *out, const struct config *config, bool large);

#endif
