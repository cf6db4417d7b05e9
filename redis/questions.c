/* redis/questions.c - three hash tables over the same questions: by what was asked, by the first segment, by age.
 *
 * A changed name has to find the questions that ask for it, and one question asks for up to 32 prefixes. All prefixes
 * of a path have host and first segment in common, so that one table of that (tags) serves all of them. */
#include "redis/questions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct questions {
    struct hash_key key;
    uint32_t max_questions, max_waits, count, waits;
    size_t mask; /* buckets, a power of two, less one */
    struct list_node by_age, waits_by_age;
    struct list_node *buckets, *tags;
};

static size_t buckets_for(uint32_t most)
{
    size_t n = 16;

    while (n < most)
        n *= 2;
    return n;
}

struct questions *questions_new(const struct hash_key *key, uint32_t max_questions, uint32_t max_waits)
{
    struct questions *questions = calloc(1, sizeof *questions);
    size_t buckets = buckets_for(max_questions);

    if (!questions)
        return NULL;
    questions->buckets = calloc(2 * buckets, sizeof questions->buckets[0]);
    if (!questions->buckets) {
        free(questions);
        return NULL;
    }
    questions->tags = questions->buckets + buckets;
    questions->mask = buckets - 1;
    for (size_t i = 0; i < 2 * buckets; i++)
        list_init(&questions->buckets[i]);
    questions->key = *key;
    questions->max_questions = max_questions;
    questions->max_waits = max_waits;
    list_init(&questions->by_age);
    list_init(&questions->waits_by_age);
    return questions;
}

void questions_free(struct questions *questions)
{
    if (!questions)
        return;
    while (!list_is_empty(&questions->waits_by_age))
        questions_unwait(questions, questions_first_wait(questions));
    while (!list_is_empty(&questions->by_age))
        questions_close(questions, questions_oldest(questions));
    free(questions->buckets);
    free(questions);
}

static struct route_name name_of(const struct route_question *what, size_t i)
{
    return (struct route_name){what->host, what->host_length, what->text, what->ends[i]};
}

struct route_name question_name(const struct question *question, size_t i)
{
    return name_of(&question->what, i);
}

static uint64_t hash_of(const struct questions *questions, const struct route_question *what)
{
    struct route_name deepest = name_of(what, what->count - 1);

    return hash_name(&questions->key, &deepest);
}

static bool same(const struct route_question *a, const struct route_question *b)
{
    size_t ends = a->count * sizeof a->ends[0];

    return a->count == b->count && a->host_length == b->host_length && memcmp(a->ends, b->ends, ends) == 0 &&
           memcmp(a->text, b->text, a->ends[a->count - 1]) == 0 &&
           (a->host_length == 0 || memcmp(a->host, b->host, a->host_length) == 0);
}

struct question *questions_find(struct questions *questions, const struct route_question *what)
{
    uint64_t hash = hash_of(questions, what);
    struct list_node *bucket = &questions->buckets[hash & questions->mask];

    for (struct list_node *at = bucket->next; at != bucket; at = at->next) {
        struct question *question = LIST_OWNER(at, struct question, bucket);

        if (question->hash == hash && !question->raced && same(&question->what, what))
            return question;
    }
    return NULL;
}

/* One block: the question, its ends, its text, its host. */
static struct question *copy(const struct route_question *what)
{
    size_t ends = what->count * sizeof what->ends[0], text = what->ends[what->count - 1];
    struct question *question = malloc(sizeof *question + ends + text + what->host_length);
    char *at;

    if (!question)
        return NULL;
    at = (char *)(question + 1);
    *question = (struct question){.best = -1, .what = *what};
    question->what.ends = memcpy(at, what->ends, ends);
    question->what.text = memcpy(at + ends, what->text, text);
    question->what.host = at + ends + text;
    if (what->host_length != 0)
        memcpy(at + ends + text, what->host, what->host_length);
    return question;
}

struct question *questions_open(struct questions *questions, const struct route_question *what, uint64_t now_ms,
                                enum store_reason *reason)
{
    struct question *question;
    struct route_name shortest = name_of(what, 0);

    if (questions->count >= questions->max_questions) {
        *reason = STORE_REASON_OVERLOADED;
        return NULL;
    }
    question = copy(what);
    if (!question) {
        *reason = STORE_REASON_MEMORY;
        return NULL;
    }
    question->hash = hash_of(questions, what);
    question->asked_ms = now_ms;
    list_init(&question->waits);
    list_insert(&questions->by_age, &question->age);
    list_insert(&questions->buckets[question->hash & questions->mask], &question->bucket);
    list_insert(&questions->tags[hash_tag(&questions->key, &shortest) & questions->mask], &question->tagged);
    questions->count++;
    return question;
}

void questions_close(struct questions *questions, struct question *question)
{
    assert(list_is_empty(&question->waits));
    list_remove(&question->age);
    list_remove(&question->bucket);
    list_remove(&question->tagged);
    questions->count--;
    free(question);
}

struct route_wait *questions_wait(struct questions *questions, struct question *question, uint64_t deadline_ms,
                                  enum store_reason *reason)
{
    struct route_wait *wait;

    if (questions->waits >= questions->max_waits) {
        *reason = STORE_REASON_OVERLOADED;
        return NULL;
    }
    wait = calloc(1, sizeof *wait);
    if (!wait) {
        *reason = STORE_REASON_MEMORY;
        return NULL;
    }
    wait->question = question;
    wait->deadline_ms = deadline_ms;
    list_insert(&question->waits, &wait->among);
    list_insert(&questions->waits_by_age, &wait->age);
    questions->waits++;
    return wait;
}

void questions_unwait(struct questions *questions, struct route_wait *wait)
{
    list_remove(&wait->among);
    list_remove(&wait->age);
    questions->waits--;
    free(wait);
}

struct route_wait *questions_first_wait(struct questions *questions)
{
    struct list_node *first = questions->waits_by_age.next;

    return first == &questions->waits_by_age ? NULL : LIST_OWNER(first, struct route_wait, age);
}

struct question *questions_oldest(struct questions *questions)
{
    struct list_node *first = questions->by_age.next;

    return first == &questions->by_age ? NULL : LIST_OWNER(first, struct question, age);
}

static bool asks_for(const struct route_question *what, const struct route_name *name)
{
    if (what->host_length != name->host_length || name->prefix_length > what->ends[what->count - 1] ||
        (name->host_length != 0 && memcmp(what->host, name->host, name->host_length) != 0))
        return false;
    for (size_t i = 0; i < what->count; i++)
        if (what->ends[i] == name->prefix_length)
            return memcmp(what->text, name->prefix, name->prefix_length) == 0;
    return false;
}

void questions_changed(struct questions *questions, const struct route_name *name)
{
    struct list_node *tag = &questions->tags[hash_tag(&questions->key, name) & questions->mask];

    for (struct list_node *at = tag->next; at != tag; at = at->next) {
        struct question *question = LIST_OWNER(at, struct question, tagged);

        question->raced = question->raced || asks_for(&question->what, name);
    }
}

void questions_all_changed(struct questions *questions)
{
    for (struct list_node *at = questions->by_age.next; at != &questions->by_age; at = at->next)
        LIST_OWNER(at, struct question, age)->raced = true;
}

uint32_t questions_count(const struct questions *questions)
{
    return questions->count;
}

uint32_t questions_waits(const struct questions *questions)
{
    return questions->waits;
}
