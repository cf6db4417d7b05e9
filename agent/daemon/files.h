/* agent/daemon/files.h - who needs how many file descriptors, and how many connections of HAProxy's fit beside. Pure.
 *
 * The limit of open files (`ulimit -n`, LimitNOFILE=) is shared by all of the agent. Connections of HAProxy come first
 * and come in any number, so what the agent needs for itself is kept free: without it a connection to Redis that was
 * lost would never come back. */
#ifndef CELLROUTER_AGENT_DAEMON_FILES_H
#define CELLROUTER_AGENT_DAEMON_FILES_H

#include <stdint.h>

#include "agent/config/config.h"

/* Descriptors for everything but connections of HAProxy's, with this configuration, when open_now are in use before
 * anything was opened. */
uint64_t files_own(const struct config *config, uint64_t open_now);

/* How many connections fit into limit beside own descriptors, at most wanted; 0: none does. */
uint32_t files_fit(uint64_t limit, uint64_t own, uint32_t wanted);

#endif
