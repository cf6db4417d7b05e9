/* agent/cellctl/adopt_backend.c - what a site's own backend did for the requests that the router takes from it. Its
 * rules go to the frontend, under the condition under which requests went there; its timeouts to cellrouter.conf. What
 * cannot be moved so is told. */
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"

#define TO_CELLS "{ var(txn.to_cells) -m found }"

/* Lines of a backend that are nobody's loss: its servers, and how they are chosen, are in cellrouter.conf now. */
static const char *const replaced[] = {"mode",     "balance",  "server",    "server-template", "default-server",
                                       "timeout",  "retries",  "acl",       "description",     "log",
                                       "retry-on", "fullconn", "hash-type", "http-reuse",      "id",
                                       "dispatch", "disabled", "enabled"};
static const char *const rules[] = {"http-request", "http-response", "http-after-response"};

/* ---- timeouts ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *word, *key;
    size_t field;
    unsigned ms; /* of the setting's unit */
} timeouts[] = {
    {"server", "timeout-server", offsetof(struct config_haproxy, timeout_server_s), 1000},
    {"tunnel", "timeout-tunnel", offsetof(struct config_haproxy, timeout_tunnel_s), 1000},
    {"connect", "timeout-connect", offsetof(struct config_haproxy, timeout_connect_ms), 1},
    {"queue", "timeout-queue", offsetof(struct config_haproxy, timeout_queue_s), 1000},
};

static void keep_timeouts(struct adopt *adopt, const struct adopt_file *file, const struct site_section *section,
                          const char *name)
{
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        const struct adopt_file *at = file, *of_defaults = NULL;
        size_t line = ADOPT_NONE;
        for (size_t next = section->line;
             (next = adopt_line(file, section, next, "timeout", timeouts[i].word)) != ADOPT_NONE;)
            line = next;
        const struct site_section *defaults = adopt_defaults(adopt, file, section, &of_defaults);
        if (line == ADOPT_NONE && defaults) {
            at = of_defaults;
            line = adopt_line(at, defaults, defaults->line, "timeout", timeouts[i].word);
        }
        unsigned long long ms = line == ADOPT_NONE ? 0 : adopt_time_ms(site_word(&at->text.lines[line], 2));
        unsigned long long wanted = (ms + timeouts[i].ms - 1) / timeouts[i].ms;
        const char *base = (const char *)&adopt->config->haproxy;
        uint32_t set;
        memcpy(&set, base + timeouts[i].field, sizeof set);
        if (!ms || wanted == set)
            continue;
        adopt_tell(adopt, ADOPT_WRONG, name, at, line, "cells get haproxy.%s of %s, which is %u: %s = %llu",
                   timeouts[i].key, adopt->config->file, set, timeouts[i].key, wanted);
        adopt_set(adopt, "haproxy", timeouts[i].key, "%llu", wanted);
    }
}

/* ---- the condition ----------------------------------------------------------------------------------------------- */

/* What the frontend says about a request that goes to the backend of line `index`: "" when all do; NULL when lines
 * cannot say it. In room. */
