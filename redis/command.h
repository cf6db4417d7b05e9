/* redis/command.h - commands in RESP, written into one buffer that is used again and again. Pure.
 * Source: https://redis.io/docs/reference/protocol-spec/ */
#ifndef CELLROUTER_REDIS_COMMAND_H
#define CELLROUTER_REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "redis/key.h"

/* {0} is an empty one. bytes[0 … length) is what to send, a zero behind it, unless bad: then memory ran out on the
 * way. */
struct command {
    char *bytes;
    size_t length, room;
    bool bad;
};

/* Twice is safe. */
void command_free(struct command *command);

/* Begins a new command of so many arguments, the command's name counted; each must then be written. */
void command_begin(struct command *command, unsigned arguments);
void command_bytes(struct command *command, const void *bytes, size_t n);
void command_text(struct command *command, const char *text);
void command_number(struct command *command, uint64_t number);
void command_key(struct command *command, const struct route_name *name);
void command_tombstone(struct command *command, const struct route_name *name);

/* A whole command of texts, the last one followed by NULL. */
void command_of(struct command *command, ...) __attribute__((sentinel));

#endif
