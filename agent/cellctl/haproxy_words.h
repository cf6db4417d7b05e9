/* agent/cellctl/haproxy_words.h - words of HAProxy's that a line of a template may begin with. Pure.
 * Source: HAProxy configuration manual 2.6, sections 2.4, 3 and 4. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_WORDS_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_WORDS_H

enum { HAPROXY_WORDS = 53 };
extern const char *const haproxy_words[HAPROXY_WORDS];

#endif
