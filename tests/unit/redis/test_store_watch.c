/* tests/unit/redis/test_store_watch.c - invalidations in slices, beats, and a Redis that drips or storms. A fake says
 * it all, and what is asserted are counts: of keys in a turn of the loop, of connections, of slices. */
#include "tests/unit/redis/fake.h"

#define INVALIDATED "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"

enum { SLICE = 512 };

static struct fake fake;
static struct player p;

static int start(void **state)
{
    (void)state;
    fake_start(&fake);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    player_end(&p);
    fake_end(&fake);
    return 0;
}

static void ready(const struct route_store_config *config)
{
    player_start(&p, config);
    player_ready(&p);
}

/* One message with so many keys, /k0/ to /kN/. The socket takes no more than its buffer: the loop reads meanwhile. */
static void invalidate(unsigned keys)
{
    char *bytes = malloc(64 + (size_t)keys * 64), *at = bytes;
    size_t n, sent = 0;

    at += sprintf(at, INVALIDATED "*%u\r\n", keys);
    for (unsigned i = 0; i < keys; i++) {
        char key[48];
        int length = snprintf(key, sizeof key, "cellrouter:{/k%u}/k%u/", i, i);

        at += sprintf(at, "$%d\r\n%s\r\n", length, key);
    }
    n = (size_t)(at - bytes);
    while (sent < n) {
        ssize_t now = send(fake.side[FAKE_WATCH]->fd, bytes + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += now > 0 ? (size_t)now : 0;
        ev_run(p.loop, EVRUN_NOWAIT);
    }
    free(bytes);
}

static void test_a_long_invalidation_is_worked_off_in_slices(void **state)
{
    enum { KEYS = 20000 };
    struct route_store_config config = fake_config(&fake);
    uint64_t before, turns = 0;

    (void)state;
    config.watchdog_ms = 100000; /* no beat comes between */
    ready(&config);
    invalidate(KEYS);
    fake_say(&fake, FAKE_WATCH, INVALIDATED "*-1\r\n", strlen(INVALIDATED "*-1\r\n"));
    for (before = counters(&p)->invalidations; before < KEYS; turns++) {
        assert_int_equal(p.flushed, 0); /* what was said later comes later */
        ev_run(p.loop, EVRUN_NOWAIT);
        assert_true(counters(&p)->invalidations - before <= SLICE);
        before = counters(&p)->invalidations;
    }
    player_until(p.flushed == 1);
    assert_int_equal(p.changed, KEYS);
    assert_string_equal(p.last_changed, "/k19999/");
    assert_int_equal(counters(&p)->slices, (KEYS + SLICE - 1) / SLICE);
    assert_int_equal(counters(&p)->disconnects, 0);
}

/* The store goes on meanwhile: the lookup needs three turns, the slices need forty. */
static void test_lookups_go_on_between_slices(void **state)
{
    struct route_store_config config = fake_config(&fake);
    struct got got;

    (void)state;
    ready(&config);
    invalidate(20000);
    player_until(counters(&p)->slices != 0);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    assert_true(counters(&p)->slices < 40);
    player_until(counters(&p)->invalidations == 20000);
    assert_int_equal(counters(&p)->gaps, 0);
}

static void test_the_connection_ends_between_slices(void **state)
{
    struct route_store_config config = fake_config(&fake);

    (void)state;
    ready(&config);
    invalidate(20000);
    player_until(counters(&p)->slices != 0);
    shutdown(fake.side[FAKE_WATCH]->fd, SHUT_RDWR);
    player_until(counters(&p)->gaps == 1);
    player_ready(&p); /* level 1 was told to distrust what it has: the rest of the keys with it */
    invalidate(1);
    player_until(strcmp(p.last_changed, "/k0/") == 0);
}

static void test_the_store_ends_between_slices(void **state)
{
    struct route_store_config config = fake_config(&fake);

    (void)state;
    ready(&config);
    invalidate(20000);
    player_until(counters(&p)->slices != 0);
}

static void test_a_key_that_is_none_among_many(void **state)
{
    static const char text[] = INVALIDATED "*3\r\n$21\r\ncellrouter:{/k0}/k0/\r\n:1\r\n:1\r\n";
    struct route_store_config config = fake_config(&fake);

    (void)state;
    ready(&config);
    fake_say(&fake, FAKE_WATCH, text, sizeof text - 1);
    player_until(counters(&p)->reasons[STORE_REASON_PROTOCOL] == 1);
    player_ready(&p);
}

/* A byte at a time, and no end of it: the watchdog does not take bytes for a reply. */
static void drip(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
    fake_say(&fake, FAKE_ASK, "x", 1);
}

static void test_a_drip_is_no_reply(void **state)
{
    struct route_store_config config = fake_config(&fake);
    struct got got;
    ev_timer timer;

    (void)state;
    config.deadline_ms = 50;
    config.watchdog_ms = 400;
    fake.name = "GETRANGE";
    fake.reply = "$1000\r\n";
    ready(&config);
    look(&p, "", "/a/", &got);
    player_until(*fake_times(&fake, "GETRANGE") != 0);
    ev_timer_init(&timer, drip, 0, 0.01);
    ev_timer_start(p.loop, &timer);
    player_until(got.outcome != ROUTE_WAITING);
    assert_int_equal(got.reason, STORE_REASON_DEADLINE);
    player_until(counters(&p)->reasons[STORE_REASON_WATCHDOG] == 1);
    ev_timer_stop(p.loop, &timer);
}

/* Greets, is signed in to, and breaks the connection off, each time: tries become rare. */
static void test_reconnects_do_not_storm(void **state)
{
    struct route_store_config config = fake_config(&fake);
    double began = player_clock();

    (void)state;
    config.backoff_min_ms = 20;
    config.backoff_max_ms = 100000;
    fake.name = "SETNAME";
    fake.reply = "+OK\r\n+surplus\r\n";
    player_start(&p, &config);
    player_until(*fake_times(&fake, "SETNAME") >=
                 12); /* 6 of each connection: pauses of 20, 40, … 320 ms, halved at most */
    assert_true(player_clock() - began >= 0.29);
    assert_int_equal(counters(&p)->watching, 0);
    assert_in_range(counters(&p)->disconnects, 10, 12);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_a_long_invalidation_is_worked_off_in_slices),
        TEST(test_lookups_go_on_between_slices),
        TEST(test_the_connection_ends_between_slices),
        TEST(test_the_store_ends_between_slices),
        TEST(test_a_key_that_is_none_among_many),
        TEST(test_a_drip_is_no_reply),
        TEST(test_reconnects_do_not_storm),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
