/* base/list.h - a doubly linked list whose nodes are fields of what it holds: nothing is allocated, and taking one out
 * needs no search. Pure. After libuv's queue.h and HAProxy's include/haproxy/list.h. */
#ifndef CELLROUTER_BASE_LIST_H
#define CELLROUTER_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head is a node too; both point to themselves when alone. None may move in memory. */
struct list_node {
    struct list_node *prev, *next;
};

/* The struct type that holds node as its field member. */
#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list_node *list)
{
    list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list_node *list)
{
    return list->next == list;
}

/* Puts node before place; before a head is the end of its list. node must be in no list. */
static inline void list_insert(struct list_node *place, struct list_node *node)
{
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}

/* Twice is safe. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
