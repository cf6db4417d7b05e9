/* agent/http/status_page.c - tables, and plots as SVG lines. */
#include "agent/http/status_page.h"

#include <inttypes.h>
#include <string.h>

enum {
    PLOT_WIDTH = HISTORY_SAMPLES * 2,
    PLOT_HEIGHT = 36,
    MINUTE = 60000 / HISTORY_EVERY_MS, /* samples */
    REFRESH_S = 5,
};

static const char head[] = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--line:#8884;--soft:#888;--good:#2a8c4a;--bad:#c8402f;--plot:#3b76c4}\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:64rem}\n"
    "h1{font-size:1.35rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}\n"
    "p{margin:.3rem 0}.soft{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}\n"
    "table{border-collapse:collapse;width:100%}th,td{padding:.25rem .6rem .25rem 0;text-align:left;"
    "border-bottom:1px solid var(--line);vertical-align:middle}th{font-weight:600;color:var(--soft)}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:1.2rem}\n"
    ".wide{overflow-x:auto}svg{display:block}polyline{fill:none;stroke:var(--plot);stroke-width:1.5}\n"
    "pre{white-space:pre-wrap;padding:.6rem;border:1px solid var(--line);border-radius:4px}\n"
    "input{font:inherit;padding:.25rem .5rem;width:min(28rem,70%)}button{font:inherit;padding:.25rem .8rem}\n"
    "</style>\n";

static void print_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc((unsigned char)*text < 0x20 && *text != '\n' ? '?' : *text, out);
        }
    }
}

static uint64_t value(const struct status_view *view, enum counter counter)
{
    return view->counters->values[counter];
}

static void print_head(const struct status_view *view, FILE *out)
{
    fputs(head, out);
    /* A page that somebody searches on stays as it is. */
    if (!view->asked[0])
        fprintf(out, "<meta http-equiv=\"refresh\" content=\"%d\">\n", REFRESH_S);
    fputs("<title>", out);
    print_text(out, view->router);
    fprintf(out, " - cell router</title>\n%s</head>\n<body>\n<h1>", style);
    print_text(out, view->router);
    fprintf(out, " <span class=\"%s\">%s</span></h1>\n<p class=\"soft\">cell router %s, region ",
            view->draining ? "bad" : "good", view->draining ? "draining" : "serving", view->version);
    print_text(out, view->region);
    uint64_t up = value(view, COUNTER_UPTIME_SECONDS);
    fprintf(out, ", up %" PRIu64 " d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ", ", up / 86400, up / 3600 % 24,
            up / 60 % 60, up % 60);
    print_text(out, view->file);
    fputs("</p>\n", out);
}

/* One line over the last ten minutes, the newest at the right; its top is the greatest sample. */
static void print_plot(const struct history *history, enum status_series series, const char *name, FILE *out)
{
    uint32_t most = 1;
    for (size_t age = 0; age < history->count; age++) {
        uint32_t delta = history_delta(history, series, age);
        most = delta > most ? delta : most;
    }
    fprintf(out,
            "<svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s, last ten minutes\">"
            "<polyline points=\"",
            PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT, name);
    for (size_t age = history->count; age-- > 0;)
        fprintf(out, "%zu,%" PRIu64 " ", (size_t)PLOT_WIDTH - 2 * age - 1,
                PLOT_HEIGHT - 2 - (uint64_t)history_delta(history, series, age) * (PLOT_HEIGHT - 4) / most);
    fputs("\"/></svg>", out);
}

static void print_series(const struct status_view *view, enum status_series series, const char *name, uint64_t total,
                         FILE *out)
{
    size_t samples = view->history->count < MINUTE ? view->history->count : MINUTE;
    double seconds = samples > 0 ? (double)samples * HISTORY_EVERY_MS / 1000 : 1;
    fprintf(out, "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%.1f/s</td><td>", name, total,
            (double)history_sum(view->history, series, samples) / seconds);
    print_plot(view->history, series, name, out);
    fputs("</td></tr>\n", out);
}

static void print_lookups(const struct status_view *view, FILE *out)
{
    uint64_t series[STATUS_SERIES];
    status_series(view->counters, series);
    fputs("<h2>Lookups</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th class=\"n\">since the start</th>"
          "<th class=\"n\">last minute</th><th>last ten minutes</th></tr>\n",
          out);
    print_series(view, STATUS_LEVEL1, "known in memory (level 1)", series[STATUS_LEVEL1], out);
    print_series(view, STATUS_LEVEL2, "known in Redis (level 2)", series[STATUS_LEVEL2], out);
    print_series(view, STATUS_MISSES, "unknown", series[STATUS_MISSES], out);
    print_series(view, STATUS_LEARNED, "routes learned", series[STATUS_LEARNED], out);
    print_series(view, STATUS_MOVED, "routes moved", series[STATUS_MOVED], out);
    fputs("</table></div>\n<p class=\"soft\">Hits of level 0 are HAProxy's alone; its own log and statistics have "
          "them.</p>\n",
          out);
}

