/* redis/words.h - words that wait to be written to Redis: "this cell owns the route" or "it does not". Pure.
 *
 * One word a route, the newest; the newest of all words is sent first; when there are too many, the oldest goes. */
#ifndef CELLROUTER_REDIS_WORDS_H
#define CELLROUTER_REDIS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/hash.h"
#include "redis/key.h"
#include "redis/list.h"
#include "redis/record.h"

struct words;

enum word_kind { WORD_PUT, WORD_FORGET };

/* Owned by whoever took it out of the queue, or by the queue. */
struct word {
    struct link_field order;
    struct link_field bucket;
    uint64_t hash;
    enum word_kind kind;
    struct route_record record; /* of a FORGET: stamp and cell are set */
    struct route_name name;     /* views into the word itself */
};

enum words_added {
    WORDS_ADDED,
    WORDS_REPLACED, /* an older word on the route was dropped */
    WORDS_PUSHED,   /* the queue was full: the oldest word of all was dropped */
    WORDS_REFUSED /* the word was freed: a newer one waits, or a FORGET met a PUT of another cell, or there is no room */
};

MUST_USE struct words *words_new(const struct hash_key *key, uint32_t most);
void words_free(struct words *words);

/* A new word, not in the queue. NULL: out of memory. word_free() frees one that is not in the queue. */
MUST_USE struct word *word_new(enum word_kind kind, const struct route_name *name, const struct route_record *record);
void word_free(struct word *word);

/* Takes the word over. A word that comes back after it could not be written keeps its place by its stamp. */
enum words_added words_add(struct words *words, struct word *word);

/* Takes the newest word out of the queue; NULL: it is empty. The caller owns it. */
MUST_USE struct word *words_take(struct words *words);

/* The word that waits for this route, or NULL. The queue keeps it. */
const struct word *words_find(const struct words *words, const struct route_name *name);

uint32_t words_count(const struct words *words);

#endif
