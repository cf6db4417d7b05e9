/* agent/cellctl/template.c - reads templates and prints them, in one walk.
 *
 * Printing and checking are the same walk over the same lines, so that what is checked is what will be printed. They
 * differ in this alone: the check has no meaning. It takes every condition to hold, makes one turn of every loop, and
 * throws the text away.
 *
 * A walk is in one text at a time, at one line (struct place). `include` begins a place of its own; `for` and `if` go
 * on in the same place until their `end`. A loop goes back to the line after its `for` for each turn; a loop without
 * a turn, and an `if` that does not hold, skip to their `end` without reading more than the three words that nest.
 * What is skipped while printing has been read by the check.
 *
 * The first error ends the walk: every function returns whether to go on. */
#include "agent/cellctl/template.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/nearest.h"

enum { ITEMS_MOST = 4 };

struct span {
    const char *at;
    size_t length;
};

struct place {
    const struct template_text *text;
    size_t at;     /* the byte that the next line begins with */
    unsigned line; /* of the line read last, from 1 */
};

struct walk {
    const struct template_vocabulary *vocabulary;
    const struct template_meaning *meaning; /* NULL: a check */
    FILE *out;                              /* NULL: a check */
    struct template_error *error;
    bool *seen; /* of each text, whether it was included; NULL when nobody asks */
    const char *items[ITEMS_MOST];
    size_t item_count;
    unsigned depth;
};

static PRINTF_LIKE(3, 4) bool fail(struct walk *walk, const struct place *place, const char *format, ...)
{
    va_list args;
    int n = snprintf(walk->error->text, sizeof walk->error->text, "%s:%u: ", place->text->file, place->line);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof walk->error->text ? (size_t)n : sizeof walk->error->text - 1;
    va_start(args, format);
    vsnprintf(walk->error->text + used, sizeof walk->error->text - used, format, args);
    va_end(args);
    return false;
}

static bool is(struct span span, const char *text)
{
    return strlen(text) == span.length && memcmp(span.at, text, span.length) == 0;
}

static struct span trimmed(struct span span)
{
    while (span.length > 0 && (*span.at == ' ' || *span.at == '\t'))
        span = (struct span){span.at + 1, span.length - 1};
    while (span.length > 0 && (span.at[span.length - 1] == ' ' || span.at[span.length - 1] == '\t'))
        span.length--;
    return span;
}

/* The next line without its newline; false at the end of the text. */
static bool next_line(struct place *place, struct span *linep)
{
    size_t left = place->text->length - place->at;
    if (left == 0)
        return false;
    const char *begin = place->text->bytes + place->at;
    const char *newline = memchr(begin, '\n', left);
    size_t length = newline ? (size_t)(newline - begin) : left;
    place->at += newline ? length + 1 : length;
    place->line++;
    *linep = (struct span){begin, length};
    return true;
}

/* The first word of a line; what follows it goes to *restp. */
static struct span first_word(struct span line, struct span *restp)
{
    struct span text = trimmed(line);
    size_t length = 0;
    while (length < text.length && text.at[length] != ' ' && text.at[length] != '\t')
        length++;
    *restp = trimmed((struct span){text.at + length, text.length - length});
    return (struct span){text.at, length};
}

/* One of the vocabulary's tables: each of its rows begins with a name. */
struct table {
    const void *rows;
    size_t count, size; /* rows; bytes of one */
};

#define TABLE(rows, count) ((struct table){(rows), (count), sizeof *(rows)})

static const char *name_in(struct table table, size_t row)
{
    const char *name;
    memcpy(&name, (const char *)table.rows + row * table.size, sizeof name);
    return name;
}

/* The row of this name; table.count: there is none. */
static size_t row_of(struct table table, struct span name)
{
    size_t row = 0;
    while (row < table.count && !is(name, name_in(table, row)))
        row++;
    return row;
}

/* Says what is wrong with a name that no row has, and which one is near. */
static bool unknown(struct walk *walk, const struct place *place, const char *what, struct span name,
                    struct table table)
{
    struct nearest search = nearest_to(name.at, name.length);
    for (size_t i = 0; i < table.count; i++)
        nearest_try(&search, name_in(table, i));
    if (search.best)
        return fail(walk, place, "%s \"%.*s\"; did you mean \"%s\"?", what, (int)name.length, name.at, search.best);
    return fail(walk, place, "%s \"%.*s\"", what, (int)name.length, name.at);
}

static bool has_item(const struct walk *walk, const char *item)
{
    for (size_t i = 0; i < walk->item_count; i++)
        if (strcmp(walk->items[i], item) == 0)
            return true;
    return false;
}

