#include "agent/cellctl/haproxy_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "haproxy_rules.h"

/* Kept of a large buffer for the request's headers and HTX' own use: 16 KiB of headers, as much for rewriting, and slack. */
#define LARGE_HEADERS UINT64_C(65536)

/* HAProxy waits for so much longer than the agent delays an answer: an agent that is busy, timers that are late. */
#define HIDDEN_SLACK_MS 500U

/* A large request holds the one it arrives in, the copy for the replay, the inner pass's, and one for each answer. */
#define LARGE_BUFFERS 5U

/* Words of a server line that belong to health checks. They stand once, in the cell's own backend; the same servers in other
 * backends follow that check's result (`track`). Source: HAProxy configuration manual 2.6, section 5.2. */
static const struct {
    const char *word;
    bool has_value;
} check_words[] = {
    {"check", false},
    {"no-check", false},
    {"inter", true},
    {"fastinter", true},
    {"downinter", true},
    {"rise", true},
    {"fall", true},
    {"port", true},
    {"addr", true},
    {"check-ssl", false},
    {"check-sni", true},
    {"check-alpn", true},
    {"check-proto", true},
    {"check-send-proxy", false},
    {"check-via-socks4", false},
    {"observe", true},
    {"error-limit", true},
    {"on-error", true},
    {"on-marked-down", true},
    {"on-marked-up", true},
    {"slowstart", true},
    {"agent-check", false},
    {"agent-inter", true},
    {"agent-port", true},
    {"agent-addr", true},
    {"agent-send", true},
};

/* The next blank-separated word of text; quoted blanks belong to it. *length is 0 at the end. */
static const char *next_word(const char *text, size_t *length)
{
    text += strspn(text, " \t");
    size_t n = 0;
    for (char quote = 0; text[n] != '\0' && (quote != 0 || !isblank((unsigned char)text[n])); n++)
        if (quote != 0 ? text[n] == quote : text[n] == '"' || text[n] == '\'')
            quote = quote != 0 ? (char)0 : text[n];
        else if (text[n] == '\\' && quote != '\'' && text[n + 1] != '\0')
            n++;
    *length = n;
    return text;
}

static int check_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(check_words) / sizeof(check_words[0]); i++)
        if (strlen(check_words[i].word) == length && memcmp(check_words[i].word, word, length) == 0)
            return (int)i;
    return -1;
}

static bool has_option(const struct config_cell *cell, const char *option)
{
    size_t length;
    for (const char *word = next_word(cell->server_options, &length); length > 0;
         word = next_word(word + length, &length))
        if (length == strlen(option) && memcmp(word, option, length) == 0)
            return true;
    return false;
}

/* The server options without the words of the health check. */
static void print_plain_options(FILE *out, const struct config_cell *cell)
{
    size_t length;
    for (const char *word = next_word(cell->server_options, &length); length > 0;
         word = next_word(word + length, &length)) {
        int found = check_word(word, length);
        if (found < 0)
            fprintf(out, " %.*s", (int)length, word);
        else if (check_words[found].has_value)
            word = next_word(word + length, &length);
    }
}

/* Another server line for a server of the cell, whose health its own backend knows. */
static void print_follower(FILE *out, const struct config_cell *cell, size_t server, const char *more)
{
    fprintf(out, "    server %s.%zu %s", cell->id, server + 1, cell->servers.items[server]);
    print_plain_options(out, cell);
    if (has_option(cell, "check"))
        fprintf(out, " track cellrouter-cell-%s/%s.%zu", cell->id, cell->id, server + 1);
    fprintf(out, "%s\n", more);
}

/* Whether unknown paths go to this cell, as long as one of these is up. */
static bool is_picked(const struct config *config, const struct config_cell *cell)
{
    if (config->default_cell[0] != '\0')
        return strcmp(cell->id, config->default_cell) == 0;
    return strcmp(cell->region, config->region) == 0;
}

static size_t picked_servers(const struct config *config)
{
    size_t servers = 0;
    for (size_t i = 0; i < config->cell_count; i++)
        servers += is_picked(config, &config->cells[i]) ? config->cells[i].servers.count : 0;
    return servers;
}

