/* agent/cellctl/haproxy_vocabulary.c - a function for each row of haproxy_vocabulary.def, and the tables made of them.
 *
 * Values: print_ID(scope, out). Conditions: holds_ID(scope). Loops: turn_ID(scope, index) makes the index-th turn the
 * current one and returns whether there is one. */
#include "agent/cellctl/haproxy_vocabulary.h"

#include <inttypes.h>
#include <string.h>

#include "agent/cellctl/cell_choice.h"
#include "agent/cellctl/haproxy_addresses.h"
#include "agent/cellctl/haproxy_lists.h"
#include "agent/cellctl/haproxy_words.h"
#include "agent/cellctl/server_options.h"
#include "agent/config/backend_lines.h"
#include "agent/config/config_settings.h"
#include "agent/config/large_classes.h"
#include "agent/config/places.h"
#include "haproxy_templates.h"

enum {
    /* A large request holds the one it arrives in, the copy for the replay, the inner pass's, and one for each
     * response. */
    LARGE_BUFFERS = 5,
    /* HAProxy waits for so much longer than the agent: for its "unknown" to arrive in. */
    PROCESSING_SLACK_MS = 20,
    LINE_PAGES = 256, /* bytes of a list of statuses */
    /* HAProxy waits for so much longer than the agent delays a response: it may be busy, timers are late. */
    HIDDEN_SLACK_MS = 500,
};

/* Servers that may get an unknown path have numbers in the map of the cells that no cell has. */
static const uint64_t PICKS_FROM = UINT64_C(1) << 32;

static const struct config_cell *cell_of(const struct haproxy_scope *scope)
{
    return &scope->config->cells[scope->cell];
}

/* The large-body process only replays. */
static bool is_first_at_once(const struct haproxy_scope *scope, bool also_421)
{
    return !scope->large && cells_first_at_once(scope->config, also_421);
}

/* Values */

static void print_file(const struct haproxy_scope *scope, FILE *out)
{
    fputs(scope->config->file, out);
}

static void print_router(const struct haproxy_scope *scope, FILE *out)
{
    fputs(scope->config->router, out);
}

static void print_header_names(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_header_expression(scope->config->haproxy.header_prefix, out);
}

static void print_upgrades(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_list_expression(&scope->config->haproxy.upgrades, out);
}

static void print_stream_types(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_list_words(&scope->config->haproxy.stream_types, out);
}

static void print_stream_paths(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_list_words(&scope->config->haproxy.stream_paths, out);
}

static void print_long_path(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", scope->config->routes.max_path + 1);
}

static void print_map_key(const struct haproxy_scope *scope, FILE *out)
{
    const char *fold = scope->config->routes.fold_case ? ",lower" : "";
    if (scope->config->routes.hosts)
        fprintf(out, "req.fhdr(host),host_only,lower,concat(,txn.cellrouter.path,/)%s", fold);
    else
        fprintf(out, "path%s,concat(/)", fold);
}

/* The class of this process, or of the loop's turn. */
static struct large_class class_of(const struct haproxy_scope *scope)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    size_t count = large_classes(&scope->config->haproxy, classes);
    static const struct large_class none = {0};
    return scope->class < count ? classes[scope->class] : none;
}

/* What follows addresses and names of this class. */
static void print_large_suffix(const struct haproxy_scope *scope, FILE *out)
{
    const struct large_class class = class_of(scope);
    fprintf(out, "%s%s", class.name[0] != '\0' ? "-" : "", class.name);
}

static void print_loop_suffix(const struct haproxy_scope *scope, FILE *out)
{
    if (!scope->large)
        return;
    fputs("-large", out);
    print_large_suffix(scope, out);
}

/* A large-body process has a replay pass of its own, on an address of its own. */
static void print_loop(const struct haproxy_scope *scope, FILE *out)
{
    /* That process has no chroot. */
    if (scope->large)
        haproxy_addresses_print_bound(scope->config, scope->config->haproxy.loop, out);
    else
        fputs(scope->config->haproxy.loop, out);
    print_loop_suffix(scope, out);
}

static void print_loop_bound(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_addresses_print_bound(scope->config, scope->config->haproxy.loop, out);
    print_loop_suffix(scope, out);
}

