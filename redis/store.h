/* redis/store.h - the shared memory of routes: get, put, forget, and news of what others changed. Redis or Valkey >=
 * 6.0.
 *
 * One store has two connections: one asks and writes, one receives invalidations (client-side caching, RESP2). With a
 * read_address these two lead to a replica, and a third one writes at the primary. The store connects by itself, again
 * and again; it works, by failing at once, while Redis is away. Level 1, the caller's own table, is not in here: the
 * handler's functions say what it must drop.
 *
 * Everything runs on one libev loop and thread. The functions of the handler and the callbacks of lookups are called
 * from the loop, and may call everything but route_store_free(). They are not called from within a call to the store,
 * with two exceptions: on_event(), and the callbacks of what still waits at route_store_free().
 * Sources: https://redis.io/docs/manual/client-side-caching/, docs/redis.md. */
#ifndef CELLROUTER_REDIS_STORE_H
#define CELLROUTER_REDIS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/doubt.h"
#include "redis/key.h"
#include "redis/reason.h"
#include "redis/record.h"

struct ev_loop;
struct route_store;
struct route_wait; /* one lookup that waits for its reply */

enum route_outcome {
    ROUTE_FOUND,
    ROUTE_ABSENT, /* Redis has no live route for any prefix, or said so seconds ago */
    ROUTE_FAILED, /* not known; never to be taken for ABSENT. Why: see reason */
    ROUTE_WAITING /* only from route_store_get(): the callback will say */
};

/* How long level 1 may remember a found route. */
enum route_trust {
    ROUTE_TRUST_FULL,  /* as long as it lives: changes will be told */
    ROUTE_TRUST_SHORT, /* for seconds: invalidations do not arrive now */
    ROUTE_TRUST_ONCE   /* not at all: it changed while the reply was on its way */
};

/* Valid during the callback. Everything below reason is set only for ROUTE_FOUND. */
struct route_answer {
    enum route_outcome outcome;
    enum store_reason reason; /* NONE, or why it failed */
    struct route_name route;  /* the longest prefix that has a live route */
    struct route_record record;
    uint64_t left_ms; /* of its life */
    enum route_trust trust;
};

/* Called exactly once for each lookup that was WAITING and was not cancelled. The wait is over, its pointer invalid. */
typedef void route_answer_fn(void *user, const struct route_answer *answer);

struct route_store_event {
    enum store_reason reason; /* its text: store_reason_text(); its level: store_reason_level() */
    const char *connection;   /* "ask", "watch", "write", or "" when it is about none */
    const char *address;      /* where that connection leads, as the configuration writes it; "" when about none */
    const char *detail;       /* in detail, maybe empty; printable ASCII; holds no secret */
};

/* Each may be NULL. */
struct route_store_handler {
    /* This route was changed or removed by someone else, or a write of ours lost: level 1 must drop it. Also called for
     * routes that level 1 does not have. */
    void (*on_changed)(void *user, const struct route_name *route);
    /* This route was changed a moment after this router wrote it; answer is what stands there now (FOUND). Level 1 must
     * have this, or nothing. NULL: on_changed() is called instead. */
    void (*on_current)(void *user, const struct route_answer *answer);
    /* The database was flushed: level 1 must drop everything that came from Redis. */
    void (*on_flushed)(void *user);
    /* Invalidations may be or may have been missed, from now on or until now: what is in level 1 may live for seconds
     * only. */
    void (*on_distrust)(void *user);
    /* A found route whose lookups are all over: too late for them, of use for the next request. As for a lookup's
     * callback. */
    void (*on_late)(void *user, const struct route_answer *answer);
    /* Another router tells of a doubt. Any prefix, any cell. */
    void (*on_doubt)(void *user, const struct route_doubt *doubt);
    /* Something for the log. Events that a peer can repeat come at most once a second for each reason and
     * connection. */
    void (*on_event)(void *user, const struct route_store_event *event);
};

