/* tests/unit/redis/test_store_outages.c - the store while Redis is away, slow, stopped, full, read-only, loading, or
 * wants a password; and its way back. */
#include "redis/write_queue.h"
#include "tests/unit/redis/proxy.h"

static struct server server;
static redisContext *client;

static int start(void **state)
{
    (void)state;
    server_make(&server);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redisFree(client);
    client = NULL;
    server_remove(&server);
    return 0;
}

static void up(const char *const more[])
{
    redisFree(client);
    server_start(&server, more);
    server_wait(&server);
    client = server_connect(&server);
}

/* Quick to find out, where the test waits for that. */
static struct route_store_config impatient(void)
{
    struct route_store_config config = player_config(&server);

    config.deadline_ms = 50;
    config.watchdog_ms = 400;
    config.connect_ms = 1000;
    return config;
}

static void test_not_there_at_start(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    config.queue_bytes = 3 * write_queue_cost(&(struct route_name){"", 0, "/a/", 3});
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_CONNECT_FAILED] != 0);
    look(&p, "", "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_AWAY);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    assert_true(put(&p, "/a/", "eu1", 600, 0)); /* the newer claim on the same route */
    assert_true(put(&p, "/c/", "eu0", 600, 0));
    assert_true(put(&p, "/d/", "eu0", 600, 0)); /* one too many: the oldest goes, /b/ */
    assert_int_equal(counters(&p)->queued, 3);
    assert_int_equal(counters(&p)->queue_full, 1);
    assert_int_equal(counters(&p)->queue_replaced, 1);
    up(NULL);
    player_ready(&p);
    player_until(is_written(&p));
    assert_false(server_has(client, "cellrouter:{/b}/b/"));
    assert_true(server_has(client, "cellrouter:{/c}/c/"));
    assert_true(server_has(client, "cellrouter:{/d}/d/"));
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    assert_int_equal(p.distrusted, 1); /* what was learned before came without protection */
    player_end(&p);
}

static void test_killed_and_back_empty(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(NULL);
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p));
    look(&p, "", "/a/", &got);
    server_end(&server, SIGKILL);
    player_until(got.outcome != ROUTE_WAITING);
    player_until(counters(&p)->connected == 0 && counters(&p)->watching == 0);
    assert_int_equal(p.distrusted, 1);
    assert_int_equal(counters(&p)->gaps, 1);
    look(&p, "", "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_true(forget(&p, "/x/", "eu0"));
    assert_true(put(&p, "/b/", "eu1", 600, 0));
    up(NULL);
    player_ready(&p);
    assert_int_equal(p.distrusted, 2);
    player_until(is_written(&p));
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    look_done(&p, "/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/b/", "eu1");
    assert_int_equal(got.trust, ROUTE_TRUST_FULL);
    player_end(&p);
}

static void test_stopped(void **state)
{
    struct route_store_config config = impatient();
    struct player p;
    struct got got;

    (void)state;
    up(NULL);
    player_start(&p, &config);
    player_ready(&p);
    kill(server.pid, SIGSTOP);
    look_done(&p, "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_DEADLINE);
    look(&p, "", "/b/", &got); /* the first one paid, the next ones do not */
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_true(got.reason == STORE_REASON_NOT_ANSWERING);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(p.events[STORE_REASON_WATCHDOG] != 0);
    player_until(counters(&p)->connected == 0 && counters(&p)->watching == 0);
    assert_true(p.distrusted >= 1);
    player_until(p.events[STORE_REASON_CONNECT_DEADLINE] != 0);
    kill(server.pid, SIGCONT);
    player_ready(&p);
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{/a}/a/"));
    player_end(&p);
}

static void test_debug_sleep(void **state)
{
    static const char *const args[] = {"--enable-debug-command", "yes", NULL};
    struct route_store_config config = impatient();
    struct player p;
    struct got got;

    (void)state;
    up(args);
    player_start(&p, &config);
    player_ready(&p);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed == 1);
    redisAppendCommand(client, "DEBUG SLEEP 0.3");
    int done = 0;
    redisBufferWrite(client, &done);
    usleep(20000); /* let the sleep begin; it makes no difference to the outcome */
    look_done(&p, "/a/", &got);
    assert_true(got.outcome == ROUTE_FAILED || got.outcome == ROUTE_FOUND);
    player_until(p.late == 1 || got.outcome == ROUTE_FOUND || counters(&p)->disconnects != 0);
    player_ready(&p);
    look_done(&p, "/a/", &got);
    player_until((look_done(&p, "/a/", &got), got.outcome == ROUTE_FOUND));
    player_end(&p);
}

