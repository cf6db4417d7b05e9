/* agent/config/config_tokens.h - the first half of reading a configuration file: bytes in, a list of tokens with
 * their lines out. Pure: no file, no process; the environment's variables come through a function.
 *
 * What a file may hold, between tokens any number of blanks, tabs, newlines and comments (# and // to the end of the
 * line, or from slash-star to star-slash):
 *
 * word       any bytes above a blank but  # " ' = { } ( ) + , *        regoin, 64m, /run/x, ${HOME} "text"     on one
 * line; \" \' \\ stand for the second byte; ${NAME} is replaced 'text'     on one line; \' and \\ likewise; ${NAME}
 * stays as it is =  +=  {  }  ,
 *
 * ${NAME} is the environment's variable NAME, ${NAME:-text} the text where there is no such variable. A variable that
 * is not set and has no such text is an error: an empty text would switch a part of the router off without a word.
 * $NAME is no variable. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_TOKENS_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config/config_errors.h"
#include "base/attributes.h"

enum {
    CONFIG_TEXT_MAX = 1 << 20,  /* bytes of a file: ten thousand cells fit */
    CONFIG_TEXTS_MAX = 8 << 20, /* bytes of all texts together: variables can be long, and can be used often */
};

enum config_token_kind {
    TOKEN_TEXT,   /* a word, or a text in quotes */
    TOKEN_EQUALS, /* = */
    TOKEN_APPEND, /* += */
    TOKEN_OPEN,   /* { */
    TOKEN_CLOSE,  /* } */
    TOKEN_COMMA,  /* , */
    TOKEN_END,    /* of the file: always the last token, and only there */
};

struct config_token {
    enum config_token_kind kind;
    unsigned line; /* from 1 */
    const char
        *text; /* of TOKEN_TEXT: ended by a zero, quotes, escapes and variables done. NULL: it cannot be known, and an
                       * error says why. Of others: as they stand in the file; of the end "". */
};

struct config_tokens {
    struct config_token *list;
    size_t count;
    bool swallowed; /* a text or comment that does not end took the rest of its line or file, braces maybe included */
    char *texts;    /* what the tokens' text points into */
};

/* The value of a variable, or NULL when it is not set. Read at once and not kept. */
typedef const char *config_variable_fn(const char *name);

/* Reads length bytes; bytes needs no ending zero and is not kept. Problems go to errors, with their line, and the
 * reading goes on behind them. Returns 0, and then *tokens is to be freed by config_tokens_deinit, or -1 when there
 * is nothing to go on with: too large, no plain text, or out of memory. */
MUST_USE int config_tokens_read(struct config_tokens *tokens, const char *bytes, size_t length,
                                config_variable_fn *variable, struct config_errors *errors);

/* Frees the list and all texts, and leaves *tokens all zero. */
void config_tokens_deinit(struct config_tokens *tokens);

#endif
