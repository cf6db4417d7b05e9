/* tests/unit/agent/report/test_log.c - lines are logfmt whatever the values, limited, and lost rather than waited
 * for. */
#include "agent/report/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t now = 1767323045678; /* 2026-01-02T03:04:05.678Z */

static uint64_t wall(void)
{
    return now;
}

struct fixture {
    int out[2];
    struct log *log;
    char text[70000];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || pipe(f->out) != 0)
        return -1;
    f->log = log_new(f->out[1], LOG_INFO, 3, wall);
    *state = f;
    return f->log ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    log_free(f->log);
    close(f->out[0]);
    close(f->out[1]);
    free(f);
    return 0;
}

/* What was written since the last call. */
static const char *text(struct fixture *f)
{
    fcntl(f->out[0], F_SETFL, O_NONBLOCK);
    size_t at = 0;
    for (ssize_t n; (n = read(f->out[0], f->text + at, sizeof f->text - 1 - at)) > 0;)
        at += (size_t)n;
    f->text[at] = '\0';
    return f->text;
}

static size_t lines(const char *bytes)
{
    size_t count = 0;
    for (; (bytes = strchr(bytes, '\n')); bytes++)
        count++;
    return count;
}

static void a_line_has_stamp_level_reason_fields_and_text(void **state)
{
    struct fixture *f = *state;
    log_write(f->log, REASON_LISTENING, LOG_FIELDS(LOG_STR("address", "unix:/x"), LOG_NUM("mode", 432)));
    assert_string_equal(text(f), "ts=2026-01-02T03:04:05.678Z level=info reason=listening address=unix:/x mode=432 "
                                 "msg=\"listening\"\n");
}

static void hostile_values_cannot_forge_a_line(void **state)
{
    struct fixture *f = *state;
    const char hostile[] = "x\" level=error\nts=1 \x1b[31m\\ \xff";
    char *exact = malloc(sizeof hostile - 1); /* no ending zero: a read past the length is seen */
    memcpy(exact, hostile, sizeof hostile - 1);
    log_write(f->log, REASON_LISTENING,
              LOG_FIELDS(LOG_BYTES("path", exact, sizeof hostile - 1), LOG_STR("empty", ""), LOG_STR("null", NULL)));
    free(exact);
    assert_non_null(
        strstr(text(f), " path=\"x\\\" level=error\\x0ats=1 \\x1b[31m\\\\ \\xff\" empty=\"\" null=\"\" msg="));
    assert_int_equal(lines(f->text), 1);
}

static void long_values_are_cut_and_the_line_ends(void **state)
{
    struct fixture *f = *state;
    char big[5000];
    memset(big, '\n', sizeof big);
    struct log_field fields[9];
    for (int i = 0; i < 9; i++)
        fields[i] = LOG_BYTES("k", big, sizeof big);
    log_write(f->log, REASON_LISTENING, fields, 9);
    assert_non_null(strstr(text(f), "+4744"));
    assert_int_equal(strlen(f->text), 3000);
    assert_int_equal(f->text[2999], '\n');
}

static void a_level_above_the_setting_is_not_written(void **state)
{
    struct fixture *f = *state;
    log_set(f->log, LOG_WARN, 3);
    log_write(f->log, REASON_LISTENING, NULL, 0);
    log_event(f->log, REASON_STORE_EVENT, LOG_INFO, "connected", "x");
    assert_string_equal(text(f), "");
    log_event(f->log, REASON_STORE_EVENT, LOG_WARN, "lost", "the connection broke");
    assert_non_null(strstr(text(f), "level=warn reason=lost msg=\"the connection broke\""));
}

static void limited_reasons_say_how_many_lines_were_left_out(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        log_write(f->log, REASON_CLAIM_REFUSED, NULL, 0);
    log_write(f->log, REASON_LISTENING, NULL, 0); /* another reason has its own limit, and this one none */
    assert_int_equal(lines(text(f)), 4);
    log_tick(f->log);
    assert_string_equal(text(f), "");
    now += 1000;
    log_write(f->log, REASON_CLAIM_REFUSED, NULL, 0);
    assert_non_null(strstr(text(f), " left_out=7 msg="));
    for (int i = 0; i < 5; i++)
        log_write(f->log, REASON_CLAIM_REFUSED, NULL, 0);
    assert_int_equal(lines(text(f)), 2);
    now += 1000;
    log_tick(f->log);
    assert_non_null(strstr(text(f), "reason=claim_refused left_out=3 msg=\"lines left out\""));
    log_tick(f->log);
    assert_string_equal(text(f), "");
}

static void a_reader_that_does_not_read_costs_lines_not_time(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5000; i++) /* a blocking write would hang the test here */
        log_write(f->log, REASON_LISTENING, NULL, 0);
    assert_true(log_lost(f->log) > 0);
    assert_int_equal(lines(text(f)) + log_lost(f->log), 5000);
}

/* A file that may not grow is what a full disk is to write(). */
static void let_files_grow(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_line_cut_by_a_full_disk_gets_its_end_later(void **state)
{
    struct fixture *f = *state;
    FILE *file = tmpfile();
    assert_non_null(file);
    signal(SIGXFSZ, SIG_IGN);
    log_free(f->log);
    f->log = log_new(fileno(file), LOG_INFO, 3, wall);
    let_files_grow(20);
    log_write(f->log, REASON_LISTENING, NULL, 0);
    log_write(f->log, REASON_LISTENING, NULL, 0);
    let_files_grow(RLIM_INFINITY);
    assert_int_equal(log_lost(f->log), 2);
    log_write(f->log, REASON_LISTENING, NULL, 0);
    log_write(f->log, REASON_LISTENING, NULL, 0);
    assert_int_equal(log_lost(f->log), 2);
    rewind(file);
    f->text[fread(f->text, 1, sizeof f->text - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(lines(f->text), 3);
    assert_memory_equal(f->text, "ts=2026-01-02T03:04:\nts=2026-01-02", 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_has_stamp_level_reason_fields_and_text, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_values_cannot_forge_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_are_cut_and_the_line_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_level_above_the_setting_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(limited_reasons_say_how_many_lines_were_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_does_not_read_costs_lines_not_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_cut_by_a_full_disk_gets_its_end_later, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