/* As the edge reaches it: inside of its chroot. */
static void print_large_address(const struct haproxy_scope *scope, FILE *out)
{
    fputs(scope->config->haproxy.large_address, out);
    print_large_suffix(scope, out);
}

static void print_large_bound(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_addresses_print_bound(scope->config, scope->config->haproxy.large_address, out);
    print_large_suffix(scope, out);
}

static void print_loop_bind_options(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_addresses_print_options(scope->config, scope->config->haproxy.loop, out);
}

static void print_large_bind_options(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_addresses_print_options(scope->config, scope->config->haproxy.large_address, out);
}

static void print_large_name(const struct haproxy_scope *scope, FILE *out)
{
    fputs(class_of(scope).name, out);
}

static void print_large_body(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%" PRIu64, class_of(scope).body);
}

static void print_large_buffer(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%" PRIu64, class_of(scope).buffer);
}

static void print_large_places(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%" PRIu32, class_of(scope).places);
}

static void print_large_kept(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%" PRIu64, class_of(scope).places * LARGE_BUFFERS * class_of(scope).buffer);
}

/* As docs/deployment.md has it. */
static void print_large_memory(const struct haproxy_scope *scope, FILE *out)
{
    const struct large_class class = class_of(scope);
    fprintf(out, "%" PRIu32 " requests with %d buffers of %" PRIu64 " KiB each: %" PRIu64 " MiB", class.places,
            LARGE_BUFFERS, class.buffer >> 10, (class.places * LARGE_BUFFERS * class.buffer >> 20) + 1);
}

/* The edge's connections: requests under way, and as many idle ones, which must not take their places. */
static void print_large_connections(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", 2 * class_of(scope).places);
}

/* These, as many of the loop, and health checks. */
static void print_large_maxconn(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", 6 * class_of(scope).places + 100);
}

/* The body may take so long to reach the tier, and then the cell to answer. */
static void print_large_timeout(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", scope->config->haproxy.large_wait_s + scope->config->haproxy.timeout_server_s);
}

static void print_large_queue(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", places_class_queue(&scope->config->haproxy));
}

static void print_loop_maxconn(const struct haproxy_scope *scope, FILE *out)
{
    if (!scope->large && scope->config->haproxy.maxconn > 0)
        fprintf(out, " maxconn %u", scope->config->haproxy.maxconn);
}

/* The backend for unknown paths that are asked for at once keeps half of the idle connections, where there is one. */
static void print_loop_limits(const struct haproxy_scope *scope, FILE *out)
{
    print_loop_maxconn(scope, out);
    if (!scope->large && scope->config->haproxy.maxconn > 0)
        fprintf(out, " pool-max-conn %u",
                places_idle_loops(&scope->config->haproxy) / (is_first_at_once(scope, true) ? 2 : 1));
}

static void print_maxconn_inner(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", places_inner(&scope->config->haproxy));
}

static void print_maxconn_global(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", places_global(&scope->config->haproxy));
}

static void print_facts_sent(const struct haproxy_scope *scope, FILE *out)
{
    fputs(cells_need_client_facts(scope->config) ? " send-proxy-v2 proxy-v2-options authority" : "", out);
}

static void print_facts_taken(const struct haproxy_scope *scope, FILE *out)
{
    fputs(cells_need_client_facts(scope->config) ? " accept-proxy" : "", out);
}

/* HAProxy gives up on the agent only after the agent gave up on Redis and said so. */
static void print_spoe_processing(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", scope->config->spoe.deadline_ms + PROCESSING_SLACK_MS);
}

static void print_hidden_timeout(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%u", scope->config->hidden.max_ms + HIDDEN_SLACK_MS);
}

static void print_agent_address(const struct haproxy_scope *scope, FILE *out)
{
    haproxy_addresses_print_agent(scope->config, out);
}

static void print_servers_picked(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", scope->servers_picked);
}

/* Tries of an unknown path beyond the first: the template says why so many. */
static void print_any_retries(const struct haproxy_scope *scope, FILE *out)
{
    size_t tries = scope->servers_picked * 2 + 1;
    fprintf(out, "%zu", tries < 3 ? 3 : tries > 10 ? 10 : tries);
}

