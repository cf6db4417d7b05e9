/* agent/routes/cells.c - an array in the order of the configuration, and an open-addressing hash over
 * ids and names. The texts come from the configuration, so the hash needs no secret seed. */
#include "agent/routes/cells.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct cell {
    char *id, *name, *region;
    uint16_t id_length, name_length;
};

/* A place of the hash: the cell's number, twice, plus 1 when its name is meant; EMPTY: free. */
enum { EMPTY = UINT16_MAX };

struct cells {
    struct cell *cells;
    size_t count, room;
    uint16_t *places; /* a power of two, at least four a cell: two are in use */
    size_t place_count;
};

struct cells *cells_new(void)
{
    return calloc(1, sizeof(struct cells));
}

static void free_texts(struct cell *cell)
{
    free(cell->id);
    free(cell->name);
    free(cell->region);
}

void cells_free(struct cells *cells)
{
    if (!cells)
        return;
    for (size_t i = 0; i < cells->count; i++)
        free_texts(&cells->cells[i]);
    free(cells->cells);
    free(cells->places);
    free(cells);
}

static bool is_id(const char *id)
{
    size_t length = strlen(id);
    if (length == 0 || length > CELL_ID_MAX)
        return false;
    for (const char *c = id; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' ||
              *c == '-'))
            return false;
    return true;
}

static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127 || strchr("\"{},:\\", *c))
            return false;
    return strlen(name) <= CELL_NAME_MAX;
}

static bool is_place_of(const struct cells *cells, uint16_t place, bool names, struct text_view text)
{
    const struct cell *cell = &cells->cells[place >> 1];
    if ((place & 1) == 0)
        return cell->id_length == text.length && memcmp(cell->id, text.at, text.length) == 0;
    return names && cell->name_length == text.length && memcmp(cell->name, text.at, text.length) == 0;
}

static uint16_t find(const struct cells *cells, bool names, struct text_view text)
{
    if (cells->place_count == 0 || text.length == 0 || text.length > CELL_NAME_MAX)
        return CELL_NONE;
    size_t mask = cells->place_count - 1;
    for (size_t at = XXH3_64bits(text.at, text.length) & mask; cells->places[at] != EMPTY; at = (at + 1) & mask)
        if (is_place_of(cells, cells->places[at], names, text))
            return cells->places[at] >> 1;
    return CELL_NONE;
}

uint16_t cells_find_id(const struct cells *cells, struct text_view id)
{
    return find(cells, false, id);
}

uint16_t cells_find(const struct cells *cells, struct text_view text)
{
    return find(cells, true, text);
}

static void put_place(uint16_t *places, size_t place_count, const char *text, size_t length, uint16_t place)
{
    size_t mask = place_count - 1;
    size_t at = XXH3_64bits(text, length) & mask;
    while (places[at] != EMPTY)
        at = (at + 1) & mask;
    places[at] = place;
}

static void put_cell(uint16_t *places, size_t place_count, const struct cell *cell, size_t number)
{
    put_place(places, place_count, cell->id, cell->id_length, (uint16_t)(number * 2));
    if (strcmp(cell->id, cell->name) != 0)
        put_place(places, place_count, cell->name, cell->name_length, (uint16_t)(number * 2 + 1));
}

/* Room for one more cell in both. */
static bool grow(struct cells *cells)
{
    if (cells->count < cells->room)
        return true;
    size_t room = cells->room ? cells->room * 2 : 8;
    struct cell *larger = realloc(cells->cells, room * sizeof *larger);
    if (!larger)
        return false;
    cells->cells = larger;
    uint16_t *places = malloc(room * 4 * sizeof *places);
    if (!places)
        return false;
    memset(places, 0xff, room * 4 * sizeof *places);
    for (size_t i = 0; i < cells->count; i++)
        put_cell(places, room * 4, &cells->cells[i], i);
    free(cells->places);
    cells->places = places;
    cells->place_count = room * 4;
    cells->room = room;
    return true;
}

enum cells_outcome cells_add(struct cells *cells, const char *id, const char *name, const char *region)
{
    if (!name || !*name)
        name = id;
    if (!is_id(id))
        return CELLS_BAD_ID;
    if (!is_name(name))
        return CELLS_BAD_NAME;
    if (cells->count == CELLS_MAX)
        return CELLS_FULL;
    if (cells_find(cells, text_view_of(id)) != CELL_NONE || cells_find(cells, text_view_of(name)) != CELL_NONE)
        return CELLS_DUPLICATE;
    struct cell cell = {.id = strdup(id),
                        .name = strdup(name),
                        .region = strdup(region),
                        .id_length = (uint16_t)strlen(id),
                        .name_length = (uint16_t)strlen(name)};
    if (!cell.id || !cell.name || !cell.region || !grow(cells)) {
        free_texts(&cell);
        return CELLS_NO_MEMORY;
    }
    put_cell(cells->places, cells->place_count, &cell, cells->count);
    cells->cells[cells->count++] = cell;
    return CELLS_OK;
}

size_t cells_count(const struct cells *cells)
{
    return cells->count;
}

const char *cells_id(const struct cells *cells, uint16_t cell)
{
    return cell < cells->count ? cells->cells[cell].id : "?";
}

const char *cells_name(const struct cells *cells, uint16_t cell)
{
    return cell < cells->count ? cells->cells[cell].name : "?";
}

const char *cells_region(const struct cells *cells, uint16_t cell)
{
    return cell < cells->count ? cells->cells[cell].region : "?";
}

size_t cells_id_length(const struct cells *cells, uint16_t cell)
{
    return cell < cells->count ? cells->cells[cell].id_length : 1;
}

void cells_map(const struct cells *old, const struct cells *fresh, uint16_t *map)
{
    for (size_t i = 0; i < old->count; i++)
        map[i] = cells_find_id(fresh, (struct text_view){old->cells[i].id, old->cells[i].id_length});
}
