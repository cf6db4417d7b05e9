/* tests/unit/redis/test_doubt.c - the text of a doubt, there and back, and all that is none. */
#include "redis/doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct route_doubt example = {
    .route = {.host = "site.example", .host_length = 12, .prefix = "/org/sub/", .prefix_length = 9},
    .about = ROUTE_DOUBT_BELOW,
    .cell = "eu0",
    .cell_length = 3,
    .life_ms = 2000};
static const char text[] = "1 me b 2000 eu0 12 site.example/org/sub/";

/* In a block of its exact size. */
static bool reads(const char *bytes, size_t length, struct route_doubt *doubt)
{
    char *exact = malloc(length ? length : 1);
    const char *sender;
    size_t sender_length;
    memcpy(exact, bytes, length);
    bool good = doubt_read(exact, length, doubt, &sender, &sender_length);
    if (good)
        assert_true(sender_length == 2 && memcmp(sender, "me", 2) == 0);
    free(exact);
    return good;
}

static void test_there_and_back(void **state)
{
    (void)state;
    char out[64];
    struct route_doubt doubt;
    size_t n = doubt_write(&example, "me", out, sizeof out);
    assert_int_equal(n, strlen("1 me b 2000 eu0 12 "));
    assert_memory_equal(out, text, n);
    const char *sender;
    size_t sender_length;
    assert_true(doubt_read(text, sizeof text - 1, &doubt, &sender, &sender_length));
    assert_int_equal(doubt.about, ROUTE_DOUBT_BELOW);
    assert_int_equal(doubt.life_ms, 2000);
    assert_int_equal(doubt.cell_length, 3);
    assert_memory_equal(doubt.route.host, "site.example", 12);
    assert_int_equal(doubt.route.prefix_length, 9);
    assert_memory_equal(doubt.route.prefix, "/org/sub/", 9);
    for (size_t size = 0; size <= n; size++)
        assert_int_equal(doubt_write(&example, "me", out, size), 0);
}

static void test_every_truncation(void **state)
{
    (void)state;
    struct route_doubt doubt;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        bool is_shorter_prefix = n == strlen("1 me b 2000 eu0 12 site.example/org/");
        if (reads(text, n, &doubt) != is_shorter_prefix)
            fail_msg("%.*s: %s", (int)n, text, is_shorter_prefix ? "refused" : "taken");
    }
}

static void test_what_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2 me b 2000 eu0 0 /org/",       "1  b 2000 eu0 0 /org/",     "1 me x 2000 eu0 0 /org/",
        "1 me bb 2000 eu0 0 /org/",      "1 me b -1 eu0 0 /org/",     "1 me b 3600001 eu0 0 /org/",
        "1 me b 9999999999 eu0 0 /org/", "1 me b 2000  0 /org/",      "1 me b 2000 eu0 1 /org/",
        "1 me b 2000 eu0 99 /org/",      "1 me b 2000 eu0 256 /org/", "1 me b 2000 eu0 0 org/",
        "1 me b 2000 eu0 0 /org",        "1 me b 2000 eu0 0 //",      "1 me b 2000 eu0 0 ",
        "1 me b 2000 eu0 4 a}b /org/",   "1 me b 0x10 eu0 0 /org/",   "hello"};
    struct route_doubt doubt;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (reads(texts[i], strlen(texts[i]), &doubt))
            fail_msg("taken: %s", texts[i]);
    assert_true(reads("1 me p 0 eu0 0 /org/", 20, &doubt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