static const char *condition_of(const struct adopt_frontend *frontend, size_t index, char *room, size_t size)
{
    const struct adopt_file *file = frontend->file;
    size_t length = 0;
    room[0] = '\0';
    bool rest = strcmp(site_word(&file->text.lines[index], 0), "default_backend") == 0;
    for (size_t i = frontend->section->line + 1; i < frontend->section->end && (rest || i <= index); i++) {
        const struct site_line *line = &file->text.lines[i];
        if (strcmp(site_word(line, 0), "use_backend") != 0)
            continue;
        bool own = i == index;
        if (line->count < 4 || strcmp(line->words[2], "if") != 0 || (own && length))
            return NULL;
        const char *at = memmem(line->raw, line->raw_length, " if ", 4);
        size_t rest_length = at ? line->raw_length - (size_t)(at - line->raw) : 0;
        if (!at || memchr(at, '#', rest_length))
            return NULL;
        int n = snprintf(room + length, size - length, "%s%.*s",
                         own      ? " if"
                         : length ? " or"
                                  : " unless",
                         (int)(rest_length - 3), at + 3);
        if (n < 0 || (size_t)n >= size - length)
            return NULL;
        length += (size_t)n;
    }
    return room;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* Whether a condition can be put behind the rule; *bare: it has none. */
static bool takes_condition(const struct site_line *line, bool *bare)
{
    *bare = true;
    for (size_t i = 1; i < line->count; i++) {
        const char *word = line->words[i];
        if (strcmp(word, "unless") == 0 || (!*bare && (strcmp(word, "or") == 0 || strcmp(word, "||") == 0)))
            return false;
        *bare = *bare && strcmp(word, "if") != 0;
    }
    return !memchr(line->raw, '#', line->raw_length);
}

static bool has_acl(const struct adopt_frontend *frontend, const char *name)
{
    return adopt_line(frontend->file, frontend->section, frontend->section->line, "acl", name) != ADOPT_NONE;
}

/* Where moved rules go: behind the frontend's last rule about a request, or its head. */
static size_t behind_the_rules(const struct adopt_frontend *frontend)
{
    size_t at = frontend->section->line;
    for (size_t i = at; (i = adopt_line(frontend->file, frontend->section, i, "http-request", NULL)) != ADOPT_NONE;)
        at = i;
    return at + 1;
}

struct move {
    struct adopt *adopt;
    struct adopt_frontend *frontend;
    const struct adopt_file *file; /* of the backend */
    const struct site_section *section;
    const char *condition; /* NULL: cannot be said */
    const char *name;
    bool told; /* the variable is set */
};

static void by_hand(const struct move *move, size_t index, const char *why)
{
    adopt_tell(move->adopt, ADOPT_WRONG, move->name, move->file, index,
               "no longer done for requests to cells: %.*s: %s", (int)move->file->text.lines[index].raw_length,
               move->file->text.lines[index].raw, why);
}

/* Copies the line into the frontend, with this behind it. */
static void insert(struct move *move, size_t index, const char *more)
{
    const struct site_line *line = &move->file->text.lines[index];
    size_t skip = 0, length = line->raw_length;
    char indent[64];
    while (skip < length && strchr(" \t", line->raw[skip]))
        skip++;
    while (length > skip && strchr(" \t\r", line->raw[length - 1]))
        length--;
    site_edits_insert(&move->frontend->file->edits, behind_the_rules(move->frontend), "%s%.*s%s",
                      adopt_indent(move->frontend->file, move->frontend->section, indent, sizeof indent),
                      (int)(length - skip), line->raw + skip, more);
}

static void set_variable(struct move *move)
{
    char indent[64];
    if (move->told || !move->condition || !move->condition[0])
        return;
    site_edits_insert(&move->frontend->file->edits, behind_the_rules(move->frontend),
                      "%shttp-request set-var(txn.to_cells) bool(true)%s",
                      adopt_indent(move->frontend->file, move->frontend->section, indent, sizeof indent),
                      move->condition);
    move->told = true;
}

static void move_rule(struct move *move, size_t index)
{
    const struct site_line *line = &move->file->text.lines[index];
    bool bare;
    if (!move->condition) {
        by_hand(move, index, "write it in the frontend, for the requests that go to cells");
        return;
    }
    if (!takes_condition(line, &bare)) {
        by_hand(move, index,
                "write it in the frontend; a condition with `or`, `unless` or a remark is not changed here");
        return;
    }
    set_variable(move);
    adopt_tell(move->adopt, ADOPT_WRONG, move->name, move->file, index,
               "requests to cells do not pass this backend any more: the rule goes to frontend \"%s\"",
               move->frontend->section->name);
    insert(move, index, !move->condition[0] ? "" : bare ? " if " TO_CELLS : " " TO_CELLS);
}

static void move_acls(struct move *move)
{
    for (size_t i = move->section->line; (i = adopt_line(move->file, move->section, i, "acl", NULL)) != ADOPT_NONE;) {
        if (!move->condition)
            continue;
        if (has_acl(move->frontend, site_word(&move->file->text.lines[i], 1)))
            by_hand(move, i, "the frontend has an acl of this name, which would mean both");
        else
            insert(move, i, "");
    }
}

void adopt_leave_backend(struct adopt *adopt, struct adopt_frontend *frontend, size_t index, const char *name)
{
    const char *backend = site_word(&frontend->file->text.lines[index], 1);
    char room[2048];
    struct move move = {.adopt = adopt, .frontend = frontend, .name = name};
    move.section = adopt_section(adopt, SITE_BACKEND, backend, &move.file);
    if (!move.section)
        return;
    move.condition = condition_of(frontend, index, room, sizeof room);
    bool moved = false;
    for (size_t i = move.section->line + 1; i < move.section->end; i++) {
        const struct site_line *line = &move.file->text.lines[i];
        const char *word = site_word(line, 0);
        if (ADOPT_AMONG(word, rules)) {
            if (!moved)
                move_acls(&move);
            moved = true;
            move_rule(&move, i);
        } else if (line->count && !ADOPT_AMONG(word, replaced)) {
            adopt_tell(adopt, ADOPT_NOTE, name, move.file, i,
                       "cells have it only by the setting backend-lines of %s: %s %s", adopt->config->file, word,
                       site_word(line, 1));
        }
    }
    keep_timeouts(adopt, move.file, move.section, name);
}
