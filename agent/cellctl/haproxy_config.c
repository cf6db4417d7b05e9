/* agent/cellctl/haproxy_config.c - the templates printed. What HAProxy could not take, no configuration says: its
 * values are checked (agent/config/config_value.c). */
#include "agent/cellctl/haproxy_config.h"

#include <string.h>

#include "agent/cellctl/haproxy_vocabulary.h"
#include "agent/config/large_classes.h"

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

static int print(FILE *out, struct haproxy_scope *scope)
{
    const struct template_meaning meaning = haproxy_meaning(scope);
    struct template_error error;
    if (template_print(&haproxy_vocabulary, scope->large ? "large" : "router", &meaning, out, &error))
        return 0;
    fprintf(stderr, "cellctl: %s\n", error.text);
    return -1;
}

int haproxy_config_print(FILE *out, const struct config *config)
{
    warn_of_abstract(config, "haproxy.loop", config->haproxy.loop);
    warn_of_abstract(config, "haproxy.large-address", config->haproxy.large_address);
    struct haproxy_scope scope = haproxy_scope_of(config);
    return print(out, &scope);
}

/* Says which class would be right. Returns -1. */
static int refuse_class(const struct config *config, const char *class, const struct large_class *classes, size_t count)
{
    if (count == 0)
        return refuse(config, "haproxy.large-address", "",
                      "there is no large-body tier; unix@/run/cellrouter-large/bodies.sock would be right");
    if (classes[0].name[0] == '\0')
        return refuse(config, "haproxy.large-buffer", class, "it makes a single process; --large alone is its text");
    fprintf(stderr, "cellctl: %s: haproxy.large-classes has %s%s, and each is a process of its own; right would be",
            config->file, class ? "no class " : "several classes", class ? class : "");
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s haproxy --large %s", i == 0 ? "" : i + 1 < count ? "," : " or", classes[i].name);
    fprintf(stderr, ". For a single process, as before there were classes, set haproxy.large-buffer\n");
    return -1;
}

int haproxy_config_print_large(FILE *out, const struct config *config, const char *class)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    size_t count = large_classes(&config->haproxy, classes), at = 0;
    while (class && at < count && strcmp(classes[at].name, class) != 0)
        at++;
    if (at == count || (!class && count != 1))
        return refuse_class(config, class, classes, count);
    warn_of_abstract(config, "haproxy.loop", config->haproxy.loop);
    warn_of_abstract(config, "haproxy.large-address", config->haproxy.large_address);
    struct haproxy_scope scope = haproxy_scope_of(config);
    scope.large = true;
    scope.class = at;
    return print(out, &scope);
}

void haproxy_config_print_classes(FILE *out, const struct config *config)
{
    struct large_class classes[LARGE_CLASSES_MAX];
    size_t count = large_classes(&config->haproxy, classes);
    for (size_t i = 0; i < count; i++)
        if (classes[i].name[0] != '\0')
            fprintf(out, "%s\n", classes[i].name);
}
