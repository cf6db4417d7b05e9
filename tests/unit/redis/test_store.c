/* tests/unit/redis/test_store.c - the store against a real Redis that does what it should: get, put, forget, sharing,
 * invalidations, races of two routers. */
#include "tests/unit/redis/one_server.h"

static void test_absent_then_put_then_found(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    look_done(&p, "/my-company/x/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    assert_int_equal(got.reason, STORE_REASON_NONE);
    assert_true(put(&p, "/my-company/", "eu0", 600, 0));
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{/my-company}/my-company/"));
    look_done(&p, "/my-company/x/", &got);
    assert_got(&got, ROUTE_FOUND, "/my-company/", "eu0");
    assert_int_equal(got.trust, ROUTE_TRUST_FULL);
    assert_in_range(got.left_ms, 500000, 600000);
    redisReply *ttl = server_ask(client, "PTTL cellrouter:{/my-company}/my-company/");
    assert_in_range(ttl->integer, 500000, 600000);
    freeReplyObject(ttl);
    player_end(&p);
}

static void test_longest_prefix_wins(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    outside_set(client, "{/a}/a/", "eu0");
    outside_set(client, "{/a}/a/b/", "eu1");
    outside_set(client, "{/a}/a/b/c/d/", "us0");
    outside_set(client, "{/a2}/a2/", "us1");
    look_done(&p, "/a/b/c/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/b/", "eu1");
    look_done(&p, "/a/x/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    look_done(&p, "/a/b/c/d/e/f/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/b/c/d/", "us0");
    player_end(&p);
}

static void test_hosts_are_apart(void **state)
{
    struct player p;
    struct got got;
    struct route_name name = {"a.example", 9, "/x/", 3};

    (void)state;
    one(&p);
    assert_true(route_store_put(p.store, &name, "eu0", 3, 60, 0));
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{a.example/x}/x/"));
    look(&p, "a.example", "/x/", &got);
    player_until(got.outcome != ROUTE_WAITING);
    assert_got(&got, ROUTE_FOUND, "/x/", "eu0");
    look(&p, "b.example", "/x/", &got);
    player_until(got.outcome != ROUTE_WAITING);
    assert_got(&got, ROUTE_ABSENT, "", "");
    player_end(&p);
}

static void test_a_thousand_lookups_are_one_question(void **state)
{
    static struct got got[1000];
    struct player p;

    (void)state;
    one(&p);
    outside_set(client, "{/a}/a/b/", "eu1");
    server_do(client, "CONFIG RESETSTAT");
    for (size_t i = 0; i < 1000; i++) {
        look(&p, "", "/a/b/", &got[i]);
        assert_int_equal(got[i].outcome, ROUTE_WAITING);
    }
    for (size_t i = 0; i < 1000; i++) {
        player_until(got[i].outcome != ROUTE_WAITING);
        assert_got(&got[i], ROUTE_FOUND, "/a/b/", "eu1");
        assert_int_equal(got[i].times, 1);
    }
    assert_int_equal(server_calls(client, "getrange"), 2); /* one question: each of its two prefixes once */
    assert_int_equal(counters(&p)->asked, 1);
    assert_int_equal(counters(&p)->shared, 999);
    assert_int_equal(counters(&p)->found, 1000);
    player_end(&p);
}

static void test_absent_is_remembered_until_it_appears(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    look_done(&p, "/a/b/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    server_do(client, "CONFIG RESETSTAT");
    look(&p, "", "/a/b/", &got);
    assert_int_equal(got.outcome, ROUTE_ABSENT);
    look_done(&p, "/a/c/", &got); /* only the part that is not known is asked for */
    assert_int_equal(server_calls(client, "getrange"), 1);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed != 0);
    look_done(&p, "/a/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(counters(&p)->remembered, 1);
    player_end(&p);
}

static void test_invalidations_reach_the_handler(void **state)
{
    struct player p;

    (void)state;
    one(&p);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed == 1);
    assert_string_equal(p.last_changed, "/a/");
    server_do(client, "DEL cellrouter:{/a}/a/");
    player_until(p.changed == 2);
    server_do(client, "SET cellrouter:{h/b}/b/c/ x PX 30");
    player_until(p.changed == 3);
    assert_string_equal(p.last_changed, "h/b/c/");
    player_until(p.changed == 4); /* it expired */
    server_do(client, "SET cellrouter:nonsense x");
    player_until(counters(&p)->invalid_keys == 1);
    server_do(client, "SET other:{/a}/a/ x");
    server_do(client, "FLUSHDB");
    player_until(p.flushed == 1);
    assert_int_equal(p.changed, 4);
    assert_int_equal(counters(&p)->flushes, 1);
    assert_int_equal(p.distrusted, 0);
    player_end(&p);
}

/* Own writes do not disturb level 1, but a change by someone else right after one does. */
static void test_own_writes_are_not_told(void **state)
{
    struct player a, b;

    (void)state;
    two(&a, &b);
    for (int i = 0; i < 20; i++) {
        char prefix[16];

        snprintf(prefix, sizeof prefix, "/a%d/", i);
        assert_true(put(&a, prefix, "eu0", 600, 0));
    }
    player_until(counters(&a)->own_echoes + counters(&a)->raced == 20 && b.changed == 20);
    assert_int_equal(a.changed, 0);
    server_do(client, "DEL cellrouter:{/a3}/a3/");
    player_until(a.changed == 1);
    assert_string_equal(a.last_changed, "/a3/");
    outside_set(client, "{/a4}/a4/", "us1");
    player_until(a.changed == 2);
    assert_string_equal(a.last_changed, "/a4/");
    player_end(&a);
    player_end(&b);
}

/* The echo of an own forget is on its way to being verified when the new owner is learned: "nothing there" is the older
 * news, and the route just learned stays in level 1. */
static void test_a_claim_overtakes_the_echo_of_the_one_before(void **state)
{
    struct player a, b;

    (void)state;
    two(&a, &b);
    for (int turn = 0; turn < 20; turn++) {
        char prefix[16];
        uint64_t heard, written;

        snprintf(prefix, sizeof prefix, "/a%d/", turn);
        assert_true(put(&a, prefix, "eu0", 600, 0));
        player_until(is_written(&a));
        heard = counters(&a)->invalidations;
        assert_true(forget(&a, prefix, "eu0"));
        player_until(counters(&a)->invalidations > heard); /* the read is in the output, its answer turns away */
        written = counters(&a)->written;
        assert_true(put(&a, prefix, "eu1", 600, 0));
        player_until(counters(&a)->written > written && counters(&a)->own_echoes == counters(&a)->invalidations);
        assert_int_equal(a.changed, 0);
    }
    player_end(&a);
    player_end(&b);
}

/* Two routers learn different owners: whoever learned last is right, whatever order the claims come in. */
static void test_newest_claim_wins(void **state)
{
    struct player a, b;
    struct got got;

    (void)state;
    two(&a, &b);
    for (int turn = 0; turn < 20; turn++) {
        struct player *first = turn % 2 ? &a : &b, *second = turn % 2 ? &b : &a;

        assert_true(put(first, "/a/", "eu0", 600, 0));
        usleep(2000); /* the stamps are of the clock: let it move */
        ev_now_update(a.loop);
        assert_true(put(second, "/a/", "eu1", 600, 0));
        player_until(is_written(&a) && is_written(&b));
        look_done(&a, "/a/", &got);
        assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    }
    player_end(&a);
    player_end(&b);
}

static void test_an_older_claim_loses_and_is_told(void **state)
{
    uint8_t bytes[ROUTE_RECORD_MAX];
    struct player p;
    struct got got;
    size_t n;

    (void)state;
    one(&p);
    n = make_record(bytes, "eu1", clock_wall_ms() + 5000, 600, 0, "r9");
    server_do(client, "SET cellrouter:{/a}/a/ %b", bytes, n);
    player_until(p.changed == 1);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(counters(&p)->lost == 1 && p.changed == 2);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    assert_true(put(&p, "/a/", "eu1", 600, 0)); /* the same cell: nothing to tell, nothing to write */
    player_until(counters(&p)->kept == 1);
    assert_int_equal(p.changed, 2);
    player_end(&p);
}

static void test_pinned_wins(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    assert_true(put(&p, "/a/", "us0", 600, ROUTE_PINNED));
    player_until(is_written(&p));
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(counters(&p)->lost_pinned == 1 && p.changed == 1);
    assert_true(forget(&p, "/a/", "us0"));
    player_until(counters(&p)->lost_pinned == 2);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "us0");
    assert_true(put(&p, "/a/", "us1", 600, ROUTE_PINNED));
    player_until(is_written(&p));
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "us1");
    player_end(&p);
}

