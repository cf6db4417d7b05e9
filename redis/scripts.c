/* redis/scripts.c - the scripts' text, in Lua, and their verdicts.
 *
 * The text is part of the protocol between routers of different versions: it has to read every record that was ever
 * written, and leave alone those of later versions. */
#include "redis/scripts.h"

#include <string.h>

/* Reads what stands at the key: 'none', 'garbage' (any other type as well), 'newer', or 'record' and the array. A
 * record that is dated ahead of Redis' clock by more than clocks may differ is worth nothing; a pinned one always
 * counts. */
#define READ \
    "local stamp, cell, skew = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])\n" \
    "local t = redis.call('TIME')\n" \
    "local latest = t[1] * 1000 + math.floor(t[2] / 1000) + skew\n" \
    "if stamp > latest then return 'skewed' end\n" \
    "local function read(key)\n" \
    "  local v = redis.pcall('GETRANGE', key, 0, 192)\n" \
    "  if type(v) == 'table' then return 'garbage' end\n" \
    "  if v == '' then\n" \
    "    return redis.call('EXISTS', key) == 1 and 'garbage' or 'none'\n" \
    "  end\n" \
    "  local ok, r = pcall(cmsgpack.unpack, v)\n" \
    "  if #v > 192 or not ok or type(r) ~= 'table' or type(r[1]) ~= 'number' then return 'garbage' end\n" \
    "  if r[1] > 1 then return 'newer' end\n" \
    "  if type(r[2]) ~= 'string' or type(r[3]) ~= 'number' or type(r[5]) ~= 'number' or type(r[6]) ~= 'string' then\n" \
    "    return 'garbage'\n" \
    "  end\n" \
    "  if r[5] ~= 1 and r[3] > latest then return 'garbage' end\n" \
    "  return 'record', r\n" \
    "end\n" \
    "local state, r = read(KEYS[1])\n" \
    "if state == 'newer' then return 'newer_version' end\n" \
    "local pinned = state == 'record' and r[5] == 1\n" \
    "local note = redis.pcall('GETRANGE', KEYS[2], 0, 192)\n" \
    "note = type(note) == 'string' and note or ''\n" \
    "local age = state == 'record' and r[3] or 0\n" \
    "local again, whose = string.match(note, '^= (%d+) (.+)$')\n" \
    "if whose and state == 'record' and whose == r[2] then\n" \
    "  if tonumber(again) > age and tonumber(again) <= latest then age = tonumber(again) end\n" \
    "end\n"

/* A claim that says nothing new is not written: the same cell, for the same life, while half of that is left. A write
 * would be told to every router, and each would drop its copy for nothing. Only its stamp is kept for a minute, at the
 * tombstone's key, whose changes nobody is told of ("= <stamp> <cell>"; versions that do not know it see no tombstone):
 * a claim on another cell that was made earlier and comes later still loses. Where a tombstone stands, it is written.
 * Of two claims of one age the one whose text is greater stands, so that every Redis decides alike. */
static const char put_text[] =
    READ "local flags, router, life = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])\n"
         "if pinned and flags ~= 1 then return r[2] == cell and 'kept' or 'pinned' end\n"
         "if state == 'record' and pinned == (flags == 1) then\n"
         "  if age > stamp or (age == stamp and r[2] .. ' ' .. r[6] >= cell .. ' ' .. router) then\n"
         "    return r[2] == cell and 'kept' or 'lost'\n"
         "  end\n"
         "  local says_new = r[2] ~= cell or r[4] ~= life or (r[3] + life * 1000 - stamp) * 2 < life * 1000\n"
         "  if flags ~= 1 and not says_new and (note == '' or again) then\n"
         "    redis.pcall('SET', KEYS[2], '= ' .. ARGV[1] .. ' ' .. cell, 'PX', 60000)\n"
         "    return 'kept'\n"
         "  end\n"
         "end\n"
         "if flags ~= 1 then\n"
         "  local at, who = string.match(note, '^(%d+) (.+)$')\n"
         "  if who == cell and tonumber(at) >= stamp and tonumber(at) <= latest then return 'dropped' end\n"
         "end\n"
         "redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])\n"
         "return state == 'garbage' and 'replaced' or 'written'\n";

/* DEL comes first: it is allowed when Redis is full, and then the tombstone is as well. */
static const char forget_text[] = READ "if pinned then return r[2] == cell and 'pinned' or 'moot' end\n"
                                       "local ours = state == 'record' and r[2] == cell\n"
                                       "if ours and age > stamp then return 'moot' end\n"
                                       "if ours then redis.call('DEL', KEYS[1]) end\n"
                                       "redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. cell, 'PX', ARGV[4])\n"
                                       "return ours and 'forgotten' or 'moot'\n";

const char *script_put(void)
{
    return put_text;
}

const char *script_forget(void)
{
    return forget_text;
}

enum verdict verdict_of(const char *text, size_t n)
{
    static const char *const texts[] = {
        [VERDICT_WRITTEN] = "written", [VERDICT_REPLACED] = "replaced", [VERDICT_FORGOTTEN] = "forgotten",
        [VERDICT_MOOT] = "moot",       [VERDICT_KEPT] = "kept",         [VERDICT_LOST] = "lost",
        [VERDICT_PINNED] = "pinned",   [VERDICT_DROPPED] = "dropped",   [VERDICT_NEWER_VERSION] = "newer_version",
        [VERDICT_SKEWED] = "skewed",
    };

    for (unsigned i = 0; i < VERDICT_UNKNOWN; i++)
        if (strlen(texts[i]) == n && memcmp(texts[i], text, n) == 0)
            return (enum verdict)i;
    return VERDICT_UNKNOWN;
}
