/* agent/report/log.h - log lines in logfmt on a file descriptor: lossy rather than blocking.
 *     ts=2026-01-02T03:04:05.678Z level=warn reason=spoe_bad_frame conn=12 msg="a frame does not parse"
 * Level and sentence of a reason come from agent/report/reasons.def. Lines of reasons that a peer can cause are limited
 * per reason and second; how many were left out is told with the next line of that reason, or by log_tick. No secrets
 * and no bodies belong into a line; bytes from outside are escaped here. */
#ifndef CELLROUTER_AGENT_REPORT_LOG_H
#define CELLROUTER_AGENT_REPORT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

enum log_reason {
#define REASON(id, level, limited, text) REASON_##id,
#include "agent/report/reasons.def"
#undef REASON
    REASON_COUNT
};

struct log;

/* One key=value of a line. Keys are our own words; values may be anything. */
struct log_field {
    const char *key;
    enum { LOG_TEXT, LOG_NUMBER } kind;
    const char *text; /* LOG_TEXT: length bytes, hostile bytes are escaped, cut after 256 */
    size_t length;
    uint64_t number;
};

/* Shorthands for the fields of log_write. A NULL text is written as an empty one. */
#define LOG_STR(key_, text_) (log_text_field(key_, text_))
#define LOG_BYTES(key_, text_, length_) \
    ((struct log_field){.key = (key_), .kind = LOG_TEXT, .text = (text_), .length = (length_)})
#define LOG_NUM(key_, number_) ((struct log_field){.key = (key_), .kind = LOG_NUMBER, .number = (uint64_t)(number_)})
#define LOG_FIELDS(...) \
    (const struct log_field[]){__VA_ARGS__}, sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)

/* What LOG_STR is: a view of text, which ends in a zero, or of nothing when it is NULL. */
struct log_field log_text_field(const char *key, const char *text);

/* Reads the wall clock in milliseconds; given by the caller, so that only main files know a clock. */
typedef uint64_t (*log_clock)(void);

/* Writes to fd, which stays the caller's. per_reason: lines a second of one limited reason. NULL: out of memory. */
MUST_USE struct log *log_new(int fd, enum log_level level, uint32_t per_reason, log_clock wall_ms);

/* NULL is allowed. fd stays open. */
void log_free(struct log *log);

/* Another level and limit from now on; what was counted of this second stays counted. */
void log_set(struct log *log, enum log_level level, uint32_t per_reason);

/* One line. log may be NULL: nothing is written. */
void log_write(struct log *log, enum log_reason reason, const struct log_field *fields, size_t count);

/* The same for an event of another room that has its own level and words: reason is its name there. All of them share
 * one limit with `as`, whose own level and sentence are not used. */
void log_event(struct log *log, enum log_reason as, enum log_level level, const char *reason, const char *text);

/* Tells what was left out in earlier seconds; call it about once a second. */
void log_tick(struct log *log);

/* Lines that could not be written because the reader was too slow or gone. */
uint64_t log_lost(const struct log *log);

/* "error", "warn", "info", "debug". */
const char *log_level_name(enum log_level level);

/* The reason's name in lines, small letters. */
const char *log_reason_name(enum log_reason reason);

#endif
