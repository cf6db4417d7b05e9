/* agent/cellctl/cell_choice.h - which cells may get an unknown path, and which ones may be asked without the replay
 * pass: what the rules for HAProxy depend on beside single settings. Pure. */
#ifndef CELLROUTER_AGENT_CELLCTL_CELL_CHOICE_H
#define CELLROUTER_AGENT_CELLCTL_CELL_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/config/config.h"

/* Whether unknown paths go to this cell, as long as one of these is up. */
bool cell_is_picked(const struct config *config, const struct config_cell *cell);

/* How many servers the picked cells have. It looks at all cells. */
size_t cells_picked_servers(const struct config *config);

/* Whether its servers have a limit (`maxconn`). HAProxy counts the connections of each server line by itself: such a
 * cell stands in one backend alone, and is asked there as a 302 cell is. */
bool cell_is_limited(const struct config_cell *cell);

/* Whether the server-options of a cell name the client's SNI. */
bool cells_use_client_sni(const struct config *config);

/* Whether one of the picked cells has a limit. */
bool cells_limited_picks(const struct config *config);

/* Whether none of the servers for unknown paths has a weight or a limit of its own. */
bool cells_picked_alike(const struct config *config);

/* Whether a cell's backend is to see the client's connection on every pass: by its servers' options, or by lines of its
 * own, which may say anything. */
bool cells_need_client_facts(const struct config *config);

/* The functions below ask about HAProxy's own retry: also_421, whether it retries a 421 as well (from 3.2 on). Source:
 * HAProxy configuration manual 3.2, `retry-on`. */

/* Whether a cell whose redirect HAProxy retries is asked at once where its route is known. */
bool cells_any_retried(const struct config *config, bool also_421);

/* Whether an unknown path may be asked for without the replay pass: all picked cells redirect by a status that HAProxy
 * retries. With weights the servers are left to HAProxy's own choice. */
bool cells_first_at_once(const struct config *config, bool also_421);

#endif
