/* tests/unit/agent/routes/test_learning.c - the guards before a claim, and the routes that a redirect contradicts. */
#include "agent/routes/learning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000000 };

static struct path_options paths;
static const char *const refused[] = {"/dashboard/", "/API/"};
static struct learning_options options;
static struct cells *cells;
static struct route_table *table;
static char key[PATH_KEY_SIZE];
static struct path path;

static int setup(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"eu0", "Cell EU0"}, {"eu1", "Cell EU1"}, {"us0", "Cell US0"}};
    struct route_table_options of_table = {.memory = 1 << 20, .now_ms = START, .refresh_percent = 80};
    paths = (struct path_options){.max_length = 2048, .max_depth = 4};
    options = (struct learning_options){.paths = &paths,
                                        .refused = refused,
                                        .refused_count = 2,
                                        .lifetime_s = 3600,
                                        .lifetime_min_s = 10,
                                        .lifetime_max_s = 86400};
    cells = cells_new();
    table = route_table_new(&of_table);
    assert_true(cells && table);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cells_add(cells, names[i][0], names[i][1], "eu"), CELLS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    route_table_free(table);
    cells_free(cells);
    return 0;
}

/* Judges with an exact-size copy of the directive. */
static struct lesson judge_at(const char *text, const char *cell, const char *cache, const char *from, bool redirected,
                              uint64_t now)
{
    size_t length = cache ? strlen(cache) : 0;
    char *exact = cache ? malloc(length ? length : 1) : NULL, *storage = malloc(length ? length : 1);
    if (cache)
        memcpy(exact, cache, length);
    struct cell_response response = {.path = &path,
                                     .cell = {cell, cell ? strlen(cell) : 0},
                                     .cache = {exact, length},
                                     .from = {from, from ? strlen(from) : 0},
                                     .redirected = redirected};
    response.verdict = path_parse(&path, &paths, text_view_of(text), TEXT_VIEW("Host:80"), key, sizeof key);
    struct lesson lesson = learning_judge(&options, cells, table, &response, now, storage);
    free(exact);
    free(storage);
    lesson.prefix.at = NULL;
    return lesson;
}

static struct lesson judge(const char *text, const char *cell, const char *cache)
{
    return judge_at(text, cell, cache, NULL, false, START);
}

/* claimed: the key of the claim, when the verdict is CLAIM. */
static void expect(const char *text, const char *cell, const char *cache, enum learn_verdict wanted,
                   const char *claimed)
{
    struct lesson lesson = judge(text, cell, cache);
    if (lesson.verdict != wanted)
        fail_msg("%s on %s: wanted %s, got %s", cache, text, learning_name(wanted), learning_name(lesson.verdict));
    if (claimed && (strlen(claimed) != lesson.key_length || memcmp(claimed, key, lesson.key_length) != 0))
        fail_msg("%s on %s: wanted %s, got %.*s", cache, text, claimed, lesson.key_length, key);
    assert_int_equal(lesson.about, LEARN_NO_NEWS);
}

static void put(const char *prefix, uint16_t cell, bool pinned)
{
    struct route_word word = {.cell = cell, .pinned = pinned, .stamp_ms = 1, .life_ms = 100000, .left_ms = 100000};
    assert_int_equal(route_table_put(table, prefix, strlen(prefix), &word, START, NULL), ROUTE_PUT_NEW);
}

static void claims_stand(void **state)
{
    (void)state;
    expect("/my-company/x", "eu0", "{path_prefix:/my-company/}", LEARN_CLAIM, "/my-company/");
    expect("/my-company", "eu0", "{path_prefix:/my-company/}", LEARN_CLAIM, "/my-company/");
    expect("/my-company/", "eu0", "{path_prefix:/my-company}", LEARN_CLAIM, "/my-company/");
    expect("/my-company?a=/b", "eu0", "{path_prefix:/my-company}", LEARN_CLAIM, "/my-company/");
    expect("/a/b/c", "eu0", "{path_prefix:/a/b/}", LEARN_CLAIM, "/a/b/");
    expect("/a/b/c", "eu0", "{path_prefix:/a/b/c}", LEARN_CLAIM, "/a/b/c/");
    expect("/a/1/2/3/4/5", "eu0", "{path_prefix:/a/1/2/3/}", LEARN_CLAIM, "/a/1/2/3/");
    expect("/a%2Fb/c", "eu0", "{path_prefix:/a%2Fb/}", LEARN_CLAIM, "/a%2Fb/");
    expect("/a", "eu0", "{\"path_prefix\":\"\\/a\\/\",\"cell\":\"Cell \\u0045U0\"}", LEARN_CLAIM, "/a/");
    expect("/a", "eu0", "{path_prefix:/a/,cell:eu0}", LEARN_CLAIM, "/a/");
}

