/* agent/config/config.h - what cellrouter.conf says, checked and complete: a plain value that nobody changes once it
 * is loaded. The keys, their defaults, limits and texts are agent/config/settings.def; this header only names where
 * each value lands. What the settings mean for the other modules is theirs to know. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/report/log.h"
#include "base/attributes.h"

/* An HAProxy status code that a cell uses for "not mine, ask that cell" (docs/design.md 3.1 and 5.4). */
enum cell_answer { CELL_ANSWER_302 = 302, CELL_ANSWER_421 = 421, CELL_ANSWER_425 = 425 };

/* Which requests with a known route go to the cell at once, without the replay pass (docs/design.md 5.5). */
enum direct_hits { DIRECT_HITS_SAFE, DIRECT_HITS_FRESH, DIRECT_HITS_ALL, DIRECT_HITS_NEVER };

/* A list of texts, in the order of the file. items is NULL when count is 0. */
struct config_list {
    char **items;
    size_t count;
};

struct config_cell {
    char *id;     /* [A-Za-z0-9_-]{1,32}, unique without regard to case: safe as part of an HAProxy name */
    char *name;   /* display name, unique without regard to case; printable, no quotes or braces */
    char *region; /* an id as above */
    enum cell_answer answers;
    struct config_list servers; /* at least one; "host:port", "[v6]:port" or "unix@/path", as HAProxy's server line */
    char *server_options;       /* the rest of HAProxy's server line; may be empty */
    struct config_list backend_lines; /* for its backend, as HAProxy has them */
    unsigned line;                    /* where it stands in the file */
};

struct config_spoe {
    struct config_list listen; /* "unix:/path" or "host:port" */
    unsigned mode;             /* of a unix socket */
    char *user, *group;        /* owner of a unix socket; empty: as the process */
    bool allow_remote;         /* a TCP listener may stand on something else than loopback */
    uint32_t max_frame;        /* bytes */
    uint32_t max_calls;        /* unanswered NOTIFYs of one connection */
    uint32_t max_connections;
    uint32_t deadline_ms;  /* of one NOTIFY */
    uint32_t lame_duck_ms; /* of a drain */
    uint32_t idle_s;       /* a connection that says nothing for so long is closed */
};

struct config_redis {
    char *address;      /* "unix:/path", "host:port"; empty: no Redis */
    char *read_address; /* of a replica for reads; empty: address is for both */
    char *username;
    char *password_file;  /* first line is the password; empty: none */
    uint32_t deadline_ms; /* of one question */
    uint32_t connect_ms;  /* of connecting and signing in */
    uint32_t watchdog_ms; /* a connection that owes an answer for so long is closed */
    uint32_t backoff_min_ms, backoff_max_ms;
    uint32_t max_questions; /* in flight */
    uint32_t max_waiting;   /* lookups that wait */
    uint64_t queue_memory;  /* bytes of the writes that wait */
    uint32_t max_writes_s;  /* a second */
    uint32_t max_absent;    /* prefixes remembered as not there */
    uint32_t tombstone_s;   /* life of the mark that a dropped route leaves */
    uint32_t skew_ms;       /* that clocks may differ */
};

struct config_routes {
    uint32_t lifetime_s;                     /* of a route whose cell gave no ttl */
    uint32_t lifetime_min_s, lifetime_max_s; /* what a cell's ttl is clamped to */
    uint32_t refresh_percent;                /* of its lifetime, then a route is learned again */
    uint32_t jitter_percent;
    uint64_t memory;            /* bytes of level 1 */
    struct config_list refused; /* prefixes that nobody may claim */
    uint32_t max_path;          /* bytes */
    uint32_t max_depth;         /* segments of a prefix */
    bool hosts;                 /* a route belongs to a host */
    bool fold_case;             /* ASCII letters of paths compare without case */
    uint32_t absent_s;          /* "not in Redis" is remembered for so long */
    uint32_t distrust_s;        /* life left to routes in memory after a gap in the invalidations */
    uint32_t fresh_s;           /* after it was seen to be right a route is fresh for so long; 0: no route is */
    uint32_t claims_per_cell;   /* new or moved routes a second that one cell may cause */
    uint32_t moves;             /* moves of one route between cells within damp_s before it is left alone */
    uint32_t damp_s;
};

struct config_admin {
    char *socket; /* path; empty: none */
    unsigned mode;
    char *user, *group;
    uint32_t max_clients;
    uint32_t idle_s;
};

