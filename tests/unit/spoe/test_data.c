/* tests/unit/spoe/test_data.c - typed data, messages and actions: round trips, what HAProxy would not take, every
 * truncation. */
#include "spoe/data.h"
#include "tests/unit/spoe/wire.h"

#define IP(type_, ...) \
    { \
        .type = (type_), .ip = { __VA_ARGS__ } \
    }

static const struct spop_data samples[] = {
    {.type = SPOP_NULL},
    {.type = SPOP_BOOL, .boolean = false},
    {.type = SPOP_BOOL, .boolean = true},
    {.type = SPOP_INT32, .integer = 0},
    {.type = SPOP_INT32, .integer = INT32_MIN},
    {.type = SPOP_INT32, .integer = -1},
    {.type = SPOP_INT32, .integer = INT32_MAX},
    {.type = SPOP_UINT32, .natural = UINT32_MAX},
    {.type = SPOP_INT64, .integer = INT64_MIN},
    {.type = SPOP_INT64, .integer = INT64_MAX},
    {.type = SPOP_UINT64, .natural = UINT64_MAX},
    IP(SPOP_IPV4, 127, 0, 0, 1),
    IP(SPOP_IPV6, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    {.type = SPOP_STRING, .text = {.at = "", .length = 0}},
    {.type = SPOP_STRING, .text = {.at = "/my-company/", .length = 12}},
    {.type = SPOP_BINARY, .text = {.at = "\0\1\2", .length = 3}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static size_t encode(const struct spop_data *data, uint8_t *bytes, size_t size)
{
    struct spop_writer w = spop_writer(bytes, size);
    spop_write_data(&w, data);
    assert_false(w.full);
    return w.used;
}

static void assert_same(const struct spop_data *a, const struct spop_data *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
    case SPOP_NULL: break;
    case SPOP_BOOL: assert_int_equal(a->boolean, b->boolean); break;
    case SPOP_INT32:
    case SPOP_INT64: assert_true(a->integer == b->integer); break;
    case SPOP_UINT32:
    case SPOP_UINT64: assert_true(a->natural == b->natural); break;
    case SPOP_IPV4: assert_memory_equal(a->ip, b->ip, 4); break;
    case SPOP_IPV6: assert_memory_equal(a->ip, b->ip, 16); break;
    case SPOP_STRING:
    case SPOP_BINARY:
        assert_int_equal(a->text.length, b->text.length);
        if (a->text.length > 0)
            assert_memory_equal(a->text.at, b->text.at, a->text.length);
        break;
    }
}

static void every_type_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[64];
        size_t n = encode(&samples[i], bytes, sizeof bytes);
        uint8_t *copy = exact_copy(bytes, n);
        struct spop_cursor c = spop_cursor(copy, n);
        struct spop_data read = spop_read_data(&c);
        assert_false(c.bad);
        assert_int_equal(c.left, 0);
        assert_same(&samples[i], &read);
        free(copy);
    }
}

static void every_cut_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[64];
        size_t whole = encode(&samples[i], bytes, sizeof bytes);
        for (size_t n = 0; n < whole; n++) {
            uint8_t *copy = exact_copy(bytes, n);
            struct spop_cursor c = spop_cursor(copy, n);
            assert_int_equal(spop_read_data(&c).type, SPOP_NULL);
            assert_true(c.bad);
            free(copy);
        }
    }
}

static void types_without_meaning_are_bad(void **state)
{
    (void)state;
    for (unsigned type = 10; type < 16; type++) {
        uint8_t byte = (uint8_t)type;
        struct spop_cursor c = spop_cursor(&byte, 1);
        assert_int_equal(spop_read_data(&c).type, SPOP_NULL);
        assert_true(c.bad);
    }
}

static struct spop_data read_bytes(const void *bytes, size_t n, bool *bad)
{
    struct spop_cursor c = spop_cursor(bytes, n);
    struct spop_data data = spop_read_data(&c);
    *bad = c.bad;
    return data;
}

static void numbers_must_fit_their_type(void **state)
{
    (void)state;
    bool bad;
    /* 2^32 = 4294967296 as varint */
    assert_int_equal(read_bytes("\x03\xf0\xf1\xfe\xfe\x7e", 6, &bad).type, SPOP_NULL);
    assert_true(bad);
    assert_int_equal(read_bytes("\x02\xf0\xf1\xfe\xfe\x7e", 6, &bad).type, SPOP_NULL);
    assert_true(bad);
    assert_true(read_bytes("\x05\xf0\xf1\xfe\xfe\x7e", 6, &bad).natural == 4294967296u);
    assert_false(bad);

    uint8_t room[16];
    struct spop_data wide[] = {{.type = SPOP_INT32, .integer = (int64_t)INT32_MAX + 1},
                               {.type = SPOP_INT32, .integer = (int64_t)INT32_MIN - 1},
                               {.type = SPOP_UINT32, .natural = (uint64_t)UINT32_MAX + 1},
                               {.type = (enum spop_type)12}};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        struct spop_writer w = spop_writer(room, sizeof room);
        spop_write_data(&w, &wide[i]);
        assert_true(w.full);
    }
}

