/* tests/unit/redis/tcp.h - Redis servers that speak to each other, which they do over TCP only. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_TCP_H
#define CELLROUTER_TESTS_UNIT_REDIS_TCP_H

#include "tests/unit/redis/player.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct redis {
    struct server server;
    int port;
    char port_text[8], place[32];
    redisContext *client;
};

/* A port that was free a moment ago. */
static inline int tcp_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* more: six further arguments at most, NULL-terminated. */
static inline void redis_start(struct redis *redis, const char *const more[])
{
    const char *args[12] = {"--port", redis->port_text, "--bind", "127.0.0.1"};

    for (size_t i = 0; more[i]; i++)
        args[4 + i] = more[i];
    server_make(&redis->server);
    redis->port = tcp_free_port();
    snprintf(redis->port_text, sizeof redis->port_text, "%d", redis->port);
    snprintf(redis->place, sizeof redis->place, "127.0.0.1:%d", redis->port);
    server_start(&redis->server, args);
    server_wait(&redis->server);
    redis->client = server_connect(&redis->server);
}

static inline void redis_end(struct redis *redis)
{
    redisFree(redis->client);
    server_remove(&redis->server);
}

/* Whether the answer to a command holds a text. */
static inline bool redis_says(const struct redis *redis, const char *command, const char *text)
{
    redisReply *reply = redisCommand(redis->client, command);
    bool says = reply && reply->str && strstr(reply->str, text);

    freeReplyObject(reply);
    return says;
}

/* Whether a command is done; false: Redis answers an error. */
static inline bool redis_takes(const struct redis *redis, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = redisvCommand(redis->client, format, args);
    va_end(args);
    bool takes = reply && reply->type != REDIS_REPLY_ERROR;

    freeReplyObject(reply);
    return takes;
}

static inline bool redis_has(const struct redis *redis, const char *key)
{
    return server_has(redis->client, key);
}

#endif
