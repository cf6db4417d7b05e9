/* tests/unit/redis/test_store_far.c - reads at a replica, writes at its primary: two real servers, and a replication
 * that is cut, begun anew, or leads elsewhere. */
#include "tests/unit/redis/tcp.h"

static struct redis primary, replica;

static void link_up(void)
{
    server_do(replica.client, "REPLICAOF 127.0.0.1 %d", primary.port);
    player_until(redis_says(&replica, "INFO replication", "master_link_status:up"));
}

/* It goes on answering, and hears of nothing. */
static void link_down(void)
{
    server_do(replica.client, "REPLICAOF 127.0.0.1 1");
}

static int start(void **state)
{
    (void)state;
    redis_start(&primary, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    redis_start(&replica, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redis_end(&primary);
    redis_end(&replica);
    return 0;
}

static int empty(void **state)
{
    (void)state;
    server_do(primary.client, "FLUSHALL");
    link_up();
    return 0;
}

static struct route_store_config near_and_far(void)
{
    struct route_store_config config = player_config(&primary.server);

    config.address = primary.place;
    config.read_address = replica.place;
    config.watchdog_ms = 1500;
    return config;
}

static void begin(struct player *player)
{
    struct route_store_config config = near_and_far();

    player_start(player, &config);
    player_ready(player);
    player_until(counters(player)->writable == 1);
}

static void expect_found(struct player *player, const char *path, const char *prefix, const char *cell,
                         enum route_trust trust)
{
    struct got got;

    look_done(player, path, &got);
    assert_got(&got, ROUTE_FOUND, prefix, cell);
    assert_int_equal(got.trust, trust);
}

static void expect_absent(struct player *player, const char *path)
{
    struct got got;

    look_done(player, path, &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
}

static void test_reads_near_and_writes_far(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    expect_absent(&p, "/a/x/");
    server_do(replica.client, "CONFIG RESETSTAT");
    server_do(primary.client, "CONFIG RESETSTAT");
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p) && counters(&p)->own_echoes == 1);
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_FULL);
    outside_set(primary.client, "{/a}/a/", "eu1"); /* another router: told by the replica */
    player_until(strcmp(p.last_changed, "/a/") == 0);
    expect_found(&p, "/a/x/", "/a/", "eu1", ROUTE_TRUST_FULL);
    assert_int_equal(server_calls(primary.client, "getrange"), 2); /* the script's own */
    assert_true(server_calls(replica.client, "getrange") > 2);
    player_until(counters(&p)->heartbeats > 4); /* and nothing is amiss */
    assert_int_equal(counters(&p)->gaps, 0);
    player_end(&p);
}

/* The replica does not have it yet: the router does not forget what it wrote, and does not remember what it dropped. */
static void test_own_writes_are_read_before_they_come_back(void **state)
{
    struct route_store_config config = near_and_far();
    struct player p;

    (void)state;
    config.watchdog_ms = 20000; /* long: this is about the time until a write comes back */
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/old/", "eu0", 600, 0));
    player_until(is_written(&p) && counters(&p)->own_echoes == 1);
    link_down();
    assert_true(put(&p, "/new/", "eu0", 600, 0));
    assert_true(forget(&p, "/old/", "eu0"));
    player_until(is_written(&p) && counters(&p)->forgotten == 1);
    assert_false(redis_has(&replica, "cellrouter:{/new}/new/"));
    assert_true(redis_has(&replica, "cellrouter:{/old}/old/"));
    expect_found(&p, "/new/x/", "/new/", "eu0", ROUTE_TRUST_FULL);
    expect_absent(&p, "/old/x/");
    link_up();
    player_until(redis_has(&replica, "cellrouter:{/new}/new/"));
    expect_found(&p, "/new/x/", "/new/", "eu0", ROUTE_TRUST_FULL);
    expect_absent(&p, "/old/x/");
    player_end(&p);
}

/* What the primary refuses is not held against the replica. */
static void test_a_claim_that_lost_is_no_answer(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    uint8_t bytes[ROUTE_RECORD_MAX];
    size_t n = make_record(bytes, "eu1", clock_wall_ms(), 600, ROUTE_PINNED, "operator");
    server_do(primary.client, "SET cellrouter:{/a}/a/ %b PX 600000", bytes, n);
    player_until(redis_has(&replica, "cellrouter:{/a}/a/"));
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(counters(&p)->lost_pinned == 1);
    expect_found(&p, "/a/x/", "/a/", "eu1", ROUTE_TRUST_FULL);
    player_end(&p);
}

