/* agent/config/config_value.h - one text of the file, checked and turned into the value of its setting. */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_VALUE_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_VALUE_H

#include "agent/config/config_settings.h"
#include "base/attributes.h"

/* What is wrong, as a sentence without its end; what would be right comes from setting_describe. */
struct config_complaint {
    char text[160];
};

enum config_value {
    CONFIG_VALUE_OK,
    CONFIG_VALUE_WRONG,  /* the complaint says why */
    CONFIG_VALUE_MEMORY, /* out of memory */
};

/* Checks text and puts it into field, which is setting's place in a struct config or config_cell. A LIST grows by one
 * item; a TEXT replaces the one before. An empty text is allowed where its least length is 0. */
MUST_USE enum config_value config_value_set(const struct setting *setting, void *field, const char *text,
                                            struct config_complaint *why);

/* Puts the default in. Returns CONFIG_VALUE_OK or CONFIG_VALUE_MEMORY. */
MUST_USE enum config_value config_value_preset(const struct setting *setting, void *field);

/* Frees the items and the list; leaves it empty. */
void config_list_clear(struct config_list *list);

/* Whether a "host:port" address stands on loopback: 127.0.0.0/8, [::1] or localhost. */
bool config_address_is_loopback(const char *text);

#endif
