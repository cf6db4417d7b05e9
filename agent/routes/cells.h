/* agent/routes/cells.h - the configured cells: id or display name -> a small number, in the order of the configuration.
 * Pure. A reload makes a new set; cells_map tells which number became which, for what remembers numbers (the route
 * table). */
#ifndef CELLROUTER_AGENT_ROUTES_CELLS_H
#define CELLROUTER_AGENT_ROUTES_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/text_view.h"

enum {
    CELLS_MAX = 4096,      /* what the route table's 12 bits a route can name */
    CELL_ID_MAX = 32,      /* bytes; an id becomes part of HAProxy names */
    CELL_NAME_MAX = 64,    /* bytes, as cell.name in agent/config/settings.def */
    CELL_NONE = UINT16_MAX /* no cell */
};

struct cells;

enum cells_outcome {
    CELLS_OK,
    CELLS_BAD_ID,    /* empty, longer than CELL_ID_MAX, or other than letters, digits, _ and - */
    CELLS_BAD_NAME,  /* longer than CELL_NAME_MAX, a control byte, or a byte of the directive grammar: " { } , : \ */
    CELLS_DUPLICATE, /* some cell has this id or name as its id or name */
    CELLS_FULL,      /* CELLS_MAX are there */
    CELLS_NO_MEMORY
};

/* An empty set, or NULL without memory. */
MUST_USE struct cells *cells_new(void);

/* NULL is allowed; frees all texts that the set gave out. */
void cells_free(struct cells *cells);

/* Adds a cell behind the others; copies the texts. name NULL or "": the id is its name. A refused cell changes
 * nothing. */
MUST_USE enum cells_outcome cells_add(struct cells *cells, const char *id, const char *name, const char *region);

/* How many there are: the cells are numbered from 0 to this, less one. */
size_t cells_count(const struct cells *cells);

/* The cell with exactly this id, or CELL_NONE. No text is ever found, however long, that was not added. */
uint16_t cells_find_id(const struct cells *cells, struct text_view id);

/* The cell with exactly this id or exactly this display name, or CELL_NONE. */
uint16_t cells_find(const struct cells *cells, struct text_view text);

/* Texts of a cell, zero-ended, as long as the set lives. For a number that no cell has: "?". */
const char *cells_id(const struct cells *cells, uint16_t cell);
const char *cells_name(const struct cells *cells, uint16_t cell);
const char *cells_region(const struct cells *cells, uint16_t cell);

/* Length of cells_id. */
size_t cells_id_length(const struct cells *cells, uint16_t cell);

/* map[i] = the number in fresh of the cell whose number in old is i, by its id; CELL_NONE when it is gone. map has room
 * for cells_count(old) numbers. */
void cells_map(const struct cells *old, const struct cells *fresh, uint16_t *map);

#endif
