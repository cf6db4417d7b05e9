/* tests/fuzz/fuzz_spop_frame.c - any bytes are frames, or not; what was read as a HELLO, DISCONNECT or ACK and is
 * written again reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "spoe/frame.h"
#include "spoe/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static struct spop_frame again(const struct spop_writer *w)
{
    struct spop_frame frame = {0};
    struct spop_cursor in = spop_cursor(w->bytes, w->used);
    check(spop_next_frame(&in, UINT32_MAX, &frame) == SPOP_FRAMING_OK && in.left == 0);
    return frame;
}

static void read_hello(struct spop_cursor payload)
{
    struct spop_hello hello, second;
    static uint8_t bytes[1 << 16];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    if (spop_read_agent_hello(payload, &hello) == SPOP_STATUS_OK)
        check(hello.version_2 && hello.frame_size >= SPOP_FRAME_SIZE_MIN);
    if (spop_read_haproxy_hello(payload, &hello) != SPOP_STATUS_OK)
        return;
    check(hello.version_2 && hello.frame_size >= SPOP_FRAME_SIZE_MIN);
    if (!spop_write_haproxy_hello(&w, &hello, sizeof bytes))
        return;
    check(spop_read_haproxy_hello(again(&w).payload, &second) == SPOP_STATUS_OK);
    check(second.frame_size == hello.frame_size && second.healthcheck == hello.healthcheck &&
          second.pipelining == hello.pipelining && second.engine_id.length == hello.engine_id.length);
}

static void read_disconnect(struct spop_cursor payload)
{
    struct spop_disconnect disconnect, second;
    static uint8_t bytes[1 << 16];
    struct spop_writer w = spop_writer(bytes, sizeof bytes);
    if (!spop_read_disconnect(payload, &disconnect) ||
        !spop_write_disconnect(&w, SPOP_AGENT_DISCONNECT, (enum spop_status)disconnect.status, disconnect.text,
                               sizeof bytes))
        return;
    check(spop_read_disconnect(again(&w).payload, &second));
    check(second.status == disconnect.status && second.text.length == disconnect.text.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spop_cursor in = spop_cursor(data, size);
    struct spop_frame frame;
    for (;;) {
        size_t before = in.left;
        enum spop_framing outcome = spop_next_frame(&in, 16380, &frame);
        check(outcome == SPOP_FRAMING_OK ? in.left < before : in.left == before);
        if (outcome != SPOP_FRAMING_OK)
            break;
        check(frame.payload.left < before && !frame.payload.bad);
        read_hello(frame.payload);
        read_disconnect(frame.payload);
    }
    read_hello(spop_cursor(data, size));
    read_disconnect(spop_cursor(data, size));
    return 0;
}
