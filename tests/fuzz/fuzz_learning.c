/* tests/fuzz/fuzz_learning.c - whatever a cell says about whatever request, only a prefix of that request's path is
 * claimed, and never all of it. Input: a byte of options, a byte with the length of the path, the path, the
 * directive. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/routes/learning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cells *cells;
static struct route_table *table;

static void prepare(void)
{
    static const struct route_table_options options = {.memory = 65536, .refresh_percent = 80};
    struct route_word word = {.cell = 1, .stamp_ms = 1, .life_ms = 60000, .left_ms = 60000};
    cells = cells_new();
    table = route_table_new(&options);
    if (!cells || !table || cells_add(cells, "a", "Cell A", "eu") || cells_add(cells, "b", "Cell B", "eu") ||
        route_table_put(table, "/known/", 7, &word, 0, NULL) != ROUTE_PUT_NEW)
        abort();
}

static void check(const struct lesson *lesson, const struct cell_response *response)
{
    const struct path *path = response->path;
    if (lesson->verdict == LEARN_CLAIM || lesson->verdict == LEARN_KNOWN) {
        bool is_end = false;
        for (size_t i = 0; i < path->depth; i++)
            is_end |= path->ends[i] == lesson->key_length;
        if (!is_end || lesson->cell == CELL_NONE)
            abort();
    }
    if (lesson->verdict == LEARN_CLAIM && (lesson->lifetime_s < 10 || lesson->lifetime_s > 100))
        abort();
    if (lesson->verdict == LEARN_CLAIM && lesson->key_length - path->host_length == 5 &&
        memcmp(path->key + path->host_length, "/not/", 5) == 0)
        abort();
    if (lesson->about != LEARN_NO_NEWS && lesson->about_length > 0 &&
        (lesson->about_cell != 1 || lesson->about_length != 7))
        abort();
    if (lesson->about == LEARN_MOVED && lesson->about_length > 0 && lesson->key_length > lesson->about_length)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char key[PATH_KEY_SIZE];
    static const char *const refused[] = {"/not/"};
    if (!cells)
        prepare();
    if (size < 2)
        return 0;
    struct path path;
    struct path_options paths = {
        .max_length = 4096, .max_depth = 1 + (data[0] & 7), .hosts = data[0] & 32, .fold_case = data[0] & 64};
    struct learning_options options = {.paths = &paths,
                                       .refused = refused,
                                       .refused_count = 1,
                                       .lifetime_s = 50,
                                       .lifetime_min_s = 10,
                                       .lifetime_max_s = 100};
    size_t path_length = data[1] < size - 2 ? data[1] : size - 2, cache_length = size - 2 - path_length;
    char *cache = malloc(cache_length + !cache_length), *storage = malloc(cache_length + !cache_length);
    if (!cache || !storage)
        abort();
    memcpy(cache, data + 2 + path_length, cache_length);
    struct cell_response response = {.path = &path,
                                     .cell = {data[0] & 8 ? "a" : "b", 1},
                                     .cache = {cache, cache_length},
                                     .from = {"b", data[0] & 16 ? 1 : 0},
                                     .redirected = data[0] & 128};
    response.verdict = path_parse(&path, &paths, (struct text_view){(const char *)data + 2, path_length},
                                  TEXT_VIEW("h"), key, sizeof key);
    struct lesson lesson = learning_judge(&options, cells, table, &response, 0, storage);
    check(&lesson, &response);
    free(cache);
    free(storage);
    return 0;
}
