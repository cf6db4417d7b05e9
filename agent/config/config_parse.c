/* agent/config/config_parse.c - libconfuse as a reader of statements: every option is a text to it, and our callback checks and
 * stores each value while libconfuse still knows the line. Where it gives up on something that is no harm to the rest (an
 * unknown key, a second cell of one id), the statement is blanked and the file is read again. */
#include "agent/config/config_parse.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config_value.h"

/* libconfuse's callbacks get no pointer of ours, and its lexer is global anyway: one parse at a time. */
static struct config_parse *current;
static bool stumbled_over_statement;

static void name_of(const struct setting *s, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", s->section, s->section[0] ? "." : "", s->key);
}

void config_complain(struct config_parse *parse, unsigned line, const struct setting *s, const char *value,
                     const char *what)
{
    char name[64], right[300];
    name_of(s, name, sizeof name);
    setting_describe(s, right, sizeof right);
    if (!value)
        config_errors_add(parse->errors, line, "%s: %s; right would be %s", name, what, right);
    else if (!s->preset[0])
        config_errors_add(parse->errors, line, "%s \"%s\": %s; right would be %s", name, value, what, right);
    else
        config_errors_add(parse->errors, line, "%s \"%s\": %s; right would be %s (the default is %s)", name, value,
                          what, right, s->preset);
}

static unsigned *line_of(const struct config_parse *parse, size_t cell, const struct setting *s)
{
    return &parse->lines[cell * setting_count + (size_t)(s - settings)];
}

unsigned config_line(const struct config_parse *parse, size_t cell, const char *section, const char *key)
{
    const struct setting *s = setting_find(section, key);
    return s ? *line_of(parse, cell, s) : 0;
}

static int out_of_memory(struct config_parse *parse)
{
    config_errors_add(parse->errors, 0, "out of memory");
    return -1;
}

static int presets(struct config_parse *parse, bool in_cell, void *base)
{
    for (size_t i = 0; i < setting_count; i++)
        if (setting_in_cell(&settings[i]) == in_cell &&
            config_value_preset(&settings[i], (char *)base + settings[i].offset) != CONFIG_VALUE_OK)
            return out_of_memory(parse);
    return 0;
}

static int add_cell(struct config_parse *parse, const char *id)
{
    struct config *config = parse->config;
    size_t count = config->cell_count + 1;
    struct config_cell *cells = realloc(config->cells, count * sizeof *cells);
    if (!cells)
        return out_of_memory(parse);
    config->cells = cells;
    unsigned *lines = realloc(parse->lines, (count + 1) * setting_count * sizeof *lines);
    if (!lines)
        return out_of_memory(parse);
    parse->lines = lines;
    memset(lines + count * setting_count, 0, setting_count * sizeof *lines);
    struct config_cell *cell = &cells[count - 1];
    memset(cell, 0, sizeof *cell);
    config->cell_count = count;
    cell->id = strdup(id);
    size_t token = config_text_section(&parse->text, "cell", id, UINT32_MAX);
    cell->line = token < parse->text.count ? parse->text.tokens[token].line : 0;
    return cell->id ? presets(parse, true, cell) : out_of_memory(parse);
}

/* Index + 1 of the cell that this section of the file is about; 0: out of memory. Cells come in order: it is the last. */
static size_t cell_of(struct config_parse *parse, const cfg_t *section)
{
    struct config *config = parse->config;
    if (config->cell_count && strcmp(config->cells[config->cell_count - 1].id, section->title) == 0)
        return config->cell_count;
    return add_cell(parse, section->title) == 0 ? config->cell_count : 0;
}

/* A list's first value drops the default. libconfuse has already counted the new value. */
static bool is_repeated(const struct setting *s, const cfg_opt_t *opt, unsigned line)
{
    return line != 0 && (s->kind != SETTING_LIST || opt->nvalues == 1);
}

