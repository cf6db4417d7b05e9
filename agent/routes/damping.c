/* agent/routes/damping.c - two brakes before a claim is written: one on a prefix that changes its cell again and again,
 * one on a cell that claims without end.
 *
 * A dispute is what is remembered of a prefix that moved: who had it last, how often it moved within a window of
 * damp_ms, and until when it is held. Its life:
 *
 *   none      nobody has moved this prefix, or nobody has lately. A move begins a dispute, and so does another cell's
 *             claim that drops the route without taking it (damping_dropped); the first claim of a prefix does not.
 *   counting  it moved at most `moves` times in this window. Claims pass. A window that is over begins anew with the
 *             next move.
 *   held      it moved once too often (begin_hold). Every claim is refused, a refresh too, until held_until. A hold
 *             that begins before the last one has been over for its own length is twice as long as that, up to 16 times
 *             damp_ms; later than that it is damp_ms again.
 *
 * What counts as a move: a claim by another cell than the one that has the route; or, when nobody has it, by another
 * one than the last claimant. For a held prefix may lose its route (damping_dropped), and two cells that take turns
 * would otherwise look new each time.
 *
 * Disputes are found by a seeded hash, in sets of WAYS. Two prefixes that share all 64 bits would be damped together,
 * which harms nobody. A full set gives up the quietest one: a free place first, then one that is not held, then the one
 * that was touched longest ago. So memory is fixed, and who floods the table with disputes can only end the memory of
 * older ones.
 *
 * A cell's claims are a token bucket that saves SAVED_MS worth. Tokens are counted in thousandths, so that the refill
 * of a millisecond is claims_per_cell of them. A refresh costs nothing. `dry` makes one event of each time that a cell
 * runs out: it is over only when the bucket is half full again. */
#include "agent/routes/damping.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum {
    WAYS = 4,
    SETS = DAMPING_PREFIXES / WAYS,
    LONGEST_HOLD = 4,       /* doublings */
    TOKEN = 1000,           /* so that claims_per_cell is the refill of one millisecond */
    SAVED_MS = 2000,        /* a full bucket */
    CALM_MS = SAVED_MS / 2, /* a bucket that is this full again has got over it: the next time is an event of its own */
};

struct dispute {
    uint64_t hash;
    uint64_t window;     /* ms: since when moves are counted */
    uint64_t held_until; /* ms */
    uint64_t hold_ms;    /* how long the last hold was; 0: there was none */
    uint64_t touched;    /* ms */
    uint32_t moves;
    uint16_t owner; /* who claimed last, and got it */
    bool used;
};

struct bucket {
    uint64_t tokens;
    uint64_t filled; /* ms: up to when */
    bool started;
    bool dry; /* the event was given */
};

struct damping {
    struct damping_options options;
    struct damping_stats stats;
    struct dispute disputes[SETS][WAYS];
    struct bucket buckets[CELLS_MAX];
};

struct damping *damping_new(const struct damping_options *options)
{
    struct damping *damping = calloc(1, sizeof *damping);
    if (damping)
        damping->options = *options;
    return damping;
}

void damping_free(struct damping *damping)
{
    free(damping);
}

void damping_reset(struct damping *damping, const struct damping_options *options)
{
    uint64_t seed = damping->options.seed;
    memset(damping->disputes, 0, sizeof damping->disputes);
    memset(damping->buckets, 0, sizeof damping->buckets);
    damping->options = *options;
    damping->options.seed = seed;
}

static struct dispute *set_of(struct damping *damping, uint64_t hash)
{
    return damping->disputes[hash % SETS];
}

static struct dispute *find(struct damping *damping, uint64_t hash)
{
    struct dispute *set = set_of(damping, hash);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].used && set[i].hash == hash)
            return &set[i];
    return NULL;
}

/* Would a give way to a new dispute sooner than b? */
static bool is_quieter(const struct dispute *a, const struct dispute *b, uint64_t now_ms)
{
    bool a_held = now_ms < a->held_until, b_held = now_ms < b->held_until;
    if (a->used != b->used)
        return b->used;
    if (a_held != b_held)
        return b_held;
    return a->touched < b->touched;
}