static void print_cell_id(const struct haproxy_scope *scope, FILE *out)
{
    fputs(cell_of(scope)->id, out);
}

static void print_cell_number(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", scope->cell + 1);
}

/* Keys of rules/cell-map.cfg: what HAProxy's converter `hex` makes of a number, and of a text. */
static void print_number_key(uint64_t number, FILE *out)
{
    fprintf(out, "%016" PRIX64, number);
}

static void print_text_key(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fprintf(out, "%02X", (unsigned)(unsigned char)*text);
}

static void print_cell_number_key(const struct haproxy_scope *scope, FILE *out)
{
    print_number_key(scope->cell + 1, out);
}

static void print_cell_id_key(const struct haproxy_scope *scope, FILE *out)
{
    print_text_key(cell_of(scope)->id, out);
}

static void print_cell_name_key(const struct haproxy_scope *scope, FILE *out)
{
    print_text_key(cell_of(scope)->name, out);
}

/* The status of its redirects, where it may be asked at once. */
static void print_cell_asked_as(const struct haproxy_scope *scope, FILE *out)
{
    const struct config_cell *cell = cell_of(scope);
    fputs(cell_is_limited(cell) || cell->answers == CELL_ANSWER_302 ? "302"
          : cell->answers == CELL_ANSWER_421                        ? "421"
                                                                    : "425",
          out);
}

/* Servers of picked cells from this cell on. */
static void print_cell_servers_left(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", scope->servers_picked - scope->servers_before);
}

/* The lines for all cells come first. */
static const char *line_of(const struct haproxy_scope *scope)
{
    const struct config_list *all = &scope->config->haproxy.backend_lines, *own = &cell_of(scope)->backend_lines;
    size_t at = scope->line;
    return at < all->count ? all->items[at] : at - all->count < own->count ? own->items[at - all->count] : NULL;
}

static void print_line(const struct haproxy_scope *scope, FILE *out)
{
    fputs(line_of(scope), out);
}

static void print_line_pages(const struct haproxy_scope *scope, FILE *out)
{
    char pages[LINE_PAGES];
    backend_line_pages(line_of(scope), pages, sizeof pages);
    fputs(pages, out);
}

static void print_cell_retries(const struct haproxy_scope *scope, FILE *out)
{
    size_t servers = cell_of(scope)->servers.count;
    fprintf(out, "%zu", servers > 3 ? 3 : servers - 1);
}

static void print_cell_server_count(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", cell_of(scope)->servers.count);
}

static void print_cell_backup(const struct haproxy_scope *scope, FILE *out)
{
    fputs(cell_is_picked(scope->config, cell_of(scope)) ? "" : " backup", out);
}

static void print_server_name(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%s.%zu", cell_of(scope)->id, scope->server + 1);
}

static void print_server_address(const struct haproxy_scope *scope, FILE *out)
{
    fputs(cell_of(scope)->servers.items[scope->server], out);
}

static void print_server_options(const struct haproxy_scope *scope, FILE *out)
{
    server_options_print(cell_of(scope)->server_options, out);
}

/* Of another server line for a server of the cell, whose health its own backend knows. */
static void print_server_follower_options(const struct haproxy_scope *scope, FILE *out)
{
    const struct config_cell *cell = cell_of(scope);
    server_options_print_plain(cell->server_options, out);
    if (server_options_has(cell->server_options, "check"))
        fprintf(out, " track cellrouter-cell-%s/%s.%zu", cell->id, cell->id, scope->server + 1);
}

static void print_server_pick_key(const struct haproxy_scope *scope, FILE *out)
{
    print_number_key(PICKS_FROM + scope->servers_before + scope->server, out);
}

/* Servers of picked cells from this one on. */
static void print_server_left(const struct haproxy_scope *scope, FILE *out)
{
    fprintf(out, "%zu", scope->servers_picked - scope->servers_before - scope->server);
}

/* Conditions */

static bool holds_large(const struct haproxy_scope *scope)
{
    return scope->large;
}

static bool holds_hosts(const struct haproxy_scope *scope)
{
    return scope->config->routes.hosts;
}

