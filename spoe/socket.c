/* spoe/socket.c - text to listening socket, one function a kind. Each failure ends in a sentence (complain) that names
 * the address, what is wrong and what would be right. */
#include "spoe/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT_MAX = 65535, HOST_SIZE = 256 };

/* Where the sentence goes that tells what is wrong with an address. */
struct complaint {
    const char *address;
    char *text;
    size_t size;
};

static PRINTF_LIKE(2, 3) bool complain(const struct complaint *c, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (c->size > 0)
        snprintf(c->text, c->size, "%s: %s", c->address, what);
    return false;
}

static int new_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* The text after prefix, or NULL when address does not begin with it. */
static const char *after(const char *address, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(address, prefix, n) == 0 ? address + n : NULL;
}

/* ---- unix sockets with a file ----------------------------------------------------------------------------------- */

static bool set_path(struct sockaddr_un *address, const char *path, const struct complaint *c)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] != '/')
        return complain(c, "a unix socket wants an absolute path, as in unix:/run/agent.sock");
    if (strlen(path) >= sizeof address->sun_path)
        return complain(c, "the path is longer than the %zu bytes the system takes", sizeof address->sun_path - 1);
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

/* Removes what an agent left that did not end orderly, and nothing else. */
static bool remove_stale(const struct sockaddr_un *address, const struct complaint *c)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT || complain(c, "%s", strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return complain(c, "there is a file of this name that is no socket; remove it or take another path");
    int fd = new_socket(AF_UNIX);
    if (fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    int failed = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(fd);
    if (failed == 0 || failed == EAGAIN) /* EAGAIN: somebody listens whose queue is full */
        return complain(c, "in use: another process listens there; stop it or take another path");
    if (failed != ECONNREFUSED)
        return complain(c, "cannot tell whether it is in use: %s", strerror(failed));
    return unlink(address->sun_path) == 0 || complain(c, "the old socket cannot be removed: %s", strerror(errno));
}

static bool find_user(const char *name, uid_t *uid, const struct complaint *c)
{
    if (!name || !*name)
        return true;
    const struct passwd *entry = getpwnam(name);
    if (!entry)
        return complain(c, "there is no user %s", name);
    *uid = entry->pw_uid;
    return true;
}

static bool find_group(const char *name, gid_t *gid, const struct complaint *c)
{
    if (!name || !*name)
        return true;
    const struct group *entry = getgrnam(name);
    if (!entry)
        return complain(c, "there is no group %s", name);
    *gid = entry->gr_gid;
    return true;
}

static bool set_owner_and_mode(const char *path, const struct spoe_access *access, const struct complaint *c)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    if (!find_user(access->user, &uid, c) || !find_group(access->group, &gid, c))
        return false;
    bool owned = uid != (uid_t)-1 || gid != (gid_t)-1;
    if (owned && chown(path, uid, gid) != 0)
        return complain(c, "cannot be given to user \"%s\" group \"%s\": %s", access->user ? access->user : "",
                        access->group ? access->group : "", strerror(errno));
    return chmod(path, access->mode & 0777) == 0 ||
           complain(c, "cannot set mode %04o: %s", access->mode, strerror(errno));
}

