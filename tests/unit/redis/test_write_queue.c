/* tests/unit/redis/test_write_queue.c - the queue of queue: newest first, one a route, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "redis/write_queue.h"

static const struct hash_key key = {1, 2};

static struct claim *make(enum claim_kind kind, const char *prefix, const char *cell, uint64_t stamp_ms, uint32_t flags)
{
    struct route_record record = {.stamp_ms = stamp_ms, .life_s = 10, .flags = flags};
    struct route_name name = {"h", 1, prefix, strlen(prefix)};
    struct claim *claim;

    assert_true(record_set_id(record.cell, &record.cell_length, cell, strlen(cell)));
    claim = claim_new(kind, &name, &record);
    assert_non_null(claim);
    return claim;
}

static enum write_queue_added add(struct write_queue *queue, enum claim_kind kind, const char *prefix, const char *cell,
                                  uint64_t stamp_ms)
{
    return write_queue_add(queue, make(kind, prefix, cell, stamp_ms, 0));
}

static void assert_next(struct write_queue *queue, const char *prefix, enum claim_kind kind, const char *cell)
{
    struct claim *claim = write_queue_take(queue);

    assert_non_null(claim);
    assert_int_equal(claim->name.prefix_length, strlen(prefix));
    assert_memory_equal(claim->name.prefix, prefix, strlen(prefix));
    assert_int_equal(claim->kind, kind);
    assert_memory_equal(claim->record.cell, cell, strlen(cell));
    claim_free(claim);
}

static void test_newest_first(void **state)
{
    struct write_queue *queue = write_queue_new(&key, 10000);

    (void)state;
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 1), WRITE_QUEUE_ADDED);
    assert_int_equal(add(queue, CLAIM_PUT, "/c/", "eu0", 3), WRITE_QUEUE_ADDED);
    assert_int_equal(add(queue, CLAIM_FORGET, "/b/", "eu0", 2), WRITE_QUEUE_ADDED); /* one that came back */
    assert_next(queue, "/c/", CLAIM_PUT, "eu0");
    assert_next(queue, "/b/", CLAIM_FORGET, "eu0");
    assert_next(queue, "/a/", CLAIM_PUT, "eu0");
    assert_null(write_queue_take(queue));
    write_queue_free(queue);
    write_queue_free(NULL);
}

static void test_one_claim_a_route(void **state)
{
    struct write_queue *queue = write_queue_new(&key, 10000);
    struct route_name name = {"h", 1, "/a/", 3}, other_host = {"i", 1, "/a/", 3}, no_host = {NULL, 0, "/a/", 3};

    (void)state;
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 2), WRITE_QUEUE_ADDED);
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu1", 3), WRITE_QUEUE_REPLACED);
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 2), WRITE_QUEUE_REFUSED); /* it came back; a newer one waits */
    assert_int_equal(write_queue_count(queue), 1);
    assert_memory_equal(write_queue_find(queue, &name)->record.cell, "eu1", 3);
    assert_null(write_queue_find(queue, &other_host));
    assert_null(write_queue_find(queue, &no_host));
    assert_int_equal(add(queue, CLAIM_FORGET, "/a/", "eu0", 4), WRITE_QUEUE_REFUSED); /* says nothing of eu1 */
    assert_int_equal(add(queue, CLAIM_FORGET, "/a/", "eu1", 4), WRITE_QUEUE_REPLACED);
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu1", 5), WRITE_QUEUE_REPLACED);
    assert_next(queue, "/a/", CLAIM_PUT, "eu1");
    assert_null(write_queue_find(queue, &name));
    write_queue_free(queue);
}

