/* agent/config/config.c - loading, freeing and comparing configurations; the steps are in the config_*.c files. */
#include "agent/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config_parse.h"
#include "agent/config/config_value.h"

static void free_fields(bool in_cell, void *base)
{
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        void *field = (char *)base + s->offset;
        if (setting_in_cell(s) != in_cell)
            continue;
        if (s->kind == SETTING_LIST)
            config_list_clear(field);
        if (s->kind == SETTING_TEXT)
            free(*(char **)field);
    }
}

void config_free(struct config *config)
{
    if (!config)
        return;
    free_fields(false, config);
    for (size_t i = 0; i < config->cell_count; i++) {
        free_fields(true, &config->cells[i]);
        free(config->cells[i].id);
    }
    free(config->cells);
    free(config->lines);
    free(config->file);
    free(config);
}

static const char *variable(const char *name)
{
    return getenv(name);
}

/* Fills parse->config. Where the text's structure is broken, only that is told: other complaints would be guesses. */
static void fill(struct config_parse *parse, const char *text, size_t length)
{
    struct config_tree tree;
    if (config_tree_read(&tree, text, length, variable, parse->errors) != 0)
        return;
    if (tree.nested && config_parse_tree(parse, &tree) == 0 && tree.whole)
        config_check(parse);
    config_tree_deinit(&tree);
}

struct config *config_parse(const char *file, const char *text, size_t length, FILE *out)
{
    struct config *config = calloc(1, sizeof *config);
    struct config_errors *errors = calloc(1, sizeof *errors);
    bool good = false;
    if (config && errors && (config->file = strdup(file))) {
        struct config_parse parse = {.config = config, .errors = errors};
        fill(&parse, text, length);
        config->lines = parse.lines;
        good = errors->total == 0;
        config_errors_print(errors, file, out);
        config_errors_deinit(errors);
    } else {
        fprintf(out, "%s: out of memory\n", file);
    }
    free(errors);
    if (!good) {
        config_free(config);
        return NULL;
    }
    return config;
}

struct config *config_load(const char *file, FILE *errors)
{
    FILE *in = fopen(file, "r");
    char *text = in ? malloc(CONFIG_TEXT_MAX + 1) : NULL;
    size_t length = text ? fread(text, 1, CONFIG_TEXT_MAX + 1, in) : 0;
    struct config *config = NULL;
    if (!text || ferror(in))
        fprintf(errors, "%s: cannot be read: %s\n", file, strerror(errno));
    else
        config = config_parse(file, text, length, errors);
    free(text);
    if (in)
        fclose(in);
    return config;
}

static bool lists_equal(const struct config_list *a, const struct config_list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

static bool fields_equal(const struct setting *s, const void *a, const void *b)
{
    switch (s->kind) {
    case SETTING_NUMBER:
    case SETTING_MODE:
    case SETTING_CHOICE: return memcmp(a, b, sizeof(uint32_t)) == 0;
    case SETTING_SIZE: return memcmp(a, b, sizeof(uint64_t)) == 0;
    case SETTING_BOOL: return *(const bool *)a == *(const bool *)b;
    case SETTING_TEXT: return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case SETTING_LIST: break;
    }
    return lists_equal(a, b);
}

size_t config_needs_restart(const struct config *old, const struct config *fresh,
                            void (*on_key)(void *user, const char *section, const char *key), void *user)
{
    size_t count = 0;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (s->when != WHEN_RESTART || setting_in_cell(s) ||
            fields_equal(s, (const char *)old + s->offset, (const char *)fresh + s->offset))
            continue;
        count++;
        on_key(user, s->section, s->key);
    }
    return count;
}
