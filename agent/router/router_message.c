/* agent/router/router_message.c - the arguments of lookup, learn and hide, by name and type. What is missing or of
 * another type is as if it were not there; whether that matters is for the caller to judge. */
#include "agent/router/router_private.h"

#include <string.h>

static struct text_view text_of(const struct spop_data *value)
{
    return value->type == SPOP_STRING ? value->text : (struct text_view){NULL, 0};
}

/* HAProxy makes booleans of samples in more than one way. */
static bool truth_of(const struct spop_data *value)
{
    switch (value->type) {
    case SPOP_BOOL: return value->boolean;
    case SPOP_INT32:
    case SPOP_INT64: return value->integer != 0;
    case SPOP_UINT32:
    case SPOP_UINT64: return value->natural != 0;
    case SPOP_NULL:
    case SPOP_IPV4:
    case SPOP_IPV6:
    case SPOP_STRING:
    case SPOP_BINARY: break;
    }
    return false;
}

static void read_lookup(struct spop_messages *messages, struct request *request)
{
    struct text_view name;
    struct spop_data value;
    request->lookup = true;
    while (spop_next_arg(messages, &name, &value)) {
        if (text_view_is(name, "path")) {
            request->path = text_of(&value);
            request->path_given = value.type == SPOP_STRING;
        } else if (text_view_is(name, "host")) {
            request->host = text_of(&value);
        }
    }
}

/* The lookup that HAProxy writes with our cellrouter-spoe.conf: one message, two strings in this order. It is read in
 * four steps instead of some twenty. False: it looks otherwise, and nothing has been read. */
static bool read_usual_lookup(struct spop_messages *messages, struct request *request)
{
    static const char before_path[] = "\6lookup\2\4path\10", before_host[] = "\4host\10"; /* 8 is SPOP_STRING */
    struct spop_cursor in = messages->in;
    if (!spop_pass(&in, before_path, sizeof before_path - 1))
        return false;
    struct text_view path = spop_read_text(&in);
    if (!spop_pass(&in, before_host, sizeof before_host - 1))
        return false;
    struct text_view host = spop_read_text(&in);
    if (in.bad || in.left > 0)
        return false;
    request->lookup = request->path_given = true;
    request->path = path;
    request->host = host;
    messages->in = in;
    return true;
}

/* The three messages about a response (haproxy/cellrouter-spoe.conf) differ only in when HAProxy sends them. */
static void read_learn(struct spop_messages *messages, struct request *request, bool stale)
{
    struct text_view name;
    struct spop_data value;
    struct text_view as = {NULL, 0}; /* the path as cells get it, where the site rewrites it */
    bool path = false, cell = false;
    if (!request->learn) /* what a second one does not say, the first one has said */
        memset(&request->teach, 0, sizeof request->teach);
    request->learn = true;
    request->teach.stale |= stale;
    while (spop_next_arg(messages, &name, &value)) {
        if (text_view_is(name, "path")) {
            request->teach.path = text_of(&value);
            path = value.type == SPOP_STRING;
        } else if (text_view_is(name, "as") && value.type == SPOP_STRING) {
            as = text_of(&value);
        } else if (text_view_is(name, "cell")) {
            request->teach.cell = text_of(&value);
            cell = value.type == SPOP_STRING;
        } else if (text_view_is(name, "host")) {
            request->teach.host = text_of(&value);
        } else if (text_view_is(name, "cache")) {
            request->teach.cache = text_of(&value);
        } else if (text_view_is(name, "from")) {
            request->teach.from = text_of(&value);
        } else if (text_view_is(name, "redirected")) {
            request->teach.redirected = truth_of(&value);
        }
    }
    if (path && as.at)
        request->teach.path = as;
    request->teach.complete = path && cell;
}

/* A difference of two clock readings: what is missing or negative is not known. */
static void read_hide(struct spop_messages *messages, struct request *request)
{
    struct text_view name;
    struct spop_data value;
    request->hide = true;
    while (spop_next_arg(messages, &name, &value))
        if (text_view_is(name, "elapsed") && (value.type == SPOP_INT32 || value.type == SPOP_INT64) &&
            value.integer >= 0)
            request->elapsed_ms = (uint64_t)value.integer;
}

static void unknown(struct router *router, struct text_view name)
{
    router_count(router, COUNTER_MESSAGES_UNKNOWN);
    log_write(router->log, REASON_MALFORMED_MESSAGE,
              LOG_FIELDS(LOG_STR("problem", "no such message"), LOG_BYTES("message", name.at, name.length)));
}

void router_read_messages(struct router *router, struct spoe_notify *notify, struct request *request)
{
    struct text_view name;
    request->call = notify->call;
    request->lookup = request->learn = request->hide = request->malformed = request->path_given = false;
    request->elapsed_ms = HIDDEN_UNKNOWN_MS;
    request->path = request->host = (struct text_view){NULL, 0};
    if (read_usual_lookup(&notify->messages, request))
        return;
    while (spop_next_message(&notify->messages, &name))
        if (text_view_is(name, "lookup") || text_view_is(name, "lookup-as"))
            read_lookup(&notify->messages, request);
        else if (text_view_is(name, "learn") || text_view_is(name, "learn-direct") || text_view_is(name, "stale"))
            read_learn(&notify->messages, request, text_view_is(name, "stale"));
        else if (text_view_is(name, "hide"))
            read_hide(&notify->messages, request);
        else
            unknown(router, name);
    request->malformed = notify->messages.in.bad;
    if (!request->malformed)
        return;
    router_count(router, COUNTER_MESSAGES_MALFORMED);
    log_write(router->log, REASON_MALFORMED_MESSAGE,
              LOG_FIELDS(LOG_STR("problem", "does not parse"), LOG_NUM("connection", notify->connection),
                         LOG_NUM("stream", notify->stream_id)));
}
