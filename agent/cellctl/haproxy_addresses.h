/* agent/cellctl/haproxy_addresses.h - HAProxy's own sockets, as it binds them before its chroot and connects to them
 * inside of it (`haproxy.chroot`). Pure. */
#ifndef CELLROUTER_AGENT_CELLCTL_HAPROXY_ADDRESSES_H
#define CELLROUTER_AGENT_CELLCTL_HAPROXY_ADDRESSES_H

#include <stdio.h>

#include "agent/config/config.h"

/* An address of a bind line. */
void haproxy_addresses_print_bound(const struct config *config, const char *address, FILE *out);

/* What stands behind it, with a blank before it, so that nobody else connects; nothing where it is no file. Started as
 * root HAProxy binds as root, and connects as its user: by the group that a folder with the setgid bit gives to what is
 * made in it, when the user is not known. */
void haproxy_addresses_print_options(const struct config *config, const char *address, FILE *out);

/* The agent's, as a server line has it. */
void haproxy_addresses_print_agent(const struct config *config, FILE *out);

#endif
