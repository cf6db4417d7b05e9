/* tests/unit/base/test_address.c - every kind of address, each with what is wrong with it at its edges. */
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Parses a copy of exact size, so that a byte too many is seen. */
static enum address_outcome parse(const char *text, struct address *address)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    memset(address, 0xa5, sizeof *address);
    enum address_outcome outcome = address_parse(copy, address);
    free(copy);
    return outcome;
}

static void assert_address(const char *text, enum address_kind kind, const char *where, uint16_t port)
{
    struct address address;
    enum address_outcome outcome = parse(text, &address);
    if (outcome != ADDRESS_OK)
        fail_msg("%s: %s", text, address_text(outcome));
    assert_int_equal(address.kind, kind);
    assert_string_equal(address.where, where);
    assert_int_equal(address.port, port);
}

static void assert_wrong(const char *text, enum address_outcome wanted)
{
    struct address address, before;
    memset(&before, 0xa5, sizeof before);
    enum address_outcome outcome = parse(text, &address);
    if (outcome != wanted)
        fail_msg("%s: \"%s\" instead of \"%s\"", text, address_text(outcome), address_text(wanted));
    assert_memory_equal(&address, &before, sizeof before);
}

static void each_kind_is_taken(void **state)
{
    (void)state;
    assert_address("unix:/run/agent.sock", ADDRESS_UNIX, "/run/agent.sock", 0);
    assert_address("unix@/run/agent.sock", ADDRESS_UNIX, "/run/agent.sock", 0);
    assert_address("abns@agent", ADDRESS_ABSTRACT, "agent", 0);
    assert_address("redis.example:6379", ADDRESS_TCP, "redis.example", 6379);
    assert_address("[::1]:65535", ADDRESS_TCP, "::1", 65535);
    assert_address("127.0.0.1:0", ADDRESS_TCP, "127.0.0.1", 0);
    assert_address("*:00080", ADDRESS_TCP, "*", 80);
    assert_address("unix.example:80", ADDRESS_TCP, "unix.example", 80);
    assert_address("[a]b]:1", ADDRESS_TCP, "a]b", 1); /* no name like any other; looking it up says so */
}

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum address_outcome outcome;
    } wrong[] = {
        {"", ADDRESS_NO_PORT},           {"x", ADDRESS_NO_PORT},
        {"unix", ADDRESS_NO_PORT},       {":1", ADDRESS_NO_HOST},
        {"[]:1", ADDRESS_NO_HOST},       {"::1:1", ADDRESS_NO_BRACKETS},
        {"[::1:1", ADDRESS_NO_BRACKETS}, {"[::1]", ADDRESS_NO_BRACKETS},
        {"[:1", ADDRESS_NO_BRACKETS},    {"::", ADDRESS_NO_BRACKETS},
        {"a:", ADDRESS_BAD_PORT},        {"a:1x", ADDRESS_BAD_PORT},
        {"a:-1", ADDRESS_BAD_PORT},      {"a: 1", ADDRESS_BAD_PORT},
        {"a:65536", ADDRESS_BAD_PORT},   {"unix:", ADDRESS_RELATIVE},
        {"unix:a", ADDRESS_RELATIVE},    {"unix@a", ADDRESS_RELATIVE},
        {"abns@", ADDRESS_BAD_NAME},     {"a:99999999999999999999", ADDRESS_BAD_PORT},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_wrong(wrong[i].text, wrong[i].outcome);
}

/* prefix, n times 'x', suffix; in static memory. */
static const char *filled(const char *prefix, size_t n, const char *suffix)
{
    static char text[400];
    size_t at = strlen(prefix);
    assert_true(at + n + strlen(suffix) < sizeof text);
    strcpy(text, prefix);
    memset(text + at, 'x', n);
    strcpy(text + at + n, suffix);
    return text;
}

static void lengths_have_their_limits(void **state)
{
    struct address address;
    (void)state;
    assert_int_equal(parse(filled("unix:/", 106, ""), &address), ADDRESS_OK);
    assert_int_equal(strlen(address.where), 107);
    assert_wrong(filled("unix:/", 107, ""), ADDRESS_LONG_PATH);
    assert_int_equal(parse(filled("abns@", 107, ""), &address), ADDRESS_OK);
    assert_int_equal(strlen(address.where), 107);
    assert_wrong(filled("abns@", 108, ""), ADDRESS_BAD_NAME);
    assert_int_equal(parse(filled("", 255, ":1"), &address), ADDRESS_OK);
    assert_int_equal(strlen(address.where), 255);
    assert_wrong(filled("", 256, ":1"), ADDRESS_LONG_HOST);
    assert_wrong(filled("[", 256, "]:1"), ADDRESS_LONG_HOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_taken),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(lengths_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
