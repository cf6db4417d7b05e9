/* spoe/call.h - NOTIFYs that wait for their ACK: a pool of them, and lists in the order of arrival, which is the order
 * of deadlines. Private to spoe/; users see spoe_call_* of spoe/session.h. */
#ifndef CELLROUTER_SPOE_CALL_H
#define CELLROUTER_SPOE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "spoe/session.h"

struct spoe_call {
    struct spoe_common *common;
    struct spoe_session *session; /* NULL: answered or cancelled */
    struct spoe_call *previous, *next;
    uint64_t stream_id, frame_id;
    uint64_t deadline_ms;
    void *user;
    bool held; /* has no deadline, and stands in the session's list of those */
};

/* Memory of calls is kept until the end, so that a handle used too late meets a free call rather than foreign
 * memory. */
struct spoe_calls {
    void *(*allocate)(size_t size);
    struct spoe_call *spare; /* by next */
    struct spoe_slab *slabs;
};

/* An empty pool that takes its memory from malloc; allocate may be replaced before the first take. */
void spoe_calls_init(struct spoe_calls *pool);

/* Frees the memory of all calls, those in use too: no handle may be used afterwards. */
void spoe_calls_deinit(struct spoe_calls *pool);

/* A call with nothing set. NULL: out of memory. */
MUST_USE struct spoe_call *spoe_calls_take(struct spoe_calls *pool);

/* The call is free for the next take. It must be in no list. Its session becomes NULL, so that an ACK that still comes
 * for it is known to be late. */
void spoe_calls_give(struct spoe_calls *pool, struct spoe_call *call);

/* All zeros is an empty one. */
struct spoe_call_list {
    struct spoe_call *first, *last;
    uint32_t count;
};

/* Puts a call, which is in no list, at the end. */
void spoe_call_list_append(struct spoe_call_list *list, struct spoe_call *call);

/* Takes out a call that is in this list, wherever it stands. */
void spoe_call_list_remove(struct spoe_call_list *list, struct spoe_call *call);

#endif
