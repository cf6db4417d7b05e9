/* agent/config/config_settings.c - the table of settings, the nearest known key, and what is generated from the table
 * for people: the manual and the sample configuration. */
#include "agent/config/config_settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/nearest.h"

#define SIZE_CHECK(type, field, wanted) _Static_assert(sizeof(((type *)0)->field) == (wanted), "settings.def: " #field)
#define SIZE_OF_NUMBER sizeof(uint32_t)
#define SIZE_OF_SIZE sizeof(uint64_t)
#define SIZE_OF_MODE sizeof(unsigned)
#define SIZE_OF_BOOL sizeof(bool)
#define SIZE_OF_TEXT sizeof(char *)
#define SIZE_OF_LIST sizeof(struct config_list)
#define SIZE_OF_CHOICE sizeof(int)
#define SETTING(section, key, field, kind, check, preset, min, max, unit, when, text) \
    SIZE_CHECK(struct config, field, SIZE_OF_##kind);
#define CELL_SETTING(key, field, kind, check, preset, min, max, unit, when, text) \
    SIZE_CHECK(struct config_cell, field, SIZE_OF_##kind);
#include "agent/config/settings.def"
#undef SETTING
#undef CELL_SETTING

#define SETTING(section, key, field, kind, check, preset, min, max, unit, when, text) \
    {section,     key, offsetof(struct config, field), SETTING_##kind, CHECK_##check, preset, min, max, unit, \
     WHEN_##when, text},
#define CELL_SETTING(key, field, kind, check, preset, min, max, unit, when, text) \
    {"cell",      key, offsetof(struct config_cell, field), SETTING_##kind, CHECK_##check, preset, min, max, unit, \
     WHEN_##when, text},
const struct setting settings[] = {
#include "agent/config/settings.def"
};
#undef SETTING
#undef CELL_SETTING
const size_t setting_count = sizeof settings / sizeof settings[0];

static const struct setting_word cell_answers[] = {
    {"302", CELL_ANSWER_302}, {"421", CELL_ANSWER_421}, {"425", CELL_ANSWER_425}, {NULL, 0}};
static const struct setting_word log_levels[] = {
    {"error", LOG_ERROR}, {"warn", LOG_WARN}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {NULL, 0}};
static const struct setting_word direct_hits[] = {{"safe", DIRECT_HITS_SAFE},
                                                  {"fresh", DIRECT_HITS_FRESH},
                                                  {"all", DIRECT_HITS_ALL},
                                                  {"never", DIRECT_HITS_NEVER},
                                                  {NULL, 0}};

const struct setting_word *setting_words(enum setting_check check)
{
    if (check == CHECK_cell_answers)
        return cell_answers;
    return check == CHECK_log_levels ? log_levels : direct_hits;
}

bool setting_in_cell(const struct setting *setting)
{
    return strcmp(setting->section, "cell") == 0;
}

const struct setting *setting_find(const char *section, const char *key)
{
    for (size_t i = 0; i < setting_count; i++)
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
            return &settings[i];
    return NULL;
}

bool setting_is_section(const char *section)
{
    for (size_t i = 0; i < setting_count; i++)
        if (strcmp(settings[i].section, section) == 0)
            return true;
    return false;
}

/* What people write who know another program's configuration. */
static const struct wrong_name {
    const char *section, *wrong, *right, *advice;
} wrong_names[] = {
    {"redis", "password", "password-file", "the password is the first line of a file of its own"},
    {"redis", "auth", "password-file", "the password is the first line of a file of its own"},
    {"redis", "user", "username", NULL},
    {"redis", "host", "address", "host:port in one"},
    {"redis", "port", "address", "host:port in one"},
    {"redis", "url", "address", "host:port, or unix:/path"},
    {"redis", "socket", "address", "unix:/path"},
    {"spoe", "bind", "listen", NULL},
    {"spoe", "socket", "listen", "{\"unix:/path\"}"},
    {"spoe", "address", "listen", NULL},
    {"admin", "listen", "socket", NULL},
    {"haproxy", "socket", "runtime", NULL},
};

static const struct wrong_name *find_wrong(const char *section, const char *key)
{
    for (size_t i = 0; i < sizeof wrong_names / sizeof wrong_names[0]; i++)
        if (strcmp(wrong_names[i].section, section) == 0 && strcmp(wrong_names[i].wrong, key) == 0)
            return &wrong_names[i];
    return NULL;
}

const char *setting_advice(const char *section, const char *key)
{
    const struct wrong_name *name = find_wrong(section, key);
    return name ? name->advice : NULL;
}

/* max-conn for max-connections. */
static bool is_shortened(const char *candidate, const char *key)
{
    return strlen(key) >= 4 && strncmp(candidate, key, strlen(key)) == 0;
}

const char *setting_nearest(const char *section, const char *key)
{
    const struct wrong_name *name = find_wrong(section, key);
    const char *longer = NULL;
    struct nearest search = nearest_to(key, strlen(key));
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].section, section) == 0)
            nearest_try(&search, settings[i].key);
        else if (section[0] == '\0')
            nearest_try(&search, settings[i].section);
        if (strcmp(settings[i].section, section) == 0 && is_shortened(settings[i].key, key) && !longer)
            longer = settings[i].key;
    }
    return name ? name->right : search.best ? search.best : longer;
}

