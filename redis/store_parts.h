/* redis/store_parts.h - the inside of a store, for redis/store*.c only. Who does what:
 *   store.c        birth, end, configuration, get and cancel, the deadlines of lookups
 *   store_read.c   questions to Redis and what the replies mean
 *   store_write.c  the queue of claims, the scripts, their verdicts
 *   store_watch.c  invalidations, and the heartbeat through both connections */
#ifndef CELLROUTER_REDIS_STORE_PARTS_H
#define CELLROUTER_REDIS_STORE_PARTS_H

#include <ev.h>

#include "base/list.h"
#include "base/rng.h"
#include "redis/expiring_set.h"
#include "redis/command.h"
#include "redis/hash.h"
#include "redis/redis_conn.h"
#include "redis/pace.h"
#include "redis/questions.h"
#include "redis/scripts.h"
#include "redis/store.h"
#include "redis/write_queue.h"

/* Protected: the watch is subscribed, tracking is on, and a beat sent after that was heard. Anything less is a gap. */
struct store_watch {
    bool subscribed;                 /* the watch connection is subscribed and knows its client id */
    bool asking;                     /* CLIENT TRACKING was sent and is not answered */
    bool tracking;                   /* it said OK */
    bool protects;                   /* WATCHING was announced */
    unsigned splits;                 /* times in a row that the connections led to two servers */
    uint64_t epoch;                  /* grows each time that protection begins; never 0 after the first */
    uint64_t attempt;                /* number of the beat with which tracking was last turned on */
    uint64_t sent, delivered, heard; /* numbers of beats: sent, taken by Redis for one listener, heard */
    uint64_t silent_since_ms;        /* a delivered beat is not heard since; 0: none */
    ev_timer timer;                  /* of the beats */
    redisReply *changes;             /* the message that is worked off in slices; NULL: none */
    size_t next_change;              /* of its keys */
    ev_timer slices;                 /* its next turn */
    long long client_id;             /* of the watch connection */
    unsigned subscriptions;
    char beat[128]; /* the channel of the heartbeat, of this store alone */
};

enum {
    STAMP_SLOTS = 4096,
    SCRIPT_SHA = 40 /* bytes of a script's hash */
};

struct store_writer {
    struct write_queue *queue;
    unsigned in_flight;
    char put_sha[SCRIPT_SHA + 1], forget_sha[SCRIPT_SHA + 1]; /* empty: not loaded on this connection */
    bool loading;                                             /* the scripts are on their way */
    uint64_t load_again_ms;                                   /* Redis refused them: not before */
    struct backoff load_pause;
    uint64_t last_stamp_ms[STAMP_SLOTS]; /* by the hash of the route's name */
    bool paused;
    struct backoff pause;
    struct bucket rate;
    ev_timer timer; /* the end of a pause, or the next token */
};

struct route_store {
    struct ev_loop *loop;
    struct route_store_config config; /* its texts are below */
    struct route_store_handler handler;
    void *user;
    struct address address;
    char *username, *password;
    char router[ROUTE_ID_MAX + 1];
    char ask_name[ROUTE_ID_MAX + 32], watch_name[ROUTE_ID_MAX + 32];
    struct route_store_counters counters;
    struct hash_key hash;
    struct rng rng;
    struct redis_conn *ask_conn, *watch_conn;
    struct questions *questions;
    struct expiring_set *absent; /* names that Redis does not have */
    struct expiring_set *own;    /* names that this router wrote a moment ago */
    struct command command;      /* the one that is being built */
    struct store_watch watch;
    struct store_writer writer;
    ev_timer deadlines;
    unsigned verifying;
    struct list_node probes; /* of these reads, those that no word on the same name has overtaken */
    bool used;               /* level 1 may hold something by now */
    bool ending;
    uint64_t event_ms[3][STORE_REASON_COUNT]; /* of "", ask, watch: when it was last told */
    bool misplaced_told[STORE_REASON_COUNT];  /* on this connection; see store_is_misplaced() */
};

/* store.c */
uint64_t store_wall_ms(const struct route_store *store);
/* Whether Redis says with it that it is the wrong one for this key, or about to be: nothing to other keys, and not
 * worth waiting for. */
bool store_is_misplaced(enum store_reason reason);
/* Counts the reason and tells it to the handler, at most once a second; that a key is misplaced, once a connection.
 * text may hold anything. */
void store_event(struct route_store *store, enum store_reason reason, const char *connection, const char *text,
                 size_t n);
/* Ends every wait of the question with this answer. */
void store_answer_all(struct route_store *store, struct question *question, const struct route_answer *answer);

/* Counts and tells an error that Redis replied with; returns its reason. */
enum store_reason store_error(struct route_store *store, const char *connection, const redisReply *reply);

/* store_read.c */
/* Sends the question; names known as absent are left out. All are: ABSENT. Not sent: FAILED. Else WAITING, *questionp
 * is it. */
enum route_outcome store_ask(struct route_store *store, const struct route_question *what, struct question **questionp,
                             enum store_reason *reason);
/* The name changed, and it may have been by this router: reads it, and tells the handler unless it was. */
void store_verify(struct route_store *store, const struct route_name *name);
/* A claim on the name goes out now: a verifying read that was sent before it must not judge it. */
void store_overtake_probes(struct route_store *store, const struct route_name *name);
void store_tell_changed(struct route_store *store, const struct route_name *name);

/* store_write.c */
/* Whether this router wrote the name a moment ago; the claim with this stamp. */
bool store_wrote(const struct route_store *store, const struct route_name *name);
bool store_wrote_claim(const struct route_store *store, const struct route_name *name, uint64_t stamp_ms);
void store_writer_up(struct route_store *store);
void store_writer_down(struct route_store *store);
/* Sends what may be sent now. */
void store_drain(struct route_store *store);
void store_on_writer_timer(struct ev_loop *loop, ev_timer *timer, int events);

/* store_watch.c */
void store_watch_up(struct route_store *store);
void store_watch_down(struct route_store *store);
/* The ask connection came up or went down. */
void store_track(struct route_store *store);
void store_untrack(struct route_store *store);
void store_on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events);
void store_on_slice(struct ev_loop *loop, ev_timer *timer, int events);
void store_on_message(void *user, redisReply *message);
/* At the end of the store. */
void store_watch_free(struct route_store *store);

#endif
