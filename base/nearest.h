/* base/nearest.h - the known word nearest to a misspelt one, for "did you mean". Pure. */
#ifndef CELLROUTER_BASE_NEAREST_H
#define CELLROUTER_BASE_NEAREST_H

#include <stddef.h>

/* A search: begin it with nearest_to(), show it every known word, then read best. */
struct nearest {
    const char *word;
    size_t length;
    const char *best; /* NULL: none is near. The caller's own text. */
    unsigned least;
};

/* word is borrowed for the time of the search. A typo or two are near; a longer way is no typo. */
struct nearest nearest_to(const char *word, size_t length);

/* candidate ends in a zero; it is kept as best when it is nearer than all before it. Words above 40 bytes are never
 * near. */
void nearest_try(struct nearest *search, const char *candidate);

#endif
