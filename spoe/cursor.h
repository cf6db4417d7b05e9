/* spoe/cursor.h - reading and writing the bytes of SPOP within bounds. Both sides remember the first failure: a chain
 * of calls is checked once, at its end. Nothing is allocated or kept; views point into the caller's bytes. What a
 * NOTIFY needs for each of its few bytes is inline. Source: HAProxy doc/SPOE.txt 3.1; varints as in HAProxy
 * include/haproxy/intops.h. */
#ifndef CELLROUTER_SPOE_CURSOR_H
#define CELLROUTER_SPOE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text_view.h"

enum {
    SPOP_VARINT_MAX = 10,  /* bytes of the longest varint: 4 bits in the first one, then 7 a byte */
    SPOP_VARINT_LONG = 240 /* numbers below are one byte */
};

/* Reads; bad once anything was short or senseless, and then every read yields zeros. */
struct spop_cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static inline struct spop_cursor spop_cursor(const void *bytes, size_t n)
{
    return (struct spop_cursor){.at = bytes, .left = n};
}

/* There is something to read. False once bad. */
static inline bool spop_more(const struct spop_cursor *c)
{
    return !c->bad && c->left > 0;
}

/* The next n bytes, or NULL (also for n = 0 once bad). */
static inline const uint8_t *spop_take(struct spop_cursor *c, size_t n)
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

static inline uint8_t spop_read_u8(struct spop_cursor *c)
{
    const uint8_t *byte = spop_take(c, 1);
    return byte ? *byte : 0;
}

/* Network byte order. */
static inline uint32_t spop_read_u32(struct spop_cursor *c)
{
    const uint8_t *b = spop_take(c, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* The rest of a varint that began with this byte, 240 or more. */
uint64_t spop_read_more(struct spop_cursor *c, uint8_t first);

/* Bad also when it does not fit 64 bits. */
static inline uint64_t spop_read_varint(struct spop_cursor *c)
{
    uint8_t first = spop_read_u8(c);
    return first < SPOP_VARINT_LONG ? first : spop_read_more(c, first);
}

/* Goes behind the next n bytes if they are these; else false, and nothing is read. */
static inline bool spop_pass(struct spop_cursor *c, const void *bytes, size_t n)
{
    if (c->bad || n > c->left || memcmp(c->at, bytes, n) != 0)
        return false;
    c->at += n;
    c->left -= n;
    return true;
}

/* spop_read_text without its short cut: also for lengths of more than one byte, and for what is short or bad. */
struct text_view spop_read_any_text(struct spop_cursor *c);

/* A varint length and that many bytes: <STRING> of the specification without its type. */
static inline struct text_view spop_read_text(struct spop_cursor *c)
{
    if (c->bad || c->left == 0 || *c->at >= SPOP_VARINT_LONG || *c->at >= c->left)
        return spop_read_any_text(c);
    struct text_view text = {.at = (const char *)c->at + 1, .length = *c->at};
    c->at += 1 + text.length;
    c->left -= 1 + text.length;
    return text;
}

/* Writes up to size bytes; full once something did not fit, and then nothing more is written. */
struct spop_writer {
    uint8_t *bytes;
    size_t size, used;
    bool full;
};

static inline struct spop_writer spop_writer(void *bytes, size_t size)
{
    return (struct spop_writer){.bytes = bytes, .size = size};
}

/* Room for n bytes, or NULL. */
static inline uint8_t *spop_reserve(struct spop_writer *w, size_t n)
{
    if (w->full || n > w->size - w->used) {
        w->full = true;
        return NULL;
    }
    uint8_t *room = w->bytes + w->used;
    w->used += n;
    return room;
}

static inline void spop_write_u8(struct spop_writer *w, uint8_t value)
{
    uint8_t *room = spop_reserve(w, 1);
    if (room)
        *room = value;
}

/* Network byte order. */
static inline void spop_write_u32(struct spop_writer *w, uint32_t value)
{
    uint8_t *room = spop_reserve(w, 4);
    if (!room)
        return;
    room[0] = (uint8_t)(value >> 24);
    room[1] = (uint8_t)(value >> 16);
    room[2] = (uint8_t)(value >> 8);
    room[3] = (uint8_t)value;
}

/* A varint of 240 or more. */
void spop_write_long(struct spop_writer *w, uint64_t value);

static inline void spop_write_varint(struct spop_writer *w, uint64_t value)
{
    if (value < SPOP_VARINT_LONG)
        spop_write_u8(w, (uint8_t)value);
    else
        spop_write_long(w, value);
}

/* n bytes as they are; bytes may be NULL when n is 0. */
void spop_write_bytes(struct spop_writer *w, const void *bytes, size_t n);

/* A varint with the length, and the bytes: <STRING> of the specification without its type. */
void spop_write_text(struct spop_writer *w, struct text_view text);

#endif