static void describe_words(const struct setting *setting, char *out, size_t size)
{
    size_t at = 0;
    for (const struct setting_word *word = setting_words(setting->check); word->word; word++) {
        int n = snprintf(out + at, size - at, "%s%s", at ? (word[1].word ? ", " : " or ") : "", word->word);
        if (n < 0 || (size_t)n >= size - at)
            return;
        at += (size_t)n;
    }
}

static const char *describe_check(enum setting_check check)
{
    switch (check) {
    case CHECK_PLAIN: return "printable characters without blanks";
    case CHECK_ID:
    case CHECK_ID_OR_EMPTY: return "letters, digits, - and _";
    case CHECK_NAME: return "printable characters without quotes, braces, commas, colons, \\ and $";
    case CHECK_SERVER:
    case CHECK_SERVER_OR_EMPTY: return "host:port, [v6]:port or unix@/path";
    case CHECK_OPTIONS: return "one line of HAProxy's server options";
    case CHECK_LINE: return "a line for a backend of HAProxy's, such as option httpchk GET /health";
    case CHECK_ADDRESS:
    case CHECK_ADDRESS_OR_EMPTY: return "unix:/path, host:port or [v6]:port";
    case CHECK_SOCKET_OR_EMPTY: return "an absolute path of at most 107 bytes";
    case CHECK_PATH_OR_EMPTY: return "an absolute path";
    case CHECK_HAPROXY_PATH_OR_EMPTY: return "an absolute path without blanks, quotes, commas, brackets, \\ and $";
    case CHECK_PREFIX: return "a path that starts and ends with /, such as /admin/";
    case CHECK_TOKEN: return "letters, digits, -, / and dots, as in websocket";
    case CHECK_HEADER: return "letters, digits and -, as in X-Gitlab-Cell-";
    case CHECK_TYPE: return "letters, digits, -, +, ., _ and /, as in application/connect+";
    case CHECK_LOOP: return "abns@name or unix@/path";
    case CHECK_CLASS: return "a size of 16k to 255m and, behind a colon, 1 to 10000 requests, as in 64k:32";
    case CHECK_NONE:
    case CHECK_cell_answers:
    case CHECK_log_levels:
    case CHECK_direct_hits: break;
    }
    return "";
}

void setting_describe(const struct setting *s, char *out, size_t size)
{
    const char *blank = s->unit[0] ? " " : "";
    switch (s->kind) {
    case SETTING_NUMBER:
    case SETTING_SIZE:
        snprintf(out, size, "%" PRIu64 " to %" PRIu64 "%s%s%s", s->min, s->max, blank, s->unit,
                 s->kind == SETTING_SIZE ? ", k, m or g may follow" : "");
        return;
    case SETTING_MODE: snprintf(out, size, "an octal mode such as %s", s->preset); return;
    case SETTING_BOOL: snprintf(out, size, "true or false"); return;
    case SETTING_CHOICE: describe_words(s, out, size); return;
    case SETTING_TEXT:
    case SETTING_LIST: snprintf(out, size, "%s", describe_check(s->check)); return;
    }
}

void setting_print(const struct setting *setting, const void *whole, FILE *out)
{
    const void *at = (const char *)whole + setting->offset;
    switch (setting->kind) {
    case SETTING_NUMBER: fprintf(out, "%" PRIu32, *(const uint32_t *)at); break;
    case SETTING_SIZE: fprintf(out, "%" PRIu64, *(const uint64_t *)at); break;
    case SETTING_MODE: fprintf(out, "%04o", *(const unsigned *)at); break;
    case SETTING_BOOL: fputs(*(const bool *)at ? "true" : "false", out); break;
    case SETTING_TEXT: fputs(*(char *const *)at, out); break;
    case SETTING_LIST: break;
    case SETTING_CHOICE:
        for (const struct setting_word *word = setting_words(setting->check); word->word; word++)
            if (word->value == *(const int *)at)
                fputs(word->word, out);
        break;
    }
}

