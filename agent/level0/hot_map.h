/* agent/level0/hot_map.h - level 0: which routes should stand in HAProxy's own map, and what has changed for each
 * HAProxy process (target). Pure: time and seed are passed in; agent/level0/runtime_api.h brings the changes to
 * HAProxy. Source: docs/design.md 5.6, docs/level0.md.
 *
 * A key is what agent/routes/path.h makes. Only keys of harmless bytes enter: none that means something on HAProxy's
 * command line or in a map file. Two rules keep the longest match right, though the map knows only some of the routes:
 * a prefix does not enter while a longer route under it with another cell is in use outside of the map; and with an
 * entry go all entries of shorter prefixes.
 *
 * Times are monotonic milliseconds. Nothing takes longer with more entries but _free, _flush, _remap, _distrust and
 * _resync_begin, and the logarithm in what an expiry costs. One thread. */
#ifndef CELLROUTER_AGENT_LEVEL0_HOT_MAP_H
#define CELLROUTER_AGENT_LEVEL0_HOT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum {
    HOT_KEY_MAX = 255,    /* bytes of a key: longer prefixes are rare, and a journal of them would be large */
    HOT_TARGETS_MAX = 16, /* as haproxy.runtime allows: one bit each in an entry */
    HOT_JOURNAL = 16384,  /* changes kept for targets that are behind; 4.5 MB with the longest keys. Not tuned. */
};

/* Behind an entry's value in HAProxy's map and in the file: "CELL|PREFIX" becomes "CELL|PREFIX||?". Between the bars
 * HAProxy itself puts the second at which a doubt of its own began. */
#define UNDECIDED_MARK "||?"

struct hot_map;

struct hot_map_options {
    uint32_t entries; /* at most */
    uint32_t uses;    /* within life_ms, until a route enters */
    uint64_t life_ms; /* longest stay */
    uint64_t seed;    /* a number that peers cannot guess */
};

/* An empty map without targets; options are copied. NULL: out of memory. */
MUST_USE struct hot_map *hot_map_new(const struct hot_map_options *options);

/* Frees the map with all keys that it gave out. NULL is allowed. */
void hot_map_free(struct hot_map *map);

/* At most so many entries from now on; more than options.entries counts as that. */
void hot_map_limit(struct hot_map *map, uint32_t entries);

/* Whether a key is short enough and of harmless bytes. */
bool hot_map_takes(const char *key, size_t length);

/* ---- what happens to routes ------------------------------------------------------------------------------------- */

/* A lookup was answered with this route; left_ms of its life are left (UINT64_MAX: no end). One that stands in the map
 * for a while enters again: HAProxy does not have it as it should. */
void hot_map_used(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t left_ms,
                  uint64_t now_ms);

/* A cell's response taught this route. It may contradict an entry of its own or of a shorter prefix: that goes. */
void hot_map_learned(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms);

/* The route is gone, and with it what is undecided below it; nor is to be trusted what a shorter prefix says about
 * it. */
void hot_map_forget(struct hot_map *map, const char *key, size_t length);

/* The route is in doubt: its entry goes, and those of shorter prefixes. What is undecided below it stays. */
void hot_map_withdraw(struct hot_map *map, const char *key, size_t length);

/* Redirects were met below this prefix, whose route is the cell's (agent/routes/doubts.h): for life_ms the map says
 * that its requests take the replay pass. It enters at once, and leaves without those of shorter prefixes, which are
 * right for it afterwards; and with its route. Where there is no room, or the key cannot stand there, what would
 * answer for it goes instead. */
void hot_map_undecided(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t life_ms,
                       uint64_t now_ms);

/* Redirects were met at exactly this path, of this cell: the route of the same prefix stays outside for a while. */
void hot_map_bar(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t now_ms);

/* A cell redirected a request for this path: whatever sends the path there goes. */
void hot_map_redirected(struct hot_map *map, const char *path_key, size_t length, uint16_t cell);

/* Drops everything: targets have to be brought in line as a whole. */
void hot_map_flush(struct hot_map *map);

/* The cells have new numbers: what was i is now[i]; numbers >= count and those that become CELL_NONE: gone. */
void hot_map_remap(struct hot_map *map, const uint16_t *now, size_t count);

/* Nothing that is there now stays longer than life_ms. */
void hot_map_distrust(struct hot_map *map, uint64_t life_ms, uint64_t now_ms);

/* A target has this entry, and nobody here knows whether it holds: it stays for life_ms, in doubt. Other targets are
 * brought in line as a whole. False, and nothing happens: the map is full, knows the key already, or knows better about
 * it. */