static void test_a_replica_that_is_cut_off(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    outside_set(primary.client, "{/a}/a/", "eu0");
    player_until(strcmp(p.last_changed, "/a/") == 0);
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_FULL);
    link_down();
    player_until(counters(&p)->watching == 0);
    assert_int_equal(p.events[STORE_REASON_BEHIND], 1);
    assert_string_equal(p.last_detail, "no heartbeat");
    assert_int_equal(counters(&p)->gaps, 1);
    assert_int_equal(counters(&p)->connected, 1);
    assert_int_equal(counters(&p)->disconnects, 0);
    assert_int_equal(p.distrusted, 1);
    outside_set(primary.client, "{/a}/a/", "eu1");
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_SHORT); /* the best that there is, for seconds */
    assert_true(put(&p, "/b/", "eu1", 600, 0));
    player_until(is_written(&p) && redis_has(&primary, "cellrouter:{/b}/b/"));
    link_up();
    player_ready(&p);
    expect_found(&p, "/a/x/", "/a/", "eu1", ROUTE_TRUST_FULL);
    expect_found(&p, "/b/x/", "/b/", "eu1", ROUTE_TRUST_FULL);
    player_end(&p);
}

static void test_cut_off_from_the_start(void **state)
{
    struct route_store_config config = near_and_far();
    struct player p;

    (void)state;
    link_down();
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_BEHIND] == 1);
    assert_int_equal(counters(&p)->watching, 0);
    expect_absent(&p, "/a/x/");
    link_up();
    player_ready(&p);
    player_end(&p);
}

static void test_a_primary_that_hangs(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    outside_set(primary.client, "{/a}/a/", "eu0");
    player_until(strcmp(p.last_changed, "/a/") == 0);
    kill(primary.server.pid, SIGSTOP);
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    player_until(counters(&p)->writable == 0 && counters(&p)->watching == 0);
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_SHORT); /* in time, from the replica */
    expect_found(&p, "/b/x/", "/b/", "eu0", ROUTE_TRUST_SHORT); /* it waits to be written */
    kill(primary.server.pid, SIGCONT);
    player_ready(&p);
    player_until(is_written(&p) && redis_has(&replica, "cellrouter:{/b}/b/"));
    player_end(&p);
}

/* It takes no notice of the primary any more, and answers as before. */
static void test_a_replica_that_is_promoted(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    server_do(replica.client, "REPLICAOF NO ONE");
    player_until(counters(&p)->watching == 0);
    assert_int_equal(p.events[STORE_REASON_BEHIND], 1);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p) && redis_has(&primary, "cellrouter:{/a}/a/"));
    link_up();
    player_ready(&p);
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_FULL);
    player_end(&p);
}

/* Changes that come with a full copy of the data, and are told by no message of their own. */
static void test_a_full_resynchronization(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    outside_set(primary.client, "{/a}/a/", "eu0");
    player_until(strcmp(p.last_changed, "/a/") == 0);
    expect_found(&p, "/a/x/", "/a/", "eu0", ROUTE_TRUST_FULL);
    unsigned distrusted = p.distrusted;
    server_do(replica.client, "REPLICAOF NO ONE");
    server_do(replica.client, "SET other x"); /* its history is another one now */
    outside_set(primary.client, "{/a}/a/", "eu1");
    link_up();
    assert_false(redis_has(&replica, "other"));
    player_until(p.flushed != 0 || p.distrusted > distrusted);
    player_ready(&p);
    expect_found(&p, "/a/x/", "/a/", "eu1", ROUTE_TRUST_FULL);
    player_end(&p);
}

static void test_an_empty_primary_empties_the_replica(void **state)
{
    struct player p;

    (void)state;
    begin(&p);
    outside_set(primary.client, "{/a}/a/", "eu0");
    player_until(strcmp(p.last_changed, "/a/") == 0);
    server_do(primary.client, "FLUSHALL");
    player_until(p.flushed == 1);
    expect_absent(&p, "/a/x/");
    player_end(&p);
}

/* Between the regions, both ways. */
static void test_doubts_go_by_way_of_the_primary(void **state)
{
    struct route_store_config at_home = player_config(&primary.server);
    struct route_doubt doubt = {
        .about = ROUTE_DOUBT_ROUTE, .route = {"", 0, "/a/", 3}, .cell = "eu0", .cell_length = 3, .life_ms = 2000};
    struct player near, home;

    (void)state;
    at_home.address = primary.place;
    at_home.router = "r2";
    player_start(&home, &at_home);
    player_ready(&home);
    begin(&near);
    route_store_doubt(near.store, &doubt);
    player_until(home.doubts == 1);
    route_store_doubt(home.store, &doubt);
    player_until(near.doubts == 1);
    player_end(&near);
    player_end(&home);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, empty)
    const struct CMUnitTest tests[] = {
        TEST(test_reads_near_and_writes_far),
        TEST(test_own_writes_are_read_before_they_come_back),
        TEST(test_a_claim_that_lost_is_no_answer),
        TEST(test_a_replica_that_is_cut_off),
        TEST(test_cut_off_from_the_start),
        TEST(test_a_primary_that_hangs),
        TEST(test_a_replica_that_is_promoted),
        TEST(test_a_full_resynchronization),
        TEST(test_an_empty_primary_empties_the_replica),
        TEST(test_doubts_go_by_way_of_the_primary),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, start, stop);
}
