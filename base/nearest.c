/* base/nearest.c - by Levenshtein's distance, one row at a time. */
#include "base/nearest.h"

#include <string.h>

enum { LONGEST = 40 };

static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
    unsigned row[LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; i < n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < m; j++) {
            unsigned above = row[j + 1];
            unsigned best = diagonal + (a[i] != b[j]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = best;
            diagonal = above;
        }
    }
    return row[m];
}

struct nearest nearest_to(const char *word, size_t length)
{
    return (struct nearest){.word = word, .length = length, .least = length > 4 ? 4 : 3};
}

void nearest_try(struct nearest *search, const char *candidate)
{
    unsigned way = distance(search->word, search->length, candidate, strlen(candidate));
    if (way >= search->least)
        return;
    search->least = way;
    search->best = candidate;
}
