/* agent/config/config_check.c - what no single setting can tell: whether they fit together. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/routes/cells.h"
#include "agent/config/config_index.h"
#include "agent/config/config_parse.h"
#include "agent/config/config_value.h"
#include "agent/config/large_classes.h"

static void complain(struct config_parse *parse, size_t cell, const char *section, const char *key, const char *value,
                     const char *what)
{
    const struct setting *s = setting_find(section, key);
    unsigned line = config_line(parse, cell, section, key);
    if (!line && cell)
        line = parse->config->cells[cell - 1].line;
    config_complain(parse, line, s, value, what);
}

/* What must be there is there: the settings of one cell (index + 1), or all others (0). */
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

/* ---- what may be there once -------------------------------------------------------------------------------------- */

/* Whom a text of the index belongs to: the number of a cell, twice, and 1 more when it is the cell's name. */
static size_t owner_id(size_t cell)
{
    return cell * 2;
}

static size_t owner_name(size_t cell)
{
    return cell * 2 + 1;
}

/* Reports an id that an earlier cell has as its id or name. *repeatedp: it is exactly that cell's id, so nothing else
 * of this cell is worth a word. Returns 0, or -1 without memory; so do the two below. */
static int check_id_is_new(struct config_parse *parse, struct config_index *names, size_t index, bool *repeatedp)
{
    const struct config_cell *cells = parse->config->cells, *cell = &cells[index];
    size_t earlier;
    if (config_index_put(names, (struct config_index_key){cell->id, ""}, owner_id(index), &earlier) != 0)
        return -1;
    if (earlier == CONFIG_INDEX_NEW)
        return 0;
    const struct config_cell *other = &cells[earlier / 2];
    *repeatedp = earlier == owner_id(earlier / 2) && strcmp(cell->id, other->id) == 0;
    if (*repeatedp)
        config_errors_add(parse->errors, cell->line, "cell \"%s\": there is a cell of this id already; ids are unique",
                          cell->id);
    else if (earlier == owner_id(earlier / 2))
        config_errors_add(parse->errors, cell->line,
                          "cell \"%s\": there is a cell \"%s\" already; ids differ in more than case", cell->id,
                          other->id);
    else
        config_errors_add(parse->errors, cell->line, "cell \"%s\": this id is the name of cell \"%s\"", cell->id,
                          other->id);
    return 0;
}

/* Directives name a cell by its id or by its name, so no text may mean two cells. */
static int check_name_is_new(struct config_parse *parse, struct config_index *names, size_t index)
{
    const struct config_cell *cells = parse->config->cells, *cell = &cells[index];
    char what[160];
    size_t earlier;
    if (config_index_put(names, (struct config_index_key){cell->name, ""}, owner_name(index), &earlier) != 0)
        return -1;
    if (earlier == CONFIG_INDEX_NEW || earlier / 2 == index || strcasecmp(cell->id, cell->name) == 0 ||
        strcasecmp(cell->id, cells[earlier / 2].id) == 0)
        return 0;
    snprintf(what, sizeof what, "cell \"%.100s\" has this name already", cells[earlier / 2].id);
    complain(parse, index + 1, "cell", "name", cell->name, what);
    return 0;
}

/* The same server with the same options cannot be two cells: each would redirect to the other for ever. With other
 * options it can: one address may lead to several cells by `sni`, for example. */
static int check_servers_are_new(struct config_parse *parse, struct config_index *servers, size_t index)
{
    const struct config_cell *cells = parse->config->cells, *cell = &cells[index];
    unsigned line = config_line(parse, index + 1, "cell", "servers");
    for (size_t i = 0; i < cell->servers.count; i++) {
        size_t earlier;
        const char *server = cell->servers.items[i];
        if (config_index_put(servers, (struct config_index_key){server, cell->server_options}, index, &earlier) != 0)
            return -1;
        if (earlier == index)
            config_errors_add(parse->errors, line, "cell.servers \"%s\": given twice; one of them must go", server);
        else if (earlier != CONFIG_INDEX_NEW)
            config_errors_add(
                parse->errors, line,
                "cell.servers \"%s\": cell \"%s\" has this server, too; right would be servers of its own, "
                "or server-options by which the server tells the cells apart",
                server, cells[earlier].id);
    }
    return 0;
}

