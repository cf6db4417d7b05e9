/* tests/unit/redis/test_store_write.c - claims against a real Redis: those that say nothing new, the window of those
 * that are on their way. */
#include "tests/unit/redis/one_server.h"

/* Routers that had not heard of a route claim what stands there: nobody is told, no copy is lost. */
static void test_a_claim_that_says_nothing_new_is_not_written(void **state)
{
    enum { ROUTES = 50, TIMES = 4 };
    struct player a, b;
    char prefix[32];

    (void)state;
    two(&a, &b);
    for (unsigned i = 0; i < ROUTES * TIMES; i++) {
        snprintf(prefix, sizeof prefix, "/a%u/", i % ROUTES);
        assert_true(put(i < ROUTES ? &a : &b, prefix, "eu0", 600, 0));
        player_until(is_written(&a) && is_written(&b));
    }
    player_until(b.changed == ROUTES && counters(&a)->own_echoes == ROUTES);
    assert_int_equal(counters(&b)->kept, ROUTES * (TIMES - 1));
    assert_int_equal(counters(&b)->written, 0);
    assert_int_equal(counters(&a)->invalidations, ROUTES); /* its own */
    assert_int_equal(a.changed, 0);
    player_end(&a);
    player_end(&b);
}

static void test_what_is_new_is_written(void **state)
{
    uint8_t bytes[ROUTE_RECORD_MAX];
    struct player a, b;
    size_t n;

    (void)state;
    two(&a, &b);
    assert_true(put(&a, "/a/", "eu0", 600, 0));
    player_until(is_written(&a));
    assert_true(put(&b, "/a/", "eu0", 60, 0)); /* for another life */
    player_until(counters(&b)->written == 1);
    assert_true(put(&b, "/a/", "eu1", 60, 0)); /* another cell */
    player_until(counters(&b)->written == 2);
    assert_true(put(&b, "/a/", "eu1", 60, ROUTE_PINNED)); /* an operator */
    player_until(counters(&b)->written == 3);
    n = make_record(bytes, "eu0", clock_wall_ms() - 301000, 600, 0, "r9"); /* less than half of its life is left */
    server_do(client, "SET cellrouter:{/b}/b/ %b PX 299000", bytes, n);
    assert_true(put(&b, "/b/", "eu0", 600, 0));
    player_until(counters(&b)->written == 4);
    n = make_record(bytes, "eu0", clock_wall_ms() - 290000, 600, 0, "r9"); /* more than half */
    server_do(client, "SET cellrouter:{/c}/c/ %b PX 310000", bytes, n);
    assert_true(put(&b, "/c/", "eu0", 600, 0));
    player_until(counters(&b)->kept == 1);
    assert_int_equal(counters(&b)->written, 4);
    player_end(&a);
    player_end(&b);
}

/* Redis 60 ms away: as many writes are on their way as its rate needs. */
static void test_the_window_follows_the_distance(void **state)
{
    enum { ROUTES = 3000 };
    struct route_store_config config = player_config(&server);
    static struct proxy proxy;
    struct player p;
    char prefix[32];
    uint64_t most = 0;

    (void)state;
    proxy_start(&proxy, &server);
    config.address = proxy.address;
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/near/", "eu0", 600, 0));
    player_until(is_written(&p));
    player_end(&p);
    proxy.delay_s = 0.03;
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/far/", "eu0", 600, 0));
    player_until(is_written(&p));
    assert_true(counters(&p)->round_trip_ms >= 60);
    for (unsigned i = 0; i < ROUTES; i++) {
        snprintf(prefix, sizeof prefix, "/a%u/", i);
        assert_true(put(&p, prefix, "eu0", 600, 0));
        most = counters(&p)->writing > most ? counters(&p)->writing : most;
    }
    assert_true(most > 1000); /* 20,000 a second: 1,200 in 60 ms, and 2,000 may go at once */
    assert_true(counters(&p)->window >= 2400);
    player_until(is_written(&p));
    assert_int_equal(counters(&p)->written, ROUTES + 1);
    player_end(&p);
    proxy_end(&proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_claim_that_says_nothing_new_is_not_written, empty),
        cmocka_unit_test_setup(test_what_is_new_is_written, empty),
        cmocka_unit_test_setup(test_the_window_follows_the_distance, empty),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, start, stop);
}