static bool retries(const struct config_cell *cell, bool also_421)
{
    return cell->answers == CELL_ANSWER_425 || (also_421 && cell->answers == CELL_ANSWER_421);
}

/* Nothing when there are none: the rules ask whether the variable is there. */
static void print_retry_ids(FILE *out, const struct config *config, bool also_421)
{
    bool any = false;
    for (size_t i = 0; i < config->cell_count; i++) {
        if (!retries(&config->cells[i], also_421))
            continue;
        fprintf(out, "%s%s", any ? " " : "    setenv CELLROUTER_RETRY_CELLS \"", config->cells[i].id);
        any = true;
    }
    if (any)
        fputs("\"\n", out);
}

/* Whether an unknown path may be asked for without the replay pass: all cells that are picked for it redirect by a status that HAProxy
 * retries. With weights the servers are left to HAProxy's own choice. */
static bool first_at_once(const struct config *config, bool also_421)
{
    bool any = false;
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        if (!is_picked(config, cell))
            continue;
        if (!retries(cell, also_421) || has_option(cell, "weight"))
            return false;
        any = true;
    }
    return any;
}

/* Cells whose redirect HAProxy can retry by itself: 425 everywhere, 421 from 3.2 on. Before 3.0 a redirect that ends together with its
 * connection is lost instead; so a cell is only asked at once where a redirect is the exception, on a known path. */
static void print_retry_cells(FILE *out, const struct config *config, bool large)
{
    bool direct = config->haproxy.direct_hits != DIRECT_HITS_NEVER;
    fputs(".if version_atleast(3.2)\n    setenv CELLROUTER_RETRY_ON \"conn-failure 421 425\"\n", out);
    if (direct)
        print_retry_ids(out, config, true);
    if (direct && !large && first_at_once(config, true))
        fputs("    setenv CELLROUTER_FIRST 1\n", out);
    fputs(".else\n    setenv CELLROUTER_RETRY_ON \"conn-failure 425\"\n", out);
    if (direct)
        print_retry_ids(out, config, false);
    if (direct && !large && first_at_once(config, false))
        fputs(".if version_atleast(3.0)\n    setenv CELLROUTER_FIRST 1\n.endif\n", out);
    fputs(".endif\n", out);
}

/* The map of level 0 and how a request's key in it is made: as the agent makes the keys of routes. */
static void print_level0(FILE *out, const struct config *config)
{
    if (config->haproxy.map_file[0] == '\0' || config->haproxy.runtime.count == 0)
        return;
    fprintf(out, "    setenv CELLROUTER_MAP \"%s\"\n    setenv CELLROUTER_LONG_PATH %u\n", config->haproxy.map_file,
            config->routes.max_path + 1);
    const char *fold = config->routes.fold_case ? ",lower" : "";
    if (config->routes.hosts)
        fprintf(out,
                "    setenv CELLROUTER_MAP_KEY \"req.hdr(host),host_only,lower,concat(,txn.cellrouter.path,/)%s\"\n",
                fold);
    else
        fprintf(out, "    setenv CELLROUTER_MAP_KEY \"path%s,concat(/)\"\n", fold);
}

