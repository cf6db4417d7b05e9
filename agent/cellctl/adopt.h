/* agent/cellctl/adopt.h - what a site's haproxy.cfg has to change to adopt the cell router: texts in, findings and
 * changes out. Pure; agent/cellctl/cellctl_adopt.c reads the files and prints. docs/adopting.md is for its users. */
#ifndef CELLROUTER_AGENT_CELLCTL_ADOPT_H
#define CELLROUTER_AGENT_CELLCTL_ADOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/cellctl/site_diff.h"
#include "agent/cellctl/site_text.h"
#include "agent/config/config.h"
#include "base/attributes.h"

struct adopt_file {
    const char *name; /* an absolute path; the caller's */
    struct site_text text;
    struct site_edits edits;
    bool generated; /* by `cellctl haproxy`: not the site's own */
};

enum adopt_level {
    ADOPT_WRONG, /* the site would not work, or lose something that worked */
    ADOPT_NOTE,  /* worth knowing; nothing has to change */
};

struct adopt_finding {
    enum adopt_level level;
    const char *check; /* the name of the check that made it */
    const char *file;
    size_t line; /* from 1; 0: the file as a whole */
    char *text;
};

/* A frontend that sends requests to cells: it says `from cellrouter-edge`, or is about to. */
struct adopt_frontend {
    struct adopt_file *file;
    const struct site_section *section;
    bool adopts; /* it says so already */
    bool moves;  /* some of its lines led to servers of cells, and are changed */
};

/* A setting of cellrouter.conf that has to change. */
struct adopt_setting {
    const char *section, *key;
    char *value; /* as the file writes it */
};

enum { ADOPT_FRONTENDS_MAX = 64, ADOPT_SETTINGS_MAX = 32 };

struct adopt {
    struct adopt_file *files; /* file_count of them, in the order in which HAProxy gets them */
    size_t file_count;
    struct adopt_file *conf;     /* cellrouter.conf; NULL: it is not to be changed */
    const struct config *config; /* what it says */
    const char *generated;       /* what `cellctl haproxy` prints for it now; ends in a zero */
    const char *wanted;          /* a frontend that shall adopt, by its name; NULL: those that lead to cells */

    /* What comes of it. */
    struct adopt_frontend frontends[ADOPT_FRONTENDS_MAX];
    size_t frontend_count;
    struct adopt_setting settings[ADOPT_SETTINGS_MAX];
    size_t setting_count;
    struct adopt_finding *findings;
    size_t finding_count, finding_room;
    const struct adopt_file *split; /* the file whose global section goes into a file of its own, or NULL */
    char *global;                   /* the text of that file */
    bool failed;                    /* out of memory: what is found is not all */
};

/* Looks at everything. The members of the first part are the caller's, the others all zero before. */
void adopt_look(struct adopt *adopt);

/* How many findings are of the level ADOPT_WRONG. */
size_t adopt_wrong(const struct adopt *adopt);

/* Frees what was found; the files stay the caller's. */
void adopt_deinit(struct adopt *adopt);

#endif
