/* agent/config/config_parse.h - from the tree of a file to a filled, not yet checked struct config: the table of
 * settings (agent/config/settings.def) applied to what agent/config/config_tree.h read. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_PARSE_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_PARSE_H

#include "agent/config/config_errors.h"
#include "agent/config/config_settings.h"
#include "agent/config/config_tree.h"
#include "base/attributes.h"

/* What the steps from a text to a configuration share. Belongs to agent/config/config.c. */
struct config_parse {
    struct config *config;
    struct config_errors *errors;
    unsigned *lines; /* where each setting was given, 0: nowhere. Row 0 the file's, then one row a cell */
};

/* Fills parse->config, which must be all zero, and parse->lines: defaults first, then what the file says. Wrong
 * values, unknown names and keys given twice are reported, and the rest is read nevertheless. The tree may be freed
 * afterwards. Returns 0, or -1 without memory, which is reported, too. */
MUST_USE int config_parse_tree(struct config_parse *parse, const struct config_tree *tree);

/* The line where this was given, or 0. cell: index + 1, or 0 for what is in no cell. */
unsigned config_line(const struct config_parse *parse, size_t cell, const char *section, const char *key);

/* Reports a wrong value: `section.key "value": what; right would be …`. value NULL: without one. line 0: the file as
 * a whole. */
void config_complain(struct config_parse *parse, unsigned line, const struct setting *setting, const char *value,
                     const char *what);

/* Checks what no single value can tell: cells, names, regions, addresses, limits against each other; fills in what
 * follows from other settings. parse->config is what config_parse_tree filled. (agent/config/config_check.c) */
void config_check(struct config_parse *parse);

/* The part of config_check about addresses: reports each that two parts of the router, or one of them and another
 * program, would have. Returns 0, or -1 without memory. (agent/config/config_addresses.c) */
MUST_USE int config_check_addresses(struct config_parse *parse);

#endif