static void nothing_claimed(void **state)
{
    (void)state;
    expect("/a", "eu0", NULL, LEARN_NOTHING, NULL);
    expect("/a", "eu0", "", LEARN_NOTHING, NULL);
    expect("/a", "eu0", " \t", LEARN_NOTHING, NULL);
    expect("/a//b", "eu0", "{path_prefix:/a/}", LEARN_BAD_PATH, NULL);
    expect("/a/../b", "eu0", "{path_prefix:/a/}", LEARN_BAD_PATH, NULL);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    /* docs/flows.md 22. */
    expect("/gitlab-org/x", "us0", "{path_prefix:/my-company/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/gitlab-org/x", "us0", "{path_prefix:/}", LEARN_REFUSED_PREFIX, NULL);
    expect("/gitlab-org/x", "us0", "{path_prefix:/gitlab-o}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/gitlab-org/x", "us0", "{path_prefix:/gitlab-org/xy/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/gitlab-org/x", "us0", "{path_prefix:/gitlab-org/x/y/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/gitlab-org2", "us0", "{path_prefix:/gitlab-org/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a/b", "us0", "{path_prefix:/a//}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a/b", "us0", "{path_prefix://a/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a/b", "us0", "{path_prefix:/a/./}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a/b", "us0", "{path_prefix:/a/b?c/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a%2Fb/c", "us0", "{path_prefix:/a/b/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/a%2Fb/c", "us0", "{path_prefix:/a%2fb/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/", "us0", "{path_prefix:/a/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/", "us0", "{path_prefix:/}", LEARN_REFUSED_PREFIX, NULL);
    expect("/dashboard/x", "us0", "{path_prefix:/dashboard}", LEARN_REFUSED_PREFIX, NULL);
    expect("/dashboard/x", "us0", "{path_prefix:/dashboard/x}", LEARN_CLAIM, "/dashboard/x/"); /* the list is exact */
    expect("/api/x", "us0", "{path_prefix:/api/}", LEARN_CLAIM, "/api/");
    expect("/a/1/2/3/4", "us0", "{path_prefix:/a/1/2/3/4/}", LEARN_TOO_DEEP, NULL);
    expect("/a", "us0", "{path_prefix:a/}", LEARN_BAD_PREFIX, NULL);
    expect("/a", "us0", "{ttl:10}", LEARN_NO_PREFIX, NULL);
    expect("/a", "us0", "{path_prefix:/a/", LEARN_DIRECTIVE, NULL);
    expect("/a", "us0", "{path_prefix:/a/}, {path_prefix:/a/}", LEARN_DIRECTIVE, NULL);
    assert_int_equal(judge("/a", "us0", "{ttl:x}").directive, DIRECTIVE_BAD_TTL);
    expect("/a", "eu9", "{path_prefix:/a/}", LEARN_UNKNOWN_CELL, NULL);
    expect("/a", "Cell EU0", "{path_prefix:/a/}", LEARN_UNKNOWN_CELL, NULL); /* HAProxy says ids */
    expect("/a", NULL, "{path_prefix:/a/}", LEARN_UNKNOWN_CELL, NULL);
    expect("/a", "eu0", "{path_prefix:/a/,cell:eu1}", LEARN_OTHER_CELL, NULL);
    expect("/a", "eu0", "{path_prefix:/a/,cell:Cell EU9}", LEARN_OTHER_CELL, NULL);
}

static void too_long(void **state)
{
    (void)state;
    char text[5000], cache[5100];
    paths.max_length = 8192;
    for (size_t length = ROUTE_KEY_MAX - 3; length <= ROUTE_KEY_MAX - 2; length++) {
        /* With the host "host" before it; the directive itself is limited, too. */
        memset(text, 'a', length);
        text[0] = '/';
        text[length] = '\0';
        snprintf(cache, sizeof cache, "{path_prefix:%s}", text);
        paths.hosts = true;
        size_t all = 4 + length + 1;
        enum learn_verdict wanted = strlen(cache) > DIRECTIVE_MAX_LENGTH ? LEARN_DIRECTIVE
                                    : all > ROUTE_KEY_MAX                ? LEARN_TOO_LONG
                                                                         : LEARN_CLAIM;
        assert_int_equal(judge(text, "eu0", cache).verdict, wanted);
    }
    size_t length = 4075; /* the directive fits, the key with its host of 255 bytes would not */
    memset(text, 'a', length);
    text[0] = '/';
    text[length] = '\0';
    snprintf(cache, sizeof cache, "{path_prefix:%s}", text);
    char host[PATH_MAX_HOST], *storage = malloc(sizeof cache);
    memset(host, 'h', sizeof host);
    struct cell_response response = {.path = &path, .cell = TEXT_VIEW("eu0"), .cache = text_view_of(cache)};
    response.verdict = path_parse(&path, &paths, (struct text_view){text, length},
                                  (struct text_view){host, sizeof host}, key, sizeof key);
    assert_int_equal(response.verdict, PATH_OK);
    assert_int_equal(learning_judge(&options, cells, table, &response, START, storage).verdict, LEARN_TOO_LONG);
    free(storage);
}

