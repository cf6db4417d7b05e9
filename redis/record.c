/* redis/record.c - bytes to record and back. What is read is bounded and checked field by field; what is written
 * is in msgpack's shortest form. */
#include "redis/record.h"

#include <assert.h>
#include <string.h>

#include <msgpack/pack.h>

static const struct {
    const char *id, *text;
} states[] = {
#define ROUTE_RECORD(id, text) [ROUTE_RECORD_##id] = {#id, text},
#include "redis/record_states.def"
#undef ROUTE_RECORD
};

const char *record_state_name(enum route_record_state state)
{
    static char names[ROUTE_RECORD_STATES][24];

    if ((unsigned)state >= ROUTE_RECORD_STATES)
        return "unknown";
    for (size_t i = 0; names[state][i] == '\0' && states[state].id[i] != '\0' && i < sizeof names[0] - 1; i++) {
        char c = states[state].id[i];

        names[state][i] = (char)(c == '_' ? c : c | 0x20);
    }
    return names[state];
}

const char *record_state_text(enum route_record_state state)
{
    return (unsigned)state >= ROUTE_RECORD_STATES ? "unknown" : states[state].text;
}

/* Writing */

struct out {
    uint8_t *bytes;
    size_t length;
};

static int append(void *user, const char *bytes, size_t n)
{
    struct out *out = user;

    assert(n <= ROUTE_RECORD_MAX - out->length);
    memcpy(out->bytes + out->length, bytes, n);
    out->length += n;
    return 0;
}

static void pack_text(msgpack_packer *packer, const char *text, size_t n)
{
    msgpack_pack_str(packer, n);
    msgpack_pack_str_body(packer, text, n);
}

size_t record_encode(const struct route_record *record, uint8_t *bytes)
{
    struct out out = {bytes, 0};
    msgpack_packer packer;

    msgpack_packer_init(&packer, &out, append);
    msgpack_pack_array(&packer, 6);
    msgpack_pack_uint8(&packer, ROUTE_RECORD_VERSION);
    pack_text(&packer, record->cell, record->cell_length);
    msgpack_pack_uint64(&packer, record->stamp_ms);
    msgpack_pack_uint32(&packer, record->life_s);
    msgpack_pack_uint32(&packer, record->flags);
    pack_text(&packer, record->router, record->router_length);
    return out.length;
}

/* Reading. msgpack-c's own reader allocates what a header declares (five bytes can ask for 8 GB), so the few forms that
 * a record can have are read here. */

struct in {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct in *in, size_t n)
{
    const uint8_t *bytes = in->at;

    if (in->bad || n > in->left) {
        in->bad = true;
        return NULL;
    }
    in->at += n;
    in->left -= n;
    return bytes;
}

