/* tests/unit/spoe/test_session_pieces.c - however the bytes of a conversation are cut, the user is told the same,
 * HAProxy gets the same, and it ends the same. */
#include "base/rng.h"
#include "tests/unit/spoe/session_fixture.h"

static const struct spoe_limits limits = {.max_calls = 5, .deadline_ms = 1000};

/* A conversation with everything: handshake, answers at once, held and refused, overload, an unknown frame, an end. */
static void write_conversation(struct wire *wire, unsigned end)
{
    static const char *const names[] = {"now", "hold", "senseless", "huge", "now"};
    wire_init(wire);
    wire_hello(wire, 4000, false);
    for (unsigned i = 0; i < 30; i++)
        wire_notify(wire, i * 300, i, names[i % 5], i % 3 ? "/my-company/project" : "");
    wire_frame(wire, 200, SPOP_FLAG_FIN, 1, 1, "skipped");
    wire_notify(wire, UINT64_MAX, 1, "hold", "/last");
    switch (end) {
    case 0: break;
    case 1: wire_disconnect(wire, SPOP_STATUS_OK); break;
    case 2: wire_frame(wire, SPOP_UNSET, 0, 1, 1, ""); break;
    case 3: spop_write_u32(&wire->w, 4001); break;
    case 4: spop_write_u32(&wire->w, 3); break;
    case 5: wire_frame(wire, SPOP_HAPROXY_HELLO, SPOP_FLAG_FIN, 0, 0, ""); break;
    default: wire_frame(wire, SPOP_NOTIFY, SPOP_FLAG_FIN, 1, 0xff, ""); break; /* an id that the frame cuts */
    }
    if (end > 0)
        wire_notify(wire, 1, 1, "now", "/after the end");
}

/* What came of it, as text. */
static char *converse(const struct wire *wire, size_t (*cut)(struct rng *rng, size_t left), struct rng *rng)
{
    enum spoe_close reason = SPOE_CLOSE_NONE;
    fixture_begin(&limits);
    for (size_t at = 0; at < wire->w.used;) {
        size_t n = cut(rng, wire->w.used - at);
        reason = feed(wire->bytes + at, n);
        at += n;
    }
    reason = spoe_session_close(fixture.session, SPOE_CLOSE_PEER_GONE);
    const struct spoe_counters *c = counters();
    fprintf(fixture.log_out,
            "%s\n%s\nframes %llu/%llu notifies %llu acks %llu overloads %llu bad %llu cancelled %llu\n", take_output(),
            spoe_close_name(reason), (unsigned long long)c->frames_in, (unsigned long long)c->frames_out,
            (unsigned long long)c->notifies, (unsigned long long)c->acks, (unsigned long long)c->overloads,
            (unsigned long long)c->bad_acks, (unsigned long long)c->cancelled);
    fflush(fixture.log_out);
    char *text = strdup(fixture.log);
    assert_non_null(text);
    fixture_end();
    return text;
}

static size_t whole(struct rng *rng, size_t left)
{
    (void)rng;
    return left;
}

static size_t one_byte(struct rng *rng, size_t left)
{
    (void)rng;
    (void)left;
    return 1;
}

static size_t some(struct rng *rng, size_t left)
{
    size_t n = 1 + (size_t)rng_below(rng, 1ull << rng_below(rng, 11));
    return n < left ? n : left;
}

static size_t two_pieces_at; /* of two_pieces: where the cut is */

static size_t two_pieces(struct rng *rng, size_t left)
{
    (void)rng;
    size_t n = two_pieces_at > 0 && two_pieces_at < left ? two_pieces_at : left;
    two_pieces_at = 0;
    return n;
}

static void byte_by_byte(void **state)
{
    (void)state;
    for (unsigned end = 0; end < 7; end++) {
        struct wire wire;
        write_conversation(&wire, end);
        char *expected = converse(&wire, whole, NULL);
        char *seen = converse(&wire, one_byte, NULL);
        assert_string_equal(seen, expected);
        assert_true(end == 0 || !strstr(expected, "after"));
        assert_non_null(strstr(expected, end == 0 ? "peer_gone" : "cancel"));
        free(expected);
        free(seen);
    }
}

static void cut_at_each_byte(void **state)
{
    (void)state;
    struct wire wire;
    write_conversation(&wire, 2);
    char *expected = converse(&wire, whole, NULL);
    for (size_t at = 1; at < wire.w.used; at++) {
        two_pieces_at = at;
        char *seen = converse(&wire, two_pieces, NULL);
        assert_string_equal(seen, expected);
        free(seen);
    }
    free(expected);
}

static void random_pieces(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        struct rng rng = {seed};
        struct wire wire;
        write_conversation(&wire, seed % 7);
        char *expected = converse(&wire, whole, NULL);
        char *seen = converse(&wire, some, &rng);
        if (strcmp(seen, expected) != 0)
            fail_msg("seed %u: \n%s\ninstead of\n%s", seed, seen, expected);
        free(expected);
        free(seen);
    }
}

/* A frame as large as agreed, in pieces: its block has exactly that room. */
static void the_largest_frame_in_pieces(void **state)
{
    (void)state;
    static char value[1000];
    struct wire wire;
    memset(value, 'x', sizeof value);
    for (size_t n = 1; n < 400; n += 7) {
        fixture_begin(&(struct spoe_limits){.max_frame = 512});
        wire_init(&wire);
        wire_hello(&wire, 512, false);
        value[512 - 20] = '\0'; /* head, "now", 1, "path" and the value's own head */
        size_t before = wire.w.used;
        wire_notify(&wire, 1, 1, "now", value);
        assert_int_equal(wire.w.used - before, 4 + 512);
        value[512 - 20] = 'x';
        for (size_t at = 0; at < wire.w.used; at += n)
            assert_reason(feed(wire.bytes + at, n < wire.w.used - at ? n : wire.w.used - at), SPOE_CLOSE_NONE);
        assert_string_equal(take_output(), "hello 512, ack 1/1 cell");
        fixture_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(cut_at_each_byte),
        cmocka_unit_test(random_pieces),
        cmocka_unit_test(the_largest_frame_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
