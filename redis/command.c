/* redis/command.c - RESP out: every argument is a bulk string, so that no byte of it can mean anything. */
#include "redis/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 512 };

void command_free(struct command *command)
{
    free(command->bytes);
    *command = (struct command){0};
}

/* Where n more bytes go, or NULL. Behind them is a zero: hiredis 0.14 looks for '$' with strchr(). */
static char *grow(struct command *command, size_t n)
{
    char *at;

    if (command->bad)
        return NULL;
    if (n >= command->room - command->length) {
        size_t room = (command->length + n) * 2 + FIRST_ROOM;
        char *bytes = realloc(command->bytes, room);

        if (!bytes) {
            command->bad = true;
            return NULL;
        }
        command->bytes = bytes;
        command->room = room;
    }
    at = command->bytes + command->length;
    command->length += n;
    command->bytes[command->length] = '\0';
    return at;
}

static void append(struct command *command, const void *bytes, size_t n)
{
    char *at = grow(command, n);

    if (at && n != 0)
        memcpy(at, bytes, n);
}

/* "*3\r\n" or "$3\r\n". */
static void head(struct command *command, char kind, size_t number)
{
    char text[24];
    size_t i = sizeof text;

    text[--i] = '\n';
    text[--i] = '\r';
    do {
        text[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    text[--i] = kind;
    append(command, text + i, sizeof text - i);
}

void command_begin(struct command *command, unsigned arguments)
{
    command->length = 0;
    command->bad = false;
    head(command, '*', arguments);
}

void command_bytes(struct command *command, const void *bytes, size_t n)
{
    head(command, '$', n);
    append(command, bytes, n);
    append(command, "\r\n", 2);
}

void command_text(struct command *command, const char *text)
{
    command_bytes(command, text, strlen(text));
}

void command_number(struct command *command, uint64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, number);

    command_bytes(command, text, (size_t)n);
}

static void add_key(struct command *command, size_t n, void (*write)(const struct route_name *, char *),
                    const struct route_name *name)
{
    char *at;

    head(command, '$', n);
    at = grow(command, n);
    if (at)
        write(name, at);
    append(command, "\r\n", 2);
}

void command_key(struct command *command, const struct route_name *name)
{
    add_key(command, key_length(name), key_write, name);
}

void command_tombstone(struct command *command, const struct route_name *name)
{
    add_key(command, key_tombstone_length(name), key_write_tombstone, name);
}

void command_of(struct command *command, ...)
{
    unsigned count = 0;
    va_list texts;

    va_start(texts, command);
    while (va_arg(texts, const char *))
        count++;
    va_end(texts);
    command_begin(command, count);
    va_start(texts, command);
    for (unsigned i = 0; i < count; i++)
        command_text(command, va_arg(texts, const char *));
    va_end(texts);
}
