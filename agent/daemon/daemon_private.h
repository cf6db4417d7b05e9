/* agent/daemon/daemon_private.h - the inside of the daemon. Only daemon.c, daemon_admin.c and daemon_http.c may
 * include it.
 *
 * daemon.c       makes, changes and frees all of it
 * daemon_admin.c the commands of the admin socket: reads all, and changes nothing but by calls into the parts and
 *                daemon_reload
 * daemon_http.c  the pages of the HTTP endpoint: reads all, and changes nothing */
#ifndef CELLROUTER_AGENT_DAEMON_DAEMON_PRIVATE_H
#define CELLROUTER_AGENT_DAEMON_DAEMON_PRIVATE_H

#include <ev.h>
#include <sys/stat.h>

#include "agent/daemon/admin.h"
#include "agent/config/config.h"
#include "agent/http/history.h"
#include "agent/http/http_server.h"
#include "agent/level0/limits_reader.h"
#include "agent/report/counters.h"
#include "agent/report/log.h"
#include "agent/router/router.h"
#include "redis/store.h"
#include "spoe/server.h"

struct daemon {
    struct ev_loop *loop;
    struct config *config;  /* in use */
    struct config *started; /* of the start: what needs a restart still has its values; may be the same */
    bool debug;
    struct log *log;
    struct counters counters;
    struct router *router;
    struct spoe_handler requests; /* the router's; the server calls it through the daemon */
    struct spoe_server *server;
    struct route_store *store;    /* NULL: none configured */
    struct level0 *level0;        /* NULL: none configured */
    struct limits_reader *limits; /* of HAProxy; NULL: no haproxy.runtime */
    struct admin *admin;          /* NULL: none configured */
    struct http_server *http;     /* NULL: none configured */
    struct history history;       /* for the status page */
    ev_signal term, interrupt, hangup;
    ev_timer tick, cut, release;
    uint64_t release_ms;       /* what release is set to */
    char *password;            /* of Redis; NULL: none */
    struct stat password_file; /* as it was when the password was read */
    uint64_t started_ms;
    uint64_t files;           /* descriptors that may be open at a time */
    uint32_t max_connections; /* of HAProxy's: as configured, or what the limit of open files leaves */
    bool draining;
    int status;
};

/* The commands of the admin socket; user is the daemon. */
extern const struct admin_command daemon_commands[];

/* Reads the file again and puts it in use, or says why not. */
void daemon_reload(struct daemon *daemon);

/* Brings all counters up to date before somebody reads them. */
void daemon_sample(struct daemon *daemon);

#endif
