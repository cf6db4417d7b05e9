/* spoe/data.h - typed data, the messages of a NOTIFY and the actions of an ACK. Pure; texts and blobs are views.
 * Source: HAProxy doc/SPOE.txt 3.1, 3.2 (LIST-OF-MESSAGES), 3.4. */
#ifndef CELLROUTER_SPOE_DATA_H
#define CELLROUTER_SPOE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/cursor.h"

/* The numbers are those of the wire. */
enum spop_type {
    SPOP_NULL = 0,
    SPOP_BOOL = 1,
    SPOP_INT32 = 2,
    SPOP_UINT32 = 3,
    SPOP_INT64 = 4, /* what HAProxy sends for every integer */
    SPOP_UINT64 = 5,
    SPOP_IPV4 = 6,
    SPOP_IPV6 = 7,
    SPOP_STRING = 8,
    SPOP_BINARY = 9
};

struct spop_data {
    enum spop_type type;
    union {
        bool boolean;          /* BOOL */
        int64_t integer;       /* INT32, INT64 */
        uint64_t natural;      /* UINT32, UINT64 */
        uint8_t ip[16];        /* IPV4: the first 4; IPV6: all; network byte order */
        struct text_view text; /* STRING, BINARY */
    };
};

static inline struct spop_data spop_bool(bool value)
{
    return (struct spop_data){.type = SPOP_BOOL, .boolean = value};
}

static inline struct spop_data spop_int32(int32_t value)
{
    return (struct spop_data){.type = SPOP_INT32, .integer = value};
}

static inline struct spop_data spop_int64(int64_t value)
{
    return (struct spop_data){.type = SPOP_INT64, .integer = value};
}

static inline struct spop_data spop_string(const char *at, size_t length)
{
    return (struct spop_data){.type = SPOP_STRING, .text = {.at = at, .length = length}};
}

/* The next typed data. Types the specification does not know, and numbers too large for their type, make c bad; then
 * the answer is NULL data. */
struct spop_data spop_read_data(struct spop_cursor *c);

/* value's number must fit its type, else w becomes full. */
void spop_write_data(struct spop_writer *w, const struct spop_data *value);

/* The messages of one NOTIFY, read one after the other:
 *     while (spop_next_message(&messages, &name))
 *         while (spop_next_arg(&messages, &key, &value))
 *             …
 * Arguments left unread are skipped. After the loop messages.in.bad tells whether the list was malformed. */
struct spop_messages {
    struct spop_cursor in;
    unsigned args_left; /* of the current message */
};

static inline struct spop_messages spop_messages(struct spop_cursor payload)
{
    return (struct spop_messages){.in = payload};
}

/* False at the end, and when malformed. */
bool spop_next_message(struct spop_messages *m, struct text_view *name);
bool spop_next_arg(struct spop_messages *m, struct text_view *name, struct spop_data *value);

/* Writes the head of a message; exactly args keys with values must follow. */
void spop_write_message(struct spop_writer *w, struct text_view name, uint8_t args);
void spop_write_arg(struct spop_writer *w, struct text_view name, const struct spop_data *value);

/* The numbers are those of the wire. */
enum spop_scope { SPOP_PROCESS = 0, SPOP_SESSION = 1, SPOP_TRANSACTION = 2, SPOP_REQUEST = 3, SPOP_RESPONSE = 4 };
enum spop_action_kind { SPOP_SET_VAR = 1, SPOP_UNSET_VAR = 2 };

struct spop_action {
    enum spop_action_kind kind;
    enum spop_scope scope;
    struct text_view name;  /* without scope and prefix: HAProxy makes it "txn.prefix.name" */
    struct spop_data value; /* of SET_VAR; never NULL data */
};

/* HAProxy builds "scope.prefix.name" in 64 bytes, ending zero included, and silently drops what is longer
 * (src/flt_spoe.c, spoe_set_var). */
enum { SPOP_NAME_MAX = 63 };

/* HAProxy would take this name: of [A-Za-z0-9_.], not empty, and short enough together with its scope and a prefix of
 * prefix_length bytes (0 counts as 1: HAProxy knows no empty prefix). */
bool spop_name_is_valid(enum spop_scope scope, size_t prefix_length, struct text_view name);

/* Every action is one that HAProxy would carry out: name as above, a value for SET_VAR that is not NULL, at least
 * one. */
MUST_USE bool spop_actions_are_valid(const struct spop_action *actions, size_t n, size_t prefix_length);

/* Writes the list. w becomes full also for scopes and kinds that do not exist. */
void spop_write_actions(struct spop_writer *w, const struct spop_action *actions, size_t n);

/* Reads one action, as HAProxy would. False at the end, and when malformed: then c is bad. */
bool spop_next_action(struct spop_cursor *c, struct spop_action *action);

#endif
