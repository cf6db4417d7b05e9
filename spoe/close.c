/* spoe/close.c - the table of spoe/close.def, read by reason. A number that is no reason reads as "none". */
#include "spoe/close.h"

#include "spoe/frame.h"

enum { SPOP_STATUS_SILENT = -1 };

static const struct {
    const char *name, *text;
    enum spoe_level level;
    int status;
} reasons[] = {
    {"none", "not closed", SPOE_QUIET, SPOP_STATUS_SILENT},
#define SPOE_CLOSE(id, name, level, status, text) {name, text, SPOE_##level, (int)SPOP_STATUS_##status},
#include "spoe/close.def"
#undef SPOE_CLOSE
};

static unsigned known(enum spoe_close reason)
{
    return (unsigned)reason < SPOE_CLOSE_COUNT ? (unsigned)reason : SPOE_CLOSE_NONE;
}

const char *spoe_close_name(enum spoe_close reason)
{
    return reasons[known(reason)].name;
}

const char *spoe_close_text(enum spoe_close reason)
{
    return reasons[known(reason)].text;
}

enum spoe_level spoe_close_level(enum spoe_close reason)
{
    return reasons[known(reason)].level;
}

int spoe_close_status(enum spoe_close reason)
{
    return reasons[known(reason)].status;
}
