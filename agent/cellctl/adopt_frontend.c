/* agent/cellctl/adopt_frontend.c - what a frontend needs to adopt the rules, and what it would lose. `from` replaces
 * its defaults: HAProxy takes one defaults section, and refuses one with rules that inherits from another one with
 * rules. So the lines of its own defaults that say something about a frontend are copied into it, where they win. */
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"

/* What may stand in a frontend and in defaults. Source: HAProxy configuration manual 2.6 and 3.2, section 4.1. */
static const char *const frontend_words[] = {
    "acl",
    "backlog",
    "compression",
    "email-alert",
    "error-log-format",
    "errorfile",
    "errorfiles",
    "errorloc",
    "errorloc302",
    "errorloc303",
    "http-error",
    "http-request",
    "http-response",
    "http-after-response",
    "clitcpka-cnt",
    "clitcpka-idle",
    "clitcpka-intvl",
    "log",
    "log-format",
    "log-format-sd",
    "log-tag",
    "maxconn",
    "monitor-net",
    "monitor-uri",
    "rate-limit",
    "stats",
    "tcp-request",
    "unique-id-format",
    "unique-id-header",
};
static const char *const frontend_options[] = {
    "accept-invalid-http-request",
    "accept-unsafe-violations-in-http-request",
    "clitcpka",
    "disable-h2-upgrade",
    "dontlog-normal",
    "dontlognull",
    "forwardfor",
    "h1-case-adjust-bogus-client",
    "http-buffer-request",
    "http-ignore-probes",
    "http-keep-alive",
    "http-no-delay",
    "http-restrict-req-hdr-names",
    "http-server-close",
    "http-use-proxy-header",
    "httpclose",
    "idle-close-on-response",
    "log-separate-errors",
    "logasap",
    "nolinger",
    "originalto",
    "socket-stats",
    "splice-auto",
    "splice-request",
    "splice-response",
    "tcp-smart-accept",
    "tcpka",
};
static const char *const frontend_timeouts[] = {
    "client", "client-fin", "client-hs", "http-request", "http-keep-alive", "tarpit",
};

/* Words whose second word belongs to what they are: each `errorfile CODE` is another line. */
static const char *const two_words[] = {"option",      "timeout",     "errorfile", "errorloc", "errorloc302",
                                        "errorloc303", "compression", "stats",     "no"};

/* The words of a line without a leading `no`. */
static size_t without_no(const struct site_line *line)
{
    return strcmp(site_word(line, 0), "no") == 0;
}

static bool means_something(const struct site_line *line)
{
    size_t at = without_no(line);
    const char *word = site_word(line, at), *second = site_word(line, at + 1);
    if (strcmp(word, "option") == 0)
        return ADOPT_AMONG(second, frontend_options);
    if (strcmp(word, "timeout") == 0)
        return ADOPT_AMONG(second, frontend_timeouts);
    return ADOPT_AMONG(word, frontend_words);
}

static bool is_rule(const char *word)
{
    return strncmp(word, "http-", 5) == 0 || strncmp(word, "tcp-", 4) == 0 || strcmp(word, "acl") == 0;
}

/* Whether both say the same thing, whatever they say of it; of rules, which all count, the same in the same words. */
static bool is_same(const struct site_line *a, const struct site_line *b)
{
    size_t i = without_no(a), j = without_no(b);
    const char *word = site_word(a, i);
    if (strcmp(word, site_word(b, j)) != 0)
        return false;
    if (is_rule(word)) {
        for (size_t n = 0; n < a->count || n < b->count; n++)
            if (strcmp(site_word(a, n), site_word(b, n)) != 0)
                return false;
        return true;
    }
    return !ADOPT_AMONG(word, two_words) || strcmp(site_word(a, i + 1), site_word(b, j + 1)) == 0;
}

static bool has_it(const struct adopt_frontend *frontend, const struct site_line *wanted)
{
    for (size_t i = frontend->section->line + 1; i < frontend->section->end; i++)
        if (frontend->file->text.lines[i].count && is_same(&frontend->file->text.lines[i], wanted))
            return true;
    return false;
}

/* What the edge says anyway. */
static bool is_of_the_edge(const struct adopt *adopt, const struct site_line *line)
{
    if (strcmp(line->words[0], "maxconn") == 0)
        return strtoul(site_word(line, 1), NULL, 10) == adopt->config->haproxy.maxconn;
    return strcmp(line->words[0], "option") == 0 && line->count == 2 && strcmp(line->words[1], "forwardfor") == 0;
}

