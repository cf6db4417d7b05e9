/* spoe/frame.c - the envelope of a frame: taken off whole or not at all; written with its length filled in at the
 * end. */
#include "spoe/frame.h"

enum spop_framing spop_next_frame(struct spop_cursor *in, uint32_t max, struct spop_frame *frame)
{
    struct spop_cursor look = *in;
    uint32_t length = spop_read_u32(&look);
    if (look.bad)
        return in->bad ? SPOP_FRAMING_BAD : SPOP_FRAMING_SHORT;
    if (length > max)
        return SPOP_FRAMING_TOO_BIG;
    if (length < SPOP_FRAME_MIN)
        return SPOP_FRAMING_BAD;
    if (length > look.left)
        return SPOP_FRAMING_SHORT;

    struct spop_cursor body = spop_cursor(spop_take(&look, length), length);
    struct spop_frame read = {.type = (enum spop_frame_type)spop_read_u8(&body)};
    read.flags = spop_read_u32(&body);
    read.stream_id = spop_read_varint(&body);
    read.frame_id = spop_read_varint(&body);
    if (body.bad)
        return SPOP_FRAMING_BAD;
    read.payload = body;
    *frame = read;
    *in = look;
    return SPOP_FRAMING_OK;
}

size_t spop_begin_frame(struct spop_writer *w, enum spop_frame_type type, uint64_t stream_id, uint64_t frame_id)
{
    const uint8_t head[] = {0, 0, 0, 0, (uint8_t)type, 0, 0, 0, SPOP_FLAG_FIN};
    size_t begin = w->used;
    uint8_t *room = spop_reserve(w, sizeof head);
    if (room)
        memcpy(room, head, sizeof head);
    spop_write_varint(w, stream_id);
    spop_write_varint(w, frame_id);
    return begin;
}

bool spop_end_frame(struct spop_writer *w, size_t begin, uint32_t max)
{
    size_t length = w->used - begin - SPOP_LENGTH_SIZE;
    if (w->full || length > max) {
        w->used = begin;
        w->full = false;
        return false;
    }
    struct spop_writer head = spop_writer(w->bytes + begin, SPOP_LENGTH_SIZE);
    spop_write_u32(&head, (uint32_t)length);
    return true;
}

bool spop_write_ack(struct spop_writer *w, uint64_t stream_id, uint64_t frame_id, const struct spop_action *actions,
                    size_t n, uint32_t max)
{
    size_t begin = spop_begin_frame(w, SPOP_ACK, stream_id, frame_id);
    spop_write_actions(w, actions, n);
    return spop_end_frame(w, begin, max);
}
