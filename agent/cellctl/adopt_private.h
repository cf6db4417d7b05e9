/* agent/cellctl/adopt_private.h - what the checks of adopt*.c share: the site as they see it, and how they tell what
 * they found. For adopt*.c beside it alone. */
#ifndef CELLROUTER_AGENT_CELLCTL_ADOPT_PRIVATE_H
#define CELLROUTER_AGENT_CELLCTL_ADOPT_PRIVATE_H

#include "agent/cellctl/adopt.h"
#include "base/text_view.h"

#define ADOPT_NONE ((size_t)-1)                                         /* no line */
#define ADOPT_ROUTE "%%[var(txn.cellrouter.backend,cellrouter-replay)]" /* in a format */
#define ADOPT_EDGE "cellrouter-edge"

/* A row of the table in adopt.c: one kind of mistake, or of loss. */
struct adopt_check {
    const char *name;
    void (*site)(struct adopt *adopt, const char *name);
    void (*frontend)(struct adopt *adopt, struct adopt_frontend *frontend,
                     const char *name); /* the other one is NULL */
};

/* Tells a finding, as printf; line is an index, or ADOPT_NONE. */
void adopt_tell(struct adopt *adopt, enum adopt_level level, const char *check, const struct adopt_file *file,
                size_t line, const char *fmt, ...) PRINTF_LIKE(6, 7);

/* Asks for a setting of cellrouter.conf; value as printf. A later value of the same setting replaces an earlier one. */
void adopt_set(struct adopt *adopt, const char *section, const char *key, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* The first line of the section, its head apart, that begins with these words (second NULL: any), from index after
 * from on; ADOPT_NONE: there is none. Lines that are taken away already do not count. */
size_t adopt_line(const struct adopt_file *file, const struct site_section *section, size_t from, const char *first,
                  const char *second);

/* The `defaults` that hold for this section: those that it names, or else the last ones before it that are the site's
 * own. NULL: none. *filep gets their file. */
const struct site_section *adopt_defaults(const struct adopt *adopt, const struct adopt_file *file,
                                          const struct site_section *section, const struct adopt_file **filep);

/* The section of this kind and name among the site's own, or NULL; *filep gets its file. */
const struct site_section *adopt_section(const struct adopt *adopt, enum site_kind kind, const char *name,
                                         const struct adopt_file **filep);

/* Whether a server of this backend is one of a cell's. */
bool adopt_leads_to_cells(const struct adopt *adopt, const char *backend);

/* The blanks before the lines of this section, as it has them; a buffer of adopt_tell's kind: copied at once. */
const char *adopt_indent(const struct adopt_file *file, const struct site_section *section, char *room, size_t size);

/* A time of HAProxy's (50s, 3m, 500, 1h30m is none) in ms; 0 when it is none. */
unsigned long long adopt_time_ms(const char *text);

/* The checks, one function each. */
void adopt_check_texts(struct adopt *adopt, const char *name);
void adopt_check_order(struct adopt *adopt, const char *name);
void adopt_check_places(struct adopt *adopt, const char *name);
void adopt_check_chroot(struct adopt *adopt, const char *name);
void adopt_check_user(struct adopt *adopt, const char *name);
void adopt_check_runtime(struct adopt *adopt, const char *name);
void adopt_check_names(struct adopt *adopt, const char *name);
void adopt_check_variables(struct adopt *adopt, const char *name);
void adopt_check_large(struct adopt *adopt, const char *name);
void adopt_check_apart(struct adopt *adopt, const char *name);
void adopt_check_from(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_defaults(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_filter(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_filters(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_log(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_route(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_clients(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_counters(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_skip(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);
void adopt_check_rewrites(struct adopt *adopt, struct adopt_frontend *frontend, const char *name);

/* Changes cellrouter.conf as adopt_set() asked for. */
void adopt_change_conf(struct adopt *adopt);

/* For adopt_check_route(): what requests lose that went to the backend of line `index` before, and its timeouts. */
void adopt_leave_backend(struct adopt *adopt, struct adopt_frontend *frontend, size_t index, const char *name);

/* Whether the word is one of the list's. The macro is for an array. */
bool adopt_is_among(const char *word, const char *const *list, size_t count);
#define ADOPT_AMONG(word, list) adopt_is_among(word, list, sizeof(list) / sizeof((list)[0]))

#endif
