/* redis/store_parts.h - the inside of a store, for redis/store*.c only. What it is as a whole: redis/store.c.
 *
 * The six files are one job and call each other in circles: a change that is told may be our own, so the watch asks
 * the reader; the reader asks the writer what waits to be written; the writer tells what it lost. Who may see what:
 *
 *     store.c        owns config, the connections, deadlines, events. Called for store_event(), store_error(),
 *                    store_answer_all()
 *     store_read.c   owns questions, absent, probes, verifying. Called for store_ask(), store_verify(),
 *                    store_tell_changed(), store_overtake_probes()
 *     store_write.c  owns writer (queue, scripts, stamps) and own. Called for store_wrote(), store_wrote_claim(),
 *                    store_drain(), up and down
 *     store_watch.c  owns watch (tracking, beats, slices). Called for store_track(), store_untrack(), up and down
 *     store_far.c    owns far: a replica near by and a primary far away. Called for its beats, and for the copies of
 *                    claims that are on their way
 *     store_doubt.c  owns doubts. Called for store_take_doubt()
 *
 * A file changes only what it owns, but for three things: whoever hears of a change marks the questions that it
 * overtakes (questions_changed()) and drops its name from absent; a flush empties own; counters are everybody's.
 * Reading is free. store->command is scratch: built and sent by one function, never kept over a call. */
#ifndef CELLROUTER_REDIS_STORE_PARTS_H
#define CELLROUTER_REDIS_STORE_PARTS_H

#include <ev.h>

#include "base/list.h"
#include "base/rng.h"
#include "redis/expiring_set.h"
#include "redis/command.h"
#include "redis/distance.h"
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

/* What is on its way to Redis. */
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

/* Reads here, writes there. Without a read_address all of it stays as it is made. */
struct store_far {
    char channel[136];          /* of the beats that go by way of the primary */
    uint64_t sent, heard;       /* numbers of these beats */
    uint64_t attempt;           /* the first one that proves something since the last gap */
    uint64_t sent_ms;           /* when the last one was sent */
    uint64_t silent_since_ms;   /* one is due and was not heard since; 0: none */
    bool behind;                /* that was too long, and has been told */
    struct write_queue *copies; /* of the claims that were sent and are not told yet */
    struct distance distance;   /* of the primary */
};

struct route_store {
    struct ev_loop *loop;
    struct route_store_config config; /* its texts are below */
    struct route_store_handler handler;
    void *user;
    struct address address, read_address;
    char *username, *password;
    char router[ROUTE_ID_MAX + 1];
    char ask_name[ROUTE_ID_MAX + 32], watch_name[ROUTE_ID_MAX + 32], write_name[ROUTE_ID_MAX + 32];
    struct route_store_counters counters;
    struct hash_key hash;
    struct rng rng;
    struct redis_conn *ask_conn, *watch_conn;
    struct redis_conn *write_conn;   /* the ask connection, unless reads go to a replica; */
    struct distance *write_distance; /* how far away its end is: distance, or that of far */
    struct questions *questions;
    struct expiring_set *absent; /* names that Redis does not have */
    struct expiring_set *own;    /* names that this router wrote a moment ago */
    struct command command;      /* the one that is being built */
    struct store_watch watch;
    struct store_writer writer;
    struct store_far far;
    struct bucket doubts;
    struct distance distance; /* of Redis, on this ask connection */
    ev_timer deadlines;
    unsigned verifying;
    struct list_node probes; /* of these reads, those that no claim on the same name has overtaken */
    bool used;               /* level 1 may hold something by now */
    bool ending;
    uint64_t event_ms[4][STORE_REASON_COUNT]; /* of "", ask, watch, write: when it was last told */
    bool misplaced_told[STORE_REASON_COUNT];  /* on this connection; see store_is_misplaced() */
};

/* store.c */

/* Wall time at the begin of the loop's turn, ms since 1970: for stamps and lives. */
uint64_t store_wall_ms(const struct route_store *store);

/* Whether Redis says with it that it is the wrong one for this key, or about to be: nothing to other keys, and not
 * worth waiting for. */