static void print_global(FILE *out, const struct config *config, bool large)
{
    static const char *const hits[] = {
        [DIRECT_HITS_SAFE] = "safe", [DIRECT_HITS_ALL] = "all", [DIRECT_HITS_NEVER] = "never"};
    const struct config_haproxy *haproxy = &config->haproxy;
    fprintf(out, "# made by `cellctl haproxy %s-f %s`: change that file, not this one\n\nglobal\n",
            large ? "--large " : "", config->file);
    if (large) {
        fprintf(out, "    # memory: at most %u requests with %u buffers of %" PRIu64 " MiB each: %" PRIu64 " MiB\n",
                haproxy->large_requests, LARGE_BUFFERS, haproxy->large_buffer >> 20,
                haproxy->large_requests * LARGE_BUFFERS * haproxy->large_buffer >> 20);
        fprintf(out, "    tune.bufsize %" PRIu64 "\n    tune.maxrewrite 16384\n", haproxy->large_buffer);
        fprintf(out, "    maxconn %u\n", 4 * haproxy->large_requests + 100);
    }
    fprintf(out, "    setenv CELLROUTER_ROUTER \"%s\"\n", config->router);
    fprintf(out, "    setenv CELLROUTER_PREFIX \"%s\"\n    setenv CELLROUTER_NAMES \"(?i)^(?:x[-_]cellrouter[-_]|",
            haproxy->header_prefix);
    /* Many cells take the two for the same (CGI, Rack). The prefix has letters, digits and dashes only. */
    for (const char *at = haproxy->header_prefix; *at != '\0'; at++)
        fputs(*at == '-' ? "[-_]" : (char[]){*at, '\0'}, out);
    fprintf(out, ")\"\n    setenv CELLROUTER_DIRECT_HITS %s\n", hits[haproxy->direct_hits]);
    if (config->routes.hosts)
        fputs("    setenv CELLROUTER_HOSTS 1\n", out);
    if (large)
        fputs("    setenv CELLROUTER_TIER 1\n", out);
    /* Numbers in a note that no cell has: gpt entries hold 32 bits. */
    fputs("    setenv CELLROUTER_UNKNOWN 4294967294\n    setenv CELLROUTER_MALFORMED 4294967295\n", out);
    fprintf(out, "    setenv CELLROUTER_MAX_HOPS %u\n", haproxy->max_hops);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_CLIENT %us\n", haproxy->timeout_client_s);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_REQUEST %us\n", haproxy->timeout_request_s);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_CONNECT %ums\n", haproxy->timeout_connect_ms);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_SERVER %us\n", haproxy->timeout_server_s);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_TUNNEL %us\n", haproxy->timeout_tunnel_s);
    /* HAProxy's own HTTP log format, and what the router knows. Not in the shared rules: a frontend that does not log would
     * be warned about it. */
    fputs(
        "    setenv CELLROUTER_LOG_FORMAT \"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc "
        "%sq/%bq %hr %hs %{+Q}r cell=%[var(txn.cellrouter.cell)] level=%[var(txn.cellrouter.level,0)] "
        "redirects=%[var(txn.cellrouter.redirects)] reason=%[var(txn.cellrouter.reason)]\"\n",
        out);
    if (!large)
        print_level0(out, config);
    if (!large && haproxy->large_address[0] != '\0') {
        fprintf(out, "    setenv CELLROUTER_LARGE \"%s\"\n    setenv CELLROUTER_LARGE_REQUESTS %u\n",
                haproxy->large_address, haproxy->large_requests);
    }
    fprintf(out, "    setenv CELLROUTER_LARGE_BODY %" PRIu64 "\n", haproxy->large_buffer - LARGE_HEADERS);
    fprintf(out, "    setenv CELLROUTER_TIMEOUT_LARGE %us\n", haproxy->large_wait_s);
    if (!large && config->hidden.max_ms > 0)
        fprintf(out, "    setenv CELLROUTER_HIDDEN %ums\n", config->hidden.max_ms + HIDDEN_SLACK_MS);
    print_retry_cells(out, config, large);
    fputc('\n', out);
}

/* Numbers of the cells, counted from 1: of the one that redirects and of the one that it names. */
static void print_numbers(FILE *out, const struct config *config)
{
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        fprintf(out, "    http-response set-var(txn.cellrouter.self) int(%zu) if { srv_name -m beg \"%s.\" }\n", i + 1,
                cell->id);
        fprintf(
            out,
            "    http-response set-var(txn.cellrouter.next) int(%zu) if { var(txn.cellrouter.to) -m str \"=%s\" \"=%s\" }\n",
            i + 1, cell->id, cell->name);
    }
}

/* Lines of the shared rules that are meant for this file. What follows `agent` the large-body process must not have: HAProxy 2.6
 * keeps a whole buffer of the size that tune.bufsize says on its stack when it reads `option spop-check`. A block is printed
 * where it stands, and again where a line names it. */