static const char *when_text(enum setting_when when)
{
    switch (when) {
    case WHEN_LIVE: return "a reload";
    case WHEN_RESTART: return "a restart";
    case WHEN_TOOL: break;
    }
    return "cellctl haproxy";
}

/* The default as it would stand in the file. */
static void print_preset(FILE *out, const struct setting *s)
{
    if (s->kind == SETTING_LIST)
        fprintf(out, s->preset[0] ? "{%s}" : "{}", s->preset);
    else if (s->kind == SETTING_TEXT || s->kind == SETTING_CHOICE)
        fprintf(out, "\"%s\"", s->preset);
    else
        fprintf(out, "%s", s->preset);
}

void config_print_settings(FILE *out)
{
    const char *section = "-";
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        char right[300];
        if (strcmp(section, s->section) != 0)
            fprintf(out, "%s%s\n", i ? "\n" : "",
                    !s->section[0]       ? "top level"
                    : setting_in_cell(s) ? "cell \"ID\" { }, for each cell"
                                         : s->section);
        section = s->section;
        setting_describe(s, right, sizeof right);
        fprintf(out, "  %s = ", s->key);
        print_preset(out, s);
        fprintf(out, "\n      %s\n      values: %s; changes take effect with %s\n", s->text, right, when_text(s->when));
    }
}

static const char sample_head[] =
    "# cellrouter.conf - the cell router's configuration. Generated by `cellctl settings --sample`; a line that "
    "starts\n"
    "# with #key shows the default of a setting. ${NAME} and ${NAME:-text} stand for variables of the environment.\n"
    "#   cellctl check -f cellrouter.conf        checks this file; cellrouter -c also looks at this machine\n"
    "#   cellctl haproxy -f cellrouter.conf      prints HAProxy's configuration for these cells\n"
    "\n"
    "# region of this router; at least one cell must be in it\n"
    "region = \"eu\"\n";

static const char sample_cells[] = "\n# One block for each cell of all regions, under its id.\n"
                                   "cell \"eu0\" {\n"
                                   "    name = \"Cell EU0\"\n"
                                   "    servers = {\"127.0.0.1:8001\", \"127.0.0.1:8002\"}\n"
                                   "    server-options = \"check inter 1s\"\n"
                                   "}\n"
                                   "cell \"us0\" {\n"
                                   "    name = \"Cell US0\"\n"
                                   "    region = \"us\"\n"
                                   "    servers = {\"127.0.0.1:8003\"}\n";

/* A comment in lines of at most 110 bytes, broken at blanks. */
static void sample_comment(FILE *out, const char *indent, const char *text)
{
    enum { LINE_MAX_BYTES = 110 };
    while (*text) {
        size_t length = strlen(text), end = length;
        if (length > LINE_MAX_BYTES)
            for (end = LINE_MAX_BYTES; end > 0 && text[end] != ' '; end--)
                ;
        if (end == 0) /* one word that is longer than a line */
            end = strcspn(text, " ");
        fprintf(out, "%s# %.*s\n", indent, (int)end, text);
        text += end + strspn(text + end, " ");
    }
}

static void sample_setting(FILE *out, const struct setting *s, const char *indent)
{
    char right[300], text[800];
    setting_describe(s, right, sizeof right);
    snprintf(text, sizeof text, "%s (%s)", s->text, right);
    sample_comment(out, indent, text);
    fprintf(out, "%s#%s = ", indent, s->key);
    print_preset(out, s);
    fputc('\n', out);
}

void config_print_sample(FILE *out)
{
    const char *section = "";
    fputs(sample_head, out);
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(section, s->section) != 0) {
            fputs(section[0] ? "}\n" : "", out);
            if (setting_in_cell(s))
                fputs(sample_cells, out);
            else
                fprintf(out, "\n%s {\n", s->section);
        }
        section = s->section;
        if (s->kind == SETTING_TEXT && s->min > 0 && !s->preset[0])
            continue; /* has no default, and stands above */
        sample_setting(out, s, section[0] ? "    " : "");
    }
    fputs("}\n", out);
}
