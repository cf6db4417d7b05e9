/* tests/unit/spoe/test_cursor.c - reading and writing within bounds: every varint, every truncation. */
#include "tests/unit/spoe/wire.h"

/* Values at both ends of each length, from the table of doc/SPOE.txt 3.1 and, beyond it, by the same rule. */
static const struct {
    uint64_t value;
    size_t size;
} varints[] = {
    {0, 1},
    {1, 1},
    {239, 1},
    {240, 2},
    {2287, 2},
    {2288, 3},
    {264431, 3},
    {264432, 4},
    {33818863, 4},
    {33818864, 5},
    {4328786159, 5},
    {4328786160, 6},
    {INT64_MAX, 10},
    {(uint64_t)INT64_MIN, 10},
    {UINT64_MAX - 1, 10},
    {UINT64_MAX, 10},
};
enum { VARINTS = sizeof varints / sizeof varints[0] };

static void varints_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARINTS; i++) {
        uint8_t bytes[SPOP_VARINT_MAX];
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_varint(&w, varints[i].value);
        assert_false(w.full);
        assert_int_equal(w.used, varints[i].size);
        uint8_t *copy = exact_copy(bytes, w.used);
        struct spop_cursor c = spop_cursor(copy, w.used);
        assert_true(spop_read_varint(&c) == varints[i].value);
        assert_false(c.bad);
        assert_int_equal(c.left, 0);
        free(copy);
    }
}

static void varints_as_haproxy_writes_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *bytes;
    } known[] = {{239, "\xef"}, {240, "\xf0\x00"}, {16380, "\xfc\xf0\x06"}, {4328786160, "\xf0\xf0\xff\xff\x7f\x00"}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[SPOP_VARINT_MAX];
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_varint(&w, known[i].value);
        assert_memory_equal(bytes, known[i].bytes, w.used);
    }
}

static void cut_varints_are_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARINTS; i++) {
        uint8_t bytes[SPOP_VARINT_MAX];
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_varint(&w, varints[i].value);
        for (size_t n = 0; n < w.used; n++) {
            uint8_t *copy = exact_copy(bytes, n);
            struct spop_cursor c = spop_cursor(copy, n);
            assert_true(spop_read_varint(&c) == 0);
            assert_true(c.bad);
            free(copy);
        }
    }
}

static void varints_beyond_64_bits_are_bad(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", /* one byte too many */
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x10",     /* a bit is lost */
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f",     /* the sum is */
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00", /* it does not end in time */
    };
    for (size_t i = 0; i < 4; i++) {
        size_t n = i == 0 || i == 3 ? 11 : 10;
        uint8_t *copy = exact_copy(wrong[i], n);
        struct spop_cursor c = spop_cursor(copy, n);
        assert_true(spop_read_varint(&c) == 0);
        assert_true(c.bad);
        free(copy);
    }
}

static void a_bad_cursor_stays_bad(void **state)
{
    (void)state;
    uint8_t *copy = exact_copy("\x01\x02\x03", 3);
    struct spop_cursor c = spop_cursor(copy, 3);
    assert_int_equal(spop_read_u32(&c), 0);
    assert_true(c.bad);
    assert_int_equal(spop_read_u8(&c), 0);
    assert_true(spop_read_varint(&c) == 0);
    assert_null(spop_take(&c, 0));
    assert_int_equal(spop_read_text(&c).length, 0);
    assert_false(spop_more(&c));
    free(copy);
}

static void numbers_are_in_network_order(void **state)
{
    (void)state;
    uint8_t bytes[4];
    struct spop_writer w = spop_writer(bytes, 4);
    spop_write_u32(&w, 0x01020304);
    assert_memory_equal(bytes, "\1\2\3\4", 4);
    struct spop_cursor c = spop_cursor(bytes, 4);
    assert_int_equal(spop_read_u32(&c), 0x01020304);
}

