/* agent/cellctl/site_text.h - one haproxy.cfg as lines, words and sections: as much of HAProxy's syntax as tells which
 * line says what. It knows the sections' names and no other keyword, and judges nothing. Pure. Source: HAProxy
 * configuration manual 2.6, sections 2.1 to 2.4. */
#ifndef CELLROUTER_AGENT_CELLCTL_SITE_TEXT_H
#define CELLROUTER_AGENT_CELLCTL_SITE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

enum site_kind { SITE_GLOBAL, SITE_DEFAULTS, SITE_FRONTEND, SITE_BACKEND, SITE_LISTEN, SITE_OTHER };

struct site_line {
    const char *raw; /* the line as it stands, without its end; no zero behind it */
    size_t raw_length;
    char **words; /* count of them, quotes and escapes taken out, comments gone. Variables stay as they are written. */
    size_t count;
    unsigned depth; /* of `.if` around it */
    bool broken;    /* a quote does not end: HAProxy refuses the line */
};

struct site_section {
    enum site_kind kind;
    const char *name; /* "" when it has none */
    const char *from; /* the defaults that it names, or NULL */
    size_t line, end; /* indexes: its head, and the line behind its last one */
};

/* A value; all pointers in it point into it, or to its own memory. */
struct site_text {
    struct site_line *lines;
    size_t line_count;
    struct site_section *sections;
    size_t section_count;
    bool ends_in_newline; /* false: the last line has no end, or there is none */
    bool marked;          /* a byte-order mark stands before it; it belongs to the first line's raw text */
    char *bytes, *memory;
    char **word_list;
};

/* Reads length bytes, which are copied. Any bytes are a text. Lines of an `.if 0` block have no words, nor have the
 * directives that begin with a dot. Returns 0, or -1 without memory; *text is to be freed only after 0. */
MUST_USE int site_text_read(struct site_text *text, const char *bytes, size_t length);

/* Frees everything and leaves *text all zero. */
void site_text_deinit(struct site_text *text);

/* The word at this place of the line, or "" when there are fewer. */
const char *site_word(const struct site_line *line, size_t index);

#endif
