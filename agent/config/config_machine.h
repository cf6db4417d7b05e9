/* agent/config/config_machine.h - whether this machine has what a configuration names: users, folders, the password
 * file. The text alone is checked by config_load; this is what `cellrouter -c` checks besides. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_MACHINE_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_MACHINE_H

#include <stddef.h>
#include <stdio.h>

#include "agent/config/config.h"
#include "base/attributes.h"

enum config_password {
    CONFIG_PASSWORD_OK,         /* *passwordp is the caller's to free */
    CONFIG_PASSWORD_NONE,       /* there is no Redis, or it needs none */
    CONFIG_PASSWORD_FORBIDDEN,  /* this process may not read the file; why says so */
    CONFIG_PASSWORD_UNREADABLE, /* the file is not there, or no password is in it; why says which */
    CONFIG_PASSWORD_MEMORY,     /* out of memory */
};

enum {
    CONFIG_PASSWORD_MAX = 512, /* bytes of a password; Redis has no limit, nobody has a longer one */
    CONFIG_WHY_MAX = 1400,     /* bytes of why: a path of 1024, and a sentence */
};

/* Reads the first line of redis.password-file, without its end. why has room for CONFIG_WHY_MAX bytes; it holds "" or
 * a sentence without its end, and never a part of the file. */
MUST_USE enum config_password config_read_password(const struct config *config, char **passwordp, char *why);

/* Reports what would keep the daemon from starting here, as the user who asks: a user or group that there is not, a
 * folder of a socket or of the map that is missing or not writable, a password that cannot be read. In the form of
 * config_load. Returns how many there were. */
MUST_USE size_t config_check_machine(const struct config *config, FILE *errors);

#endif
