/* base/heap.c - the tree is complete: places are numbered by rows from 1, the children of n are 2n and 2n + 1, and only
 * the last places of the last row are empty. So the bits of a number below its highest one are the way from the root to
 * its place: 0 goes left, 1 goes right. Nodes swap places, not contents: others point to them. */
#include "base/heap.h"

/* The link that leads to place n. *parentp: the node that has it; NULL for the root. */
static struct heap_node **link_of(struct heap *heap, size_t n, struct heap_node **parentp)
{
    struct heap_node **link = &heap->first;
    size_t bit = 1;
    *parentp = NULL;
    while (bit <= n / 2)
        bit *= 2;
    for (bit /= 2; bit > 0; bit /= 2) {
        *parentp = *link;
        link = n & bit ? &(*link)->right : &(*link)->left;
    }
    return link;
}

/* The link that leads to this node. */
static struct heap_node **link_to(struct heap *heap, const struct heap_node *node)
{
    if (!node->parent)
        return &heap->first;
    return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

static void tell_children(struct heap_node *node)
{
    if (node->left)
        node->left->parent = node;
    if (node->right)
        node->right->parent = node;
}

/* Puts node in the place of another one, which is left with what it had. */
static void take_place(struct heap *heap, struct heap_node *node, const struct heap_node *of)
{
    *link_to(heap, of) = node;
    *node = *of;
    tell_children(node);
}

static void swap_with_parent(struct heap *heap, struct heap_node *node)
{
    struct heap_node *parent = node->parent, was = *node;
    bool left = parent->left == node;
    *link_to(heap, parent) = node;
    *node = *parent;
    *(left ? &node->left : &node->right) = parent;
    tell_children(node);
    parent->left = was.left;
    parent->right = was.right;
    tell_children(parent);
}

static void rise(struct heap *heap, struct heap_node *node)
{
    while (node->parent && heap->before(node, node->parent))
        swap_with_parent(heap, node);
}

static void sink(struct heap *heap, struct heap_node *node)
{
    for (;;) {
        struct heap_node *child = node->left;
        if (node->right && heap->before(node->right, child))
            child = node->right;
        if (!child || !heap->before(child, node))
            return;
        swap_with_parent(heap, child);
    }
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
    struct heap_node *parent;
    *link_of(heap, ++heap->count, &parent) = node;
    *node = (struct heap_node){.parent = parent};
    rise(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *parent, **link = link_of(heap, heap->count--, &parent), *last = *link;
    *link = NULL;
    if (last == node)
        return;
    take_place(heap, last, node);
    heap_moved(heap, last);
}

void heap_moved(struct heap *heap, struct heap_node *node)
{
    sink(heap, node);
    rise(heap, node);
}
