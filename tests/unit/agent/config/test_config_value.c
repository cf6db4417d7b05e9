/* tests/unit/agent/config/test_config_value.c - one text and the value of its setting, by kind and by check. */
#include "agent/config/config_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is wrong with it, "" when nothing is. Of a block of its exact size. */
static const char *try(const char *section, const char *key, const char *text)
{
    static struct config_complaint why;
    static struct config config;
    static struct config_cell cell;
    const struct setting *s = setting_find(section, key);
    void *field = setting_in_cell(s) ? (char *)&cell + s->offset : (char *)&config + s->offset;
    char *exact = strdup(text);
    why.text[0] = '\0';
    enum config_value outcome = config_value_set(s, field, exact, &why);
    free(exact);
    assert_int_equal(outcome, why.text[0] ? CONFIG_VALUE_WRONG : CONFIG_VALUE_OK);
    if (s->kind == SETTING_LIST)
        config_list_clear(field);
    if (s->kind == SETTING_TEXT) {
        free(*(char **)field);
        *(char **)field = NULL;
    }
    return why.text;
}

static const struct {
    const char *section, *key, *text, *wrong;
} wrong_ones[] = {
    {"spoe", "deadline", "", "not a number"},
    {"spoe", "deadline", "-1", "a number below zero"},
    {"spoe", "deadline", "0", "too small"},
    {"spoe", "deadline", "10001", "too large"},
    {"spoe", "deadline", "99999999999999999999999", "too large"},
    {"spoe", "deadline", "5ms", "not a whole number"},
    {"spoe", "deadline", "5k", "not a whole number"},
    {"spoe", "mode", "0888", "not an octal number"},
    {"spoe", "mode", "1777", "too large"},
    {"routes", "memory", "64kb", "not a whole number"},
    {"routes", "memory", "1k", "too small"},
    {"routes", "memory", "18446744073709551615g", "too large"},
    {"routes", "hosts", "", "neither true nor false"},
    {"log", "level", "INFO", "not one of the words"},
    {"", "region", "", "it is empty"},
    {"", "region", "e u", "a blank is not allowed here"},
    {"", "region", "123456789012345678901234567890123", "33 bytes long, at most 32 are allowed"},
    {"", "user", "a\tb", "byte 0x09 is not allowed here"},
    {"cell", "name", "a:b", ": is not allowed here"},
    {"cell", "name", "a\"b", "\" is not allowed here"},
    {"cell", "name", "$HOME", "$ is not allowed here"},
    {"cell", "servers", "", "an item of the list is empty"},
    {"cell", "servers", "a", "there is no port"},
    {"cell", "servers", "unix@x", "the path of a socket is not absolute"},
    {"cell", "server-options", "check\nbackup", "byte 0x0a is not allowed here"},
    {"cell", "server-options", "chekc", "HAProxy knows no server option chekc; the nearest one is check"},
    {"cell", "backend-lines", "", "an item of the list is empty"},
    {"cell", "backend-lines", "balance\tfirst", "byte 0x09 is not allowed here"},
    {"cell", "backend-lines", "server a b:1", "server cannot stand there: servers has them"},
    {"haproxy", "backend-lines", "timeout quue 5s",
     "no line of a cell's backend begins with timeout quue; did you mean timeout queue"},
    {"redis", "password-file", "x", "the path is not absolute"},
    {"routes", "refused", "/a", "a prefix starts and ends with /"},
    {"routes", "refused", "/a//", "a prefix has no empty and no dot segments"},
    {"routes", "refused", "/a/../", "a prefix has no empty and no dot segments"},
    {"routes", "refused", "/a?/", "a prefix is a path alone, without ? and #"},
    {"haproxy", "header-prefix", "X_", "_ is not allowed here"},
    {"haproxy", "stream-types", "a/b c", "a blank is not allowed here"},
    {"haproxy", "stream-types", "a/*", "* is not allowed here"},
    {"haproxy", "stream-paths", "in/", "the path is not absolute"},
    {"haproxy", "stream-paths", "/a\"b", "\" is not allowed here"},
    {"haproxy", "loop", "tcp@x", "neither an abstract socket nor a unix socket"},
    {"haproxy", "large-classes", "64", "the size is not 16k to 255m"},
    {"haproxy", "map-file", "/a b", "a blank is not allowed here"},
    {"haproxy", "map-file", "/a$HOME", "$ is not allowed here"},
    {"haproxy", "map-file", "/a,b", ", is not allowed here"},
    {"haproxy", "map-file", "a", "the path is not absolute"},
    {"hidden", "spoe-file", "/a\"b", "\" is not allowed here"},
};

