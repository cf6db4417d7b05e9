/* tests/unit/redis/test_store_tcp.c - the store over TCP, by address and by name, and against one node of a Redis
 * Cluster. */
#include "tests/unit/redis/proxy.h"
#include "tests/unit/redis/tcp.h"

static void test_by_address_and_by_name(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct redis redis;

    (void)state;
    redis_start(&redis, (const char *const[]){NULL});
    for (size_t i = 0; i < 2; i++) {
        struct route_store_config config = player_config(&redis.server);
        char address[64];
        struct player p;
        struct got got;

        snprintf(address, sizeof address, "%s:%d", hosts[i], redis.port);
        config.address = address;
        player_start(&p, &config);
        player_ready(&p); /* where localhost is ::1 first, Redis refuses, and the next turn takes the other address */
        assert_true(put(&p, "/a/", "eu0", 600, 0));
        player_until(is_written(&p));
        look_done(&p, "/a/", &got);
        assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
        player_end(&p);
    }
    redis_end(&redis);
}

static void test_a_name_that_does_not_exist(void **state)
{
    struct server nothing = {.address = "redis.invalid:6379"};
    struct route_store_config config = player_config(&nothing);
    struct player p;

    (void)state;
    config.connect_ms = 300;
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_CONNECT_FAILED] + p.events[STORE_REASON_CONNECT_DEADLINE] != 0);
    player_end(&p); /* maybe with a lookup under way */
}

static void test_wrong_port(void **state)
{
    char address[64];
    struct server nothing = {.pid = 0};
    struct route_store_config config = player_config(&nothing);
    struct player p;

    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:%d", tcp_free_port());
    config.address = address;
    player_start(&p, &config);
    player_until(p.events[STORE_REASON_CONNECT_FAILED] != 0);
    assert_string_equal(p.last_detail, "Connection refused");
    player_end(&p);
}

/* Something else listens there: it is told so, again and again, and nothing else happens. */
struct nonsense {
    ev_io acceptable;
    const char *says;
    unsigned said;
};

static void say(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct nonsense *nonsense = watcher->data;
    char bytes[4096];
    int fd = accept(watcher->fd, NULL, NULL);

    (void)loop, (void)events;
    assert_true(fd >= 0);
    assert_true(read(fd, bytes, sizeof bytes) >= 0); /* AUTH or CLIENT SETNAME; blocks until it is there */
    assert_int_equal(write(fd, nonsense->says, strlen(nonsense->says)), strlen(nonsense->says));
    nonsense->said++;
    close(fd);
}

static void test_something_else_listens(void **state)
{
    static const char *const sayings[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n", "*", "$-2\r\n", "+\r\n", "$5\r\nab", "*1000000000\r\n", "-\r\n", ":x\r\n",
    };
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct nonsense nonsense;
    char address[64];

    (void)state;
    assert_int_equal(bind(listener, (const struct sockaddr *)&where, n), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&where, &n), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(where.sin_port));
    ev_io_init(&nonsense.acceptable, say, listener, EV_READ);
    nonsense.acceptable.data = &nonsense;
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++) {
        struct server nothing = {.pid = 0};
        struct route_store_config config = player_config(&nothing);
        struct player p;
        struct got got;

        nonsense.says = sayings[i];
        nonsense.said = 0;
        config.address = address;
        player_start(&p, &config);
        ev_io_start(p.loop, &nonsense.acceptable);
        player_until(nonsense.said >= 4 && counters(&p)->disconnects >= 4);
        look(&p, "", "/a/", &got);
        assert_int_equal(got.outcome, ROUTE_FAILED);
        assert_int_equal(counters(&p)->watching, 0);
        ev_io_stop(p.loop, &nonsense.acceptable);
        player_end(&p);
    }
    close(listener);
}

static long long slot_of(const struct redis *redis, const char *key)
{
    redisReply *reply = server_ask(redis->client, "CLUSTER KEYSLOT %s", key);
    long long slot = reply->integer;

    freeReplyObject(reply);
    return slot;
}