static const char agent_mark[] = "#cellctl only beside an agent\n";
static const char numbers_mark[] = "    #cellctl numbers\n";
static const char block_mark[] = "    #cellctl block ";
static const char again_mark[] = "    #cellctl again ";
static const char end_mark[] = "    #cellctl end\n";

struct line {
    const char *at;
    size_t length; /* with its newline */
};

/* The line of the rules that begins there, before their end. */
static struct line line_at(size_t begin)
{
    const char *at = (const char *)haproxy_rules + begin;
    size_t left = sizeof haproxy_rules - begin;
    const char *newline = memchr(at, '\n', left);
    return (struct line){at, newline ? (size_t)(newline - at) + 1 : left};
}

static bool line_is(struct line line, const char *mark)
{
    return strlen(mark) == line.length && memcmp(line.at, mark, line.length) == 0;
}

static bool line_begins(struct line line, const char *mark)
{
    return strlen(mark) < line.length && memcmp(line.at, mark, strlen(mark)) == 0;
}

static void print_lines(FILE *out, const struct config *config, size_t at, bool large, int depth);

/* Prints the lines of the block that an `again` line names. */
static void print_block(FILE *out, const struct config *config, struct line again, bool large, int depth)
{
    const char *name = again.at + strlen(again_mark);
    size_t length = again.length - strlen(again_mark);
    for (size_t at = 0; at < sizeof haproxy_rules;) {
        struct line line = line_at(at);
        at += line.length;
        if (line_begins(line, block_mark) && line.length == strlen(block_mark) + length &&
            memcmp(line.at + strlen(block_mark), name, length) == 0) {
            print_lines(out, config, at, large, depth + 1);
            return;
        }
    }
}

/* From there to the end: of the block when depth is not 0, else of the rules. */
static void print_lines(FILE *out, const struct config *config, size_t at, bool large, int depth)
{
    int open = 0;
    while (at < sizeof haproxy_rules) {
        struct line line = line_at(at);
        at += line.length;
        if (line_is(line, agent_mark) && large)
            return;
        if (line_is(line, end_mark) && open-- == 0 && depth > 0)
            return;
        if (line_begins(line, block_mark))
            open++;
        else if (line_begins(line, again_mark) && depth < 4)
            print_block(out, config, line, large, depth);
        else if (line_is(line, numbers_mark))
            print_numbers(out, config);
        else if (!line_is(line, end_mark) && !line_is(line, agent_mark))
            fwrite(line.at, 1, line.length, out);
    }
}

/* The shared rules, with what hangs on the list of cells. */
static void print_rules(FILE *out, const struct config *config, bool large)
{
    print_lines(out, config, 0, large, 0);
    fputc('\n', out);
}

/* What delays a 404 or 403, in each backend of the edge that a client's request can go to: there, once, just before it leaves.
 * Source: HAProxy doc/SPOE.txt 2.1; a scope of cellrouter-spoe.conf is the engine. */
static void print_hidden(FILE *out, const struct config *config, bool large)
{
    if (!large && config->hidden.max_ms > 0)
        fprintf(out, "    filter spoe engine cellrouter-hidden config \"%s\"\n", config->hidden.spoe_file);
}

/* The agent for these answers: a backend of its own, so that those that wait take no connection from lookups. HAProxy
 * opens one for almost each of them; before 3.1 some more, and there maxconn counts connections. For an answer that began to wait
 * before the agent was known to be gone 2.6 tries again without a pause (upstream 72c23bd4c); the inspection is one. */
static void print_hidden_agent(FILE *out, const struct config *config, const char *prefix, const char *address)
{
    if (config->hidden.max_ms == 0)
        return;
    fprintf(out,
            "backend cellrouter-agent-hidden from cellrouter-spop\n"
            ".if version_before(3.0)\n"
            "    tcp-request inspect-delay 200ms\n"
            "    tcp-request content accept if { nbsrv(cellrouter-agent) gt 0 }\n"
            "    tcp-request content reject if WAIT_END\n"
            ".endif\n"
            ".if version_before(3.1)\n    default-server maxconn %u\n.endif\n"
            "    server agent %s%s track cellrouter-agent/agent\n\n",
            config->hidden.most, prefix, address);
}

