/* agent/level0/runtime_reply.h - what HAProxy says on its runtime socket, in interactive mode ("prompt"): bytes in,
 * lines, prompts and what stands in them out. Pure. Nothing is trusted: neither that a line ends, nor what it holds.
 * Source: HAProxy management manual 2.6, section 9.3. */
#ifndef CELLROUTER_AGENT_LEVEL0_RUNTIME_REPLY_H
#define CELLROUTER_AGENT_LEVEL0_RUNTIME_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/text_view.h"

/* A line of show map has two keys, and no key of ours is longer than HOT_KEY_MAX; what others put there may be. */
enum { RUNTIME_LINE_MAX = 65536 };

enum runtime_piece {
    RUNTIME_PIECE_MORE,     /* nothing is whole: come again with more bytes */
    RUNTIME_PIECE_LINE,     /* one line, maybe empty */
    RUNTIME_PIECE_PROMPT,   /* "> ": the reply to one command is over */
    RUNTIME_PIECE_PAYLOAD,  /* "+ ": HAProxy reads the next line of a payload */
    RUNTIME_PIECE_TOO_LONG, /* RUNTIME_LINE_MAX bytes without the end of a line */
    RUNTIME_PIECE_BINARY    /* a zero in a line: HAProxy prints none */
};

/* Takes one piece off the front of n bytes. *line is a view into them, without the line's end; *used says how many were
 * taken (0: MORE, TOO_LONG, BINARY). */
MUST_USE enum runtime_piece runtime_reply_take(const char *bytes, size_t n, struct text_view *line, size_t *used);

/* What show info tells of the process. Zeros: not told, or not in digits. */
struct runtime_info {
    uint64_t pid, started; /* started: seconds since 1970 */
    uint64_t version;      /* the number before the first dot */
};

/* Reads one line of show info; lines that are nothing to us change nothing. */
void runtime_reply_info(struct runtime_info *info, struct text_view line);

/* One line of show map: "0x55704f6faa70 /q/ c0|/q/". Views into the line. */
struct runtime_entry {
    struct text_view key;  /* at least one byte */
    struct text_view cell; /* an id, maybe of no cell; no at: the value is none of ours */
    bool undecided;        /* UNDECIDED_MARK stands behind it */
};

/* False: no line of show map. */
MUST_USE bool runtime_reply_entry(struct text_view line, struct runtime_entry *entry);

/* Whether a line may stand in a reply to "add map", "del map" or "clear map": what is to be deleted is not there any
 * more, because HAProxy took it out itself. All else means that the command was not done. */
MUST_USE bool runtime_reply_is_harmless(struct text_view line);

#endif
