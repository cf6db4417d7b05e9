/* agent/config/config_parse.c - the table of settings applied to the tree of a file.
 *
 * A block is looked at twice: first its names, so that an unknown key is told even where a value is wrong, then its
 * values. What the tree could not read in full (a NULL text, a NODE_NAME) has its error, or gets it here; the setting
 * then counts as given, so that nobody says of it that it is missing. Lines of settings are kept for errors that are
 * found later. */
#include "agent/config/config_parse.h"

#include <stdlib.h>
#include <string.h>

#include "agent/config/config_value.h"

/* A block that is applied: the file, a section or a cell. */
struct place {
    size_t node;
    const char *section; /* "" the file */
    size_t cell;         /* index + 1; 0: no cell */
};

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

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void report_unknown(struct config_parse *parse, const char *section, const struct config_node *node)
{
    const char *near = setting_nearest(section, node->text), *dot = section[0] ? "." : "";
    const char *why = setting_advice(section, node->text);
    if (near)
        config_errors_add(parse->errors, node->line, "%s%s%s: no such setting; the nearest one is %s%s%s", section, dot,
                          node->text, near, why ? ": " : "", why ? why : "");
    else
        config_errors_add(parse->errors, node->line,
                          "%s%s%s: no such setting; `cellctl settings` lists those that there are", section, dot,
                          node->text);
}

static const char how_to_write[] = "a setting is written key = value, a block name { … }";

/* A key where a block stands, and the other way round. */
static void check_form(struct config_parse *parse, const char *section, const struct config_node *node)
{
    bool is_section = section[0] == '\0' && node->text[0] && setting_is_section(node->text);
    bool is_cell = is_section && strcmp(node->text, "cell") == 0;
    if (!is_section && !setting_find(section, node->text))
        report_unknown(parse, section, node);
    else if (!is_section && (node->kind == NODE_BLOCK || node->kind == NODE_NAME))
        config_errors_add(parse->errors, node->line, "missing equal sign after option '%s'; %s", node->text,
                          how_to_write);
    else if (is_cell && !node->title)
        config_errors_add(parse->errors, node->line,
                          "missing title for section 'cell'; right would be cell \"ID\" { … }");
    else if (is_section && node->kind != NODE_BLOCK)
        config_errors_add(parse->errors, node->line, "missing opening brace for section '%s'; %s", node->text,
                          how_to_write);
    else if (is_section && !is_cell && node->title)
        config_errors_add(parse->errors, node->line, "%s \"%s\": only a cell has an id before its {", node->text,
                          node->title);
}

