/* spoe/call.c - the pool of calls and the lists that they stand in. The pool grows in slabs and gives nothing back
 * before the end: a call in use or not is always a call, so that a handle that is used too late is noticed and not
 * followed. */
#include "spoe/call.h"

#include <stdlib.h>

/* Calls allocated at once: about 5 KiB. */
enum { SLAB_CALLS = 64 };

struct spoe_slab {
    struct spoe_slab *next;
    struct spoe_call calls[SLAB_CALLS];
};

void spoe_calls_init(struct spoe_calls *pool)
{
    *pool = (struct spoe_calls){.allocate = malloc};
}

void spoe_calls_deinit(struct spoe_calls *pool)
{
    while (pool->slabs) {
        struct spoe_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        free(slab);
    }
    pool->spare = NULL;
}

static void grow(struct spoe_calls *pool)
{
    struct spoe_slab *slab = pool->allocate(sizeof *slab);
    if (!slab)
        return;
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (size_t i = SLAB_CALLS; i-- > 0;) {
        slab->calls[i] = (struct spoe_call){.next = pool->spare};
        pool->spare = &slab->calls[i];
    }
}

struct spoe_call *spoe_calls_take(struct spoe_calls *pool)
{
    if (!pool->spare)
        grow(pool);
    struct spoe_call *call = pool->spare;
    if (!call)
        return NULL;
    pool->spare = call->next;
    *call = (struct spoe_call){0};
    return call;
}

void spoe_calls_give(struct spoe_calls *pool, struct spoe_call *call)
{
    call->session = NULL;
    call->next = pool->spare;
    pool->spare = call;
}

void spoe_call_list_append(struct spoe_call_list *list, struct spoe_call *call)
{
    call->previous = list->last;
    call->next = NULL;
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
    list->count++;
}

void spoe_call_list_remove(struct spoe_call_list *list, struct spoe_call *call)
{
    *(call->previous ? &call->previous->next : &list->first) = call->next;
    *(call->next ? &call->next->previous : &list->last) = call->previous;
    call->previous = call->next = NULL;
    list->count--;
}
