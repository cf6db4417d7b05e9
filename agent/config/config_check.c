/* agent/config/config_check.c - what no single setting can tell: whether they fit together. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/routes/cells.h"
#include "agent/config/config_parse.h"
#include "agent/config/config_value.h"

static void complain(struct config_parse *parse, size_t cell, const char *section, const char *key, const char *value,
                     const char *what)
{
    const struct setting *s = setting_find(section, key);
    unsigned line = config_line(parse, cell, section, key);
    if (!line && cell)
        line = parse->config->cells[cell - 1].line;
    config_complain(parse, line, s, value, what);
}

static void check_required(struct config_parse *parse, size_t cell)
{
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (setting_in_cell(s) != (cell > 0) || s->min == 0)
            continue;
        char *base = cell ? (char *)&parse->config->cells[cell - 1] : (char *)parse->config;
        void *field = base + s->offset;
        bool given = config_line(parse, cell, s->section, s->key) != 0;
        if (s->kind == SETTING_TEXT && !given && !**(char **)field)
            complain(parse, cell, s->section, s->key, NULL, "missing");
        if (s->kind == SETTING_LIST && !given && !((struct config_list *)field)->count)
            complain(parse, cell, s->section, s->key, cell ? parse->config->cells[cell - 1].id : NULL,
                     "missing or empty");
    }
}

static void check_cell_id(struct config_parse *parse, struct config_cell *cell)
{
    size_t length = strlen(cell->id);
    bool good = length >= 1 && length <= 32;
    for (const char *c = cell->id; *c; c++)
        good = good && (isalnum((unsigned char)*c) || *c == '-' || *c == '_');
    if (!good)
        config_errors_add(parse->errors, cell->line,
                          "cell \"%s\": not an id; right would be 1 to 32 letters, digits, - and _", cell->id);
}

/* Texts that follow from others when they are empty. */
static void follow(struct config_parse *parse, char **field, const char *from)
{
    if (**field || !from)
        return;
    char *copy = strdup(from);
    if (!copy) {
        config_errors_add(parse->errors, 0, "out of memory");
        return;
    }
    free(*field);
    *field = copy;
}

/* Directives name a cell by its id or by its name, so no text may mean two cells. */
static void check_names(struct config_parse *parse, size_t index)
{
    const struct config *config = parse->config;
    const struct config_cell *cell = &config->cells[index];
    char what[160];
    for (size_t i = 0; i < index; i++) {
        const struct config_cell *other = &config->cells[i];
        if (strcasecmp(cell->id, other->id) == 0)
            config_errors_add(parse->errors, cell->line,
                              "cell \"%s\": there is a cell \"%s\" already; ids differ in more than case", cell->id,
                              other->id);
        else if (strcasecmp(cell->name, other->name) == 0 || strcasecmp(cell->name, other->id) == 0) {
            snprintf(what, sizeof what, "cell \"%s\" has this name already", other->id);
            complain(parse, index + 1, "cell", "name", cell->name, what);
        } else if (strcasecmp(cell->id, other->name) == 0)
            config_errors_add(parse->errors, cell->line, "cell \"%s\": this id is the name of cell \"%s\"", cell->id,
                              other->id);
    }
}

static void check_cells(struct config_parse *parse)
{
    struct config *config = parse->config;
    bool in_region = false;
    if (config->cell_count == 0)
        config_errors_add(parse->errors, 0,
                          "there is no cell; right would be at least one block cell \"ID\" { servers = … }");
    if (config->cell_count > CELLS_MAX)
        config_errors_add(parse->errors, 0, "%zu cells; at most %d are allowed", config->cell_count, CELLS_MAX);
    for (size_t i = 0; i < config->cell_count && i < CELLS_MAX; i++) {
        struct config_cell *cell = &config->cells[i];
        check_cell_id(parse, cell);
        check_required(parse, i + 1);
        follow(parse, &cell->name, cell->id);
        follow(parse, &cell->region, config->region);
        check_names(parse, i);
        in_region = in_region || strcmp(cell->region, config->region) == 0;
    }
    if (config->cell_count && config->region[0] && !in_region)
        complain(parse, 0, "", "region", config->region, "no cell stands in this region");
}

