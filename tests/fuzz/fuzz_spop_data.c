/* tests/fuzz/fuzz_spop_data.c - any bytes are varints, typed data, messages and actions, or not; what was read and is
 * written again is the same bytes, or reads the same where the wire has two spellings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spoe/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[1 << 16];

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void read_varints(const uint8_t *data, size_t size)
{
    struct spop_cursor c = spop_cursor(data, size);
    while (spop_more(&c)) {
        const uint8_t *begin = c.at;
        uint64_t value = spop_read_varint(&c);
        if (c.bad)
            break;
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_varint(&w, value);
        check(w.used == (size_t)(c.at - begin) && memcmp(bytes, begin, w.used) == 0); /* one spelling a value */
    }
}

static bool is_same(const struct spop_data *a, const struct spop_data *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SPOP_NULL: return true;
    case SPOP_BOOL: return a->boolean == b->boolean;
    case SPOP_INT32:
    case SPOP_INT64: return a->integer == b->integer;
    case SPOP_UINT32:
    case SPOP_UINT64: return a->natural == b->natural;
    case SPOP_IPV4: return memcmp(a->ip, b->ip, 4) == 0;
    case SPOP_IPV6: return memcmp(a->ip, b->ip, 16) == 0;
    case SPOP_STRING:
    case SPOP_BINARY:
        return a->text.length == b->text.length &&
               (a->text.length == 0 || memcmp(a->text.at, b->text.at, a->text.length) == 0);
    }
    return false;
}

static void check_data(const struct spop_data *value)
{
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    spop_write_data(&w, value);
    if (w.full)
        return;
    struct spop_cursor c = spop_cursor(bytes, w.used);
    struct spop_data read = spop_read_data(&c);
    check(!c.bad && c.left == 0 && is_same(value, &read));
}

static void read_messages(const uint8_t *data, size_t size)
{
    struct spop_messages m = spop_messages(spop_cursor(data, size));
    struct text_view name, key;
    struct spop_data value;
    while (spop_next_message(&m, &name)) {
        check(name.length <= size);
        while (spop_next_arg(&m, &key, &value))
            check_data(&value);
    }
    check(m.in.bad || m.in.left == 0);
}

static void read_actions(const uint8_t *data, size_t size)
{
    struct spop_cursor c = spop_cursor(data, size);
    struct spop_action action;
    while (spop_next_action(&c, &action)) {
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_actions(&w, &action, 1);
        (void)spop_actions_are_valid(&action, 1, 10);
        check(!w.full || size > sizeof bytes - 64);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_varints(data, size);
    struct spop_cursor c = spop_cursor(data, size);
    while (spop_more(&c)) {
        struct spop_data value = spop_read_data(&c);
        if (!c.bad)
            check_data(&value);
    }
    read_messages(data, size);
    read_actions(data, size);
    return 0;
}
