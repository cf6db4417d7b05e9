/* agent/cellctl/adopt.c - the table of checks, and what they share. Each check looks for one kind of mistake or loss;
 * it tells file, line and what would be right, and changes the text where lines can say that. All of them look at the
 * site as it is given: changes are carried out by nobody before they are printed, but a line that an earlier check
 * takes away is not seen by a later one. */
#include "agent/cellctl/adopt.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"

/* In this order, so that what is put into a frontend reads well: `from`, the filters, its own defaults, the log. */
static const struct adopt_check checks[] = {
    {"text", adopt_check_texts, NULL},
    {"order", adopt_check_order, NULL},
    {"from", NULL, adopt_check_from},
    {"filter", NULL, adopt_check_filter},
    {"defaults", NULL, adopt_check_defaults},
    {"filters", NULL, adopt_check_filters},
    {"log", NULL, adopt_check_log},
    {"use_backend", NULL, adopt_check_route},
    {"clients", NULL, adopt_check_clients},
    {"counters", NULL, adopt_check_counters},
    {"skip", NULL, adopt_check_skip},
    {"rewrites", NULL, adopt_check_rewrites},
    {"maxconn", adopt_check_places, NULL},
    {"chroot", adopt_check_chroot, NULL},
    {"user", adopt_check_user, NULL},
    {"stats socket", adopt_check_runtime, NULL},
    {"names", adopt_check_names, NULL},
    {"variables", adopt_check_variables, NULL},
    {"large bodies", adopt_check_large, NULL},
    {"global", adopt_check_apart, NULL},
};

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static char *format(const char *fmt, va_list args)
{
    char *text = NULL;
    return vasprintf(&text, fmt, args) < 0 ? NULL : text;
}

void adopt_tell(struct adopt *adopt, enum adopt_level level, const char *check, const struct adopt_file *file,
                size_t line, const char *fmt, ...)
{
    if (adopt->finding_count == adopt->finding_room) {
        size_t room = adopt->finding_room ? adopt->finding_room * 2 : 16;
        struct adopt_finding *list = realloc(adopt->findings, room * sizeof *list);
        if (!list) {
            adopt->failed = true;
            return;
        }
        adopt->findings = list;
        adopt->finding_room = room;
    }
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    if (!text) {
        adopt->failed = true;
        return;
    }
    adopt->findings[adopt->finding_count++] = (struct adopt_finding){
        .level = level, .check = check, .file = file->name, .line = line == ADOPT_NONE ? 0 : line + 1, .text = text};
}

void adopt_set(struct adopt *adopt, const char *section, const char *key, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *value = format(fmt, args);
    va_end(args);
    size_t at = 0;
    while (at < adopt->setting_count &&
           (strcmp(adopt->settings[at].section, section) != 0 || strcmp(adopt->settings[at].key, key) != 0))
        at++;
    if (!value || at == ADOPT_SETTINGS_MAX) {
        adopt->failed = true;
        free(value);
        return;
    }
    if (at < adopt->setting_count)
        free(adopt->settings[at].value);
    else
        adopt->setting_count++;
    adopt->settings[at] = (struct adopt_setting){.section = section, .key = key, .value = value};
}

/* ---- the site ---------------------------------------------------------------------------------------------------- */

size_t adopt_line(const struct adopt_file *file, const struct site_section *section, size_t from, const char *first,
                  const char *second)
{
    for (size_t i = from + 1; i < section->end; i++) {
        const struct site_line *line = &file->text.lines[i];
        if (line->count && strcmp(line->words[0], first) == 0 && (!second || strcmp(site_word(line, 1), second) == 0) &&
            !site_edits_removes(&file->edits, i))
            return i;
    }
    return ADOPT_NONE;
}

const struct site_section *adopt_defaults(const struct adopt *adopt, const struct adopt_file *file,
                                          const struct site_section *section, const struct adopt_file **filep)
{
    const char *named = section->from && strncmp(section->from, "cellrouter-", 11) != 0 ? section->from : NULL;
    const struct site_section *found = NULL;
    for (const struct adopt_file *f = adopt->files; f <= file; f++)
        for (size_t i = 0; !f->generated && i < f->text.section_count; i++) {
            const struct site_section *s = &f->text.sections[i];
            if (f == file && s >= section)
                break;
            if (s->kind != SITE_DEFAULTS || (named && strcmp(s->name, named) != 0))
                continue;
            found = s;
            *filep = f;
        }
    return found;
}

const struct site_section *adopt_section(const struct adopt *adopt, enum site_kind kind, const char *name,
                                         const struct adopt_file **filep)
{
    for (size_t f = 0; f < adopt->file_count; f++)
        for (size_t i = 0; !adopt->files[f].generated && i < adopt->files[f].text.section_count; i++) {
            const struct site_section *s = &adopt->files[f].text.sections[i];
            if (s->kind == kind && strcmp(s->name, name) == 0) {
                *filep = &adopt->files[f];
                return s;
            }
        }
    return NULL;
}

static bool is_of_a_cell(const struct config *config, const char *address)
{
    for (size_t i = 0; i < config->cell_count; i++)
        for (size_t j = 0; j < config->cells[i].servers.count; j++)
            if (strcmp(config->cells[i].servers.items[j], address) == 0)
                return true;
    return false;
}