static void lifetimes_are_clamped(void **state)
{
    static const struct {
        const char *cache;
        uint32_t lifetime;
    } cases[] = {
        {"{path_prefix:/a/}", 3600},
        {"{path_prefix:/a/,ttl:60}", 60},
        {"{path_prefix:/a/,ttl:0}", 10},
        {"{path_prefix:/a/,ttl:9}", 10},
        {"{path_prefix:/a/,ttl:86401}", 86400},
        {"{path_prefix:/a/,ttl:99999999999999}", 86400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lesson lesson = judge("/a", "eu0", cases[i].cache);
        assert_int_equal(lesson.verdict, LEARN_CLAIM);
        assert_int_equal(lesson.lifetime_s, cases[i].lifetime);
        assert_int_equal(lesson.cell, 0);
    }
}

static void case_and_host(void **state)
{
    (void)state;
    expect("/A/b", "eu0", "{path_prefix:/a/}", LEARN_FOREIGN_PREFIX, NULL);
    paths.fold_case = true;
    expect("/A/b", "eu0", "{path_prefix:/a/}", LEARN_CLAIM, "/a/");
    expect("/a/b", "eu0", "{path_prefix:/A/B}", LEARN_CLAIM, "/a/b/");
    expect("/DashBoard", "eu0", "{path_prefix:/dashBOARD/}", LEARN_REFUSED_PREFIX, NULL);
    expect("/api/x", "eu0", "{path_prefix:/api/}", LEARN_REFUSED_PREFIX, NULL);
    paths.hosts = true;
    expect("/A/b", "eu0", "{path_prefix:/a/}", LEARN_CLAIM, "host/a/");
    expect("/A/b", "eu0", "{path_prefix:/b/}", LEARN_FOREIGN_PREFIX, NULL);
    expect("/A/b", "eu0", "{path_prefix:host/a/}", LEARN_BAD_PREFIX, NULL);
    expect("/A/b", "eu0", "{path_prefix:/}", LEARN_REFUSED_PREFIX, NULL);
    expect("/dashboard", "eu0", "{path_prefix:/dashboard/}", LEARN_REFUSED_PREFIX, NULL);
}

/* Cells repeat their claim on every answer: it is news once. */
static void known_routes_are_no_news(void **state)
{
    (void)state;
    struct route route;
    put("/a/", 0, false);
    assert_int_equal(judge("/a/b", "eu0", "{path_prefix:/a/}").verdict, LEARN_KNOWN);
    assert_int_equal(judge("/a/b", "eu1", "{path_prefix:/a/}").verdict, LEARN_CLAIM);
    assert_int_equal(judge("/a/b", "eu0", "{path_prefix:/a/b/}").verdict, LEARN_CLAIM);
    assert_int_equal(judge_at("/a", "eu0", "{path_prefix:/a/}", NULL, false, START + 81000).verdict, LEARN_CLAIM);
    assert_true(route_table_find(table, "/a/", 3, START + 81000, &route));
    route_table_asked(table, &route, 5000, START + 81000); /* the one that was asked brings it */
    assert_int_equal(judge_at("/a", "eu0", "{path_prefix:/a/}", NULL, false, START + 81100).verdict, LEARN_CLAIM);
    assert_int_equal(judge_at("/a", "eu0", "{path_prefix:/a/}", NULL, false, START + 100000).verdict, LEARN_CLAIM);
    put("/p/", 0, true);
    assert_int_equal(judge_at("/p", "eu0", "{path_prefix:/p/}", NULL, false, START + 90000).verdict, LEARN_KNOWN);
}

/* about: the key of the route that it speaks about; NULL: of no route that level 1 knows. */
static void expect_about(const char *text, const char *cell, const char *cache, const char *from, bool redirected,
                         enum learn_about wanted, const char *about)
{
    struct lesson lesson = judge_at(text, cell, cache, from, redirected, START);
    if (lesson.about != wanted)
        fail_msg("%s by %s from %s with %s: wanted %d, got %d", text, cell, from ? from : "", cache ? cache : "nothing",
                 (int)wanted, (int)lesson.about);
    if (about && (lesson.about_length != strlen(about) || memcmp(key, about, lesson.about_length) != 0))
        fail_msg("%s: wanted %s, got %.*s", text, about, lesson.about_length, key);
    if (!about)
        assert_int_equal(lesson.about_length, 0);
}

static void what_a_redirect_proves(void **state)
{
    (void)state;
    put("/a/", 0, false);
    put("/a/b/", 1, false);
    put("/pinned/", 0, true);
    expect_about("/a/x", "eu1", NULL, "eu0", true, LEARN_DOUBT, "/a/");
    expect_about("/a/x", "eu1", NULL, "eu0", false, LEARN_DOUBT, "/a/"); /* somebody else answered */
    expect_about("/a/x", "eu0", NULL, "eu0", true, LEARN_DOUBT, "/a/");  /* a direct hit met a redirect */
    expect_about("/a/x", "eu9", NULL, "eu0", true, LEARN_DOUBT, "/a/");
    expect_about("/a/b/c", "eu0", NULL, "eu1", true, LEARN_DOUBT, "/a/b/");
    expect_about("/pinned/x", "eu1", NULL, "eu0", true, LEARN_DOUBT, "/pinned/");
    expect_about("/else/x", "eu1", NULL, "eu0", true, LEARN_DOUBT, NULL); /* only the store can know */
    expect_about("/a/x", "eu0", NULL, "eu0", false, LEARN_NO_NEWS, NULL);
    expect_about("/a/x", "eu1", NULL, NULL, true, LEARN_NO_NEWS, NULL); /* nothing was looked up */
    expect_about("/a/x", "eu1", NULL, "eu9", true, LEARN_NO_NEWS, NULL);
    expect_about("/a/b/c", "eu0", NULL, "us0", true, LEARN_NO_NEWS, NULL); /* moved in the meantime */
    expect_about("/", "eu1", NULL, "eu0", true, LEARN_NO_NEWS, NULL);
    expect_about("/a//x", "eu1", NULL, "eu0", true, LEARN_NO_NEWS, NULL);
    /* Nothing here is marked as used or changed. */
    assert_int_equal(route_table_stats(table).routes, 3);
}

static void only_a_claim_moves_a_route(void **state)
{
    (void)state;
    put("/a/", 0, false);
    put("/a/b/", 0, false);
    put("/c/", 1, false);
    put("/c/d/", 0, false);
    put("/pinned/", 0, true);
    expect_about("/a/x", "eu1", "{path_prefix:/a/}", "eu0", true, LEARN_MOVED, "/a/");
    expect_about("/a/b/x", "eu1", "{path_prefix:/a/}", "eu0", true, LEARN_MOVED, "/a/b/"); /* a shorter one */
    expect_about("/c/d/x", "eu1", "{path_prefix:/c/}", "eu0", true, LEARN_MOVED, "/c/d/"); /* which is no news */
    expect_about("/a/x/y", "eu1", "{path_prefix:/a/x/}", "eu0", true, LEARN_NARROWED, "/a/");
    expect_about("/a/x", "eu0", "{path_prefix:/a/}", "eu0", true, LEARN_DOUBT, "/a/");
    expect_about("/a/x", "eu1", "{path_prefix:/foreign/}", "eu0", true, LEARN_DOUBT, "/a/"); /* refused */
    expect_about("/pinned/x", "eu1", "{path_prefix:/pinned/}", "eu0", true, LEARN_DOUBT, "/pinned/");
    expect_about("/else/x", "eu1", "{path_prefix:/else/}", "eu0", true, LEARN_MOVED, NULL);
}

/* Every beginning of a directive is malformed, and teaches nothing. */
static void every_truncation(void **state)
{
    (void)state;
    static const char cache[] = "{path_prefix:\"/a/\", cell:eu0, ttl:60}";
    char part[sizeof cache];
    for (size_t n = 1; n + 1 < sizeof cache; n++) {
        memcpy(part, cache, n);
        part[n] = '\0';
        expect("/a/b", "eu0", part, LEARN_DIRECTIVE, NULL);
    }
}

static void verdicts_have_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEARN_VERDICT_COUNT; i++)
        assert_true(strlen(learning_text((enum learn_verdict)i)) > 10);
    assert_int_equal(learning_kind(LEARN_FOREIGN_PREFIX), LEARN_REFUSED);
    assert_int_equal(learning_kind(LEARN_DIRECTIVE), LEARN_MALFORMED);
    assert_int_equal(learning_kind(LEARN_CLAIM), LEARN_QUIET);
    assert_int_equal(learning_kind(LEARN_VERDICT_COUNT), LEARN_QUIET);
    assert_string_equal(learning_name(LEARN_KNOWN), "KNOWN");
    assert_string_equal(learning_text(LEARN_VERDICT_COUNT), "?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claims_stand),
        TEST(nothing_claimed),
        TEST(what_is_wrong_is_refused),
        TEST(too_long),
        TEST(lifetimes_are_clamped),
        TEST(case_and_host),
        TEST(known_routes_are_no_news),
        TEST(what_a_redirect_proves),
        TEST(only_a_claim_moves_a_route),
        TEST(every_truncation),
        TEST(verdicts_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
