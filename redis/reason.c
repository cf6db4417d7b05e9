/* redis/reason.c - the table of reasons, and Redis' error codes looked up in it. */
#include "redis/reason.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *id, *text;
    enum store_level level;
} reasons[] = {
#define STORE_REASON(id, level, text) [STORE_REASON_##id] = {#id, text, STORE_LEVEL_##level},
#include "redis/reasons.def"
#undef STORE_REASON
};

/* Redis' codes that are reasons of their own, by the same name. */
static const enum store_reason codes[] = {
    STORE_REASON_READONLY,    STORE_REASON_OOM,      STORE_REASON_NOAUTH,     STORE_REASON_WRONGPASS,
    STORE_REASON_NOPERM,      STORE_REASON_LOADING,  STORE_REASON_BUSY,       STORE_REASON_MOVED,
    STORE_REASON_ASK,         STORE_REASON_TRYAGAIN, STORE_REASON_MASTERDOWN, STORE_REASON_CROSSSLOT,
    STORE_REASON_CLUSTERDOWN, STORE_REASON_MISCONF,  STORE_REASON_NOREPLICAS, STORE_REASON_WRONGTYPE,
    STORE_REASON_NOSCRIPT,
};

/* Errors that Redis gives the general code ERR. */
static const struct {
    const char *start;
    enum store_reason reason;
} sentences[] = {
    {"ERR max number of clients", STORE_REASON_MAXCLIENTS},
    {"ERR invalid password", STORE_REASON_WRONGPASS},                    /* before Redis 6 */
    {"ERR AUTH <password> called", STORE_REASON_WRONGPASS},              /* a password where none is set */
    {"ERR Client sent AUTH, but", STORE_REASON_WRONGPASS},               /* the same, before Redis 6 */
    {"ERR wrong number of arguments for 'auth'", STORE_REASON_NO_USERS}, /* a user's name, before Redis 6 */
    {"ERR unknown command", STORE_REASON_UNSUPPORTED},                   /* and unknown subcommand */
    {"ERR unknown subcommand", STORE_REASON_UNSUPPORTED},
    {"ERR Unknown subcommand", STORE_REASON_UNSUPPORTED},
};

/* The ids are capitals in the table and small letters everywhere else. */
const char *store_reason_name(enum store_reason reason)
{
    static char names[STORE_REASON_COUNT][24];

    if ((unsigned)reason >= STORE_REASON_COUNT)
        return "unknown";
    for (size_t i = 0; names[reason][i] == '\0' && reasons[reason].id[i] != '\0' && i < sizeof names[0] - 1; i++) {
        char c = reasons[reason].id[i];

        names[reason][i] = (char)(c == '_' ? c : c | 0x20);
    }
    return names[reason];
}

const char *store_reason_text(enum store_reason reason)
{
    return (unsigned)reason >= STORE_REASON_COUNT ? "unknown" : reasons[reason].text;
}

enum store_level store_reason_level(enum store_reason reason)
{
    return (unsigned)reason >= STORE_REASON_COUNT ? STORE_LEVEL_WARN : reasons[reason].level;
}

static bool starts(const char *text, size_t n, const char *with)
{
    size_t length = strlen(with);

    return n >= length && memcmp(text, with, length) == 0;
}

/* The code at the start of text, a whole word, or OTHER_ERROR. */
static enum store_reason code_at(const char *text, size_t n)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const char *id = reasons[codes[i]].id;
        size_t length = strlen(id);

        if (starts(text, n, id) && (n == length || text[length] == ' '))
            return codes[i];
    }
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
        if (starts(text, n, sentences[i].start))
            return sentences[i].reason;
    return STORE_REASON_OTHER_ERROR;
}

/* Redis 6: "ERR Error running script (call to f_…): @user_script:12: -READONLY You can't write …". */
static enum store_reason code_in_script_error(const char *text, size_t n)
{
    for (size_t i = 0; i + 2 < n; i++) {
        if (text[i] == ' ' && text[i + 1] == '-') {
            enum store_reason reason = code_at(text + i + 2, n - i - 2);

            if (reason != STORE_REASON_OTHER_ERROR)
                return reason;
        }
    }
    return STORE_REASON_OTHER_ERROR;
}

enum store_reason store_reason_of_error(const char *text, size_t n)
{
    enum store_reason reason = n == 0 ? STORE_REASON_OTHER_ERROR : code_at(text, n);

    if (reason == STORE_REASON_OTHER_ERROR && starts(text, n, "ERR Error running script"))
        reason = code_in_script_error(text, n);
    return reason;
}
