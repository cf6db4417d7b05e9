/* tests/unit/agent/config/config_help.h - a text, read as a configuration, and the errors of it compared with a
 * table. */
#ifndef CELLROUTER_TESTS_UNIT_AGENT_CONFIG_CONFIG_HELP_H
#define CELLROUTER_TESTS_UNIT_AGENT_CONFIG_CONFIG_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/config/config.h"

static char *said; /* what the last parse wrote */

/* A block of its exact size, so that ASan sees one byte read too far. NULL: refused, and said tells why. */
static inline struct config *parse_bytes(const char *text, size_t length)
{
    free(said);
    said = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&said, &size);
    char *exact = malloc(length ? length : 1);
    memcpy(exact, text, length);
    struct config *config = config_parse("t.conf", exact, length, out);
    fclose(out);
    free(exact);
    return config;
}

static inline struct config *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* A text, and all that must be said of it; "": it is right. */
struct example {
    const char *text, *errors;
};

/* Each text stands behind a region and a cell on line 1; line 2 is its first. */
static inline void expect_all(const struct example *examples, size_t count)
{
    static char text[3000];
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "region = eu cell eu0 { name = \"Cell EU0\" servers = {\"a:1\"} }\n%s",
                 examples[i].text);
        struct config *config = parse(text);
        if (strcmp(said, examples[i].errors) != 0)
            fail_msg("of\n%s\nwanted %s\n   got %s", text, examples[i].errors, said);
        assert_int_equal((bool)config, examples[i].errors[0] == '\0');
        config_free(config);
    }
    free(said);
    said = NULL;
}

#define EXPECT_ALL(examples) expect_all(examples, sizeof(examples) / sizeof((examples)[0]))

#endif
