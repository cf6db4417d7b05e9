/* agent/daemon/privileges.c - limits of the process and its user. Every failure is a sentence in `why`, for the log. */
#include "agent/daemon/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static char why[300];

static PRINTF_LIKE(1, 2) int failed(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return -1;
}

/* The numbers of both names; what is not named stays as it is. */
static int look_up(const char *user, const char *group, uid_t *uid, gid_t *gid)
{
    if (*user) {
        const struct passwd *entry = getpwnam(user);
        if (!entry)
            return failed("user \"%s\": there is no such user", user);
        *uid = entry->pw_uid;
        *gid = entry->pw_gid;
    }
    if (*group) {
        const struct group *entry = getgrnam(group);
        if (!entry)
            return failed("group \"%s\": there is no such group", group);
        *gid = entry->gr_gid;
    }
    return 0;
}

/* First the groups, for afterwards there is no right to change them. */
static int become(uid_t uid, gid_t gid)
{
    if (setgroups(1, &gid) != 0)
        return failed("the supplementary groups cannot be dropped: %s", strerror(errno));
    if (setresgid(gid, gid, gid) != 0)
        return failed("the group cannot be changed: %s", strerror(errno));
    if (setresuid(uid, uid, uid) != 0)
        return failed("the user cannot be changed: %s", strerror(errno));
    if (uid != 0 && setuid(0) == 0)
        return failed("root could be had back after it was given up");
    return 0;
}

int privileges_drop(const char *user, const char *group, const char **whyp)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    *whyp = why;
    if (look_up(user, group, &uid, &gid) != 0)
        return -1;
    if (geteuid() == 0 && (*user || *group)) {
        if (become(uid, gid) != 0)
            return -1;
    } else if (uid != geteuid() || gid != getegid()) {
        return failed("only root can become user \"%s\", group \"%s\"; start as root, or as that user, or leave the "
                      "settings empty",
                      user, group);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failed("new privileges cannot be given up: %s", strerror(errno));
    return 0;
}

uint64_t privileges_open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t open_now = 0;
    if (!folder)
        return 3;
    for (const struct dirent *entry; (entry = readdir(folder));)
        open_now += entry->d_name[0] != '.';
    closedir(folder);
    return open_now - 1; /* the folder itself was open */
}

uint64_t privileges_allow_files(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}