static void test_forget_only_what_was_meant(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    assert_true(put(&p, "/a/", "eu1", 600, 0));
    player_until(is_written(&p));
    assert_true(forget(&p, "/a/", "eu0"));
    player_until(counters(&p)->forget_moot == 1);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    assert_true(forget(&p, "/a/", "eu1"));
    player_until(counters(&p)->forgotten == 1);
    assert_false(server_has(client, "cellrouter:{/a}/a/"));
    assert_true(server_has(client, "cellrouter-gone:{/a}/a/"));
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    player_end(&p);
}

/* However many claims a router makes at once, its stamps are those of its clock: a later claim of another router is
 * newer, and so is its own. */
static void test_many_claims_at_once_are_not_from_the_future(void **state)
{
    enum { MANY = 2000 };
    struct route_store_config config = player_config(&server);
    struct player a, b;
    struct got got;
    char prefix[32];

    (void)state;
    config.max_writes_s = 1000000; /* they are not to wait for the clock */
    player_start(&a, &config);
    config.router = "r2";
    player_start(&b, &config);
    player_ready(&a);
    player_ready(&b);
    for (unsigned i = 0; i < MANY; i++) { /* no turn of the loop: all within one look at the clock */
        snprintf(prefix, sizeof prefix, "/many-%u/", i);
        assert_true(put(&a, prefix, "eu0", 600, 0));
    }
    uint64_t said = clock_wall_ms();
    player_until(is_written(&a) && counters(&a)->written == MANY);
    player_until(clock_wall_ms() > said + 8); /* some routes may share a slot; see next_stamp_ms() */
    for (unsigned i = 0; i < MANY; i += 100) {
        snprintf(prefix, sizeof prefix, "/many-%u/", i);
        assert_true(i % 200 ? put(&b, prefix, "eu1", 600, 0) : forget(&b, prefix, "eu0"));
        assert_true(i % 200 || put(&a, prefix, "us0", 600, 0));
    }
    player_until(is_written(&b) && is_written(&a));
    assert_int_equal(counters(&b)->written, MANY / 200);
    assert_int_equal(counters(&a)->lost + counters(&b)->lost, 0);
    for (unsigned i = 0; i < MANY; i += 100) {
        snprintf(prefix, sizeof prefix, "/many-%u/", i);
        look_done(&a, prefix, &got);
        assert_got(&got, ROUTE_FOUND, prefix, i % 200 ? "eu1" : "us0");
    }
    player_end(&a);
    player_end(&b);
}

