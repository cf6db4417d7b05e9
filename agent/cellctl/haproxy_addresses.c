/* agent/cellctl/haproxy_addresses.c - the same sockets before and inside of a chroot. */
#include "agent/cellctl/haproxy_addresses.h"

#include <stdbool.h>
#include <string.h>

static bool is_file(const char *address)
{
    return strncmp(address, "unix@", 5) == 0;
}

void haproxy_addresses_print_bound(const struct config *config, const char *address, FILE *out)
{
    if (is_file(address))
        fprintf(out, "unix@%s%s", config->haproxy.chroot, address + 5);
    else
        fputs(address, out);
}

void haproxy_addresses_print_options(const struct config *config, const char *address, FILE *out)
{
    if (!is_file(address))
        return;
    if (config->haproxy.user[0] != '\0')
        fprintf(out, " user %s mode 600", config->haproxy.user);
    else
        fputs(" mode 660", out);
}

/* A path as it is seen inside of that folder. */
static const char *inside(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length : path;
}

void haproxy_addresses_print_agent(const struct config *config, FILE *out)
{
    const char *address = config->haproxy.agent_address;
    if (address[0] == '\0')
        address = config->spoe.listen.items[0];
    if (strncmp(address, "unix:", 5) == 0)
        fprintf(out, "unix@%s", inside(config->haproxy.chroot, address + 5));
    else
        fputs(address, out);
}
