/* agent/routes/learning.c - the guards of a claim, one after the other, each with its verdict; then, whatever became of
 * the claim, whether the response contradicts what the lookup had said. */
#include "agent/routes/learning.h"

#include <string.h>

/* The prefix that a cell claims, compared as a key is: folded, with a slash at its end. */
static char prefix_at(const struct text_view *prefix, size_t i, bool fold)
{
    if (i == prefix->length)
        return '/';
    return fold ? path_fold(prefix->at[i]) : prefix->at[i];
}

/* Its length with that slash. */
static size_t prefix_length(const struct text_view *prefix)
{
    return prefix->length + (prefix->at[prefix->length - 1] != '/');
}

static bool prefix_is(const struct text_view *prefix, bool fold, const char *text, size_t length)
{
    if (prefix_length(prefix) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (prefix_at(prefix, i, fold) != (fold ? path_fold(text[i]) : text[i]))
            return false;
    return true;
}

static bool is_refused(const struct learning_options *options, const struct text_view *prefix)
{
    if (prefix->length == 1)
        return true; /* "/": what everybody gets */
    for (size_t i = 0; i < options->refused_count; i++)
        if (prefix_is(prefix, options->paths->fold_case, options->refused[i], strlen(options->refused[i])))
            return true;
    return false;
}

static size_t prefix_depth(const struct text_view *prefix)
{
    size_t slashes = 0;
    for (size_t i = 0; i < prefix_length(prefix); i++)
        slashes += prefix_at(prefix, i, false) == '/';
    return slashes - 1;
}

/* Length of the path's key up to the end of this prefix; 0: it is no whole-segment prefix of the path. Since the path
 * has neither empty nor dot segments nor control bytes, neither has a prefix of it. */
static size_t key_length_of(const struct path *path, const struct text_view *prefix, bool fold)
{
    size_t depth = prefix_depth(prefix);
    if (depth == 0 || depth > path->depth)
        return 0;
    size_t length = path->ends[depth - 1];
    size_t own = length - path->host_length;
    return prefix_is(prefix, fold, path->key + path->host_length, own) ? length : 0;
}

static enum learn_verdict judge_prefix(const struct learning_options *options, const struct path *path,
                                       const struct text_view *prefix, uint16_t *key_length)
{
    if (prefix->at[0] != '/')
        return LEARN_BAD_PREFIX;
    if (is_refused(options, prefix))
        return LEARN_REFUSED_PREFIX;
    if (prefix_depth(prefix) > options->paths->max_depth)
        return LEARN_TOO_DEEP;
    size_t length = key_length_of(path, prefix, options->paths->fold_case);
    if (length == 0)
        return LEARN_FOREIGN_PREFIX;
    if (length > ROUTE_KEY_MAX)
        return LEARN_TOO_LONG;
    *key_length = (uint16_t)length;
    return LEARN_CLAIM;
}

static uint32_t lifetime_of(const struct learning_options *options, const struct directive *directive)
{
    uint32_t lifetime = directive->has_ttl ? directive->ttl_s : options->lifetime_s;
    if (lifetime > options->lifetime_max_s)
        lifetime = options->lifetime_max_s;
    return lifetime < options->lifetime_min_s ? options->lifetime_min_s : lifetime;
}

/* Everything but what is known already. */
static enum learn_verdict judge_claim(const struct learning_options *options, const struct cells *cells,
                                      const struct cell_response *response, struct lesson *lesson, char *storage)
{
    struct directive directive;
    if (response->verdict != PATH_OK)
        return LEARN_BAD_PATH;
    lesson->directive = directive_parse(&directive, response->cache, storage);
    lesson->prefix = directive.path_prefix;
    if (lesson->directive == DIRECTIVE_EMPTY)
        return LEARN_NOTHING;
    if (lesson->directive != DIRECTIVE_OK)
        return LEARN_DIRECTIVE;
    if (lesson->cell == CELL_NONE)
        return LEARN_UNKNOWN_CELL;
    if (!directive.path_prefix.at)
        return LEARN_NO_PREFIX;
    if (directive.cell.at && cells_find(cells, directive.cell) != lesson->cell)
        return LEARN_OTHER_CELL;
    lesson->lifetime_s = lifetime_of(options, &directive);
    return judge_prefix(options, response->path, &directive.path_prefix, &lesson->key_length);
}

/* A redirect, or a response of another cell than the one that the lookup named, speaks against what the lookup said. */
static bool speaks_against(const struct cell_response *response, uint16_t from, uint16_t cell)
{
    return response->verdict == PATH_OK && response->path->depth > 0 && from != CELL_NONE &&
           (response->redirected || cell != from);
}

static enum learn_about judge_claimed(const struct lesson *lesson, bool pinned)
{
    bool claims = lesson->verdict == LEARN_CLAIM || lesson->verdict == LEARN_KNOWN;
    if (!claims || lesson->cell == lesson->about_cell)
        return LEARN_DOUBT;
    if (lesson->about_length > 0 && lesson->key_length > lesson->about_length)
        return LEARN_NARROWED;
    return pinned ? LEARN_DOUBT : LEARN_MOVED; /* an operator knows better */
}

static void judge_about(const struct cells *cells, const struct route_table *table,
                        const struct cell_response *response, uint64_t now_ms, struct lesson *lesson)
{
    struct route_probe probe;
    struct route route = {.pinned = false};
    uint16_t from = cells_find_id(cells, response->from);
    if (!speaks_against(response, from, lesson->cell))
        return;
    route_table_prefetch(table, response->path, &probe);
    if (route_table_peek(table, &probe, now_ms, &route) && route.cell != from)
        return; /* somebody was quicker */
    lesson->about_cell = from;
    lesson->about_length = route.key_length;
    lesson->about = judge_claimed(lesson, route.pinned);
}

struct lesson learning_judge(const struct learning_options *options, const struct cells *cells,
                             const struct route_table *table, const struct cell_response *response, uint64_t now_ms,
                             char *storage)
{
    struct route there;
    struct lesson lesson = {.cell = cells_find_id(cells, response->cell)};
    lesson.verdict = judge_claim(options, cells, response, &lesson, storage);
    if (lesson.verdict == LEARN_CLAIM &&
        route_table_find(table, response->path->key, lesson.key_length, now_ms, &there) && there.cell == lesson.cell &&
        (there.pinned || !(there.due || there.asked)))
        lesson.verdict = LEARN_KNOWN;
    judge_about(cells, table, response, now_ms, &lesson);
    return lesson;
}

struct row {
    enum learn_kind kind;
    const char *name, *text;
};

static const struct row *row_of(enum learn_verdict verdict)
{
    static const struct row rows[] = {
#define LEARN(id, kind, text) [LEARN_##id] = {LEARN_##kind, #id, text},
#include "agent/routes/learning.def"
#undef LEARN
    };
    static const struct row none = {LEARN_QUIET, "?", "?"};
    return (unsigned)verdict < LEARN_VERDICT_COUNT ? &rows[verdict] : &none;
}

enum learn_kind learning_kind(enum learn_verdict verdict)
{
    return row_of(verdict)->kind;
}

const char *learning_text(enum learn_verdict verdict)
{
    return row_of(verdict)->text;
}

const char *learning_name(enum learn_verdict verdict)
{
    return row_of(verdict)->name;
}
