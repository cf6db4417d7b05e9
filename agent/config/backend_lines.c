/* agent/config/backend_lines.c - which lines of HAProxy's a cell's backend may have: agent/config/backend_lines.def. A
 * list of what may stand there, and not of what may not: an unknown word of a newer HAProxy could do anything to a
 * request on its way. */
#include "agent/config/backend_lines.h"

#include <stdio.h>
#include <string.h>

#include "agent/config/server_words.h"
#include "base/nearest.h"

enum where { OWN, BOTH };

static const struct {
    const char *words;
    enum where where;
} lines[] = {
#define BACKEND_LINE(words, where) {words, where},
#define BACKEND_LINE_REFUSED(words, why)
#include "agent/config/backend_lines.def"
#undef BACKEND_LINE
#undef BACKEND_LINE_REFUSED
};

static const struct {
    const char *words, *why;
} refused[] = {
#define BACKEND_LINE(words, where)
#define BACKEND_LINE_REFUSED(words, why) {words, why},
#include "agent/config/backend_lines.def"
#undef BACKEND_LINE
#undef BACKEND_LINE_REFUSED
};

enum { LINES = sizeof lines / sizeof lines[0], REFUSED = sizeof refused / sizeof refused[0] };

/* Whether the line begins with these words, however many blanks are between them. */
static bool begins(const char *line, const char *words)
{
    size_t wanted, found;
    for (words = server_words_next(words, &wanted); wanted > 0; words = server_words_next(words + wanted, &wanted)) {
        line = server_words_next(line, &found);
        if (found != wanted || memcmp(line, words, found) != 0)
            return false;
        line += found;
    }
    return true;
}

static const char *without_no(const char *line)
{
    size_t length;
    const char *word = server_words_next(line, &length);
    bool is_no = length == 2 && memcmp(word, "no", 2) == 0;
    return is_no ? word + length : line;
}

static size_t find(const char *line)
{
    line = without_no(line);
    for (size_t i = 0; i < LINES; i++)
        if (begins(line, lines[i].words))
            return i;
    return LINES;
}

/* The words that the line begins with: two after `option` and `timeout`, else one. Their length is set. */
static const char *head_of(const char *line, size_t *lengthp)
{
    size_t first, second;
    const char *word = server_words_next(line, &first);
    bool is_pair = (first == 6 && memcmp(word, "option", 6) == 0) || (first == 7 && memcmp(word, "timeout", 7) == 0);
    const char *next = server_words_next(word + first, &second);
    *lengthp = is_pair && second > 0 ? (size_t)(next + second - word) : first;
    return word;
}

static bool refuse(const char *line, char *why, size_t size)
{
    size_t length;
    const char *head = head_of(without_no(line), &length);
    for (size_t i = 0; i < REFUSED; i++)
        if (begins(head, refused[i].words)) {
            snprintf(why, size, "%s cannot stand there: %s", refused[i].words, refused[i].why);
            return false;
        }
    struct nearest search = nearest_to(head, length);
    for (size_t i = 0; i < LINES; i++)
        nearest_try(&search, lines[i].words);
    if (search.best)
        snprintf(why, size, "no line of a cell's backend begins with %.*s; did you mean %s", (int)length, head,
                 search.best);
    else
        snprintf(why, size, "no line of a cell's backend begins with %.*s", (int)length, head);
    return false;
}

bool backend_line_check(const char *line, char *why, size_t size)
{
    size_t length;
    server_words_next(line, &length);
    if (length == 0) {
        snprintf(why, size, "it is empty");
        return false;
    }
    if (!server_words_quotes_end(line)) {
        snprintf(why, size, "a quote does not end");
        return false;
    }
    return find(line) < LINES || refuse(line, why, size);
}

bool backend_line_is_shared(const char *line)
{
    size_t at = find(line);
    return at < LINES && lines[at].where == BOTH;
}

/* Words with a blank between them, as far as they are numbers. */
static void write_numbers(const char *words, char *out, size_t size)
{
    size_t length, used = 0;
    for (const char *word = server_words_next(words, &length); length > 0 && strspn(word, "0123456789") == length;
         word = server_words_next(word + length, &length)) {
        int wrote = snprintf(out + used, size - used, "%s%.*s", used > 0 ? " " : "", (int)length, word);
        if (wrote < 0 || (size_t)wrote >= size - used) {
            out[used] = '\0';
            return;
        }
        used += (size_t)wrote;
    }
}

static const char *behind_word(const char *words, const char *wanted)
{
    size_t length;
    for (const char *word = server_words_next(words, &length); length > 0;
         word = server_words_next(word + length, &length))
        if (length == strlen(wanted) && memcmp(word, wanted, length) == 0)
            return word + length;
    return words + strlen(words);
}

void backend_line_pages(const char *line, char *out, size_t size)
{
    out[0] = '\0';
    if (begins(line, "errorfile")) {
        write_numbers(behind_word(line, "errorfile"), out, size);
    } else if (begins(line, "http-error")) {
        write_numbers(behind_word(line, "status"), out, size);
    } else if (begins(line, "errorfiles")) {
        size_t length;
        const char *name = server_words_next(behind_word(line, "errorfiles"), &length);
        write_numbers(name + length, out, size);
        if (out[0] == '\0')
            snprintf(out, size, "400:599");
    }
}