static void a_negative_int32_of_32_bits_is_understood(void **state)
{
    (void)state;
    uint8_t bytes[16] = {SPOP_INT32};
    struct spop_writer w = spop_writer(bytes + 1, sizeof bytes - 1);
    spop_write_varint(&w, (uint32_t)-5);
    bool bad;
    assert_true(read_bytes(bytes, w.used + 1, &bad).integer == -5);
    assert_false(bad);
}

static size_t two_messages(uint8_t *bytes, size_t size)
{
    struct spop_writer w = spop_writer(bytes, size);
    struct spop_data number = spop_int64(-5), yes = spop_bool(true), path = spop_string("/a", 2);
    spop_write_message(&w, TEXT_VIEW("lookup"), 2);
    spop_write_arg(&w, TEXT_VIEW("path"), &path);
    spop_write_arg(&w, TEXT_VIEW("n"), &number);
    spop_write_message(&w, TEXT_VIEW("empty"), 0);
    spop_write_message(&w, TEXT_VIEW("learn"), 1);
    spop_write_arg(&w, TEXT_VIEW(""), &yes); /* HAProxy allows arguments without a name */
    assert_false(w.full);
    return w.used;
}

static void messages_are_read_in_order(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t n = two_messages(bytes, sizeof bytes);
    uint8_t *copy = exact_copy(bytes, n);
    struct spop_messages m = spop_messages(spop_cursor(copy, n));
    struct text_view name, key;
    struct spop_data value;
    assert_true(spop_next_message(&m, &name));
    assert_text(name, "lookup");
    assert_true(spop_next_arg(&m, &key, &value));
    assert_text(key, "path");
    assert_text(value.text, "/a");
    assert_true(spop_next_arg(&m, &key, &value));
    assert_true(value.integer == -5);
    assert_false(spop_next_arg(&m, &key, &value));
    assert_true(spop_next_message(&m, &name));
    assert_text(name, "empty");
    assert_false(spop_next_arg(&m, &key, &value));
    assert_true(spop_next_message(&m, &name));
    assert_true(spop_next_arg(&m, &key, &value));
    assert_text(key, "");
    assert_true(value.boolean);
    assert_false(spop_next_message(&m, &name));
    assert_false(m.in.bad);
    free(copy);
}

static void unread_arguments_are_skipped(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct spop_messages m = spop_messages(spop_cursor(bytes, two_messages(bytes, sizeof bytes)));
    struct text_view name;
    unsigned count = 0;
    while (spop_next_message(&m, &name))
        count++;
    assert_int_equal(count, 3);
    assert_false(m.in.bad);
}

/* Reads everything; how many arguments there were. */
static unsigned walk(struct spop_messages *m)
{
    struct text_view name, key;
    struct spop_data value;
    unsigned count = 0;
    while (spop_next_message(m, &name))
        while (spop_next_arg(m, &key, &value))
            count++;
    return count;
}

static void a_cut_list_of_messages_is_bad_but_between_messages(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t whole = two_messages(bytes, sizeof bytes);
    for (size_t n = 0; n < whole; n++) {
        uint8_t *copy = exact_copy(bytes, n);
        struct spop_messages m = spop_messages(spop_cursor(copy, n));
        walk(&m);
        bool between = n == 0 || n == whole - 9 || n == whole - 16; /* before "learn", before "empty" */
        if (m.in.bad == between)
            fail_msg("cut at %zu of %zu: bad is %d", n, whole, m.in.bad);
        free(copy);
    }
}

static const struct spop_action actions[] = {
    {SPOP_SET_VAR, SPOP_TRANSACTION, {.at = "cell", .length = 4}, {.type = SPOP_STRING, .text = {"eu0", 3}}},
    {SPOP_SET_VAR, SPOP_PROCESS, {.at = "a.b_C9", .length = 6}, {.type = SPOP_INT32, .integer = -2}},
    {SPOP_UNSET_VAR, SPOP_RESPONSE, {.at = "x", .length = 1}, {.type = SPOP_NULL}},
};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

static size_t encode_actions(uint8_t *bytes, size_t size)
{
    struct spop_writer w = spop_writer(bytes, size);
    spop_write_actions(&w, actions, ACTIONS);
    assert_false(w.full);
    return w.used;
}

static void actions_are_written_as_specified(void **state)
{
    (void)state;
    uint8_t bytes[128];
    encode_actions(bytes, sizeof bytes);
    assert_memory_equal(bytes,
                        "\x01\x03\x02\x04"
                        "cell\x08\x03"
                        "eu0",
                        13);
}

