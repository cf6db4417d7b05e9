/* agent/cellctl/adopt_site.c - what a site says outside of its frontends, against what the rules and cellrouter.conf
 * say: files and their order, places for connections, folders, users, sockets, names. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"
#include "base/nearest.h"

/* Words of a global section that HAProxy 3.0 and later take only before every other section, and 2.6 sometimes. */
static const char *const early_words[] = {"nbthread", "nbproc",     "thread-groups", "thread-group",
                                          "cpu-map",  "cpu-policy", "cpu-set",       "thread-hard-limit"};

static const struct site_section *next_global(const struct adopt *adopt, const struct adopt_file **filep, size_t *atp)
{
    for (size_t f = (size_t)(*filep - adopt->files); f < adopt->file_count; f++, *atp = 0) {
        *filep = &adopt->files[f];
        for (; !(*filep)->generated && *atp < (*filep)->text.section_count; ++*atp)
            if ((*filep)->text.sections[*atp].kind == SITE_GLOBAL)
                return &(*filep)->text.sections[(*atp)++];
    }
    return NULL;
}

/* The last line of the site's global sections that begins with this word, ADOPT_NONE: none. */
static size_t global_line(const struct adopt *adopt, const char *word, const char *second,
                          const struct adopt_file **filep)
{
    const struct adopt_file *file = adopt->files;
    const struct site_section *section;
    size_t at = 0, found = ADOPT_NONE;
    while ((section = next_global(adopt, &file, &at)))
        for (size_t i = section->line; (i = adopt_line(file, section, i, word, second)) != ADOPT_NONE;) {
            found = i;
            *filep = file;
        }
    return found;
}

