/* agent/daemon/cellrouter_main.c - the daemon's command line; everything else is agent/daemon/daemon.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/config/config.h"
#include "agent/config/config_machine.h"
#include "agent/daemon/daemon.h"

#define DEFAULT_FILE "/etc/cellrouter/cellrouter.conf"

static const char usage[] =
    "usage: cellrouter [-c] [-d] [-f FILE]\n"
    "\n"
    "The agent of the cell router. It runs in the foreground and logs to stderr.\n"
    "SIGTERM or SIGINT ends it after its work is done (drain); a second one ends it at once.\n"
    "SIGHUP reads FILE again.\n"
    "\n"
    "  -f, --file FILE   the configuration (default: " DEFAULT_FILE ")\n"
    "  -c, --check       only check FILE, and the users, folders and the password file that it names;\n"
    "                    exit with status 0 when it is valid here (`cellctl check`: anywhere)\n"
    "  -d, --debug       log at level debug, whatever FILE says\n"
    "  -h, --help        print this text\n"
    "  -V, --version     print the version\n";

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
        bool fits = config_check_machine(config, stderr) == 0;
        if (fits)
            printf("%s is valid: %zu cells\n", file, config->cell_count);
        config_free(config);
        return fits ? 0 : 1;
    }
    return daemon_run(config, debug);
}
