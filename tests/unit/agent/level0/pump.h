/* tests/unit/agent/level0/pump.h - runs the loop of a fixture until something is so, and fails after a generous bound.
 * A fixture has `loop`, and `why`, the last failure that it was told. */
#ifndef CELLROUTER_TESTS_UNIT_AGENT_LEVEL0_PUMP_H
#define CELLROUTER_TESTS_UNIT_AGENT_LEVEL0_PUMP_H

#include <stdbool.h>

#include <ev.h>

static inline void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    *(bool *)timer->data = true;
}

/* what: which row of a table this is about. */
#define PUMP_UNTIL(f, what, condition) \
    do { \
        bool over = false; \
        ev_timer limit; \
        ev_timer_init(&limit, on_time, 20., 0.); \
        limit.data = &over; \
        ev_timer_start((f)->loop, &limit); \
        while (!(condition) && !over) \
            ev_run((f)->loop, EVRUN_ONCE); \
        ev_timer_stop((f)->loop, &limit); \
        if (over) \
            fail_msg("%s: 20 s in vain for " #condition "; last failure: %s", what, (f)->why); \
    } while (0)

#endif