static bool holds_fresh(const struct haproxy_scope *scope)
{
    return !scope->large && scope->config->routes.fresh_s > 0;
}

static bool holds_stream_types(const struct haproxy_scope *scope)
{
    return scope->config->haproxy.stream_types.count > 0;
}

static bool holds_stream_paths(const struct haproxy_scope *scope)
{
    return scope->config->haproxy.stream_paths.count > 0;
}

static bool holds_level0(const struct haproxy_scope *scope)
{
    const struct config_haproxy *haproxy = &scope->config->haproxy;
    return !scope->large && haproxy->map_file[0] != '\0' && haproxy->runtime.count > 0;
}

static bool holds_buffer(const struct haproxy_scope *scope)
{
    return !scope->large && scope->config->haproxy.buffer > 0;
}

static bool holds_headers(const struct haproxy_scope *scope)
{
    return scope->config->haproxy.headers > 0;
}

static bool holds_maxconn(const struct haproxy_scope *scope)
{
    return !scope->large && scope->config->haproxy.maxconn > 0;
}

static bool holds_tier(const struct haproxy_scope *scope)
{
    return !scope->large && scope->config->haproxy.large_address[0] != '\0';
}

static bool holds_hidden(const struct haproxy_scope *scope)
{
    return !scope->large && scope->config->hidden.max_ms > 0;
}

static bool holds_retry_cells(const struct haproxy_scope *scope)
{
    return cells_any_retried(scope->config, true);
}

static bool holds_retry_cells_425(const struct haproxy_scope *scope)
{
    return cells_any_retried(scope->config, false);
}

static bool holds_first_at_once(const struct haproxy_scope *scope)
{
    return is_first_at_once(scope, true);
}

static bool holds_first_at_once_425(const struct haproxy_scope *scope)
{
    return is_first_at_once(scope, false);
}

static bool holds_limited_picks(const struct haproxy_scope *scope)
{
    return cells_limited_picks(scope->config);
}

static bool holds_servers_alike(const struct haproxy_scope *scope)
{
    return cells_picked_alike(scope->config);
}

static bool holds_client_facts(const struct haproxy_scope *scope)
{
    return cells_need_client_facts(scope->config);
}

static bool holds_client_sni(const struct haproxy_scope *scope)
{
    return cells_use_client_sni(scope->config);
}

static bool holds_page_line(const struct haproxy_scope *scope)
{
    char pages[LINE_PAGES];
    backend_line_pages(line_of(scope), pages, sizeof pages);
    return pages[0] != '\0';
}

static bool holds_several_servers(const struct haproxy_scope *scope)
{
    return cell_of(scope)->servers.count > 1;
}

/* Loops */

static bool turn_cell(struct haproxy_scope *scope, size_t index)
{
    scope->cell = index;
    return index < scope->config->cell_count;
}

/* The first cell from there on that is wanted. A loop begins at the first cell, and goes on behind the last one that
 * had its turn. */
static bool turn_wanted(struct haproxy_scope *scope, size_t index,
                        bool (*wanted)(const struct config *config, const struct config_cell *cell))
{
    const struct config *config = scope->config;
    for (scope->cell = index == 0 ? 0 : scope->cell + 1; scope->cell < config->cell_count; scope->cell++)
        if (wanted(config, &config->cells[scope->cell]))
            return true;
    return false;
}

static bool turn_picked_cell(struct haproxy_scope *scope, size_t index)
{
    scope->servers_before = index == 0 ? 0 : scope->servers_before + cell_of(scope)->servers.count;
    return turn_wanted(scope, index, cell_is_picked);
}

static bool is_asked_at_once(const struct config *config, const struct config_cell *cell)
{
    (void)config;
    return cell->answers != CELL_ANSWER_302 && !cell_is_limited(cell);
}

static bool turn_cell_at_once(struct haproxy_scope *scope, size_t index)
{
    return turn_wanted(scope, index, is_asked_at_once);
}

static bool turn_class(struct haproxy_scope *scope, size_t index)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    scope->class = index;
    return index < large_classes(&scope->config->haproxy, classes);
}

