/* tests/unit/base/name_server.h - stands in for the C library's lookups of names: asked beside the loop, it is silent
 * until it is told what to say; asked in a call that would block, it fails the test. */
#ifndef CELLROUTER_TESTS_UNIT_BASE_NAME_SERVER_H
#define CELLROUTER_TESTS_UNIT_BASE_NAME_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static struct {
    bool silent;
    const char *says[2]; /* addresses; none: there is no such name */
    unsigned asked, cancelled;
} name_server;

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    lookup *next = (lookup *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    int error = next(host, service, &numeric, found);
    if (error != 0 && numeric.ai_flags != hints->ai_flags)
        fail_msg("%s was looked up in a call that blocks", host);
    return error;
}

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    assert_int_equal(mode, GAI_NOWAIT);
    assert_int_equal(count, 1);
    assert_null(event);
    list[0]->ar_result = NULL;
    name_server.asked++;
    return 0;
}

int gai_error(struct gaicb *request)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, **end = &request->ar_result;
    if (name_server.silent)
        return EAI_INPROGRESS;
    if (request->ar_result || !name_server.says[0])
        return request->ar_result ? 0 : EAI_NONAME;
    for (size_t i = 0; i < 2 && name_server.says[i]; i++, end = &(*end)->ai_next)
        assert_int_equal(getaddrinfo(name_server.says[i], NULL, &hints, end), 0);
    return 0;
}

int gai_cancel(struct gaicb *request)
{
    (void)request;
    name_server.cancelled++;
    return EAI_CANCELED;
}

#endif