static void store(struct config_parse *parse, const struct setting *s, size_t cell, const cfg_opt_t *opt,
                  const char *value, unsigned line)
{
    unsigned *seen = line_of(parse, cell, s);
    char *base = cell ? (char *)&parse->config->cells[cell - 1] : (char *)parse->config;
    if (is_repeated(s, opt, *seen)) {
        char name[64];
        name_of(s, name, sizeof name);
        config_errors_add(parse->errors, line, "%s \"%s\": given twice, first on line %u; one of them must go", name,
                          value, *seen);
        return;
    }
    if (*seen == 0 && s->kind == SETTING_LIST)
        config_list_clear((struct config_list *)(void *)(base + s->offset));
    *seen = line;
    struct config_complaint why = {""};
    enum config_value outcome = config_value_set(s, base + s->offset, value, &why);
    if (outcome == CONFIG_VALUE_MEMORY)
        out_of_memory(parse);
    else if (outcome == CONFIG_VALUE_WRONG)
        config_complain(parse, line, s, value, why.text);
}

static int on_value(cfg_t *section, cfg_opt_t *opt, const char *value, void *result)
{
    const char *name = section->name && strcmp(section->name, "root") != 0 ? section->name : "";
    const struct setting *s = setting_find(name, opt->name);
    *(const char **)result = ""; /* we keep the value, libconfuse needs none */
    if (!s || !value)
        return 0;
    size_t cell = setting_in_cell(s) ? cell_of(current, section) : 0;
    if (cell || !setting_in_cell(s))
        store(current, s, cell, opt, value, (unsigned)section->line);
    return 0;
}

static void report_unknown(const char *section, const char *name, unsigned line)
{
    const char *near = setting_nearest(section, name);
    if (near)
        config_errors_add(current->errors, line, "%s%s%s: no such setting; the nearest one is %s", section,
                          section[0] ? "." : "", name, near);
    else
        config_errors_add(current->errors, line,
                          "%s%s%s: no such setting; `cellctl settings` lists those that there are", section,
                          section[0] ? "." : "", name);
}

static void stumble(size_t token)
{
    stumbled_over_statement = token < current->text.count;
    if (stumbled_over_statement)
        config_text_blank(&current->text, token);
}

/* The messages are those of libconfuse 3.3, src/confuse.c; we never call setlocale, so they are not translated. A message
 * that is not known here is passed on as it is, and the reading ends there. */
static void on_error(cfg_t *section, const char *fmt, va_list args)
{
    const char *in = section->name && strcmp(section->name, "root") != 0 ? section->name : "";
    unsigned line = (unsigned)section->line;
    char text[300];
    vsnprintf(text, sizeof text, fmt, args);
    const char *quote = strchr(text, '\'');
    char name[100] = "";
    if (quote)
        snprintf(name, sizeof name, "%.*s", (int)strcspn(quote + 1, "'"), quote + 1);
    if (strncmp(text, "no such option", 14) == 0) {
        report_unknown(in, name, line);
        stumble(config_text_key(&current->text, name, line));
    } else if (strncmp(text, "found duplicate title", 21) == 0) {
        size_t token = config_text_section(&current->text, "cell", name, line);
        line = token < current->text.count ? current->text.tokens[token].line : line;
        config_errors_add(current->errors, line, "cell \"%s\": there is a cell of this id already; ids are unique",
                          name);
        stumble(token);
    } else {
        config_errors_add(current->errors, line, "%s; a setting is written key = value, a block name { … }", text);
    }
}

enum { OPTS_MAX = 32 }; /* settings of one section; the assertion below fails first */

/* The sections of settings.def in a form that libconfuse wants. Static: sections' options must outlive cfg_init. */
struct tables {
    cfg_opt_t opts[10][OPTS_MAX];
    size_t counts[10];
    const char *sections[10];
    size_t count;
};

static size_t table_of(struct tables *tables, const char *section)
{
    for (size_t i = 0; i < tables->count; i++)
        if (strcmp(tables->sections[i], section) == 0)
            return i;
    tables->sections[tables->count] = section;
    return tables->count++;
}

static void end_table(struct tables *tables, size_t table)
{
    cfg_opt_t end = CFG_END();
    tables->opts[table][tables->counts[table]] = end;
}

