/* agent/config/config_errors.h - the errors of one configuration file, collected and then written in the order of its
 * lines. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_ERRORS_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"

enum { CONFIG_ERRORS_MAX = 100 }; /* nobody fixes more at a time */

struct config_error {
    unsigned line; /* 0: the file as a whole */
    char *text;
};

struct config_errors {
    struct config_error list[CONFIG_ERRORS_MAX];
    size_t count; /* of those kept */
    size_t total;
};

/* One error, as printf. Out of memory: it still counts. */
void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Writes "file:line: text" lines, ordered by line, bytes that could harm a terminal escaped. */
void config_errors_print(struct config_errors *errors, const char *file, FILE *out);

/* Frees all texts and leaves it empty. */
void config_errors_deinit(struct config_errors *errors);

#endif
