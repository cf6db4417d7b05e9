/* tests/unit/redis/test_redis_conn_hostile.c - a Redis, or whoever stands in its place, that says what it was not asked
 * or what no Redis says, on either connection: the connection is closed with a reason, the store connects anew and
 * works, and nothing else happens. */
#include "tests/unit/redis/fake.h"

#define MESSAGE "*3\r\n$7\r\nmessage\r\n"
#define INVALIDATED MESSAGE "$20\r\n__redis__:invalidate\r\n"

struct form {
    const char *what, *bytes;
    enum store_reason reason; /* the connection's end */
};

/* The same on both connections; "ask" has nothing in flight then, and "watch" is subscribed. */
static const struct form both[] = {
    {"a status that nobody asked for", "+OK\r\n", STORE_REASON_PROTOCOL},
    {"a number that nobody asked for", ":1\r\n", STORE_REASON_PROTOCOL},
    {"a text that nobody asked for", "$5\r\nhello\r\n", STORE_REASON_PROTOCOL},
    {"nothing that nobody asked for", "$-1\r\n", STORE_REASON_PROTOCOL},
    {"no array", "*-1\r\n", STORE_REASON_PROTOCOL},
    {"an empty array", "*0\r\n", STORE_REASON_PROTOCOL},
    {"an array of one", "*1\r\n$7\r\nmessage\r\n", STORE_REASON_PROTOCOL},
    {"an array of two", "*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"an array of numbers", "*3\r\n:1\r\n:2\r\n:3\r\n", STORE_REASON_PROTOCOL},
    {"an array of nothing", "*3\r\n$-1\r\n$-1\r\n$-1\r\n", STORE_REASON_PROTOCOL},
    {"a message from a number", MESSAGE ":1\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a message from nothing", MESSAGE "$-1\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a message from an array", MESSAGE "*1\r\n$1\r\nx\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a subscription without a count", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a third subscription", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:3\r\n", STORE_REASON_PROTOCOL},
    {"an unsubscription", "*3\r\n$11\r\nunsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n", STORE_REASON_PROTOCOL},
    {"the last unsubscription", "*3\r\n$11\r\nunsubscribe\r\n$20\r\n__redis__:invalidate\r\n:0\r\n",
     STORE_REASON_PROTOCOL},
    {"an unsubscription from nothing", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n", STORE_REASON_PROTOCOL},
    {"an unsubscription without a count", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a pattern's message", "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nx\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a push of RESP3", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a map of RESP3", "%1\r\n$1\r\na\r\n$1\r\nb\r\n", STORE_REASON_PROTOCOL},
    {"a set of RESP3", "~1\r\n$1\r\na\r\n", STORE_REASON_PROTOCOL},
    {"a null of RESP3", "_\r\n", STORE_REASON_PROTOCOL},
    {"a double of RESP3", ",1.5\r\n", STORE_REASON_PROTOCOL},
    {"a truth of RESP3", "#t\r\n", STORE_REASON_PROTOCOL},
    {"a big number of RESP3", "(12345678901234567890123\r\n", STORE_REASON_PROTOCOL},
    {"a verbatim text of RESP3", "=6\r\ntxt:hi\r\n", STORE_REASON_PROTOCOL},
    {"no RESP at all", "HTTP/1.1 400 Bad Request\r\n\r\n", STORE_REASON_PROTOCOL},
    {"a length that is none", "$x\r\n", STORE_REASON_PROTOCOL},
    {"a negative array", "*-2\r\n", STORE_REASON_PROTOCOL},
    {"an array of billions", "*2147483647\r\n", STORE_REASON_PROTOCOL},
    {"an array of more than fits a number", "*99999999999999999999\r\n", STORE_REASON_PROTOCOL},
    {"arrays in arrays", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", STORE_REASON_PROTOCOL},
    {"many arrays of a million", "*9\r\n*1048570\r\n", STORE_REASON_PROTOCOL},
    {"an error that nobody asked for", "-ERR max number of clients reached\r\n", STORE_REASON_MAXCLIENTS},
    {"an error without a name", "-\r\n", STORE_REASON_OTHER_ERROR},
};

/* Only the watching connection may get messages; these are none that Redis sends. */
static const struct form watching[] = {
    {"an invalidation of a number", INVALIDATED ":1\r\n", STORE_REASON_PROTOCOL},
    {"an invalidation of a text", INVALIDATED "$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a beat that is an array", MESSAGE "$1\r\nx\r\n*0\r\n", STORE_REASON_PROTOCOL},
    {"a message from a channel that nobody listens to", MESSAGE "$1\r\nx\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a message of four", "*4\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*0\r\n:1\r\n", STORE_REASON_PROTOCOL},
};

/* Some mean something else behind them: the asking connection has no messages at all. */
static const struct form asking[] = {
    {"an invalidation", INVALIDATED "*1\r\n$1\r\nx\r\n", STORE_REASON_PROTOCOL},
    {"a subscription", "*3\r\n$9\r\nsubscribe\r\n$20\r\n__redis__:invalidate\r\n:1\r\n", STORE_REASON_PROTOCOL},
};

static void play(const struct form *form, enum fake_side side)
{
    struct fake fake;
    struct player p;
    struct got got;

    fake_start(&fake);
    struct route_store_config config = fake_config(&fake);
    player_start(&p, &config);
    player_ready(&p);
    player_until(is_written(&p) && counters(&p)->questions == 0 && *fake_times(&fake, "SCRIPT") == 2);
    fake_say(&fake, side, form->bytes, strlen(form->bytes));
    player_until(counters(&p)->disconnects != 0);
    if (counters(&p)->reasons[form->reason] != 1)
        fail_msg("%s: %s on %s ended with another reason than %s", form->what, form->bytes,
                 side == FAKE_ASK ? "ask" : "watch", store_reason_name(form->reason));
    player_ready(&p);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    assert_int_equal(counters(&p)->gaps, 1); /* what level 1 holds is not believed for long */
    player_end(&p);
    fake_end(&fake);
}

static void play_all(const struct form *forms, size_t count, enum fake_side side)
{
    const char *only = getenv("FORM"); /* part of a form's name, to look at one alone */

    for (size_t i = 0; i < count; i++)
        if (!only || strstr(forms[i].what, only))
            play(&forms[i], side);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_on_the_asking_connection(void **state)
{
    (void)state;
    play_all(both, COUNT(both), FAKE_ASK);
    play_all(asking, COUNT(asking), FAKE_ASK);
}

static void test_on_the_watching_connection(void **state)
{
    (void)state;
    play_all(both, COUNT(both), FAKE_WATCH);
    play_all(watching, COUNT(watching), FAKE_WATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_the_asking_connection),
        cmocka_unit_test(test_on_the_watching_connection),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
