/* agent/level0/map_file.c - writes the file beside its place (PATH.new), some entries a step, and renames it when it is
 * whole: a starting HAProxy reads the old one or the new one. The map may change between steps; what is in the file is
 * right enough, for HAProxy's entries are compared as soon as the agent meets it. */
#include "agent/level0/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_ENTRIES = 1000 }; /* some 64 KiB */

struct map_file {
    const char *path;
    const struct hot_map *map;
    const struct cells *const *cells;
    FILE *out; /* NULL: nothing is under way */
    uint32_t cursor;
    char fresh[1100]; /* name while it is written */
};

struct map_file *map_file_new(const char *path, const struct hot_map *map, const struct cells *const *cells)
{
    struct map_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    *file = (struct map_file){.path = path, .map = map, .cells = cells};
    snprintf(file->fresh, sizeof file->fresh, "%s.new", path);
    return file;
}

static void give_up(struct map_file *file)
{
    int error = errno;
    if (file->out) {
        fclose(file->out);
        unlink(file->fresh);
    }
    file->out = NULL;
    errno = error;
}

void map_file_free(struct map_file *file)
{
    if (file)
        give_up(file);
    free(file);
}

int map_file_ensure(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    (void)!fchmod(fd, 0644); /* whatever the umask: it is HAProxy's to read */
    close(fd);
    return 0;
}

int map_file_lock(const char *path)
{
    char name[1100];
    snprintf(name, sizeof name, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool start(struct map_file *file)
{
    file->cursor = 0;
    file->out = fopen(file->fresh, "we");
    return file->out && fchmod(fileno(file->out), 0644) == 0;
}

/* Not flushed to the disk: after a power cut the agent, which starts before HAProxy, writes it anew. */
static enum map_file_step put_in_place(struct map_file *file)
{
    FILE *out = file->out;
    file->out = NULL;
    if (fclose(out) != 0 || rename(file->fresh, file->path) != 0) {
        int error = errno;
        unlink(file->fresh);
        errno = error;
        return MAP_FILE_FAILED;
    }
    return MAP_FILE_DONE;
}

enum map_file_step map_file_step(struct map_file *file)
{
    struct hot_entry entry;
    if (!file->out && !start(file)) {
        give_up(file);
        return MAP_FILE_FAILED;
    }
    for (int i = 0; i < STEP_ENTRIES; i++) {
        if (!hot_map_next(file->map, &file->cursor, &entry))
            return put_in_place(file);
        if (fprintf(file->out, "%.*s %s|%.*s%s\n", (int)entry.length, entry.key, cells_id(*file->cells, entry.cell),
                    (int)entry.length, entry.key, entry.undecided ? UNDECIDED_MARK : "") < 0) {
            give_up(file);
            return MAP_FILE_FAILED;
        }
    }
    return MAP_FILE_MORE;
}
