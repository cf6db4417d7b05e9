/* tests/unit/agent/routes/test_path.c - which paths are looked up, and by which prefixes. */
#include "agent/routes/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct path_options plain = {.max_length = 2048, .max_depth = 4};
static const struct path_options folded = {.max_length = 2048, .max_depth = 4, .fold_case = true};
static const struct path_options hosted = {.max_length = 2048, .max_depth = 4, .hosts = true};

static char buffer[PATH_KEY_SIZE];

/* An exact-size copy, so that ASan sees one byte read too far; NULL for no bytes at all. */
static char *copy(const char *text, size_t length)
{
    char *exact = text ? malloc(length ? length : 1) : NULL;
    if (exact)
        memcpy(exact, text, length);
    return exact;
}

static enum path_verdict parse_bytes(struct path *path, const struct path_options *options, const char *text,
                                     size_t length, const char *host)
{
    size_t host_length = host ? strlen(host) : 0;
    char *exact = copy(text, length), *exact_host = copy(host, host_length);
    enum path_verdict verdict = path_parse(path, options, (struct text_view){exact, length},
                                           (struct text_view){exact_host, host_length}, buffer, sizeof buffer);
    free(exact);
    free(exact_host);
    return verdict;
}

static void expect(const struct path_options *options, const char *text, size_t length, const char *host,
                   enum path_verdict wanted)
{
    struct path path;
    enum path_verdict verdict = parse_bytes(&path, options, text, length, host);
    if (verdict != wanted)
        fail_msg("path \"%.*s\" host \"%s\": wanted %s, got %s", (int)length, text, host ? host : "",
                 path_verdict_name(wanted), path_verdict_name(verdict));
    if (verdict != PATH_OK && (path.key || path.depth || path.length))
        fail_msg("path \"%.*s\": refused, but not empty", (int)length, text);
}