/* Said in one look at the clock, each is newer than the one before. */
static void test_own_claims_on_a_route_keep_their_order(void **state)
{
    struct player a;
    struct got got;

    (void)state;
    one(&a);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(put(&a, "/a/", i % 2 ? "eu0" : "eu1", 600, 0));
        if (i % 3 == 0)
            player_until(is_written(&a));
        if (i % 5 == 0) {
            assert_true(forget(&a, "/a/", i % 2 ? "eu0" : "eu1"));
            assert_true(put(&a, "/a/", "us0", 600, 0));
        }
    }
    assert_true(put(&a, "/a/", "eu0", 600, 0));
    player_until(is_written(&a));
    assert_int_equal(counters(&a)->lost + counters(&a)->lost_dropped, 0);
    look_done(&a, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    player_end(&a);
}

/* Router b learned EU0 before a saw the redirect, and its claim comes after a's. */
static void test_a_dropped_route_is_not_brought_back_by_an_older_word(void **state)
{
    struct player a, b;
    struct got got;

    (void)state;
    two(&a, &b);
    server_do(client, "CLIENT PAUSE 60000 WRITE"); /* scripts wait, in the order of their coming */
    server_do(client, "CLIENT UNPAUSE");
    ev_now_update(b.loop);
    struct route_name name = {"", 0, "/a/", 3};
    server_do(client, "SET cellrouter-gone:{/a}/a/ %s PX 300000",
              "99999999999999 eu0"); /* of a clock gone mad: no claim */
    assert_true(route_store_put(b.store, &name, "eu0", 3, 600, 0));
    player_until(is_written(&b));
    assert_true(server_has(client, "cellrouter:{/a}/a/"));
    char gone[64];
    snprintf(gone, sizeof gone, "%llu eu0", (unsigned long long)clock_wall_ms() + 2000);
    server_do(client, "DEL cellrouter:{/a}/a/");
    server_do(client, "SET cellrouter-gone:{/a}/a/ %s PX 300000", gone);
    assert_true(put(&b, "/a/", "eu0", 600, 0));
    player_until(counters(&b)->lost_dropped == 1);
    assert_false(server_has(client, "cellrouter:{/a}/a/"));
    player_until(b.changed != 0);
    assert_true(put(&b, "/a/", "eu1", 600, 0)); /* the redirect said nothing of eu1 */
    player_until(is_written(&b));
    look_done(&a, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    player_end(&a);
    player_end(&b);
}

static void test_scripts_are_sent_again_when_redis_forgot_them(void **state)
{
    struct player p;

    (void)state;
    one(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(counters(&p)->written == 1);
    server_do(client, "SCRIPT FLUSH");
    server_do(client, "CONFIG RESETSTAT");
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    assert_true(forget(&p, "/a/", "eu0"));
    player_until(counters(&p)->written == 2 && counters(&p)->forgotten == 1);
    assert_true(counters(&p)->reasons[STORE_REASON_NOSCRIPT] >= 1);
    player_until(is_written(&p));
    server_do(client, "CONFIG RESETSTAT");
    assert_true(put(&p, "/c/", "eu0", 600, 0));
    player_until(counters(&p)->written == 3);
    assert_int_equal(server_calls(client, "eval"), 0);
    assert_int_equal(server_calls(client, "evalsha"), 1);
    player_end(&p);
}

/* A reply older than a claim of this router must neither be kept nor win over it. */
static void test_an_answer_older_than_an_own_word(void **state)
{
    struct player p;
    struct got got;

    (void)state;
    one(&p);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed == 1);
    look(&p, "", "/a/b/", &got);
    assert_true(put(&p, "/a/", "eu1", 600, 0));
    player_until(got.outcome != ROUTE_WAITING);
    assert_int_equal(got.trust, ROUTE_TRUST_ONCE);
    player_until(is_written(&p));
    look_done(&p, "/a/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    player_end(&p);
}

static void test_cancelled_lookups_are_not_called(void **state)
{
    struct player p;
    struct got kept, cancelled;

    (void)state;
    one(&p);
    outside_set(client, "{/a}/a/", "eu0");
    look(&p, "", "/a/", &kept);
    look(&p, "", "/a/", &cancelled);
    route_store_cancel(p.store, cancelled.wait);
    player_until(kept.outcome != ROUTE_WAITING);
    assert_got(&kept, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(cancelled.times, 0);
    look(&p, "", "/a/", &cancelled); /* nobody is left: the answer goes to on_late */
    route_store_cancel(p.store, cancelled.wait);
    player_until(p.late == 1);
    assert_string_equal(p.late_prefix, "/a/");
    assert_int_equal(cancelled.times, 0);
    player_end(&p);
}

static void test_bounds(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got[4];

    (void)state;
    config.max_questions = 2;
    config.max_waiting = 3;
    player_start(&p, &config);
    player_ready(&p);
    look(&p, "", "/a/", &got[0]);
    look(&p, "", "/b/", &got[1]);
    look(&p, "", "/c/", &got[2]);
    assert_int_equal(got[2].outcome, ROUTE_FAILED);
    assert_int_equal(got[2].reason, STORE_REASON_OVERLOADED);
    look(&p, "", "/b/", &got[2]);
    assert_int_equal(got[2].outcome, ROUTE_WAITING);
    look(&p, "", "/b/", &got[3]);
    assert_int_equal(got[3].outcome, ROUTE_FAILED);
    assert_int_equal(got[3].reason, STORE_REASON_OVERLOADED);
    for (size_t i = 0; i < 3; i++)
        player_until(got[i].outcome == ROUTE_ABSENT);
    assert_int_equal(counters(&p)->questions, 0);
    assert_int_equal(counters(&p)->waiting, 0);
    player_end(&p);
}

static void test_writes_are_paced(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    double began;

    (void)state;
    config.max_writes_s = 100;
    player_start(&p, &config);
    player_ready(&p);
    began = player_clock();
    for (int i = 0; i < 50; i++) {
        char prefix[16];

        snprintf(prefix, sizeof prefix, "/a%d/", i);
        assert_true(put(&p, prefix, "eu0", 600, 0));
    }
    /* What a tenth of a second may save up, and what the time meanwhile allows. */
    assert_true((double)counters(&p)->sent <= 11 + 100 * (player_clock() - began));
    player_until(counters(&p)->written == 50);
    assert_true(player_clock() - began > 0.3); /* 40 more at 100 a second; slower machines only take longer */
    player_end(&p);
}

static void test_freed_with_everything_in_flight(void **state)
{
    struct player p;
    struct got got[3];

    (void)state;
    one(&p);
    for (int i = 0; i < 500; i++) {
        char prefix[16];

        snprintf(prefix, sizeof prefix, "/a%d/", i);
        assert_true(put(&p, prefix, "eu0", 600, 0));
    }
    look(&p, "", "/a/", &got[0]);
    look(&p, "", "/a/", &got[1]);
    look(&p, "", "/b/", &got[2]);
    player_end(&p);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got[i].times, 1);
        assert_int_equal(got[i].outcome, ROUTE_FAILED);
        assert_int_equal(got[i].reason, STORE_REASON_SHUTTING_DOWN);
    }
    struct route_store_config config = player_config(&server);
    player_start(&p, &config); /* and one that never got to run its loop */
    player_end(&p);
}

static void test_nonsense_is_refused(void **state)
{
    static const char *const addresses[] = {"", "redis", "unix:", "unix:x", ":1", "h:0", "h:65536", "h:x", "::1:6379"};
    struct route_store_config config = player_config(&server);
    struct route_store_handler none = {0};
    enum store_reason reason;
    struct player p;
    struct got got;

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        config.address = addresses[i];
        assert_null(route_store_new(ev_default_loop(0), &config, &none, NULL, &reason));
        assert_int_equal(reason, STORE_REASON_BAD_ADDRESS);
    }
    config = player_config(&server);
    config.router = "no spaces";
    assert_null(route_store_new(ev_default_loop(0), &config, &none, NULL, &reason));
    assert_int_equal(reason, STORE_REASON_BAD_NAME);
    one(&p);
    assert_false(put(&p, "/a", "eu0", 60, 0));
    assert_false(put(&p, "/", "eu0", 60, 0));
    assert_false(put(&p, "/a/", "", 60, 0));
    assert_false(put(&p, "/a/", "eu 0", 60, 0));
    assert_false(put(&p, "/a/", "eu0", 0, 0));
    assert_false(put(&p, "/a/", "eu0", ROUTE_LIFE_MAX_S + 1, 0));
    assert_false(put(&p, "/a/", "eu0", 60, 2));
    assert_false(forget(&p, "a/", "eu0"));
    look(&p, "a/b", "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_BAD_NAME);
    assert_int_equal(counters(&p)->queued, 0);
    player_end(&p);
}

/* One router's doubt is heard by the other one, not by itself; what somebody else publishes there is none. */
static void test_doubts(void **state)
{
    struct player a, b;
    const struct route_doubt doubt = {
        .route = {.host = "", .host_length = 0, .prefix = "/my-company/", .prefix_length = 12},
        .about = ROUTE_DOUBT_BELOW,
        .cell = "eu0",
        .cell_length = 3,
        .life_ms = 1500};

    (void)state;
    two(&a, &b);
    server_do(client, "PUBLISH cellrouter-beat:doubts nonsense");
    player_until(route_store_counters(b.store)->doubts_invalid == 1);
    route_store_doubt(a.store, &doubt);
    player_until(b.doubts == 1);
    assert_string_equal(b.last_doubt, "1 /my-company/ eu0 1500");
    for (int i = 0; i < 1000; i++)
        route_store_doubt(a.store, &doubt);
    assert_in_range(route_store_counters(a.store)->doubts_told, 2, 200); /* at most 100 a second */
    player_until(b.doubts == (int)route_store_counters(a.store)->doubts_told);
    assert_int_equal(a.doubts, 0);
    assert_int_equal(b.changed, 0);
    player_end(&a);
    player_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_absent_then_put_then_found, empty),
        cmocka_unit_test_setup(test_longest_prefix_wins, empty),
        cmocka_unit_test_setup(test_hosts_are_apart, empty),
        cmocka_unit_test_setup(test_a_thousand_lookups_are_one_question, empty),
        cmocka_unit_test_setup(test_absent_is_remembered_until_it_appears, empty),
        cmocka_unit_test_setup(test_invalidations_reach_the_handler, empty),
        cmocka_unit_test_setup(test_own_writes_are_not_told, empty),
        cmocka_unit_test_setup(test_a_claim_overtakes_the_echo_of_the_one_before, empty),
        cmocka_unit_test_setup(test_newest_claim_wins, empty),
        cmocka_unit_test_setup(test_an_older_claim_loses_and_is_told, empty),
        cmocka_unit_test_setup(test_pinned_wins, empty),
        cmocka_unit_test_setup(test_forget_only_what_was_meant, empty),
        cmocka_unit_test_setup(test_many_claims_at_once_are_not_from_the_future, empty),
        cmocka_unit_test_setup(test_own_claims_on_a_route_keep_their_order, empty),
        cmocka_unit_test_setup(test_a_dropped_route_is_not_brought_back_by_an_older_word, empty),
        cmocka_unit_test_setup(test_scripts_are_sent_again_when_redis_forgot_them, empty),
        cmocka_unit_test_setup(test_an_answer_older_than_an_own_word, empty),
        cmocka_unit_test_setup(test_cancelled_lookups_are_not_called, empty),
        cmocka_unit_test_setup(test_bounds, empty),
        cmocka_unit_test_setup(test_writes_are_paced, empty),
        cmocka_unit_test_setup(test_freed_with_everything_in_flight, empty),
        cmocka_unit_test_setup(test_nonsense_is_refused, empty),
        cmocka_unit_test_setup(test_doubts, empty),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, start, stop);
}