/* The row of a value or condition. */
static bool find_name(struct walk *walk, const struct place *place, struct span name, const struct template_name *names,
                      size_t count, const char *what, size_t *foundp)
{
    *foundp = row_of(TABLE(names, count), name);
    if (*foundp == count)
        return unknown(walk, place, what, name, TABLE(names, count));
    const struct template_name *found = &names[*foundp];
    return !found->item || has_item(walk, found->item) ||
           fail(walk, place, "\"%s\" is known inside \"for each %s\" alone", found->name, found->item);
}

static bool print_value(struct walk *walk, const struct place *place, struct span name)
{
    size_t found = 0;
    if (!find_name(walk, place, name, walk->vocabulary->values, walk->vocabulary->value_count, "no value", &found))
        return false;
    if (walk->out)
        walk->meaning->print(walk->meaning->user, found, walk->out);
    return true;
}

static void print_bytes(const struct walk *walk, const char *bytes, size_t length)
{
    if (walk->out)
        fwrite(bytes, 1, length, walk->out);
}

/* Prints the text of a line, with values in it. */
static bool print_text(struct walk *walk, const struct place *place, struct span text)
{
    while (text.length > 0) {
        const char *mark = memchr(text.at, '@', text.length);
        size_t before = mark ? (size_t)(mark - text.at) : text.length;
        print_bytes(walk, text.at, before);
        if (!mark)
            return true;
        struct span rest = {mark + 1, text.length - before - 1};
        const char *second = memchr(rest.at, '@', rest.length);
        if (!second)
            return fail(walk, place, "an @ without a second one; \"@name@\" is a value, \"@@\" one @");
        size_t length = (size_t)(second - rest.at);
        if (length == 0)
            print_bytes(walk, "@", 1);
        else if (!print_value(walk, place, (struct span){rest.at, length}))
            return false;
        text = (struct span){second + 1, rest.length - length - 1};
    }
    return true;
}

/* A line for HAProxy, with those that it goes on in. */
static bool print_line(struct walk *walk, struct place *place, struct span line)
{
    while (line.length > 0 && line.at[line.length - 1] == '\\') {
        if (!print_text(walk, place, (struct span){line.at, line.length - 1}))
            return false;
        struct span next;
        if (!next_line(place, &next))
            return fail(walk, place, "a line ends in \\ and nothing follows it");
        while (next.length > 0 && (*next.at == ' ' || *next.at == '\t'))
            next = (struct span){next.at + 1, next.length - 1};
        line = next;
    }
    if (!print_text(walk, place, line))
        return false;
    print_bytes(walk, "\n", 1);
    return true;
}

static bool is_known_word(struct walk *walk, const struct place *place, struct span word)
{
    const struct table words = TABLE(walk->vocabulary->words, walk->vocabulary->word_count);
    return row_of(words, word) < words.count || unknown(walk, place, "no line begins with", word, words);
}

/* Goes past the lines up to the `end` of the block that has begun. */
static bool skip_block(struct walk *walk, struct place *place)
{
    struct place begin = *place;
    struct span line, rest;
    for (unsigned open = 1; next_line(place, &line);) {
        struct span word = first_word(line, &rest);
        /* A line that goes on in the next one may go on with HAProxy's `if`. */
        while (line.length > 0 && line.at[line.length - 1] == '\\' && next_line(place, &line))
            ;
        if (is(word, "for") || is(word, "if"))
            open++;
        else if (is(word, "end") && --open == 0)
            return true;
    }
    return fail(walk, &begin, "\"for\" or \"if\" without its \"end\"");
}

static bool walk_lines(struct walk *walk, struct place *place, unsigned blocks);

static bool walk_include(struct walk *walk, const struct place *place, struct span name)
{
    const struct table texts = TABLE(walk->vocabulary->texts, walk->vocabulary->text_count);
    size_t found = row_of(texts, name);
    if (found == texts.count)
        return unknown(walk, place, "no text", name, texts);
    const struct template_text *text = &walk->vocabulary->texts[found];
    if (walk->seen)
        walk->seen[found] = true;
    if (walk->depth == TEMPLATE_DEPTH_MOST)
        return fail(walk, place, "\"%s\" would be the %dth text inside another; texts must not include themselves",
                    text->name, TEMPLATE_DEPTH_MOST + 1);
    struct place inner = {.text = text};
    walk->depth++;
    bool fine = walk_lines(walk, &inner, 0);
    walk->depth--;
    return fine;
}