static int check_cell(struct config_parse *parse, struct config_index *names, struct config_index *servers,
                      size_t index)
{
    struct config_cell *cell = &parse->config->cells[index];
    bool repeated = false;
    if (check_id_is_new(parse, names, index, &repeated) != 0)
        return -1;
    if (repeated)
        return 0;
    check_cell_id(parse, cell);
    check_required(parse, index + 1);
    follow(parse, &cell->name, cell->id);
    follow(parse, &cell->region, parse->config->region);
    return check_name_is_new(parse, names, index) == 0 && check_servers_are_new(parse, servers, index) == 0 ? 0 : -1;
}

static void check_cells(struct config_parse *parse)
{
    struct config *config = parse->config;
    struct config_index names = {.fold = true}, servers = {.fold = false};
    bool in_region = false, memory = true;
    if (config->cell_count == 0)
        config_errors_add(parse->errors, 0,
                          "there is no cell; right would be at least one block cell \"ID\" { servers = … }");
    if (config->cell_count > CELLS_MAX)
        config_errors_add(parse->errors, 0, "%zu cells; at most %d are allowed", config->cell_count, CELLS_MAX);
    for (size_t i = 0; i < config->cell_count && i < CELLS_MAX && memory; i++) {
        memory = check_cell(parse, &names, &servers, i) == 0;
        in_region = in_region || strcmp(config->cells[i].region, config->region) == 0;
    }
    config_index_deinit(&names);
    config_index_deinit(&servers);
    if (!memory)
        config_errors_add(parse->errors, 0, "out of memory");
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

/* Each class holds more than the one before it, so that the rules may take the first one that fits. large-buffer is in
 * their place, and a configuration with both says two things. */
static void check_classes(struct config_parse *parse)
{
    const struct config_haproxy *haproxy = &parse->config->haproxy;
    struct large_class class = {0}, before = {0};
    const char *why;
    for (size_t i = 0; i < haproxy->large_classes.count; i++, before = class)
        if (large_class_read(haproxy->large_classes.items[i], &class, &why) && class.body <= before.body)
            complain(parse, 0, "haproxy", "large-classes", haproxy->large_classes.items[i],
                     "not larger than the class before it");
    if (haproxy->large_buffer == 0)
        return;
    char value[32];
    snprintf(value, sizeof value, "%" PRIu64, haproxy->large_buffer);
    if (config_line(parse, 0, "haproxy", "large-classes") != 0)
        complain(parse, 0, "haproxy", "large-buffer", value,
                 "there is large-classes, too; large-classes alone would be right, or large-buffer alone for a single "
                 "process");
    if (haproxy->large_buffer < 1 << 20)
        complain(parse, 0, "haproxy", "large-buffer", value, "less than 1m");
}

/* The rules take both in one request where a cell is asked at once. */
static void check_counters(struct config_parse *parse)
{
    const struct config *c = parse->config;
    bool both = false;
    for (size_t i = 0; i < c->cell_count; i++)
        both = both || c->cells[i].answers != CELL_ANSWER_302;
    if (!both || c->haproxy.hint_counter != c->haproxy.note_counter)
        return;
    unsigned line = config_line(parse, 0, "haproxy", "note-counter");
    config_errors_add(parse->errors, line ? line : config_line(parse, 0, "haproxy", "hint-counter"),
                      "haproxy.note-counter \"%u\": this is haproxy.hint-counter, too; a site with cells that answer "
                      "421 or 425 needs both",
                      c->haproxy.note_counter);
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
    check_classes(parse);
    if (!c->redis.address[0] && c->redis.read_address[0])
        complain(parse, 0, "redis", "read-address", c->redis.read_address,
                 "a replica alone takes no writes: redis.address has to name its primary");
    check_counters(parse);
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

size_t config_cells_without_region(const struct config *config)
{
    struct config_parse parse = {.lines = config->lines};
    size_t without = 0;
    for (size_t i = 0; i < config->cell_count; i++)
        without += config_line(&parse, i + 1, "cell", "region") == 0;
    return without;
}

void config_check(struct config_parse *parse)
{
    check_required(parse, 0);
    check_cells(parse);
    check_default_cell(parse);
    check_listeners(parse);
    check_limits(parse);
    router_id(parse);
    if (config_check_addresses(parse) != 0)
        config_errors_add(parse->errors, 0, "out of memory");
}
