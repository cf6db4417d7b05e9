/* agent/routes/directive.h - the text of a cell's directive, {key:value, key:value}, as in X-Gitlab-Cell-Cache. Pure;
 * only the grammar: what a directive may do is agent/routes/learning.h. Source: docs/design.md 3.3.
 *
 *   directive = "{" [ pair *( "," pair ) ] "}"        blanks and tabs may stand between all parts, and around
 *   pair      = key ":" value
 *   key       = 1*( letter | digit | "_" | "-" ) | quoted
 *   value     = bare | quoted
 *   bare      = bytes but " { } , and control bytes; does not begin with [; blanks at its ends do not count; not empty
 *   quoted    = a JSON string; bytes over 127 stand as they are
 *
 * So a JSON object of strings and numbers is a directive. A key that is not known is skipped with its value. Malformed
 * are: a known key twice, nesting, an empty value of a known key, anything after the closing brace. Several headers of
 * one name reach the agent as "{…}, {…}": malformed, for nobody could say which of them counts. In a value that is
 * used, an escape may only mean a printable ASCII character. */
#ifndef CELLROUTER_AGENT_ROUTES_DIRECTIVE_H
#define CELLROUTER_AGENT_ROUTES_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/text_view.h"

enum {
    DIRECTIVE_MAX_LENGTH = 4096, /* bytes; a prefix in it can be no longer, and neither can a header of a sane cell */
    DIRECTIVE_MAX_PAIRS = 32,    /* the contract knows three keys; the rest is room for later ones */
};

#define DIRECTIVE_OUTCOMES(X) \
    X(OK, "well formed") \
    X(EMPTY, "empty: there is no directive") \
    X(TOO_LONG, "too long") \
    X(TOO_MANY, "too many keys") \
    X(NO_BRACE, "does not start with {") \
    X(UNFINISHED, "ends before its }") \
    X(BAD_KEY, "a key is empty or has a byte that keys have not") \
    X(NO_COLON, "a key without a : after it") \
    X(BAD_VALUE, "a value is empty, nested, or has a byte that must be quoted") \
    X(BAD_STRING, "a quoted string has a control byte or a bad escape") \
    X(NO_COMMA, "neither , nor } after a value") \
    X(TWICE, "a key stands twice") \
    X(BAD_TTL, "ttl is not a whole number of seconds") \
    X(TRAILING, "something follows the }")

enum directive_outcome {
#define DIRECTIVE_OUTCOME(id, text) DIRECTIVE_##id,
    DIRECTIVE_OUTCOMES(DIRECTIVE_OUTCOME)
#undef DIRECTIVE_OUTCOME
        DIRECTIVE_OUTCOME_COUNT
};

/* What a directive says: views into the text or the storage given to directive_parse; at is NULL when the key was not
 * there. */
struct directive {
    struct text_view cell;        /* id or display name */
    struct text_view path_prefix; /* as written */
    bool has_ttl;
    uint32_t ttl_s; /* larger numbers are UINT32_MAX */
};

/* Parses text. storage must have room for as many bytes (or DIRECTIVE_MAX_LENGTH, whichever is less): values with
 * escapes are unpacked into it. On OK fills *directive, whose views live as long as text and storage; otherwise
 * *directive is empty. Only blanks: EMPTY. "{}" is OK, without any key. */
MUST_USE enum directive_outcome directive_parse(struct directive *directive, struct text_view text, char *storage);

/* One line for people, without an ending dot. */
const char *directive_outcome_text(enum directive_outcome outcome);

/* The id as in the table, in capitals: "BAD_TTL". */
const char *directive_outcome_name(enum directive_outcome outcome);

#endif
