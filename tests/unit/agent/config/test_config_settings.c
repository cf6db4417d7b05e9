/* tests/unit/agent/config/test_config_settings.c - the table itself: its order, the nearest name, what it says to
 * people. */
#include "agent/config/config_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_section_is_in_one_piece_and_no_key_is_there_twice(void **state)
{
    (void)state;
    assert_string_equal(settings[0].section, "");
    for (size_t i = 0; i < setting_count; i++) {
        assert_ptr_equal(setting_find(settings[i].section, settings[i].key), &settings[i]);
        for (size_t j = i + 1; j < setting_count; j++)
            if (strcmp(settings[j].section, settings[i].section) == 0)
                assert_string_equal(settings[j - 1].section, settings[i].section);
    }
    assert_null(setting_find("spoe", "address"));
    assert_null(setting_find("nowhere", "listen"));
}

static void sections(void **state)
{
    (void)state;
    static const char *const are[] = {"", "cell", "spoe", "redis", "routes", "admin", "log", "haproxy", "hidden"};
    for (size_t i = 0; i < sizeof are / sizeof are[0]; i++)
        assert_true(setting_is_section(are[i]));
    assert_false(setting_is_section("region"));
    assert_true(setting_in_cell(setting_find("cell", "servers")));
    assert_false(setting_in_cell(setting_find("", "region")));
}

static void the_nearest_name(void **state)
{
    (void)state;
    static const struct {
        const char *section, *key, *near, *advice;
    } cases[] = {
        {"", "regoin", "region", NULL},
        {"", "redsi", "redis", NULL},
        {"", "max-calls", NULL, NULL},
        {"spoe", "listne", "listen", NULL},
        {"spoe", "max-conn", "max-connections", NULL},
        {"redis", "password", "password-file", "the password is the first line of a file of its own"},
        {"redis", "passwordfile", "password-file", NULL},
        {"redis", "backoff", "backoff-min", NULL},
        {"redis", "zzzzzzzz", NULL, NULL},
        {"cell", "answer", "answers", NULL},
        {"nowhere", "listen", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *near = setting_nearest(cases[i].section, cases[i].key);
        const char *advice = setting_advice(cases[i].section, cases[i].key);
        if (strcmp(near ? near : "-", cases[i].near ? cases[i].near : "-") != 0)
            fail_msg("of %s.%s: %s", cases[i].section, cases[i].key, near);
        assert_string_equal(advice ? advice : "-", cases[i].advice ? cases[i].advice : "-");
    }
}

static void what_would_be_right(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"spoe", "deadline", "1 to 10000 ms"},
        {"spoe", "mode", "an octal mode such as 0660"},
        {"routes", "memory", "65536 to 1099511627776 bytes, k, m or g may follow"},
        {"routes", "hosts", "true or false"},
        {"log", "level", "error, warn, info or debug"},
        {"cell", "servers", "host:port, [v6]:port or unix@/path"},
        {"haproxy", "map-file", "an absolute path without blanks, quotes, commas, brackets, \\ and $"},
    };
    char right[300];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setting_describe(setting_find(cases[i][0], cases[i][1]), right, sizeof right);
        assert_string_equal(right, cases[i][2]);
    }
    for (size_t i = 0; i < setting_count; i++) {
        setting_describe(&settings[i], right, sizeof right);
        assert_true(right[0] && strlen(right) < sizeof right - 1);
    }
}

static void the_manual_has_every_setting(void **state)
{
    (void)state;
    char *manual = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&manual, &size);
    config_print_settings(out);
    fclose(out);
    for (size_t i = 0; i < setting_count; i++) {
        char line[100];
        snprintf(line, sizeof line, "\n  %s = ", settings[i].key);
        assert_non_null(strstr(manual, line));
        assert_non_null(strstr(manual, settings[i].text));
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_is_in_one_piece_and_no_key_is_there_twice),
        cmocka_unit_test(sections),
        cmocka_unit_test(the_nearest_name),
        cmocka_unit_test(what_would_be_right),
        cmocka_unit_test(the_manual_has_every_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
