/* tests/fuzz/fuzz_path.c - any bytes are a path that is looked up or not; one that is has keys without surprises.
 * Input: a byte of options, a byte with the length of the host, the host, the path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/routes/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy(const uint8_t *data, size_t size)
{
    char *exact = malloc(size + !size);
    if (!exact)
        abort();
    memcpy(exact, data, size);
    return exact;
}

static void check(const struct path *path, const struct path_options *options)
{
    size_t start = path->host_length;
    if (path->depth > options->max_depth || path->key[start] != '/' || (start > 0) != options->hosts)
        abort();
    for (size_t i = 0; i < path->depth; i++) {
        size_t end = path->ends[i];
        const char *segment = path->key + start + 1;
        size_t length = end - start - 2;
        if (end < start + 3 || end > path->length || path->key[end - 1] != '/' || memchr(segment, '/', length))
            abort();
        if ((length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
            abort();
        for (size_t j = 0; j < length; j++)
            if ((unsigned char)segment[j] <= ' ' || segment[j] == 127 || segment[j] == '?' || segment[j] == '#' ||
                (options->fold_case && segment[j] >= 'A' && segment[j] <= 'Z'))
                abort();
        start = end - 1;
    }
    if (path->length != start + 1)
        abort();
}

/* A key, parsed as a path, is itself: learning and lookup can not disagree. */
static void check_again(const struct path *path, const struct path_options *options, const char *host,
                        size_t host_length)
{
    static char buffer[PATH_KEY_SIZE];
    struct path again;
    struct path_options wide = *options;
    wide.max_length = UINT32_MAX;
    size_t length = path->length - (size_t)path->host_length;
    if (length > PATH_MAX_LENGTH)
        return; /* the slash at its end was one byte too many */
    if (path_parse(&again, &wide, (struct text_view){path->key + path->host_length, length},
                   (struct text_view){host, host_length}, buffer, sizeof buffer) != PATH_OK)
        abort();
    if (again.length != path->length || memcmp(again.key, path->key, path->length) != 0 || again.depth != path->depth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct path_options options = {.max_length = data[0] & 16 ? UINT32_MAX : 100,
                                   .max_depth = 1 + (data[0] & 7),
                                   .hosts = data[0] & 32,
                                   .fold_case = data[0] & 64};
    size_t host_length = data[1] < size - 2 ? data[1] : size - 2, length = size - 2 - host_length;
    char *host = copy(data + 2, host_length), *bytes = copy(data + 2 + host_length, length);
    size_t room = data[0] & 128 ? length : PATH_KEY_SIZE;
    char *buffer = malloc(room + !room);
    struct path path;
    enum path_verdict verdict = path_parse(&path, &options, (struct text_view){bytes, length},
                                           (struct text_view){host, host_length}, buffer, room);
    if (verdict == PATH_OK) {
        check(&path, &options);
        check_again(&path, &options, host, host_length);
    } else if (path.key || path.depth || path.length) {
        abort();
    }
    free(host);
    free(bytes);
    free(buffer);
    return 0;
}