/* The large-body process has a replay pass of its own, on an address of its own. */
static const char *loop_suffix(bool large)
{
    return large ? "-large" : "";
}

static const char *bind_options(const char *address)
{
    return strncmp(address, "unix@", 5) == 0 ? " mode 600" : "";
}

/* The tier has no weight: it gets what the rules give it, and a retry of that goes by the loop. */
static void print_replay(FILE *out, const struct config *config, bool large)
{
    fputs("backend cellrouter-replay from cellrouter-replay-pass\n", out);
    print_hidden(out, config, large);
    if (!large && config->haproxy.large_address[0] != '\0') {
        fprintf(out,
                "    use-server cellrouter-large if { var(txn.cellrouter.tier) -m bool }\n"
                "    server cellrouter-large %s weight 0 track cellrouter-large-check/process\n",
                config->haproxy.large_address);
    }
    fprintf(out, "    server cellrouter-loop %s%s\n\n", config->haproxy.loop, loop_suffix(large));
}

/* A check that the process itself has to answer: of one that stands still the kernel goes on to take connections. On an address of
 * its own, because a tier that is full leaves new connections waiting, and is well. */
static void print_large_check(FILE *out, const struct config *config, bool large)
{
    const char *address = config->haproxy.large_address;
    if (large) {
        fprintf(out,
                "frontend cellrouter-large-check from cellrouter-large-bodies\n    bind %s-check%s\n"
                "    http-request return status 200\n\n",
                address, bind_options(address));
    } else if (address[0] != '\0') {
        fprintf(out,
                "backend cellrouter-large-check from cellrouter-replay-pass\n    option httpchk\n    timeout check 2s\n"
                "    server process %s-check check inter 500ms rise 1 fall 2\n\n",
                address);
    }
}

static void print_inner(FILE *out, const struct config *config, bool large)
{
    fprintf(out, "frontend cellrouter-inner from cellrouter-inner-pass\n    bind %s%s%s\n", config->haproxy.loop,
            loop_suffix(large), bind_options(config->haproxy.loop));
    for (size_t i = 0; i < config->cell_count; i++) {
        const char *id = config->cells[i].id;
        fprintf(out, "    http-request set-var(txn.cellrouter.cell) str(%s) if { var(txn.cellrouter.go) -m int %zu }\n",
                id, i + 1);
        fprintf(
            out,
            "    http-request set-header \"${CELLROUTER_PREFIX}From\" %s if { var(txn.cellrouter.last) -m int %zu }\n",
            id, i + 1);
    }
    fputs("    use_backend cellrouter-cell-%[var(txn.cellrouter.cell)] if { var(txn.cellrouter.cell) -m found }\n\n",
          out);
    print_replay(out, config, large);
    print_large_check(out, config, large);
    fputs("backend cellrouter-notes from cellrouter-replay-pass\n"
          "    stick-table type string len 36 size 100k expire 1m store gpt(4)\n\n",
          out);
    if (large) {
        fprintf(out, "frontend cellrouter-large from cellrouter-large-bodies\n    bind %s%s\n    maxconn %u\n\n",
                config->haproxy.large_address, bind_options(config->haproxy.large_address),
                config->haproxy.large_requests);
        return;
    }
    fputs(
        "backend cellrouter-hints from cellrouter-replay-pass\n    stick-table type integer size 100k expire 30s store gpt(2)\n\n",
        out);
}

static void print_agent(FILE *out, const struct config *config)
{
    const char *address = config->haproxy.agent_address;
    const char *prefix = "";
    if (address[0] == '\0') {
        address = config->spoe.listen.items[0];
        if (strncmp(address, "unix:", 5) == 0) {
            address += 5;
            prefix = "unix@";
        }
    }
    fprintf(out,
            "backend cellrouter-agent from cellrouter-spop\n    server agent %s%s check inter 500ms rise 1 fall 2\n\n",
            prefix, address);
    print_hidden_agent(out, config, prefix, address);
}