/* Its own defaults: those that it names, or had before it adopted the rules. With several that sections name, nobody
 * can tell any more which those were: NULL. */
static const struct site_section *own_defaults(const struct adopt *adopt, const struct adopt_frontend *frontend,
                                               const struct adopt_file **filep)
{
    const struct site_section *found = adopt_defaults(adopt, frontend->file, frontend->section, filep);
    return found && frontend->adopts && found->name[0] ? NULL : found;
}

/* The line's text without the blanks around it. */
static struct text_view trimmed(const struct site_line *line)
{
    struct text_view view = {line->raw, line->raw_length};
    for (; view.length && (view.at[0] == ' ' || view.at[0] == '\t'); view.length--)
        view.at++;
    while (view.length && strchr(" \t\r", view.at[view.length - 1]))
        view.length--;
    return view;
}

/* ---- from -------------------------------------------------------------------------------------------------------- */

void adopt_check_from(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct site_section *section = frontend->section;
    struct adopt_file *file = frontend->file;
    const struct adopt_file *at;
    const struct site_section *defaults = own_defaults(adopt, frontend, &at);
    size_t mode = adopt_line(file, section, section->line, "mode", NULL);
    const struct site_line *line = mode != ADOPT_NONE ? &file->text.lines[mode] : NULL;
    size_t theirs = defaults ? adopt_line(at, defaults, defaults->line, "mode", NULL) : ADOPT_NONE;
    if (!line && !frontend->adopts && theirs != ADOPT_NONE)
        line = &at->text.lines[theirs];
    if (line && strcmp(site_word(line, 1), "http") != 0)
        adopt_tell(adopt, ADOPT_WRONG, name, file, mode != ADOPT_NONE ? mode : section->line,
                   "frontend \"%s\" has mode %s: the router sends HTTP requests, `mode http`", section->name,
                   site_word(line, 1));
    if (frontend->adopts)
        return;
    adopt_tell(adopt, ADOPT_WRONG, name, file, section->line,
               "frontend \"%s\" sends requests to cells and does not adopt the rules: `from " ADOPT_EDGE "`",
               section->name);
    if (file->text.lines[section->line].count > 2 && !section->from)
        adopt_tell(adopt, ADOPT_WRONG, name, file, section->line,
                   "an address behind the name of a frontend: write it as a `bind` line");
    else {
        site_edits_insert(&file->edits, section->line, "frontend %s from " ADOPT_EDGE, section->name);
        site_edits_remove(&file->edits, section->line);
    }
}

/* ---- filters ----------------------------------------------------------------------------------------------------- */

/* The `filter NAME` line, or ADOPT_NONE; of spoe, that of engine cellrouter. */
static size_t find_filter(const struct adopt_frontend *frontend, const char *filter)
{
    const struct adopt_file *file = frontend->file;
    for (size_t i = frontend->section->line;
         (i = adopt_line(file, frontend->section, i, "filter", filter)) != ADOPT_NONE;) {
        const struct site_line *line = &file->text.lines[i];
        bool spoe = strcmp(filter, "spoe") == 0, ours = false;
        for (size_t w = 2; spoe && w + 1 < line->count; w++)
            ours = ours || (strcmp(line->words[w], "engine") == 0 && strcmp(line->words[w + 1], "cellrouter") == 0);
        if (!spoe || ours)
            return i;
    }
    return ADOPT_NONE;
}

void adopt_check_filter(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct site_section *section = frontend->section;
    struct adopt_file *file = frontend->file;
    char indent[64];
    size_t at = find_filter(frontend, "spoe");
    if (at == ADOPT_NONE) {
        adopt_tell(adopt, ADOPT_WRONG, name, file, section->line,
                   "frontend \"%s\" asks no agent: `filter spoe engine cellrouter config %s` is missing", section->name,
                   adopt->config->hidden.spoe_file);
        site_edits_insert(&file->edits, section->line + 1, "%sfilter spoe engine cellrouter config %s",
                          adopt_indent(file, section, indent, sizeof indent), adopt->config->hidden.spoe_file);
        return;
    }
    for (size_t i = at; (i = adopt_line(file, section, i, "filter", "spoe")) != ADOPT_NONE;)
        for (size_t w = 2; w + 1 < file->text.lines[i].count; w++)
            if (strcmp(file->text.lines[i].words[w], "engine") == 0 &&
                strcmp(file->text.lines[i].words[w + 1], "cellrouter") == 0) {
                adopt_tell(adopt, ADOPT_WRONG, name, file, i,
                           "the engine cellrouter is asked twice: one line is "
                           "enough, and each costs a lookup");
                site_edits_remove(&file->edits, i);
            }
}