static void test_loading(void **state)
{
    static const char *const first[] = {"--enable-debug-command", "yes", NULL};
    static const char *const slow[] = {"--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024",
                                       NULL};
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(first);
    server_do(client, "DEBUG POPULATE 3000 k 100");
    outside_set(client, "{/a}/a/", "eu0");
    server_do(client, "SAVE");
    server_end(&server, SIGKILL);
    server_start(&server, slow);
    player_start(&p, &config);
    player_until(counters(&p)->connected == 1);
    look_done(&p, "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_LOADING);
    assert_true(put(&p, "/b/", "eu1", 600, 0));
    player_until(p.events[STORE_REASON_LOADING] != 0);
    player_ready(&p);
    player_until((look_done(&p, "/a/", &got), got.outcome == ROUTE_FOUND));
    player_until(is_written(&p) && counters(&p)->written == 1);
    redisFree(client);
    client = server_connect(&server);
    assert_true(server_has(client, "cellrouter:{/b}/b/"));
    player_end(&p);
}

static void test_read_only_replica(void **state)
{
    static const char *const args[] = {"--replicaof", "127.0.0.1", "1", NULL}; /* no master there: only read-only */
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(args);
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(p.events[STORE_REASON_READONLY] != 0);
    look_done(&p, "/a/", &got); /* reading works, and what waits to be written is known */
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_true(forget(&p, "/a/", "eu0"));
    player_until(counters(&p)->write_errors >= 3);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_ABSENT, "", "");
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    server_do(client, "REPLICAOF NO ONE");
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{/b}/b/"));
    assert_int_equal(counters(&p)->connected, 1);
    player_end(&p);
}

static void test_full(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(NULL);
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p));
    server_do(client, "CONFIG SET maxmemory 1");
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    player_until(p.events[STORE_REASON_OOM] != 0);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_true(forget(&p, "/a/", "eu0")); /* a stale route goes also when Redis is full */
    player_until(counters(&p)->forgotten == 1);
    assert_false(server_has(client, "cellrouter:{/a}/a/"));
    server_do(client, "CONFIG SET maxmemory 0");
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{/b}/b/"));
    player_end(&p);
}

static void test_password(void **state)
{
    static const char *const args[] = {"--requirepass", "secret", NULL};
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(args);
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_NOAUTH] != 0);
    assert_int_equal(counters(&p)->connected, 0);
    look(&p, "", "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    player_end(&p);
    config.password = "wrong";
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_WRONGPASS] != 0);
    assert_null(strstr(p.last_detail, "wrong"));
    server_do(client, "AUTH secret");
    server_do(client, "CONFIG SET requirepass wrong"); /* what the operator fixes is found by itself */
    player_ready(&p);
    player_end(&p);
}

/* The line of docs/redis.md. */
static void test_least_rights(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(NULL);
    server_do(client,
              "ACL SETUSER router on >secret resetkeys resetchannels ~cellrouter:* ~cellrouter-gone:* "
              "&__redis__:invalidate &cellrouter-beat:* -@all +auth +client|setname +client|id +client|tracking "
              "+ping +publish +subscribe +getrange +get +set +del +exists +time +eval +evalsha +script|load");
    config.username = "router";
    config.password = "secret";
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    player_until(is_written(&p));
    assert_true(forget(&p, "/b/", "eu0"));
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    player_until(counters(&p)->forgotten == 1);
    assert_int_equal(p.events[STORE_REASON_NOPERM], 0);
    server_do(client,
              "ACL SETUSER router -publish"); /* without it nothing proves the watch: short trust, and it is said */
    server_do(client, "CLIENT KILL USER router");
    player_until(p.events[STORE_REASON_NOPERM] != 0 && counters(&p)->connected == 1);
    assert_int_equal(counters(&p)->watching, 0);
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(got.trust, ROUTE_TRUST_SHORT);
    server_do(client, "ACL SETUSER router +publish");
    player_ready(&p);
    player_end(&p);
}

