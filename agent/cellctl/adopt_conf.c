/* agent/cellctl/adopt_conf.c - the settings that have to change, as changes of cellrouter.conf's lines. A setting that
 * is given stands in a line of its own, as a rule; one that is not goes to the head of its block, or into a new block
 * at the end of the file. What does not look like that is told, and is the owner's to change. */
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/adopt_private.h"
#include "agent/config/config_parse.h"

static struct text_view line_of(const struct site_text *text, size_t index)
{
    struct text_view view = {text->lines[index].raw, text->lines[index].raw_length};
    for (; view.length && strchr(" \t", view.at[0]); view.length--)
        view.at++;
    while (view.length && strchr(" \t\r", view.at[view.length - 1]))
        view.length--;
    return view;
}

static bool begins_with(struct text_view line, const char *word)
{
    size_t length = strlen(word);
    return line.length >= length && memcmp(line.at, word, length) == 0 &&
           (line.length == length || strchr(" \t={", line.at[length]));
}

/* The index of the line `section {`, ADOPT_NONE: there is none, or more stands in it. */
static size_t block_of(const struct site_text *text, const char *section)
{
    for (size_t i = 0; i < text->line_count; i++) {
        struct text_view line = line_of(text, i);
        if (begins_with(line, section) && line.at[line.length - 1] == '{' && line.length <= strlen(section) + 2)
            return i;
    }
    return ADOPT_NONE;
}

/* Whether the line is KEY = one value, and no more. */
static bool is_whole(struct text_view line, const char *key)
{
    if (!begins_with(line, key) || memchr(line.at, '#', line.length))
        return false;
    bool list = memchr(line.at, '{', line.length);
    return !list || line.at[line.length - 1] == '}';
}

static void change(struct adopt *adopt, const struct adopt_setting *setting)
{
    struct config_parse parse = {.lines = adopt->config->lines};
    size_t line = config_line(&parse, 0, setting->section, setting->key);
    struct adopt_file *conf = adopt->conf;
    if (line > 0 && line <= conf->text.line_count && is_whole(line_of(&conf->text, line - 1), setting->key)) {
        struct text_view old = line_of(&conf->text, line - 1);
        site_edits_insert(&conf->edits, line - 1, "%.*s%s = %s", (int)(old.at - conf->text.lines[line - 1].raw),
                          conf->text.lines[line - 1].raw, setting->key, setting->value);
        site_edits_remove(&conf->edits, line - 1);
        return;
    }
    size_t block = line ? ADOPT_NONE : block_of(&conf->text, setting->section);
    if (block != ADOPT_NONE)
        site_edits_insert(&conf->edits, block + 1, "    %s = %s", setting->key, setting->value);
    else if (line)
        adopt_tell(adopt, ADOPT_WRONG, "cellrouter.conf", conf, line - 1, "to be changed by hand: %s = %s",
                   setting->key, setting->value);
}

static bool needs_block(const struct adopt *adopt, const struct adopt_setting *setting)
{
    struct config_parse parse = {.lines = adopt->config->lines};
    return config_line(&parse, 0, setting->section, setting->key) == 0 &&
           block_of(&adopt->conf->text, setting->section) == ADOPT_NONE;
}

/* One new block for all settings of the same section as the first one. */
static void append_block(struct adopt *adopt, size_t first)
{
    struct site_edits *edits = &adopt->conf->edits;
    size_t end = adopt->conf->text.line_count;
    const char *section = adopt->settings[first].section;
    for (size_t i = 0; i < first; i++)
        if (strcmp(adopt->settings[i].section, section) == 0 && needs_block(adopt, &adopt->settings[i]))
            return;
    site_edits_insert(edits, end, "\n%s {", section);
    for (size_t i = first; i < adopt->setting_count; i++)
        if (strcmp(adopt->settings[i].section, section) == 0 && needs_block(adopt, &adopt->settings[i]))
            site_edits_insert(edits, end, "    %s = %s", adopt->settings[i].key, adopt->settings[i].value);
    site_edits_insert(edits, end, "}");
}

void adopt_change_conf(struct adopt *adopt)
{
    for (size_t i = 0; adopt->conf && i < adopt->setting_count; i++)
        if (needs_block(adopt, &adopt->settings[i]))
            append_block(adopt, i);
        else
            change(adopt, &adopt->settings[i]);
}
