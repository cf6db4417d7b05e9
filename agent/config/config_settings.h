/* agent/config/config_settings.h - agent/config/settings.def as a table that code can walk. Only the config_*.c files
 * read it. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_SETTINGS_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/config/config.h"

enum setting_kind {
    SETTING_NUMBER,
    SETTING_SIZE,
    SETTING_MODE,
    SETTING_BOOL,
    SETTING_TEXT,
    SETTING_LIST,
    SETTING_CHOICE
};

enum setting_check {
    CHECK_NONE,
    CHECK_PLAIN, /* printable, no blanks */
    CHECK_ID,
    CHECK_ID_OR_EMPTY,
    CHECK_NAME,   /* display name of a cell */
    CHECK_SERVER, /* HAProxy server address */
    CHECK_SERVER_OR_EMPTY,
    CHECK_OPTIONS, /* rest of a server line: one line, printable */
    CHECK_LINE,    /* line of a backend: one line, printable */
    CHECK_ADDRESS, /* unix:/path or host:port */
    CHECK_ADDRESS_OR_EMPTY,
    CHECK_SOCKET_OR_EMPTY, /* path of a unix socket */
    CHECK_PATH_OR_EMPTY,
    CHECK_HAPROXY_PATH_OR_EMPTY, /* one that stands in HAProxy's configuration as an argument */
    CHECK_PREFIX,                /* path prefix: starts and ends with a slash, no empty or dot segments */
    CHECK_HEADER,                /* start of a header name */
    CHECK_TOKEN,                 /* protocol of an Upgrade header */
    CHECK_TYPE,                  /* beginning of a content type */
    CHECK_LOOP,
    CHECK_CLASS, /* size class of the large-body tier */
    CHECK_cell_answers,
    CHECK_log_levels,
    CHECK_direct_hits,
};

enum setting_when { WHEN_LIVE, WHEN_RESTART, WHEN_TOOL };

struct setting {
    const char *section; /* "" top level; "cell" for the rows of each cell */
    const char *key;
    size_t offset; /* in struct config, or in struct config_cell */
    enum setting_kind kind;
    enum setting_check check;
    const char *preset; /* the default, as in the file without quotes; "" for an empty text or list */
    uint64_t min, max;
    const char *unit;
    enum setting_when when;
    const char *text;
};

/* A word of a CHOICE and its value; tables end with a NULL word. */
struct setting_word {
    const char *word;
    int value;
};

/* The rows of settings.def, in its order: the top level first, then each section in one piece. */
extern const struct setting settings[];
extern const size_t setting_count;

/* Whether each cell has this setting. */
bool setting_in_cell(const struct setting *setting);

/* The row, or NULL. */
const struct setting *setting_find(const char *section, const char *key);

/* The key or section name nearest to a misspelt one, or NULL when none is near: for "did you mean". Names that other
 * programs use for the same thing are near, too. */
const char *setting_nearest(const char *section, const char *key);

/* What else to know about a name that setting_nearest has from other programs, as half a sentence, or NULL. */
const char *setting_advice(const char *section, const char *key);

/* Whether there is such a section; "" is one. */
bool setting_is_section(const char *section);

/* The words of a CHOICE. */
const struct setting_word *setting_words(enum setting_check check);

/* Prints the value that it has in whole, a struct config, or the cell's struct config_cell, as it stands in the file
 * but for quotes. Lists are not printed. */
void setting_print(const struct setting *setting, const void *whole, FILE *out);

/* What would be right, in words: "1 to 10000 ms, default 30". */
void setting_describe(const struct setting *setting, char *out, size_t size);

#endif