/* Each store writes a path of its own: its stamps run ahead of the clock while it has more than one claim a millisecond
 * on one. */
static void put_many(struct player *p, const char *prefix, unsigned many)
{
    for (unsigned i = 0; i < many; i++) {
        uint64_t written = counters(p)->written;

        assert_true(put(p, prefix, written % 2 ? "eu0" : "eu1", 600, 0)); /* what stands there would not be written */
        player_until(counters(p)->written == written + 1);
    }
}

/* A user who may not load scripts: their text goes with each write, and loading is tried again after pauses, not each
 * time. */
static void test_scripts_refused(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;

    (void)state;
    up(NULL);
    server_do(client, "ACL SETUSER router on >secret ~* &* +@all -script|load");
    config.username = "router";
    config.password = "secret";
    config.backoff_min_ms = config.backoff_max_ms = 60000;
    player_start(&p, &config);
    player_ready(&p);
    put_many(&p, "/a/", 20);
    assert_int_equal(counters(&p)->reasons[STORE_REASON_NOPERM], 1);
    player_end(&p);
    config.backoff_min_ms = config.backoff_max_ms = 1;
    player_start(&p, &config);
    player_ready(&p);
    player_until((put_many(&p, "/b/", 1), counters(&p)->reasons[STORE_REASON_NOPERM] >= 3));
    server_do(client, "ACL SETUSER router +script|load");
    player_until((put_many(&p, "/b/", 1), server_calls(client, "evalsha") != 0));
    player_end(&p);
}

static void kill_by_name(const char *name)
{
    redisReply *reply = server_ask(client, "CLIENT LIST");
    char wanted[64];
    long long id = 0;

    snprintf(wanted, sizeof wanted, " name=%s ", name);
    for (char *line = strtok(reply->str, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, wanted))
            id = atoll(line + 3);
    freeReplyObject(reply);
    assert_true(id != 0);
    server_do(client, "CLIENT KILL ID %lld", id);
}

static void test_connections_killed(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;
    struct got got;

    (void)state;
    up(NULL);
    outside_set(client, "{/a}/a/", "eu0");
    player_start(&p, &config);
    player_ready(&p);
    for (unsigned turn = 0; turn < 6; turn++) {
        unsigned changed = p.changed, distrusted = p.distrusted;

        kill_by_name(turn % 2 ? "cellrouter:r1:ask" : "cellrouter:r1:watch");
        player_until(counters(&p)->gaps == turn + 1);
        player_ready(&p);
        assert_true(turn == 0 ||
                    p.distrusted == distrusted + 2); /* the gap's begin and end; at first nothing was used */
        look_done(&p, "/a/", &got);
        assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
        assert_int_equal(got.trust, ROUTE_TRUST_FULL);
        outside_set(client, "{/a}/a/", "eu0");
        player_until(p.changed == changed + 1);
    }
    player_end(&p);
}

static void test_too_many_clients(void **state)
{
    struct route_store_config config = player_config(&server);
    struct player p;

    (void)state;
    up(NULL);
    server_do(client, "CONFIG SET maxclients 1");
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_MAXCLIENTS] != 0);
    server_do(client, "CONFIG SET maxclients 100");
    player_ready(&p);
    player_end(&p);
}

struct hostile {
    enum route_record_state state;
    const char *bytes;
    size_t n;
};

