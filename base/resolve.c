/* base/resolve.c - one getaddrinfo_a(3) for each lookup. glibc makes its threads, 20 at most for the whole process, and
 * cannot stop one that waits for a name server: a lookup that is ended meanwhile is kept until its thread is done with
 * it. */
#include "base/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct resolve {
    struct gaicb request;
    struct addrinfo hints;
    struct resolve *next; /* in given_up */
    char host[];
};

/* Ended while a thread was at it. Without a name server each try to connect leaves one more, so they are looked
 * after. */
static struct resolve *given_up;

socklen_t resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return 0;
    socklen_t size = found->ai_addrlen;
    memcpy(address, found->ai_addr, size);
    freeaddrinfo(found);
    return size;
}

struct resolve *resolve_start(const char *host)
{
    size_t n = strlen(host) + 1;
    struct resolve *resolve = calloc(1, sizeof *resolve + n);
    struct gaicb *list[1];

    (void)resolve_sweep();
    if (!resolve)
        return NULL;
    memcpy(resolve->host, host, n);
    resolve->hints.ai_socktype = SOCK_STREAM;
    resolve->request.ar_name = resolve->host;
    resolve->request.ar_request = &resolve->hints;
    list[0] = &resolve->request;
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free(resolve);
        return NULL;
    }
    return resolve;
}

static const struct addrinfo *pick(const struct addrinfo *all, unsigned turn)
{
    unsigned count = 0;

    for (const struct addrinfo *at = all; at; at = at->ai_next)
        count++;
    for (turn = count == 0 ? 0 : turn % count; turn != 0; turn--)
        all = all->ai_next;
    return all;
}

enum resolve_state resolve_poll(struct resolve *resolve, unsigned turn, char address[RESOLVED_MAX], const char **why)
{
    int error = gai_error(&resolve->request);
    const struct addrinfo *one;

    if (error == EAI_INPROGRESS)
        return RESOLVE_BUSY;
    one = error == 0 ? pick(resolve->request.ar_result, turn) : NULL;
    if (error == 0 && !one)
        error = EAI_NONAME;
    if (error == 0)
        error = getnameinfo(one->ai_addr, one->ai_addrlen, address, RESOLVED_MAX, NULL, 0, NI_NUMERICHOST);
    *why = gai_strerror(error);
    return error == 0 ? RESOLVE_DONE : RESOLVE_FAILED;
}

static void release(struct resolve *resolve)
{
    if (resolve->request.ar_result)
        freeaddrinfo(resolve->request.ar_result);
    free(resolve);
}

unsigned resolve_sweep(void)
{
    unsigned busy = 0;

    for (struct resolve **at = &given_up; *at;) {
        struct resolve *resolve = *at;

        if (gai_error(&resolve->request) == EAI_INPROGRESS) {
            busy++;
            at = &resolve->next;
        } else {
            *at = resolve->next;
            release(resolve);
        }
    }
    return busy;
}

void resolve_end(struct resolve *resolve)
{
    if (!resolve)
        return;
    if (gai_error(&resolve->request) == EAI_INPROGRESS && gai_cancel(&resolve->request) == EAI_NOTCANCELED) {
        resolve->next = given_up; /* a thread writes to it until its name server answers */
        given_up = resolve;
        return;
    }
    release(resolve);
}
