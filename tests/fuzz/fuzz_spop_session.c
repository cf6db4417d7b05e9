/* tests/fuzz/fuzz_spop_session.c - a session with any bytes, in one piece and in pieces: the same output, the same end,
 * every NOTIFY answered or cancelled once, every frame sent well-formed. The first 8 bytes of the input choose the
 * pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "spoe/frame.h"
#include "spoe/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_CALLS = 4, OUTPUT_MAX = 1 << 18 };

/* What one run of the session did. */
struct run {
    struct spoe_call *held[MAX_CALLS];
    size_t held_count;
    uint64_t notified, cancelled;
    enum spoe_close reason;
    struct spoe_counters counters;
    size_t output_length;
    uint8_t output[OUTPUT_MAX];
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void answer(struct spoe_call *call, uint64_t id)
{
    struct spop_action action = {SPOP_SET_VAR, SPOP_TRANSACTION, TEXT_VIEW("cell"), spop_int64((int64_t)id)};
    if (id % 5 == 0)
        action.name = TEXT_VIEW("not a name");
    struct spoe_prepared prepared;
    if (id % 2 == 0 || !spoe_prepare(&prepared, &action, 1))
        spoe_call_ack(call, &action, 1);
    else
        spoe_call_ack_prepared(call, &prepared);
}

/* What happens to a NOTIFY depends on its ids only, so that the pieces make no difference. */
static void on_notify(void *user, struct spoe_notify *batch, size_t n)
{
    struct run *run = user;
    for (size_t i = 0; i < n; i++) {
        struct text_view name, key;
        struct spop_data value;
        while (spop_next_message(&batch[i].messages, &name))
            while (spop_next_arg(&batch[i].messages, &key, &value))
                ;
        run->notified++;
        if (batch[i].frame_id % 3 == 0) {
            check(run->held_count < MAX_CALLS);
            run->held[run->held_count++] = batch[i].call;
        } else {
            answer(batch[i].call, batch[i].stream_id);
        }
        if (batch[i].frame_id % 7 == 0 && run->held_count > 0)
            answer(run->held[--run->held_count], 1);
    }
}

static void on_cancel(void *user, struct spoe_call *call, enum spoe_cancel why)
{
    struct run *run = user;
    (void)why;
    size_t i = 0;
    while (i < run->held_count && run->held[i] != call)
        i++;
    check(i < run->held_count);
    run->held[i] = run->held[--run->held_count];
    run->cancelled++;
}

static void collect(struct spoe_session *s, struct run *run)
{
    struct spoe_bytes pieces[64];
    size_t n;
    while ((n = spoe_session_output(s, pieces, 64)) > 0) {
        size_t taken = 0;
        for (size_t i = 0; i < n; i++) {
            check(run->output_length + pieces[i].length <= OUTPUT_MAX);
            memcpy(run->output + run->output_length, pieces[i].at, pieces[i].length);
            run->output_length += pieces[i].length;
            taken += pieces[i].length;
        }
        spoe_session_sent(s, taken, 0);
    }
}

static void converse(struct run *run, const uint8_t *data, size_t size, struct rng *pieces)
{
    static const struct spop_action unknown = {
        SPOP_SET_VAR, SPOP_TRANSACTION, {"learn", 5}, {.type = SPOP_BOOL, .boolean = true}};
    const struct spoe_limits limits = {.max_calls = MAX_CALLS, .max_frame = 1024, .deadline_ms = 1000};
    struct spoe_handler handler = {
        .user = run, .on_notify = on_notify, .on_cancel = on_cancel, .unknown = &unknown, .unknown_count = 1};
    struct spoe_common *common = spoe_common_new(&limits, &handler, NULL);
    struct spoe_session *s = common ? spoe_session_new(common, NULL, 1, 0) : NULL;
    check(s);
    memset(run, 0, offsetof(struct run, output));
    for (size_t at = 0; at < size;) {
        size_t left = size - at, n = left;
        if (pieces)
            n = 1 + (size_t)rng_below(pieces, 1ull << rng_below(pieces, 10));
        n = n < left ? n : left;
        uint8_t *exact = malloc(n);
        check(exact);
        memcpy(exact, data + at, n);
        (void)!spoe_session_feed(s, exact, n, 0);
        free(exact);
        at += n;
    }
    (void)!spoe_session_tick(s, 1000);
    run->reason = spoe_session_close(s, SPOE_CLOSE_PEER_GONE);
    collect(s, run);
    run->counters = *spoe_common_counters(common);
    check(run->counters.notifies == run->counters.acks + run->counters.cancelled);
    check(run->held_count == 0 && run->counters.calls_now == 0);
    spoe_session_free(s);
    spoe_common_free(common);
}

static void check_output(const struct run *run)
{
    struct spop_cursor in = spop_cursor(run->output, run->output_length);
    struct spop_frame frame;
    while (in.left > 0) {
        check(spop_next_frame(&in, 1024, &frame) == SPOP_FRAMING_OK);
        struct spop_action action;
        if (frame.type == SPOP_ACK)
            check(spop_next_action(&frame.payload, &action));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, cut;
    struct rng pieces = {0};
    if (size < sizeof pieces.state || size > 16384)
        return 0;
    memcpy(&pieces.state, data, sizeof pieces.state);
    data += sizeof pieces.state;
    size -= sizeof pieces.state;
    converse(&whole, data, size, NULL);
    converse(&cut, data, size, &pieces);
    check_output(&whole);
    check(whole.reason == cut.reason);
    check(whole.notified == cut.notified && whole.cancelled == cut.cancelled);
    check(whole.counters.frames_in == cut.counters.frames_in && whole.counters.overloads == cut.counters.overloads);
    check(whole.output_length == cut.output_length);
    check(memcmp(whole.output, cut.output, whole.output_length) == 0);
    return 0;
}
