/* agent/routes/learning.h - what a cell's response teaches: the guards before a cell's claim, and the stale route that
 * a redirect contradicts. Pure: says what to store and what to drop, does neither. Source: docs/design.md 3.2, 4.6 and
 * 7.7.
 *
 * A claim stands when the cell that answered (HAProxy's knowledge) is configured, the directive names no other cell,
 * and path_prefix is a whole-segment prefix of this very request's path, not refused, not too deep. /my-company is read
 * as /my-company/. */
#ifndef CELLROUTER_AGENT_ROUTES_LEARNING_H
#define CELLROUTER_AGENT_ROUTES_LEARNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "agent/routes/directive.h"
#include "agent/routes/path.h"
#include "agent/routes/route_table.h"

enum learn_verdict {
#define LEARN(id, kind, text) LEARN_##id,
#include "agent/routes/learning.def"
#undef LEARN
    LEARN_VERDICT_COUNT
};

enum learn_kind { LEARN_QUIET, LEARN_REFUSED, LEARN_MALFORMED };

/* Views into the configuration; the owner keeps them as long as it judges with them. */
struct learning_options {
    const struct path_options *paths;
    const char *const *refused; /* prefixes, each from / to /; "/" is always refused */
    size_t refused_count;
    uint32_t lifetime_s;                     /* of a claim without ttl */
    uint32_t lifetime_min_s, lifetime_max_s; /* a ttl is clamped to these; so ttl:0 is the shortest life */
};

/* A cell's response, as HAProxy tells of it. Texts are not zero-ended; NULL with 0: not said. */
struct cell_response {
    enum path_verdict verdict; /* of the request's path */
    const struct path *path;   /* good when verdict is OK */
    struct text_view cell;     /* id of the cell that answered */
    struct text_view cache;    /* text of X-Gitlab-Cell-Cache */
    struct text_view from;     /* id of the cell that the lookup named */
    bool redirected;           /* some cell redirected this request */
};

/* What a response says about the route that the lookup named. A redirect alone proves only that the cell did not want
 * this request: another cell's claim is what moves a route. */
enum learn_about {
    LEARN_NO_NEWS,
    LEARN_DOUBT,   /* it met a redirect, and nobody claims the prefix */
    LEARN_MOVED,   /* another cell claims its prefix or a shorter one */
    LEARN_NARROWED /* another cell claims a longer prefix below it: both stand */
};

/* What to do. Keys are the first bytes of response.path->key.
 * Do the store first. When the route has moved, and its prefix is the one claimed, and storing
 * went well, nothing is left to drop; else drop it, also when damping kept the claim from being stored. */
struct lesson {
    enum learn_verdict verdict;
    enum directive_outcome directive; /* why, when verdict is DIRECTIVE; else OK or EMPTY */
    uint16_t cell;                    /* that answered, or CELL_NONE */
    uint16_t key_length;              /* of the claim, when verdict is CLAIM or KNOWN */
    uint32_t lifetime_s;              /* when verdict is CLAIM */
    struct text_view prefix;          /* as the cell wrote it, for the log; may lie in storage */
    enum learn_about about;           /* the route below; NO_NEWS: none of it is set */
    uint16_t about_cell;              /* its cell */
    uint16_t about_length;            /* of its key; 0: level 1 does not know the route, maybe the store does */
};

/* Judges a response. table: level 1, only asked, not changed. storage as for directive_parse. */
struct lesson learning_judge(const struct learning_options *options, const struct cells *cells,
                             const struct route_table *table, const struct cell_response *response, uint64_t now_ms,
                             char *storage);

/* What the verdict is to the log: nothing, a refused claim, a malformed directive. */
enum learn_kind learning_kind(enum learn_verdict verdict);

/* One line for people, without an ending dot. */
const char *learning_text(enum learn_verdict verdict);

/* The id as in the table, in capitals: "FOREIGN_PREFIX". */
const char *learning_name(enum learn_verdict verdict);

#endif
