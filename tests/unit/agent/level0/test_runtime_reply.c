/* tests/unit/agent/level0/test_runtime_reply.c - what HAProxy says on its runtime socket, in heap blocks of their exact
 * size: whole, cut at every byte, and as nobody should say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/level0/runtime_reply.h"

/* The first piece of so many bytes; they are gone afterwards, line->at only tells an empty line from none. */
static enum runtime_piece first_of(const char *bytes, size_t n, struct text_view *line, size_t *used)
{
    char *exact = malloc(n ? n : 1);
    memcpy(exact, bytes, n);
    enum runtime_piece piece = runtime_reply_take(n ? exact : exact + 1, n, line, used);
    assert_true(*used <= n);
    assert_true((*used > 0) == (piece <= RUNTIME_PIECE_PAYLOAD && piece != RUNTIME_PIECE_MORE));
    assert_true(line->length <= n);
    free(exact);
    return piece;
}

static void pieces_come_one_by_one(void **state)
{
    static const struct {
        const char *bytes;
        enum runtime_piece piece;
        size_t used, length;
    } rows[] = {
        {"", RUNTIME_PIECE_MORE, 0, 0},           {">", RUNTIME_PIECE_MORE, 0, 0},
        {"+", RUNTIME_PIECE_MORE, 0, 0},          {"> ", RUNTIME_PIECE_PROMPT, 2, 0},
        {"+ ", RUNTIME_PIECE_PAYLOAD, 2, 0},      {"> > ", RUNTIME_PIECE_PROMPT, 2, 0},
        {"\n", RUNTIME_PIECE_LINE, 1, 0},         {"\n> ", RUNTIME_PIECE_LINE, 1, 0},
        {"a", RUNTIME_PIECE_MORE, 0, 0},          {"a\n> ", RUNTIME_PIECE_LINE, 2, 1},
        {">a\n", RUNTIME_PIECE_LINE, 3, 2},       {"a> ", RUNTIME_PIECE_MORE, 0, 0},
        {"Pid: 5\r\n", RUNTIME_PIECE_LINE, 8, 7}, {"master> ", RUNTIME_PIECE_MORE, 0, 0},
    };
    struct text_view line;
    size_t used;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum runtime_piece piece = first_of(rows[i].bytes, strlen(rows[i].bytes), &line, &used);
        if (piece != rows[i].piece || used != rows[i].used || line.length != rows[i].length)
            fail_msg("\"%s\": piece %d, %zu used, line of %zu", rows[i].bytes, (int)piece, used, line.length);
    }
}

static void a_line_has_an_end_and_no_zero(void **state)
{
    struct text_view line;
    size_t used;
    char *bytes = malloc(RUNTIME_LINE_MAX + 1);
    (void)state;
    memset(bytes, 'x', RUNTIME_LINE_MAX + 1);
    assert_int_equal(first_of(bytes, RUNTIME_LINE_MAX - 1, &line, &used), RUNTIME_PIECE_MORE);
    assert_int_equal(first_of(bytes, RUNTIME_LINE_MAX, &line, &used), RUNTIME_PIECE_TOO_LONG);
    bytes[RUNTIME_LINE_MAX] = '\n';
    assert_int_equal(first_of(bytes, RUNTIME_LINE_MAX + 1, &line, &used), RUNTIME_PIECE_TOO_LONG);
    bytes[RUNTIME_LINE_MAX - 1] = '\n';
    assert_int_equal(first_of(bytes, RUNTIME_LINE_MAX + 1, &line, &used), RUNTIME_PIECE_LINE);
    assert_int_equal(line.length, RUNTIME_LINE_MAX - 1);
    free(bytes);
    assert_int_equal(first_of("a\0b", 3, &line, &used), RUNTIME_PIECE_BINARY);
    assert_int_equal(first_of("\0\n", 2, &line, &used), RUNTIME_PIECE_BINARY);
    assert_int_equal(first_of("a\n\0", 3, &line, &used), RUNTIME_PIECE_LINE);
}

static void what_is_cut_off_is_not_whole(void **state)
{
    static const char reply[] = "\n> Name: HAProxy\nPid: 5\n\n> 0x1 /a/ eu0|/a/\n\n> ";
    struct text_view line;
    size_t used, whole = 0;
    (void)state;
    for (size_t n = 0; n <= sizeof reply - 1; n++) {
        size_t at = 0, pieces = 0;
        while (first_of(reply + at, n - at, &line, &used) != RUNTIME_PIECE_MORE) {
            at += used;
            pieces++;
        }
        assert_true(pieces == whole || pieces == whole + 1);
        whole = pieces;
    }
    assert_int_equal(whole, 9);
}

