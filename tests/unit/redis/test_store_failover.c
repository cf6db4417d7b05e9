/* A failover, followed by the shipped HAProxy configuration: a real replica is promoted when its master dies. */
#include "tests/unit/redis/player.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* A port that was free a moment ago. Replication works over TCP only; nothing else here needs a port. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static const char *haproxy_program(void)
{
    const char *program = getenv("HAPROXY");

    return program == NULL ? "haproxy" : program;
}

static pid_t start_haproxy(const struct server *folder, const char *const servers[2])
{
    char path[128];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        snprintf(path, sizeof path, "unix@%s/haproxy", folder->folder);
        setenv("REDIS_BIND", path, 1);
        setenv("REDIS_1", servers[0], 1);
        setenv("REDIS_2", servers[1], 1);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getenv("SHOW_EVENTS") == NULL) {
            freopen("/dev/null", "w", stderr);
            freopen("/dev/null", "w", stdout);
        }
        execlp(haproxy_program(), haproxy_program(), "-db", "-f", "haproxy/examples/redis-failover.cfg", NULL);
        _exit(127);
    }
    return pid;
}

struct redis {
    struct server server;
    int port;
    char port_text[8], place[32];
    redisContext *client;
};

static void start_redis(struct redis *redis, const struct redis *master)
{
    const char *const args[] = {"--port",
                                redis->port_text,
                                "--bind",
                                "127.0.0.1",
                                "--repl-diskless-sync-delay",
                                "0",
                                master == NULL ? NULL : "--replicaof",
                                "127.0.0.1",
                                master == NULL ? NULL : master->port_text,
                                NULL};

    server_make(&redis->server);
    redis->port = free_port();
    snprintf(redis->port_text, sizeof redis->port_text, "%d", redis->port);
    snprintf(redis->place, sizeof redis->place, "127.0.0.1:%d", redis->port);
    server_start(&redis->server, args);
    server_wait(&redis->server);
    redis->client = server_connect(&redis->server);
}

static bool info_has(const struct redis *redis, const char *text)
{
    redisReply *reply = server_ask(redis->client, "INFO replication");
    bool has = strstr(reply->str, text) != NULL;

    freeReplyObject(reply);
    return has;
}

static bool has(const struct redis *redis, const char *key)
{
    redisReply *reply = server_ask(redis->client, "EXISTS %s", key);
    bool is = reply->integer == 1;

    freeReplyObject(reply);
    return is;
}

static void test_the_master_dies_and_its_replica_is_promoted(void **state)
{
    struct redis first, second;
    char address[128];
    struct player p;
    struct got got;

    (void)state;
    start_redis(&first, NULL);
    start_redis(&second, &first);
    player_until(info_has(&second, "master_link_status:up"));
    const char *const servers[] = {first.place, second.place};
    pid_t haproxy = start_haproxy(&first.server, servers);
    struct route_store_config config = player_config(&first.server);
    snprintf(address, sizeof address, "unix:%s/haproxy", first.server.folder);
    config.address = address;
    config.watchdog_ms = 1000;
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p) && has(&second, "cellrouter:{/a}/a/"));

    server_end(&first.server, SIGKILL);
    player_until(counters(&p)->connected == 0);
    assert_true(put(&p, "/b/", "eu1", 600, 0)); /* learned while there is no master */
    server_do(second.client, "REPLICAOF NO ONE");
    player_ready(&p);
    player_until(is_written(&p));
    assert_true(has(&second, "cellrouter:{/b}/b/"));
    look_done(&p, "/a/x/", &got); /* what the replica had is there */
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(got.trust, ROUTE_TRUST_FULL);
    outside_set(second.client, "{/c}/c/", "eu1"); /* and changes there are told */
    player_until(strcmp(p.last_changed, "/c/") == 0);

    player_end(&p);
    kill(haproxy, SIGKILL);
    waitpid(haproxy, NULL, 0);
    redisFree(first.client);
    redisFree(second.client);
    server_remove(&first.server);
    server_remove(&second.server);
}

/* A planned one: both live, the roles change. The connections to the master of yesterday must not stay. */
static void test_roles_change_places(void **state)
{
    struct redis first, second;
    char address[128];
    struct player p;

    (void)state;
    start_redis(&first, NULL);
    start_redis(&second, &first);
    player_until(info_has(&second, "master_link_status:up"));
    const char *const servers[] = {first.place, second.place};
    pid_t haproxy = start_haproxy(&first.server, servers);
    struct route_store_config config = player_config(&first.server);
    snprintf(address, sizeof address, "unix:%s/haproxy", first.server.folder);
    config.address = address;
    player_start(&p, &config);
    player_ready(&p);

    server_do(second.client, "REPLICAOF NO ONE");
    server_do(first.client, "REPLICAOF 127.0.0.1 %d", second.port);
    assert_true(put(&p, "/b/", "eu1", 600, 0)); /* read-only now; written where the master is */
    player_until(counters(&p)->gaps != 0);
    player_ready(&p);
    player_until(is_written(&p) && has(&second, "cellrouter:{/b}/b/"));

    player_end(&p);
    kill(haproxy, SIGKILL);
    waitpid(haproxy, NULL, 0);
    redisFree(first.client);
    redisFree(second.client);
    server_remove(&first.server);
    server_remove(&second.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_master_dies_and_its_replica_is_promoted),
        cmocka_unit_test(test_roles_change_places),
    };
    char command[300];
    int status = needs_server();

    snprintf(command, sizeof command, "command -v '%s' >/dev/null 2>&1", haproxy_program());
    if (status == 0 && system(command) != 0) {
        fprintf(stderr, "SKIPPED: there is no haproxy on this machine; failover was NOT tested\n");
        status = 77;
    }
    return status != 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