/* Tries of an unknown path beyond the first. A server that refused may come up again in the next but one try, and other requests
 * take their turns in between: twice the servers reach one that is up, 10 bound the wait for servers that are silent. */
static size_t any_retries(size_t servers)
{
    size_t tries = servers * 2 + 1;
    return tries < 3 ? 3 : tries > 10 ? 10 : tries;
}

/* Where an unknown path goes: a cell of the region, or the default cell; what else there is takes over when none is up. In turn
 * and not at random, so that a retry finds a server that has not refused yet. */
static void print_any(FILE *out, const struct config *config)
{
    fprintf(
        out,
        "backend cellrouter-any from cellrouter-cells\n    balance roundrobin\n    retries %zu\n    option allbackups\n",
        any_retries(picked_servers(config)));
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        for (size_t server = 0; server < cell->servers.count; server++)
            print_follower(out, cell, server, is_picked(config, cell) ? "" : " backup");
    }
    fputc('\n', out);
}

static void print_cell(FILE *out, const struct config *config, const struct config_cell *cell, bool large)
{
    fprintf(out, "backend cellrouter-cell-%s from cellrouter-cells\n", cell->id);
    print_hidden(out, config, large);
    fprintf(out, "    retries %zu\n", cell->servers.count > 3 ? (size_t)3 : cell->servers.count - 1);
    for (size_t server = 0; server < cell->servers.count; server++)
        fprintf(out, "    server %s.%zu %s %s\n", cell->id, server + 1, cell->servers.items[server],
                cell->server_options);
    fputc('\n', out);
}

/* What a redirect of a cell that was asked at once leaves in cellrouter-notes. HAProxy decides on the retry before http-response
 * rules run, but after these. */
static void print_notes(FILE *out, const struct config *config)
{
    fputs(
        "    tcp-response inspect-delay 24h\n"
        "    tcp-response content accept if { srv_name -m str cellrouter-loop }\n"
        "    tcp-response content set-var(txn.cellrouter.to) \"res.fhdr(${CELLROUTER_PREFIX}Redirect)\""
        " if { status 421 425 } { res.fhdr_cnt(\"${CELLROUTER_PREFIX}Redirect\") -m int 1 }\n"
        "    tcp-response content set-var(txn.cellrouter.to) str(malformed)"
        " if { status 421 425 } { res.fhdr_cnt(\"${CELLROUTER_PREFIX}Redirect\") -m int gt 1 }\n"
        "    tcp-response content accept unless { var(txn.cellrouter.to) -m found }\n"
        "    tcp-response content set-var(txn.cellrouter.to) str(malformed) if { var(txn.cellrouter.to) -m beg = }\n"
        "    tcp-response content set-var(txn.cellrouter.to) \"var(txn.cellrouter.to),${CELLROUTER_CELL_OF}\"\n"
        "    tcp-response content sc-set-gpt(0,1) int(\"${CELLROUTER_MALFORMED}\") if !{ var(txn.cellrouter.to) -m beg = }\n"
        "    tcp-response content sc-set-gpt(0,1) int(\"${CELLROUTER_UNKNOWN}\") if { var(txn.cellrouter.to) -m beg = }\n"
        "    tcp-response content sc-set-gpt(1,1) int(1)\n",
        out);
    for (size_t i = 0; i < config->cell_count; i++) {
        fprintf(
            out,
            "    tcp-response content sc-set-gpt(0,1) int(%zu) if { var(txn.cellrouter.to) -m str \"=%s\" \"=%s\" }\n",
            i + 1, config->cells[i].id, config->cells[i].name);
    }
}

/* The cell asked at once, with the loop server as the only one that a retry can be given to: the others have no weight, and
 * `use-server` holds for the first try alone. Source: HAProxy configuration manual 2.6, `use-server`, `option redispatch`. */
