/* agent/level0/map_file.h - the file from which a starting HAProxy loads its map: written bit by bit, put in place as a
 * whole. Source: HAProxy configuration manual 2.6, converter "map": one "key value" a line. */
#ifndef CELLROUTER_AGENT_LEVEL0_MAP_FILE_H
#define CELLROUTER_AGENT_LEVEL0_MAP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/routes/cells.h"
#include "agent/level0/hot_map.h"
#include "base/attributes.h"

struct map_file;

/* Texts, map and what cells points to must live as long as the file. NULL: out of memory. */
MUST_USE struct map_file *map_file_new(const char *path, const struct hot_map *map, const struct cells *const *cells);

/* A file that is half written goes; the one in place stays. NULL is allowed. */
void map_file_free(struct map_file *file);

/* Makes an empty file where there is none: HAProxy does not start without it. Returns 0, or an errno. */
MUST_USE int map_file_ensure(const char *path);

/* A descriptor that holds <path>.lock, or -1 with errno; EWOULDBLOCK: another agent holds it. Closing lets it go. */
MUST_USE int map_file_lock(const char *path);

enum map_file_step {
    MAP_FILE_MORE,  /* call again soon */
    MAP_FILE_DONE,  /* the file is in place */
    MAP_FILE_FAILED /* errno says why; the old file is in place */
};

/* Writes the next bit, some 64 KiB; starts over after DONE or FAILED. */
enum map_file_step map_file_step(struct map_file *file);

#endif
