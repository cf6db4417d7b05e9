/* redis/questions.h - questions in flight and the lookups that wait for them. Pure: it asks nobody, it keeps the books.
 *
 * One question asks for the prefixes of one path; lookups for the same prefixes share it. A question lives from
 * questions_open() to questions_close(), whether or not somebody still waits. */
#ifndef CELLROUTER_REDIS_QUESTIONS_H
#define CELLROUTER_REDIS_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/hash.h"
#include "redis/key.h"
#include "base/list.h"
#include "redis/reason.h"
#include "redis/record.h"

struct questions;
struct route_answer;

struct question {
    struct list_node age;    /* all in flight, the oldest first */
    struct list_node bucket; /* of the same hash of all prefixes */
    struct list_node tagged; /* of the same hash of host and first segment */
    struct list_node waits;  /* of struct route_wait, the oldest first */
    uint64_t hash, asked_ms;
    uint64_t epoch;             /* for the owner: of the watch, when it was asked; 0: none */
    bool raced;                 /* one of its prefixes changed since it was asked */
    uint32_t asked;             /* bit i: prefix i was asked for */
    uint32_t there;             /* for the owner: bit i: Redis has a live record for prefix i */
    uint8_t next;               /* for the owner: whose reply comes next */
    int8_t best;                /* for the owner: the longest prefix with a live record, or -1 */
    enum store_reason failure;  /* for the owner: the first error, or NONE */
    struct route_record record; /* of best */
    struct route_question what; /* views into the question itself */
};

struct route_wait {
    struct list_node among; /* the waits of its question */
    struct list_node age;   /* all waits, the oldest first */
    struct question *question;
    uint64_t deadline_ms;
    void (*callback)(void *user, const struct route_answer *answer);
    void *user;
};

/* At most max_questions and max_waits at a time. NULL: out of memory. questions_free() frees what is still in it as
 * well. */
MUST_USE struct questions *questions_new(const struct hash_key *key, uint32_t max_questions, uint32_t max_waits);
void questions_free(struct questions *questions);

/* The question in flight for the same prefixes, or NULL. One that is raced is not joined any more. */
struct question *questions_find(struct questions *questions, const struct route_question *what);

/* A new question; what must be ok. NULL with *reason: OVERLOADED or MEMORY. */
MUST_USE struct question *questions_open(struct questions *questions, const struct route_question *what,
                                         uint64_t now_ms, enum store_reason *reason);

/* Nobody may wait for it any more. */
void questions_close(struct questions *questions, struct question *question);

/* The i-th prefix as a name, views into the question. */
struct route_name question_name(const struct question *question, size_t i);

/* A lookup joins a question. The deadlines must not descend from one call to the next. NULL as above. */
MUST_USE struct route_wait *questions_wait(struct questions *questions, struct question *question, uint64_t deadline_ms,
                                           enum store_reason *reason);
void questions_unwait(struct questions *questions, struct route_wait *wait);

/* The wait with the earliest deadline, or NULL. */
struct route_wait *questions_first_wait(struct questions *questions);

/* The question asked first, or NULL. */
struct question *questions_oldest(struct questions *questions);

/* The name changed: questions in flight that ask for it are raced. */
void questions_changed(struct questions *questions, const struct route_name *name);
void questions_all_changed(struct questions *questions);

/* How many are in flight, and how many lookups wait for them. */
uint32_t questions_count(const struct questions *questions);
uint32_t questions_waits(const struct questions *questions);

#endif
