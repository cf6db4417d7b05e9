#include "redis/words.h"

#include <stdlib.h>
#include <string.h>

struct words {
    struct hash_key key;
    uint32_t most, count;
    size_t mask;
    struct link_field order; /* by stamp, the oldest first */
    struct link_field *buckets;
};

struct words *words_new(const struct hash_key *key, uint32_t most)
{
    struct words *words = calloc(1, sizeof *words);
    size_t buckets = 16;

    if (words == NULL) {
        return NULL;
    }
    while (buckets < most) {
        buckets *= 2;
    }
    words->buckets = calloc(buckets, sizeof words->buckets[0]);
    if (words->buckets == NULL) {
        free(words);
        return NULL;
    }
    for (size_t i = 0; i < buckets; i++) {
        list_init(&words->buckets[i]);
    }
    words->key = *key;
    words->most = most;
    words->mask = buckets - 1;
    list_init(&words->order);
    return words;
}

static void take_out(struct words *words, struct word *word)
{
    list_remove(&word->order);
    list_remove(&word->bucket);
    words->count--;
}

void words_free(struct words *words)
{
    struct word *word;

    if (words == NULL) {
        return;
    }
    while ((word = words_take(words)) != NULL) {
        word_free(word);
    }
    free(words->buckets);
    free(words);
}

struct word *word_new(enum word_kind kind, const struct route_name *name, const struct route_record *record)
{
    struct word *word = malloc(sizeof *word + name->host_len + name->prefix_len);
    char *at;

    if (word == NULL) {
        return NULL;
    }
    at = (char *)(word + 1);
    *word = (struct word){.kind = kind, .record = *record, .name = *name};
    list_init(&word->order);
    list_init(&word->bucket);
    word->name.prefix = memcpy(at, name->prefix, name->prefix_len);
    word->name.host = at + name->prefix_len;
    if (name->host_len != 0) {
        memcpy(at + name->prefix_len, name->host, name->host_len);
    }
    return word;
}

void word_free(struct word *word)
{
    free(word);
}

static bool same_name(const struct route_name *a, const struct route_name *b)
{
    return a->prefix_len == b->prefix_len && a->host_len == b->host_len &&
           memcmp(a->prefix, b->prefix, a->prefix_len) == 0 &&
           (a->host_len == 0 || memcmp(a->host, b->host, a->host_len) == 0);
}

static struct word *find(const struct words *words, const struct route_name *name, uint64_t hash)
{
    struct link_field *bucket = &words->buckets[hash & words->mask];

    for (struct link_field *at = bucket->next; at != bucket; at = at->next) {
        struct word *word = LIST_OWNER(at, struct word, bucket);

        if (word->hash == hash && same_name(&word->name, name)) {
            return word;
        }
    }
    return NULL;
}

const struct word *words_find(const struct words *words, const struct route_name *name)
{
    return find(words, name, hash_name(&words->key, name));
}

static bool same_cell(const struct route_record *a, const struct route_record *b)
{
    return a->cell_len == b->cell_len && memcmp(a->cell, b->cell, a->cell_len) == 0;
}

/* Whether the waiting word stands against a new one: a newer word, a pin against what is learned, or a PUT of a cell that the
 * new word does not speak of ("EU0 is not it" says nothing of EU1). */
static bool stands(const struct word *waiting, const struct word *word)
{
    bool waits_pinned = (waiting->record.flags & ROUTE_PINNED) != 0, pinned = (word->record.flags & ROUTE_PINNED) != 0;

    if (waiting->kind == WORD_PUT && word->kind == WORD_FORGET && !same_cell(&waiting->record, &word->record)) {
        return true;
    }
    if (waits_pinned != pinned) {
        return waits_pinned;
    }
    return waiting->record.stamp_ms > word->record.stamp_ms;
}

/* Almost always at the end at once: words come in the order of their stamps. */
static void insert_by_stamp(struct words *words, struct word *word)
{
    struct link_field *after = words->order.prev;

    while (after != &words->order && LIST_OWNER(after, struct word, order)->record.stamp_ms > word->record.stamp_ms) {
        after = after->prev;
    }
    list_insert(after->next, &word->order);
}

static void drop(struct words *words, struct word *word)
{
    take_out(words, word);
    word_free(word);
}

enum words_added words_add(struct words *words, struct word *word)
{
    enum words_added added = WORDS_ADDED;
    struct word *other;

    word->hash = hash_name(&words->key, &word->name);
    other = find(words, &word->name, word->hash);
    if (words->most == 0 || (other != NULL && stands(other, word))) {
        word_free(word);
        return WORDS_REFUSED;
    }
    if (other != NULL) {
        drop(words, other);
        added = WORDS_REPLACED;
    } else if (words->count >= words->most) {
        other = LIST_OWNER(words->order.next, struct word, order);
        if (other->record.stamp_ms > word->record.stamp_ms) {
            word_free(word);
            return WORDS_REFUSED;
        }
        drop(words, other);
        added = WORDS_PUSHED;
    }
    insert_by_stamp(words, word);
    list_insert(&words->buckets[word->hash & words->mask], &word->bucket);
    words->count++;
    return added;
}

struct word *words_take(struct words *words)
{
    struct word *newest;

    if (list_is_empty(&words->order)) {
        return NULL;
    }
    newest = LIST_OWNER(words->order.prev, struct word, order);
    take_out(words, newest);
    return newest;
}

uint32_t words_count(const struct words *words)
{
    return words->count;
}
