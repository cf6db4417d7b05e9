/* redis/store_read.c - questions to Redis and what the replies mean.
 *
 * A question is one GETRANGE a prefix, all in one write and one read: unlike MGET it never fetches more of a value than
 * a record can have, so that a value of 500 MB at a key costs nobody 500 MB, and a key of another type is an error that
 * is seen. */
#include "redis/store_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { VERIFY_MOST = 256 }; /* verifying reads in flight; beyond it level 1 is told to drop instead */

/* Left out are names that are known as absent: bits of the prefixes to ask for. */
static uint32_t unknown_names(const struct route_store *store, const struct route_question *what, uint64_t now_ms)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < what->count; i++) {
        struct route_name name = {what->host, what->host_length, what->text, what->ends[i]};

        if (!expiring_set_has(store->absent, hash_name(&store->hash, &name), now_ms))
            bits |= UINT32_C(1) << i;
    }
    return bits;
}

static void add_read_of(struct command *command, const struct route_name *name)
{
    command_begin(command, 4);
    command_text(command, "GETRANGE");
    command_key(command, name);
    command_text(command, "0");
    command_number(command, ROUTE_RECORD_MAX); /* one byte more than a record: enough to see that it is too large */
}

/* One value of one prefix */

static void note_hostile(struct route_store *store, const struct route_name *name, enum route_record_state state)
{
    char text[ROUTE_ID_MAX + 128];
    int n;

    store->counters.hostile[state]++;
    if (state == ROUTE_RECORD_EXPIRED)
        return; /* Redis is about to remove it, nothing is wrong */
    n = snprintf(text, sizeof text, "%s at %.*s%.*s", record_state_name(state), (int)name->host_length,
                 name->host_length == 0 ? "" : name->host, name->prefix_length > 80 ? 80 : (int)name->prefix_length,
                 name->prefix);
    store_event(store, STORE_REASON_HOSTILE, "ask", text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void take_value(struct route_store *store, struct question *question, size_t i, const redisReply *reply)
{
    struct route_record record;
    struct route_name name = question_name(question, i);
    enum route_record_state state;

    if (reply->len == 0)
        return; /* GETRANGE's way to say that there is no such key */
    state = record_decode((const uint8_t *)reply->str, (size_t)reply->len, &record);
    if (state == ROUTE_RECORD_OK)
        state = record_judge(&record, store_wall_ms(store), store->config.skew_ms);
    if (state != ROUTE_RECORD_OK) {
        note_hostile(store, &name, state);
        return;
    }
    store->counters.hostile[ROUTE_RECORD_OK]++;
    question->there |= UINT32_C(1) << i;
    if ((int)i > question->best) {
        question->best = (int8_t)i;
        question->record = record;
    }
}

static void take_error(struct route_store *store, struct question *question, const redisReply *reply)
{
    enum store_reason reason = store_error(store, "ask", reply);

    if (reason != STORE_REASON_WRONGTYPE && question->failure == STORE_REASON_NONE)
        question->failure = reason; /* WRONGTYPE is a miss for this prefix, nothing to the others */
}

/* Replies have come out of step with the questions: none of them can be believed. */
static void take_nonsense(struct route_store *store, struct question *question)
{
    question->failure = STORE_REASON_PROTOCOL;
    redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "GETRANGE");
}

/* All replies to a question */

/* A claim of ours that waits to be written, or is on its way to a primary far from here. */
static const struct claim *pending(const struct route_store *store, const struct route_name *name)
{
    const struct claim *claim = write_queue_find(store->writer.queue, name);

    return claim ? claim : store_far_find(store, name);
}

/* Such a claim may be newer than what Redis has. Sets *record for a PUT that is. */
enum overlay { OVERLAY_NONE, OVERLAY_PUT, OVERLAY_FORGET };

static enum overlay overlay_of(const struct route_store *store, const struct route_name *name,
                               const struct route_record *theirs, const struct route_record **ours)
{
    const struct claim *claim = pending(store, name);

    if (!claim)
        return OVERLAY_NONE;
    if (theirs && ((theirs->flags & ROUTE_PINNED) != 0 || theirs->stamp_ms > claim->record.stamp_ms))
        return OVERLAY_NONE;
    *ours = &claim->record;
    if (claim->kind == CLAIM_PUT)
        return record_left_ms(&claim->record, store_wall_ms(store)) == 0 ? OVERLAY_NONE : OVERLAY_PUT;
    if (theirs && theirs->cell_length == claim->record.cell_length &&
        memcmp(theirs->cell, claim->record.cell, theirs->cell_length) == 0)
        return OVERLAY_FORGET;
    return OVERLAY_NONE;
}

static void set_found(const struct route_store *store, const struct question *question, size_t i,
                      const struct route_record *record, struct route_answer *answer)
{
    bool protects = store->watch.protects && question->epoch == store->watch.epoch;

    answer->outcome = ROUTE_FOUND;
    answer->route = question_name(question, i);
    answer->record = *record;
    answer->left_ms = record_left_ms(record, store_wall_ms(store));
    answer->trust = question->raced ? ROUTE_TRUST_ONCE : protects ? ROUTE_TRUST_FULL : ROUTE_TRUST_SHORT;
}

/* From the longest prefix down to that of the record found. A record below one that waits to be forgotten is not known:
 * only the longest was kept, so the lookup is a miss. */
static void judge(const struct route_store *store, const struct question *question, struct route_answer *answer)
{
    *answer = (struct route_answer){.outcome = ROUTE_ABSENT};
    for (size_t i = question->what.count; i-- > 0;) {
        struct route_name name = question_name(question, i);
        bool is_best = question->best == (int)i;
        const struct route_record *theirs = is_best ? &question->record : NULL, *ours;

        switch (overlay_of(store, &name, theirs, &ours)) {
        case OVERLAY_PUT: set_found(store, question, i, ours, answer); return;
        case OVERLAY_FORGET: return;
        case OVERLAY_NONE: break;
        }
        if (is_best) {
            set_found(store, question, i, theirs, answer);
            return;
        }
    }
}

/* Only while changes are told, and only what did not change on the way. Values that are no records count as not there:
 * when they change, that is told as well. */
static void remember_absent(struct route_store *store, const struct question *question)
{
    uint64_t now_ms = clock_now_ms();

    if (question->raced || !store->watch.protects || question->epoch != store->watch.epoch)
        return;
    for (size_t i = 0; i < question->what.count; i++) {
        struct route_name name = question_name(question, i);

        if (((question->asked & ~question->there) >> i & 1) != 0 && !pending(store, &name))
            expiring_set_add(store->absent, hash_name(&store->hash, &name), now_ms, now_ms + store->config.absent_ms);
    }
}

/* How long it took says how far away Redis is. */
static void judge_distance(struct route_store *store, const struct question *question)
{
    uint64_t now_ms = clock_now_ms(), took_ms = now_ms - question->asked_ms;
    char text[80];
    int n;

    distance_saw(&store->distance, (uint32_t)took_ms, now_ms);
    if (!distance_judge(&store->distance, (uint32_t)took_ms, store->config.deadline_ms, now_ms) ||
        !store->distance.beyond)
        return;
    n = snprintf(text, sizeof text, "round trip %u ms, redis.deadline %u ms", distance_nearest_ms(&store->distance),
                 store->config.deadline_ms);
    store_event(store, STORE_REASON_BEYOND, "ask", text, (size_t)n);
}

static void finish(struct route_store *store, struct question *question)
{
    struct route_answer answer = {.outcome = ROUTE_FAILED, .reason = question->failure};

    if (question->failure == STORE_REASON_NONE) {
        judge_distance(store, question);
        judge(store, question, &answer);
        remember_absent(store, question);
        store->counters.raced += question->raced;
    }
    if (!list_is_empty(&question->waits)) {
        store_answer_all(store, question, &answer);
    } else if (!store->ending) {
        store->counters.late++;
        if (answer.outcome == ROUTE_FOUND && store->handler.on_late)
            store->handler.on_late(store->user, &answer);
    }
    questions_close(store->questions, question);
}

static size_t next_asked(const struct question *question, size_t from)
{
    while (from < question->what.count && (question->asked >> from & 1) == 0)
        from++;
    return from;
}

static void on_value(void *user, const redisReply *reply, void *data)
{
    struct route_store *store = user;
    struct question *question = data;

    if (!reply)
        question->failure = store->ending ? STORE_REASON_SHUTTING_DOWN : redis_conn_ending(store->ask_conn);
    else if (reply->type == REDIS_REPLY_STRING)
        take_value(store, question, question->next, reply);
    else if (reply->type == REDIS_REPLY_ERROR)
        take_error(store, question, reply);
    else
        take_nonsense(store, question);
    question->next = (uint8_t)next_asked(question, question->next + 1u);
    if (question->next == question->what.count)
        finish(store, question);
}

/* All of it goes out or nothing: after a first part that could not be taken back the connection would be closed. */
static bool send_reads(struct route_store *store, struct question *question)
{
    for (size_t i = question->next; i < question->what.count; i = next_asked(question, i + 1)) {
        struct route_name name = question_name(question, i);

        add_read_of(&store->command, &name);
        if (!redis_conn_send(store->ask_conn, &store->command, on_value, question)) {
            if (i == question->next)
                return false;
            question->asked &= (UINT32_C(1) << i) - 1; /* what was sent will be answered, or get its NULL */
            question->failure = STORE_REASON_MEMORY;
            break;
        }
        store->counters.keys_asked++;
    }
    return true;
}

enum route_outcome store_ask(struct route_store *store, const struct route_question *what, struct question **questionp,
                             enum store_reason *reason)
{
    uint64_t now_ms = clock_now_ms();
    uint32_t unknown;
    struct question *question;

    if (!redis_conn_is_up(store->ask_conn)) {
        *reason = STORE_REASON_AWAY;
        return ROUTE_FAILED;
    }
    unknown = unknown_names(store, what, now_ms);
    if (unknown == 0)
        return ROUTE_ABSENT;
    question = questions_open(store->questions, what, now_ms, reason);
    if (!question)
        return ROUTE_FAILED;
    question->asked = unknown;
    question->next = (uint8_t)next_asked(question, 0);
    question->epoch = store->watch.protects ? store->watch.epoch : 0;
    if (!send_reads(store, question)) {
        questions_close(store->questions, question);
        *reason = STORE_REASON_AWAY;
        return ROUTE_FAILED;
    }
    store->counters.asked++;
    *questionp = question;
    return ROUTE_WAITING;
}

/* Echoes of own writes. A script's writes come back as invalidations even with NOLOOP (tried on Redis 7.0), and one
 * message may stand for our write and for another router's after it. So the record is read: ours, and level 1 is right
 * as it is. */

void store_tell_changed(struct route_store *store, const struct route_name *name)
{
    if (store->handler.on_changed && !store->ending)
        store->handler.on_changed(store->user, name);
}

static bool is_ours(const struct route_store *store, const struct route_name *name, const redisReply *reply)
{
    struct route_record record;
    const struct route_record *theirs = NULL, *waiting;

    if (!reply || reply->type != REDIS_REPLY_STRING)
        return false;
    if (record_decode((const uint8_t *)reply->str, (size_t)reply->len, &record) == ROUTE_RECORD_OK) {
        theirs = &record;
        if (record.router_length == strlen(store->router) &&
            memcmp(record.router, store->router, record.router_length) == 0 &&
            store_wrote_claim(store, name, record.stamp_ms))
            return true;
    }
    return overlay_of(store, name, theirs, &waiting) == OVERLAY_PUT;
}

/* What is read was true before the claim that overtook it: that claim's own verdict and echo tell what is true now. */
void store_overtake_probes(struct route_store *store, const struct route_name *name)
{
    uint64_t hash = hash_name(&store->hash, name);

    for (struct list_node *at = store->probes.next, *next; at != &store->probes; at = next) {
        next = at->next;
        if (LIST_OWNER(at, struct claim, order)->hash == hash)
            list_remove(at);
    }
}

/* Somebody else's record, read right behind our own write: level 1 can have it instead of a miss. False: there is none,
 * or later changes would not be told. */
static bool tell_current(struct route_store *store, const struct route_name *name, const redisReply *reply)
{
    struct route_answer answer = {.outcome = ROUTE_FOUND, .route = *name, .trust = ROUTE_TRUST_FULL};

    if (!store->handler.on_current || store->ending || !store->watch.protects || !reply ||
        reply->type != REDIS_REPLY_STRING ||
        record_decode((const uint8_t *)reply->str, (size_t)reply->len, &answer.record) != ROUTE_RECORD_OK ||
        record_judge(&answer.record, store_wall_ms(store), store->config.skew_ms) != ROUTE_RECORD_OK)
        return false;
    answer.left_ms = record_left_ms(&answer.record, store_wall_ms(store));
    store->handler.on_current(store->user, &answer);
    return true;
}

static void on_verify(void *user, const redisReply *reply, void *data)
{
    struct route_store *store = user;
    struct claim *probe = data;
    bool is_overtaken = list_is_empty(&probe->order);

    list_remove(&probe->order);
    store->verifying--;
    if (reply && reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_ERROR)
        redis_conn_close(store->ask_conn, STORE_REASON_PROTOCOL, "GETRANGE");
    if ((reply && is_overtaken) || is_ours(store, &probe->name, reply))
        store->counters.own_echoes++;
    else if (tell_current(store, &probe->name, reply))
        store->counters.current++;
    else
        store_tell_changed(store, &probe->name);
    claim_free(probe);
}

void store_verify(struct route_store *store, const struct route_name *name)
{
    static const struct route_record none = {0};
    struct claim *probe = store->verifying < VERIFY_MOST ? claim_new(CLAIM_PUT, name, &none) : NULL;

    add_read_of(&store->command, name);
    if (!probe || !redis_conn_send(store->ask_conn, &store->command, on_verify, probe)) {
        claim_free(probe);
        store_tell_changed(store, name);
        return;
    }
    probe->hash = hash_name(&store->hash, name);
    list_insert(&store->probes, &probe->order);
    store->verifying++;
}
