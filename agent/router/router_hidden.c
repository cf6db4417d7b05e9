/* agent/router/router_hidden.c - a cell's 404 or 403 that HAProxy holds until its message is answered: see
 * agent/router/hidden.h. */
#include "agent/router/router_private.h"

enum {
    /* From a PUBLISH to a change of another HAProxy's map: some 6 ms on one machine. Less than `timeout processing`. */
    DOUBT_ARRIVES_MS = 15,
};

/* HAProxy knows no variable of this name under the prefix of that engine: it only has to hear something. */
static void let_go(struct spoe_call *call)
{
    struct spop_action done = ack_done(true);
    spoe_call_ack(call, &done, 1);
}

void router_hide(struct router *router, const struct request *request, uint64_t now_ms)
{
    struct hidden_ack *ack;
    switch (hidden_add(router->hidden, request->call, request->elapsed_ms, now_ms, &ack)) {
    case HIDDEN_WAITS:
        router_count(router, COUNTER_HIDDEN_DELAYED);
        spoe_call_hold(request->call);
        spoe_call_set_user(request->call, ack);
        return;
    case HIDDEN_OFF: router_count(router, COUNTER_HIDDEN_OFF); break;
    case HIDDEN_FULL:
        router_count(router, COUNTER_HIDDEN_FULL);
        log_write(router->log, REASON_HIDDEN_FULL, LOG_FIELDS(LOG_NUM("waiting", hidden_count(router->hidden))));
        break;
    }
    let_go(request->call);
}

/* The client comes again as soon as it has its 307, maybe at another router: that one is to know of the doubt by then,
 * and its HAProxy's map, too. */
void router_hold(struct router *router, const struct request *request, uint64_t now_ms)
{
    struct hidden_ack *ack;
    if (hidden_hold(router->hidden, request->call, DOUBT_ARRIVES_MS, now_ms, &ack)) {
        spoe_call_hold(request->call);
        spoe_call_set_user(request->call, ack);
        return;
    }
    let_go(request->call);
}

void router_unhide(struct router *router, struct hidden_ack *ack)
{
    hidden_drop(router->hidden, ack);
    router_count(router, COUNTER_HIDDEN_CANCELLED);
}

uint64_t router_next_release_ms(const struct router *router)
{
    return hidden_next_ms(router->hidden);
}

void router_release(struct router *router)
{
    uint64_t now_ms = router->now_ms();
    for (struct spoe_call *call; (call = hidden_take_due(router->hidden, now_ms));)
        let_go(call);
}