/* A node of a cluster, without slots and without other nodes. bus gets the port by which others meet it. */
static void start_node(struct redis *node, char bus[static 8])
{
    snprintf(bus, 8, "%d", tcp_free_port());
    redis_start(node, (const char *const[]){"--cluster-enabled", "yes", "--cluster-port", bus, NULL});
}

/* All keys of a path are in one slot, and a node that does not hold it is understood: what to do stands in log and
 * metrics. */
static void test_cluster(void **state)
{
    struct redis empty, holder;
    char bus[8], other_bus[8];
    struct player p;
    struct got got;

    (void)state;
    start_node(&empty, bus);
    start_node(&holder, other_bus);
    long long slot = slot_of(&empty, "cellrouter:{/a}/a/");
    assert_int_equal(slot_of(&empty, "cellrouter:{/a}/a/b/"), slot);
    assert_int_equal(slot_of(&empty, "cellrouter-gone:{/a}/a/b/c/"), slot);
    struct route_store_config config = player_config(&empty.server);
    config.backoff_min_ms = config.backoff_max_ms = 60000;
    player_start(&p, &config);
    player_until((look_done(&p, "/a/b/", &got), got.reason == STORE_REASON_CLUSTERDOWN)); /* nobody holds it */
    long long own = slot_of(&empty, "cellrouter:{/b}/b/"); /* all but this one slot are the other node's */
    assert_true(own > 0 && own < 16383);
    server_do(holder.client, "CLUSTER ADDSLOTSRANGE 0 %lld %lld 16383", own - 1, own + 1);
    server_do(empty.client, "CLUSTER ADDSLOTS %lld", own);
    server_do(holder.client, "CLUSTER MEET 127.0.0.1 %d %s", empty.port, bus);
    player_until(redis_says(&empty, "CLUSTER INFO", "cluster_state:ok"));
    player_until((look_done(&p, "/a/b/", &got), got.reason == STORE_REASON_MOVED));
    assert_int_equal(got.outcome, ROUTE_FAILED);
    player_until(p.events[STORE_REASON_MOVED] != 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(put(&p, "/a/", "eu0", 600, 0));
        player_until(counters(&p)->lost_misplaced == i);
    }
    assert_int_equal(counters(&p)->queued, 0);
    assert_true(put(&p, "/b/", "eu0", 600, 0)); /* at once: a pause would be of a minute */
    player_until(counters(&p)->written == 1);
    assert_int_equal(counters(&p)->write_errors, 3);
    assert_int_equal(p.events[STORE_REASON_MOVED], 1);
    char where[32];
    snprintf(where, sizeof where, "MOVED %lld", slot);
    assert_non_null(strstr(p.last_detail, where));
    assert_int_equal(counters(&p)->connected, 1);
    player_end(&p);
    config.backoff_min_ms = 100;
    config.address = holder.server.address; /* the node that holds it will do */
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p) && counters(&p)->written == 1);
    look_done(&p, "/a/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    player_end(&p);
    redis_end(&empty);
    redis_end(&holder);
}

/* A slot on its way to another node: what is not here any more is asked for there (ASK), and what is here in part is
 * neither here nor there (TRYAGAIN). It is nothing to claims on other slots. */