const struct config_cell *config_cell(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->cell_count; i++)
        if (strcmp(config->cells[i].id, id) == 0)
            return &config->cells[i];
    return NULL;
}

static void check_default_cell(struct config_parse *parse)
{
    const char *id = parse->config->default_cell;
    if (*id && !config_cell(parse->config, id))
        config_errors_add(parse->errors, config_line(parse, 0, "", "default-cell"),
                          "default-cell \"%s\": no such cell; right would be the id of a cell block", id);
}

static void check_listeners(struct config_parse *parse)
{
    const struct config_spoe *spoe = &parse->config->spoe;
    for (size_t i = 0; i < spoe->listen.count; i++) {
        const char *address = spoe->listen.items[i];
        if (strncmp(address, "unix:", 5) != 0 && !spoe->allow_remote && !config_address_is_loopback(address))
            complain(parse, 0, "spoe", "listen", address, "not a loopback address, and spoe.allow-remote is not true");
        for (size_t j = 0; j < i; j++)
            if (strcmp(address, spoe->listen.items[j]) == 0)
                complain(parse, 0, "spoe", "listen", address, "given twice");
    }
}

/* The first must not be greater than the second. */
static void check_order(struct config_parse *parse, const char *section, const char *key, uint64_t low,
                        const char *other, uint64_t high)
{
    if (low <= high)
        return;
    unsigned line = config_line(parse, 0, section, key);
    config_errors_add(parse->errors, line ? line : config_line(parse, 0, section, other),
                      "%s.%s \"%llu\": greater than %s; right would be at most %llu", section, key,
                      (unsigned long long)low, other, (unsigned long long)high);
}

/* Each answer that waits may have a connection of its own, and lookups must find one, too. An answer that
 * waits longer than timeout-server may end in the middle of its body. */
static void check_hidden(struct config_parse *parse)
{
    const struct config *c = parse->config;
    if (c->hidden.max_ms == 0)
        return;
    check_order(parse, "hidden", "min", c->hidden.min_ms, "max", c->hidden.max_ms);
    check_order(parse, "hidden", "max", c->hidden.max_ms, "haproxy.timeout-server in ms, less one",
                (uint64_t)c->haproxy.timeout_server_s * 1000 - 1);
    check_order(parse, "hidden", "most", c->hidden.most, "half of spoe.max-connections", c->spoe.max_connections / 2);
}

static void check_limits(struct config_parse *parse)
{
    const struct config *c = parse->config;
    const struct config_routes *routes = &c->routes;
    check_order(parse, "routes", "lifetime-min", routes->lifetime_min_s, "lifetime-max", routes->lifetime_max_s);
    check_order(parse, "routes", "lifetime", routes->lifetime_s, "lifetime-max", routes->lifetime_max_s);
    check_order(parse, "redis", "backoff-min", c->redis.backoff_min_ms, "backoff-max", c->redis.backoff_max_ms);
    if (c->redis.deadline_ms >= c->spoe.deadline_ms) {
        unsigned line = config_line(parse, 0, "redis", "deadline");
        config_errors_add(
            parse->errors, line ? line : config_line(parse, 0, "spoe", "deadline"),
            "redis.deadline \"%u\": not less than spoe.deadline, %u; deadlines nest, so that a slow Redis "
            "does not cost the whole lookup",
            c->redis.deadline_ms, c->spoe.deadline_ms);
    }
    check_hidden(parse);
    if (!c->redis.password_file[0] && c->redis.username[0])
        complain(parse, 0, "redis", "username", c->redis.username, "there is no redis.password-file to go with it");
}

/* The host's name as an id: other bytes than an id's become '-'. */
static void router_id(struct config_parse *parse)
{
    char host[65] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        snprintf(host, sizeof host, "router");
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            *c = '-';
    follow(parse, &parse->config->router, host);
}

void config_check(struct config_parse *parse)
{
    check_required(parse, 0);
    check_cells(parse);
    check_default_cell(parse);
    check_listeners(parse);
    check_limits(parse);
    router_id(parse);
}