/* The file of a bound socket takes the mode of its descriptor: nobody gets in before owner and mode are right. */
static bool bind_unix(struct spoe_socket *listening, const struct sockaddr_un *address,
                      const struct spoe_access *access, const struct complaint *c)
{
    struct stat st;
    if (fchmod(listening->fd, 0600) != 0 ||
        bind(listening->fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        const char *hint = errno == ENOENT ? "; make the folder first, owned by the agent's user" : "";
        return complain(c, "cannot listen: %s%s", strerror(errno), hint);
    }
    if (set_owner_and_mode(address->sun_path, access, c)) {
        if (lstat(address->sun_path, &st) == 0 && listen(listening->fd, SOMAXCONN) == 0) {
            memcpy(listening->path, address->sun_path, sizeof address->sun_path);
            listening->device = st.st_dev;
            listening->inode = st.st_ino;
            return true;
        }
        complain(c, "cannot listen: %s", strerror(errno));
    }
    unlink(address->sun_path);
    return false;
}

static bool open_unix(struct spoe_socket *listening, const char *path, const struct spoe_access *access,
                      const struct complaint *c)
{
    struct sockaddr_un address;
    listening->kind = SPOE_SOCKET_UNIX;
    if (!set_path(&address, path, c) || !remove_stale(&address, c))
        return false;
    listening->fd = new_socket(AF_UNIX);
    if (listening->fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    return bind_unix(listening, &address, access, c);
}

/* ---- abstract names --------------------------------------------------------------------------------------------- */

/* HAProxy's abns@ fills the whole address with zeros, unlike others, and so must we (src/tools.c, str2sa_range). */
static bool open_abstract(struct spoe_socket *listening, const char *name, const struct complaint *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    listening->kind = SPOE_SOCKET_ABSTRACT;
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof address.sun_path)
        return complain(c, "an abstract name has 1 to %zu bytes, as in abns@agent", sizeof address.sun_path - 1);
    memcpy(address.sun_path + 1, name, length);
    listening->fd = new_socket(AF_UNIX);
    if (listening->fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    if (bind(listening->fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(listening->fd, SOMAXCONN) == 0)
        return true;
    if (errno == EADDRINUSE)
        return complain(c, "in use: another process listens there; stop it or take another name");
    return complain(c, "cannot listen: %s", strerror(errno));
}

/* ---- TCP -------------------------------------------------------------------------------------------------------- */

/* "host:port", "[v6]:port", "*:port". */
static bool split_host_port(const char *address, char host[HOST_SIZE], const char **port, const struct complaint *c)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address, *end = colon;
    if (colon && address[0] == '[' && colon > address + 1 && colon[-1] == ']') {
        begin++;
        end--;
    } else if (colon && memchr(address, ':', (size_t)(colon - address))) {
        return complain(c, "write an IPv6 address in brackets, as in [::1]:9000");
    }
    if (!colon || end == begin || end - begin >= HOST_SIZE)
        return complain(c, "this is no address; write unix:/path, abns@name, host:port or [v6]:port");
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *port = colon + 1;
    char *rest;
    errno = 0;
    long number = strtol(*port, &rest, 10);
    if (**port < '0' || **port > '9' || *rest || errno || number > PORT_MAX)
        return complain(c, "\"%s\" is no port; a port is a number from 0 to %d", *port, PORT_MAX);
    return true;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static bool bind_tcp(struct spoe_socket *listening, const struct addrinfo *found, const struct spoe_access *access,
                     const struct complaint *c)
{
    int on = 1;
    if (!access->allow_remote && !is_loopback(found->ai_addr))
        return complain(c,
                        "not a loopback address, and SPOP knows no password; use 127.0.0.1 or a unix socket, or allow "
                        "remote addresses (allow-remote) and guard the port otherwise");
    listening->fd = new_socket(found->ai_family);
    if (listening->fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    if (setsockopt(listening->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(listening->fd, found->ai_addr, found->ai_addrlen) == 0 && listen(listening->fd, SOMAXCONN) == 0) {
        listening->port = port_of(listening->fd);
        return true;
    }
    if (errno == EADDRINUSE)
        return complain(c, "in use: another process listens there; stop it or take another port");
    return complain(c, "cannot listen: %s", strerror(errno));
}

static bool open_tcp(struct spoe_socket *listening, const char *address, const struct spoe_access *access,
                     const struct complaint *c)
{
    char host[HOST_SIZE];
    const char *port = NULL;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    listening->kind = SPOE_SOCKET_TCP;
    if (!split_host_port(address, host, &port, c))
        return false;
    int failed = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (failed != 0)
        return complain(c, "the host \"%s\" is not known: %s", host, gai_strerror(failed));
    bool opened = bind_tcp(listening, found, access, c);
    freeaddrinfo(found);
    return opened;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

bool spoe_socket_open(struct spoe_socket *listening, const char *address, const struct spoe_access *access, char *error,
                      size_t error_size)
{
    const struct spoe_access usual = {.mode = 0660};
    const struct complaint c = {.address = address, .text = error, .size = error_size};
    struct spoe_socket opening = {.fd = -1};
    if (!access)
        access = &usual;
    const char *path = after(address, "unix:");
    const char *name = after(address, "abns@");
    if (!path)
        path = after(address, "unix@");
    bool opened = path   ? open_unix(&opening, path, access, &c)
                  : name ? open_abstract(&opening, name, &c)
                         : open_tcp(&opening, address, access, &c);
    if (opened)
        *listening = opening;
    else if (opening.fd >= 0)
        close(opening.fd);
    return opened;
}

void spoe_socket_close(struct spoe_socket *listening)
{
    struct stat st;
    close(listening->fd);
    if (listening->kind == SPOE_SOCKET_UNIX && lstat(listening->path, &st) == 0 && st.st_dev == listening->device &&
        st.st_ino == listening->inode)
        unlink(listening->path);
}
