/* agent/cellctl/site_diff.h - changes of a text, line by line, and the unified diff of them, which patch(1) takes.
 * Pure. Source: the format in GNU diffutils' manual, "Detailed Description of Unified Format". */
#ifndef CELLROUTER_AGENT_CELLCTL_SITE_DIFF_H
#define CELLROUTER_AGENT_CELLCTL_SITE_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/cellctl/site_text.h"
#include "base/attributes.h"

struct site_edit {
    size_t line; /* index of the line before which text is put */
    bool gone;   /* that line goes */
    char *text;  /* lines with their ends; NULL: none */
    size_t turn; /* edits of one place keep the order in which they were made */
};

/* The changes of one file. All zero: none. */
struct site_edits {
    struct site_edit *list;
    size_t count, room;
    bool failed; /* no memory: the diff would not be whole */
};

/* Puts a line before that of this index (line_count: behind the last one), as printf; the end of the line is added. */
void site_edits_insert(struct site_edits *edits, size_t line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Takes the line away. Twice is once. */
void site_edits_remove(struct site_edits *edits, size_t line);

/* Whether the line goes. */
bool site_edits_removes(const struct site_edits *edits, size_t line);

/* Writes the lines from index first to before last as they would become, without what is put before first, and takes
 * all of them away: they move to another file. */
void site_edits_move(struct site_edits *edits, const struct site_text *text, size_t first, size_t last, FILE *out);

/* Writes the diff of a file of this name, an absolute path; nothing when there is no change. `patch -d / -p1` applies
 * it. */
void site_edits_print_diff(struct site_edits *edits, const struct site_text *text, const char *name, FILE *out);

/* Frees all, and leaves *edits all zero. */
void site_edits_deinit(struct site_edits *edits);

#endif
