/* agent/cellctl/site_text.c - HAProxy's lines, as its parse_line() splits them. A word ends at a blank or at a #, both
 * outside of quotes; a backslash takes the meaning from what follows it, outside of quotes and in double ones. */
#include "agent/cellctl/site_text.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    enum site_kind kind;
} section_words[] = {
    {"global", SITE_GLOBAL},   {"defaults", SITE_DEFAULTS}, {"frontend", SITE_FRONTEND}, {"backend", SITE_BACKEND},
    {"listen", SITE_LISTEN},   {"peers", SITE_OTHER},       {"userlist", SITE_OTHER},    {"resolvers", SITE_OTHER},
    {"mailers", SITE_OTHER},   {"cache", SITE_OTHER},       {"program", SITE_OTHER},     {"http-errors", SITE_OTHER},
    {"ring", SITE_OTHER},      {"fcgi-app", SITE_OTHER},    {"log-forward", SITE_OTHER}, {"log-profile", SITE_OTHER},
    {"crt-store", SITE_OTHER}, {"traces", SITE_OTHER},      {"acme", SITE_OTHER},        {"namespace_list", SITE_OTHER},
};

/* Where the reader is: the next byte, and where the next word goes. */
struct reader {
    const char *at, *end; /* of the current line */
    char *out;
    bool broken;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A backslash and what it means here. at is on the backslash. */
static void escape(struct reader *r, bool quoted)
{
    if (r->at + 1 == r->end) {
        *r->out++ = *r->at++;
        return;
    }
    char next = r->at[1];
    if (quoted && next != '"' && next != '\\' && next != '$')
        *r->out++ = '\\';
    *r->out++ = next;
    r->at += 2;
}

/* One word, from its first byte on. */
static void read_word(struct reader *r)
{
    char quote = 0;
    for (; r->at < r->end;) {
        char c = *r->at;
        if (!quote && (is_blank(c) || c == '#'))
            break;
        if (c == '\\' && quote != '\'') {
            escape(r, quote != 0);
            continue;
        }
        if ((c == '"' || c == '\'') && (!quote || quote == c))
            quote = quote ? 0 : c;
        else
            *r->out++ = c;
        r->at++;
    }
    r->broken = r->broken || quote;
    *r->out++ = '\0';
}

/* Splits the line into words, which go into list; returns how many. */
static size_t read_words(struct reader *r, char **list)
{
    size_t count = 0;
    for (;;) {
        while (r->at < r->end && is_blank(*r->at))
            r->at++;
        if (r->at == r->end || *r->at == '#')
            return count;
        list[count++] = r->out;
        read_word(r);
    }
}

/* ---- `.if` ------------------------------------------------------------------------------------------------------- */

struct conditions {
    unsigned depth, off; /* off: the depth of the `.if 0` that everything is in, 0 when there is none */
};

/* Takes notice of a line that begins with a dot. */
static void direct(struct conditions *state, const struct site_line *line)
{
    const char *word = line->words[0];
    bool never = strcmp(site_word(line, 1), "0") == 0 || strcmp(site_word(line, 1), "false") == 0;
    if (strcmp(word, ".if") == 0) {
        state->depth++;
        if (never && line->count == 2 && !state->off)
            state->off = state->depth;
    } else if ((strcmp(word, ".else") == 0 || strcmp(word, ".elif") == 0) && state->off == state->depth) {
        state->off = 0;
    } else if (strcmp(word, ".endif") == 0 && state->depth > 0) {
        if (state->off == state->depth)
            state->off = 0;
        state->depth--;
    }
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static int section_kind(const char *word)
{
    for (size_t i = 0; i < sizeof section_words / sizeof section_words[0]; i++)
        if (strcmp(section_words[i].word, word) == 0)
            return (int)i;
    return -1;
}

static void add_section(struct site_text *text, size_t index, enum site_kind kind)
{
    const struct site_line *line = &text->lines[index];
    struct site_section *section = &text->sections[text->section_count++];
    bool named = line->count > 1 && !(kind == SITE_DEFAULTS && strcmp(line->words[1], "from") == 0);
    *section = (struct site_section){.kind = kind, .name = named ? line->words[1] : "", .line = index};
    for (size_t i = named ? 2 : 1; i + 1 < line->count; i++)
        if (strcmp(line->words[i], "from") == 0)
            section->from = line->words[i + 1];
}

static void find_sections(struct site_text *text)
{
    for (size_t i = 0; i < text->line_count; i++) {
        int found = text->lines[i].count ? section_kind(text->lines[i].words[0]) : -1;
        if (found >= 0)
            add_section(text, i, section_words[found].kind);
    }
    for (size_t i = 0; i < text->section_count; i++)
        text->sections[i].end = i + 1 < text->section_count ? text->sections[i + 1].line : text->line_count;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static size_t count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines + (length > 0 && bytes[length - 1] != '\n');
}

static void read_lines(struct site_text *text, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct conditions state = {0, 0};
    struct reader r = {.out = text->memory};
    char **list = text->word_list;
    const char *at = text->bytes, *end = text->bytes + length;
    text->marked = length >= 3 && memcmp(at, mark, 3) == 0;
    for (size_t i = 0; i < text->line_count; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        struct site_line *line = &text->lines[i];
        *line = (struct site_line){.raw = at, .raw_length = (size_t)(stop - at), .words = list, .depth = state.depth};
        r.at = at + (i == 0 && text->marked ? 3 : 0);
        r.end = stop;
        r.broken = false;
        line->count = read_words(&r, list);
        line->broken = r.broken;
        list += line->count;
        bool directive = line->count && line->words[0][0] == '.';
        if (directive)
            direct(&state, line);
        if (directive || state.off)
            line->count = 0;
        at = newline ? newline + 1 : end;
    }
    text->ends_in_newline = length > 0 && text->bytes[length - 1] == '\n';
}

int site_text_read(struct site_text *text, const char *bytes, size_t length)
{
    *text = (struct site_text){.line_count = count_lines(bytes, length)};
    text->bytes = malloc(length + 1);
    text->memory = malloc(length + text->line_count + 1); /* a word is never longer than it is written, and a zero */
    text->word_list = calloc(length + 1, sizeof *text->word_list);
    text->lines = calloc(text->line_count + 1, sizeof *text->lines);
    text->sections = calloc(text->line_count + 1, sizeof *text->sections);
    if (!text->bytes || !text->memory || !text->word_list || !text->lines || !text->sections) {
        site_text_deinit(text);
        return -1;
    }
    if (length)
        memcpy(text->bytes, bytes, length);
    read_lines(text, length);
    find_sections(text);
    return 0;
}

void site_text_deinit(struct site_text *text)
{
    free(text->bytes);
    free(text->memory);
    free(text->word_list);
    free(text->lines);
    free(text->sections);
    *text = (struct site_text){0};
}

const char *site_word(const struct site_line *line, size_t index)
{
    return index < line->count ? line->words[index] : "";
}
