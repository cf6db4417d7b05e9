/* agent/config/config_machine.c - looks at users, folders and the password file; changes nothing. */
#include "agent/config/config_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config_errors.h"
#include "agent/config/config_parse.h"

enum config_password config_read_password(const struct config *config, char **passwordp, char *why)
{
    const char *file = config->redis.password_file;
    char line[CONFIG_PASSWORD_MAX + 2] = "";
    why[0] = '\0';
    if (!file[0] || !config->redis.address[0])
        return CONFIG_PASSWORD_NONE;
    FILE *in = fopen(file, "re");
    int error = errno;
    bool read = in && fgets(line, sizeof line, in);
    if (in)
        fclose(in);
    size_t length = strcspn(line, "\r\n");
    const char *what = !in                            ? strerror(error)
                       : !read || length == 0         ? "its first line is empty"
                       : length > CONFIG_PASSWORD_MAX ? "its first line is longer than 512 bytes"
                                                      : NULL;
    line[length] = '\0';
    *passwordp = what ? NULL : strdup(line);
    explicit_bzero(line, sizeof line);
    if (what)
        snprintf(why, CONFIG_WHY_MAX, "redis.password-file \"%s\": no password can be read: %s", file, what);
    if (what)
        return !in && error == EACCES ? CONFIG_PASSWORD_FORBIDDEN : CONFIG_PASSWORD_UNREADABLE;
    return *passwordp ? CONFIG_PASSWORD_OK : CONFIG_PASSWORD_MEMORY;
}

/* One look at the machine. */
struct look {
    struct config_parse parse; /* for the lines of settings; it changes nothing */
    struct config_errors *errors;
};

static unsigned line_of(const struct look *look, const char *section, const char *key)
{
    return config_line(&look->parse, 0, section, key);
}

static void check_user(const struct look *look, const char *section, const char *user)
{
    if (user[0] && !getpwnam(user))
        config_errors_add(look->errors, line_of(look, section, "user"), "%s%suser \"%s\": there is no such user",
                          section, section[0] ? "." : "", user);
}

static void check_group(const struct look *look, const char *section, const char *group)
{
    if (group[0] && !getgrnam(group))
        config_errors_add(look->errors, line_of(look, section, "group"), "%s%sgroup \"%s\": there is no such group",
                          section, section[0] ? "." : "", group);
}

/* Only root becomes another; who starts the daemon as that user already does not need to. */
static void check_becoming(const struct look *look, const struct config *config)
{
    const struct passwd *user = config->user[0] ? getpwnam(config->user) : NULL;
    if (user && geteuid() != 0 && user->pw_uid != geteuid())
        config_errors_add(look->errors, line_of(look, "", "user"), "user \"%s\": only root can become another user",
                          config->user);
}

/* Whether something can be put beside path: NULL, or what is wrong with the folder. */
static const char *wrong_with(const char *folder)
{
    struct stat is;
    if (stat(folder, &is) != 0)
        return errno == ENOENT ? "there is no such folder; right would be to make it (systemd's RuntimeDirectory= does)"
                               : strerror(errno);
    if (!S_ISDIR(is.st_mode))
        return "it is no folder";
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return errno == EACCES ? "this user may not write there" : strerror(errno);
    return NULL;
}

/* prefix: what stands before the path in the setting. */
static void check_folder(const struct look *look, const char *section, const char *key, const char *prefix,
                         const char *path)
{
    char folder[1100];
    snprintf(folder, sizeof folder, "%.1090s", path);
    char *slash = strrchr(folder, '/');
    slash[slash == folder] = '\0';
    const char *wrong = wrong_with(folder);
    if (wrong)
        config_errors_add(look->errors, line_of(look, section, key), "%s.%s \"%s%s\": %s: %s", section, key, prefix,
                          path, folder, wrong);
}

static void check_files(const struct look *look, const struct config *config)
{
    char *password = NULL, why[CONFIG_WHY_MAX];
    for (size_t i = 0; i < config->spoe.listen.count; i++)
        if (strncmp(config->spoe.listen.items[i], "unix:", 5) == 0)
            check_folder(look, "spoe", "listen", "unix:", config->spoe.listen.items[i] + 5);
    if (config->admin.socket[0])
        check_folder(look, "admin", "socket", "", config->admin.socket);
    if (config->haproxy.runtime.count && config->haproxy.map_file[0])
        check_folder(look, "haproxy", "map-file", "", config->haproxy.map_file);
    enum config_password outcome = config_read_password(config, &password, why);
    if (outcome == CONFIG_PASSWORD_FORBIDDEN || outcome == CONFIG_PASSWORD_UNREADABLE)
        config_errors_add(look->errors, line_of(look, "redis", "password-file"), "%s", why);
    if (outcome == CONFIG_PASSWORD_OK)
        explicit_bzero(password, strlen(password));
    if (outcome == CONFIG_PASSWORD_OK)
        free(password);
}

size_t config_check_machine(const struct config *config, FILE *out)
{
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (!errors) {
        fprintf(out, "%s: out of memory\n", config->file);
        return 1;
    }
    struct look look = {.parse = {.lines = config->lines}, .errors = errors};
    check_user(&look, "", config->user);
    check_group(&look, "", config->group);
    check_user(&look, "spoe", config->spoe.user);
    check_group(&look, "spoe", config->spoe.group);
    check_user(&look, "admin", config->admin.user);
    check_group(&look, "admin", config->admin.group);
    check_becoming(&look, config);
    check_files(&look, config);
    size_t total = errors->total;
    config_errors_print(errors, config->file, out);
    config_errors_deinit(errors);
    free(errors);
    return total;
}
