/* redis/list.h - a doubly linked list whose links are fields of what it holds. Pure. */
#ifndef CELLROUTER_REDIS_LIST_H
#define CELLROUTER_REDIS_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list's head is a field too; both point to themselves when alone. */
struct link_field {
    struct link_field *prev, *next;
};

#define LIST_OWNER(field, type, member) ((type *)(void *)((char *)(field)-offsetof(type, member)))

static inline void list_init(struct link_field *list)
{
    list->prev = list->next = list;
}

static inline bool list_is_empty(const struct link_field *list)
{
    return list->next == list;
}

/* Puts field before place; before a head is the end of its list. */
static inline void list_insert(struct link_field *place, struct link_field *field)
{
    field->prev = place->prev;
    field->next = place;
    place->prev->next = field;
    place->prev = field;
}

/* Twice is safe. */
static inline void list_remove(struct link_field *field)
{
    field->prev->next = field->next;
    field->next->prev = field->prev;
    list_init(field);
}

#endif
