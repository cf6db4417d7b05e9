/* spoe/cursor.c - what is too long to be inline: varints of more than one byte, texts, and bytes. */
#include "spoe/cursor.h"

/* 4 bits are in the first byte and 7 in each further one, all of them *added*, so that every value has one encoding
 * only. The last byte is the one below 128. */
uint64_t spop_read_more(struct spop_cursor *c, uint8_t first)
{
    uint64_t value = first;
    for (unsigned shift = 4; shift <= 60; shift += 7) {
        uint8_t byte = spop_read_u8(c);
        uint64_t part = (uint64_t)byte << shift;
        if (part >> shift != byte || __builtin_add_overflow(value, part, &value))
            break;
        if (byte < 128)
            return c->bad ? 0 : value;
    }
    c->bad = true;
    return 0;
}

struct text_view spop_read_any_text(struct spop_cursor *c)
{
    uint64_t length = spop_read_varint(c);
    if (length > c->left) {
        c->bad = true;
        return (struct text_view){0};
    }
    const uint8_t *at = spop_take(c, (size_t)length);
    return at ? (struct text_view){.at = (const char *)at, .length = (size_t)length} : (struct text_view){0};
}

void spop_write_long(struct spop_writer *w, uint64_t value)
{
    uint8_t bytes[SPOP_VARINT_MAX];
    size_t n = 0;
    bytes[n++] = (uint8_t)(value | SPOP_VARINT_LONG);
    value = (value - SPOP_VARINT_LONG) >> 4;
    while (value >= 128) {
        bytes[n++] = (uint8_t)(value | 128);
        value = (value - 128) >> 7;
    }
    bytes[n++] = (uint8_t)value;
    spop_write_bytes(w, bytes, n);
}

void spop_write_bytes(struct spop_writer *w, const void *bytes, size_t n)
{
    uint8_t *room = n > 0 ? spop_reserve(w, n) : NULL;
    if (room)
        memcpy(room, bytes, n);
}

void spop_write_text(struct spop_writer *w, struct text_view text)
{
    spop_write_varint(w, text.length);
    spop_write_bytes(w, text.at, text.length);
}
