/* redis/reason.h - why something failed or happened, as a closed list; and how Redis' error replies map to it.
 * Pure. The list is redis/reasons.def. Source of the codes: Redis 7.0 src/server.c (createSharedObjects),
 * src/cluster.c, src/script.c, src/acl.c. */
#ifndef CELLROUTER_REDIS_REASON_H
#define CELLROUTER_REDIS_REASON_H

#include <stddef.h>

enum store_reason {
#define STORE_REASON(id, level, text) STORE_REASON_##id,
#include "redis/reasons.def"
#undef STORE_REASON
    STORE_REASON_COUNT /* how many there are; not a reason */
};

enum store_level { STORE_LEVEL_ERROR, STORE_LEVEL_WARN, STORE_LEVEL_INFO, STORE_LEVEL_DEBUG };

/* "wrongpass": the id in small letters. Never NULL; "unknown" for a number that is no reason. */
const char *store_reason_name(enum store_reason reason);

/* One sentence for a log line. Never NULL. */
const char *store_reason_text(enum store_reason reason);

/* Whether an operator must act; WARN for a number that is no reason. */
enum store_level store_reason_level(enum store_reason reason);

/* The reason for an error reply: text of n bytes, without the leading '-', as Redis sent it. An error that a script met
 * inside Redis counts as that error, also in the wrapping of Redis 6. Any bytes are legal; what is not known is
 * OTHER_ERROR. */
enum store_reason store_reason_of_error(const char *text, size_t n);

#endif