static uint64_t take_number(struct in *in, size_t n)
{
    const uint8_t *bytes = take(in, n);
    uint64_t value = 0;

    for (size_t i = 0; bytes && i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static uint8_t take_head(struct in *in)
{
    return (uint8_t)take_number(in, 1);
}

/* Any form of a number that is not negative, also one stored as signed. */
static uint64_t take_uint(struct in *in)
{
    uint8_t head = take_head(in);

    if (head <= 0x7f)
        return head;
    if (head >= 0xcc && head <= 0xcf)
        return take_number(in, (size_t)1 << (head - 0xcc));
    if (head >= 0xd0 && head <= 0xd3) {
        size_t n = (size_t)1 << (head - 0xd0);
        uint64_t value = take_number(in, n);

        in->bad = in->bad || (value >> (8 * n - 1)) != 0;
        return value;
    }
    in->bad = true;
    return 0;
}

/* array16 is 0xdc, array32 0xdd: the number of bytes that hold the count doubles. */
static uint64_t take_array(struct in *in)
{
    uint8_t head = take_head(in);

    if ((head & 0xf0) == 0x90)
        return head & 0x0f;
    if (head == 0xdc || head == 0xdd)
        return take_number(in, (size_t)2 << (head - 0xdc));
    in->bad = true;
    return 0;
}

static const char *take_text(struct in *in, size_t *length)
{
    uint8_t head = take_head(in);
    uint64_t n = 0;

    if ((head & 0xe0) == 0xa0)
        n = head & 0x1f;
    else if (head >= 0xd9 && head <= 0xdb)
        n = take_number(in, (size_t)1 << (head - 0xd9));
    else
        in->bad = true;
    *length = in->bad || n > in->left ? in->left + 1 : (size_t)n;
    return (const char *)take(in, *length);
}

bool record_set_id(char field[ROUTE_ID_MAX], uint8_t *len, const char *id, size_t n)
{
    if (n == 0 || n > ROUTE_ID_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (id[i] <= ' ' || id[i] >= 0x7f || id[i] == '"' || id[i] == '\'' || id[i] == '\\')
            return false;
    memcpy(field, id, n);
    *len = (uint8_t)n;
    return true;
}

struct fields {
    uint64_t stamp_ms, life_s, flags;
    const char *cell, *router;
    size_t cell_length, router_length;
};

static enum route_record_state judge_fields(const struct fields *fields, struct route_record *record)
{
    struct route_record found = {.stamp_ms = fields->stamp_ms};

    if (!record_set_id(found.cell, &found.cell_length, fields->cell, fields->cell_length))
        return ROUTE_RECORD_BAD_CELL;
    if (fields->router_length != 0 &&
        !record_set_id(found.router, &found.router_length, fields->router, fields->router_length))
        return ROUTE_RECORD_BAD_ROUTER;
    if (fields->life_s == 0 || fields->life_s > ROUTE_LIFE_MAX_S)
        return ROUTE_RECORD_BAD_LIFE;
    if ((fields->flags & ~(uint64_t)ROUTE_FLAGS_KNOWN) != 0)
        return ROUTE_RECORD_BAD_FLAGS;
    found.life_s = (uint32_t)fields->life_s;
    found.flags = (uint32_t)fields->flags;
    *record = found;
    return ROUTE_RECORD_OK;
}

enum route_record_state record_decode(const uint8_t *bytes, size_t n, struct route_record *record)
{
    struct in in = {bytes, n, false};
    struct fields fields = {0};
    uint64_t count, version;

    if (n > ROUTE_RECORD_MAX)
        return ROUTE_RECORD_TOO_LARGE;
    count = take_array(&in);
    version = take_uint(&in);
    if (!in.bad && count >= 1 && version > ROUTE_RECORD_VERSION)
        return ROUTE_RECORD_NEWER_VERSION;
    fields.cell = take_text(&in, &fields.cell_length);
    fields.stamp_ms = take_uint(&in);
    fields.life_s = take_uint(&in);
    fields.flags = take_uint(&in);
    fields.router = take_text(&in, &fields.router_length);
    if (in.bad || in.left != 0 || count != 6 || version != ROUTE_RECORD_VERSION)
        return ROUTE_RECORD_GARBAGE;
    return judge_fields(&fields, record);
}

enum route_record_state record_judge(const struct route_record *record, uint64_t now_ms, uint64_t skew_ms)
{
    bool pinned = (record->flags & ROUTE_PINNED) != 0;

    if (!pinned && record->stamp_ms > now_ms && record->stamp_ms - now_ms > skew_ms)
        return ROUTE_RECORD_FUTURE;
    return record_left_ms(record, now_ms) == 0 ? ROUTE_RECORD_EXPIRED : ROUTE_RECORD_OK;
}

/* A stamp ahead of now gives the whole life, not more. */
uint64_t record_left_ms(const struct route_record *record, uint64_t now_ms)
{
    uint64_t life_ms = (uint64_t)record->life_s * 1000;
    uint64_t age_ms = now_ms > record->stamp_ms ? now_ms - record->stamp_ms : 0;

    return age_ms < life_ms ? life_ms - age_ms : 0;
}