/* Table 0 is the top level, for its settings come first in settings.def. */
static void fill_tables(struct tables *tables)
{
    memset(tables, 0, sizeof *tables);
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        cfg_opt_t one = CFG_STR_CB(s->key, NULL, CFGF_NODEFAULT, on_value);
        cfg_opt_t list = CFG_STR_LIST_CB(s->key, NULL, CFGF_NODEFAULT, on_value);
        size_t table = table_of(tables, s->section);
        tables->opts[table][tables->counts[table]++] = s->kind == SETTING_LIST ? list : one;
    }
    for (size_t i = 1; i < tables->count; i++) {
        cfg_flag_t flags =
            strcmp(tables->sections[i], "cell") == 0 ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE;
        cfg_opt_t section = CFG_SEC(tables->sections[i], tables->opts[i], flags);
        end_table(tables, i);
        tables->opts[0][tables->counts[0]++] = section;
    }
    end_table(tables, 0);
}

/* `key = {}` calls nobody back. */
static void empty_lists(struct config_parse *parse, cfg_t *section, const char *name, size_t cell)
{
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (s->kind != SETTING_LIST || strcmp(s->section, name) != 0)
            continue;
        const cfg_opt_t *opt = cfg_getopt(section, s->key);
        char *base = cell ? (char *)&parse->config->cells[cell - 1] : (char *)parse->config;
        if (opt && opt->nvalues == 0 && (opt->flags & CFGF_MODIFIED))
            config_list_clear((struct config_list *)(void *)(base + s->offset));
    }
}

static void after_parse(struct config_parse *parse, cfg_t *root)
{
    for (unsigned i = 0; i < cfg_size(root, "cell"); i++) {
        const cfg_t *section = cfg_getnsec(root, "cell", i);
        size_t cell = 0;
        while (cell < parse->config->cell_count && strcmp(parse->config->cells[cell].id, section->title) != 0)
            cell++;
        if (cell == parse->config->cell_count && add_cell(parse, section->title) != 0)
            return;
        empty_lists(parse, cfg_getnsec(root, "cell", i), "cell", cell + 1);
    }
    for (size_t i = 0; i < setting_count; i++) {
        const char *name = settings[i].section;
        if (!setting_in_cell(&settings[i]) && name[0] && (i == 0 || strcmp(settings[i - 1].section, name) != 0))
            empty_lists(parse, cfg_getsec(root, name), name, 0);
    }
}

/* One reading. Returns 0, 1 when a statement was blanked and another reading is worth it, -1. */
static int read_once(struct config_parse *parse)
{
    static struct tables tables;
    fill_tables(&tables);
    stumbled_over_statement = false;
    free(parse->lines);
    parse->lines = calloc(setting_count, sizeof *parse->lines);
    if (!parse->lines || presets(parse, false, parse->config) != 0)
        return -1;
    cfg_t *root = cfg_init(tables.opts[0], CFGF_NONE);
    if (!root)
        return out_of_memory(parse);
    cfg_set_error_function(root, on_error);
    size_t errors = parse->errors->total;
    int outcome = parse->text.length == 0 ? CFG_SUCCESS : cfg_parse_buf(root, parse->text.text);
    if (outcome == CFG_SUCCESS)
        after_parse(parse, root);
    else if (parse->errors->total == errors)
        config_errors_add(parse->errors, 0, "cannot be read as a configuration");
    cfg_free(root);
    return outcome == CFG_SUCCESS ? 0 : stumbled_over_statement ? 1 : -1;
}

/* Keeps what is said about blanked statements, for they are not met again; the rest is found again by the next reading. */
static void keep_last_error(struct config_errors *errors, size_t kept)
{
    if (errors->count <= kept)
        return;
    struct config_error last = errors->list[errors->count - 1], first = errors->list[kept];
    errors->list[kept] = last;
    errors->list[errors->count - 1] = first;
    config_errors_cut(errors, kept + 1);
}

int config_parse_text(struct config_parse *parse)
{
    size_t kept = parse->errors->count;
    int outcome = 1;
    current = parse;
    while (outcome == 1 && kept < CONFIG_ERRORS_MAX) {
        outcome = read_once(parse);
        if (outcome != 1)
            break;
        keep_last_error(parse->errors, kept++);
        config_clear(parse->config);
    }
    current = NULL;
    return outcome == 0 ? 0 : -1;
}
