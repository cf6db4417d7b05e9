/* base/listen_socket.c - text to listening socket, one function a kind. Each failure ends in a sentence (complain) that
 * names the address, what is wrong and what would be right. */
#include "base/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unix_socket.h"

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

/* ---- unix sockets with a file ----------------------------------------------------------------------------------- */

/* The folder must be there: making it would guess at owner and mode. */
static bool check_folder(const char *path, const struct complaint *c)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : (int)(slash - path);
    char folder[ADDRESS_PATH_MAX + 1];
    snprintf(folder, sizeof folder, "%.*s", length, path);
    if (stat(folder, &st) != 0)
        return complain(c,
                        "the folder %s cannot be used: %s; make it, owned by the daemon's user (systemd: "
                        "RuntimeDirectory=cellrouter)",
                        folder, strerror(errno));
    return S_ISDIR(st.st_mode) || complain(c, "%s is not a folder", folder);
}

/* Removes what a process left that did not end orderly, and nothing else. The probe does not block: a process that
 * stands still with a full queue would hold up the one that starts. */
static bool remove_stale(const struct sockaddr_un *address, const struct complaint *c)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0)
        return errno == ENOENT || complain(c, "%s", strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return complain(c, "there is a file of this name that is no socket; remove it or name another path");
    int fd = new_socket(AF_UNIX);
    if (fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    int failed = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    close(fd);
    if (failed == 0 || failed == EAGAIN) /* EAGAIN: somebody listens whose queue is full */
        return complain(c, "in use: another process listens there; stop it or name another path");
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

static bool set_owner_and_mode(const char *path, const struct listen_access *access, const struct complaint *c)
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
static bool bind_unix(struct listen_socket *listening, const struct sockaddr_un *address,
                      const struct listen_access *access, const struct complaint *c)
{
    struct stat st;
    if (fchmod(listening->fd, 0600) != 0 || bind(listening->fd, (const struct sockaddr *)address, sizeof *address) != 0)
        return complain(c, "cannot listen: %s", strerror(errno));
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

static bool open_unix(struct listen_socket *listening, const char *path, const struct listen_access *access,
                      const struct complaint *c)
{
    struct sockaddr_un address = unix_socket_address(path);
    if (!check_folder(path, c) || !remove_stale(&address, c))
        return false;
    listening->fd = new_socket(AF_UNIX);
    if (listening->fd < 0)
        return complain(c, "no socket: %s", strerror(errno));
    return bind_unix(listening, &address, access, c);
}

/* ---- abstract names --------------------------------------------------------------------------------------------- */

/* HAProxy's abns@ fills the whole address with zeros, unlike others, and so must we (src/tools.c, str2sa_range). */
static bool open_abstract(struct listen_socket *listening, const char *name, const struct complaint *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name, strlen(name));
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

static bool bind_tcp(struct listen_socket *listening, const struct addrinfo *found, const struct listen_access *access,
                     const struct complaint *c)
{
    int on = 1;
    if (!access->allow_remote && !is_loopback(found->ai_addr))
        return complain(c,
                        "not a loopback address, and no password guards this port; use 127.0.0.1 or a unix socket, or "
                        "allow remote addresses (allow-remote) and guard the port otherwise");
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

static bool open_tcp(struct listen_socket *listening, const struct address *address, const struct listen_access *access,
                     const struct complaint *c)
{
    char port[8];
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *host = strcmp(address->where, "*") == 0 ? NULL : address->where;
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0)
        return complain(c, "the host \"%s\" is not known: %s", address->where, gai_strerror(failed));
    bool opened = bind_tcp(listening, found, access, c);
    freeaddrinfo(found);
    return opened;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static bool open_kind(struct listen_socket *listening, const struct address *address,
                      const struct listen_access *access, const struct complaint *c)
{
    switch (address->kind) {
    case ADDRESS_UNIX: return open_unix(listening, address->where, access, c);
    case ADDRESS_ABSTRACT: return open_abstract(listening, address->where, c);
    case ADDRESS_TCP: break;
    }
    return open_tcp(listening, address, access, c);
}

static bool open_parsed(struct listen_socket *listening, const struct address *address,
                        const struct listen_access *access, const struct complaint *c)
{
    const struct listen_access usual = {.mode = 0660};
    struct listen_socket opening = {.kind = address->kind, .fd = -1};
    bool opened = open_kind(&opening, address, access ? access : &usual, c);
    if (opened)
        *listening = opening;
    else if (opening.fd >= 0)
        close(opening.fd);
    return opened;
}

bool listen_socket_open(struct listen_socket *listening, const char *text, const struct listen_access *access,
                        char *error, size_t error_size)
{
    const struct complaint c = {.address = text, .text = error, .size = error_size};
    struct address address;
    enum address_outcome outcome = address_parse(text, &address);
    if (outcome != ADDRESS_OK)
        return complain(&c, "%s; write unix:/path, abns@name, host:port or [v6]:port", address_text(outcome));
    return open_parsed(listening, &address, access, &c);
}

bool listen_socket_open_path(struct listen_socket *listening, const char *path, const struct listen_access *access,
                             char *error, size_t error_size)
{
    const struct complaint c = {.address = path, .text = error, .size = error_size};
    struct address address;
    enum address_outcome outcome = address_parse_path(path, &address);
    if (outcome != ADDRESS_OK)
        return complain(&c, "%s", address_text(outcome));
    return open_parsed(listening, &address, access, &c);
}

void listen_socket_close(struct listen_socket *listening)
{
    struct stat st;
    close(listening->fd);
    if (listening->kind == ADDRESS_UNIX && lstat(listening->path, &st) == 0 && st.st_dev == listening->device &&
        st.st_ino == listening->inode)
        unlink(listening->path);
}