static void wrong_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_ones / sizeof wrong_ones[0]; i++) {
        const char *wrong = try(wrong_ones[i].section, wrong_ones[i].key, wrong_ones[i].text);
        if (strcmp(wrong, wrong_ones[i].wrong) != 0)
            fail_msg("%s.%s \"%s\": wanted %s, got %s", wrong_ones[i].section, wrong_ones[i].key, wrong_ones[i].text,
                     wrong_ones[i].wrong, wrong);
    }
}

static void right_texts(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"spoe", "deadline", "1"},
        {"spoe", "deadline", "10000"},
        {"spoe", "deadline", "0030"},
        {"spoe", "mode", "0777"},
        {"spoe", "mode", "0"},
        {"routes", "memory", "65536"},
        {"routes", "memory", "1024g"},
        {"routes", "memory", "64K"},
        {"routes", "hosts", "ON"},
        {"routes", "hosts", "no"},
        {"log", "level", "warn"},
        {"cell", "answers", "425"},
        {"cell", "name", "Zelle Übersee"},
        {"cell", "name", ""},
        {"cell", "servers", "[2001:db8::1]:80"},
        {"cell", "servers", "unix@/x"},
        {"redis", "address", ""},
        {"redis", "address", "unix:/x"},
        {"redis", "username", "a:b$"},
        {"routes", "refused", "/"},
        {"routes", "refused", "/a/b-c/"},
        {"haproxy", "loop", "abns@x-y_z"},
        {"haproxy", "map-file", ""},
        {"redis", "password-file", "/a b/$c"},
        {"haproxy", "large-classes", "16k"},
        {"haproxy", "large-classes", "255m:10000"},
        {"haproxy", "large-classes", "70000:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (try(cases[i][0], cases[i][1], cases[i][2])[0])
            fail_msg("%s.%s \"%s\": %s", cases[i][0], cases[i][1], cases[i][2],
                     try(cases[i][0], cases[i][1], cases[i][2]));
}

static void numbers_arrive(void **state)
{
    (void)state;
    struct config config = {0};
    struct config_complaint why;
    assert_int_equal(config_value_set(setting_find("routes", "memory"), &config.routes.memory, "3m", &why),
                     CONFIG_VALUE_OK);
    assert_int_equal(config.routes.memory, 3 << 20);
    assert_int_equal(config_value_set(setting_find("spoe", "mode"), &config.spoe.mode, "640", &why), CONFIG_VALUE_OK);
    assert_int_equal(config.spoe.mode, 0640);
    assert_int_equal(config_value_set(setting_find("routes", "memory"), &config.routes.memory, "x", &why),
                     CONFIG_VALUE_WRONG);
    assert_int_equal(config.routes.memory, 3 << 20);
}

static void a_list_has_so_many_items(void **state)
{
    (void)state;
    const struct setting *s = setting_find("spoe", "listen");
    struct config_list list = {0};
    struct config_complaint why;
    for (int i = 0; i < 16; i++)
        assert_int_equal(config_value_set(s, &list, "127.0.0.1:9", &why), CONFIG_VALUE_OK);
    assert_int_equal(config_value_set(s, &list, "127.0.0.1:9", &why), CONFIG_VALUE_WRONG);
    assert_string_equal(why.text, "more than 16 items");
    assert_int_equal(list.count, 16);
    config_list_clear(&list);
    assert_null(list.items);
}

static void loopback_addresses(void **state)
{
    (void)state;
    static const char *const are[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"};
    static const char *const are_not[] = {"128.0.0.1:1", "0.0.0.0:1",           "[::]:1",
                                          "host:1",      "127.0.0.1.example:1", "localhost.example:1"};
    for (size_t i = 0; i < sizeof are / sizeof are[0]; i++)
        assert_true(config_address_is_loopback(are[i]));
    for (size_t i = 0; i < sizeof are_not / sizeof are_not[0]; i++)
        assert_false(config_address_is_loopback(are_not[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_texts),        cmocka_unit_test(right_texts),
        cmocka_unit_test(numbers_arrive),     cmocka_unit_test(a_list_has_so_many_items),
        cmocka_unit_test(loopback_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