/* Texts are copied. Numbers are used as they are; route_store_defaults() has sane ones. */
struct route_store_config {
    const char *address; /* "unix:/path" or "host:port", "[v6]:port"; a name is looked up at each connect */
    /* A replica of it, near by: questions and news come from there. NULL or "": both from address. */
    const char *read_address;
    const char *username; /* NULL or "": Redis' default user */
    const char *password; /* NULL or "": no AUTH */
    const char *router;   /* id of this router, in records and as the connections' names */
    uint32_t deadline_ms; /* of one lookup */
    uint32_t connect_ms;  /* of connecting and signing in */
    uint32_t watchdog_ms; /* a connection that owes a reply for so long is closed; an idle one is tried as often */
    uint32_t backoff_min_ms, backoff_max_ms;
    uint32_t max_questions; /* in flight */
    uint32_t max_waiting;   /* lookups that wait */
    uint64_t queue_bytes;   /* of the writes that wait */
    uint32_t max_writes_s;  /* writes a second; more wait */
    uint32_t absent_ms;     /* "not there" is remembered for so long; 0: not at all */
    uint32_t max_absent;    /* prefixes so remembered, 16 bytes each */
    uint32_t tombstone_s;   /* a dropped route is not brought back by an older claim for so long */
    uint32_t skew_ms;       /* clocks of routers and Redis may differ by so much */
    uint64_t seed;          /* for hashes and jitter; random, from the caller */
};

struct route_store_counters {
#define STORE_COUNTER(field, text) uint64_t field;
#define STORE_GAUGE(field, text) uint64_t field;
#include "redis/counters.def"
#undef STORE_COUNTER
#undef STORE_GAUGE
    uint64_t reasons[STORE_REASON_COUNT];  /* how often each was met: by a lookup, a write or a connection */
    uint64_t hostile[ROUTE_RECORD_STATES]; /* values read that were not used; [OK] counts the good ones */
};

/* The numbers of docs/cellrouter.conf, and no address. */
struct route_store_config route_store_defaults(void);

/* Starts connecting. Returns NULL, with *reason, for BAD_ADDRESS, BAD_NAME (the router's id) and MEMORY; that Redis is
 * not there is no reason to fail. handler is copied. The caller frees the store with route_store_free(). */
MUST_USE struct route_store *route_store_new(struct ev_loop *loop, const struct route_store_config *config,
                                             const struct route_store_handler *handler, void *user,
                                             enum store_reason *reason);

/* Signs in with this password from the next connection on; those that are up stay. Copied; NULL or "": none. False:
 * out of memory, the old one stays. */
MUST_USE bool route_store_set_password(struct route_store *store, const char *password);

/* Closes all connections at once and frees everything. Lookups that wait are answered FAILED SHUTTING_DOWN from within
 * this call; these callbacks may not call the store, route_store_cancel() included. Queued writes are lost. NULL is
 * fine. Not from a callback of the store. */
void route_store_free(struct route_store *store);

/* Looks for the longest prefix with a live route. WAITING: callback will be called, *wait can cancel it until then.
 * ABSENT: remembered from an earlier reply. FAILED: *reason says why, no callback. Costs a question to Redis unless one
 * for the same prefixes is in flight. */
MUST_USE enum route_outcome route_store_get(struct route_store *store, const struct route_question *question,
                                            route_answer_fn *callback, void *user, struct route_wait **wait,
                                            enum store_reason *reason);

/* The callback of this lookup will not be called any more. The question stays in flight. */
void route_store_cancel(struct route_store *store, struct route_wait *wait);

/* This router learned now that cell owns the route, for life_s seconds; flags: ROUTE_PINNED or 0. Written at once or
 * queued; whether it stands is decided in Redis: the newest claim wins, a pinned one always. When it does not stand,
 * on_changed() says so. False, and nothing happens, for a name or id that can not be written (BAD_NAME is counted). */
MUST_USE bool route_store_put(struct route_store *store, const struct route_name *route, const char *cell,
                              size_t cell_length, uint32_t life_s, uint32_t flags);

/* This router learned now that cell does not own the route: removed, if the record names that cell and is not pinned,
 * and for tombstone_s no older claim brings it back. Queued as above. */
MUST_USE bool route_store_forget(struct route_store *store, const struct route_name *route, const char *cell,
                                 size_t cell_length);

/* Tells the other routers that a redirect was met there. Nothing is stored, and nothing queued: it is lost while Redis
 * is away, and where there are more than 100 a second. */
void route_store_doubt(struct route_store *store, const struct route_doubt *doubt);

/* Up to date at the time of the call; valid as long as the store. */
const struct route_store_counters *route_store_counters(const struct route_store *store);

#endif