static void test_cluster_slot_on_its_way(void **state)
{
    struct redis from, to;
    char bus[8], other_bus[8];
    struct player p;
    struct got got;

    (void)state;
    start_node(&from, bus);
    start_node(&to, other_bus);
    server_do(from.client, "CLUSTER ADDSLOTSRANGE 0 16383");
    server_do(to.client, "CLUSTER MEET 127.0.0.1 %d %s", from.port, bus);
    player_until(redis_says(&from, "CLUSTER INFO", "cluster_state:ok"));
    player_until(redis_says(&from, "CLUSTER INFO", "cluster_known_nodes:2"));
    struct route_store_config config = player_config(&from.server);
    config.backoff_min_ms = config.backoff_max_ms = 60000;
    config.absent_ms = 0;
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(counters(&p)->written == 1);
    redisReply *id = server_ask(to.client, "CLUSTER MYID");
    long long slot = slot_of(&from, "cellrouter:{/a}/a/");
    player_until(redis_takes(&from, "CLUSTER SETSLOT %lld MIGRATING %s", slot, id->str));
    look_done(&p, "/a/b/", &got); /* /a/ is here, /a/b/ would be there */
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_ASK);
    assert_int_equal(p.events[STORE_REASON_ASK], 1);
    char where[64];
    snprintf(where, sizeof where, "ASK %lld 127.0.0.1:%d", slot, to.port);
    assert_string_equal(p.last_detail, where);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(put(&p, i == 1 ? "/a/" : "/a/c/", "eu1", 600, 0)); /* a record and no tombstone, and neither */
        player_until(counters(&p)->lost_misplaced == i);
    }
    assert_int_equal(counters(&p)->queued, 0);
    assert_true(put(&p, "/b/", "eu0", 600, 0)); /* at once: a pause would be of a minute */
    player_until(counters(&p)->written == 2);
    look_done(&p, "/b/", &got);
    assert_got(&got, ROUTE_FOUND, "/b/", "eu0");
    assert_int_equal(counters(&p)->reasons[STORE_REASON_ASK], 4); /* a key, its lookup, two claims */
    assert_int_equal(counters(&p)->reasons[STORE_REASON_TRYAGAIN], 1);
    assert_int_equal(counters(&p)->failed, 1);
    assert_int_equal(p.events[STORE_REASON_ASK], 1);
    assert_int_equal(counters(&p)->disconnects, 0);
    server_do(from.client, "CLUSTER SETSLOT %lld STABLE", slot);
    assert_true(put(&p, "/a/c/", "eu1", 600, 0));
    player_until(counters(&p)->written == 3);
    player_end(&p);
    freeReplyObject(id);
    redis_end(&from);
    redis_end(&to);
}

/* The layout of keys keeps a script's two in one slot, so that no Redis says it: a proxy does. It is as clear as the
 * others. */
static void test_crossslot(void **state)
{
    static struct proxy proxy;
    struct redis redis;
    struct player p;
    struct got got;

    (void)state;
    redis_start(&redis, (const char *const[]){NULL});
    proxy_start(&proxy, &redis.server);
    struct route_store_config config = player_config(&redis.server);
    config.address = proxy.address;
    config.backoff_min_ms = config.backoff_max_ms = 60000;
    player_start(&p, &config);
    player_ready(&p);
    proxy.heard = "$7\r\nwritten\r\n";
    proxy.said = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(put(&p, "/a/", "eu0", 600 + i, 0));
        player_until(counters(&p)->lost_misplaced == i);
    }
    assert_int_equal(p.events[STORE_REASON_CROSSSLOT], 1); /* once a connection */
    assert_string_equal(p.last_detail, "CROSSSLOT Keys in request don't hash to the same slot");
    assert_int_equal(counters(&p)->reasons[STORE_REASON_CROSSSLOT], 3);
    assert_int_equal(counters(&p)->queued, 0);
    proxy.heard = "$0\r\n\r\n";
    look_done(&p, "/c/", &got);
    assert_int_equal(got.outcome, ROUTE_FAILED);
    assert_int_equal(got.reason, STORE_REASON_CROSSSLOT);
    assert_int_equal(counters(&p)->failed, 1);
    proxy.heard = NULL;
    assert_true(put(&p, "/b/", "eu0", 600, 0)); /* at once: a pause would be of a minute */
    player_until(counters(&p)->written == 1);
    assert_int_equal(counters(&p)->disconnects, 0);
    player_end(&p);
    proxy_end(&proxy);
    redis_end(&redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_address_and_by_name),
        cmocka_unit_test(test_a_name_that_does_not_exist),
        cmocka_unit_test(test_wrong_port),
        cmocka_unit_test(test_something_else_listens),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_cluster_slot_on_its_way),
        cmocka_unit_test(test_crossslot),
    };
    int status = needs_server();

    return status != 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
