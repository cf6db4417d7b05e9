/* tests/unit/agent/level0/test_haproxy_limits.c - replies as HAProxy 2.6, 3.0 and 3.2 give them, and as nobody should.
 * Each is in a block of its exact size. */
#include "agent/level0/haproxy_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INFO \
    "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nNbthread: 2\nPid: 22973\nUlimit-n: 830\nMaxsock: 830\nMaxconn: 400\n" \
    "Hard_maxconn: 400\nCurrConns: 0\nStart_time_sec: 1795849796\n\n"
#define HEAD "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,\n"
#define INNER "cellrouter-inner,FRONTEND,,,0,0,180,0,0,0,0,0,0,,,,,OPEN,\n"
#define SITE "mysite,FRONTEND,,,0,0,120,0,0,0,0,0,0,,,,,OPEN,\n"

static const struct config_haproxy of_120 = {.maxconn = 120}, of_none = {.maxconn = 0};

static bool read_bytes(const char *bytes, size_t length, struct haproxy_limits *limits)
{
    char *block = malloc(length > 0 ? length : 1);
    assert_non_null(block);
    memcpy(block, bytes, length);
    bool fine = haproxy_limits_read((struct text_view){length > 0 ? block : NULL, length}, limits);
    free(block);
    return fine;
}

static bool read_text(const char *text, struct haproxy_limits *limits)
{
    return read_bytes(text, strlen(text), limits);
}

static void a_router_at_rest(void **state)
{
    struct haproxy_limits limits;
    (void)state;
    assert_true(read_text(INFO HEAD INNER SITE "stats,FRONTEND,,,1,1,10,3,\n\n", &limits));
    assert_int_equal(limits.pid, 22973);
    assert_int_equal(limits.maxconn, 400);
    assert_int_equal(limits.maxsock, 830);
    assert_int_equal(limits.files, 830);
    assert_int_equal(limits.inner, 180);
    assert_int_equal(limits.clients, 130);
    assert_string_equal(limits.version, "2.6.12-1+deb12u4");
    assert_string_equal(limits.names, "mysite=120 stats=10");
}

static void what_is_not_whole_is_not_read(void **state)
{
    static const char whole[] = INFO HEAD INNER SITE "\n";
    struct haproxy_limits limits;
    (void)state;
    assert_true(read_bytes(whole, sizeof whole - 1, &limits));
    for (size_t length = 0; length < sizeof whole - 1; length++)
        if (read_bytes(whole, length, &limits))
            fail_msg("the first %zu bytes of %zu were taken for a reply", length, sizeof whole - 1);
}

static void what_is_no_reply_is_not_read(void **state)
{
    static const char *const replies[] = {
        "",
        "\n\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n\n\n",
        "Unknown command\n\n",
        "Permission denied\n\nPermission denied\n\n",
        INFO "\n",
        HEAD INNER SITE "\n",
        "Pid: 1\nMaxconn: 400\nMaxsock: 800\n\n" HEAD "\n",             /* no Ulimit-n */
        "Pid: 1\nMaxconn: -4\nMaxsock: 8\nUlimit-n: 8\n\n" HEAD "\n",   /* a sign */
        "Pid: 1\nMaxconn: \nMaxsock: 8\nUlimit-n: 8\n\n" HEAD "\n",     /* nothing */
        "Pid: 1\nMaxconn: 0x10\nMaxsock: 8\nUlimit-n: 8\n\n" HEAD "\n", /* no decimal */
        "Pid: 1\nMaxconn: 400 \nMaxsock: 8\nUlimit-n: 8\n\n" HEAD "\n", /* more than a number */
        INFO HEAD "mysite,FRONTEND,,,0,0,,0,0\n\n",                     /* no limit */
        INFO HEAD "mysite,FRONTEND,,,0,0,120\n\n",                      /* no end of it */
        INFO HEAD "mysite,FRONTEND\n\n",                                /* too few columns */
        INFO HEAD "mysite,BACKEND,,,0,0,120,0,0\n\n",                   /* nobody asked */
        INFO HEAD ",,,,,,,,,,,,,,,,,,,,,,,,\n\n",
    };
    struct haproxy_limits limits;
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
        if (read_text(replies[i], &limits))
            fail_msg("taken for a reply: %s", replies[i]);
}

static void numbers_do_not_wrap_around(void **state)
{
    struct haproxy_limits limits;
    (void)state;
    assert_true(read_text("Pid: 99999999999999999999999\nMaxconn: 18446744073709551615\nMaxsock: 18446744073709551616\n"
                          "Ulimit-n: 18446744073709551617\n\n" HEAD
                          "a,FRONTEND,,,0,0,18446744073709551615,0\nb,FRONTEND,,,0,0,2,0\n\n",
                          &limits));
    assert_true(limits.pid == UINT64_MAX && limits.maxconn == UINT64_MAX && limits.maxsock == UINT64_MAX);
    assert_true(limits.files == UINT64_MAX && limits.clients == UINT64_MAX);
}

