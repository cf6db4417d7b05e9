/* agent/daemon/privileges.h - what the daemon does to its own process: limits, and becoming somebody who may do
 * less. */
#ifndef CELLROUTER_AGENT_DAEMON_PRIVILEGES_H
#define CELLROUTER_AGENT_DAEMON_PRIVILEGES_H

#include <stdint.h>

#include "base/attributes.h"

/* Becomes user and group for good, without a way back; group "" means the user's own. user and group both "": only the
 * way back is closed (no new privileges). Without root it is not an error to be that user already. Returns 0, or -1
 * with *whyp, in static memory. Sockets with an owner must have been opened before. */
MUST_USE int privileges_drop(const char *user, const char *group, const char **whyp);

/* Descriptors that are open now; 3 when nobody can say. */
uint64_t privileges_open_files(void);

/* Raises the soft limit of open files to wanted, as far as the hard limit goes. Returns the limit that holds now. */
uint64_t privileges_allow_files(uint64_t wanted);

#endif
