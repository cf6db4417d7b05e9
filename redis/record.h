/* redis/record.h - what is known of one route, and its bytes in Redis. Pure: no allocation, no clock.
 *
 * The bytes are one msgpack array of six: [version = 1, cell id (str), stamp (uint, ms), life (uint, s), flags (uint),
 * router id (str)]. A value comes from whoever can write to Redis: it is hostile until record_decode() said OK.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md */
#ifndef CELLROUTER_REDIS_RECORD_H
#define CELLROUTER_REDIS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum {
    ROUTE_ID_MAX = 64, /* bytes of a cell's or router's id: the longest that agent/config/settings.def allows */
    ROUTE_LIFE_MAX_S = 31536000,
    ROUTE_RECORD_VERSION = 1,
    /* Array, version, two strings with their headers, stamp, life, flags: 1 + 1 + 2 * (2 + 64) + 9 + 5 + 1 = 149; some
     * room for encoders that do not choose the shortest form. Longer values are not looked into. */
    ROUTE_RECORD_MAX = 192
};

/* Flags of a record. */
enum {
    ROUTE_PINNED = 1, /* set by an operator: wins over what is learned */
    ROUTE_FLAGS_KNOWN = ROUTE_PINNED
};

enum route_record_state {
#define ROUTE_RECORD(id, text) ROUTE_RECORD_##id,
#include "redis/record_states.def"
#undef ROUTE_RECORD
    ROUTE_RECORD_STATES /* how many there are; not a state */
};

/* An open value. Ids are not terminated, they have lengths. */
struct route_record {
    uint64_t stamp_ms; /* wall clock of the router that learned it, ms since 1970 */
    uint32_t life_s;   /* from stamp_ms on, 1 … ROUTE_LIFE_MAX_S */
    uint32_t flags;    /* ROUTE_PINNED or 0 */
    uint8_t cell_length, router_length;
    char cell[ROUTE_ID_MAX];
    char router[ROUTE_ID_MAX]; /* who learned it; may be empty */
};

/* Writes the record into out, of at least ROUTE_RECORD_MAX bytes. Returns the length. The record must be valid: ids
 * from record_set_id, the rest in the limits above. */
size_t record_encode(const struct route_record *record, uint8_t *out);

/* Reads n bytes, which may be anything. On ROUTE_RECORD_OK *record is set, on everything else it is left alone. Judges
 * what does not depend on the time: never FUTURE or EXPIRED. */
MUST_USE enum route_record_state record_decode(const uint8_t *bytes, size_t n, struct route_record *record);

/* Judges a decoded record at the wall time now_ms: OK, FUTURE (stamp more than skew_ms ahead) or EXPIRED. A pinned
 * record whose stamp is ahead is as good as any. */
MUST_USE enum route_record_state record_judge(const struct route_record *record, uint64_t now_ms, uint64_t skew_ms);

/* The milliseconds that the record has left at now_ms; 0 when it is over. */
uint64_t record_left_ms(const struct route_record *record, uint64_t now_ms);

/* Copies an id of n bytes to a record's cell or router field. False, and nothing copied, when it is longer than
 * ROUTE_ID_MAX or holds other bytes than printable ASCII without space, quotes and backslash. n = 0 is false as
 * well. */
MUST_USE bool record_set_id(char field[ROUTE_ID_MAX], uint8_t *len, const char *id, size_t n);

/* "newer_version", and a sentence. Never NULL. */
const char *record_state_name(enum route_record_state state);
const char *record_state_text(enum route_record_state state);

#endif
