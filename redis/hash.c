/* redis/hash.c - SipHash-1-3 of a host and a prefix. */
#include "redis/hash.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t n)
{
    struct sip s = {key->low ^ UINT64_C(0x736f6d6570736575), key->high ^ UINT64_C(0x646f72616e646f6d),
                    key->low ^ UINT64_C(0x6c7967656e657261), key->high ^ UINT64_C(0x7465646279746573)};
    const unsigned char *at = bytes;
    uint64_t word = 0;

    for (size_t left = n; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        sip_word(&s, word);
    }
    word = (uint64_t)n << 56;
    if (n % 8 != 0)
        memcpy(&word, at, n % 8);
    sip_word(&s, word);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The host's hash is the key of the second one, so that no byte can move from one part to the other unseen. */
static struct hash_key behind_host(const struct hash_key *key, const struct route_name *name)
{
    if (name->host_length == 0)
        return *key;
    return (struct hash_key){key->low, key->high ^ hash_bytes(key, name->host, name->host_length)};
}

uint64_t hash_name(const struct hash_key *key, const struct route_name *name)
{
    struct hash_key inner = behind_host(key, name);

    return hash_bytes(&inner, name->prefix, name->prefix_length);
}

uint64_t hash_tag(const struct hash_key *key, const struct route_name *name)
{
    struct hash_key inner = behind_host(key, name);

    return hash_bytes(&inner, name->prefix, 1 + key_segment(name));
}
