/* tests/unit/redis/one_server.h - one real redis-server for all tests of a program, emptied before each, and the
 * players that use it. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_ONE_SERVER_H
#define CELLROUTER_TESTS_UNIT_REDIS_ONE_SERVER_H

#include "tests/unit/redis/proxy.h"

static struct server server;
static redisContext *client;

static inline int start(void **state)
{
    (void)state;
    server_make(&server);
    server_start(&server, NULL);
    server_wait(&server);
    client = server_connect(&server);
    return 0;
}

static inline int stop(void **state)
{
    (void)state;
    redisFree(client);
    server_remove(&server);
    return 0;
}

static inline int empty(void **state)
{
    (void)state;
    server_do(client, "FLUSHALL");
    server_do(client, "SCRIPT FLUSH");
    server_do(client, "CONFIG RESETSTAT");
    return 0;
}

static inline void one(struct player *player)
{
    struct route_store_config config = player_config(&server);

    player_start(player, &config);
    player_ready(player);
}

static inline void two(struct player *a, struct player *b)
{
    struct route_store_config config = player_config(&server);

    player_start(a, &config);
    config.router = "r2";
    config.seed = 43;
    player_start(b, &config);
    player_ready(a);
    player_ready(b);
}

#endif
