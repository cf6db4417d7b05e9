/* tests/unit/agent/daemon/test_loop_memory.c - a loop goes on when malloc has nothing left. */
#include "agent/daemon/loop_memory.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES = 900, TIMERS = 3 };

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

static void on_pipe(struct ev_loop *loop, ev_io *io, int events)
{
    unsigned *count = io->data;
    (void)events;
    ++*count;
    ev_io_stop(loop, io);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

/* As many watchers as there are descriptors, all ready at once, and timers for each: what libev keeps grows to its
 * most. */
static void use_all(struct ev_loop *loop)
{
    static ev_io ready[FILES];
    static ev_timer timers[FILES * TIMERS];
    static int ends[FILES][2];
    unsigned count = 0;
    for (unsigned i = 0; i < FILES / 2; i++) {
        assert_int_equal(pipe(ends[i]), 0);
        assert_int_equal(write(ends[i][1], "x", 1), 1);
        ev_io_init(&ready[i], on_pipe, ends[i][0], EV_READ);
        ready[i].data = &count;
        ev_io_start(loop, &ready[i]);
    }
    for (unsigned i = 0; i < FILES * TIMERS; i++) {
        ev_timer_init(&timers[i], on_timer, 1000, 0.);
        ev_timer_start(loop, &timers[i]);
    }
    for (unsigned i = 0; i < 100 && count < FILES / 2; i++)
        ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(count, FILES / 2);
    for (unsigned i = 0; i < FILES * TIMERS; i++)
        ev_timer_stop(loop, &timers[i]);
    for (unsigned i = 0; i < FILES / 2; i++) {
        close(ends[i][0]);
        close(ends[i][1]);
    }
}

static void allow_files(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < FILES + 20) {
        limit.rlim_cur = FILES + 20;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
}

static void a_loop_lives_on_the_reserve_alone(void **state)
{
    (void)state;
    allow_files();
    assert_int_equal(loop_memory_init(FILES + 20), 0);
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(loop);
    assert_int_equal(loop_memory_used(), 0);
    loop_memory_set_allocator(no_memory);
    use_all(loop);
    assert_true(loop_memory_used() > 0);
    loop_memory_set_allocator(malloc);
    ev_loop_destroy(loop);
    loop_memory_deinit();
}

static void with_memory_the_reserve_is_left_alone(void **state)
{
    (void)state;
    allow_files();
    assert_int_equal(loop_memory_init(FILES + 20), 0);
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(loop);
    use_all(loop);
    ev_loop_destroy(loop);
    assert_int_equal(loop_memory_used(), 0);
    loop_memory_deinit();
}

static void pieces_keep_their_bytes_and_the_end_is_told(void **state)
{
    (void)state;
    assert_int_equal(loop_memory_init(0), 0);
    char *bytes = loop_memory_resize(NULL, 100);
    assert_non_null(bytes);
    memset(bytes, 'a', 100);
    loop_memory_set_allocator(no_memory);
    bytes = loop_memory_resize(bytes, 5000); /* out of malloc into the reserve */
    assert_non_null(bytes);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(bytes[i], 'a');
    memset(bytes, 'b', 5000);
    uint64_t used = loop_memory_used();
    assert_true(used >= 5000);
    loop_memory_set_allocator(malloc);
    bytes = loop_memory_resize(bytes, 200); /* and out again */
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(bytes[i], 'b');
    assert_null(loop_memory_resize(bytes, 0));
    assert_null(loop_memory_resize(NULL, 0));
    loop_memory_set_allocator(no_memory);
    assert_null(loop_memory_resize(NULL, 1 << 20)); /* more than there is */
    assert_int_equal(loop_memory_used(), used);
    loop_memory_deinit();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_lives_on_the_reserve_alone),
        cmocka_unit_test(with_memory_the_reserve_is_left_alone),
        cmocka_unit_test(pieces_keep_their_bytes_and_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