/* Whether the frontend has such a line, or its defaults have one that will be copied. */
static size_t own_line(const struct adopt *adopt, const struct adopt_frontend *frontend, const char *word)
{
    size_t at = adopt_line(frontend->file, frontend->section, frontend->section->line, word, NULL);
    const struct adopt_file *file;
    const struct site_section *defaults = own_defaults(adopt, frontend, &file);
    if (at == ADOPT_NONE && defaults && adopt_line(file, defaults, defaults->line, word, NULL) != ADOPT_NONE)
        return frontend->section->line;
    return at;
}

void adopt_check_filters(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct site_section *section = frontend->section;
    struct adopt_file *file = frontend->file;
    char indent[64];
    adopt_indent(file, section, indent, sizeof indent);
    size_t at = own_line(adopt, frontend, "compression");
    if (at != ADOPT_NONE && find_filter(frontend, "compression") == ADOPT_NONE) {
        adopt_tell(
            adopt, ADOPT_WRONG, name, file, at,
            "compression beside another filter has to be named, or HAProxy does not start: `filter compression`");
        site_edits_insert(&file->edits, section->line + 1, "%sfilter compression", indent);
    }
    for (size_t i = section->line + 1; i < section->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        const char *what = site_word(line, 1);
        if (strncmp(site_word(line, 0), "http-re", 7) != 0 ||
            (strcmp(what, "cache-use") != 0 && strcmp(what, "cache-store") != 0) ||
            find_filter(frontend, "cache") != ADOPT_NONE)
            continue;
        adopt_tell(adopt, ADOPT_WRONG, name, file, i,
                   "a cache beside another filter has to be named, or HAProxy does not start: `filter cache %s`",
                   site_word(line, 2));
        site_edits_insert(&file->edits, section->line + 1, "%sfilter cache %s", indent, site_word(line, 2));
        return;
    }
}

/* ---- its own defaults -------------------------------------------------------------------------------------------- */

static void copy_line(struct adopt *adopt, struct adopt_frontend *frontend, const struct adopt_file *from, size_t index,
                      const char *name)
{
    const struct site_line *line = &from->text.lines[index];
    struct text_view text = trimmed(line);
    char indent[64];
    adopt_tell(adopt, ADOPT_WRONG, name, from, index,
               "frontend \"%s\" %s it when it says `from " ADOPT_EDGE "`: write it there: %.*s",
               frontend->section->name, frontend->adopts ? "has lost" : "loses", (int)text.length, text.at);
    site_edits_insert(&frontend->file->edits, frontend->section->line + 1, "%s%.*s",
                      adopt_indent(frontend->file, frontend->section, indent, sizeof indent), (int)text.length,
                      text.at);
}

static void copy_defaults(struct adopt *adopt, struct adopt_frontend *frontend, const struct adopt_file *file,
                          const struct site_section *defaults, unsigned depth, const char *name)
{
    const struct adopt_file *base_file = NULL;
    const struct site_section *base = defaults->from ? adopt_defaults(adopt, file, defaults, &base_file) : NULL;
    if (base && depth < 8)
        copy_defaults(adopt, frontend, base_file, base, depth + 1, name);
    for (size_t i = defaults->line + 1; i < defaults->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        if (line->count && means_something(line) && !is_of_the_edge(adopt, line) && !has_it(frontend, line))
            copy_line(adopt, frontend, file, i, name);
    }
}

