/* base/text_view.h - a view of text that somebody else owns: where it begins, and how long it is. Pure. */
#ifndef CELLROUTER_BASE_TEXT_VIEW_H
#define CELLROUTER_BASE_TEXT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* An open value, passed as such. No ending zero, any bytes. at may be NULL when length is 0: "not there" for those who
 * tell it from an empty text. */
struct text_view {
    const char *at;
    size_t length;
};

/* Of a literal. */
#define TEXT_VIEW(literal) ((struct text_view){.at = "" literal, .length = sizeof(literal) - 1})

/* Of a text that ends in a zero; the zero is not in it. */
static inline struct text_view text_view_of(const char *text)
{
    return (struct text_view){.at = text, .length = strlen(text)};
}

/* Exact comparison, by length too. word ends in a zero. */
static inline bool text_view_is(struct text_view view, const char *word)
{
    return strlen(word) == view.length && (view.length == 0 || memcmp(view.at, word, view.length) == 0);
}

#endif
