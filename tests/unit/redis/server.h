/* tests/unit/redis/server.h - a real redis-server for one test program: on a unix socket in a folder of its own, and a
 * plain client beside the store. Everything ends with the test program, also when it is killed. */
#ifndef CELLROUTER_TESTS_UNIT_REDIS_SERVER_H
#define CELLROUTER_TESTS_UNIT_REDIS_SERVER_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#define SERVER_ARGS_MAX 24

struct server {
    char folder[64], socket[96], address[112];
    pid_t pid; /* 0: not running */
};

static inline const char *server_program(void)
{
    const char *program = getenv("REDIS_SERVER");

    return !program ? "redis-server" : program;
}

static inline bool server_is_installed(void)
{
    char command[300];

    snprintf(command, sizeof command, "command -v '%s' >/dev/null 2>&1", server_program());
    return system(command) == 0;
}

static inline void server_exec(const struct server *server, const char *const more[])
{
    const char *args[SERVER_ARGS_MAX + 12] = {server_program(),
                                              "--port",
                                              "0",
                                              "--unixsocket",
                                              server->socket,
                                              "--dir",
                                              server->folder,
                                              "--logfile",
                                              "server.log",
                                              "--save",
                                              "",
                                              NULL};
    size_t n = 11;

    for (size_t i = 0; more && more[i]; i++)
        args[n++] = more[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(args[0], (char *const *)args);
    _exit(127);
}

/* more: further arguments, NULL-terminated, or NULL. Returns at once; server_wait() waits. */
static inline void server_start(struct server *server, const char *const more[])
{
    assert_int_equal(server->pid, 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        server_exec(server, more);
}

static inline redisContext *server_connect(const struct server *server)
{
    for (int i = 0; i < 1000; i++) {
        redisContext *client = redisConnectUnix(server->socket);

        if (client && client->err == 0)
            return client;
        redisFree(client);
        usleep(10000);
    }
    fail_msg("redis-server does not come up: %s", server->folder);
    return NULL;
}

/* Ends the test when the answer is an error. The caller frees the reply. */
static inline redisReply *server_ask(redisContext *client, const char *format, ...)
{
    va_list args;
    redisReply *reply;

    va_start(args, format);
    reply = redisvCommand(client, format, args);
    va_end(args);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, !reply ? client->errstr : reply->str);
    return reply;
}

#define server_do(client, ...) freeReplyObject(server_ask(client, __VA_ARGS__))

static inline bool server_has(redisContext *client, const char *key)
{
    redisReply *reply = server_ask(client, "EXISTS %s", key);
    bool is = reply->integer == 1;

    freeReplyObject(reply);
    return is;
}

/* How often Redis ran a command since CONFIG RESETSTAT. */
static inline long long server_calls(redisContext *client, const char *command)
{
    redisReply *reply = server_ask(client, "INFO commandstats");
    char name[64];
    const char *at;
    long long calls;

    snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    at = strstr(reply->str, name);
    calls = !at ? 0 : atoll(at + strlen(name));
    freeReplyObject(reply);
    return calls;
}

static inline void server_wait(const struct server *server)
{
    redisContext *client = server_connect(server);

    freeReplyObject(redisCommand(client, "ECHO up")); /* any answer will do */
    redisFree(client);
}

static inline void server_end(struct server *server, int with)
{
    if (server->pid != 0) {
        kill(server->pid, with);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

static inline void server_make(struct server *server)
{
    *server = (struct server){.pid = 0};
    snprintf(server->folder, sizeof server->folder, "/tmp/cellrouter-redis-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof server->socket, "%s/s", server->folder);
    snprintf(server->address, sizeof server->address, "unix:%s", server->socket);
}

static inline void server_remove(struct server *server)
{
    char command[128];

    server_end(server, SIGKILL);
    snprintf(command, sizeof command, "rm -rf '%s'", server->folder);
    assert_int_equal(system(command), 0);
}

#endif
