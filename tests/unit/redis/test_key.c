/* tests/unit/redis/test_key.c - keys: layout, hash tags, reading back, truncation, foreign keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis/key.h"

static struct route_name name_of(const char *host, const char *prefix)
{
    return (struct route_name){host, strlen(host), prefix, strlen(prefix)};
}

static const struct {
    const char *host, *prefix, *key, *tombstone;
} good[] = {
    {"", "/my-company/", "cellrouter:{/my-company}/my-company/", "cellrouter-gone:{/my-company}/my-company/"},
    {"", "/my-company/x/", "cellrouter:{/my-company}/my-company/x/", "cellrouter-gone:{/my-company}/my-company/x/"},
    {"a.example:80", "/x/", "cellrouter:{a.example:80/x}/x/", "cellrouter-gone:{a.example:80/x}/x/"},
    {"", "/a}b/c/", "cellrouter:{/a}b}/a}b/c/", "cellrouter-gone:{/a}b}/a}b/c/"},
    {"", "/{x}/", "cellrouter:{/{x}}/{x}/", "cellrouter-gone:{/{x}}/{x}/"},
    {"{", "/%2F/", "cellrouter:{{/%2F}/%2F/", "cellrouter-gone:{{/%2F}/%2F/"},
};

static bool parse(const char *key, size_t n, struct route_name *name, char **copy)
{
    *copy = malloc(n == 0 ? 1 : n);
    memcpy(*copy, key, n);
    return key_parse(*copy, n, name);
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct route_name name = name_of(good[i].host, good[i].prefix), back;
        size_t n = key_length(&name), gone = key_tombstone_length(&name);
        char *key = malloc(n), *copy;

        assert_true(key_name_ok(&name));
        assert_int_equal(n, strlen(good[i].key));
        key_write(&name, key);
        assert_memory_equal(key, good[i].key, n);
        assert_true(parse(key, n, &back, &copy));
        assert_int_equal(back.host_length, name.host_length);
        assert_memory_equal(back.host, name.host, name.host_length);
        assert_int_equal(back.prefix_length, name.prefix_length);
        assert_memory_equal(back.prefix, name.prefix, name.prefix_length);
        free(copy);
        free(key);
        key = malloc(gone);
        assert_int_equal(gone, strlen(good[i].tombstone));
        key_write_tombstone(&name, key);
        assert_memory_equal(key, good[i].tombstone, gone);
        assert_false(parse(key, gone, &back, &copy));
        free(copy);
        free(key);
    }
}

/* What stands between the first '{' and the first '}' after it decides the slot. */
static void test_one_slot_for_all_prefixes_of_a_path(void **state)
{
    static const char *const prefixes[] = {"/a}b/", "/a}b/c/", "/a}b/c/d/"};
    char keys[3][64];
    size_t lengths[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct route_name name = name_of("h", prefixes[i]);

        memset(keys[i], 0, sizeof keys[i]);
        key_write(&name, keys[i]);
        const char *open = strchr(keys[i], '{');
        lengths[i] = (size_t)(strchr(open, '}') - open) - 1;
        assert_true(lengths[i] > 0);
        assert_int_equal(lengths[i], lengths[0]);
        assert_memory_equal(open + 1, strchr(keys[0], '{') + 1, lengths[0]);
    }
}

static void test_truncated_keys(void **state)
{
    const char *key = "cellrouter:{h/my}/my/x/";
    struct route_name name;
    char *copy;

    (void)state;
    for (size_t n = 0; n < strlen(key); n++) {
        bool whole_prefix = n == strlen("cellrouter:{h/my}/my/");

        assert_int_equal(parse(key, n, &name, &copy), whole_prefix);
        free(copy);
    }
}

static void test_foreign_keys(void **state)
{
    static const char *const keys[] = {
        "",
        "cellrouter:",
        "cellrouter:{",
        "cellrouter:{}",
        "cellrouter:{}/a/",
        "cellrouter:{/a}",
        "cellrouter:{/a}/",
        "cellrouter:{/a}/b/",
        "cellrouter:{/a}/ab/",
        "cellrouter:{/ab}/a/",
        "cellrouter:{/a/}/a/",
        "cellrouter:{/}//",
        "cellrouter:{/}/",
        "cellrouter:{/a}x/a/",
        "cellrouter:/a/",
        "cellrouter:{h}i/a}/a/",
        "cellrouter:{h i/a}/a/",
        "other:{/a}/a/",
    };
    struct route_name name;
    char *copy;

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (parse(keys[i], strlen(keys[i]), &name, &copy))
            fail_msg("taken for a key: %s", keys[i]);
        free(copy);
    }
    assert_false(parse("cellrouter:{\0/a}/a/", 19, &name, &copy));
    free(copy);
}

static void test_names(void **state)
{
    static char longest[ROUTE_PREFIX_MAX + 2], host[ROUTE_HOST_MAX + 2];
    struct route_name name;

    (void)state;
    memset(longest, 'x', sizeof longest);
    memset(host, 'h', sizeof host);
    longest[0] = longest[ROUTE_PREFIX_MAX - 1] = longest[ROUTE_PREFIX_MAX] = '/';
    name = (struct route_name){host, ROUTE_HOST_MAX, longest, ROUTE_PREFIX_MAX};
    assert_true(key_name_ok(&name));
    name.host_length++;
    assert_false(key_name_ok(&name));
    assert_int_equal(ROUTE_PREFIX_MAX, 8192 + 1); /* a path as long as max-path allows, and its slash */
    name = (struct route_name){NULL, 0, longest, ROUTE_PREFIX_MAX + 1};
    assert_false(key_name_ok(&name));
    static const char *const bad[] = {"", "/", "//", "//a/", "a/", "/a", "/a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        name = name_of("", bad[i]);
        assert_false(key_name_ok(&name));
    }
    static const char *const bad_hosts[] = {"a/b", "a}", "a b", "\x7f", "\n"};
    for (size_t i = 0; i < sizeof bad_hosts / sizeof bad_hosts[0]; i++) {
        name = name_of(bad_hosts[i], "/a/");
        assert_false(key_name_ok(&name));
    }
}

static void test_questions(void **state)
{
    static const uint16_t fine[] = {3, 5}, descending[] = {5, 3}, twice[] = {3, 3}, root[] = {1, 3}, open[] = {3, 4};
    static const uint16_t many[ROUTE_PREFIXES_MAX + 1] = {3};
    struct route_question question = {"", 0, "/a/b/", fine, 2};

    (void)state;
    assert_true(key_question_ok(&question));
    question.count = 0;
    assert_false(key_question_ok(&question));
    question.count = 2;
    question.ends = descending;
    assert_false(key_question_ok(&question));
    question.ends = twice;
    assert_false(key_question_ok(&question));
    question.ends = root;
    assert_false(key_question_ok(&question));
    question.ends = open;
    assert_false(key_question_ok(&question));
    question.ends = many;
    question.count = ROUTE_PREFIXES_MAX + 1;
    assert_false(key_question_ok(&question));
    question = (struct route_question){"a/b", 3, "/a/b/", fine, 2};
    assert_false(key_question_ok(&question));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_one_slot_for_all_prefixes_of_a_path),
        cmocka_unit_test(test_truncated_keys), cmocka_unit_test(test_foreign_keys),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