static void print_cells(const struct status_view *view, FILE *out)
{
    fputs("<h2>Cells</h2>\n<div class=\"wide\"><table>\n<tr><th>cell</th><th>name</th><th>region</th>"
          "<th class=\"n\">redirects by</th><th class=\"n\">servers</th><th class=\"n\">routes in memory</th></tr>\n",
          out);
    for (size_t i = 0; i < view->cell_count; i++) {
        const struct status_cell *cell = &view->cells[i];
        fputs("<tr><td>", out);
        print_text(out, cell->id);
        fputs("</td><td>", out);
        print_text(out, cell->name);
        fputs("</td><td>", out);
        print_text(out, cell->region);
        fprintf(out, "</td><td class=\"n\">%u</td><td class=\"n\">%zu</td><td class=\"n\">%" PRIu64 "</td></tr>\n",
                cell->answers, cell->servers, cell->routes);
    }
    fputs("</table></div>\n", out);
}

static void print_fact(FILE *out, const char *name, const char *class, const char *text)
{
    fprintf(out, "<tr><td>%s</td><td class=\"%s\">%s</td></tr>\n", name, class, text);
}

static void print_number(FILE *out, const char *name, uint64_t number)
{
    fprintf(out, "<tr><td>%s</td><td>%" PRIu64 "</td></tr>\n", name, number);
}

static void print_parts(const struct status_view *view, FILE *out)
{
    bool connected = value(view, COUNTER_STORE_connected) != 0;
    bool watching = value(view, COUNTER_STORE_watching) != 0;
    char text[100];
    fputs("<h2>Parts</h2>\n<div class=\"wide\"><table>\n", out);
    print_fact(out, "Redis",
               !view->has_redis ? "soft"
               : connected      ? "good"
                                : "bad",
               !view->has_redis ? "none configured"
               : connected      ? "connected"
                                : "away");
    if (view->has_redis)
        print_fact(out, "changes by other routers", watching ? "good" : "bad", watching ? "heard" : "not heard");
    snprintf(text, sizeof text, "%" PRIu64 " processes in line, %" PRIu64 " entries",
             value(view, COUNTER_LEVEL0_SYNCED), value(view, COUNTER_LEVEL0_ENTRIES));
    print_fact(out, "level 0, HAProxy's map", view->has_level0 && value(view, COUNTER_LEVEL0_SYNCED) ? "good" : "soft",
               view->has_level0 ? text : "off");
    if (value(view, COUNTER_HAPROXY_PROCESSES) || view->limits[0]) {
        fprintf(out, "<tr><td>HAProxy's limits</td><td class=\"%s\">", view->limits[0] ? "bad" : "good");
        print_text(out, view->limits[0] ? view->limits : "as the rules need them");
        fputs("</td></tr>\n", out);
    }
    print_number(out, "SPOE connections", value(view, COUNTER_SPOE_CONNECTIONS));
    print_number(out, "routes in memory", value(view, COUNTER_ROUTES));
    snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64 " MiB", value(view, COUNTER_ROUTES_BYTES) >> 20,
             value(view, COUNTER_ROUTES_BYTES_MAX) >> 20);
    print_fact(out, "memory of routes", "", text);
    print_number(out, "claims refused", value(view, COUNTER_CLAIMS_REFUSED));
    print_number(out, "claims that would take a prefix from another cell", value(view, COUNTER_CLAIM_CONFLICTS));
    print_number(out, "claims held back by the quota", value(view, COUNTER_CLAIMS_QUOTA));
    fputs("</table></div>\n", out);
}

static void print_search(const struct status_view *view, FILE *out)
{
    fputs("<h2>What happens to a path?</h2>\n<form action=\"/\"><input name=\"path\" aria-label=\"path\" "
          "placeholder=\"/my-company/project\" value=\"",
          out);
    print_text(out, view->asked);
    fputs("\"> <button>explain</button></form>\n", out);
    if (!view->asked[0])
        return;
    fputs("<pre>", out);
    print_text(out, view->explanation);
    fputs("</pre>\n<p><a href=\"/\">back to the page that refreshes itself</a></p>\n", out);
}

void status_series(const struct counters *counters, uint64_t series[STATUS_SERIES])
{
    const uint64_t *values = counters->values;
    series[STATUS_LEVEL1] = values[COUNTER_LOOKUP_HITS_LEVEL1];
    series[STATUS_LEVEL2] = values[COUNTER_LOOKUP_HITS_LEVEL2];
    series[STATUS_MISSES] = values[COUNTER_LOOKUP_MISSES];
    series[STATUS_LEARNED] = values[COUNTER_ROUTES_LEARNED];
    series[STATUS_MOVED] = values[COUNTER_ROUTES_MOVED];
}

void status_page_print(const struct status_view *view, FILE *out)
{
    print_head(view, out);
    print_search(view, out);
    print_lookups(view, out);
    print_cells(view, out);
    print_parts(view, out);
    fputs("<p class=\"soft\"><a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a> "
          "<a href=\"/readyz\">/readyz</a></p>\n</body>\n</html>\n",
          out);
}