static void names_are_harmless_and_bounded(void **state)
{
    char reply[20000] = INFO HEAD "a<b>\"\x1b\x7f,FRONTEND,,,0,0,1,0\n";
    struct haproxy_limits limits;
    (void)state;
    for (int i = 0; i < 300; i++)
        strcat(reply, "a-name-of-some-length,FRONTEND,,,0,0,1,0\n");
    strcat(reply, "\n");
    assert_true(read_text(reply, &limits));
    assert_int_equal(limits.clients, 301);
    assert_memory_equal(limits.names, "a?b?\?\?\?=1 a-name-of-some-length=1 ", 34);
    size_t length = strlen(limits.names);
    assert_true(length < sizeof limits.names);
    assert_string_equal(limits.names + length - 4, " ...");

    memset(reply, 'x', sizeof reply - 1);
    memcpy(reply, "Version: ", 9);
    strcpy(reply + 5000, "\n" INFO HEAD "\n");
    assert_true(read_text(reply, &limits));
    assert_string_equal(limits.version, "2.6.12-1+deb12u4");
    static const char zero[] = "Version: 3\0"
                               "0\n"
                               "Pid: 1\nMaxconn: 1\nMaxsock: 1\nUlimit-n: 1\n\n" HEAD "\n";
    assert_true(read_bytes(zero, sizeof zero - 1, &limits));
    assert_string_equal(limits.version, "3?0");
}

/* One number of a fitting process is changed; the only wrong thing is its limit. */
static void each_limit_is_judged(void **state)
{
    const struct haproxy_limits fine = {.maxconn = 400, .maxsock = 830, .files = 830, .inner = 180, .clients = 220};
    struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT];
    (void)state;
    assert_int_equal(haproxy_limits_judge(&fine, &of_120, wrong), 0);

    struct haproxy_limits now = fine;
    now.maxconn = 399;
    now.clients = 120;
    assert_int_equal(haproxy_limits_judge(&now, &of_120, wrong), 1);
    assert_int_equal(wrong[0].limit, HAPROXY_LIMIT_PLACES);
    assert_int_equal(wrong[0].is, 399);
    assert_int_equal(wrong[0].right, 400);

    now = fine;
    now.inner = 179;
    assert_int_equal(haproxy_limits_judge(&now, &of_120, wrong), 1);
    assert_int_equal(wrong[0].limit, HAPROXY_LIMIT_LOOP);
    assert_int_equal(wrong[0].right, 180);

    now = fine;
    now.clients = 221;
    assert_int_equal(haproxy_limits_judge(&now, &of_120, wrong), 1);
    assert_int_equal(wrong[0].limit, HAPROXY_LIMIT_CLIENTS);
    assert_int_equal(wrong[0].is, 221);
    assert_int_equal(wrong[0].right, 220);

    now = fine;
    now.files = 829;
    assert_int_equal(haproxy_limits_judge(&now, &of_120, wrong), 1);
    assert_int_equal(wrong[0].limit, HAPROXY_LIMIT_FILES);
    assert_int_equal(wrong[0].right, 830);
}

static void a_site_that_has_its_own_places_is_asked_about_descriptors_alone(void **state)
{
    const struct haproxy_limits limits = {.maxconn = 10, .maxsock = 100, .files = 50, .clients = 1000};
    struct haproxy_wrong wrong[HAPROXY_LIMIT_COUNT];
    (void)state;
    assert_int_equal(haproxy_limits_judge(&limits, &of_none, wrong), 1);
    assert_int_equal(wrong[0].limit, HAPROXY_LIMIT_FILES);
    assert_int_equal(haproxy_limits_judge(&limits, &of_120, wrong), HAPROXY_LIMIT_COUNT);
    for (size_t i = 0; i < HAPROXY_LIMIT_COUNT; i++) {
        assert_int_equal(wrong[i].limit, i);
        assert_true(haproxy_limit_name(wrong[i].limit)[0] && haproxy_limit_text(wrong[i].limit)[0]);
        assert_string_equal(haproxy_limit_bound(wrong[i].limit), i == HAPROXY_LIMIT_CLIENTS ? "at most" : "at least");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_router_at_rest),
        cmocka_unit_test(what_is_not_whole_is_not_read),
        cmocka_unit_test(what_is_no_reply_is_not_read),
        cmocka_unit_test(numbers_do_not_wrap_around),
        cmocka_unit_test(names_are_harmless_and_bounded),
        cmocka_unit_test(each_limit_is_judged),
        cmocka_unit_test(a_site_that_has_its_own_places_is_asked_about_descriptors_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
