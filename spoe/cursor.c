/* spoe/cursor.c - see the header. */
#include "spoe/cursor.h"

const uint8_t *spop_take(struct spop_cursor *c, size_t n)
{
    if (c->bad || n > c->left) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *bytes = c->at;
    if (n > 0)
        c->at += n;
    c->left -= n;
    return bytes;
}

uint8_t spop_read_u8(struct spop_cursor *c)
{
    const uint8_t *byte = spop_take(c, 1);
    return byte ? *byte : 0;
}

uint32_t spop_read_u32(struct spop_cursor *c)
{
    const uint8_t *b = spop_take(c, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* Below 240 it is the value. Else 4 bits are in the first byte and 7 in each further one, all of them *added*, so that every
 * value has one encoding only. The last byte is the one below 128. */
uint64_t spop_read_varint(struct spop_cursor *c)
{
    uint64_t value = spop_read_u8(c);
    if (value < 240)
        return value;
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

struct spop_text spop_read_text(struct spop_cursor *c)
{
    uint64_t length = spop_read_varint(c);
    if (length > c->left) {
        c->bad = true;
        return (struct spop_text){0};
    }
    const uint8_t *at = spop_take(c, (size_t)length);
    return at ? (struct spop_text){.at = (const char *)at, .length = (size_t)length} : (struct spop_text){0};
}

/* Room for n bytes, or NULL. */
static uint8_t *reserve(struct spop_writer *w, size_t n)
{
    if (w->full || n > w->size - w->used) {
        w->full = true;
        return NULL;
    }
    uint8_t *room = w->bytes + w->used;
    w->used += n;
    return room;
}

void spop_write_u8(struct spop_writer *w, uint8_t value)
{
    uint8_t *room = reserve(w, 1);
    if (room)
        *room = value;
}

void spop_write_u32(struct spop_writer *w, uint32_t value)
{
    uint8_t *room = reserve(w, 4);
    if (!room)
        return;
    room[0] = (uint8_t)(value >> 24);
    room[1] = (uint8_t)(value >> 16);
    room[2] = (uint8_t)(value >> 8);
    room[3] = (uint8_t)value;
}

void spop_write_varint(struct spop_writer *w, uint64_t value)
{
    uint8_t bytes[SPOP_VARINT_MAX];
    size_t n = 0;
    if (value < 240) {
        bytes[n++] = (uint8_t)value;
    } else {
        bytes[n++] = (uint8_t)(value | 240);
        value = (value - 240) >> 4;
        while (value >= 128) {
            bytes[n++] = (uint8_t)(value | 128);
            value = (value - 128) >> 7;
        }
        bytes[n++] = (uint8_t)value;
    }
    spop_write_bytes(w, bytes, n);
}

void spop_write_bytes(struct spop_writer *w, const void *bytes, size_t n)
{
    uint8_t *room = n > 0 ? reserve(w, n) : NULL;
    if (room)
        memcpy(room, bytes, n);
}

void spop_write_text(struct spop_writer *w, struct spop_text text)
{
    spop_write_varint(w, text.length);
    spop_write_bytes(w, text.at, text.length);
}