static void actions_come_back(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t n = encode_actions(bytes, sizeof bytes);
    uint8_t *copy = exact_copy(bytes, n);
    struct spop_cursor c = spop_cursor(copy, n);
    struct spop_action read;
    for (size_t i = 0; i < ACTIONS; i++) {
        assert_true(spop_next_action(&c, &read));
        assert_int_equal(read.kind, actions[i].kind);
        assert_int_equal(read.scope, actions[i].scope);
        assert_int_equal(read.name.length, actions[i].name.length);
        assert_same(&read.value, &actions[i].value);
    }
    assert_false(spop_next_action(&c, &read));
    assert_false(c.bad);
    free(copy);
}

static void cut_actions_are_bad(void **state)
{
    (void)state;
    uint8_t bytes[128];
    encode_actions(bytes, sizeof bytes);
    for (size_t n = 1; n < 13; n++) { /* the first action */
        uint8_t *copy = exact_copy(bytes, n);
        struct spop_cursor c = spop_cursor(copy, n);
        struct spop_action read;
        assert_false(spop_next_action(&c, &read));
        assert_true(c.bad);
        free(copy);
    }
}

static void actions_that_haproxy_skips_are_bad(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\1\2\2\1x\1", "\1\3\5\1x\1", "\2\3\2\1x", "\3\2\2\1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct spop_cursor c = spop_cursor(wrong[i], strlen(wrong[i]));
        struct spop_action read;
        assert_false(spop_next_action(&c, &read));
        assert_true(c.bad);
    }
}

static void names_have_63_bytes_with_scope_and_prefix(void **state)
{
    (void)state;
    char name[100];
    memset(name, 'n', sizeof name);
    /* "txn." + "cellrouter" + "." leave 48 */
    assert_true(spop_name_is_valid(SPOP_TRANSACTION, 10, (struct text_view){name, 48}));
    assert_false(spop_name_is_valid(SPOP_TRANSACTION, 10, (struct text_view){name, 49}));
    assert_true(spop_name_is_valid(SPOP_PROCESS, 10, (struct text_view){name, 47}));
    assert_false(spop_name_is_valid(SPOP_SESSION, 10, (struct text_view){name, 48}));
    assert_true(spop_name_is_valid(SPOP_REQUEST, 0, (struct text_view){name, 57})); /* a prefix has at least one byte */
    assert_false(spop_name_is_valid(SPOP_REQUEST, 0, (struct text_view){name, 58}));
    assert_false(spop_name_is_valid(SPOP_REQUEST, 58, (struct text_view){name, 1}));
    assert_true(spop_name_is_valid(SPOP_REQUEST, 57, (struct text_view){name, 1}));
    assert_false(spop_name_is_valid(SPOP_REQUEST, SIZE_MAX, (struct text_view){name, 1}));
    assert_false(spop_name_is_valid(SPOP_REQUEST, 1, (struct text_view){name, SIZE_MAX}));
}

static void names_have_harmless_characters(void **state)
{
    (void)state;
    assert_true(spop_name_is_valid(SPOP_REQUEST, 1, TEXT_VIEW("aZ09_.")));
    for (unsigned c = 0; c < 256; c++) {
        char name[2] = {'a', (char)c};
        bool harmless = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", (int)c) && c;
        assert_int_equal(spop_name_is_valid(SPOP_REQUEST, 1, (struct text_view){name, 2}), harmless);
    }
    assert_false(spop_name_is_valid(SPOP_REQUEST, 1, (struct text_view){0}));
    assert_false(spop_name_is_valid((enum spop_scope)5, 1, TEXT_VIEW("a")));
}

static void answers_that_haproxy_would_not_take_are_invalid(void **state)
{
    (void)state;
    assert_true(spop_actions_are_valid(actions, ACTIONS, 10));
    assert_false(spop_actions_are_valid(actions, 0, 10));
    struct spop_action action = actions[0];
    action.value.type = SPOP_NULL;
    assert_false(spop_actions_are_valid(&action, 1, 10));
    action = actions[0];
    action.name = TEXT_VIEW("a-b");
    assert_false(spop_actions_are_valid(&action, 1, 10));
    action = actions[0];
    action.kind = (enum spop_action_kind)3;
    assert_false(spop_actions_are_valid(&action, 1, 10));
    uint8_t room[64];
    struct spop_writer w = spop_writer(room, sizeof room);
    spop_write_actions(&w, &action, 1);
    assert_true(w.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(every_cut_is_bad),
        cmocka_unit_test(types_without_meaning_are_bad),
        cmocka_unit_test(numbers_must_fit_their_type),
        cmocka_unit_test(a_negative_int32_of_32_bits_is_understood),
        cmocka_unit_test(messages_are_read_in_order),
        cmocka_unit_test(unread_arguments_are_skipped),
        cmocka_unit_test(a_cut_list_of_messages_is_bad_but_between_messages),
        cmocka_unit_test(actions_are_written_as_specified),
        cmocka_unit_test(actions_come_back),
        cmocka_unit_test(cut_actions_are_bad),
        cmocka_unit_test(actions_that_haproxy_skips_are_bad),
        cmocka_unit_test(names_have_63_bytes_with_scope_and_prefix),
        cmocka_unit_test(names_have_harmless_characters),
        cmocka_unit_test(answers_that_haproxy_would_not_take_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
