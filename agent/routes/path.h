/* agent/routes/path.h - a request's path as the router sees it: may it be looked up, and which prefixes does it have.
 * Pure. Source: docs/design.md 7.8.
 *
 * A prefix is made of whole segments and ends in a slash. /my-company has the prefix /my-company/, as has
 * /my-company/x; /my-company2 has not. What follows ? or # does not count. %2F is an ordinary part of a segment. Two
 * things differ from the letter of RFC 3986, on the safe side: a dot segment may hide its dots (%2e, %2E, mixed),
 * because there are applications that decode before they resolve, so such a path counts as a dot segment; and the blank
 * counts as a control byte. Segments beyond max_depth are checked, but have no prefix of their own. */
#ifndef CELLROUTER_AGENT_ROUTES_PATH_H
#define CELLROUTER_AGENT_ROUTES_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/text_view.h"

enum {
    PATH_MAX_DEPTH = 32,                                 /* as routes.max-depth allows */
    PATH_MAX_LENGTH = 8192,                              /* as routes.max-path allows, bytes */
    PATH_MAX_HOST = 255,                                 /* RFC 1035, 2.3.4 */
    PATH_KEY_SIZE = PATH_MAX_HOST + PATH_MAX_LENGTH + 1, /* a buffer of this size always holds the key */
};

/* Why a path is not looked up; everything but OK goes the way of a miss and teaches nothing. */
#define PATH_VERDICTS(X) \
    X(OK, "may be looked up") \
    X(TOO_LONG, "longer than max-path") \
    X(NOT_ABSOLUTE, "does not start with /") \
    X(EMPTY_SEGMENT, "has an empty segment: //") \
    X(DOT_SEGMENT, "has a dot segment: /./ or /../, plain or as %2e") \
    X(CONTROL_BYTE, "has a control byte or a blank") \
    X(BAD_HOST, "routes belong to hosts, and the host is missing, too long or no host name")

enum path_verdict {
#define PATH_VERDICT(id, text) PATH_##id,
    PATH_VERDICTS(PATH_VERDICT)
#undef PATH_VERDICT
        PATH_VERDICT_COUNT
};

/* A small value; the owner of the options keeps them as long as it parses with them. */
struct path_options {
    uint32_t max_length; /* bytes of the path; more than PATH_MAX_LENGTH counts as that */
    uint32_t max_depth;  /* segments of a prefix, 1 .. PATH_MAX_DEPTH */
    bool hosts;          /* the host is part of the key */
    bool fold_case;      /* ASCII letters of the path compare without case; those of a host always do */
};

/* An open value: the key lies in the caller's buffer, and lives as long as that.
 * key is [host]/segment/segment/ with a slash at its end, case folded, the host in small letters without its port and
 * without the dot at its end. It holds at most max_depth segments. The prefix of i + 1 segments is key[0 .. ends[i]),
 * its slash included. depth is 0 for the path "/": it has no prefix that could be learned. */
struct path {
    const char *key;
    uint16_t length; /* of key */
    uint16_t host_length;
    uint16_t depth; /* how many ends there are */
    bool deeper;    /* the path has more segments than max_depth */
    uint16_t ends[PATH_MAX_DEPTH];
};

/* Parses text as HAProxy's path (a query is cut off) and, with options->hosts, host as its Host header (NULL and 0:
 * none). Writes the key to buffer; PATH_KEY_SIZE bytes always suffice, and what does not fit is TOO_LONG. On OK fills
 * *path; otherwise *path is an empty path (no key, depth 0). */
MUST_USE enum path_verdict path_parse(struct path *path, const struct path_options *options, struct text_view text,
                                      struct text_view host, char *buffer, size_t size);

/* One line for people, without an ending dot. */
const char *path_verdict_text(enum path_verdict verdict);

/* The id as in the table, in capitals: "TOO_LONG". */
const char *path_verdict_name(enum path_verdict verdict);

/* An ASCII letter in small; other bytes as they are. */
static inline char path_fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#endif
