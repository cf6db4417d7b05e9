/* tests/unit/redis/test_questions.c - the books of questions: sharing, bounds, deadlines in order, what a change makes
 * of those in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/questions.h"

static const struct hash_key key = {3, 4};
static const uint16_t two_ends[] = {3, 5}, one_end[] = {3};

static struct route_question ab(const char *host)
{
    return (struct route_question){host, strlen(host), "/a/b/", two_ends, 2};
}

static struct question *open_one(struct questions *questions, const struct route_question *what)
{
    enum store_reason reason = STORE_REASON_NONE;
    struct question *question = questions_open(questions, what, 100, &reason);

    assert_non_null(question);
    return question;
}

static void test_same_prefixes_are_one_question(void **state)
{
    struct questions *questions = questions_new(&key, 10, 10);
    char *text = malloc(5);
    struct route_question what = ab(""), other = ab("h"), shorter = {"", 0, "/a/", one_end, 1};

    (void)state;
    memcpy(text, "/a/b/", 5);
    what.text = text;
    struct question *question = open_one(questions, &what);
    free(text); /* it keeps its own copy */
    what = ab("");
    assert_ptr_equal(questions_find(questions, &what), question);
    assert_null(questions_find(questions, &other));
    assert_null(questions_find(questions, &shorter));
    struct route_name name = question_name(question, 1);
    assert_int_equal(name.prefix_length, 5);
    assert_memory_equal(name.prefix, "/a/b/", 5);
    questions_close(questions, question);
    assert_null(questions_find(questions, &what));
    assert_int_equal(questions_count(questions), 0);
    questions_free(questions);
}

static void test_a_change_races(void **state)
{
    static const struct {
        const char *host, *prefix;
        bool races;
    } changes[] = {
        {"", "/a/", true},   {"", "/a/b/", true}, {"", "/a/b/c/", false}, {"", "/a/c/", false},
        {"h", "/a/", false}, {"", "/b/", false},  {"", "/ab/", false},    {"", "/a/bb/", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct questions *questions = questions_new(&key, 10, 10);
        struct route_question what = ab("");
        struct route_name name = {changes[i].host, strlen(changes[i].host), changes[i].prefix,
                                  strlen(changes[i].prefix)};
        struct question *question = open_one(questions, &what);

        questions_changed(questions, &name);
        assert_int_equal(question->raced, changes[i].races);
        assert_ptr_equal(questions_find(questions, &what),
                         changes[i].races ? NULL : question); /* not joined any more */
        questions_all_changed(questions);
        assert_true(question->raced);
        questions_free(questions);
    }
}

static void test_waits_and_bounds(void **state)
{
    struct questions *questions = questions_new(&key, 1, 3);
    struct route_question what = ab(""), other = ab("h");
    struct question *question = open_one(questions, &what);
    enum store_reason reason = STORE_REASON_NONE;
    struct route_wait *waits[3];

    (void)state;
    assert_null(questions_open(questions, &other, 100, &reason));
    assert_int_equal(reason, STORE_REASON_OVERLOADED);
    assert_ptr_equal(questions_oldest(questions), question);
    assert_null(questions_first_wait(questions));
    for (size_t i = 0; i < 3; i++) {
        waits[i] = questions_wait(questions, question, 200 + i, &reason);
        assert_non_null(waits[i]);
    }
    reason = STORE_REASON_NONE;
    assert_null(questions_wait(questions, question, 300, &reason));
    assert_int_equal(reason, STORE_REASON_OVERLOADED);
    assert_ptr_equal(questions_first_wait(questions), waits[0]);
    questions_unwait(questions, waits[0]);
    assert_ptr_equal(questions_first_wait(questions), waits[1]);
    questions_unwait(questions, waits[2]);
    assert_int_equal(questions_waits(questions), 1);
    assert_ptr_equal(waits[1]->question, question);
    questions_free(questions); /* with one still waiting */
    questions_free(NULL);
}

/* One of the same names may be in flight twice: the raced one and its successor. */
static void test_a_raced_question_has_a_successor(void **state)
{
    struct questions *questions = questions_new(&key, 2, 2);
    struct route_question what = ab("");
    struct question *first = open_one(questions, &what), *second;

    (void)state;
    questions_all_changed(questions);
    second = open_one(questions, &what);
    assert_ptr_equal(questions_find(questions, &what), second);
    assert_ptr_equal(questions_oldest(questions), first);
    questions_close(questions, first);
    assert_ptr_equal(questions_find(questions, &what), second);
    questions_close(questions, second);
    assert_null(questions_oldest(questions));
    questions_free(questions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_prefixes_are_one_question),
        cmocka_unit_test(test_a_change_races),
        cmocka_unit_test(test_waits_and_bounds),
        cmocka_unit_test(test_a_raced_question_has_a_successor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