static void test_a_pin_stands(void **state)
{
    struct write_queue *queue = write_queue_new(&key, 10000);

    (void)state;
    assert_int_equal(write_queue_add(queue, make(CLAIM_PUT, "/a/", "us0", 1, ROUTE_PINNED)), WRITE_QUEUE_ADDED);
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 2), WRITE_QUEUE_REFUSED);
    assert_int_equal(add(queue, CLAIM_FORGET, "/a/", "us0", 3), WRITE_QUEUE_REFUSED);
    assert_int_equal(write_queue_add(queue, make(CLAIM_PUT, "/a/", "us1", 4, ROUTE_PINNED)), WRITE_QUEUE_REPLACED);
    assert_next(queue, "/a/", CLAIM_PUT, "us1");
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 9), WRITE_QUEUE_ADDED);
    assert_int_equal(write_queue_add(queue, make(CLAIM_PUT, "/a/", "us0", 8, ROUTE_PINNED)), WRITE_QUEUE_REPLACED);
    write_queue_free(queue);
}

static void test_bounds(void **state)
{
    struct route_name four = {"h", 1, "/1/", 3};
    struct write_queue *queue = write_queue_new(&key, 3 * write_queue_cost(&four) + 2);
    char prefix[32];

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        snprintf(prefix, sizeof prefix, "/%d/", (int)i);
        assert_int_equal(add(queue, CLAIM_PUT, prefix, "eu0", i * 10), WRITE_QUEUE_ADDED);
    }
    assert_int_equal(add(queue, CLAIM_PUT, "/old/", "eu0", 5),
                     WRITE_QUEUE_REFUSED); /* older than all: it is the one to go */
    assert_int_equal(add(queue, CLAIM_PUT, "/4/", "eu0", 40), WRITE_QUEUE_PUSHED);
    assert_int_equal(write_queue_count(queue), 3);
    assert_int_equal(add(queue, CLAIM_PUT, "/twice-as-long/", "eu0", 50), WRITE_QUEUE_PUSHED); /* one, of its size */
    assert_int_equal(write_queue_count(queue), 2);
    assert_next(queue, "/twice-as-long/", CLAIM_PUT, "eu0");
    assert_next(queue, "/4/", CLAIM_PUT, "eu0");
    for (uint64_t i = 2; i <= 3; i++) {
        snprintf(prefix, sizeof prefix, "/%d/", (int)i);
        assert_int_equal(add(queue, CLAIM_PUT, prefix, "eu0", i * 10), WRITE_QUEUE_ADDED);
    }
    assert_next(queue, "/3/", CLAIM_PUT, "eu0");
    assert_next(queue, "/2/", CLAIM_PUT, "eu0");
    write_queue_free(queue);
    queue = write_queue_new(&key, 0);
    assert_int_equal(add(queue, CLAIM_PUT, "/a/", "eu0", 1), WRITE_QUEUE_REFUSED);
    write_queue_free(queue);
}

/* Against a plain model: of each route the newest claim, of all the newest. */
static void test_many(void **state)
{
    struct write_queue *queue = write_queue_new(&key, 1 << 20);
    struct rng rng = {7};
    uint64_t newest[200] = {0}, last = UINT64_MAX;
    struct claim *claim;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char prefix[32];
        unsigned which = (unsigned)rng_below(&rng, 200);
        uint64_t stamp = 1000 + rng_below(&rng, 1000000);

        snprintf(prefix, sizeof prefix, "/p%03u/", which);
        add(queue, CLAIM_PUT, prefix, "eu0", stamp);
        newest[which] = stamp > newest[which] ? stamp : newest[which];
    }
    assert_int_equal(write_queue_count(queue), 200);
    while ((claim = write_queue_take(queue))) {
        assert_true(claim->record.stamp_ms <= last);
        last = claim->record.stamp_ms;
        assert_int_equal(newest[(unsigned)(claim->name.prefix[2] - '0') * 100 +
                                (unsigned)(claim->name.prefix[3] - '0') * 10 + (unsigned)(claim->name.prefix[4] - '0')],
                         last);
        claim_free(claim);
    }
    write_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_first), cmocka_unit_test(test_one_claim_a_route),
        cmocka_unit_test(test_a_pin_stands), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
