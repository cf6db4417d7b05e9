/* redis/scripts.h - the two scripts that decide, inside Redis and at once, whether a claim on a route stands; and their
 * verdicts. Pure: text only. docs/redis.md tells the rules in words. */
#ifndef CELLROUTER_REDIS_SCRIPTS_H
#define CELLROUTER_REDIS_SCRIPTS_H

#include <stddef.h>

/* KEYS: record, tombstone. ARGV: stamp, cell, skew (ms), record, rest of its life (ms), flags, router, life (s). */
const char *script_put(void);

/* KEYS: record, tombstone. ARGV: stamp, cell, skew (ms), life of the tombstone (ms). */
const char *script_forget(void);

enum verdict {
    VERDICT_WRITTEN,
    VERDICT_REPLACED, /* written, over something that was no record */
    VERDICT_FORGOTTEN,
    VERDICT_MOOT,          /* a forget: nothing there to forget, or another cell's */
    VERDICT_KEPT,          /* the same cell: by a claim as new, or for long enough */
    VERDICT_LOST,          /* another cell, by a newer claim */
    VERDICT_PINNED,        /* a pinned record stands */
    VERDICT_DROPPED,       /* a newer redirect said that this cell is not it */
    VERDICT_NEWER_VERSION, /* a record of a newer version stands */
    VERDICT_SKEWED,        /* the claim is dated ahead of Redis' clock */
    VERDICT_UNKNOWN        /* nothing that these scripts return */
};

/* text of n bytes, as a script returned it. */
enum verdict verdict_of(const char *text, size_t n);

#endif