static bool find_loop(struct walk *walk, const struct place *place, struct span rest, size_t *foundp)
{
    const struct table loops = TABLE(walk->vocabulary->loops, walk->vocabulary->loop_count);
    struct span name, each = first_word(rest, &name);
    if (!is(each, "each"))
        return fail(walk, place, "\"for\" goes on with \"each\" and what there is one turn for");
    *foundp = row_of(loops, name);
    if (*foundp == loops.count)
        return unknown(walk, place, "no loop \"for each\"", name, loops);
    const struct template_loop *loop = &walk->vocabulary->loops[*foundp];
    return !loop->inside || has_item(walk, loop->inside) ||
           fail(walk, place, "\"for each %s\" stands inside \"for each %s\" alone", loop->name, loop->inside);
}

static bool is_deep(struct walk *walk, const struct place *place, unsigned blocks)
{
    if (blocks < TEMPLATE_DEPTH_MOST && walk->item_count < ITEMS_MOST)
        return false;
    return !fail(walk, place, "too many \"for\" and \"if\" inside one another");
}

static bool walk_for(struct walk *walk, struct place *place, struct span rest, unsigned blocks)
{
    size_t loop = 0;
    if (!find_loop(walk, place, rest, &loop) || is_deep(walk, place, blocks))
        return false;
    const struct template_meaning *meaning = walk->meaning;
    unsigned char before[TEMPLATE_USER_MOST];
    if (meaning)
        memcpy(before, meaning->user, meaning->user_size);
    struct place begin = *place;
    walk->items[walk->item_count++] = walk->vocabulary->loops[loop].item;
    bool fine = true;
    size_t turns = 0;
    for (; fine && (meaning ? meaning->turn(meaning->user, loop, turns) : turns == 0); turns++) {
        *place = begin;
        fine = walk_lines(walk, place, blocks + 1);
    }
    walk->item_count--;
    if (meaning)
        memcpy(meaning->user, before, meaning->user_size);
    return fine && (turns > 0 || skip_block(walk, place));
}

static bool walk_if(struct walk *walk, struct place *place, struct span rest, unsigned blocks)
{
    struct span name, first = first_word(rest, &name);
    bool wanted = !is(first, "not");
    if (wanted)
        name = rest;
    size_t found = 0;
    if (!find_name(walk, place, name, walk->vocabulary->conditions, walk->vocabulary->condition_count, "no condition",
                   &found) ||
        is_deep(walk, place, blocks))
        return false;
    if (!walk->meaning || walk->meaning->holds(walk->meaning->user, found) == wanted)
        return walk_lines(walk, place, blocks + 1);
    return skip_block(walk, place);
}

/* To the end of the text, or, in the blocks-th block, to its `end`. */
static bool walk_lines(struct walk *walk, struct place *place, unsigned blocks)
{
    struct place begin = *place;
    struct span line, rest;
    while (next_line(place, &line)) {
        struct span word = first_word(line, &rest);
        bool fine = true;
        if (is(word, "include"))
            fine = walk_include(walk, place, rest);
        else if (is(word, "for"))
            fine = walk_for(walk, place, rest, blocks);
        else if (is(word, "if"))
            fine = walk_if(walk, place, rest, blocks);
        else if (is(word, "end"))
            return (blocks > 0 && rest.length == 0) ||
                   fail(walk, place, blocks > 0 ? "\"end\" stands alone in its line" : "\"end\" of nothing");
        else if (word.length >= 2 && memcmp(word.at, "##", 2) == 0)
            continue;
        else
            fine = (word.length == 0 || *word.at == '#' || *word.at == '@' || is_known_word(walk, place, word)) &&
                   print_line(walk, place, line);
        if (!fine)
            return false;
    }
    return blocks == 0 || fail(walk, &begin, "\"for\" or \"if\" without its \"end\"");
}

static bool walk_root(struct walk *walk, const char *root)
{
    static const struct template_text outside = {.name = "", .file = "templates"};
    const struct place nowhere = {.text = &outside};
    return walk_include(walk, &nowhere, (struct span){root, strlen(root)});
}

bool template_check(const struct template_vocabulary *vocabulary, const char *const *roots, size_t root_count,
                    struct template_error *errorp)
{
    bool seen[vocabulary->text_count + 1];
    memset(seen, 0, sizeof seen);
    struct walk walk = {.vocabulary = vocabulary, .error = errorp, .seen = seen};
    for (size_t i = 0; i < root_count; i++)
        if (!walk_root(&walk, roots[i]))
            return false;
    for (size_t i = 0; i < vocabulary->text_count; i++) {
        const struct place place = {.text = &vocabulary->texts[i], .line = 1};
        if (!seen[i])
            return fail(&walk, &place, "nothing includes this text");
    }
    return true;
}

bool template_print(const struct template_vocabulary *vocabulary, const char *root,
                    const struct template_meaning *meaning, FILE *out, struct template_error *errorp)
{
    struct walk walk = {.vocabulary = vocabulary, .meaning = meaning, .out = out, .error = errorp};
    return walk_root(&walk, root);
}