static struct adopt_file *changeable(struct adopt *adopt, const struct adopt_file *file)
{
    return &adopt->files[file - adopt->files];
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

void adopt_check_texts(struct adopt *adopt, const char *name)
{
    for (size_t f = 0; f < adopt->file_count; f++) {
        struct adopt_file *file = &adopt->files[f];
        for (size_t other = 0; other < f; other++)
            if (strcmp(adopt->files[other].name, file->name) == 0)
                adopt_tell(adopt, ADOPT_WRONG, name, file, ADOPT_NONE,
                           "this file is given twice: HAProxy would have each of its sections twice");
        if (file->text.marked)
            adopt_tell(adopt, ADOPT_WRONG, name, file, 0,
                       "a byte-order mark stands before the first word, which HAProxy does not know then: save the "
                       "file as UTF-8 without it");
        for (size_t i = 0; i < file->text.line_count; i++)
            if (file->text.lines[i].broken)
                adopt_tell(adopt, ADOPT_WRONG, name, file, i, "a quote does not end in this line");
    }
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static const char *behind_the_first_line(const char *text)
{
    const char *end = strchr(text, '\n');
    return end ? end + 1 : "";
}

/* Its first line names cellrouter.conf as somebody wrote it; the rest has to be what is printed now. */
static void check_fresh(struct adopt *adopt, const struct adopt_file *file, const char *name)
{
    const char *now = behind_the_first_line(adopt->generated), *then = file->text.bytes;
    size_t skip = file->text.line_count ? file->text.lines[0].raw_length + 1 : 0, length = 0;
    for (size_t i = 0; i < file->text.line_count; i++)
        length += file->text.lines[i].raw_length + 1;
    if (length < skip || length - skip != strlen(now) || memcmp(then + skip, now, length - skip) != 0)
        adopt_tell(adopt, ADOPT_WRONG, name, file, ADOPT_NONE,
                   "not what `cellctl haproxy -f %s` prints now: print it again", adopt->config->file);
}

static void check_late_global(struct adopt *adopt, struct adopt_file *file, const char *name)
{
    for (size_t s = 0; s < file->text.section_count; s++) {
        const struct site_section *section = &file->text.sections[s];
        for (size_t w = 0; section->kind == SITE_GLOBAL && w < sizeof early_words / sizeof early_words[0]; w++) {
            size_t at = adopt_line(file, section, section->line, early_words[w], NULL);
            if (at != ADOPT_NONE)
                adopt_tell(adopt, ADOPT_WRONG, name, file, at,
                           "HAProxy 3.0 and later take %s only before every other section: this global section "
                           "belongs into a file before the one that `cellctl haproxy` prints",
                           early_words[w]);
        }
    }
}

/* Sections that had defaults when nothing stood between them, and have none behind the generated file. */
static void check_lost_defaults(struct adopt *adopt, struct adopt_file *file, const char *name)
{
    for (size_t s = 0; s < file->text.section_count; s++) {
        const struct site_section *section = &file->text.sections[s];
        const struct adopt_file *at = NULL;
        if (section->kind == SITE_DEFAULTS)
            return;
        if ((section->kind != SITE_FRONTEND && section->kind != SITE_BACKEND && section->kind != SITE_LISTEN) ||
            section->from || !adopt_defaults(adopt, file, section, &at))
            continue;
        adopt_tell(adopt, ADOPT_WRONG, name, file, section->line,
                   "from here on sections start from nothing (mode tcp, no timeouts): their `defaults` stand in %s, "
                   "before what `cellctl haproxy` prints, which ends with empty ones; put them into this file",
                   at->name);
        return;
    }
}

void adopt_check_order(struct adopt *adopt, const char *name)
{
    size_t generated = adopt->file_count;
    for (size_t f = 0; f < adopt->file_count; f++) {
        if (!adopt->files[f].generated)
            continue;
        if (generated < adopt->file_count)
            adopt_tell(adopt, ADOPT_WRONG, name, &adopt->files[f], ADOPT_NONE,
                       "a second file that `cellctl haproxy` printed: HAProxy needs one");
        else
            generated = f;
        check_fresh(adopt, &adopt->files[f], name);
    }
    for (size_t i = 0; i < adopt->frontend_count; i++) {
        const struct adopt_frontend *frontend = &adopt->frontends[i];
        if (generated == adopt->file_count)
            adopt_tell(adopt, ADOPT_WRONG, name, frontend->file, frontend->section->line,
                       "what `cellctl haproxy -f %s` prints is in none of these files; HAProxy has to get it before "
                       "this frontend",
                       adopt->config->file);
        else if ((size_t)(frontend->file - adopt->files) < generated)
            adopt_tell(adopt, ADOPT_WRONG, name, frontend->file, frontend->section->line,
                       "%s has to come before this file: HAProxy must read " ADOPT_EDGE " before the frontend that "
                       "names it",
                       adopt->files[generated].name);
    }
    for (size_t f = generated + 1; f < adopt->file_count; f++) {
        check_late_global(adopt, &adopt->files[f], name);
        check_lost_defaults(adopt, &adopt->files[f], name);
    }
}

/* A global section that stands before proxies in one file, when the generated file has to come between them. */
void adopt_check_apart(struct adopt *adopt, const char *name)
{
    for (size_t f = 0; f < adopt->file_count; f++)
        if (adopt->files[f].generated)
            return;
    struct adopt_file *file = adopt->files;
    const struct site_section *section = file->text.section_count ? file->text.sections : NULL;
    if (!section || section->kind != SITE_GLOBAL || file->text.section_count == 1 || !adopt->frontend_count)
        return;
    size_t last = section->end;
    while (last > section->line + 1 && file->text.lines[last - 1].count == 0)
        last--;
    adopt_tell(adopt, ADOPT_WRONG, name, file, section->line,
               "the global section has to come first, and what `cellctl haproxy` prints before the frontends: it goes "
               "into a file of its own");
    size_t length = 0;
    FILE *out = open_memstream(&adopt->global, &length);
    if (!out) {
        adopt->failed = true;
        return;
    }
    site_edits_move(&file->edits, &file->text, section->line, last, out);
    adopt->failed = fclose(out) != 0 || adopt->failed;
    adopt->split = file;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* The clients that a frontend takes: by its own maxconn, by that of the rules, or by its defaults'; 0: there is no
 * limit. */
static unsigned long clients_of(const struct adopt *adopt, const struct adopt_file *file,
                                const struct site_section *section)
{
    const struct adopt_file *at = file;
    const struct site_section *defaults = NULL;
    size_t line = adopt_line(file, section, section->line, "maxconn", NULL);
    if (line == ADOPT_NONE && section->from && strcmp(section->from, ADOPT_EDGE) == 0)
        return adopt->config->haproxy.maxconn;
    if (line == ADOPT_NONE && (defaults = adopt_defaults(adopt, file, section, &at)))
        line = adopt_line(at, defaults, defaults->line, "maxconn", NULL);
    return line == ADOPT_NONE ? 0 : strtoul(site_word(&at->text.lines[line], 1), NULL, 10);
}

/* Frontends that adopt share the places of one: HAProxy counts their clients together. */
static void check_shared_places(struct adopt *adopt, const char *name)
{
    unsigned long places = adopt->config->haproxy.maxconn, all = 0;
    for (size_t i = 0; i < adopt->frontend_count; i++) {
        const struct adopt_frontend *frontend = &adopt->frontends[i];
        unsigned long clients = clients_of(adopt, frontend->file, frontend->section);
        bool others = all > 0;
        all += clients > 0 ? clients : places;
        if (others && all > places)
            adopt_tell(adopt, ADOPT_WRONG, name, frontend->file, frontend->section->line,
                       "\"%s\" and the frontends before it can take %lu clients together, and haproxy.maxconn of %s is "
                       "%lu: give each a maxconn, whose sum is at most %lu",
                       frontend->section->name, all, adopt->config->file, places, places);
    }
}

void adopt_check_places(struct adopt *adopt, const char *name)
{
    const struct adopt_file *file = adopt->files;
    const struct site_section *section;
    size_t at = 0;
    if (!adopt->config->haproxy.maxconn)
        return;
    while ((section = next_global(adopt, &file, &at)))
        for (size_t i = section->line; (i = adopt_line(file, section, i, "maxconn", NULL)) != ADOPT_NONE;) {
            adopt_tell(adopt, ADOPT_WRONG, name, file, i,
                       "`cellctl haproxy` prints a global maxconn that has room for the replay pass too, and HAProxy "
                       "keeps the first one that it reads: leave this out");
            site_edits_remove(&changeable(adopt, file)->edits, i);
        }
    size_t files = global_line(adopt, "ulimit-n", NULL, &file);
    if (files != ADOPT_NONE) {
        adopt_tell(adopt, ADOPT_WRONG, name, file, files,
                   "HAProxy needs two descriptors a connection, and counts them itself: leave ulimit-n out");
        site_edits_remove(&changeable(adopt, file)->edits, files);
    }
    for (size_t f = 0; f < adopt->file_count; f++)
        for (size_t s = 0; !adopt->files[f].generated && s < adopt->files[f].text.section_count; s++) {
            const struct adopt_file *its = &adopt->files[f];
            section = &its->text.sections[s];
            if ((section->kind == SITE_FRONTEND || section->kind == SITE_LISTEN) && !clients_of(adopt, its, section))
                adopt_tell(adopt, ADOPT_NOTE, name, its, section->line,
                           "\"%s\" has no maxconn: it could take all places of HAProxy", section->name);
        }
    check_shared_places(adopt, name);
}

/* ---- folders, users, sockets ------------------------------------------------------------------------------------- */

/* What of this path is seen inside of the folder; NULL: it is not in it. */
static const char *inside(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length : NULL;
}

static void check_agent(struct adopt *adopt, const struct adopt_file *file, size_t line, const char *root,
                        const char *name)
{
    const struct config_list *listen = &adopt->config->spoe.listen;
    if (adopt->config->haproxy.agent_address[0] || strncmp(listen->items[0], "unix:", 5) != 0 ||
        inside(root, listen->items[0] + 5))
        return;
    adopt_tell(adopt, ADOPT_WRONG, name, file, line,
               "HAProxy does not reach %s from inside: spoe.listen = {\"unix:%s/cellrouter-agent/spoe.sock\"}",
               listen->items[0], root);
    adopt_set(adopt, "spoe", "listen", "{\"unix:%s/cellrouter-agent/spoe.sock\"}", root);
}

/* A socket of HAProxy's gets its path as it is seen inside; one that is elsewhere goes to a folder there. Returns
 * whether it moves. */
static bool move_inside(struct adopt *adopt, const char *root, const char *key, const char *address, const char *name)
{
    if (strncmp(address, "unix@", 5) != 0)
        return false;
    const char *there = inside(root, address + 5);
    if (there)
        adopt_set(adopt, "haproxy", key, "\"unix@%s\"", there);
    else
        adopt_set(adopt, "haproxy", key, "\"unix@/cellrouter/%s\"", name);
    return !there;
}

void adopt_check_chroot(struct adopt *adopt, const char *name)
{
    const struct config_haproxy *haproxy = &adopt->config->haproxy;
    const struct adopt_file *file = NULL;
    size_t line = global_line(adopt, "chroot", NULL, &file);
    const char *root = line == ADOPT_NONE ? "" : site_word(&file->text.lines[line], 1);
    if (line == ADOPT_NONE && haproxy->chroot[0])
        adopt_tell(adopt, ADOPT_WRONG, name, adopt->files, ADOPT_NONE,
                   "%s says haproxy.chroot = \"%s\", and no global section has that chroot", adopt->config->file,
                   haproxy->chroot);
    if (line == ADOPT_NONE)
        return;
    check_agent(adopt, file, line, root, name);
    if (strcmp(haproxy->chroot, root) == 0)
        return;
    adopt_tell(adopt, ADOPT_WRONG, name, file, line,
               "HAProxy binds its own sockets before this chroot and connects to them inside: without haproxy.chroot = "
               "\"%s\" in %s every replay is a 503",
               root, adopt->config->file);
    adopt_set(adopt, "haproxy", "chroot", "\"%s\"", root);
    bool moves = move_inside(adopt, root, "loop", haproxy->loop, "loop.sock");
    if (move_inside(adopt, root, "large-address", haproxy->large_address, "bodies.sock") || moves)
        adopt_tell(adopt, ADOPT_NOTE, name, file, line,
                   "make the folder of HAProxy's sockets, and one for the agent's: install -d -o haproxy -m 700 "
                   "%s/cellrouter; install -d -o cellrouter %s/cellrouter-agent",
                   root, root);
}

void adopt_check_user(struct adopt *adopt, const char *name)
{
    const struct adopt_file *file = NULL;
    size_t line = global_line(adopt, "user", NULL, &file);
    if (line == ADOPT_NONE)
        return;
    const char *user = site_word(&file->text.lines[line], 1);
    if (strcmp(adopt->config->haproxy.user, user) != 0) {
        adopt_tell(adopt, ADOPT_WRONG, name, file, line,
                   "HAProxy makes its sockets as root and connects as %s: haproxy.user = \"%s\" in %s", user, user,
                   adopt->config->file);
        adopt_set(adopt, "haproxy", "user", "\"%s\"", user);
    }
    const struct config_spoe *spoe = &adopt->config->spoe;
    const struct adopt_file *other = NULL;
    size_t group = global_line(adopt, "group", NULL, &other);
    const char *its = group == ADOPT_NONE ? user : site_word(&other->text.lines[group], 1);
    if (strncmp(spoe->listen.items[0], "unix:", 5) != 0 || spoe->group[0] || (spoe->mode & 06) == 06 ||
        strcmp(spoe->user, user) == 0)
        return;
    adopt_tell(adopt, ADOPT_WRONG, name, file, line,
               "%s may not connect to the agent's socket, which belongs to the agent's own group: spoe.group = \"%s\"",
               user, its);
    adopt_set(adopt, "spoe", "group", "\"%s\"", its);
}

/* A `stats socket` line that the agent uses for level 0. */
static bool is_used(const struct adopt *adopt, const struct site_line *line)
{
    const char *address = site_word(line, 2);
    address = strncmp(address, "unix@", 5) == 0 ? address + 5 : address;
    for (size_t i = 0; i < adopt->config->haproxy.runtime.count; i++) {
        const char *item = adopt->config->haproxy.runtime.items[i];
        if (strcmp(strncmp(item, "unix:", 5) == 0 ? item + 5 : item, address) == 0)
            return true;
    }
    return false;
}

static bool has_word(const struct site_line *line, const char *word)
{
    for (size_t i = 3; i < line->count; i++)
        if (strcmp(line->words[i], word) == 0)
            return true;
    return false;
}

void adopt_check_runtime(struct adopt *adopt, const char *name)
{
    const struct adopt_file *file = adopt->files;
    const struct site_section *section;
    size_t at = 0, found = 0;
    while ((section = next_global(adopt, &file, &at)))
        for (size_t i = section->line; (i = adopt_line(file, section, i, "stats", "socket")) != ADOPT_NONE;) {
            const struct site_line *line = &file->text.lines[i];
            if (!is_used(adopt, line))
                continue;
            found++;
            if (!has_word(line, "admin"))
                adopt_tell(adopt, ADOPT_WRONG, name, file, i, "level 0 needs `level admin` on this socket");
            if (site_word(line, 2)[0] == '/' && !has_word(line, "group") && !has_word(line, "gid") &&
                !has_word(line, "user") && !has_word(line, "uid")) {
                const char *group = adopt->config->group[0]  ? adopt->config->group
                                    : adopt->config->user[0] ? adopt->config->user
                                                             : "cellrouter";
                adopt_tell(adopt, ADOPT_WRONG, name, file, i,
                           "this socket is root's alone, and level 0 needs it: `group %s` gives it to the agent",
                           group);
                struct adopt_file *changed = changeable(adopt, file);
                site_edits_insert(&changed->edits, i, "%.*s group %s", (int)line->raw_length, line->raw, group);
                site_edits_remove(&changed->edits, i);
            }
        }
    if (adopt->config->haproxy.runtime.count && !found)
        adopt_tell(adopt, ADOPT_WRONG, name, adopt->files, ADOPT_NONE,
                   "no `stats socket` is one of haproxy.runtime in %s: level 0 stays empty", adopt->config->file);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

void adopt_check_names(struct adopt *adopt, const char *name)
{
    for (size_t f = 0; f < adopt->file_count; f++)
        for (size_t s = 0; !adopt->files[f].generated && s < adopt->files[f].text.section_count; s++) {
            const struct site_section *section = &adopt->files[f].text.sections[s];
            if (strncmp(section->name, "cellrouter-", 11) == 0)
                adopt_tell(adopt, ADOPT_WRONG, name, &adopt->files[f], section->line,
                           "\"%s\": names that begin with cellrouter- are the router's: choose another one",
                           section->name);
        }
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next name behind this prefix in the text, as a view; false: there is none. */
static bool next_name(const char **textp, const char *prefix, struct text_view *namep)
{
    const char *found = strstr(*textp, prefix);
    if (!found)
        return false;
    found += strlen(prefix);
    size_t length = 0;
    while (is_name(found[length]))
        length++;
    *namep = (struct text_view){found, length};
    *textp = found + length;
    return true;
}

/* Whether the rules have this variable; if not, *nearestp is the one that is meant, or "". */
static bool is_known(const char *rules, const char *prefix, struct text_view word, char nearest[64])
{
    struct nearest search = nearest_to(word.at, word.length);
    struct text_view known;
    static const char *const others[] = {"cell", "level", "error", "doubt", "skip", "as"};
    char candidate[64];
    bool variable = strcmp(prefix, "txn.cellrouter.") == 0;
    nearest[0] = '\0';
    for (const char *at = rules; next_name(&at, prefix, &known);) {
        if (known.length == word.length && memcmp(known.at, word.at, word.length) == 0)
            return true;
        snprintf(candidate, sizeof candidate, "%.*s", (int)known.length, known.at);
        search.best = NULL;
        unsigned least = search.least;
        nearest_try(&search, candidate);
        if (search.best && search.least <= least)
            memcpy(nearest, candidate, sizeof candidate);
    }
    for (size_t i = 0; variable && i < sizeof others / sizeof others[0]; i++)
        if (strlen(others[i]) == word.length && memcmp(others[i], word.at, word.length) == 0)
            return true;
    return false;
}

static void check_words(struct adopt *adopt, const struct adopt_file *file, size_t line, const char *prefix,
                        const char *name)
{
    char nearest[64];
    for (size_t w = 0; w < file->text.lines[line].count; w++) {
        struct text_view word;
        for (const char *at = file->text.lines[line].words[w]; next_name(&at, prefix, &word);)
            if (!is_known(adopt->generated, prefix, word, nearest))
                adopt_tell(adopt, ADOPT_WRONG, name, file, line,
                           "the rules know no %s%.*s, and HAProxy takes it for empty%s%s%s", prefix, (int)word.length,
                           word.at, nearest[0] ? "; did you mean " : "", nearest[0] ? prefix : "", nearest);
    }
}

void adopt_check_variables(struct adopt *adopt, const char *name)
{
    for (size_t f = 0; f < adopt->file_count; f++)
        for (size_t i = 0; !adopt->files[f].generated && i < adopt->files[f].text.line_count; i++) {
            check_words(adopt, &adopt->files[f], i, "txn.cellrouter.", name);
            check_words(adopt, &adopt->files[f], i, "CELLROUTER_", name);
        }
}

void adopt_check_large(struct adopt *adopt, const char *name)
{
    const struct config_haproxy *haproxy = &adopt->config->haproxy;
    if (!haproxy->large_address[0])
        adopt_tell(
            adopt, ADOPT_NOTE, name, adopt->conf, ADOPT_NONE,
            "haproxy.large-address is empty: an upload of more than 15 kB to an unknown path is sent once, and a "
            "redirect makes the client send it again (307). A site with an API wants the large-body tier");
    else if (haproxy->chroot[0] && strncmp(haproxy->large_address, "unix@", 5) == 0)
        adopt_tell(adopt, ADOPT_NOTE, name, adopt->conf, ADOPT_NONE,
                   "the processes for large bodies bind %s%s-CLASS: make that folder for HAProxy's user",
                   haproxy->chroot, haproxy->large_address + 5);
}
