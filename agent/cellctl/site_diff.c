/* agent/cellctl/site_diff.c - edits in the order of their lines, and hunks of them. A hunk ends where more than twice
 * CONTEXT lines stay as they are. */
#include "agent/cellctl/site_diff.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 3 }; /* as diff -u */

static void add(struct site_edits *edits, struct site_edit edit)
{
    if (edits->count == edits->room) {
        size_t room = edits->room ? edits->room * 2 : 16;
        struct site_edit *list = realloc(edits->list, room * sizeof *list);
        if (!list) {
            edits->failed = true;
            free(edit.text);
            return;
        }
        edits->list = list;
        edits->room = room;
    }
    edit.turn = edits->count;
    edits->list[edits->count++] = edit;
}

void site_edits_insert(struct site_edits *edits, size_t line, const char *fmt, ...)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        edits->failed = true;
        return;
    }
    va_list args;
    va_start(args, fmt);
    vfprintf(out, fmt, args);
    va_end(args);
    fputc('\n', out);
    if (fclose(out) != 0 || !text) {
        free(text);
        edits->failed = true;
        return;
    }
    add(edits, (struct site_edit){.line = line, .text = text});
}

bool site_edits_removes(const struct site_edits *edits, size_t line)
{
    for (size_t i = 0; i < edits->count; i++)
        if (edits->list[i].line == line && edits->list[i].gone)
            return true;
    return false;
}

void site_edits_remove(struct site_edits *edits, size_t line)
{
    if (!site_edits_removes(edits, line))
        add(edits, (struct site_edit){.line = line, .gone = true});
}

static int compare(const void *a, const void *b)
{
    const struct site_edit *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->turn < y->turn ? -1 : 1;
}

static void sort(struct site_edits *edits)
{
    if (edits->count)
        qsort(edits->list, edits->count, sizeof *edits->list, compare);
    for (size_t i = 0; i < edits->count; i++)
        edits->list[i].turn = i;
}

/* Writes text, whose lines have their ends, each with sign before it. Returns how many lines. */
static size_t print_text(const char *text, const char *sign, FILE *out)
{
    size_t lines = 0;
    for (const char *at = text; *at; lines++) {
        const char *end = strchr(at, '\n') + 1;
        if (out)
            fprintf(out, "%s%.*s", sign, (int)(end - at), at);
        at = end;
    }
    return lines;
}

static void print_line(const struct site_text *text, size_t index, const char *sign, FILE *out)
{
    const struct site_line *line = &text->lines[index];
    fputs(sign, out);
    fwrite(line->raw, 1, line->raw_length, out);
    fputc('\n', out);
    if (sign[0] && index + 1 == text->line_count && !text->ends_in_newline)
        fputs("\\ No newline at end of file\n", out);
}

/* Writes the edits of one line, from number *atp on, and the line itself unless it goes; NULL as out counts alone. A
 * last line without an end gets one before something is put behind it. */
static void print_place(const struct site_edits *edits, size_t *atp, const struct site_text *text, size_t line,
                        bool marked, FILE *out, size_t *oldp, size_t *newp)
{
    bool gone = site_edits_removes(edits, line), there = line < text->line_count;
    bool patched = there && line + 1 == text->line_count && !text->ends_in_newline && !gone && edits->count &&
                   edits->list[edits->count - 1].line > line;
    if (out && marked && (gone || patched))
        print_line(text, line, "-", out);
    for (; *atp < edits->count && edits->list[*atp].line == line; ++*atp)
        if (edits->list[*atp].text)
            *newp += print_text(edits->list[*atp].text, marked ? "+" : "", out);
    if (!there)
        return;
    *oldp += 1;
    *newp += !gone;
    if (out && patched)
        fprintf(out, "%s%.*s\n", marked ? "+" : "", (int)text->lines[line].raw_length, text->lines[line].raw);
    else if (out && !gone)
        print_line(text, line, marked ? " " : "", out);
}

static void print_lines(struct site_edits *edits, const struct site_text *text, size_t first, size_t last, FILE *out)
{
    sort(edits);
    size_t at = 0, old = 0, new = 0;
    while (at < edits->count && edits->list[at].line <= first)
        at++;
    for (size_t line = first; line < last; line++)
        print_place(edits, &at, text, line, false, out, &old, &new);
}

void site_edits_move(struct site_edits *edits, const struct site_text *text, size_t first, size_t last, FILE *out)
{
    print_lines(edits, text, first, last, out);
    for (size_t i = 0; i < edits->count; i++)
        if (edits->list[i].line > first && edits->list[i].line < last) {
            free(edits->list[i].text);
            edits->list[i].text = NULL;
        }
    for (size_t line = first; line < last; line++)
        site_edits_remove(edits, line);
}

/* The hunk that begins with edit number at: its lines, and the number of the first edit behind it. */
static size_t find_hunk(const struct site_edits *edits, const struct site_text *text, size_t at, size_t *firstp,
                        size_t *lastp)
{
    size_t end = at;
    while (end + 1 < edits->count && edits->list[end + 1].line - edits->list[end].line <= 2 * CONTEXT + 1)
        end++;
    size_t first = edits->list[at].line, last = edits->list[end].line + 1 + CONTEXT;
    *firstp = first > CONTEXT ? first - CONTEXT : 0;
    *lastp = last < text->line_count ? last : text->line_count;
    return end + 1;
}

/* Walks over the hunk's lines; out NULL counts alone. */
static void walk(const struct site_edits *edits, const struct site_text *text, size_t at, size_t first, size_t last,
                 FILE *out, size_t *oldp, size_t *newp)
{
    *oldp = *newp = 0;
    for (size_t line = first; line < last; line++)
        print_place(edits, &at, text, line, true, out, oldp, newp);
    if (last == text->line_count)
        print_place(edits, &at, text, last, true, out, oldp, newp);
}

void site_edits_print_diff(struct site_edits *edits, const struct site_text *text, const char *name, FILE *out)
{
    if (!edits->count)
        return;
    sort(edits);
    fprintf(out, "--- a%s\n+++ b%s\n", name, name);
    long shift = 0;
    for (size_t at = 0; at < edits->count;) {
        size_t first, last, old, new, next = find_hunk(edits, text, at, &first, &last);
        walk(edits, text, at, first, last, NULL, &old, &new);
        long start = (long)first + shift;
        fprintf(out, "@@ -%zu,%zu +%ld,%zu @@\n", first + (old > 0), old, start + (new > 0), new);
        walk(edits, text, at, first, last, out, &old, &new);
        shift += (long)new - (long)old;
        at = next;
    }
}

void site_edits_deinit(struct site_edits *edits)
{
    for (size_t i = 0; i < edits->count; i++)
        free(edits->list[i].text);
    free(edits->list);
    *edits = (struct site_edits){0};
}
