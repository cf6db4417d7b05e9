/* tests/unit/redis/test_store_failover.c - a failover, followed by the shipped HAProxy configuration: a real replica is
 * promoted when its master dies. */
#include "tests/unit/redis/tcp.h"

static const char *haproxy_program(void)
{
    const char *program = getenv("HAPROXY");

    return !program ? "haproxy" : program;
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
        if (!getenv("SHOW_EVENTS") && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)))
            _exit(126);
        execlp(haproxy_program(), haproxy_program(), "-db", "-f", "haproxy/examples/redis-failover.cfg", NULL);
        _exit(127);
    }
    return pid;
}

static void start_replica(struct redis *redis, const struct redis *master)
{
    const char *const args[] = {"--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", master->port_text, NULL};

    redis_start(redis, args);
    player_until(redis_says(redis, "INFO replication", "master_link_status:up"));
}

static void test_the_master_dies_and_its_replica_is_promoted(void **state)
{
    struct redis first, second;
    char address[128];
    struct player p;
    struct got got;

    (void)state;
    redis_start(&first, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    start_replica(&second, &first);
    const char *const servers[] = {first.place, second.place};
    pid_t haproxy = start_haproxy(&first.server, servers);
    struct route_store_config config = player_config(&first.server);
    snprintf(address, sizeof address, "unix:%s/haproxy", first.server.folder);
    config.address = address;
    config.watchdog_ms = 1000;
    player_start(&p, &config);
    player_ready(&p);
    assert_true(put(&p, "/a/", "eu0", 600, 0));
    player_until(is_written(&p) && redis_has(&second, "cellrouter:{/a}/a/"));

    server_end(&first.server, SIGKILL);
    player_until(counters(&p)->connected == 0);
    assert_true(put(&p, "/b/", "eu1", 600, 0)); /* learned while there is no master */
    server_do(second.client, "REPLICAOF NO ONE");
    player_ready(&p);
    player_until(is_written(&p));
    assert_true(redis_has(&second, "cellrouter:{/b}/b/"));
    look_done(&p, "/a/x/", &got); /* what the replica had is there */
    assert_got(&got, ROUTE_FOUND, "/a/", "eu0");
    assert_int_equal(got.trust, ROUTE_TRUST_FULL);
    outside_set(second.client, "{/c}/c/", "eu1"); /* and changes there are told */
    player_until(strcmp(p.last_changed, "/c/") == 0);

    player_end(&p);
    kill(haproxy, SIGKILL);
    waitpid(haproxy, NULL, 0);
    redis_end(&first);
    redis_end(&second);
}

/* A planned one: both live, the roles change. The connections to the master of yesterday must not stay. */
static void test_roles_change_places(void **state)
{
    struct redis first, second;
    char address[128];
    struct player p;

    (void)state;
    redis_start(&first, (const char *const[]){"--repl-diskless-sync-delay", "0", NULL});
    start_replica(&second, &first);
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
    player_until(is_written(&p) && redis_has(&second, "cellrouter:{/b}/b/"));

    player_end(&p);
    kill(haproxy, SIGKILL);
    waitpid(haproxy, NULL, 0);
    redis_end(&first);
    redis_end(&second);
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
