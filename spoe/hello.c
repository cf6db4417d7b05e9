/* spoe/hello.c - the key/value lists of HELLO and DISCONNECT, and the lists within their texts (versions,
 * capabilities). Each reader fills a copy, which the caller gets only when all of the payload was right. */
#include "spoe/hello.h"

/* Keys of both sides. */
static const char supported_versions_key[] = "supported-versions";
static const char version_key[] = "version";
static const char frame_size_key[] = "max-frame-size";
static const char capabilities_key[] = "capabilities";
static const char healthcheck_key[] = "healthcheck";
static const char engine_id_key[] = "engine-id";
static const char status_key[] = "status-code";
static const char text_key[] = "message";

bool spop_next_pair(struct spop_cursor *list, struct text_view *key, struct spop_data *value)
{
    if (!spop_more(list))
        return false;
    *key = spop_read_text(list);
    *value = spop_read_data(list);
    if (key->length == 0)
        list->bad = true;
    return !list->bad;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next item of a comma-separated list, without the spaces around it. False at the end. */
static bool next_item(struct text_view *list, struct text_view *item)
{
    if (list->length == 0)
        return false;
    const char *at = list->at, *end = at + list->length;
    const char *comma = memchr(at, ',', list->length);
    const char *stop = comma ? comma : end;
    *list = comma ? (struct text_view){.at = comma + 1, .length = (size_t)(end - comma - 1)} : (struct text_view){0};
    while (at < stop && is_space(*at))
        at++;
    while (stop > at && is_space(stop[-1]))
        stop--;
    *item = (struct text_view){.at = at, .length = (size_t)(stop - at)};
    return true;
}

/* "2.0", "2.12": digits, a dot, digits. */
static bool is_version_2(struct text_view version)
{
    if (version.length < 3 || version.at[0] != '2' || version.at[1] != '.')
        return false;
    for (size_t i = 2; i < version.length; i++)
        if (version.at[i] < '0' || version.at[i] > '9')
            return false;
    return true;
}

static bool has_version_2(struct text_view versions)
{
    struct text_view version;
    while (next_item(&versions, &version))
        if (is_version_2(version))
            return true;
    return false;
}

static void read_capabilities(struct text_view list, struct spop_hello *hello)
{
    struct text_view item;
    while (next_item(&list, &item)) {
        hello->pipelining = hello->pipelining || text_view_is(item, "pipelining");
        hello->async = hello->async || text_view_is(item, "async");
        hello->fragmentation = hello->fragmentation || text_view_is(item, "fragmentation");
    }
}

/* Any integer type; negative numbers and what is no integer are refused, large ones clamped. */
static bool read_number(const struct spop_data *value, uint32_t *number)
{
    bool is_signed = value->type == SPOP_INT32 || value->type == SPOP_INT64;
    if (!is_signed && value->type != SPOP_UINT32 && value->type != SPOP_UINT64)
        return false;
    if (is_signed && value->integer < 0)
        return false;
    uint64_t wide = is_signed ? (uint64_t)value->integer : value->natural;
    *number = wide > UINT32_MAX ? UINT32_MAX : (uint32_t)wide;
    return true;
}

/* Which mandatory keys were there. */
struct seen {
    bool versions, frame_size, capabilities;
};

/* False: a known key with a value of the wrong type. */
static bool read_hello_pair(const char *versions_key, struct text_view key, const struct spop_data *value,
                            struct spop_hello *hello, struct seen *seen)
{
    bool is_string = value->type == SPOP_STRING;
    if (text_view_is(key, versions_key)) {
        seen->versions = true;
        hello->version_2 = is_string && has_version_2(value->text);
        return is_string;
    }
    if (text_view_is(key, frame_size_key)) {
        seen->frame_size = true;
        return read_number(value, &hello->frame_size);
    }
    if (text_view_is(key, capabilities_key)) {
        seen->capabilities = true;
        if (is_string)
            read_capabilities(value->text, hello);
        return is_string;
    }
    if (text_view_is(key, healthcheck_key)) {
        hello->healthcheck = value->type == SPOP_BOOL && value->boolean;
        return value->type == SPOP_BOOL;
    }
    if (text_view_is(key, engine_id_key)) {
        hello->engine_id = is_string ? value->text : (struct text_view){0};
        return is_string;
    }
    return true;
}

static enum spop_status read_hello(struct spop_cursor payload, const char *versions_key, struct spop_hello *hello)
{
    struct spop_hello read = {0};
    struct seen seen = {0};
    struct text_view key;
    struct spop_data value;
    while (spop_next_pair(&payload, &key, &value))
        if (!read_hello_pair(versions_key, key, &value, &read, &seen))
            return SPOP_STATUS_INVALID;
    if (payload.bad)
        return SPOP_STATUS_INVALID;
    if (!seen.versions)
        return SPOP_STATUS_NO_VERSION;
    if (!seen.frame_size)
        return SPOP_STATUS_NO_FRAME_SIZE;
    if (!seen.capabilities)
        return SPOP_STATUS_NO_CAPABILITIES;
    if (!read.version_2)
        return SPOP_STATUS_BAD_VERSION;
    if (read.frame_size < SPOP_FRAME_SIZE_MIN)
        return SPOP_STATUS_BAD_FRAME_SIZE;
    *hello = read;
    return SPOP_STATUS_OK;
}

enum spop_status spop_read_haproxy_hello(struct spop_cursor payload, struct spop_hello *hello)
{
    return read_hello(payload, supported_versions_key, hello);
}

enum spop_status spop_read_agent_hello(struct spop_cursor payload, struct spop_hello *hello)
{
    return read_hello(payload, version_key, hello);
}

static void write_pair(struct spop_writer *w, const char *key, struct spop_data value)
{
    spop_write_arg(w, (struct text_view){.at = key, .length = strlen(key)}, &value);
}

static struct spop_data number(uint32_t value)
{
    return (struct spop_data){.type = SPOP_UINT32, .natural = value};
}

static struct spop_data string(struct text_view text)
{
    return (struct spop_data){.type = SPOP_STRING, .text = text};
}

bool spop_write_agent_hello(struct spop_writer *w, uint32_t frame_size, uint32_t max)
{
    size_t begin = spop_begin_frame(w, SPOP_AGENT_HELLO, 0, 0);
    write_pair(w, version_key, string(TEXT_VIEW("2.0")));
    write_pair(w, frame_size_key, number(frame_size));
    write_pair(w, capabilities_key, string(TEXT_VIEW("pipelining")));
    return spop_end_frame(w, begin, max);
}

bool spop_write_haproxy_hello(struct spop_writer *w, const struct spop_hello *hello, uint32_t max)
{
    size_t begin = spop_begin_frame(w, SPOP_HAPROXY_HELLO, 0, 0);
    write_pair(w, supported_versions_key, string(hello->version_2 ? TEXT_VIEW("2.0") : TEXT_VIEW("1.0")));
    write_pair(w, frame_size_key, number(hello->frame_size));
    write_pair(w, capabilities_key, string(hello->pipelining ? TEXT_VIEW("pipelining") : TEXT_VIEW("")));
    if (hello->engine_id.length > 0)
        write_pair(w, engine_id_key, string(hello->engine_id));
    if (hello->healthcheck)
        write_pair(w, healthcheck_key, spop_bool(true));
    return spop_end_frame(w, begin, max);
}

bool spop_write_disconnect(struct spop_writer *w, enum spop_frame_type type, enum spop_status status,
                           struct text_view text, uint32_t max)
{
    size_t begin = spop_begin_frame(w, type, 0, 0);
    write_pair(w, status_key, number((uint32_t)status));
    write_pair(w, text_key, string(text));
    return spop_end_frame(w, begin, max);
}

bool spop_read_disconnect(struct spop_cursor payload, struct spop_disconnect *disconnect)
{
    struct spop_disconnect read = {.status = SPOP_STATUS_UNKNOWN};
    struct text_view key;
    struct spop_data value;
    while (spop_next_pair(&payload, &key, &value)) {
        if (text_view_is(key, status_key) && !read_number(&value, &read.status))
            return false;
        if (text_view_is(key, text_key)) {
            if (value.type != SPOP_STRING)
                return false;
            read.text = value.text;
        }
    }
    if (payload.bad)
        return false;
    *disconnect = read;
    return true;
}
