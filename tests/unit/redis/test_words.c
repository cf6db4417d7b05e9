/* The queue of words: newest first, one a route, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "redis/words.h"

static const struct hash_key key = {1, 2};

static struct word *make(enum word_kind kind, const char *prefix, const char *cell, uint64_t stamp_ms, uint32_t flags)
{
    struct route_record record = {.stamp_ms = stamp_ms, .life_s = 10, .flags = flags};
    struct route_name name = {"h", 1, prefix, strlen(prefix)};
    struct word *word;

    assert_true(record_set_id(record.cell, &record.cell_len, cell, strlen(cell)));
    word = word_new(kind, &name, &record);
    assert_non_null(word);
    return word;
}

static enum words_added add(struct words *words, enum word_kind kind, const char *prefix, const char *cell,
                            uint64_t stamp_ms)
{
    return words_add(words, make(kind, prefix, cell, stamp_ms, 0));
}

static void assert_next(struct words *words, const char *prefix, enum word_kind kind, const char *cell)
{
    struct word *word = words_take(words);

    assert_non_null(word);
    assert_int_equal(word->name.prefix_len, strlen(prefix));
    assert_memory_equal(word->name.prefix, prefix, strlen(prefix));
    assert_int_equal(word->kind, kind);
    assert_memory_equal(word->record.cell, cell, strlen(cell));
    word_free(word);
}

static void test_newest_first(void **state)
{
    struct words *words = words_new(&key, 10);

    (void)state;
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 1), WORDS_ADDED);
    assert_int_equal(add(words, WORD_PUT, "/c/", "eu0", 3), WORDS_ADDED);
    assert_int_equal(add(words, WORD_FORGET, "/b/", "eu0", 2), WORDS_ADDED); /* one that came back */
    assert_next(words, "/c/", WORD_PUT, "eu0");
    assert_next(words, "/b/", WORD_FORGET, "eu0");
    assert_next(words, "/a/", WORD_PUT, "eu0");
    assert_null(words_take(words));
    words_free(words);
    words_free(NULL);
}

static void test_one_word_a_route(void **state)
{
    struct words *words = words_new(&key, 10);
    struct route_name name = {"h", 1, "/a/", 3}, other_host = {"i", 1, "/a/", 3}, no_host = {NULL, 0, "/a/", 3};

    (void)state;
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 2), WORDS_ADDED);
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu1", 3), WORDS_REPLACED);
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 2), WORDS_REFUSED); /* it came back; a newer one waits */
    assert_int_equal(words_count(words), 1);
    assert_memory_equal(words_find(words, &name)->record.cell, "eu1", 3);
    assert_null(words_find(words, &other_host));
    assert_null(words_find(words, &no_host));
    assert_int_equal(add(words, WORD_FORGET, "/a/", "eu0", 4), WORDS_REFUSED); /* says nothing of eu1 */
    assert_int_equal(add(words, WORD_FORGET, "/a/", "eu1", 4), WORDS_REPLACED);
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu1", 5), WORDS_REPLACED);
    assert_next(words, "/a/", WORD_PUT, "eu1");
    assert_null(words_find(words, &name));
    words_free(words);
}

static void test_a_pin_stands(void **state)
{
    struct words *words = words_new(&key, 10);

    (void)state;
    assert_int_equal(words_add(words, make(WORD_PUT, "/a/", "us0", 1, ROUTE_PINNED)), WORDS_ADDED);
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 2), WORDS_REFUSED);
    assert_int_equal(add(words, WORD_FORGET, "/a/", "us0", 3), WORDS_REFUSED);
    assert_int_equal(words_add(words, make(WORD_PUT, "/a/", "us1", 4, ROUTE_PINNED)), WORDS_REPLACED);
    assert_next(words, "/a/", WORD_PUT, "us1");
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 9), WORDS_ADDED);
    assert_int_equal(words_add(words, make(WORD_PUT, "/a/", "us0", 8, ROUTE_PINNED)), WORDS_REPLACED);
    words_free(words);
}

static void test_bounds(void **state)
{
    struct words *words = words_new(&key, 3);
    char prefix[32];

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        snprintf(prefix, sizeof prefix, "/%d/", (int)i);
        assert_int_equal(add(words, WORD_PUT, prefix, "eu0", i * 10), WORDS_ADDED);
    }
    assert_int_equal(add(words, WORD_PUT, "/old/", "eu0", 5), WORDS_REFUSED); /* older than all: it is the one to go */
    assert_int_equal(add(words, WORD_PUT, "/4/", "eu0", 40), WORDS_PUSHED);
    assert_int_equal(words_count(words), 3);
    assert_next(words, "/4/", WORD_PUT, "eu0");
    assert_next(words, "/3/", WORD_PUT, "eu0");
    assert_next(words, "/2/", WORD_PUT, "eu0");
    words_free(words);
    words = words_new(&key, 0);
    assert_int_equal(add(words, WORD_PUT, "/a/", "eu0", 1), WORDS_REFUSED);
    words_free(words);
}

/* Against a plain model: of each route the newest word, of all the newest. */
static void test_many(void **state)
{
    struct words *words = words_new(&key, 1000);
    struct rng rng = {7};
    uint64_t newest[200] = {0}, last = UINT64_MAX;
    struct word *word;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char prefix[32];
        unsigned which = (unsigned)rng_below(&rng, 200);
        uint64_t stamp = 1000 + rng_below(&rng, 1000000);

        snprintf(prefix, sizeof prefix, "/p%03u/", which);
        add(words, WORD_PUT, prefix, "eu0", stamp);
        newest[which] = stamp > newest[which] ? stamp : newest[which];
    }
    assert_int_equal(words_count(words), 200);
    while ((word = words_take(words)) != NULL) {
        assert_true(word->record.stamp_ms <= last);
        last = word->record.stamp_ms;
        assert_int_equal(newest[(unsigned)(word->name.prefix[2] - '0') * 100 +
                                (unsigned)(word->name.prefix[3] - '0') * 10 + (unsigned)(word->name.prefix[4] - '0')],
                         last);
        word_free(word);
    }
    words_free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_first), cmocka_unit_test(test_one_word_a_route),
        cmocka_unit_test(test_a_pin_stands), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
