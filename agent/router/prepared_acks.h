/* agent/router/prepared_acks.h - what HAProxy is told of a decision: the variables, and the usual ACKs encoded
 * beforehand. Pure. */
#ifndef CELLROUTER_AGENT_ROUTER_PREPARED_ACKS_H
#define CELLROUTER_AGENT_ROUTER_PREPARED_ACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/routes/cells.h"
#include "agent/routes/decision.h"
#include "base/attributes.h"
#include "spoe/session.h"

enum { ACK_ACTIONS_MAX = 4 }; /* fresh and doubt are never both there */

/* Fills the actions of a decision: cell (when known), learn, level, and fresh or doubt (when it is so). Returns how
 * many. Views into cells. */
size_t ack_actions(const struct cells *cells, const struct decision *decision, struct spop_action *actions);

/* The action of an ACK of anything but a lookup: whether something was done. */
struct spop_action ack_done(bool done);

struct prepared_acks;

/* For all of these cells, which are not needed afterwards; 384 bytes a cell. NULL: out of memory. */
MUST_USE struct prepared_acks *prepared_acks_new(const struct cells *cells);

/* NULL is allowed. */
void prepared_acks_free(struct prepared_acks *acks);

/* The ACK of a decision of level 1 or of "unknown"; NULL for any other one, and for a cell that is not one of cells. As
 * long as acks lives. */
const struct spoe_prepared *prepared_acks_find(const struct prepared_acks *acks, const struct decision *decision);

#endif
