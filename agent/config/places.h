/* agent/config/places.h - how many connections HAProxy has room for, by `haproxy.maxconn`. Pure. Why so many:
 * haproxy/rules/global.cfg. */
#ifndef CELLROUTER_AGENT_CONFIG_PLACES_H
#define CELLROUTER_AGENT_CONFIG_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/config/config.h"

/* Idle connections of the loop that are kept. */
uint32_t places_idle_loops(const struct config_haproxy *haproxy);

/* Connections that the inner frontend takes. */
uint32_t places_inner(const struct config_haproxy *haproxy);

/* Connections of the whole process. */
uint32_t places_global(const struct config_haproxy *haproxy);

/* Requests that may wait for their turn in one class of large bodies; at least one. With all classes together at most
 * half of the clients that a frontend takes, so that uploads leave room for everybody else. */
size_t places_class_queue(const struct config_haproxy *haproxy);

#endif
