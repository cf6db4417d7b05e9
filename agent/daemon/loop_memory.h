/* agent/daemon/loop_memory.h - memory for libev, which ends the process when it gets none. So it does not depend on
 * what others have left: a reserve as large as its needs can become is set aside at the start. Everybody else asks
 * malloc, and fails one request or one connection when there is nothing. Source: ev(3), ev_set_allocator; ev.c,
 * ev_realloc. */
#ifndef CELLROUTER_AGENT_DAEMON_LOOP_MEMORY_H
#define CELLROUTER_AGENT_DAEMON_LOOP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

/* Before the first loop is made, once: sets aside what libev can need with so many descriptors open, and tells libev.
 * Returns 0, or -1: out of memory. */
MUST_USE int loop_memory_init(uint64_t files);

/* After the last loop was destroyed. libev must not be used afterwards. */
void loop_memory_deinit(void);

/* What libev calls, as realloc does it: size 0 frees and returns NULL. When malloc has nothing, memory comes out of the
 * reserve; NULL only when that is used up, too. */
void *loop_memory_resize(void *memory, long size);

/* For tests: allocate replaces malloc. */
void loop_memory_set_allocator(void *(*allocate)(size_t size));

/* Bytes that were taken out of the reserve since the start. */
uint64_t loop_memory_used(void);

#endif
