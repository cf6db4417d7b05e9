/* agent/cellctl/haproxy_config.c - the templates printed. What HAProxy could not take, no configuration says: its
 * values are checked (agent/config/config_value.c). */
#include "agent/cellctl/haproxy_config.h"

#include <string.h>

#include "agent/cellctl/haproxy_vocabulary.h"

/* Returns -1, after saying what is wrong with a setting and what would be right. */
static int refuse(const struct config *config, const char *key, const char *value, const char *what)
{
    fprintf(stderr, "cellctl: %s: %s \"%s\": %s\n", config->file, key, value, what);
    return -1;
}

/* Says so of an address that every user of the machine can reach. */
static void warn_of_abstract(const struct config *config, const char *key, const char *address)
{
    if (strncmp(address, "abns@", 5) == 0)
        fprintf(stderr,
                "cellctl: %s: %s \"%s\": warning: every user of this machine can connect to it, and bind it while "
                "HAProxy is down; unix@/path in a folder of HAProxy's own would be right\n",
                config->file, key, address);
}

int haproxy_config_print(FILE *out, const struct config *config, bool large)
{
    if (large && config->haproxy.large_address[0] == '\0')
        return refuse(config, "haproxy.large-address", "",
                      "there is no large-body tier; unix@/run/cellrouter-large/bodies.sock would be right");
    warn_of_abstract(config, "haproxy.loop", config->haproxy.loop);
    warn_of_abstract(config, "haproxy.large-address", config->haproxy.large_address);
    struct haproxy_scope scope = {.config = config, .large = large};
    const struct template_meaning meaning = haproxy_meaning(&scope);
    struct template_error error;
    if (template_print(&haproxy_vocabulary, large ? "large" : "router", &meaning, out, &error))
        return 0;
    fprintf(stderr, "cellctl: %s\n", error.text);
    return -1;
}