static bool turn_server(struct haproxy_scope *scope, size_t index)
{
    scope->server = index;
    return index < cell_of(scope)->servers.count;
}

static bool turn_backend_line(struct haproxy_scope *scope, size_t index)
{
    scope->line = index;
    return line_of(scope);
}

static bool turn_shared_backend_line(struct haproxy_scope *scope, size_t index)
{
    for (scope->line = index == 0 ? 0 : scope->line + 1; line_of(scope); scope->line++)
        if (backend_line_is_shared(line_of(scope)))
            return true;
    return false;
}

/* The tables */

enum {
    VALUES_MADE = 0
#define VALUE(id, name, item) +1
#define CONDITION(id, name, item)
#define LOOP(id, name, item, inside)
#include "agent/cellctl/haproxy_vocabulary.def"
#undef VALUE
};

static const struct template_name values[] = {
#define VALUE(id, name, item) {name, item},
#include "agent/cellctl/haproxy_vocabulary.def"
#undef VALUE
#define SETTING(section, key, field, kind, check, preset, min, max, unit, when, text) {section "." key, NULL},
#define CELL_SETTING(key, field, kind, check, preset, min, max, unit, when, text) {"cell." key, "cell"},
#include "agent/config/settings.def"
#undef SETTING
#undef CELL_SETTING
};

static void (*const printers[])(const struct haproxy_scope *, FILE *) = {
#define VALUE(id, name, item) print_##id,
#include "agent/cellctl/haproxy_vocabulary.def"
#undef VALUE
#undef CONDITION
};

static const struct template_name conditions[] = {
#define VALUE(id, name, item)
#define CONDITION(id, name, item) {name, item},
#include "agent/cellctl/haproxy_vocabulary.def"
#undef CONDITION
};

static bool (*const holders[])(const struct haproxy_scope *) = {
#define CONDITION(id, name, item) holds_##id,
#include "agent/cellctl/haproxy_vocabulary.def"
#undef CONDITION
#undef LOOP
};

static const struct template_loop loops[] = {
#define CONDITION(id, name, item)
#define LOOP(id, name, item, inside) {name, item, inside},
#include "agent/cellctl/haproxy_vocabulary.def"
#undef LOOP
};

static bool (*const turners[])(struct haproxy_scope *, size_t) = {
#define LOOP(id, name, item, inside) turn_##id,
#include "agent/cellctl/haproxy_vocabulary.def"
#undef LOOP
};

const char *const haproxy_roots[HAPROXY_ROOTS] = {"router", "large"};

const struct template_vocabulary haproxy_vocabulary = {
    .texts = haproxy_templates,
    .text_count = sizeof haproxy_templates / sizeof haproxy_templates[0],
    .values = values,
    .value_count = sizeof values / sizeof values[0],
    .conditions = conditions,
    .condition_count = sizeof conditions / sizeof conditions[0],
    .loops = loops,
    .loop_count = sizeof loops / sizeof loops[0],
    .words = haproxy_words,
    .word_count = HAPROXY_WORDS,
};

static const void *whole_of(const struct haproxy_scope *scope, const struct setting *setting)
{
    return setting_in_cell(setting) ? (const void *)cell_of(scope) : (const void *)scope->config;
}

static void print_value(void *user, size_t value, FILE *out)
{
    const struct haproxy_scope *scope = user;
    if (value < VALUES_MADE)
        printers[value](scope, out);
    else
        setting_print(&settings[value - VALUES_MADE], whole_of(scope, &settings[value - VALUES_MADE]), out);
}

static bool holds(void *user, size_t condition)
{
    return holders[condition](user);
}

static bool turn(void *user, size_t loop, size_t index)
{
    return turners[loop](user, index);
}

struct haproxy_scope haproxy_scope_of(const struct config *config)
{
    return (struct haproxy_scope){.config = config, .servers_picked = cells_picked_servers(config)};
}

struct template_meaning haproxy_meaning(struct haproxy_scope *scope)
{
    _Static_assert(sizeof *scope <= TEMPLATE_USER_MOST, "template.h");
    return (struct template_meaning){
        .print = print_value, .holds = holds, .turn = turn, .user = scope, .user_size = sizeof *scope};
}
