/* agent/level0/haproxy_limits.h - the limits that an HAProxy process really has, read from what it says over its
 * runtime socket, and whether they fit the rules that `cellctl haproxy` prints. Pure. Source: HAProxy management
 * manual 2.6, section 9.3, show info and show stat; 9.1, the columns of show stat. */
#ifndef CELLROUTER_AGENT_LEVEL0_HAPROXY_LIMITS_H
#define CELLROUTER_AGENT_LEVEL0_HAPROXY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"
#include "base/attributes.h"
#include "base/text_view.h"

/* What is asked for, in one line: the process, and its frontends alone. HAProxy closes behind the reply. */
#define HAPROXY_LIMITS_QUESTION "show info;show stat -1 1 -1\n"

struct haproxy_limits {
    uint64_t pid;
    uint64_t maxconn; /* global: places for clients and the loop */
    uint64_t maxsock; /* descriptors that it needs for them */
    uint64_t files;   /* descriptors that it may open */
    uint64_t inner;   /* maxconn of the loop's inner half; 0: it has no such frontend */
    uint64_t clients; /* sum of the maxconn of all other frontends */
    char version[40];
    char names[160]; /* those frontends: "mysite=3000 stats=10"; "..." at the end when not all fit */
};

enum haproxy_limit {
#define HAPROXY_LIMIT(id, name, bound, text) HAPROXY_LIMIT_##id,
#include "agent/level0/haproxy_limits.def"
#undef HAPROXY_LIMIT
    HAPROXY_LIMIT_COUNT
};

struct haproxy_wrong {
    enum haproxy_limit limit;
    uint64_t is, right; /* right: haproxy_limit_bound() says on which side of it */
};

/* Reads the whole reply. False: it is not HAProxy's, or not whole; *limitsp is of no use then. */
MUST_USE bool haproxy_limits_read(struct text_view reply, struct haproxy_limits *limitsp);

/* What is wrong, in the order of the table; returns how many. Where config says maxconn = 0, places are the site's own
 * affair, and only descriptors are looked at. */
size_t haproxy_limits_judge(const struct haproxy_limits *limits, const struct config_haproxy *config,
                            struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT]);

/* "maxconn"; "at least"; what comes of it, and what would be right. Static memory. */
const char *haproxy_limit_name(enum haproxy_limit limit);
const char *haproxy_limit_bound(enum haproxy_limit limit);
const char *haproxy_limit_text(enum haproxy_limit limit);

#endif