struct config_http {
    char *listen; /* "unix:/path" or "host:port"; empty: none */
    unsigned mode;
    char *user, *group;
    bool allow_remote;
    uint32_t max_clients;
    uint32_t idle_s;
};

struct config_log {
    enum log_level level;
    uint32_t per_reason; /* lines a second of one reason that a peer can cause */
};

struct config_haproxy {
    enum direct_hits direct_hits;
    char *header_prefix;                           /* "X-Gitlab-Cell-": of the contract's headers */
    struct config_list upgrades;                   /* "websocket": protocols that Upgrade may name */
    struct config_list stream_types, stream_paths; /* beginnings: bodies there may have no end */
    char *loop;                                    /* address of the replay pass: "abns@name" or "unix@/path" */
    char *user;                                    /* who HAProxy becomes; empty: not known */
    char *chroot;                                  /* before the paths of all unix sockets that it binds; empty: none */
    char *agent_address; /* of the agent, as an HAProxy server address; empty: the first spoe listen */
    uint32_t max_hops;
    uint64_t buffer;                     /* tune.bufsize; 0: not printed */
    uint32_t headers;                    /* tune.http.maxhdr; 0: not printed */
    uint32_t hint_counter, note_counter; /* stick counters that the rules take in a site's frontend */
    uint32_t maxconn;                    /* of each frontend of the edge; 0: not printed */
    uint32_t timeout_client_s, timeout_request_s, timeout_connect_ms, timeout_queue_s;
    uint32_t timeout_server_s, timeout_tunnel_s;
    struct config_list backend_lines; /* for the backends of all cells, before those of the cell */
    char *large_address;              /* of the large-body tier; empty: none */
    struct config_list large_classes; /* as written: agent/config/large_classes.h reads them */
    uint64_t large_buffer;            /* of its one process, in place of classes; 0: there are classes */
    uint32_t large_requests, large_wait_s;
    char *map_file; /* of level 0; empty: none */
    uint32_t map_entries, map_uses, map_life_s;
    struct config_list runtime; /* HAProxy's runtime sockets, "unix:/path" or "host:port" */
};

struct config_hidden {
    uint32_t min_ms, max_ms; /* what a cell's 404 and 403 are delayed by; max 0: off */
    uint32_t most;           /* answers that wait at a time */
    char *spoe_file;         /* haproxy/cellrouter-spoe.conf as HAProxy finds it */
};

struct config {
    char *file; /* as given */
    char *region;
    char *router;       /* id of this router; never empty */
    char *default_cell; /* cell id; empty: any healthy cell of the region */
    char *user, *group; /* whom the daemon becomes; empty: stays who it is */
    uint32_t drain_s;
    struct config_cell *cells; /* at least one, in the order of the file */
    size_t cell_count;
    struct config_spoe spoe;
    struct config_redis redis;
    struct config_routes routes;
    struct config_admin admin;
    struct config_http http;
    struct config_log log;
    struct config_haproxy haproxy;
    struct config_hidden hidden;
    unsigned *lines; /* where the settings outside of cells were given, for messages; see config_machine.h */
};

/* Reads and checks a file. Every error is written to errors as one line each:
 *     FILE:LINE: KEY "VALUE": what is wrong; what would be right
 * Returns the configuration, to be freed by config_free, or NULL when there was at least one error. */
MUST_USE struct config *config_load(const char *file, FILE *errors);

/* The same for a text in memory; file is only its name in the messages. text needs no ending zero. */
MUST_USE struct config *config_parse(const char *file, const char *text, size_t length, FILE *errors);

/* NULL is allowed. */
void config_free(struct config *config);

/* The cell with this id (exact), or NULL. Lives as long as config. */
const struct config_cell *config_cell(const struct config *config, const char *id);

/* How many cells name no region, so that they are in the router's, whatever that is. */
size_t config_cells_without_region(const struct config *config);

/* Writes each setting that differs between the two and takes effect only at the next start, one key per call of on_key.
 * Returns how many there were. */
size_t config_needs_restart(const struct config *old, const struct config *fresh,
                            void (*on_key)(void *user, const char *section, const char *key), void *user);

/* The manual of all settings as text (`cellctl settings`), out of agent/config/settings.def. */
void config_print_settings(FILE *out);

/* docs/cellrouter.conf: every setting with its text and default (`cellctl settings --sample`). */
void config_print_sample(FILE *out);

#endif