static void test_hostile_values(void **state)
{
#define BYTES(text) text, sizeof text - 1
    static const struct hostile values[] = {
        {ROUTE_RECORD_GARBAGE, BYTES("hello")},
        {ROUTE_RECORD_GARBAGE, BYTES("\x96\x01\xa3"
                                     "eu0")},
        {ROUTE_RECORD_GARBAGE, BYTES("\xdd\xff\xff\xff\xff")},
        {ROUTE_RECORD_NEWER_VERSION, BYTES("\x91\x02")},
        {ROUTE_RECORD_GARBAGE, BYTES("\x96\x01\xdb\xff\xff\xff\xff")},
    };
    struct route_store_config config = player_config(&server);
    uint8_t bytes[ROUTE_RECORD_MAX];
    uint64_t now = clock_wall_ms();
    struct player p;
    struct got got;
    size_t n;

    (void)state;
    up(NULL);
    outside_set(client, "{/a}/a/", "eu0");
    player_start(&p, &config);
    player_ready(&p);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint64_t before = counters(&p)->hostile[values[i].state];
        unsigned changed = p.changed;

        server_do(client, "SET cellrouter:{/a}/a/b/ %b", values[i].bytes, values[i].n);
        player_until(p.changed > changed);
        look_done(&p, "/a/b/", &got); /* no record there: the next shorter prefix counts */
        assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
        assert_int_equal(counters(&p)->hostile[values[i].state], before + 1);
    }
    n = make_record(bytes, "eu1", now + 3600000, 600, 0, "r9");
    server_do(client, "SET cellrouter:{/a}/a/b/ %b", bytes, n);
    player_until((look_done(&p, "/a/b/", &got), counters(&p)->hostile[ROUTE_RECORD_FUTURE] == 1));
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    n = make_record(bytes, "eu1", now - 20000, 10, 0, "r9");
    server_do(client, "SET cellrouter:{/a}/a/b/ %b", bytes, n);
    player_until((look_done(&p, "/a/b/", &got), counters(&p)->hostile[ROUTE_RECORD_EXPIRED] == 1));
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    server_do(client, "SETRANGE cellrouter:{/a}/a/b/ 50000000 x"); /* 50 MB; only 193 bytes of it are fetched */
    player_until((look_done(&p, "/a/b/", &got), counters(&p)->hostile[ROUTE_RECORD_TOO_LARGE] == 1));
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    server_do(client, "DEL cellrouter:{/a}/a/b/");
    server_do(client, "RPUSH cellrouter:{/a}/a/b/ x");
    player_until((look_done(&p, "/a/b/", &got), counters(&p)->reasons[STORE_REASON_WRONGTYPE] == 1));
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(counters(&p)->connected, 1);
    assert_int_equal(counters(&p)->disconnects, 0);
    assert_true(put(&p, "/a/b/", "eu1", 600, 0)); /* a claim replaces what is no record, of any type */
    player_until(counters(&p)->replaced_garbage == 1);
    look_done(&p, "/a/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/b/", "eu1");
    server_do(client, "SET cellrouter:{/a}/a/b/ %b", BYTES("\x91\x02")); /* but not one of a later version */
    assert_true(put(&p, "/a/b/", "eu1", 600, 0));
    player_until(counters(&p)->lost_newer_version == 1);
    player_end(&p);
}

/* Bad networks */

static void network(struct proxy *proxy, struct player *p, struct route_store_config *config)
{
    up(NULL);
    proxy_start(proxy, &server);
    config->address = proxy->address;
    player_start(p, config);
    player_ready(p);
}

/* The race of the issue: a value is read in Redis, it changes and the change is told, and only then the answer
 * arrives. */
static void test_an_answer_overtaken_by_its_change(void **state)
{
    struct route_store_config config = player_config(&server);
    static struct proxy proxy;
    struct player p;
    struct got got, absent;

    (void)state;
    network(&proxy, &p, &config);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed == 1);
    proxy.down[SIDE_ASK] = WAY_HOLD;
    look(&p, "", "/a/", &got);
    look(&p, "", "/b/", &absent);
    player_until(server_calls(client, "getrange") == 2);
    outside_set(client, "{/a}/a/", "eu1");
    outside_set(client, "{/b}/b/", "eu1");
    player_until(p.changed == 3);
    assert_int_equal(got.outcome, ROUTE_WAITING);
    proxy.down[SIDE_ASK] = WAY_PASS;
    player_until(got.outcome != ROUTE_WAITING && absent.outcome != ROUTE_WAITING);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(got.trust, ROUTE_TRUST_ONCE);
    assert_got(&absent, ROUTE_ABSENT, "", "");
    look_done(&p, "/b/", &absent); /* and "not there" was not remembered */
    assert_got(&absent, ROUTE_FOUND, "/b/", "eu1");
    look_done(&p, "/a/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu1");
    assert_int_equal(got.trust, ROUTE_TRUST_FULL);
    player_end(&p);
    proxy_end(&proxy);
}

