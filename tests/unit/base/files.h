/* tests/unit/base/files.h - a folder for the sockets of a test program, and how many descriptors are open. */
#ifndef CELLROUTER_TESTS_UNIT_BASE_FILES_H
#define CELLROUTER_TESTS_UNIT_BASE_FILES_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static inline unsigned open_files(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static char files_folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(files_folder, sizeof files_folder, "/tmp/cellrouter-test-XXXXXX");
    return mkdtemp(files_folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return rmdir(files_folder); /* fails when a test left a socket behind */
}

/* In static memory, of 4 calls. */
static inline const char *in_folder(const char *prefix, const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s%s/%s", prefix, files_folder, name);
    return path;
}

#endif