/* The info of this one line, from memory of its exact size. */
static struct runtime_info info_of(const char *text)
{
    size_t n = strlen(text);
    char *exact = malloc(n ? n : 1);
    struct runtime_info info = {0};
    memcpy(exact, text, n);
    runtime_reply_info(&info, (struct text_view){exact, n});
    free(exact);
    return info;
}

static void numbers_are_digits_that_fit(void **state)
{
    static const struct {
        const char *line;
        uint64_t pid;
    } rows[] = {
        {"Pid: 5", 5},
        {"Pid: 5 and more", 5},
        {"Pid: 18446744073709551615", UINT64_MAX},
        {"Pid: 18446744073709551616", 0},
        {"Pid: 99999999999999999999999999999999", 0},
        {"Pid: -5", 0},
        {"Pid: +5", 0},
        {"Pid:  5", 0},
        {"Pid: 0x5", 0},
        {"Pid: ", 0},
        {"Pid:", 0},
        {"pid: 5", 0},
        {" Pid: 5", 0},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (info_of(rows[i].line).pid != rows[i].pid)
            fail_msg("%s", rows[i].line);
    assert_int_equal(info_of("Start_time_sec: 1700000000").started, 1700000000);
    assert_int_equal(info_of("Version: 2.6.12-1+deb12u2").version, 2);
    assert_int_equal(info_of("Version: dev").version, 0);
}

/* The entry as "key cell undecided", "key - undecided" without a cell of ours, or "no entry". */
static const char *entry_of(const char *text)
{
    static char said[300];
    size_t n = strlen(text);
    char *exact = malloc(n ? n : 1);
    struct runtime_entry entry;
    memcpy(exact, text, n);
    if (!runtime_reply_entry((struct text_view){exact, n}, &entry))
        snprintf(said, sizeof said, "no entry");
    else
        snprintf(said, sizeof said, "%.*s %.*s%s", (int)entry.key.length, entry.key.at,
                 entry.cell.at ? (int)entry.cell.length : 1, entry.cell.at ? entry.cell.at : "-",
                 entry.undecided ? " undecided" : "");
    free(exact);
    return said;
}

static void entries_of_a_map(void **state)
{
    static const char *const rows[][2] = {
        {"0x55704f6faa70 /q/ c0|/q/", "/q/ c0"},
        {"0x55704f6faa70 /q/ c0|/q/||?", "/q/ c0 undecided"},
        {"0x55704f6faa70 /q/ c0|/q/|1700000000|?", "/q/ c0"},
        {"0x1 /q/ c0|/q/|99999999999999999999999999|?", "/q/ c0"},
        {"0x1 /q/ c0|/q/|-1|?", "/q/ -"},
        {"0x1 /q/ c0|/q/|1|?|?", "/q/ -"},
        {"0x1 /q/ c0|/q/||", "/q/ -"},
        {"0x1 /q/ c0|/q/|", "/q/ -"},
        {"0x1 /q/ c0|/q/x", "/q/ -"},
        {"0x1 /q/ c0|/q", "/q/ -"},
        {"0x1 /q/ c0|", "/q/ -"},
        {"0x1 /q/ |/q/", "/q/ "},
        {"0x1 /q/ c0", "/q/ -"},
        {"0x1 /q/ ", "/q/ -"},
        {"0x1 /q/", "/q/ -"},
        {"0x1  /q/  c0|/q/", "/q/  c0"}, /* no id of a cell begins with a blank */
        {"0x1 ", "no entry"},
        {"0x1", "no entry"},
        {"0x", "no entry"},
        {"0", "no entry"},
        {"", "no entry"},
        {"Unknown map identifier. Please use #<id> or <file>.", "no entry"},
        {"Pid: 5", "no entry"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(entry_of(rows[i][0]), rows[i][1]) != 0)
            fail_msg("%s: %s, not %s", rows[i][0], entry_of(rows[i][0]), rows[i][1]);
}

static void only_a_missing_key_is_harmless(void **state)
{
    (void)state;
    assert_true(runtime_reply_is_harmless(TEXT_VIEW("")));
    assert_true(runtime_reply_is_harmless(TEXT_VIEW("Key not found.")));
    assert_false(runtime_reply_is_harmless(TEXT_VIEW("Key not")));
    assert_false(runtime_reply_is_harmless(TEXT_VIEW("Permission denied")));
    assert_false(runtime_reply_is_harmless(TEXT_VIEW("Out of memory error.")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_one_by_one),
        cmocka_unit_test(a_line_has_an_end_and_no_zero),
        cmocka_unit_test(what_is_cut_off_is_not_whole),
        cmocka_unit_test(numbers_are_digits_that_fit),
        cmocka_unit_test(entries_of_a_map),
        cmocka_unit_test(only_a_missing_key_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