static void bytes_are_passed_only_when_they_are_all_there(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 4; n++) {
        uint8_t *copy = exact_copy("\x01\x02\x03\x04", n);
        struct spop_cursor c = spop_cursor(copy, n);
        assert_false(spop_pass(&c, "\x01\x03", 2));
        assert_int_equal(c.left, n);
        assert_int_equal(spop_pass(&c, "\x01\x02\x03", 3), n >= 3);
        assert_int_equal(c.left, n >= 3 ? n - 3 : n);
        assert_false(c.bad);
        c.bad = true;
        assert_false(spop_pass(&c, "\x04", 1));
        free(copy);
    }
}

static void texts_are_bounded_by_what_is_left(void **state)
{
    (void)state;
    static const uint8_t text[] = "\x05hello";
    for (size_t n = 0; n <= 6; n++) {
        uint8_t *copy = exact_copy(text, n);
        struct spop_cursor c = spop_cursor(copy, n);
        struct text_view read = spop_read_text(&c);
        assert_int_equal(c.bad, n < 6);
        assert_true(text_view_is(read, n < 6 ? "" : "hello"));
        free(copy);
    }
    static const uint8_t huge[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0ehello"; /* nearly 2^64 bytes */
    uint8_t *copy = exact_copy(huge, sizeof huge - 1);
    struct spop_cursor c = spop_cursor(copy, sizeof huge - 1);
    assert_null(spop_read_text(&c).at);
    assert_true(c.bad);
    free(copy);
}

/* 240 and more need a length of two bytes. */
static void texts_of_all_lengths_come_back(void **state)
{
    (void)state;
    static const char zeros[600];
    for (size_t length = 0; length < sizeof zeros; length++) {
        uint8_t bytes[700] = {0};
        struct spop_writer w = spop_writer(bytes, sizeof bytes);
        spop_write_text(&w, (struct text_view){.at = zeros, .length = length});
        for (size_t less = 0; less < 2; less++) {
            uint8_t *copy = exact_copy(bytes, w.used - less);
            struct spop_cursor c = spop_cursor(copy, w.used - less);
            struct text_view read = spop_read_text(&c);
            assert_int_equal(c.bad, less > 0);
            assert_int_equal(read.length, less > 0 ? 0 : length);
            assert_int_equal(c.bad ? 0 : c.left, 0);
            free(copy);
        }
    }
}

static void an_empty_text_is_fine(void **state)
{
    (void)state;
    uint8_t *copy = exact_copy("\0", 1);
    struct spop_cursor c = spop_cursor(copy, 1);
    assert_text(spop_read_text(&c), "");
    assert_false(c.bad);
    free(copy);
    c = spop_cursor(NULL, 0);
    assert_false(spop_more(&c));
    assert_null(spop_take(&c, 0));
    assert_false(c.bad);
}

static void a_writer_never_passes_its_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < 20; size++) {
        uint8_t *bytes = exact_copy("********************", size);
        struct spop_writer w = spop_writer(bytes, size);
        spop_write_u32(&w, 7);
        spop_write_varint(&w, UINT64_MAX);
        spop_write_text(&w, TEXT_VIEW("abcd"));
        spop_write_u8(&w, 1);
        assert_true(w.full);
        assert_in_range(w.used, 0, size);
        size_t used = w.used;
        spop_write_bytes(&w, "", 0);
        spop_write_u8(&w, 1); /* nothing more once full, though it may fit */
        assert_int_equal(w.used, used);
        free(bytes);
    }
}

static void an_exact_fit_is_not_full(void **state)
{
    (void)state;
    uint8_t *bytes = exact_copy("*****", 5);
    struct spop_writer w = spop_writer(bytes, 5);
    spop_write_text(&w, TEXT_VIEW("abcd"));
    assert_false(w.full);
    assert_memory_equal(bytes, "\4abcd", 5);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varints_as_haproxy_writes_them),
        cmocka_unit_test(cut_varints_are_bad),
        cmocka_unit_test(varints_beyond_64_bits_are_bad),
        cmocka_unit_test(a_bad_cursor_stays_bad),
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(bytes_are_passed_only_when_they_are_all_there),
        cmocka_unit_test(texts_are_bounded_by_what_is_left),
        cmocka_unit_test(texts_of_all_lengths_come_back),
        cmocka_unit_test(an_empty_text_is_fine),
        cmocka_unit_test(a_writer_never_passes_its_end),
        cmocka_unit_test(an_exact_fit_is_not_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
