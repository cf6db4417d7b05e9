/* tests/fuzz/fuzz_config.c - any text is either a configuration or answered with errors, and never harms the next
 * one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/config.h"

static const char good[] = "region = eu\ncell eu0 { servers = {\"127.0.0.1:1\"} }\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *said = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&said, &length);
    if (!out)
        return 0;
    struct config *config = config_parse("fuzz", (const char *)data, size, out);
    fflush(out);
    if ((!config) != (length > 0))
        abort(); /* refused without a word, or words about a good file */
    config_free(config);
    config = config_parse("good", good, strlen(good), out);
    if (!config)
        abort();
    config_free(config);
    fclose(out);
    free(said);
    return 0;
}
