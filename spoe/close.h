/* spoe/close.h - why an SPOP connection ended, generated from spoe/close.def. */
#ifndef CELLROUTER_SPOE_CLOSE_H
#define CELLROUTER_SPOE_CLOSE_H

#include <stdbool.h>

enum spoe_close {
    SPOE_CLOSE_NONE, /* it has not ended */
#define SPOE_CLOSE(id, name, level, status, text) SPOE_CLOSE_##id,
#include "spoe/close.def"
#undef SPOE_CLOSE
    SPOE_CLOSE_COUNT
};

enum spoe_level { SPOE_QUIET, SPOE_INFO, SPOE_WARN, SPOE_ERROR };

/* Static text of a reason: its name in small letters ("bad_frame"), and a sentence. Never NULL; "none" for what is no
 * reason. */
const char *spoe_close_name(enum spoe_close reason);
const char *spoe_close_text(enum spoe_close reason);

/* How much the reason matters to somebody who reads the log: QUIET is never worth a line, INFO is daily business, WARN
 * asks somebody to look, ERROR to act. QUIET for what is no reason. */
enum spoe_level spoe_close_level(enum spoe_close reason);

/* What AGENT-DISCONNECT says (enum spop_status of spoe/frame.h), or -1: none is sent. */
int spoe_close_status(enum spoe_close reason);

#endif