bool store_is_misplaced(enum store_reason reason);

/* Counts the reason and tells it to the handler, at most once a second; that a key is misplaced, once a connection.
 * connection is "ask", "watch", "write" or "". text may hold anything. */
void store_event(struct route_store *store, enum store_reason reason, const char *connection, const char *text,
                 size_t n);

/* The same for an error that Redis replied with; returns its reason. */
enum store_reason store_error(struct route_store *store, const char *connection, const redisReply *reply);

/* Ends every wait of the question with this answer. */
void store_answer_all(struct route_store *store, struct question *question, const struct route_answer *answer);

/* store_read.c */

/* Sends the question; names known as absent are left out. All are: ABSENT. Not sent: FAILED. Else WAITING, *questionp
 * is it. */
enum route_outcome store_ask(struct route_store *store, const struct route_question *what, struct question **questionp,
                             enum store_reason *reason);

/* The name changed, and it may have been by this router: reads it, and tells the handler unless it was. */
void store_verify(struct route_store *store, const struct route_name *name);

/* A claim on the name goes out now: a verifying read that was sent before it must not judge it. */
void store_overtake_probes(struct route_store *store, const struct route_name *name);

/* The handler's on_changed(). */
void store_tell_changed(struct route_store *store, const struct route_name *name);

/* store_write.c */

/* Whether this router wrote the name a moment ago; the second: with this very claim. */
bool store_wrote(const struct route_store *store, const struct route_name *name);
bool store_wrote_claim(const struct route_store *store, const struct route_name *name, uint64_t stamp_ms);

/* How many writes may be in flight now. */
uint32_t store_window(const struct route_store *store);

/* The connection for writes came up, or went down. */
void store_writer_up(struct route_store *store);
void store_writer_down(struct route_store *store);

/* Sends what may be sent now. */
void store_drain(struct route_store *store);

/* The timer of store_writer. */
void store_on_writer_timer(struct ev_loop *loop, ev_timer *timer, int events);

/* store_watch.c */

/* The watch connection came up, or went down. */
void store_watch_up(struct route_store *store);
void store_watch_down(struct route_store *store);

/* The ask connection came up, or may be allowed to turn tracking on by now; it went down. */
void store_track(struct route_store *store);
void store_untrack(struct route_store *store);

/* What came on the watch connection, owned by the callee. */
void store_on_message(void *user, redisReply *message);

/* Protection may begin now: it does where all of it is there. It ends, for what the primary says or does not say. */
void store_protect(struct route_store *store);
void store_unprotect(struct route_store *store);

/* The timers of store_watch. */
void store_on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events);
void store_on_slice(struct ev_loop *loop, ev_timer *timer, int events);

/* At the end of the store, also of one that is half made. */
void store_watch_free(struct route_store *store);

/* store_far.c */

/* Whether writes go elsewhere than questions; the connection's name for events. */
bool store_is_far(const struct route_store *store);
const char *store_write_side(const struct route_store *store);

/* The parts that every store has, before its connections. False: out of memory. */
MUST_USE bool store_far_set_up(struct route_store *store);
void store_far_free(struct route_store *store);

/* The write connection came up. */
void store_far_up(struct route_store *store);

/* Whether changes at the primary are known to arrive; true without one. Only beats from now on prove it. */
bool store_far_holds(const struct route_store *store);
void store_far_restart(struct route_store *store);

/* One beat is due; one was heard. */
void store_far_beat(struct route_store *store);
void store_far_hear(struct route_store *store, const redisReply *number);

/* The claim was sent: it is kept until it is over, for questions. The last: what was sent on this name and is not over,
 * or NULL; valid until the next call. */
void store_far_sent(struct route_store *store, const struct claim *claim);
void store_far_over(struct route_store *store, const struct route_name *name);
const struct claim *store_far_find(const struct route_store *store, const struct route_name *name);

/* store_doubt.c */

/* Where doubts are published. */
const char *store_doubts_channel(void);

/* What came from that channel. */
void store_take_doubt(struct route_store *store, const redisReply *body);

#endif
