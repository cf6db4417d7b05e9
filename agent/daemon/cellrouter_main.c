/* agent/daemon/cellrouter_main.c - the daemon's command line; everything else is agent/daemon/daemon.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/config/config.h"
#include "agent/daemon/daemon.h"

#define DEFAULT_FILE "/etc/cellrouter/cellrouter.conf"

static const char usage[] =
    "usage: cellrouter [-c] [-d] [-f FILE]\n"
    "\n"
    "Runs in the foreground until SIGTERM or SIGINT, which let it finish its work; a second one ends\n"
    "it at once. SIGHUP reads FILE again. Log lines go to stderr.\n"
    "\n"
    "  -f, --file FILE   configuration, " DEFAULT_FILE " when not given\n"
    "  -c, --check       only check FILE; status 0 when it is right\n"
    "  -d, --debug       log level debug, whatever FILE says\n"
    "  -h, --help        this text\n"
    "  -V, --version     the version\n";

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"file", required_argument, NULL, 'f'}, {"check", no_argument, NULL, 'c'},
                                          {"debug", no_argument, NULL, 'd'},      {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},    {NULL, 0, NULL, 0}};
    const char *file = DEFAULT_FILE;
    bool check = false, debug = false;
    for (int c; (c = getopt_long(argc, argv, "f:cdhV", longs, NULL)) != -1;) {
        switch (c) {
        case 'f': file = optarg; break;
        case 'c': check = true; break;
        case 'd': debug = true; break;
        case 'h': fputs(usage, stdout); return 0;
        case 'V': puts("cellrouter " CELLROUTER_VERSION); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "cellrouter: what is \"%s\"?\n%s", argv[optind], usage);
        return 2;
    }
    struct config *config = config_load(file, stderr);
    if (!config)
        return 1;
    if (check) {
        printf("%s is right: %zu cells\n", file, config->cell_count);
        config_free(config);
        return 0;
    }
    return daemon_run(config, debug);
}
