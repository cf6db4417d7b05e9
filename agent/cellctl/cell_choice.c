/* agent/cellctl/cell_choice.c - each question about cells is a walk over them: they are asked when a configuration is
 * printed. */
#include "agent/cellctl/cell_choice.h"

#include <string.h>

#include "agent/cellctl/server_options.h"

bool cell_is_picked(const struct config *config, const struct config_cell *cell)
{
    if (config->default_cell[0] != '\0')
        return strcmp(cell->id, config->default_cell) == 0;
    return strcmp(cell->region, config->region) == 0;
}

size_t cells_picked_servers(const struct config *config)
{
    size_t servers = 0;
    for (size_t i = 0; i < config->cell_count; i++)
        servers += cell_is_picked(config, &config->cells[i]) ? config->cells[i].servers.count : 0;
    return servers;
}

bool cell_is_limited(const struct config_cell *cell)
{
    return server_options_has(cell->server_options, "maxconn");
}

bool cells_use_client_sni(const struct config *config)
{
    for (size_t i = 0; i < config->cell_count; i++)
        if (server_options_use_client_sni(config->cells[i].server_options))
            return true;
    return false;
}

bool cells_limited_picks(const struct config *config)
{
    for (size_t i = 0; i < config->cell_count; i++)
        if (cell_is_picked(config, &config->cells[i]) && cell_is_limited(&config->cells[i]))
            return true;
    return false;
}

bool cells_picked_alike(const struct config *config)
{
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        bool alike = !cell_is_limited(cell) && !server_options_has(cell->server_options, "weight");
        if (cell_is_picked(config, cell) && !alike)
            return false;
    }
    return true;
}

/* Whether HAProxy retries this cell's redirect by itself. */
static bool is_retried(const struct config_cell *cell, bool also_421)
{
    bool status = cell->answers == CELL_ANSWER_425 || (also_421 && cell->answers == CELL_ANSWER_421);
    return status && !cell_is_limited(cell);
}

bool cells_any_retried(const struct config *config, bool also_421)
{
    for (size_t i = 0; i < config->cell_count && config->haproxy.direct_hits != DIRECT_HITS_NEVER; i++)
        if (is_retried(&config->cells[i], also_421))
            return true;
    return false;
}

bool cells_first_at_once(const struct config *config, bool also_421)
{
    bool any = false;
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        if (!cell_is_picked(config, cell))
            continue;
        if (!is_retried(cell, also_421) || server_options_has(cell->server_options, "weight"))
            return false;
        any = true;
    }
    return any && config->haproxy.direct_hits != DIRECT_HITS_NEVER;
}

bool cells_need_client_facts(const struct config *config)
{
    for (size_t i = 0; i < config->cell_count; i++)
        if (config->cells[i].backend_lines.count > 0 || server_options_use_connection(config->cells[i].server_options))
            return true;
    return config->haproxy.backend_lines.count > 0;
}
