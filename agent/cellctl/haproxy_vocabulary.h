/* agent/cellctl/haproxy_vocabulary.h - what the templates of haproxy/rules/ and haproxy/snippets/ may say, and what
 * it means for a configuration. Pure.
 *
 * Every setting of cellrouter.conf is a value under its section and key, as it stands in the file:
 * @haproxy.max-hops@, and, inside `for each cell`, @cell.name@. What has to be made of settings is a row of
 * haproxy_vocabulary.def. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_VOCABULARY_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/cellctl/template.h"
#include "agent/config/config.h"

/* What is being printed: the user of haproxy_meaning. config is borrowed. Made by haproxy_scope_of(). */
struct haproxy_scope {
    const struct config *config;
    size_t servers_picked; /* of all cells that may get an unknown path */
    bool large;            /* a process for large bodies, of this class: */
    size_t class;          /* of the large-body tier: this process's, or that of the current turn of a loop over them */
    size_t cell;           /* of the current turn of a loop over cells */
    size_t server;         /* of its loop over servers */
    size_t line;           /* of its loop over backend lines: those of all cells first, then its own */
    size_t servers_before; /* of the picked cells before this one */
};

extern const struct template_vocabulary haproxy_vocabulary;

/* The texts that a program prints: "router" and "large". */
enum { HAPROXY_ROOTS = 2 };
extern const char *const haproxy_roots[HAPROXY_ROOTS];

/* Of the router's own process, before the first turn of any loop; config is borrowed. What depends on all cells is
 * counted here, once: a value that a loop over cells prints must not look at them all. */
struct haproxy_scope haproxy_scope_of(const struct config *config);

/* scope is borrowed, and changed while it prints. */
struct template_meaning haproxy_meaning(struct haproxy_scope *scope);

#endif