static void print_retry_cell(FILE *out, const struct config *config, size_t index)
{
    const struct config_cell *cell = &config->cells[index];
    fprintf(out, "backend cellrouter-direct-%s from cellrouter-retry\n", cell->id);
    print_hidden(out, config, false);
    print_notes(out, config);
    fprintf(out, "    tcp-response content sc-set-gpt(2,1) int(%zu)\n", index + 1);
    fprintf(out, "    http-request set-header \"${CELLROUTER_PREFIX}Route\" %s\n", cell->id);
    if (cell->servers.count > 1)
        fprintf(out, "    use-server %s.%%[rand(%zu),add(1)] if TRUE\n", cell->id, cell->servers.count);
    for (size_t server = 0; server < cell->servers.count; server++)
        fprintf(out, "    use-server %s.%zu if TRUE\n", cell->id, server + 1);
    for (size_t server = 0; server < cell->servers.count; server++)
        print_follower(out, cell, server, " weight 0");
    fprintf(out, "    server cellrouter-loop %s pool-purge-delay 1s\n\n", config->haproxy.loop);
}

/* The same for an unknown path, with the servers of all cells that are picked. Each takes its share at random: the first one of
 * them all, the second one of what is left, and so on. A server that is down is passed over, to the next in the list. */
static void print_first(FILE *out, const struct config *config)
{
    size_t left = picked_servers(config);
    fputs(".if defined(CELLROUTER_FIRST)\nbackend cellrouter-direct-any from cellrouter-first\n", out);
    print_hidden(out, config, false);
    print_notes(out, config);
    /* Over HTTP/2 a GET may have a body without saying so. */
    fputs("    use-server cellrouter-loop if { var(txn.cellrouter.body) -m int gt 0 }\n", out);
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        for (size_t server = 0; is_picked(config, cell) && server < cell->servers.count; server++)
            fprintf(out, "    use-server %s.%zu if { rand(%zu) -m int 0 }\n", cell->id, server + 1, left--);
    }
    for (size_t i = 0; i < config->cell_count; i++) {
        const struct config_cell *cell = &config->cells[i];
        if (!is_picked(config, cell))
            continue;
        fprintf(out, "    tcp-response content sc-set-gpt(2,1) int(%zu) if { srv_name -m beg \"%s.\" }\n", i + 1,
                cell->id);
        for (size_t server = 0; server < cell->servers.count; server++) {
            fprintf(out, "    use-server %s.%zu if TRUE\n", cell->id, server + 1);
            print_follower(out, cell, server, " weight 0");
        }
    }
    fprintf(out, "    server cellrouter-loop %s pool-purge-delay 1s\n.endif\n\n", config->haproxy.loop);
}

int haproxy_config_print(FILE *out, const struct config *config, bool large)
{
    if (large && config->haproxy.large_address[0] == '\0') {
        fprintf(
            stderr,
            "cellctl: %s: haproxy.large-address is empty: there is no large-body tier; abns@cellrouter-large would be right\n",
            config->file);
        return -1;
    }
    /* The name stands among the arguments of HAProxy's converters. */
    if (strpbrk(config->haproxy.map_file, ",() \t\"'\\")) {
        fprintf(
            stderr,
            "cellctl: %s: haproxy.map-file \"%s\": HAProxy cannot take this name; one without commas, brackets, quotes and blanks would be right\n",
            config->file, config->haproxy.map_file);
        return -1;
    }
    /* And this one in double quotes. */
    if (config->hidden.max_ms > 0 && strpbrk(config->hidden.spoe_file, "\"\\$")) {
        fprintf(
            stderr,
            "cellctl: %s: hidden.spoe-file \"%s\": HAProxy cannot take this name; one without quotes, \\ and $ would be right\n",
            config->file, config->hidden.spoe_file);
        return -1;
    }
    print_global(out, config, large);
    print_rules(out, config, large);
    print_inner(out, config, large);
    if (!large)
        print_agent(out, config);
    print_any(out, config);
    for (size_t i = 0; i < config->cell_count; i++)
        print_cell(out, config, &config->cells[i], large);
    for (size_t i = 0; i < config->cell_count && !large; i++)
        if (config->cells[i].answers != CELL_ANSWER_302)
            print_retry_cell(out, config, i);
    if (!large && first_at_once(config, true))
        print_first(out, config);
    /* What comes after this text and names no defaults section starts from nothing, as if it stood alone. */
    fputs("defaults\n", out);
    return 0;
}
