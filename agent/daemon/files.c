/* agent/daemon/files.c - a sum over the parts of the agent. The numbers are what each has open at the worst, and a
 * little more; none is tuned. */
#include "agent/daemon/files.h"

enum {
    LOOP = 4,         /* epoll, eventfd, signalfd, timerfd: as many as libev may use */
    TURNED_AWAY = 1,  /* a connection too many is accepted before it is closed */
    FOR_A_MOMENT = 4, /* the configuration at a reload, the service manager's socket, what the C library looks up */
    HTTP = 3,         /* its listener, libmicrohttpd's epoll and the eventfd beside it */
    REDIS = 18,       /* three connections, each with its successor, and lookups of names in threads of their own */
    MAP_FILE = 2      /* its lock, and the file that is being written */
};

uint64_t files_own(const struct config *config, uint64_t open_now)
{
    uint64_t own = open_now + LOOP + FOR_A_MOMENT + config->spoe.listen.count + TURNED_AWAY;
    if (config->admin.socket[0])
        own += 1 + (uint64_t)config->admin.max_clients + TURNED_AWAY;
    if (config->http.listen[0])
        own += HTTP + (uint64_t)config->http.max_clients + TURNED_AWAY;
    if (config->redis.address[0])
        own += REDIS;
    own += config->haproxy.runtime.count; /* whose limits are read */
    if (config->haproxy.runtime.count > 0 && config->haproxy.map_file[0])
        own += config->haproxy.runtime.count + MAP_FILE;
    return own;
}

uint32_t files_fit(uint64_t limit, uint64_t own, uint32_t wanted)
{
    uint64_t left = limit > own ? limit - own : 0;
    return left < wanted ? (uint32_t)left : wanted;
}
