/* redis/replies.c - a queue of those who asked, behind hiredis' reader with limits. */
#include "redis/replies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

enum { FIRST_ROOM = 64 };

struct expected {
    redis_reply_fn *callback;
    void *data;
};

struct replies {
    void *user;
    redis_message_fn *on_message;
    redisReader *reader;
    redisReplyObjectFunctions hiredis, limited; /* its own constructors, and those with limits in front of them */
    size_t elements;                            /* of the reply that is being read */
    bool listens;
    struct expected *queue; /* a ring of room places, a power of two */
    size_t first, count, room;
    const char *refused; /* by a limit; NULL: none */
    char broken[160];    /* empty: it is not */
};

/* Constructors of hiredis' reader. NULL is "out of memory" to it and ends the reading; ours is told from a real one by
 * replies->refused. */

static void *refuse(const redisReadTask *task, const char *why)
{
    struct replies *replies = task->privdata;

    if (!replies->refused)
        replies->refused = why;
    return NULL;
}

/* A message with its keys is an array in an array; there is nothing deeper. */
static void *create_array(const redisReadTask *task, element_count count)
{
    struct replies *replies = task->privdata;

    if (task->type != REDIS_REPLY_ARRAY)
        return refuse(task, "a type of RESP3");
    if (task->parent && task->parent->parent)
        return refuse(task, "arrays in arrays in an array");
    if ((size_t)count > REPLIES_ELEMENTS_MAX - replies->elements)
        return refuse(task, "an array with too many elements");
    replies->elements += (size_t)count;
    return replies->hiredis.createArray(task, count);
}

static void *create_string(const redisReadTask *task, char *text, size_t n)
{
    const struct replies *replies = task->privdata;

    if (task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS && task->type != REDIS_REPLY_ERROR)
        return refuse(task, "a type of RESP3");
    return replies->hiredis.createString(task, text, n);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t n)
{
    (void)value, (void)text, (void)n;
    return refuse(task, "a type of RESP3");
}

static void *create_truth(const redisReadTask *task, int value)
{
    (void)value;
    return refuse(task, "a type of RESP3");
}
#endif

static void set_limits(struct replies *replies)
{
    redisReader *reader = replies->reader;

    replies->hiredis = replies->limited = *reader->fn;
    replies->limited.createArray = create_array;
    replies->limited.createString = create_string;
#if HIREDIS_MAJOR >= 1
    replies->limited.createDouble = create_double;
    replies->limited.createBool = create_truth;
#endif
    reader->fn = &replies->limited;
    reader->privdata = replies;
}

struct replies *replies_new(void *user, redis_message_fn *on_message)
{
    struct replies *replies = calloc(1, sizeof *replies);

    if (!replies)
        return NULL;
    replies->reader = redisReaderCreate();
    replies->queue = calloc(FIRST_ROOM, sizeof replies->queue[0]);
    if (!replies->reader || !replies->queue) {
        replies_free(replies);
        return NULL;
    }
    replies->room = FIRST_ROOM;
    replies->user = user;
    replies->on_message = on_message;
    set_limits(replies);
    return replies;
}

void replies_free(struct replies *replies)
{
    if (!replies)
        return;
    if (replies->reader)
        redisReaderFree(replies->reader);
    free(replies->queue);
    free(replies);
}

/* The queue */

static bool grow(struct replies *replies)
{
    struct expected *queue = calloc(2 * replies->room, sizeof queue[0]);

    if (!queue)
        return false;
    for (size_t i = 0; i < replies->count; i++)
        queue[i] = replies->queue[(replies->first + i) & (replies->room - 1)];
    free(replies->queue);
    replies->queue = queue;
    replies->first = 0;
    replies->room *= 2;
    return true;
}

bool replies_expect(struct replies *replies, redis_reply_fn *callback, void *data)
{
    if (replies->count == replies->room && !grow(replies))
        return false;
    replies->queue[(replies->first + replies->count) & (replies->room - 1)] = (struct expected){callback, data};
    replies->count++;
    return true;
}

static struct expected take_first(struct replies *replies)
{
    struct expected first = replies->queue[replies->first];

    replies->first = (replies->first + 1) & (replies->room - 1);
    replies->count--;
    return first;
}

void replies_listen(struct replies *replies)
{
    replies->listens = true;
}

size_t replies_expected(const struct replies *replies)
{
    return replies->count;
}

void replies_end(struct replies *replies)
{
    while (replies->count != 0) {
        struct expected first = take_first(replies);

        first.callback(replies->user, NULL, first.data);
    }
}

/* What Redis says */

static enum replies_outcome is_broken(struct replies *replies, const char *why)
{
    if (replies->broken[0] == '\0')
        snprintf(replies->broken, sizeof replies->broken, "%s", why);
    return REPLIES_BROKEN;
}

void replies_feed(struct replies *replies, const char *bytes, size_t n)
{
    if (redisReaderFeed(replies->reader, bytes, n) != REDIS_OK)
        (void)is_broken(replies, "out of memory");
}

/* What is not whole yet: a text is waited for up to its limit, a line is looked through again with each read. */
static bool is_too_long(const redisReader *reader)
{
    size_t rest = reader->len - reader->pos;

    return rest > REPLIES_LINE_MAX && (reader->buf[reader->pos] != '$' || rest > REPLIES_TEXT_MAX);
}

static enum replies_outcome hand_out(struct replies *replies, redisReply *reply)
{
    if (replies->count != 0) {
        struct expected first = take_first(replies);

        first.callback(replies->user, reply, first.data);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(replies->broken, sizeof replies->broken, "%s", reply->str);
        freeReplyObject(reply);
        return REPLIES_REFUSED;
    } else if (replies->listens) {
        replies->on_message(replies->user, reply);
        return REPLIES_TAKEN;
    } else {
        freeReplyObject(reply);
        return is_broken(replies, "a reply that nobody asked for");
    }
    freeReplyObject(reply);
    return REPLIES_TAKEN;
}

enum replies_outcome replies_next(struct replies *replies)
{
    redisReader *reader = replies->reader;
    void *reply = NULL;

    if (replies->broken[0] != '\0')
        return REPLIES_BROKEN;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
        return is_broken(replies, replies->refused ? replies->refused : reader->errstr);
    if (!reply)
        return is_too_long(reader) ? is_broken(replies, "an element that is too long") : REPLIES_NONE;
    replies->elements = 0;
    return hand_out(replies, reply);
}

const char *replies_broken(const struct replies *replies)
{
    return replies->broken;
}
