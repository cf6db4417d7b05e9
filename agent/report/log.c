/* agent/report/log.c - a line is put together on the stack, within LINE_MAX_BYTES, and written with one write or not at
 * all. What a line may hold is decided in put_value: bytes from outside are escaped, long values are cut. The limit of
 * a reason is kept in `allowances`, a second at a time. */
#include "agent/report/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A pipe takes up to 4096 bytes at once or says that it is full (pipe(7), PIPE_BUF): lines stay below. */
enum { LINE_MAX_BYTES = 3000, VALUE_MAX_BYTES = 256 };

static const struct {
    const char *name;
    enum log_level level;
    bool limited;
    const char *text;
} reasons[REASON_COUNT] = {
#define REASON(id, level, limited, text) [REASON_##id] = {#id, LOG_##level, limited, text},
#include "agent/report/reasons.def"
#undef REASON
};

struct allowance {
    uint64_t second;
    uint32_t written;
    uint64_t left_out;
};

struct log {
    int fd;
    enum log_level level;
    uint32_t per_reason;
    log_clock wall_ms;
    uint64_t lost;
    bool torn; /* the last line has no end: the disk was full in its midst */
    struct allowance allowances[REASON_COUNT];
};

struct line {
    char bytes[LINE_MAX_BYTES];
    size_t length;
};

const char *log_level_name(enum log_level level)
{
    static const char *const names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
    return names[level];
}

/* The ids are capitals in the table and small letters everywhere else. */
const char *log_reason_name(enum log_reason reason)
{
    static char names[REASON_COUNT][32];
    char *name = names[reason];
    if (!name[0])
        for (size_t i = 0; i < sizeof names[0] - 1 && reasons[reason].name[i]; i++)
            name[i] = reasons[reason].name[i] == '_' ? '_' : (char)(reasons[reason].name[i] | 0x20);
    return name;
}

struct log *log_new(int fd, enum log_level level, uint32_t per_reason, log_clock wall_ms)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    *log = (struct log){.fd = fd, .level = level, .per_reason = per_reason, .wall_ms = wall_ms};
    return log;
}

void log_free(struct log *log)
{
    free(log);
}

void log_set(struct log *log, enum log_level level, uint32_t per_reason)
{
    log->level = level;
    log->per_reason = per_reason;
}

uint64_t log_lost(const struct log *log)
{
    return log->lost;
}

struct log_field log_text_field(const char *key, const char *text)
{
    return LOG_BYTES(key, text, text ? strlen(text) : 0);
}

static void put(struct line *line, const char *bytes, size_t length)
{
    size_t room = sizeof line->bytes - 1 - line->length; /* one byte is the line's end */
    if (length > room)
        length = room;
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static PRINTF_LIKE(2, 3) void put_format(struct line *line, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_text(line, text);
}

/* Bare words need no quotes; everything else gets them, so that a value can never look like the next key. */
static bool is_bare(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 127 || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return length > 0;
}

/* Bytes above 127 are written as \x.., too: a line must be valid text whatever a client sends. */
static void put_quoted(struct line *line, const char *text, size_t length)
{
    put(line, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            put_format(line, "\\%c", c);
        else if (c < ' ' || c >= 127)
            put_format(line, "\\x%02x", c);
        else
            put(line, &text[i], 1);
    }
    put(line, "\"", 1);
}

static void put_value(struct line *line, const char *text, size_t length)
{
    size_t kept = length > VALUE_MAX_BYTES ? VALUE_MAX_BYTES : length;
    if (kept == length && is_bare(text, length))
        put(line, text, length);
    else
        put_quoted(line, text, kept);
    if (kept < length)
        put_format(line, "+%zu", length - kept);
}

static void put_head(struct line *line, uint64_t wall_ms, enum log_level level, const char *reason)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char stamp[32] = "";
    if (gmtime_r(&seconds, &tm))
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    put_format(line, "ts=%s.%03uZ level=%s reason=%s", stamp, (unsigned)(wall_ms % 1000), log_level_name(level),
               reason);
}

/* poll first: the descriptor is shared with other processes, so it is not ours to make non-blocking. */
static bool writes(struct log *log, const char *bytes, size_t length)
{
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
    ssize_t n = poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) ? write(log->fd, bytes, length) : -1;
    if (n > 0)
        log->torn = (size_t)n < length;
    return n == (ssize_t)length;
}

static void send_line(struct log *log, struct line *line)
{
    line->bytes[line->length++] = '\n';
    if ((log->torn && !writes(log, "\n", 1)) || !writes(log, line->bytes, line->length))
        log->lost++;
}

/* Whether a line of this reason may be written now; *left_outp is what the last seconds swallowed. */
static bool allowed(struct log *log, enum log_reason reason, uint64_t wall_ms, uint64_t *left_outp)
{
    struct allowance *a = &log->allowances[reason];
    *left_outp = 0;
    if (!reasons[reason].limited)
        return true;
    if (a->second != wall_ms / 1000) {
        a->second = wall_ms / 1000;
        a->written = 0;
    }
    if (a->written >= log->per_reason) {
        a->left_out++;
        return false;
    }
    a->written++;
    *left_outp = a->left_out;
    a->left_out = 0;
    return true;
}

static void put_field(struct line *line, const struct log_field *field)
{
    put_format(line, " %s=", field->key);
    if (field->kind == LOG_NUMBER)
        put_format(line, "%" PRIu64, field->number);
    else
        put_value(line, field->text ? field->text : "", field->text ? field->length : 0);
}

static void write_line(struct log *log, enum log_reason reason, enum log_level level, const char *name,
                       const char *text, const struct log_field *fields, size_t count)
{
    uint64_t left_out, now = log->wall_ms();
    if (!allowed(log, reason, now, &left_out))
        return;
    struct line line = {.length = 0};
    put_head(&line, now, level, name);
    for (size_t i = 0; i < count; i++)
        put_field(&line, &fields[i]);
    if (left_out)
        put_format(&line, " left_out=%" PRIu64, left_out);
    put_text(&line, " msg=");
    put_quoted(&line, text, strlen(text));
    send_line(log, &line);
}

void log_write(struct log *log, enum log_reason reason, const struct log_field *fields, size_t count)
{
    if (!log || reasons[reason].level > log->level)
        return;
    write_line(log, reason, reasons[reason].level, log_reason_name(reason), reasons[reason].text, fields, count);
}

void log_event(struct log *log, enum log_reason as, enum log_level level, const char *reason, const char *text)
{
    if (!log || level > log->level)
        return;
    write_line(log, as, level, reason, text, NULL, 0);
}

void log_tick(struct log *log)
{
    uint64_t now = log->wall_ms();
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        struct allowance *a = &log->allowances[reason];
        if (!a->left_out || a->second == now / 1000)
            continue;
        struct line line = {.length = 0};
        put_head(&line, now, reasons[reason].level, log_reason_name((enum log_reason)reason));
        put_format(&line, " left_out=%" PRIu64 " msg=\"lines left out\"", a->left_out);
        send_line(log, &line);
        a->left_out = 0;
    }
}
