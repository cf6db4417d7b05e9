/* agent/cellctl/template.h - the language of haproxy/rules/ and haproxy/snippets/: HAProxy's configuration, and four
 * words of our own. Pure: texts and names come in, text goes out; what a name means is the caller's.
 *
 *     include NAME            the lines of that text: rules/NAME.cfg or snippets/NAME.cfg
 *     for each LOOP ... end   once for each, such as `for each cell`; inside it that cell's names hold
 *     if NAME ... end         only where that holds; `if not NAME` is the opposite
 *     @NAME@                  a value, anywhere in a line; @@ is one @
 *     ...\                    a line that goes on in the next one, whose leading blanks do not count
 *     ## ...                  a remark on the template, not printed; # remarks are HAProxy's and are printed
 *
 * Each of the first three stands alone in its line. Every other line begins with a value, or with a word of HAProxy's
 * that the vocabulary has. So a misspelt word of either language is found: by template_check(), which reads every text
 * as it will be printed, with all `if` lines taken to hold. The build runs it (haproxy_rules_check_main.c), so that a
 * template that is wrong does not ship. */
#ifndef CELLROUTER_AGENT_CELLCTL_TEMPLATE_H
#define CELLROUTER_AGENT_CELLCTL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/attributes.h"

struct template_text {
    const char *name;  /* what `include` says: "edge" */
    const char *file;  /* what errors say: "haproxy/rules/edge.cfg" */
    const char *bytes; /* length of them, no zero at the end */
    size_t length;
};

/* A value or a condition. */
struct template_name {
    const char *name;
    const char *item; /* "cell": only inside a loop over cells; NULL: anywhere */
};

struct template_loop {
    const char *name;   /* what follows `for each`: "cell", "picked cell" */
    const char *item;   /* what the loop is over: "cell" */
    const char *inside; /* item of the loop that it must stand in; NULL: anywhere */
};

/* All that a template may say. Tables of the caller, for as long as they are used; a number below is a place in one. */
struct template_vocabulary {
    const struct template_text *texts;
    size_t text_count;
    const struct template_name *values;
    size_t value_count;
    const struct template_name *conditions;
    size_t condition_count;
    const struct template_loop *loops;
    size_t loop_count;
    const char *const *words; /* HAProxy's, that a line may begin with */
    size_t word_count;
};

/* What the names mean now. user is the caller's. */
struct template_meaning {
    void (*print)(void *user, size_t value, FILE *out);
    bool (*holds)(void *user, size_t condition);
    /* Makes the index-th turn of the loop the current one; false: there are no more. It is asked for all turns in
     * their order. */
    bool (*turn)(void *user, size_t loop, size_t index);
    /* Of user_size bytes, TEMPLATE_USER_MOST at most; a loop puts back what it was before, so that one over cells may
     * stand in another. */
    void *user;
    size_t user_size;
};

struct template_error {
    char text[300]; /* "haproxy/rules/edge.cfg:12: …", what is wrong and what would be right */
};

enum {
    TEMPLATE_DEPTH_MOST = 8, /* of texts included by one another, and of `for` and `if` within each of them */
    TEMPLATE_USER_MOST = 64, /* bytes */
};

/* Whether everything that the texts say is known, from each of the roots (names of texts) on, and every text is
 * included by one of them. False: *errorp says what is wrong. */
MUST_USE bool template_check(const struct template_vocabulary *vocabulary, const char *const *roots, size_t root_count,
                             struct template_error *errorp);

/* Prints the text of this name. False: *errorp; what was printed so far is of no use. What template_check() took
 * never fails. A failed write is left to the caller's ferror(out). */
MUST_USE bool template_print(const struct template_vocabulary *vocabulary, const char *root,
                             const struct template_meaning *meaning, FILE *out, struct template_error *errorp);

#endif
