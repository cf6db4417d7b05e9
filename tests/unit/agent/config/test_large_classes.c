/* tests/unit/agent/config/test_large_classes.c - the size classes of a configuration, and what makes no classes. */
#include "agent/config/large_classes.h"

#include "tests/unit/agent/config/config_help.h"

#define RIGHT "right would be a size of 16k to 255m and, behind a colon, 1 to 10000 requests, as in 64k:32"
#define CLASSES RIGHT " (the default is \"64k:64\", \"256k:32\", \"1m:16\", \"4m:8\", \"16m:4\", \"64m:2\")\n"
#define SIZE "right would be 0 to 267386880 bytes, k, m or g may follow (the default is 0)\n"

static void an_item_is_a_size_and_places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
        uint64_t body;
        uint32_t places;
    } items[] = {
        {"16384", "16384", 16384, 0},
        {"64k:64", "64k", 65536, 64},
        {"1m", "1m", 1 << 20, 0},
        {"255m:1", "255m", 255 << 20, 1},
        {"267386880", "267386880", 255 << 20, 0},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct large_class class;
        const char *why;
        if (!large_class_read(items[i].text, &class, &why))
            fail_msg("%s: %s", items[i].text, why);
        assert_string_equal(class.name, items[i].name);
        assert_int_equal(class.body, items[i].body);
        assert_int_equal(class.buffer, items[i].body + LARGE_HEADERS);
        assert_int_equal(class.places, items[i].places);
    }
}

static void what_is_no_item(void **state)
{
    (void)state;
    static const char *const sizes[] = {"",   "64", "16383",         "256m",     "999999999999999999999m", "1g", "1m4",
                                        ":4", "m",  "000000000064k", "267386881"},
                             *const places[] = {"1m:", "1m:0", "1m:10001", "1m:4x", "1m:99999999999999999999", "1m:-1"};
    struct large_class class;
    const char *why;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_false(large_class_read(sizes[i], &class, &why));
        assert_string_equal(why, "the size is not 16k to 255m");
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_false(large_class_read(places[i], &class, &why));
        assert_string_equal(why, "behind the colon are not 1 to 10000 requests");
    }
}

static size_t classes_of(const char *more, struct large_class classes[LARGE_CLASSES_MAX])
{
    char text[500];
    int length = snprintf(text, sizeof text, "region = eu cell eu0 { servers = {\"a:1\"} }\nhaproxy { %s }", more);
    struct config *config = config_parse("t.conf", text, (size_t)length, stderr);
    assert_non_null(config);
    size_t count = large_classes(&config->haproxy, classes);
    config_free(config);
    return count;
}

static void a_configuration_has_its_classes(void **state)
{
    (void)state;
    struct large_class classes[LARGE_CLASSES_MAX];
    assert_int_equal(classes_of("", classes), 6);
    assert_string_equal(classes[0].name, "64k");
    assert_int_equal(classes[0].places, 64);
    assert_string_equal(classes[5].name, "64m");
    assert_int_equal(classes[5].places, 2);
    assert_int_equal(classes_of("large-requests = 5 large-classes = {\"20k\", \"1m:3\"}", classes), 2);
    assert_int_equal(classes[0].places, 5);
    assert_int_equal(classes[1].places, 3);
    assert_int_equal(classes_of("large-address = \"\"", classes), 0);
    /* As before there were classes: a buffer, not a body, and nothing behind names. */
    assert_int_equal(classes_of("large-buffer = 16m", classes), 1);
    assert_string_equal(classes[0].name, "");
    assert_int_equal(classes[0].buffer, 16 << 20);
    assert_int_equal(classes[0].body, (16 << 20) - LARGE_HEADERS);
    assert_int_equal(classes[0].places, 8);
}

static void what_does_not_fit_together_is_told(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"haproxy { large-classes = {\"64k\", \"65536\"} }",
         "t.conf:2: haproxy.large-classes \"65536\": not larger than the class before it; " CLASSES},
        {"haproxy { large-classes = {\"1m\", \"64k\"} }",
         "t.conf:2: haproxy.large-classes \"64k\": not larger than the class before it; " CLASSES},
        {"haproxy { large-buffer = 1023k }", "t.conf:2: haproxy.large-buffer \"1047552\": less than 1m; " SIZE},
        {"haproxy { large-buffer = 1m }", ""},
        {"haproxy { large-buffer = 256m }", "t.conf:2: haproxy.large-buffer \"256m\": too large; " SIZE},
        {"haproxy {\nlarge-classes = {\"1m\"}\nlarge-buffer = 1m }",
         "t.conf:4: haproxy.large-buffer \"1048576\": there is large-classes, too; large-classes alone would be right, "
         "or large-buffer alone for a single process; " SIZE},
    };
    EXPECT_ALL(examples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_a_size_and_places),
        cmocka_unit_test(what_is_no_item),
        cmocka_unit_test(a_configuration_has_its_classes),
        cmocka_unit_test(what_does_not_fit_together_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
