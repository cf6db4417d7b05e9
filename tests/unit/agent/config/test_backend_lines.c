/* tests/unit/agent/config/test_backend_lines.c - which lines a cell's backend may have, and what is said of others. */
#include "agent/config/backend_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of a block of its exact size. "": nothing is wrong. */
static const char *check(const char *line)
{
    static char why[160];
    char *exact = strdup(line);
    why[0] = '\0';
    bool good = backend_line_check(exact, why, sizeof why);
    free(exact);
    assert_int_equal(good, why[0] == '\0');
    return why;
}

static void lines_that_may_stand_there(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool shared;
    } cases[] = {
        {"option httpchk GET /health", false},
        {"  option   httpchk", false},
        {"http-check expect status 200", false},
        {"http-check send meth GET uri /up hdr host 'a b'", false},
        {"balance leastconn", false},
        {"cookie SRV insert dynamic", false},
        {"timeout check 2s", false},
        {"timeout server 30s", true},
        {"no option http-keep-alive", true},
        {"errorfile 503 /etc/haproxy/errors/503.http", true},
        {"source 0.0.0.0 usesrc clientip", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(check(cases[i].line), "");
        assert_int_equal(backend_line_is_shared(cases[i].line), cases[i].shared);
    }
}

static void lines_that_may_not(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" ", "it is empty"},
        {"#", "no line of a cell's backend begins with #"},
        {"no", "no line of a cell's backend begins with "},
        {"option", "no line of a cell's backend begins with option"},
        {"option httpchk 'GET", "a quote does not end"},
        {"option httchk", "no line of a cell's backend begins with option httchk; did you mean option httpchk"},
        {"option httpchkk", "no line of a cell's backend begins with option httpchkk; did you mean option httpchk"},
        {"balanc first", "no line of a cell's backend begins with balanc; did you mean balance"},
        {"frontend x", "no line of a cell's backend begins with frontend"},
        {"http-request deny", "http-request cannot stand there: the router's own rules stand there; put it into the "
                              "frontend"},
        {"retries 9", "retries cannot stand there: the router's own tries depend on it"},
        {"no option redispatch", "option redispatch cannot stand there: the router's own tries depend on it"},
        {"server a b:1 check", "server cannot stand there: servers has them"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(check(cases[i][0]), cases[i][1]);
}

static void pages_of_a_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"balance first", ""},
        {"errorfile 503 /etc/503.http", "503"},
        {"errorfile", ""},
        {"errorloc302 503 /sorry", ""}, /* an answer that is no error */
        {"errorfiles site", "400:599"},
        {"errorfiles site 502 503  504", "502 503 504"},
        {"http-error status 504 content-type text/plain string 'status 503'", "504"},
        {"http-error content-type text/plain status 500", "500"},
        {"http-error status", ""},
    };
    char pages[12];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        backend_line_pages(cases[i][0], pages, sizeof pages);
        assert_string_equal(pages, cases[i][1]);
    }
    backend_line_pages("errorfiles site 502 503 504", pages, 10);
    assert_string_equal(pages, "502 503");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_may_stand_there),
        cmocka_unit_test(lines_that_may_not),
        cmocka_unit_test(pages_of_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
