/* agent/config/config_parse.h - from the text of a file to a filled, not yet complete struct config: libconfuse and its traps. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_PARSE_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_PARSE_H

#include "agent/config/config_errors.h"
#include "agent/config/config_settings.h"
#include "agent/config/config_text.h"
#include "base/attributes.h"

struct config_parse {
    struct config *config;
    struct config_errors *errors;
    struct config_text text;
    unsigned *lines; /* where each setting was given, 0: nowhere. Row 0 the file's, then one row a cell */
};

/* Fills parse->config, which must be all zero: defaults first, then what the file says; wrong values are reported and skipped.
 * Returns 0 when the file's structure could be read to its end (there may be errors nevertheless), else -1. */
MUST_USE int config_parse_text(struct config_parse *parse);

/* The line where this was given, or 0. cell: index + 1, or 0 for what is in no cell. */
unsigned config_line(const struct config_parse *parse, size_t cell, const char *section, const char *key);

/* Reports a wrong value: `section.key "value": what; right`. */
void config_complain(struct config_parse *parse, unsigned line, const struct setting *setting, const char *value,
                     const char *what);

/* Checks what hangs together: cells, names, regions, limits against each other; fills in what follows from other settings. */
void config_check(struct config_parse *parse);

/* Frees all that config holds but its file name and leaves it all zero (agent/config/config.c). */
void config_clear(struct config *config);

#endif
