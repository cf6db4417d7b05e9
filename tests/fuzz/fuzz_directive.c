/* tests/fuzz/fuzz_directive.c - any text is a directive or not one; what comes out lies inside what was given. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/routes/directive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text must be printable and lie in one of the two places. */
static void check(const struct text_view *text, const char *in, const char *storage, size_t size)
{
    if (!text->at)
        return;
    uintptr_t at = (uintptr_t)text->at, a = (uintptr_t)in, b = (uintptr_t)storage;
    if (text->length == 0 || text->length > size)
        abort();
    if (!(at >= a && at + text->length <= a + size) && !(at >= b && at + text->length <= b + size))
        abort();
    for (size_t i = 0; i < text->length; i++)
        if ((unsigned char)text->at[i] < ' ' || text->at[i] == 127)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct directive directive;
    char *exact = malloc(size + !size);
    char *storage = malloc(size < DIRECTIVE_MAX_LENGTH ? size + !size : DIRECTIVE_MAX_LENGTH);
    if (!exact || !storage)
        abort();
    memcpy(exact, data, size);
    enum directive_outcome outcome = directive_parse(&directive, (struct text_view){exact, size}, storage);
    check(&directive.cell, exact, storage, size);
    check(&directive.path_prefix, exact, storage, size);
    if (outcome != DIRECTIVE_OK && (directive.cell.at || directive.path_prefix.at || directive.has_ttl))
        abort();
    /* Whatever is good is unfinished without its last }. */
    while (outcome == DIRECTIVE_OK && exact[size - 1] != '}')
        size--;
    if (outcome == DIRECTIVE_OK &&
        directive_parse(&directive, (struct text_view){exact, size - 1}, storage) != DIRECTIVE_UNFINISHED)
        abort();
    free(exact);
    free(storage);
    return 0;
}
