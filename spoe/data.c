/* spoe/data.c - typed data and the lists made of it, read and written by type; and what HAProxy takes as a variable's
 * name. */
#include "spoe/data.h"

enum {
    TYPE_MASK = 0x0f,
    FLAG_TRUE = 0x10,
    SET_VAR_ARGS = 3,  /* scope, name, value */
    UNSET_VAR_ARGS = 2 /* scope, name */
};

/* HAProxy sends integers as INT64. A negative INT32 of others may come as 32 or as 64 bits. */
static int64_t int32_of(struct spop_cursor *c, uint64_t wire)
{
    if (wire <= UINT32_MAX)
        return (int32_t)(uint32_t)wire;
    int64_t value = (int64_t)wire;
    if (value >= INT32_MIN && value < 0)
        return value;
    c->bad = true;
    return 0;
}

static void read_ip(struct spop_cursor *c, struct spop_data *value, size_t size)
{
    const uint8_t *bytes = spop_take(c, size);
    if (bytes)
        memcpy(value->ip, bytes, size);
}

struct spop_data spop_read_data(struct spop_cursor *c)
{
    uint8_t head = spop_read_u8(c);
    struct spop_data value = {.type = (enum spop_type)(head & TYPE_MASK)};
    switch (value.type) {
    case SPOP_NULL: break;
    case SPOP_BOOL: value.boolean = (head & FLAG_TRUE) != 0; break;
    case SPOP_INT32: value.integer = int32_of(c, spop_read_varint(c)); break;
    case SPOP_UINT32:
        value.natural = spop_read_varint(c);
        c->bad = c->bad || value.natural > UINT32_MAX;
        break;
    case SPOP_INT64: value.integer = (int64_t)spop_read_varint(c); break;
    case SPOP_UINT64: value.natural = spop_read_varint(c); break;
    case SPOP_IPV4: read_ip(c, &value, 4); break;
    case SPOP_IPV6: read_ip(c, &value, 16); break;
    case SPOP_STRING:
    case SPOP_BINARY: value.text = spop_read_text(c); break;
    default: c->bad = true;
    }
    return c->bad ? (struct spop_data){.type = SPOP_NULL} : value;
}

void spop_write_data(struct spop_writer *w, const struct spop_data *value)
{
    uint8_t head = (uint8_t)value->type;
    spop_write_u8(w, value->type == SPOP_BOOL && value->boolean ? head | FLAG_TRUE : head);
    switch (value->type) {
    case SPOP_NULL:
    case SPOP_BOOL: break;
    case SPOP_INT32:
        w->full = w->full || value->integer < INT32_MIN || value->integer > INT32_MAX;
        spop_write_varint(w, (uint64_t)value->integer); /* HAProxy reads 64 bits, whatever the type */
        break;
    case SPOP_INT64: spop_write_varint(w, (uint64_t)value->integer); break;
    case SPOP_UINT32:
        w->full = w->full || value->natural > UINT32_MAX;
        spop_write_varint(w, value->natural);
        break;
    case SPOP_UINT64: spop_write_varint(w, value->natural); break;
    case SPOP_IPV4: spop_write_bytes(w, value->ip, 4); break;
    case SPOP_IPV6: spop_write_bytes(w, value->ip, 16); break;
    case SPOP_STRING:
    case SPOP_BINARY: spop_write_text(w, value->text); break;
    default: w->full = true;
    }
}

bool spop_next_message(struct spop_messages *m, struct text_view *name)
{
    struct text_view skipped_name;
    struct spop_data skipped;
    while (spop_next_arg(m, &skipped_name, &skipped))
        ;
    if (!spop_more(&m->in))
        return false;
    *name = spop_read_text(&m->in);
    m->args_left = spop_read_u8(&m->in);
    return !m->in.bad;
}

bool spop_next_arg(struct spop_messages *m, struct text_view *name, struct spop_data *value)
{
    if (m->args_left == 0 || m->in.bad)
        return false;
    m->args_left--;
    *name = spop_read_text(&m->in);
    if (spop_more(&m->in) && *m->in.at == SPOP_STRING) { /* as spop_read_data does; most arguments are strings */
        spop_take(&m->in, 1);
        value->type = SPOP_STRING;
        value->text = spop_read_text(&m->in);
    } else {
        *value = spop_read_data(&m->in);
    }
    return !m->in.bad;
}

void spop_write_message(struct spop_writer *w, struct text_view name, uint8_t args)
{
    spop_write_text(w, name);
    spop_write_u8(w, args);
}

void spop_write_arg(struct spop_writer *w, struct text_view name, const struct spop_data *value)
{
    spop_write_text(w, name);
    spop_write_data(w, value);
}

/* Length of "proc", "sess", "txn", "req", "res"; 0: no such scope. */
static size_t scope_length(enum spop_scope scope)
{
    switch (scope) {
    case SPOP_PROCESS:
    case SPOP_SESSION: return 4;
    case SPOP_TRANSACTION:
    case SPOP_REQUEST:
    case SPOP_RESPONSE: return 3;
    }
    return 0;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

bool spop_name_is_valid(enum spop_scope scope, size_t prefix_length, struct text_view name)
{
    size_t before = scope_length(scope) + 1 + (prefix_length > 0 ? prefix_length : 1) + 1;
    if (scope_length(scope) == 0 || prefix_length >= SPOP_NAME_MAX || before >= SPOP_NAME_MAX)
        return false;
    if (name.length == 0 || name.length > SPOP_NAME_MAX - before)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!is_name_char(name.at[i]))
            return false;
    return true;
}

bool spop_actions_are_valid(const struct spop_action *actions, size_t n, size_t prefix_length)
{
    for (size_t i = 0; i < n; i++) {
        const struct spop_action *action = &actions[i];
        if (action->kind != SPOP_SET_VAR && action->kind != SPOP_UNSET_VAR)
            return false;
        if (action->kind == SPOP_SET_VAR && action->value.type == SPOP_NULL)
            return false;
        if (!spop_name_is_valid(action->scope, prefix_length, action->name))
            return false;
    }
    return n > 0;
}

void spop_write_actions(struct spop_writer *w, const struct spop_action *actions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct spop_action *action = &actions[i];
        bool sets = action->kind == SPOP_SET_VAR;
        w->full = w->full || scope_length(action->scope) == 0 || (!sets && action->kind != SPOP_UNSET_VAR);
        spop_write_u8(w, (uint8_t)action->kind);
        spop_write_u8(w, sets ? SET_VAR_ARGS : UNSET_VAR_ARGS);
        spop_write_u8(w, (uint8_t)action->scope);
        spop_write_text(w, action->name);
        if (sets)
            spop_write_data(w, &action->value);
    }
}

bool spop_next_action(struct spop_cursor *c, struct spop_action *action)
{
    if (!spop_more(c))
        return false;
    *action = (struct spop_action){.kind = (enum spop_action_kind)spop_read_u8(c)};
    uint8_t args = spop_read_u8(c);
    action->scope = (enum spop_scope)spop_read_u8(c);
    action->name = spop_read_text(c);
    bool sets = action->kind == SPOP_SET_VAR && args == SET_VAR_ARGS;
    bool unsets = action->kind == SPOP_UNSET_VAR && args == UNSET_VAR_ARGS;
    if ((!sets && !unsets) || scope_length(action->scope) == 0)
        c->bad = true;
    if (sets)
        action->value = spop_read_data(c);
    return !c->bad;
}
