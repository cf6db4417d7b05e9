/* agent/config/backend_lines.h - lines of HAProxy's for the backends of cells, as backend-lines has them. Pure. */
#ifndef CELLROUTER_AGENT_CONFIG_BACKEND_LINES_H
#define CELLROUTER_AGENT_CONFIG_BACKEND_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the line begins with words that a cell's backend may have, and all its quotes end. Otherwise why holds a
 * sentence without its end. "no" before an option is not looked at. The rest of the line is HAProxy's affair. */
bool backend_line_check(const char *line, char *why, size_t size);

/* Whether a line that was checked also belongs where a 421 or 425 cell is asked at once: what is about checks and the
 * choice of a server does not. */
bool backend_line_is_shared(const char *line);

/* Writes the statuses for which a line that was checked gives an error page of the backend's own, as HAProxy's `-m int`
 * takes them, as many as there is room for. Empty: it gives none. Source: HAProxy configuration manual 2.6,
 * `errorfile`, `errorfiles`, `http-error`. */
void backend_line_pages(const char *line, char *out, size_t size);

#endif
