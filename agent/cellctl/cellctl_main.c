/* agent/cellctl/cellctl_main.c - the tool beside the daemon: reads configurations and talks to a running agent. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cellctl/cellctl.h"
#include "agent/cellctl/haproxy_config.h"
#include "agent/config/config.h"
#include "agent/report/counters.h"

#define DEFAULT_FILE "/etc/cellrouter/cellrouter.conf"

static const char usage[] =
    "usage: cellctl [-f FILE] [-s SOCKET] COMMAND…\n"
    "\n"
    "Commands that read the configuration:\n"
    "  check               check FILE by itself; `cellrouter -c` also looks at this machine\n"
    "  haproxy             print HAProxy's configuration, made from FILE\n"
    "  haproxy --large CLASS\n"
    "                      the same for the process of one class of large bodies, such as 64k; without CLASS where\n"
    "                      there is only one process\n"
    "  haproxy --classes   print the names of these classes, one a line\n"
    "  adopt CFG…          print what a site's haproxy.cfg files, in HAProxy's order, need to adopt the rules\n"
    "  settings            print all settings, with limits and defaults\n"
    "  settings --sample   print a configuration with every default (docs/cellrouter.conf)\n"
    "  metrics             print every metric that an agent has, with its text; all values are 0\n"
    "\n"
    "Any other command is sent to the running agent:\n"
    "  help                list its commands, such as: show info, show routes [PREFIX] [FILTER…],\n"
    "                      explain PATH, forget PREFIX\n"
    "\n"
    "  -f, --file FILE     the configuration (default: " DEFAULT_FILE ")\n"
    "      --frontend NAME of adopt: the frontend that shall adopt the rules (default: those that lead to cells)\n"
    "  -s, --socket PATH   the agent's admin socket (default: the one in FILE)\n"
    "  -h, --help          print this text\n"
    "  -V, --version       print the version\n";

struct options {
    const char *file, *socket_path, *frontend;
};

static int refuse(const char *what)
{
    fprintf(stderr, "cellctl: %s\n%s", what, usage);
    return 2;
}

static int run_check(const struct options *options)
{
    struct config *config = config_load(options->file, stderr);
    if (!config)
        return 1;
    size_t without = config_cells_without_region(config);
    printf("%s is valid: %zu cells", options->file, config->cell_count);
    if (without)
        printf(", %zu of them in region \"%s\" because they name none", without, config->region);
    putchar('\n');
    config_free(config);
    return 0;
}

static int flushed(const char *what)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "cellctl: cannot write %s\n", what);
    return 1;
}

static int run_haproxy(const struct options *options, char *const *words, int count)
{
    bool large = count >= 2 && count <= 3 && strcmp(words[1], "--large") == 0;
    bool classes = count == 2 && strcmp(words[1], "--classes") == 0;
    if (count != 1 && !large && !classes)
        return refuse("haproxy takes nothing, --large, --large CLASS or --classes");
    struct config *config = config_load(options->file, stderr);
    if (!config)
        return 1;
    int outcome = 0;
    if (classes)
        haproxy_config_print_classes(stdout, config);
    else if (large)
        outcome = haproxy_config_print_large(stdout, config, count == 3 ? words[2] : NULL);
    else
        outcome = haproxy_config_print(stdout, config);
    config_free(config);
    return outcome != 0 ? 1 : flushed("HAProxy's configuration");
}

static int run_settings(char *const *words, int count)
{
    if (count == 1)
        config_print_settings(stdout);
    else if (count == 2 && strcmp(words[1], "--sample") == 0)
        config_print_sample(stdout);
    else
        return refuse("settings takes nothing or --sample");
    return flushed("the settings");
}

static int run_metrics(void)
{
    static const struct counters none;
    counters_print_metrics(&none, stdout);
    return flushed("the metrics");
}

static int ask(const struct options *options, char *const *words, int count)
{
    if (options->socket_path)
        return cellctl_ask(options->socket_path, words, count);
    struct config *config = config_load(options->file, stderr);
    if (!config) {
        fprintf(stderr, "cellctl: -s names the agent's admin socket when there is no configuration; in a container of "
                        "docker/compose.yaml: seat here cellctl -s admin.sock COMMAND\n");
        return 1;
    }
    int status = 1;
    if (config->admin.socket[0])
        status = cellctl_ask(config->admin.socket, words, count);
    else
        fprintf(stderr, "cellctl: %s: admin.socket is empty: this agent has none\n", options->file);
    config_free(config);
    return status;
}

static int run(const struct options *options, char *const *words, int count)
{
    if (count == 0)
        return refuse("a command is missing");
    if (strcmp(words[0], "settings") == 0)
        return run_settings(words, count);
    if (strcmp(words[0], "metrics") == 0)
        return count == 1 ? run_metrics() : refuse("metrics takes no argument");
    if (strcmp(words[0], "check") == 0)
        return count == 1 ? run_check(options) : refuse("check takes no argument");
    if (strcmp(words[0], "haproxy") == 0)
        return run_haproxy(options, words, count);
    if (strcmp(words[0], "adopt") == 0)
        return count > 1 ? cellctl_adopt(options->file, options->frontend, words + 1, count - 1)
                         : refuse("adopt takes the site's haproxy.cfg files");
    return ask(options, words, count);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"file", required_argument, NULL, 'f'},
                                          {"socket", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"sample", no_argument, NULL, 'S'},
                                          {"large", no_argument, NULL, 'L'},
                                          {"classes", no_argument, NULL, 'C'},
                                          {"frontend", required_argument, NULL, 'F'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.file = DEFAULT_FILE};
    /* No +: `cellctl haproxy -f FILE` reads as well as `cellctl -f FILE haproxy`. */
    static char sample[] = "--sample", large[] = "--large", classes[] = "--classes";
    char *words[64];
    int count = 0;
    for (int c; (c = getopt_long(argc, argv, "-f:s:hV", longs, NULL)) != -1;) {
        switch (c) {
        case 'f': options.file = optarg; break;
        case 's': options.socket_path = optarg; break;
        case 'F': options.frontend = optarg; break;
        case 'h': fputs(usage, stdout); return 0;
        case 'V': puts("cellctl " CELLROUTER_VERSION); return 0;
        case 'S':
        case 'L':
        case 'C':
        case 1:
            if (count == 64)
                return refuse("too many words");
            words[count++] = c == 1 ? optarg : c == 'S' ? sample : c == 'L' ? large : classes;
            break;
        default: return refuse("see above");
        }
    }
    for (; optind < argc; optind++) {
        if (count == 64)
            return refuse("too many words");
        words[count++] = argv[optind];
    }
    return run(&options, words, count);
}
