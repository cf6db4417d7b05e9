/* agent/router/router_private.h - the inside of the router. Only agent/router/router*.c may include it.
 *
 * router.c          makes and frees all of it, and takes a batch apart
 * router_message.c  fills struct request from a NOTIFY's bytes; touches nothing else but counters and log
 * router_lookup.c   reads cells, table, doubts, acks; owns the waits (free_waits, blocks)
 * router_learn.c    writes table and damping; uses key and storage while one message is judged
 * router_store.c    writes the table; uses key
 * router_inherit.c    reads cells; its questions are its own
 * router_doubt.c    writes doubts, and tells level 0 and the store of them
 * router_hidden.c   owns what waits in hidden
 * router_operator.c reads all, writes the table; uses key
 *
 * key and storage are scratch: what one function works on, and nothing that is to last until the next callback. */
#ifndef CELLROUTER_AGENT_ROUTER_ROUTER_PRIVATE_H
#define CELLROUTER_AGENT_ROUTER_ROUTER_PRIVATE_H

#include "agent/router/prepared_acks.h"
#include "agent/routes/cells.h"
#include "agent/routes/damping.h"
#include "agent/routes/decision.h"
#include "agent/routes/doubts.h"
#include "agent/router/hidden.h"
#include "agent/routes/learning.h"
#include "agent/report/log.h"
#include "agent/router/router.h"

/* What a NOTIFY asks for; views into its bytes. */
struct request {
    struct spoe_call *call;
    bool lookup, learn, hide; /* the messages that it holds */
    bool told;                /* its learn message told other routers of a doubt */
    uint64_t elapsed_ms;      /* of hide: the request's age, or HIDDEN_UNKNOWN_MS */
    bool malformed;           /* the list of messages does not parse: nothing of it counts */
    bool path_given;          /* of the lookup: the argument was there and a string */
    struct text_view path, host;
    struct {
        struct text_view path, host, cell, cache, from;
        bool redirected;
        bool complete; /* path and cell were there */
        bool stale;    /* the client is asked to come again */
    } teach;
    /* of the lookup, filled when it is worked on */
    enum path_verdict verdict;
    struct path parsed;
    struct route_probe probe;
};

/* A lookup that waits for the store. */
struct wait {
    struct router *router;
    struct wait *next; /* in the free list */
    struct spoe_call *call;
    struct route_wait *store_wait;
    uint16_t doubt_length, doubt_cell; /* the longest prefix of the path that was in doubt; 0: none */
    bool learned;                      /* the same NOTIFY taught something: its ACK says done, too */
};

struct wait_block {
    struct wait_block *next;
    struct wait waits[64];
};

struct router {
    const struct config *config;
    struct counters *counters;
    struct log *log;
    uint64_t (*now_ms)(void);
    uint64_t (*wall_ms)(void);
    struct cells *cells;
    struct prepared_acks *acks; /* of these cells */
    struct route_table *table;
    struct doubts *doubts;
    struct damping *damping;
    struct route_store *store; /* may be NULL */
    char store_trouble[700];   /* what it said last of a connection, since one was there; "": nothing */
    struct level0 *level0;     /* may be NULL */
    struct hidden *hidden;
    bool told; /* by the learn message at hand: other routers, of a doubt */
    struct path_options paths;
    struct learning_options learning;
    struct wait *free_waits;
    struct wait_block *blocks;
    struct request requests[SPOE_BATCH_MAX];
    char keys[SPOE_BATCH_MAX][PATH_KEY_SIZE]; /* of the lookups of a batch; touched only as far as it is used */
    char key[PATH_KEY_SIZE];                  /* of one learn message, or of a route that the store names */
    char storage[DIRECTIVE_MAX_LENGTH];
};

/* router_message.c: reads the messages of one NOTIFY. */
void router_read_messages(struct router *router, struct spoe_notify *notify, struct request *request);

/* router_lookup.c: responds to a request whose messages were read and whose path was parsed and prefetched. learned:
 * its learn message was worked on. */
void router_respond(struct router *router, struct request *request, uint64_t now_ms, bool learned);

/* on_cancel of struct spoe_handler: lets go of what waits for this call, in the store or in hidden. */
void router_on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why);

/* router_store.c: puts a route that the store found into the table. Returns the word. */
void router_remember(struct router *router, const struct route_answer *answer, struct route_word *word);

/* router_store.c: writes host and prefix behind each other into router->key. Returns the length, or 0 when they are too
 * long. */
size_t router_key_of(struct router *router, const struct route_name *route);

/* router_store.c: the store's name of a key; a view into it. */
struct route_name router_name_of(const struct router *router, const char *key, size_t length);

/* router_hidden.c: acknowledges the message late, or at once; lets go of one that nobody waits for. */
void router_hide(struct router *router, const struct request *request, uint64_t now_ms);
void router_unhide(struct router *router, struct hidden_ack *ack);

/* router_hidden.c: acknowledges a learn message when other routers have heard of the doubt that it caused, or at
 * once. */
void router_hold(struct router *router, const struct request *request, uint64_t now_ms);

/* router_doubt.c: what a doubt about the first bytes of a path's key means for level 0; the route has left_ms to live,
 * or ROUTE_FOREVER. */
void router_tell_level0(struct router *router, const char *key, const struct doubt *doubt, uint16_t cell,
                        uint64_t left_ms);

/* The cell redirected a request for path, which the route of route_length bytes (0: not known which) sends there, and
 * nobody claims it. Sets router->told when other routers hear of it. */
void router_doubt(struct router *router, const struct path *path, uint16_t route_length, uint16_t cell,
                  uint64_t now_ms);

/* The on_doubt of struct route_store_handler. */
void router_on_doubt(void *user, const struct route_doubt *doubt);

/* router_learn.c: does what a learn message, complete or not, leads to: in table, damping, level 0 and store. */
void router_learn(struct router *router, const struct request *request, uint64_t now_ms);

static inline void router_count(struct router *router, enum counter counter)
{
    counter_add(router->counters, counter, 1);
}

#endif
