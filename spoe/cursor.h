/* spoe/cursor.h - reading and writing the bytes of SPOP within bounds. Both sides remember the first failure: a chain of
 * calls is checked once, at its end. Nothing is allocated or kept; views point into the caller's bytes.
 * Source: HAProxy doc/SPOE.txt 3.1; varints as in HAProxy include/haproxy/intops.h. */
#ifndef CELLROUTER_SPOE_CURSOR_H
#define CELLROUTER_SPOE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Longest varint: 4 bits in the first byte, then 7 a byte. */
enum { SPOP_VARINT_MAX = 10 };

/* A view of bytes that somebody else owns; no ending zero. at may be NULL when length is 0. */
struct spop_text {
    const char *at;
    size_t length;
};

#define SPOP_TEXT(literal) ((struct spop_text){.at = "" literal, .length = sizeof(literal) - 1})

/* Exact comparison, by length too. word ends in a zero. */
static inline bool spop_text_is(struct spop_text text, const char *word)
{
    return strlen(word) == text.length && (text.length == 0 || memcmp(text.at, word, text.length) == 0);
}

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
const uint8_t *spop_take(struct spop_cursor *c, size_t n);

uint8_t spop_read_u8(struct spop_cursor *c);
uint32_t spop_read_u32(struct spop_cursor *c); /* network byte order */

/* Bad also when it does not fit 64 bits. */
uint64_t spop_read_varint(struct spop_cursor *c);

/* A varint length and that many bytes: <STRING> of the specification without its type. */
struct spop_text spop_read_text(struct spop_cursor *c);

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

void spop_write_u8(struct spop_writer *w, uint8_t value);
void spop_write_u32(struct spop_writer *w, uint32_t value); /* network byte order */
void spop_write_varint(struct spop_writer *w, uint64_t value);
void spop_write_bytes(struct spop_writer *w, const void *bytes, size_t n);
void spop_write_text(struct spop_writer *w, struct spop_text text);

#endif
