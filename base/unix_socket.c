/* base/unix_socket.c - see the header. */
#include "base/unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static char why[400];

static PRINTF_LIKE(1, 2) int failed(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return -1;
}

static int fill_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

int unix_socket_connect(const char *path)
{
    struct sockaddr_un address;
    int fd = fill_address(path, &address) == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* The folder must be there: making it would guess at owner and mode. */
static int check_folder(const char *path)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat st;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    if (stat(folder, &st) != 0)
        return failed("%s: the folder %s cannot be used: %s; make it, owned by the daemon's user (systemd: "
                      "RuntimeDirectory=cellrouter)",
                      path, folder, strerror(errno));
    return S_ISDIR(st.st_mode) ? 0 : failed("%s: %s is not a folder", path, folder);
}

/* Removes what a crashed daemon left, and nothing else. */
static int remove_stale(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : failed("%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return failed("%s: there is a file of this name that is no socket; remove it or name another path", path);
    int fd = unix_socket_connect(path);
    if (fd >= 0) {
        close(fd);
        return failed("%s: in use: another process listens there", path);
    }
    if (errno != ECONNREFUSED)
        return failed("%s: cannot tell whether it is in use: %s", path, strerror(errno));
    return unlink(path) == 0 ? 0 : failed("%s: the old socket cannot be removed: %s", path, strerror(errno));
}

static int set_owner(const char *path, const char *user, const char *group)
{
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;
    if (user && *user) {
        const struct passwd *entry = getpwnam(user);
        if (!entry)
            return failed("%s: there is no user %s", path, user);
        uid = entry->pw_uid;
    }
    if (group && *group) {
        const struct group *entry = getgrnam(group);
        if (!entry)
            return failed("%s: there is no group %s", path, group);
        gid = entry->gr_gid;
    }
    if (uid == (uid_t)-1 && gid == (gid_t)-1)
        return 0;
    if (chown(path, uid, gid) == 0)
        return 0;
    return failed("%s: cannot be given to %s:%s: %s", path, user ? user : "", group ? group : "", strerror(errno));
}

static int bind_and_listen(int fd, const char *path, unsigned mode, const char *user, const char *group)
{
    struct sockaddr_un address;
    if (fill_address(path, &address) != 0)
        return failed("%s: longer than the %zu bytes that the system allows", path, sizeof address.sun_path - 1);
    mode_t mask = umask(0177); /* nobody gets in before owner and mode are right */
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (bound != 0)
        return failed("%s: cannot listen: %s", path, strerror(errno));
    if (set_owner(path, user, group) == 0) {
        if (chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
            return 0;
        failed("%s: cannot listen: %s", path, strerror(errno));
    }
    unlink(path);
    return -1;
}

int unix_socket_listen(const char *path, unsigned mode, const char *user, const char *group, const char **whyp)
{
    *whyp = why;
    if (check_folder(path) != 0 || remove_stale(path) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failed("%s: no socket: %s", path, strerror(errno));
    if (bind_and_listen(fd, path, mode, user, group) == 0)
        return fd;
    close(fd);
    return -1;
}
