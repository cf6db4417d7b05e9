/* agent/daemon/loop_memory.c - malloc for libev, with a reserve behind it.
 *
 * Each piece has its size in front, for malloc does not tell it and a piece may have to move into the reserve. The
 * reserve is one block of memory that is given out from its front and never taken back. That is enough, because libev's
 * arrays grow by doubling and do not shrink: all that one array ever asks for is less than twice its last size. An
 * array has an element a descriptor (what is watched, what has changed, what is ready) or a watcher (timers, what is
 * pending), some 100 bytes together for each descriptor of libev 4.33 on 64 bits.
 *
 * State of the process, as libev's allocator is: the only one in agent/. */
#include "agent/daemon/loop_memory.h"

#include <ev.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    PER_FILE = 256,     /* twice 100 bytes, and something more */
    BESIDE = 64 * 1024, /* arrays begin with 4 KiB each */
};

struct piece {
    size_t size;
    bool reserved;
    alignas(max_align_t) char bytes[];
};

static struct {
    char *reserve;
    size_t size, used;
    void *(*allocate)(size_t size);
} memory;

int loop_memory_init(uint64_t files)
{
    uint64_t size = files * PER_FILE + BESIDE;
    memory.reserve = size < SIZE_MAX ? malloc((size_t)size) : NULL;
    if (!memory.reserve)
        return -1;
    memory.size = (size_t)size;
    memory.used = 0;
    memory.allocate = malloc;
    ev_set_allocator(loop_memory_resize);
    return 0;
}

void loop_memory_deinit(void)
{
    free(memory.reserve);
    memory.reserve = NULL;
    memory.size = memory.used = 0;
}

void loop_memory_set_allocator(void *(*allocate)(size_t size))
{
    memory.allocate = allocate;
}

uint64_t loop_memory_used(void)
{
    return memory.used;
}

static size_t rounded(size_t size)
{
    return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

static struct piece *piece_of(void *bytes)
{
    return bytes ? (struct piece *)(void *)((char *)bytes - offsetof(struct piece, bytes)) : NULL;
}

/* A new piece: out of malloc, else out of the reserve, else NULL. */
static struct piece *take(size_t size)
{
    size_t whole = rounded(sizeof(struct piece) + size);
    struct piece *piece = memory.allocate(whole);
    bool reserved = !piece;
    if (!piece && whole <= memory.size - memory.used) {
        piece = (struct piece *)(void *)(memory.reserve + memory.used);
        memory.used += whole;
    }
    if (piece)
        *piece = (struct piece){.size = size, .reserved = reserved};
    return piece;
}

static void give(struct piece *piece)
{
    if (piece && !piece->reserved)
        free(piece);
}

void *loop_memory_resize(void *bytes, long size)
{
    struct piece *old = piece_of(bytes), *fresh = size > 0 ? take((size_t)size) : NULL;
    if (size > 0 && !fresh)
        return NULL;
    if (fresh && old)
        memcpy(fresh->bytes, old->bytes, old->size < fresh->size ? old->size : fresh->size);
    give(old);
    return fresh ? fresh->bytes : NULL;
}