static void test_network_cut(void **state)
{
    struct route_store_config config = impatient();
    static struct proxy proxy;
    struct player p;
    struct got got;

    (void)state;
    network(&proxy, &p, &config);
    for (enum proxy_side side = SIDE_ASK; side < SIDES; side++) {
        unsigned gaps = (unsigned)counters(&p)->gaps;

        look_done(&p, "/a/", &got);
        proxy.up[side] = proxy.down[side] = WAY_SWALLOW;
        player_until(counters(&p)->reasons[STORE_REASON_WATCHDOG] == side + 1u);
        assert_int_equal(counters(&p)->gaps, gaps + 1);
        proxy.up[side] = proxy.down[side] = WAY_PASS;
        player_ready(&p);
    }
    look_done(&p, "/a/", &got);
    assert_int_equal(got.outcome, ROUTE_ABSENT);
    player_end(&p);
    proxy_end(&proxy);
}

static void test_slow_network(void **state)
{
    struct route_store_config config = impatient();
    static struct proxy proxy;
    struct player p;
    struct got got;

    (void)state;
    config.watchdog_ms = 2000;
    network(&proxy, &p, &config);
    outside_set(client, "{/a}/a/", "eu0");
    player_until(p.changed == 1);
    proxy.delay_s = 0.2; /* there and back */
    look_done(&p, "/a/b/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_DEADLINE);
    player_until(p.late == 1); /* too late for this request, in time for the next ones */
    assert_string_equal(p.late_prefix, "/a/");
    assert_int_equal(p.late_answer.trust, ROUTE_TRUST_FULL);
    assert_int_equal(counters(&p)->disconnects, 0);
    assert_true(put(&p, "/b/", "eu0", 600, 0));
    player_until(is_written(&p));
    assert_true(server_has(client, "cellrouter:{/b}/b/"));
    player_end(&p);
    proxy_end(&proxy);
}

/* A failover proxy may lead the two connections to two servers. */
static void test_two_servers(void **state)
{
    struct route_store_config config = impatient();
    struct server other;
    static struct proxy proxy;
    struct player p;

    (void)state;
    server_make(&other);
    server_start(&other, NULL);
    server_wait(&other);
    for (unsigned i = 0; i < 100; i++)
        redisFree(server_connect(&other)); /* its client ids are none of the first server's: tracking is refused */
    network(&proxy, &p, &config);
    proxy.servers[SIDE_WATCH] = &other;
    kill_by_name("cellrouter:r1:watch");
    player_until(counters(&p)->reasons[STORE_REASON_TWO_SERVERS] != 0);
    /* The refused tracking and the beat that nobody heard came in one read: one split, and the ask connection stays. */
    assert_int_equal(counters(&p)->reasons[STORE_REASON_TWO_SERVERS], 1);
    assert_int_equal(counters(&p)->connected, 1);
    player_until(counters(&p)->reasons[STORE_REASON_TWO_SERVERS] == 2 && counters(&p)->disconnects >= 3);
    assert_int_equal(counters(&p)->watching, 0);
    proxy.servers[SIDE_ASK] = &other; /* now both lead to the other one */
    player_ready(&p);
    player_end(&p);
    proxy_end(&proxy);
    server_remove(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(test_not_there_at_start),
        TEST(test_killed_and_back_empty),
        TEST(test_stopped),
        TEST(test_debug_sleep),
        TEST(test_loading),
        TEST(test_read_only_replica),
        TEST(test_full),
        TEST(test_password),
        TEST(test_least_rights),
        TEST(test_scripts_refused),
        TEST(test_connections_killed),
        TEST(test_too_many_clients),
        TEST(test_hostile_values),
        TEST(test_an_answer_overtaken_by_its_change),
        TEST(test_network_cut),
        TEST(test_slow_network),
        TEST(test_two_servers),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
