/* base/clock.h - the two clocks of the process, in milliseconds. Only loop files read them; pure code is given
 * now_ms. */
#ifndef CELLROUTER_BASE_CLOCK_H
#define CELLROUTER_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic: never jumps and never goes back; its zero means nothing. For deadlines and lives. */
uint64_t clock_now_ms(void);

/* Since 1970. It jumps when somebody sets it, so it is for stamps and log lines alone. */
uint64_t clock_wall_ms(void);

#endif
