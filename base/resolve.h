/* base/resolve.h - looks a host's name up beside the loop: with getaddrinfo(3), a call that blocks, a name server that
 * is away would stop every request. Source: getaddrinfo_a(3) of glibc. */
#ifndef CELLROUTER_BASE_RESOLVE_H
#define CELLROUTER_BASE_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"

enum { RESOLVED_MAX = 64 }; /* a numeric address in text, INET6_ADDRSTRLEN and a scope */

struct resolve; /* one lookup */

enum resolve_state { RESOLVE_BUSY, RESOLVE_DONE, RESOLVE_FAILED };

/* Writes the socket address of a host that is an address already, a scope included, and of a port, without looking
 * anything up. Returns its size; 0: it is no address. */
MUST_USE socklen_t resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *address);

/* Begins a lookup; host is copied. NULL: out of memory, or no thread to be had. */
MUST_USE struct resolve *resolve_start(const char *host);

/* Asks how it stands. DONE: address is set; a name with several addresses gives another one for each turn. FAILED: *why
 * is a sentence. From then on the answer stays. */
MUST_USE enum resolve_state resolve_poll(struct resolve *resolve, unsigned turn, char address[RESOLVED_MAX],
                                         const char **why);

/* Also one that is busy: what its thread still uses is freed by a later resolve_start(), once the thread is done. NULL
 * is fine. */
void resolve_end(struct resolve *resolve);

/* Frees what was ended while busy and is done by now. Returns how many still are not. */
unsigned resolve_sweep(void);

#endif