/* prefixes: all of them, longest last, joined by blanks. */
static void expect_prefixes(const struct path_options *options, const char *text, const char *host,
                            const char *prefixes)
{
    struct path path;
    char got[4096] = "";
    size_t used = 0;
    enum path_verdict verdict = parse_bytes(&path, options, text, strlen(text), host);
    if (verdict != PATH_OK)
        fail_msg("path \"%s\": %s", text, path_verdict_name(verdict));
    for (unsigned i = 0; i < path.depth; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%.*s", i ? " " : "", path.ends[i], path.key);
    if (strcmp(got, prefixes) != 0)
        fail_msg("path \"%s\": wanted prefixes \"%s\", got \"%s\"", text, prefixes, got);
    if (path.depth > 0)
        assert_int_equal(path.length, path.ends[path.depth - 1]);
}

static void prefixes_are_whole_segments(void **state)
{
    (void)state;
    expect_prefixes(&plain, "/my-company", NULL, "/my-company/");
    expect_prefixes(&plain, "/my-company/", NULL, "/my-company/");
    expect_prefixes(&plain, "/my-company2", NULL, "/my-company2/");
    expect_prefixes(&plain, "/a/b/c.git", NULL, "/a/ /a/b/ /a/b/c.git/");
    expect_prefixes(&plain, "/a%2Fb/c", NULL, "/a%2Fb/ /a%2Fb/c/");
    expect_prefixes(&plain, "/...", NULL, "/.../");
    expect_prefixes(&plain, "/.a/..b/%2ea/%2", NULL, "/.a/ /.a/..b/ /.a/..b/%2ea/ /.a/..b/%2ea/%2/");
    expect_prefixes(&plain, "/\xc3\xa9", NULL, "/\xc3\xa9/");
}

static void the_root_has_no_prefix(void **state)
{
    (void)state;
    expect_prefixes(&plain, "/", NULL, "");
    expect_prefixes(&plain, "/?a=/b/c", NULL, "");
    expect_prefixes(&hosted, "/", "h", "");
}

static void a_query_does_not_count(void **state)
{
    (void)state;
    expect_prefixes(&plain, "/a/b?c=//../", NULL, "/a/ /a/b/");
    expect_prefixes(&plain, "/a/?", NULL, "/a/");
    expect_prefixes(&plain, "/a#/b", NULL, "/a/");
    expect(&plain, "?a", 2, NULL, PATH_NOT_ABSOLUTE);
}

static void deep_paths(void **state)
{
    (void)state;
    struct path path;
    expect_prefixes(&plain, "/1/2/3/4/5/6", NULL, "/1/ /1/2/ /1/2/3/ /1/2/3/4/");
    assert_int_equal(parse_bytes(&path, &plain, "/1/2/3/4", 8, NULL), PATH_OK);
    assert_false(path.deeper);
    assert_int_equal(parse_bytes(&path, &plain, "/1/2/3/4/", 9, NULL), PATH_OK);
    assert_false(path.deeper);
    assert_int_equal(parse_bytes(&path, &plain, "/1/2/3/4/5", 10, NULL), PATH_OK);
    assert_true(path.deeper);
    expect(&plain, "/1/2/3/4/5//6", 13, NULL, PATH_EMPTY_SEGMENT); /* what is too deep is checked all the same */
    expect(&plain, "/1/2/3/4/5/..", 13, NULL, PATH_DOT_SEGMENT);
}

static void what_is_not_looked_up(void **state)
{
    static const struct {
        const char *text;
        enum path_verdict verdict;
    } cases[] = {
        {"", PATH_NOT_ABSOLUTE},           {"*", PATH_NOT_ABSOLUTE},      {"a/b", PATH_NOT_ABSOLUTE},
        {"http://h/a", PATH_NOT_ABSOLUTE}, {"//", PATH_EMPTY_SEGMENT},    {"//a", PATH_EMPTY_SEGMENT},
        {"/a//", PATH_EMPTY_SEGMENT},      {"/a//b", PATH_EMPTY_SEGMENT}, {"/.", PATH_DOT_SEGMENT},
        {"/./", PATH_DOT_SEGMENT},         {"/..", PATH_DOT_SEGMENT},     {"/../a", PATH_DOT_SEGMENT},
        {"/a/./b", PATH_DOT_SEGMENT},      {"/a/../b", PATH_DOT_SEGMENT}, {"/a/..", PATH_DOT_SEGMENT},
        {"/a/..?b", PATH_DOT_SEGMENT},     {"/a/%2e", PATH_DOT_SEGMENT},  {"/a/%2E/b", PATH_DOT_SEGMENT},
        {"/a/%2e%2E/b", PATH_DOT_SEGMENT}, {"/a/.%2e", PATH_DOT_SEGMENT}, {"/a/%2e.", PATH_DOT_SEGMENT},
        {"/a b", PATH_CONTROL_BYTE},       {"/a\tb", PATH_CONTROL_BYTE},  {"/a\x7f", PATH_CONTROL_BYTE},
        {"/a/\r\nb", PATH_CONTROL_BYTE},   {"/ ", PATH_CONTROL_BYTE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&plain, cases[i].text, strlen(cases[i].text), NULL, cases[i].verdict);
    expect(&plain, "/a\0b", 4, NULL, PATH_CONTROL_BYTE);
    expect(&plain, NULL, 0, NULL, PATH_NOT_ABSOLUTE);
}

/* Each byte at each place of segments of each length, so at each place of the words that the walk reads. */
static void every_byte_everywhere(void **state)
{
    (void)state;
    for (size_t length = 2; length <= 20; length++)
        for (size_t at = 1; at < length; at++)
            for (unsigned byte = 0; byte < 256; byte++) {
                char text[20] = "/";
                memset(text + 1, at & 1 ? 'a' : '~', length - 1);
                text[at] = (char)byte;
                enum path_verdict wanted = PATH_OK;
                if (byte <= ' ' || byte == 127)
                    wanted = PATH_CONTROL_BYTE;
                else if (byte == '/' && at == 1)
                    wanted = PATH_EMPTY_SEGMENT;
                else if (byte == '.' && length == 2)
                    wanted = PATH_DOT_SEGMENT;
                expect(&plain, text, length, NULL, wanted);
                struct path path;
                if (wanted != PATH_OK || parse_bytes(&path, &plain, text, length, NULL) != PATH_OK)
                    continue;
                bool query = byte == '?' || byte == '#', splits = byte == '/' && at < length - 1;
                if (path.depth != (query && at == 1 ? 0 : 1 + splits) ||
                    path.length != (query || (byte == '/' && !splits) ? at + (at > 1 || !query) : length + 1))
                    fail_msg("byte %u at %zu of %zu: depth %u length %u", byte, at, length, path.depth, path.length);
            }
}

static void long_paths_are_refused(void **state)
{
    (void)state;
    struct path path;
    struct path_options options = {.max_length = 10, .max_depth = 32};
    expect(&options, "/123456789", 10, NULL, PATH_OK);
    expect(&options, "/1234567890", 11, NULL, PATH_TOO_LONG);
    expect(&options, "/123456789?abc", 14, NULL, PATH_OK); /* the query is not part of the path */
    options.max_length = UINT32_MAX;
    char *text = malloc(PATH_MAX_LENGTH + 1);
    memset(text, 'a', PATH_MAX_LENGTH + 1);
    text[0] = '/';
    expect(&options, text, PATH_MAX_LENGTH, NULL, PATH_OK);
    expect(&options, text, PATH_MAX_LENGTH + 1, NULL, PATH_TOO_LONG);
    free(text);
    /* Every size of buffer: the key fits, or the path is too long, and no byte behind the buffer is touched. */
    for (size_t size = 0; size <= 8; size++) {
        char *room = malloc(size ? size : 1);
        enum path_verdict verdict = path_parse(&path, &options, TEXT_VIEW("/ab/cd"), (struct text_view){0}, room, size);
        assert_int_equal(verdict, size >= 7 ? PATH_OK : PATH_TOO_LONG);
        free(room);
    }
}

static void case_folding(void **state)
{
    (void)state;
    expect_prefixes(&folded, "/My-Company/X%2F", NULL, "/my-company/ /my-company/x%2f/");
    expect_prefixes(&plain, "/My-Company", NULL, "/My-Company/");
    expect_prefixes(&folded, "/\xc3\x89[@", NULL, "/\xc3\x89[@/"); /* only ASCII letters */
}

static void hosts_are_part_of_keys(void **state)
{
    (void)state;
    expect_prefixes(&hosted, "/A/b", "Example.COM", "example.com/A/ example.com/A/b/");
    expect_prefixes(&hosted, "/a", "example.com:8080", "example.com/a/");
    expect_prefixes(&hosted, "/a", "example.com.", "example.com/a/");
    expect_prefixes(&hosted, "/a", "example.com.:443", "example.com/a/");
    expect_prefixes(&hosted, "/a", "h:", "h/a/");
    expect_prefixes(&hosted, "/a", "10.0.0.1:80", "10.0.0.1/a/");
    expect_prefixes(&hosted, "/a", "[2001:DB8::1]:80", "[2001:db8::1]/a/");
    expect_prefixes(&hosted, "/a", "[::1]", "[::1]/a/");
    expect_prefixes(&plain, "/a", "h", "/a/");
    static const char *const bad[] = {"",       ".",     "..",  "a b", "a/b", "h:x", "h:123456", "[::1", "[]",
                                      "[::1]x", "[g::]", "a@b", ":80", "{a}", "a?",  "h:80:80",  "::1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(&hosted, "/a", 2, bad[i], PATH_BAD_HOST);
    expect(&hosted, "/a", 2, NULL, PATH_BAD_HOST);
    char name[PATH_MAX_HOST + 2] = "";
    memset(name, 'h', PATH_MAX_HOST);
    expect(&hosted, "/a", 2, name, PATH_OK);
    name[PATH_MAX_HOST] = 'h';
    expect(&hosted, "/a", 2, name, PATH_BAD_HOST);
}

/* Every beginning of a path is a path of its own; none may be read past its end. */
static void every_truncation(void **state)
{
    (void)state;
    static const char text[] = "/org/%2e%2e/x/../y//z?q=1#f";
    struct path path;
    for (size_t n = 0; n < sizeof text; n++) {
        enum path_verdict verdict = parse_bytes(&path, &plain, text, n, NULL);
        if (n >= 12)
            assert_int_equal(verdict, PATH_DOT_SEGMENT);
        verdict = parse_bytes(&path, &hosted, "/a", 2, text);
        assert_int_equal(verdict, PATH_BAD_HOST);
    }
    static const char host[] = "[2001:db8::1]:8080";
    for (size_t n = 0; n < sizeof host; n++) {
        char *exact = copy(host, n);
        enum path_verdict verdict =
            path_parse(&path, &hosted, TEXT_VIEW("/a"), (struct text_view){exact, n}, buffer, sizeof buffer);
        assert_int_equal(verdict, n >= 13 ? PATH_OK : PATH_BAD_HOST);
        free(exact);
    }
}

static void verdicts_have_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PATH_VERDICT_COUNT; i++)
        assert_true(strlen(path_verdict_text((enum path_verdict)i)) > 5 &&
                    strlen(path_verdict_name((enum path_verdict)i)) >= 2);
    assert_string_equal(path_verdict_text(PATH_VERDICT_COUNT), "?");
    assert_string_equal(path_verdict_name(PATH_VERDICT_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_whole_segments), cmocka_unit_test(the_root_has_no_prefix),
        cmocka_unit_test(a_query_does_not_count),      cmocka_unit_test(deep_paths),
        cmocka_unit_test(what_is_not_looked_up),       cmocka_unit_test(every_byte_everywhere),
        cmocka_unit_test(long_paths_are_refused),      cmocka_unit_test(case_folding),
        cmocka_unit_test(hosts_are_part_of_keys),      cmocka_unit_test(every_truncation),
        cmocka_unit_test(verdicts_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
