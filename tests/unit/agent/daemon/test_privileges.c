/* tests/unit/agent/daemon/test_privileges.c - what the process does to itself, each time in a child of its own. */
#include "agent/daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs check in a child; what it returns is its exit status, and 0 is wanted. */
static void in_a_child(int (*check)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(check());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status 0x%x", (unsigned)status);
}

static int nobody_for_good(void)
{
    const char *why = "";
    if (privileges_drop("nobody", "", &why) != 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (geteuid() == 0 || getuid() == 0 || getegid() == 0)
        return 2;
    if (getgroups(0, NULL) != 1) /* the supplementary ones are gone, too */
        return 3;
    if (seteuid(0) == 0 || setegid(0) == 0)
        return 4;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
}

static void root_becomes_somebody_else_without_a_way_back(void **state)
{
    (void)state;
    if (geteuid() == 0)
        in_a_child(nobody_for_good);
    else
        skip();
}

static int no_names(void)
{
    const char *why = "";
    uid_t before = geteuid();
    if (privileges_drop("", "", &why) != 0 || geteuid() != before)
        return 1;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
}

static void without_names_only_the_way_back_is_closed(void **state)
{
    (void)state;
    in_a_child(no_names);
}

static int says(const char *user, const char *group, const char *wanted)
{
    const char *why = "";
    if (privileges_drop(user, group, &why) == 0)
        return 1;
    if (!strstr(why, wanted)) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", why, wanted);
        return 2;
    }
    return 0;
}

static int unknown_names(void)
{
    int user = says("no-such-user", "", "user \"no-such-user\""),
        group = says("", "no-such-group", "group \"no-such-group\"");
    return user ? user : group;
}

static void unknown_names_are_named(void **state)
{
    (void)state;
    in_a_child(unknown_names);
}

static int nobody_becomes_root(void)
{
    const char *why = "";
    if (geteuid() == 0 && privileges_drop("nobody", "", &why) != 0)
        return 10;
    return says("root", "", "only root can become");
}

static void only_root_becomes_somebody_else(void **state)
{
    (void)state;
    in_a_child(nobody_becomes_root);
}

static int set_limits(rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static int raise_files(void)
{
    struct rlimit limit;
    if (set_limits(50, 100) != 0)
        return 1;
    if (privileges_allow_files(40) != 50) /* it is enough */
        return 2;
    if (privileges_allow_files(80) != 80 || getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != 80)
        return 3;
    return privileges_allow_files(4096) == 100 ? 0 : 4; /* as far as it goes */
}

static void the_limit_of_files_is_raised_as_far_as_it_goes(void **state)
{
    (void)state;
    in_a_child(raise_files);
}

static void open_files_are_counted(void **state)
{
    (void)state;
    uint64_t before = privileges_open_files();
    assert_true(before >= 3);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(privileges_open_files(), before + 1);
    close(fd);
    assert_int_equal(privileges_open_files(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_becomes_somebody_else_without_a_way_back),
        cmocka_unit_test(without_names_only_the_way_back_is_closed),
        cmocka_unit_test(unknown_names_are_named),
        cmocka_unit_test(only_root_becomes_somebody_else),
        cmocka_unit_test(the_limit_of_files_is_raised_as_far_as_it_goes),
        cmocka_unit_test(open_files_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
