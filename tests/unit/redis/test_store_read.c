/* tests/unit/redis/test_store_read.c - lookups of a Redis that is further away than the deadline: nobody waits in vain,
 * nothing that comes late is lost. */
#include "tests/unit/redis/one_server.h"

static void test_beyond_the_deadline(void **state)
{
    enum { ROUTES = 40 };
    struct route_store_config config = player_config(&server);
    static struct proxy proxy;
    struct got got[ROUTES];
    struct player p;
    char path[32];

    (void)state;
    config.deadline_ms = 20;
    config.absent_ms = 0;
    proxy_start(&proxy, &server);
    config.address = proxy.address;
    player_start(&p, &config);
    player_ready(&p);
    proxy.delay_s = 0.04; /* there and back */
    for (unsigned i = 0; i < ROUTES; i++) {
        snprintf(path, sizeof path, "{/a%u}/a%u/", i, i);
        outside_set(client, path, "eu0");
    }
    player_until(p.changed == ROUTES);
    for (unsigned i = 0; i < ROUTES; i++) { /* the first wait, the others ask in passing */
        snprintf(path, sizeof path, "/a%u/", i);
        look(&p, "", path, &got[i]);
        player_until(i != 0 || got[i].outcome != ROUTE_WAITING);
        assert_int_equal(got[i].outcome, ROUTE_FAILED);
    }
    player_until(p.late == ROUTES); /* each one is known to the next request */
    assert_int_equal(counters(&p)->passing, ROUTES - 1);
    assert_int_equal(p.late_answer.trust, ROUTE_TRUST_FULL);
    player_until((look(&p, "", "/a0/", &got[0]), counters(&p)->beyond == 1));
    player_until(counters(&p)->questions == 0);
    look(&p, "", "/a1/", &got[1]);
    assert_int_equal(got[1].reason, STORE_REASON_BEYOND); /* at once, though nothing was in flight */
    player_until(counters(&p)->questions == 0);
    assert_int_equal(p.events[STORE_REASON_BEYOND], 1);
    assert_non_null(strstr(p.last_detail, "redis.deadline 20 ms"));
    proxy.delay_s = 0;
    player_until((look(&p, "", "/a0/", &got[0]), counters(&p)->beyond == 0));
    look_done(&p, "/a1/", &got[1]);
    player_until((look_done(&p, "/a1/", &got[1]), got[1].outcome == ROUTE_FOUND));
    player_end(&p);
    proxy_end(&proxy);
}

/* What is asked in passing is bounded: a Redis that says nothing is owed a share of the questions at most. */
static void test_asking_in_passing_is_bounded(void **state)
{
    struct route_store_config config = player_config(&server);
    static struct proxy proxy;
    struct got got;
    struct player p;
    char path[32];

    (void)state;
    config.deadline_ms = 20;
    config.max_questions = 40;
    proxy_start(&proxy, &server);
    config.address = proxy.address;
    player_start(&p, &config);
    player_ready(&p);
    proxy.down[SIDE_ASK] = WAY_HOLD;
    look_done(&p, "/a/", &got);
    assert_int_equal(got.reason, STORE_REASON_DEADLINE);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "/a%u/", i);
        look(&p, "", path, &got);
        assert_int_equal(got.reason, STORE_REASON_NOT_ANSWERING);
    }
    assert_int_equal(counters(&p)->questions, 10);
    proxy.down[SIDE_ASK] = WAY_PASS;
    player_until(counters(&p)->questions == 0);
    look_done(&p, "/b/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    player_end(&p);
    proxy_end(&proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beyond_the_deadline),
        cmocka_unit_test(test_asking_in_passing_is_bounded),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, start, stop);
}
