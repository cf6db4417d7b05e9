/* redis/replies.h - what Redis says on one connection: bytes in, each reply out to whoever asked for it. Pure.
 *
 * Redis replies in the order in which it is asked, so those who asked stand in a queue, and the first reply belongs to
 * the first of them. A connection that subscribed gets messages as well, once nobody stands in the queue any more. That
 * is all there is to the protocol (RESP2), and all that may come: everything else breaks the stream for good, with a
 * sentence that says why. Nothing that Redis says can do more than that.
 *
 * hiredis parses (its reader, of 0.14 and 1.x) and this file dispatches. hiredis' own dispatch (async.c) is not used: a
 * reply that nobody asked for, a message of another shape or an `unsubscribe` ends the process there, by an assertion.
 * Its reader is given limits that it does not have by itself:
 * - an array's header makes 0.14 allocate what it declares, 32 GB for ten bytes: elements are counted beforehand;
 * - it keeps what is not whole yet without a limit, and reads a line that has no end again from its start each time;
 * - 1.x reads the types of RESP3, which we never ask for.
 * Sources: https://redis.io/docs/reference/protocol-spec/; hiredis read.c and async.c of v0.14.1 and v1.2.0. */
#ifndef CELLROUTER_REDIS_REPLIES_H
#define CELLROUTER_REDIS_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "base/attributes.h"

enum {
    /* Elements of one reply, those of arrays in it counted. The longest that a Redis really sends us names the keys
     * that changed in one turn of its loop. */
    REPLIES_ELEMENTS_MAX = 1 << 20,
    REPLIES_LINE_MAX = 65536,  /* bytes of a line: an error, a number; Redis' own are below 1 KB */
    REPLIES_TEXT_MAX = 1 << 20 /* bytes of one text: the key of a change by somebody else, at most */
};

struct replies;

/* reply is NULL when the connection ended before it came; otherwise it is valid during the call. data as given to
 * replies_expect(), user to replies_new(). */
typedef void redis_reply_fn(void *user, const redisReply *reply, void *data);

/* A message of a connection that subscribed. The callee owns it: freeReplyObject(). Any shape, but no error. */
typedef void redis_message_fn(void *user, redisReply *message);

enum replies_outcome {
    REPLIES_NONE,    /* nothing whole is there: feed more */
    REPLIES_TAKEN,   /* one reply or message went out */
    REPLIES_REFUSED, /* an error of Redis that nobody asked for; see replies_broken() */
    REPLIES_BROKEN   /* not RESP2, too much of it, or a reply that nobody asked for; from then on always */
};

/* NULL: out of memory. */
MUST_USE struct replies *replies_new(void *user, redis_message_fn *on_message);

/* Those who still stand in the queue are forgotten: replies_end() before it. NULL is fine. */
void replies_free(struct replies *replies);

/* callback stands in the queue for the next reply that nobody stands for yet. False: out of memory. */
MUST_USE bool replies_expect(struct replies *replies, redis_reply_fn *callback, void *data);

/* From now on what comes when nobody stands in the queue is a message. */
void replies_listen(struct replies *replies);

/* How many stand in the queue. */
size_t replies_expected(const struct replies *replies);

/* Takes n bytes that Redis sent; keeps no pointer into them. replies_next() finds what is whole. */
void replies_feed(struct replies *replies, const char *bytes, size_t n);

/* Hands out the next reply or message, one at most. Callbacks may call replies_expect() and replies_listen(). */
MUST_USE enum replies_outcome replies_next(struct replies *replies);

/* Why it was BROKEN, or the error that was REFUSED, as Redis put it. A text, never NULL. */
const char *replies_broken(const struct replies *replies);

/* Everybody in the queue gets a NULL, in the order of asking, those that join meanwhile as well. */
void replies_end(struct replies *replies);

#endif