static void check_names(struct config_parse *parse, const struct config_tree *tree, const struct place *place)
{
    for (size_t i = place->node + 1; i < tree->nodes[place->node].end; i = tree->nodes[i].end)
        if (tree->nodes[i].text)
            check_form(parse, place->section, &tree->nodes[i]);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void report_twice(struct config_parse *parse, const struct config_tree *tree, const struct setting *s,
                         size_t node, unsigned first)
{
    const struct config_node *key = &tree->nodes[node], *value = node + 1 < key->end ? key + 1 : NULL;
    char name[64];
    name_of(s, name, sizeof name);
    config_errors_add(parse->errors, value ? value->line : key->line,
                      "%s \"%s\": given twice, first on line %u; one of them must go", name,
                      value && value->text ? value->text : "", first);
}

/* A list may be given in parts, with +=; everything else once. */
static bool fits(struct config_parse *parse, const struct config_tree *tree, const struct setting *s, size_t node,
                 unsigned first)
{
    const struct config_node *key = &tree->nodes[node];
    const char *what = NULL;
    if (s->kind != SETTING_LIST && key->kind == NODE_APPEND)
        what = "+= appends to a list, and this is one value";
    else if (s->kind != SETTING_LIST && key->in_braces)
        what = "a list in { }, and this is one value";
    if (what)
        config_complain(parse, key->line, s, NULL, what);
    else if (first && (s->kind != SETTING_LIST || key->kind == NODE_KEY))
        report_twice(parse, tree, s, node, first);
    else
        return true;
    return false;
}

static void store_value(struct config_parse *parse, const struct setting *s, void *field,
                        const struct config_node *value)
{
    struct config_complaint why = {""};
    if (!value->text)
        return;
    enum config_value outcome = config_value_set(s, field, value->text, &why);
    if (outcome == CONFIG_VALUE_MEMORY)
        (void)out_of_memory(parse);
    else if (outcome == CONFIG_VALUE_WRONG)
        config_complain(parse, value->line, s, value->text, why.text);
}

static void store(struct config_parse *parse, const struct config_tree *tree, const struct place *place,
                  const struct setting *s, size_t node)
{
    const struct config_node *key = &tree->nodes[node];
    unsigned *seen = line_of(parse, place->cell, s);
    char *base = place->cell ? (char *)&parse->config->cells[place->cell - 1] : (char *)parse->config;
    void *field = base + s->offset;
    if (!fits(parse, tree, s, node, *seen))
        return;
    /* A list that the file gives replaces the default. */
    if (s->kind == SETTING_LIST && !*seen)
        config_list_clear(field);
    for (size_t i = node + 1; i < key->end; i = tree->nodes[i].end) {
        store_value(parse, s, field, &tree->nodes[i]);
        *seen = *seen ? *seen : tree->nodes[i].line;
    }
    if (*seen)
        return;
    *seen = key->line;
    if (key->in_braces && s->min > 0)
        config_complain(parse, key->line, s, place->cell ? parse->config->cells[place->cell - 1].id : NULL,
                        "missing or empty");
}

static void apply_keys(struct config_parse *parse, const struct config_tree *tree, const struct place *place)
{
    check_names(parse, tree, place);
    for (size_t i = place->node + 1; i < tree->nodes[place->node].end; i = tree->nodes[i].end) {
        const struct config_node *node = &tree->nodes[i];
        const struct setting *s = node->text ? setting_find(place->section, node->text) : NULL;
        if (s && (node->kind == NODE_KEY || node->kind == NODE_APPEND))
            store(parse, tree, place, s, i);
        else if (s)
            *line_of(parse, place->cell, s) = node->line;
    }
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static int presets(struct config_parse *parse, bool in_cell, void *base)
{
    for (size_t i = 0; i < setting_count; i++)
        if (setting_in_cell(&settings[i]) == in_cell &&
            config_value_preset(&settings[i], (char *)base + settings[i].offset) != CONFIG_VALUE_OK)
            return out_of_memory(parse);
    return 0;
}

static bool is_cell(const struct config_node *node)
{
    return node->kind == NODE_BLOCK && node->title && node->text && strcmp(node->text, "cell") == 0;
}

static int apply_cell(struct config_parse *parse, const struct config_tree *tree, size_t node)
{
    struct config_cell *cell = &parse->config->cells[parse->config->cell_count];
    cell->line = tree->nodes[node].line;
    cell->id = strdup(tree->nodes[node].title);
    parse->config->cell_count++;
    if (!cell->id)
        return out_of_memory(parse);
    if (presets(parse, true, cell) != 0)
        return -1;
    struct place place = {.node = node, .section = "cell", .cell = parse->config->cell_count};
    apply_keys(parse, tree, &place);
    return 0;
}

static int apply_block(struct config_parse *parse, const struct config_tree *tree, size_t node)
{
    if (is_cell(&tree->nodes[node]))
        return apply_cell(parse, tree, node);
    struct place place = {.node = node, .section = tree->nodes[node].text};
    if (place.section && place.section[0] && setting_is_section(place.section) && strcmp(place.section, "cell") != 0)
        apply_keys(parse, tree, &place);
    return 0;
}

/* Room for all cells and their lines at once. */
static int make_room(struct config_parse *parse, const struct config_tree *tree)
{
    size_t cells = 0;
    for (size_t i = 1; i < tree->nodes[0].end; i = tree->nodes[i].end)
        cells += is_cell(&tree->nodes[i]);
    parse->lines = calloc((cells + 1) * setting_count, sizeof *parse->lines);
    parse->config->cells = cells ? calloc(cells, sizeof *parse->config->cells) : NULL;
    return parse->lines && (!cells || parse->config->cells) ? 0 : out_of_memory(parse);
}

int config_parse_tree(struct config_parse *parse, const struct config_tree *tree)
{
    if (make_room(parse, tree) != 0 || presets(parse, false, parse->config) != 0)
        return -1;
    struct place file = {.node = 0, .section = ""};
    apply_keys(parse, tree, &file);
    for (size_t i = 1; i < tree->nodes[0].end; i = tree->nodes[i].end)
        if (tree->nodes[i].kind == NODE_BLOCK && apply_block(parse, tree, i) != 0)
            return -1;
    return 0;
}
