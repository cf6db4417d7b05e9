/* agent/config/config_errors.c - a list of a bounded length; errors beyond it are counted alone. */
#include "agent/config/config_errors.h"

#include <stdarg.h>
#include <stdlib.h>

void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...)
{
    errors->total++;
    if (errors->count == CONFIG_ERRORS_MAX)
        return;
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int length = vasprintf(&text, fmt, args);
    va_end(args);
    errors->list[errors->count++] = (struct config_error){line, length < 0 ? NULL : text};
}

/* Stable: errors of one line stay in the order in which they were found. */
static void sort(struct config_errors *errors)
{
    for (size_t i = 1; i < errors->count; i++) {
        struct config_error error = errors->list[i];
        size_t j = i;
        for (; j > 0 && errors->list[j - 1].line > error.line; j--)
            errors->list[j] = errors->list[j - 1];
        errors->list[j] = error;
    }
}

static void print_text(const char *text, FILE *out)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < ' ' || *c == 127)
            fprintf(out, "\\x%02x", *c);
        else
            fputc(*c, out);
}

void config_errors_print(struct config_errors *errors, const char *file, FILE *out)
{
    sort(errors);
    for (size_t i = 0; i < errors->count; i++) {
        if (errors->list[i].line)
            fprintf(out, "%s:%u: ", file, errors->list[i].line);
        else
            fprintf(out, "%s: ", file);
        print_text(errors->list[i].text ? errors->list[i].text : "out of memory", out);
        fputc('\n', out);
    }
    if (errors->total > errors->count)
        fprintf(out, "%s: %zu more errors\n", file, errors->total - errors->count);
}

void config_errors_deinit(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->list[i].text);
    *errors = (struct config_errors){0};
}
