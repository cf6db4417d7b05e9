/* tests/unit/spoe/wire.h - bytes as they come from HAProxy, and inputs of exact size on the heap, so that the sanitizer
 * sees a read of one byte too many. */
#ifndef CELLROUTER_TESTS_UNIT_SPOE_WIRE_H
#define CELLROUTER_TESTS_UNIT_SPOE_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spoe/frame.h"
#include "spoe/hello.h"

/* HAPROXY-HELLO as HAProxy 2.6.12 sent it; 3.2.26 sent the same. */
static const uint8_t hello_2_6[] = "\0\0\0\x7b\x01\0\0\0\x01\0\0"
                                   "\x12supported-versions\x08\x03"
                                   "2.0"
                                   "\x0emax-frame-size\x03\xfc\xf0\x06"
                                   "\x0c"
                                   "capabilities\x08\x0apipelining"
                                   "\x09"
                                   "engine-id\x08\x24"
                                   "a3364468-8ea8-4256-82c7-0ebad8ebd8e4";
enum { HELLO_2_6_SIZE = sizeof hello_2_6 - 1 };

static inline uint8_t *exact_copy(const void *bytes, size_t n)
{
    uint8_t *copy = malloc(n); /* of no bytes: none may be read */
    if (n > 0) {
        assert_non_null(copy);
        memcpy(copy, bytes, n);
    }
    return copy;
}

/* A growing stream of frames, written with the code under test's own writers, which test_frame checks byte by byte. */
struct wire {
    uint8_t bytes[65536];
    struct spop_writer w;
};

static inline void wire_init(struct wire *wire)
{
    wire->w = spop_writer(wire->bytes, sizeof wire->bytes);
}

static inline void wire_hello(struct wire *wire, uint32_t frame_size, bool healthcheck)
{
    struct spop_hello hello = {
        .version_2 = true, .frame_size = frame_size, .pipelining = true, .healthcheck = healthcheck};
    assert_true(spop_write_haproxy_hello(&wire->w, &hello, 16380));
}

/* A NOTIFY with one message of this name and one argument. */
static inline void wire_notify(struct wire *wire, uint64_t stream_id, uint64_t frame_id, const char *name,
                               const char *value)
{
    struct spop_data data = spop_string(value, strlen(value));
    size_t begin = spop_begin_frame(&wire->w, SPOP_NOTIFY, stream_id, frame_id);
    spop_write_message(&wire->w, (struct text_view){.at = name, .length = strlen(name)}, 1);
    spop_write_arg(&wire->w, TEXT_VIEW("path"), &data);
    assert_true(spop_end_frame(&wire->w, begin, 65000));
}

static inline void wire_disconnect(struct wire *wire, enum spop_status status)
{
    assert_true(
        spop_write_disconnect(&wire->w, SPOP_HAPROXY_DISCONNECT, status, TEXT_VIEW("a timeout occurred"), 16380));
}

/* Any frame; flags and payload as they are. */
static inline void wire_frame(struct wire *wire, uint8_t type, uint32_t flags, uint8_t stream_id, uint8_t frame_id,
                              const char *payload)
{
    size_t n = strlen(payload);
    spop_write_u32(&wire->w, (uint32_t)(SPOP_FRAME_MIN + n));
    spop_write_u8(&wire->w, type);
    spop_write_u32(&wire->w, flags);
    spop_write_u8(&wire->w, stream_id);
    spop_write_u8(&wire->w, frame_id);
    spop_write_bytes(&wire->w, payload, n);
    assert_false(wire->w.full);
}

/* One frame of an agent as text: "hello 16380", "ack 5/1 cell" (the first action's name), "disconnect 4". Returns its
 * length. */
static inline size_t describe_frame(struct spop_frame frame, char *text, size_t size)
{
    struct spop_hello hello;
    struct spop_disconnect disconnect;
    struct spop_action action;
    int n = -1;
    if (frame.type == SPOP_AGENT_HELLO && spop_read_agent_hello(frame.payload, &hello) == SPOP_STATUS_OK)
        n = snprintf(text, size, "hello %u", (unsigned)hello.frame_size);
    else if (frame.type == SPOP_ACK && spop_next_action(&frame.payload, &action))
        n = snprintf(text, size, "ack %llu/%llu %.*s", (unsigned long long)frame.stream_id,
                     (unsigned long long)frame.frame_id, (int)action.name.length, action.name.at);
    else if (frame.type == SPOP_AGENT_DISCONNECT && spop_read_disconnect(frame.payload, &disconnect))
        n = snprintf(text, size, "disconnect %u", (unsigned)disconnect.status);
    if (n < 0 || (size_t)n >= size)
        fail_msg("a frame that no agent sends, or too many: type %d", (int)frame.type);
    return (size_t)n;
}

/* All whole frames as text, with ", " between. Returns how many bytes they were. */
static inline size_t describe_frames(const uint8_t *bytes, size_t n, char *text, size_t size)
{
    struct spop_cursor in = spop_cursor(bytes, n);
    struct spop_frame frame;
    size_t length = 0;
    text[0] = '\0';
    while (spop_next_frame(&in, 1 << 20, &frame) == SPOP_FRAMING_OK) {
        if (length > 0)
            length += (size_t)snprintf(text + length, size - length, ", ");
        length += describe_frame(frame, text + length, size - length);
    }
    return n - in.left;
}

#define assert_text(text, word) \
    do { \
        struct text_view text_ = (text); \
        if (!text_view_is(text_, word)) \
            fail_msg("\"%.*s\" instead of \"%s\"", (int)text_.length, text_.at ? text_.at : "", word); \
    } while (0)

#endif
