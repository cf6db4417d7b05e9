/* agent/daemon/daemon_http.h - the pages of the HTTP endpoint. Only daemon.c may include it. */
#ifndef CELLROUTER_AGENT_DAEMON_DAEMON_HTTP_H
#define CELLROUTER_AGENT_DAEMON_DAEMON_HTTP_H

#include "agent/http/http_server.h"

/* /metrics, /healthz, /readyz and the status page at /; user is the daemon. Ended by a row without a path. */
extern const struct http_page daemon_pages[];

#endif
