/* agent/cellctl/adopt_route.c - which line sends a request where. HAProxy takes the first `use_backend` line whose
 * condition holds, and then looks at no other, also when the line's name comes to nothing. So the router's line
 * stands behind the others, and says where requests go that the router does not know: it has a default. */
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"

/* What is behind the backend's name in a use_backend line: its condition, with the blank before it. */
static struct text_view behind_the_name(const struct site_line *line)
{
    struct text_view rest = {line->raw, line->raw_length};
    for (int word = 0; word < 2; word++) {
        for (; rest.length && strchr(" \t", rest.at[0]); rest.length--)
            rest.at++;
        for (; rest.length && !strchr(" \t", rest.at[0]); rest.length--)
            rest.at++;
    }
    while (rest.length && strchr(" \t\r", rest.at[rest.length - 1]))
        rest.length--;
    return rest;
}

static bool is_route(const struct site_line *line)
{
    return strcmp(site_word(line, 0), "use_backend") == 0 && strstr(site_word(line, 1), "txn.cellrouter.backend");
}

static bool has_default(const struct site_line *line)
{
    return strstr(site_word(line, 1), "txn.cellrouter.backend,");
}

/* The last line that chooses a backend, or the section's last line with words. */
static size_t last_choice(const struct adopt_file *file, const struct site_section *section)
{
    size_t last = section->line, any = section->line;
    for (size_t i = section->line + 1; i < section->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        if (line->count)
            any = i;
        if (strcmp(site_word(line, 0), "use_backend") == 0 || strcmp(site_word(line, 0), "default_backend") == 0)
            last = i;
    }
    return last == section->line ? any : last;
}

/* Puts the router's line behind all others. */
static void append_route(struct adopt_frontend *frontend)
{
    char indent[64];
    site_edits_insert(&frontend->file->edits, last_choice(frontend->file, frontend->section) + 1,
                      "%suse_backend " ADOPT_ROUTE,
                      adopt_indent(frontend->file, frontend->section, indent, sizeof indent));
}

/* The lines that lead to servers of cells lead to the router instead. Returns whether the router's line now stands
 * behind all others. */
static bool turn(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    struct adopt_file *file = frontend->file;
    const struct site_section *section = frontend->section;
    char indent[64];
    bool last = false;
    adopt_indent(file, section, indent, sizeof indent);
    for (size_t i = section->line + 1; i < section->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        bool use = strcmp(site_word(line, 0), "use_backend") == 0;
        bool rest = strcmp(site_word(line, 0), "default_backend") == 0;
        if ((!use && !rest) || !adopt_leads_to_cells(adopt, site_word(line, 1)))
            continue;
        struct text_view condition = behind_the_name(line);
        adopt_tell(
            adopt, ADOPT_WRONG, name, file, i,
            "backend \"%s\" has servers of cells, and clients would see their redirects: %suse_backend " ADOPT_ROUTE
            "%.*s",
            site_word(line, 1), use ? "" : "behind all other use_backend lines: ", use ? (int)condition.length : 0,
            condition.at);
        adopt_leave_backend(adopt, frontend, i, name);
        if (use)
            site_edits_insert(&file->edits, i, "%suse_backend " ADOPT_ROUTE "%.*s", indent, (int)condition.length,
                              condition.at);
        site_edits_remove(&file->edits, i);
        frontend->moves = true;
        last = last || rest;
    }
    return last;
}

/* A line of the router's that stands too early: what follows it is never reached. */
static bool check_early(struct adopt *adopt, struct adopt_frontend *frontend, size_t route, const char *name)
{
    struct adopt_file *file = frontend->file;
    size_t next = adopt_line(file, frontend->section, route, "use_backend", NULL);
    if (file->text.lines[route].count > 2 || next == ADOPT_NONE)
        return false;
    adopt_tell(adopt, ADOPT_WRONG, name, file, route,
               "every request ends here, and line %zu and those behind it are never reached: the router's line belongs "
               "behind the others: use_backend " ADOPT_ROUTE,
               next + 1);
    site_edits_remove(&file->edits, route);
    return true;
}

/* A default that gets what the router does not know. */
static void check_default(struct adopt *adopt, struct adopt_frontend *frontend, size_t route, const char *name)
{
    struct adopt_file *file = frontend->file;
    size_t line = adopt_line(file, frontend->section, frontend->section->line, "default_backend", NULL);
    if (line == ADOPT_NONE || strncmp(site_word(&file->text.lines[line], 1), "cellrouter-", 11) == 0)
        return;
    if (route == ADOPT_NONE) {
        adopt_tell(adopt, ADOPT_WRONG, name, file, line,
                   "no request goes to a cell: `use_backend " ADOPT_ROUTE "` is missing, with the condition for those "
                   "that shall");
    } else if (!has_default(&file->text.lines[route])) {
        struct text_view condition = behind_the_name(&file->text.lines[route]);
        char indent[64];
        adopt_tell(adopt, ADOPT_WRONG, name, file, line,
                   "what the router does not know goes to \"%s\": default_backend is in the way, and in line %zu "
                   "use_backend " ADOPT_ROUTE "%.*s would be right",
                   site_word(&file->text.lines[line], 1), route + 1, (int)condition.length, condition.at);
        site_edits_insert(&file->edits, route, "%suse_backend " ADOPT_ROUTE "%.*s",
                          adopt_indent(file, frontend->section, indent, sizeof indent), (int)condition.length,
                          condition.at);
        site_edits_remove(&file->edits, route);
    }
}

/* Lines whose backend only the request tells. */
static void note_unknown(struct adopt *adopt, const struct adopt_frontend *frontend, const char *name)
{
    const struct adopt_file *file = frontend->file;
    for (size_t i = frontend->section->line;
         (i = adopt_line(file, frontend->section, i, "use_backend", NULL)) != ADOPT_NONE;)
        if (strchr(site_word(&file->text.lines[i], 1), '%') && !is_route(&file->text.lines[i]))
            adopt_tell(adopt, ADOPT_NOTE, name, file, i,
                       "where this leads is not looked at: no request to a cell may go by it");
}

void adopt_check_route(struct adopt *adopt, struct adopt_frontend *frontend, const char *name)
{
    struct adopt_file *file = frontend->file;
    const struct site_section *section = frontend->section;
    bool append = turn(adopt, frontend, name);
    note_unknown(adopt, frontend, name);
    size_t route = ADOPT_NONE;
    for (size_t i = section->line + 1; i < section->end; i++)
        if (is_route(&file->text.lines[i]) && !site_edits_removes(&file->edits, i))
            route = i;
    if (route != ADOPT_NONE && check_early(adopt, frontend, route, name))
        append = true;
    else if (!frontend->moves)
        check_default(adopt, frontend, route, name);
    if (append)
        append_route(frontend);
    else if (route == ADOPT_NONE && !frontend->moves &&
             adopt_line(file, section, section->line, "default_backend", NULL) == ADOPT_NONE)
        adopt_tell(adopt, ADOPT_NOTE, name, file, section->line,
                   "without `use_backend " ADOPT_ROUTE "` every request takes the replay pass, which is slower");
}