MUST_USE bool hot_map_inherit(struct hot_map *map, int target, const char *key, size_t length, uint16_t cell,
                              uint64_t life_ms, uint64_t now_ms);

/* A route that may be in doubt holds, with left_ms to live; of another cell, or CELL_NONE: what is there in doubt
 * goes. */
void hot_map_settle(struct hot_map *map, const char *key, size_t length, uint16_t cell, uint64_t left_ms,
                    uint64_t now_ms);

/* Drops at most max entries whose stay is over. Returns how many went. */
size_t hot_map_expire(struct hot_map *map, uint64_t now_ms, size_t max);

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* An open value; the key lives until the map changes and is not zero-ended. */
struct hot_entry {
    const char *key;
    uint16_t length;
    uint16_t cell;
    bool undecided; /* the replay pass, with this cell first */
};

/* The entry of exactly this key. */
MUST_USE bool hot_map_find(const struct hot_map *map, const char *key, size_t length, struct hot_entry *entry);

/* Walks over all entries; *cursor starts at 0. The map may change between calls: what is there all the time is visited
 * once. */
MUST_USE bool hot_map_next(const struct hot_map *map, uint32_t *cursor, struct hot_entry *entry);

/* As hot_map_next(), of those in doubt that were not visited since they were inherited or hot_map_doubt() named
 * them. */
MUST_USE bool hot_map_next_in_doubt(struct hot_map *map, uint32_t *cursor, struct hot_entry *entry);

/* If this key is in doubt, the next walk shall visit it again. */
void hot_map_doubt(struct hot_map *map, const char *key, size_t length);

struct hot_map_stats {
    uint64_t entries, added, expired, evicted, forgotten, refused; /* refused: keys of other bytes */
    uint64_t inherited, confirmed;                                 /* inherited: added, too */
    uint64_t renewed;                                              /* told again, because HAProxy asked for it */
    uint64_t changes;                                              /* grows with every change */
};

/* A copy, as of now. */
struct hot_map_stats hot_map_stats(const struct hot_map *map);

/* ---- targets ---------------------------------------------------------------------------------------------------- */

/* A new target, which needs everything. Returns its number, or -1: there are HOT_TARGETS_MAX. */
MUST_USE int hot_map_target(struct hot_map *map);

enum hot_need {
    HOT_NOTHING,
    HOT_LAZY,   /* entries whose stay is over */
    HOT_URGENT, /* all else */
    HOT_ALL     /* nothing is known of the target, or it is too far behind: resync */
};

/* What the target has to be told next, by urgency. */
enum hot_need hot_map_need(const struct hot_map *map, int target);

/* Nothing is known of the target any more: it needs a resync. In the midst of one: another one after it. */
void hot_map_lost(struct hot_map *map, int target);

/* One thing to tell a target: add the entry, or delete its key (then the cell is CELL_NONE). The entry lives only
 * during the call; the map must not be changed in it. */
typedef void hot_visit(void *user, bool add, const struct hot_entry *entry);

/* Visits what has to be deleted of the next changes, at most max of them, and then what has to be added: in that order
 * a key never stands twice in the target's map. They count as done. Returns how many changes were taken; 0: there are
 * no more, or a resync is needed. */
size_t hot_map_take(struct hot_map *map, int target, size_t max, hot_visit *visit, void *user);

/* Begins a resync: then comes _found for all that the target has, _missing until it is false, _end. The map may change
 * in between: entries that come meanwhile are in the journal, to be told after the end. */
void hot_map_resync_begin(struct hot_map *map, int target);

/* The target has this entry. False: it has to be deleted there. */
MUST_USE bool hot_map_resync_found(struct hot_map *map, int target, const struct hot_entry *found);

/* The target was emptied: what was found does not count. */
void hot_map_resync_emptied(struct hot_map *map, int target);

/* An entry that was not found; *cursor starts at 0. */
MUST_USE bool hot_map_resync_missing(struct hot_map *map, int target, uint32_t *cursor, struct hot_entry *entry);

/* Visits what was dropped in a hurry since begin or the last call, so that it need not wait for the end. At most max.
 * Returns how many; 0: there are no more, or too many to know of. */
size_t hot_map_resync_dropped(struct hot_map *map, int target, size_t max, hot_visit *visit, void *user);

/* From now on the target is told changes, unless hot_map_lost came since _begin. */
void hot_map_resync_end(struct hot_map *map, int target);

#endif
