/* agent/config/places.c - sums over haproxy.maxconn. */
#include "agent/config/places.h"

#include "agent/config/large_classes.h"

enum {
    /* Of frontends beside the edge: statistics, metrics. */
    OTHER_CONNECTIONS = 100,
    /* Clients of a frontend, where maxconn = 0 leaves that to the site: as many as maxconn has by default. */
    UNKNOWN_CLIENTS = 3000,
};

uint32_t places_idle_loops(const struct config_haproxy *haproxy)
{
    return haproxy->maxconn / 2;
}

uint32_t places_inner(const struct config_haproxy *haproxy)
{
    return haproxy->maxconn + places_idle_loops(haproxy);
}

uint32_t places_global(const struct config_haproxy *haproxy)
{
    return haproxy->maxconn + places_inner(haproxy) + OTHER_CONNECTIONS;
}

size_t places_class_queue(const struct config_haproxy *haproxy)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    size_t count = large_classes(haproxy, classes);
    uint32_t clients = haproxy->maxconn > 0 ? haproxy->maxconn : UNKNOWN_CLIENTS;
    size_t share = count > 0 ? clients / 2 / count : 0;
    return share > 0 ? share : 1;
}
