/* agent/daemon/daemon.h - the running daemon: its parts, its signals, its start and its end. */
#ifndef CELLROUTER_AGENT_DAEMON_DAEMON_H
#define CELLROUTER_AGENT_DAEMON_DAEMON_H

#include <stdbool.h>

#include "agent/config/config.h"

/* Takes config over, opens everything, serves until a signal ends it, and returns the process' exit status. Errors at
 * the start are one log line on stderr each. debug: log level debug, whatever the configuration says, also after a
 * reload. */
int daemon_run(struct config *config, bool debug);

#endif
