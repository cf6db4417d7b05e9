/* base/heap.h - a binary heap whose nodes are fields of what it holds: nothing is allocated, so putting one in cannot
 * fail, and one can be taken out from any place. Pure. After libuv's heap-inl.h. */
#ifndef CELLROUTER_BASE_HEAP_H
#define CELLROUTER_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* May not move in memory while it is in a heap. */
struct heap_node {
    struct heap_node *parent, *left, *right;
};

/* Whether a comes before b. Of two of which neither does either may come first. */
typedef bool heap_before(const struct heap_node *a, const struct heap_node *b);

struct heap {
    struct heap_node *first; /* NULL: it is empty. To be read; the rest is heap.c's, but for count */
    size_t count;            /* to be read, too */
    heap_before *before;
};

/* The struct type that holds node as its field member. */
#define HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void heap_init(struct heap *heap, heap_before *before)
{
    *heap = (struct heap){.before = before};
}

/* node must be in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node);

/* node must be in this heap. Afterwards its memory is its owner's again. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* Finds the right place again of a node that is in this heap and whose order has changed. When all change and none
 * overtakes another, nothing has to be done. */
void heap_moved(struct heap *heap, struct heap_node *node);

#endif
