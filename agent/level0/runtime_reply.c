/* agent/level0/runtime_reply.c - see the header. A prompt has no line's end: it is known by standing where a line would
 * begin, and no line of the replies that are asked for begins so. */
#include "agent/level0/runtime_reply.h"

#include <string.h>

#include "agent/level0/hot_map.h"

enum runtime_piece runtime_reply_take(const char *bytes, size_t n, struct text_view *line, size_t *used)
{
    *used = 0;
    *line = (struct text_view){bytes, 0};
    if (n >= 2 && (bytes[0] == '>' || bytes[0] == '+') && bytes[1] == ' ') {
        *used = 2;
        return bytes[0] == '>' ? RUNTIME_PIECE_PROMPT : RUNTIME_PIECE_PAYLOAD;
    }
    size_t looked = n < RUNTIME_LINE_MAX ? n : RUNTIME_LINE_MAX;
    const char *end = looked > 0 ? memchr(bytes, '\n', looked) : NULL;
    size_t length = end ? (size_t)(end - bytes) : looked;
    if (length > 0 && memchr(bytes, '\0', length))
        return RUNTIME_PIECE_BINARY;
    if (!end)
        return looked == RUNTIME_LINE_MAX ? RUNTIME_PIECE_TOO_LONG : RUNTIME_PIECE_MORE;
    line->length = length;
    *used = length + 1;
    return RUNTIME_PIECE_LINE;
}

static bool take_word(struct text_view *text, struct text_view word)
{
    if (text->length < word.length || memcmp(text->at, word.at, word.length) != 0)
        return false;
    text->at += word.length;
    text->length -= word.length;
    return true;
}

static size_t digits(struct text_view text)
{
    size_t n = 0;
    while (n < text.length && text.at[n] >= '0' && text.at[n] <= '9')
        n++;
    return n;
}

/* The digits at the front; 0: none, or more than fit. */
static uint64_t number(struct text_view text)
{
    uint64_t value = 0;
    for (size_t i = 0, n = digits(text); i < n; i++) {
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return 0;
        value = value * 10 + digit;
    }
    return value;
}

void runtime_reply_info(struct runtime_info *info, struct text_view line)
{
    if (take_word(&line, TEXT_VIEW("Pid: ")))
        info->pid = number(line);
    else if (take_word(&line, TEXT_VIEW("Start_time_sec: ")))
        info->started = number(line);
    else if (take_word(&line, TEXT_VIEW("Version: ")))
        info->version = number(line);
}

/* What stands behind the key in an entry's value: nothing; that it is undecided; or since when HAProxy itself has it in
 * doubt, which ends without us. */
static bool read_mark(struct text_view mark, bool *undecided)
{
    *undecided = text_view_is(mark, UNDECIDED_MARK);
    if (*undecided || mark.length == 0)
        return true;
    if (!take_word(&mark, TEXT_VIEW("|")))
        return false;
    size_t n = digits(mark);
    mark.at += n;
    mark.length -= n;
    return text_view_is(mark, "|?");
}

/* "c0|/q/" and a mark */
static void read_value(struct text_view value, struct runtime_entry *entry)
{
    const char *bar = value.length > 0 ? memchr(value.at, '|', value.length) : NULL;
    if (!bar)
        return;
    struct text_view cell = {value.at, (size_t)(bar - value.at)};
    struct text_view rest = {bar + 1, value.length - cell.length - 1};
    if (take_word(&rest, entry->key) && read_mark(rest, &entry->undecided))
        entry->cell = cell;
}

/* Takes the text up to the next blank, and the blanks before it. */
static struct text_view take_field(struct text_view *line)
{
    while (line->length > 0 && line->at[0] == ' ') {
        line->at++;
        line->length--;
    }
    struct text_view field = {line->at, 0};
    while (field.length < line->length && line->at[field.length] != ' ')
        field.length++;
    line->at += field.length;
    line->length -= field.length;
    return field;
}

bool runtime_reply_entry(struct text_view line, struct runtime_entry *entry)
{
    *entry = (struct runtime_entry){.undecided = false};
    if (!take_word(&line, TEXT_VIEW("0x")))
        return false;
    (void)take_field(&line);
    entry->key = take_field(&line);
    if (entry->key.length == 0)
        return false;
    if (take_word(&line, TEXT_VIEW(" ")))
        read_value(line, entry);
    return true;
}

bool runtime_reply_is_harmless(struct text_view line)
{
    return line.length == 0 || take_word(&line, TEXT_VIEW("Key not found"));
}
