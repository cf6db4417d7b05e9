/* tests/unit/redis/test_replies.c - bytes in, each reply out to whoever asked, in pieces of any size; and all
 * limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/replies.h"

struct heard {
    char text[4096]; /* what came, in order: "1:$abc " for a text to the first who asked, "m" for a message */
    struct replies *replies;
};

static void note(struct heard *heard, const char *who, const redisReply *reply)
{
    size_t n = strlen(heard->text);
    const char *text = reply && reply->str ? reply->str : "";

    snprintf(heard->text + n, sizeof heard->text - n, "%s%s%s ", who, !reply ? "NULL" : reply->str ? ":" : "", text);
}

static void on_reply(void *user, const redisReply *reply, void *who)
{
    note(user, who, reply);
}

/* Asks again from within, as those do whose next question depends on the reply. */
static void on_reply_ask(void *user, const redisReply *reply, void *who)
{
    struct heard *heard = user;

    note(heard, who, reply);
    if (reply)
        assert_true(replies_expect(heard->replies, on_reply, "again"));
}

static void on_message(void *user, redisReply *message)
{
    note(user, "m", message);
    freeReplyObject(message);
}

static void start(struct heard *heard)
{
    heard->text[0] = '\0';
    heard->replies = replies_new(heard, on_message);
    assert_non_null(heard->replies);
}

static enum replies_outcome feed(struct heard *heard, const char *text)
{
    enum replies_outcome outcome;

    replies_feed(heard->replies, text, strlen(text));
    do
        outcome = replies_next(heard->replies);
    while (outcome == REPLIES_TAKEN);
    return outcome;
}

static void stop(struct heard *heard, const char *wanted)
{
    replies_end(heard->replies);
    replies_free(heard->replies);
    assert_string_equal(heard->text, wanted);
}

static void test_in_the_order_of_asking(void **state)
{
    struct heard heard;

    (void)state;
    start(&heard);
    assert_true(replies_expect(heard.replies, on_reply, "1"));
    assert_true(replies_expect(heard.replies, on_reply_ask, "2"));
    assert_true(replies_expect(heard.replies, on_reply, "3"));
    assert_int_equal(feed(&heard, "+OK\r\n$3\r\nabc\r\n-ERR x\r\n"), REPLIES_NONE);
    assert_int_equal(replies_expected(heard.replies), 1);
    assert_int_equal(feed(&heard, ":1\r\n"), REPLIES_NONE);
    stop(&heard, "1:OK 2:abc 3:ERR x again ");
}

static void test_each_byte_alone(void **state)
{
    static const char text[] = "+OK\r\n*2\r\n$1\r\na\r\n*1\r\n:5\r\n$0\r\n\r\n$-1\r\n";
    struct heard heard;

    (void)state;
    start(&heard);
    for (const char *who = "1234"; *who != '\0'; who++)
        assert_true(replies_expect(heard.replies, on_reply, "r"));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char one[2] = {text[i], '\0'};

        assert_int_equal(feed(&heard, one), REPLIES_NONE);
    }
    stop(&heard, "r:OK r r: r ");
}

static void test_an_end_tells_everybody(void **state)
{
    struct heard heard;

    (void)state;
    start(&heard);
    for (unsigned i = 0; i < 300; i++) /* more than there is room for at first */
        assert_true(replies_expect(heard.replies, on_reply, i < 2 ? "a" : "b"));
    for (unsigned i = 0; i < 299; i++)
        assert_int_equal(feed(&heard, "+\r\n"), REPLIES_NONE);
    assert_int_equal(replies_expected(heard.replies), 1);
    heard.text[0] = '\0';
    stop(&heard, "bNULL ");
}

static void test_messages_only_where_somebody_listens(void **state)
{
    struct heard heard;

    (void)state;
    start(&heard);
    assert_true(replies_expect(heard.replies, on_reply, "1"));
    replies_listen(heard.replies);
    assert_int_equal(feed(&heard, "+OK\r\n$3\r\nabc\r\n"), REPLIES_NONE);
    assert_int_equal(feed(&heard, "-ERR no\r\n"), REPLIES_REFUSED); /* of SUBSCRIBE, which has no reply of its own */
    assert_string_equal(replies_broken(heard.replies), "ERR no");
    stop(&heard, "1:OK m:abc ");
    start(&heard);
    assert_int_equal(feed(&heard, "$3\r\nabc\r\n"), REPLIES_BROKEN);
    assert_true(replies_expect(heard.replies, on_reply, "1"));
    assert_int_equal(feed(&heard, "+OK\r\n"), REPLIES_BROKEN); /* for good */
    stop(&heard, "1NULL ");
}

static void test_broken(void **state)
{
    static const char *const texts[] = {
        "hello\r\n",
        "$x\r\n",
        "*x\r\n",
        ":x\r\n",
        "*-2\r\n",
        ">1\r\n",
        "%1\r\n",
        "~1\r\n",
        ",1\r\n",
        "#t\r\n",
        "(1\r\n",
        "=6\r\ntxt:hi\r\n",
        "*1\r\n*1\r\n*1\r\n",
        "*1048577\r\n",
        "*2\r\n*1048574\r\n:1\r\n*1048575\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct heard heard;

        start(&heard);
        replies_listen(heard.replies);
        if (i == sizeof texts / sizeof texts[0] - 1)
            assert_int_equal(feed(&heard, "*2\r\n*1\r\n:1\r\n:1\r\n"), REPLIES_NONE); /* is forgotten behind a reply */
        if (feed(&heard, texts[i]) != REPLIES_BROKEN && i != sizeof texts / sizeof texts[0] - 1)
            fail_msg("taken for RESP: %s", texts[i]);
        replies_end(heard.replies);
        replies_free(heard.replies);
    }
}

/* What never becomes whole is waited for up to a limit. */
static void test_too_long(void **state)
{
    static const char *const starts[] = {"+", "$9223372036854775807\r\n", "*1\r\n$1000000000\r\n", "-", ":", "*"};
    static char piece[16385];

    (void)state;
    memset(piece, '1', sizeof piece - 1);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct heard heard;
        size_t fed = 0;

        start(&heard);
        replies_listen(heard.replies);
        enum replies_outcome outcome = feed(&heard, starts[i]);
        for (; outcome == REPLIES_NONE && fed < 2 * REPLIES_TEXT_MAX; fed += sizeof piece - 1)
            outcome = feed(&heard, piece);
        assert_int_equal(outcome, REPLIES_BROKEN);
        assert_in_range(fed, REPLIES_LINE_MAX, REPLIES_TEXT_MAX + sizeof piece);
        replies_free(heard.replies);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_the_order_of_asking),
        cmocka_unit_test(test_each_byte_alone),
        cmocka_unit_test(test_an_end_tells_everybody),
        cmocka_unit_test(test_messages_only_where_somebody_listens),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