static bool has_servers_of_cells(const struct adopt *adopt, const struct adopt_file *file,
                                 const struct site_section *section)
{
    for (size_t i = section->line; (i = adopt_line(file, section, i, "server", NULL)) != ADOPT_NONE;)
        if (is_of_a_cell(adopt->config, site_word(&file->text.lines[i], 2)))
            return true;
    return false;
}

bool adopt_leads_to_cells(const struct adopt *adopt, const char *backend)
{
    const struct adopt_file *file;
    const struct site_section *section = adopt_section(adopt, SITE_BACKEND, backend, &file);
    return section && has_servers_of_cells(adopt, file, section);
}

const char *adopt_indent(const struct adopt_file *file, const struct site_section *section, char *room, size_t size)
{
    size_t length = 0;
    room[0] = '\0';
    for (size_t i = section->line + 1; i < section->end && !length; i++) {
        const struct site_line *line = &file->text.lines[i];
        while (line->count && length < line->raw_length && length + 1 < size &&
               (line->raw[length] == ' ' || line->raw[length] == '\t')) {
            room[length] = line->raw[length];
            length++;
        }
        room[length] = '\0';
    }
    return room;
}

unsigned long long adopt_time_ms(const char *text)
{
    static const struct {
        const char *unit;
        unsigned long long ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    for (size_t i = 0; end != text && value < 1000000000 && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0)
            return value * units[i].ms;
    return 0;
}

/* ---- which frontends --------------------------------------------------------------------------------------------- */

/* Whether a line of the section sends requests to a backend with servers of cells. */
static bool sends_to_cells(const struct adopt *adopt, const struct adopt_file *file, const struct site_section *section)
{
    static const char *const words[] = {"use_backend", "default_backend"};
    for (size_t w = 0; w < 2; w++)
        for (size_t i = section->line; (i = adopt_line(file, section, i, words[w], NULL)) != ADOPT_NONE;)
            if (adopt_leads_to_cells(adopt, site_word(&file->text.lines[i], 1)))
                return true;
    return false;
}

static bool is_wanted(const struct adopt *adopt, const struct adopt_file *file, const struct site_section *section)
{
    if (section->from && strcmp(section->from, ADOPT_EDGE) == 0)
        return true;
    if (adopt->wanted)
        return strcmp(section->name, adopt->wanted) == 0;
    return sends_to_cells(adopt, file, section);
}

static void add_frontend(struct adopt *adopt, struct adopt_file *file, const struct site_section *section)
{
    if (adopt->frontend_count == ADOPT_FRONTENDS_MAX) {
        adopt_tell(adopt, ADOPT_WRONG, "from", file, section->line,
                   "more than %d frontends lead to cells; the others "
                   "are not looked at",
                   ADOPT_FRONTENDS_MAX);
        return;
    }
    adopt->frontends[adopt->frontend_count++] = (struct adopt_frontend){
        .file = file, .section = section, .adopts = section->from && strcmp(section->from, ADOPT_EDGE) == 0};
}

static void find_frontends(struct adopt *adopt)
{
    for (size_t f = 0; f < adopt->file_count; f++) {
        struct adopt_file *file = &adopt->files[f];
        for (size_t i = 0; !file->generated && i < file->text.section_count; i++) {
            const struct site_section *section = &file->text.sections[i];
            if (section->kind == SITE_FRONTEND && is_wanted(adopt, file, section))
                add_frontend(adopt, file, section);
            else if (section->kind == SITE_LISTEN && has_servers_of_cells(adopt, file, section))
                adopt_tell(adopt, ADOPT_WRONG, "from", file, section->line,
                           "listen \"%s\" has servers of cells: write its `bind` and its rules as a frontend, which "
                           "can adopt the rules",
                           section->name);
        }
    }
    if (adopt->frontend_count == 0)
        adopt_tell(adopt, ADOPT_WRONG, "from", &adopt->files[adopt->file_count - 1], ADOPT_NONE,
                   "no frontend says `from " ADOPT_EDGE "`, and none sends requests to servers of %s; --frontend NAME "
                   "names the one that shall",
                   adopt->config->file);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

void adopt_look(struct adopt *adopt)
{
    find_frontends(adopt);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (checks[i].site)
            checks[i].site(adopt, checks[i].name);
        for (size_t f = 0; checks[i].frontend && f < adopt->frontend_count; f++)
            checks[i].frontend(adopt, &adopt->frontends[f], checks[i].name);
    }
    adopt_change_conf(adopt);
    for (size_t i = 0; i < adopt->file_count; i++)
        adopt->failed = adopt->failed || adopt->files[i].edits.failed;
}

size_t adopt_wrong(const struct adopt *adopt)
{
    size_t wrong = 0;
    for (size_t i = 0; i < adopt->finding_count; i++)
        wrong += adopt->findings[i].level == ADOPT_WRONG;
    return wrong;
}

void adopt_deinit(struct adopt *adopt)
{
    for (size_t i = 0; i < adopt->finding_count; i++)
        free(adopt->findings[i].text);
    for (size_t i = 0; i < adopt->setting_count; i++)
        free(adopt->settings[i].value);
    free(adopt->findings);
    free(adopt->global);
    adopt->findings = NULL;
    adopt->global = NULL;
    adopt->finding_count = adopt->finding_room = adopt->setting_count = 0;
}

bool adopt_is_among(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}