static struct dispute *find_or_begin(struct damping *damping, uint64_t hash, uint16_t owner, uint64_t now_ms)
{
    struct dispute *dispute = find(damping, hash);
    if (dispute)
        return dispute;
    dispute = set_of(damping, hash);
    for (unsigned i = 1; i < WAYS; i++)
        if (is_quieter(&set_of(damping, hash)[i], dispute, now_ms))
            dispute = &set_of(damping, hash)[i];
    *dispute = (struct dispute){.hash = hash, .window = now_ms, .touched = now_ms, .owner = owner, .used = true};
    return dispute;
}

static bool take_token(struct damping *damping, uint16_t cell, uint64_t now_ms, struct damping_event *event)
{
    if (cell >= CELLS_MAX)
        return false;
    struct bucket *bucket = &damping->buckets[cell];
    uint64_t rate = damping->options.claims_per_cell, full = rate * SAVED_MS;
    uint64_t elapsed = now_ms > bucket->filled ? now_ms - bucket->filled : 0;
    if (!bucket->started || elapsed >= SAVED_MS || bucket->tokens + elapsed * rate > full)
        bucket->tokens = full;
    else
        bucket->tokens += elapsed * rate;
    bucket->started = true;
    bucket->filled = now_ms;
    bucket->dry = bucket->dry && bucket->tokens < rate * CALM_MS;
    if (bucket->tokens >= TOKEN) {
        bucket->tokens -= TOKEN;
        return true;
    }
    event->quota_began = !bucket->dry;
    bucket->dry = true;
    return false;
}

static void begin_hold(struct damping *damping, struct dispute *dispute, uint64_t now_ms, struct damping_event *event)
{
    uint64_t longest = (uint64_t)damping->options.damp_ms << LONGEST_HOLD;
    bool again = dispute->hold_ms > 0 && now_ms < dispute->held_until + dispute->hold_ms;
    dispute->hold_ms = again ? dispute->hold_ms * 2 : damping->options.damp_ms;
    if (dispute->hold_ms > longest)
        dispute->hold_ms = longest;
    dispute->held_until = now_ms + dispute->hold_ms;
    *event = (struct damping_event){.hold_began = true, .hold_ms = dispute->hold_ms, .moves = dispute->moves};
    dispute->moves = 0;
    damping->stats.holds++;
}

/* Counts a move; begins a hold when it is one too many. */
static enum damping_verdict count_move(struct damping *damping, struct dispute *dispute, uint64_t now_ms,
                                       struct damping_event *event)
{
    if (now_ms - dispute->window > damping->options.damp_ms) {
        dispute->window = now_ms;
        dispute->moves = 0;
    }
    dispute->moves++;
    if (dispute->moves <= damping->options.moves)
        return DAMPING_PASS;
    begin_hold(damping, dispute, now_ms, event);
    damping->stats.held_claims++;
    return DAMPING_HELD;
}

enum damping_verdict damping_claim(struct damping *damping, const char *key, size_t length, uint16_t former,
                                   uint16_t cell, uint64_t now_ms, struct damping_event *event)
{
    *event = (struct damping_event){0};
    uint64_t hash = XXH3_64bits_withSeed(key, length, damping->options.seed);
    struct dispute *dispute = find(damping, hash);
    bool moves = former != CELL_NONE ? former != cell : dispute && dispute->owner != cell;
    damping->stats.moves += moves;
    if (dispute)
        dispute->touched = now_ms;
    if (dispute && now_ms < dispute->held_until) {
        damping->stats.held_claims++;
        return DAMPING_HELD;
    }
    if (former != cell && !take_token(damping, cell, now_ms, event)) {
        damping->stats.quota_claims++;
        return DAMPING_QUOTA;
    }
    if (moves) {
        dispute = find_or_begin(damping, hash, former, now_ms);
        enum damping_verdict verdict = count_move(damping, dispute, now_ms, event);
        if (verdict != DAMPING_PASS)
            return verdict;
    }
    if (dispute)
        dispute->owner = cell;
    return DAMPING_PASS;
}

void damping_dropped(struct damping *damping, const char *key, size_t length, uint16_t cell, uint64_t now_ms)
{
    uint64_t hash = XXH3_64bits_withSeed(key, length, damping->options.seed);
    struct dispute *dispute = find_or_begin(damping, hash, cell, now_ms);
    dispute->touched = now_ms;
    dispute->owner = cell;
}

struct damping_stats damping_stats(const struct damping *damping)
{
    return damping->stats;
}