void adopt_check_defaults(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct adopt_file *file = NULL;
    const struct site_section *defaults = own_defaults(adopt, frontend, &file);
    if (defaults)
        copy_defaults(adopt, frontend, file, defaults, 0, name);
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

/* Returns the index of the `option httplog` that holds for it, whose file is *filep, or ADOPT_NONE. */
static size_t find_httplog(const struct adopt *adopt, const struct adopt_frontend *frontend,
                           const struct adopt_file **filep)
{
    static const char *const options[] = {"httplog", "httpslog"};
    *filep = frontend->file;
    for (size_t o = 0; o < 2; o++) {
        size_t own = adopt_line(frontend->file, frontend->section, frontend->section->line, "option", options[o]);
        if (own != ADOPT_NONE)
            return own;
    }
    const struct adopt_file *file = NULL;
    const struct site_section *defaults = own_defaults(adopt, frontend, &file);
    for (size_t o = 0; defaults && o < 2; o++) {
        size_t theirs = adopt_line(file, defaults, defaults->line, "option", options[o]);
        *filep = file;
        if (theirs != ADOPT_NONE)
            return theirs;
    }
    return ADOPT_NONE;
}

void adopt_check_log(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct site_section *section = frontend->section;
    struct adopt_file *file = frontend->file;
    const struct adopt_file *at;
    char indent[64];
    size_t format = adopt_line(file, section, section->line, "log-format", NULL);
    size_t httplog = find_httplog(adopt, frontend, &at);
    if (format != ADOPT_NONE) {
        if (!strstr(site_word(&file->text.lines[format], 1), "cellrouter") &&
            !strstr(site_word(&file->text.lines[format], 1), "CELLROUTER_LOG_FORMAT"))
            adopt_tell(adopt, ADOPT_NOTE, name, file, format,
                       "this log does not tell what the router did; docs/requests.md has the fields");
        return;
    }
    if (httplog == ADOPT_NONE)
        return;
    adopt_tell(adopt, ADOPT_WRONG, name, at, httplog,
               "what the router did is not logged: log-format \"${CELLROUTER_LOG_FORMAT}\" says the same as "
               "`option httplog`, and that");
    if (at == file && httplog > section->line && httplog < section->end)
        site_edits_remove(&file->edits, httplog);
    site_edits_insert(&file->edits, section->line + 1, "%slog-format \"${CELLROUTER_LOG_FORMAT}\"",
                      adopt_indent(file, section, indent, sizeof indent));
}

/* ---- clients, counters, paths ------------------------------------------------------------------------------------ */

void adopt_check_clients(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct adopt_file *file = frontend->file, *at = file;
    const struct site_section *defaults = NULL;
    size_t line = adopt_line(file, frontend->section, frontend->section->line, "maxconn", NULL);
    if (line == ADOPT_NONE && (defaults = own_defaults(adopt, frontend, &at)))
        line = adopt_line(at, defaults, defaults->line, "maxconn", NULL);
    unsigned long clients = line == ADOPT_NONE ? 0 : strtoul(site_word(&at->text.lines[line], 1), NULL, 10);
    if (!adopt->config->haproxy.maxconn || clients <= adopt->config->haproxy.maxconn)
        return;
    adopt_tell(
        adopt, ADOPT_WRONG, name, at, line,
        "%lu clients, and haproxy.maxconn of %s is %u: the replay pass keeps places for so many; with %lu HAProxy "
        "asks for %lu descriptors (`ulimit -Hn`)",
        clients, adopt->config->file, adopt->config->haproxy.maxconn, clients, clients * 5 + 300);
    adopt_set(adopt, "haproxy", "maxconn", "%lu", clients);
}

/* The number of the stick counter that this word names, or -1: track-sc1, sc_http_req_rate(1), sc1_get_gpc0,
 * sc-inc-gpc0(1), src_… has none. */
static int counter_of(const char *word)
{
    int number = -1;
    if (strncmp(word, "track-sc", 8) == 0 && word[8] >= '0' && word[8] <= '9')
        number = atoi(word + 8);
    const char *sc = strstr(word, "sc");
    if (number < 0 && sc && (sc == word || !strchr("abcdefghijklmnopqrstuvwxyz_", sc[-1]))) {
        if (sc[2] >= '0' && sc[2] <= '9')
            number = atoi(sc + 2);
        else if ((sc[2] == '_' || sc[2] == '-') && strchr(sc, '(')) {
            const char *last = strchr(sc, '(') + 1, *comma = strchr(last, ',');
            if (sc[2] == '-' && comma && strncmp(sc, "sc-set-gpt(", 11) == 0)
                last = comma + 1;
            number = *last >= '0' && *last <= '9' ? atoi(last) : -1;
        }
    }
    return number;
}

/* Which counters the frontend uses itself, as bits; with line, where it uses this one first. */
static unsigned long counters_of(const struct adopt_frontend *frontend, unsigned wanted, size_t *linep)
{
    unsigned long used = 0;
    *linep = ADOPT_NONE;
    for (size_t i = frontend->section->line + 1; i < frontend->section->end; i++)
        for (size_t w = 0; w < frontend->file->text.lines[i].count; w++) {
            int counter = counter_of(frontend->file->text.lines[i].words[w]);
            if (counter < 0 || counter > 31)
                continue;
            used |= 1UL << counter;
            if (*linep == ADOPT_NONE && (unsigned)counter == wanted)
                *linep = i;
        }
    return used;
}

/* One of the router's counters: another one for it, where the frontend has it. taken: those of all frontends and of
 * the router. */
static void check_counter(struct adopt *adopt, const struct adopt_frontend *frontend, const char *key, unsigned number,
                          unsigned long *takenp, const char *name)
{
    size_t line;
    unsigned long used = counters_of(frontend, number, &line);
    if (line == ADOPT_NONE || number > 31 || !(used & 1UL << number))
        return;
    for (unsigned free = 0; free < 3; free++)
        if (!(*takenp & 1UL << free)) {
            *takenp |= 1UL << free;
            adopt_tell(adopt, ADOPT_WRONG, name, frontend->file, line,
                       "stick counter %u is the router's, by haproxy.%s of %s: %s = %u is free", number, key,
                       adopt->config->file, key, free);
            adopt_set(adopt, "haproxy", key, "%u", free);
            return;
        }
    adopt_tell(adopt, ADOPT_WRONG, name, frontend->file, line,
               "stick counter %u is the router's, by haproxy.%s of %s, and no other one of HAProxy's three is free: "
               "free one here, or take tune.stick-counters (HAProxy 2.8) and a higher number",
               number, key, adopt->config->file);
}

void adopt_check_counters(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    const struct config *config = adopt->config;
    bool notes = false;
    for (size_t i = 0; i < config->cell_count; i++)
        notes = notes || config->cells[i].answers != CELL_ANSWER_302;
    unsigned hint = config->haproxy.hint_counter, note = config->haproxy.note_counter;
    size_t line;
    unsigned long taken = hint < 32 ? 1UL << hint : 0;
    if (notes && note < 32)
        taken |= 1UL << note;
    for (size_t f = 0; f < adopt->frontend_count; f++)
        taken |= counters_of(&adopt->frontends[f], 0, &line);
    check_counter(adopt, frontend, "hint-counter", hint, &taken, name);
    if (notes)
        check_counter(adopt, frontend, "note-counter", note, &taken, name);
}

/* Whether a line of the frontend has a word with this in it. */
static bool sets_variable(const struct adopt_frontend *frontend, const char *variable)
{
    for (size_t i = frontend->section->line + 1; i < frontend->section->end; i++)
        for (size_t w = 0; w < frontend->file->text.lines[i].count; w++)
            if (strstr(frontend->file->text.lines[i].words[w], variable))
                return true;
    return false;
}

void adopt_check_rewrites(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    static const char *const rewrites[] = {"set-path", "replace-path", "set-pathq",    "replace-pathq",
                                           "set-uri",  "replace-uri",  "normalize-uri"};
    const struct adopt_file *file = frontend->file;
    for (size_t w = 0; w < sizeof rewrites / sizeof rewrites[0]; w++) {
        size_t at = adopt_line(file, frontend->section, frontend->section->line, "http-request", rewrites[w]);
        if (at != ADOPT_NONE && !sets_variable(frontend, "txn.cellrouter.as"))
            adopt_tell(adopt, ADOPT_NOTE, name, file, at,
                       "cells claim the path that they get, and the agent is asked before: tcp-request content "
                       "set-var(txn.cellrouter.as), with the new path, lets what is rewritten be learned");
    }
}

/* Rules that answer a request, and lines that send it elsewhere, before which the agent is asked. */
void adopt_check_skip(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    static const char *const answers[] = {"deny", "return", "tarpit", "reject", "redirect", "silent-drop", "auth"};
    const struct adopt_file *file = frontend->file;
    size_t first = ADOPT_NONE;
    for (size_t i = frontend->section->line + 1; i < frontend->section->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        bool own = strcmp(site_word(line, 0), "use_backend") == 0 && !strchr(site_word(line, 1), '%') &&
                   !adopt_leads_to_cells(adopt, site_word(line, 1));
        bool rule = strcmp(site_word(line, 0), "http-request") == 0 && ADOPT_AMONG(site_word(line, 1), answers);
        if (first == ADOPT_NONE && (own || rule))
            first = i;
    }
    if (first != ADOPT_NONE && !sets_variable(frontend, "txn.cellrouter.skip"))
        adopt_tell(adopt, ADOPT_NOTE, name, file, first,
                   "the agent is asked first, also for what never goes to a cell: tcp-request content "
                   "set-var(txn.cellrouter.skip) bool(true), with the conditions of such lines, keeps it out");
}
