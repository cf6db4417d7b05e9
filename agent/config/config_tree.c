/* agent/config/config_tree.c - a recursive-descent parser: one function for each line of the grammar in the header.
 *
 * Why our own. The file's syntax is older than this parser: it was libconfuse's, and users' files keep it (bare
 * words, lists in braces, `cell "id" { }`, +=, ${NAME}). libconfig has another syntax, with colons, semicolons and
 * brackets. libconfuse stops at the first unknown key, counts lines wrongly behind comments, passes over bytes that
 * it does not know without a word, says in English alone what it stumbled over, and holds its state in globals.
 *
 * What a reader of configurations has to get right is the wrong file: an operator has made three mistakes, and wants
 * to hear of all three, each once, with its line. So nothing here gives up:
 *
 * - The functions never fail. Each leaves the parser behind what it could make sense of; the token list ends in
 *   TOKEN_END, which nobody steps over, so every loop ends.
 * - After a mistake the rest of its line is passed over, up to a brace that closes; people write one statement a
 *   line.
 * - A missing value, a list that was not closed: both are seen because a name with its = or { follows on another
 *   line. Then the statement ends there, and the next one is read as if nothing had happened.
 * - Braces that do not match are the exception: what belongs to what is a guess then, and errors from a guess would
 *   bury the true one. The tree is marked (nested), and only the errors of the text itself are told.
 * - A name with neither = nor { stays in the tree as NODE_NAME, because what to say about it depends on the table of
 *   settings: "missing equal sign" of a key, "missing opening brace" of a block, "no such setting" of any other.
 *
 * Cost: each token is looked at a bounded number of times, and the two arrays grow by doubling: linear in the file.
 * Recursion is bounded by DEPTH_MAX; deeper blocks, which no setting has, are passed over by counting braces. */
#include "agent/config/config_tree.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 }; /* blocks within blocks; settings need one, an unknown block may hold some more */

static const char hint[] = "a setting is written key = value, a block name { … }";

struct parser {
    struct config_tree *tree;
    struct config_errors *errors;
    const struct config_token *at; /* the next token */
    size_t room;
    unsigned depth; /* of the block that is being read; the file's is 0 */
    bool no_memory;
    bool
        /* why braces do not match; what is told once, or follows from a text that does not end, is told no more */
        told;
};

static bool add_statements(struct parser *p);

/* Adds a node that holds nothing yet; returns its number. */
static size_t add_node(struct parser *p, enum config_node_kind kind, const struct config_token *token)
{
    struct config_tree *tree = p->tree;
    if (tree->count == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        struct config_node *grown = realloc(tree->nodes, room * sizeof *grown);
        if (!grown) {
            p->no_memory = true;
            return 0;
        }
        tree->nodes = grown;
        p->room = room;
    }
    tree->nodes[tree->count] =
        (struct config_node){.kind = kind, .line = token->line, .text = token->text, .end = tree->count + 1};
    return tree->count++;
}

/* All that was added behind this node is in it. */
static void close_node(struct parser *p, size_t node)
{
    if (!p->no_memory)
        p->tree->nodes[node].end = p->tree->count;
}

static bool next_is(const struct parser *p, enum config_token_kind kind)
{
    return p->at->kind == kind;
}

static const char *token_text(const struct config_token *token)
{
    return token->text ? token->text : "…";
}

static void unexpected(struct parser *p)
{
    p->tree->whole = false;
    if (next_is(p, TOKEN_END))
        config_errors_add(p->errors, p->at[-1].line, "premature end of file; %s", hint);
    else
        config_errors_add(p->errors, p->at->line, "unexpected token '%s'; %s", token_text(p->at), hint);
}

static void not_closed(struct parser *p, unsigned line)
{
    p->tree->whole = false;
    config_errors_add(p->errors, line, "a block or list begins here with { and never ends; } ends it");
}

/* What began on this line goes on to the end of the file. Of blocks in blocks the outermost is told alone: one } is
 * missing, and where is not known. */
static void ends_with_file(struct parser *p, unsigned line)
{
    p->tree->nested = false;
    if (p->depth == 0 && !p->told)
        not_closed(p, line);
    p->told = p->told || p->depth == 0;
}

/* Passes over a block, at whose { the parser stands. */
static void skip_block(struct parser *p)
{
    size_t open = 0;
    unsigned opened = p->at->line;
    do {
        open += next_is(p, TOKEN_OPEN);
        open -= next_is(p, TOKEN_CLOSE);
        p->at++;
    } while (open > 0 && !next_is(p, TOKEN_END));
    if (open > 0)
        ends_with_file(p, opened);
}

/* Passes over the rest of the line, blocks that begin there included, up to a brace that closes. */
static void skip_line(struct parser *p, unsigned line)
{
    while (p->at->line == line && !next_is(p, TOKEN_CLOSE) && !next_is(p, TOKEN_END))
        if (next_is(p, TOKEN_OPEN))
            skip_block(p);
        else
            p->at++;
}

static bool begins_statement(const struct config_token *token)
{
    return token->kind == TOKEN_TEXT &&
           (token[1].kind == TOKEN_EQUALS || token[1].kind == TOKEN_APPEND || token[1].kind == TOKEN_OPEN);
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static void add_value(struct parser *p)
{
    add_node(p, NODE_VALUE, p->at++);
}

/* Behind a text of a list. What is neither a comma nor the end is left to add_list. */
static void read_comma(struct parser *p)
{
    if (next_is(p, TOKEN_COMMA)) {
        p->at++;
    } else if (next_is(p, TOKEN_TEXT) && !begins_statement(p->at)) {
        p->tree->whole = false;
        config_errors_add(p->errors, p->at->line, "unexpected token '%s'; a comma separates the texts of a list",
                          token_text(p->at));
    }
}

/* From the { of a list up to and with its }. */
static void add_list(struct parser *p)
{
    unsigned opened = p->at++->line;
    while (!next_is(p, TOKEN_CLOSE)) {
        if (next_is(p, TOKEN_END)) {
            ends_with_file(p, opened);
            return;
        }
        if (begins_statement(p->at)) {
            not_closed(p, opened);
            return;
        }
        if (next_is(p, TOKEN_TEXT)) {
            add_value(p);
            read_comma(p);
            continue;
        }
        unexpected(p);
        if (next_is(p, TOKEN_OPEN))
            skip_block(p);
        else
            p->at++;
    }
    p->at++;
}

/* Behind the = or += of a key. */
static void add_values(struct parser *p, size_t key)
{
    const struct config_token *sign = p->at - 1;
    if (next_is(p, TOKEN_OPEN)) {
        if (!p->no_memory)
            p->tree->nodes[key].in_braces = true;
        add_list(p);
    } else if (next_is(p, TOKEN_TEXT) && !(p->at->line > sign->line && begins_statement(p->at))) {
        add_value(p);
    } else if (next_is(p, TOKEN_TEXT)) {
        p->tree->whole = false;
        config_errors_add(p->errors, sign->line, "%s %s: the value is missing; %s", token_text(sign - 1), sign->text,
                          hint);
    } else {
        unexpected(p);
        skip_line(p, p->at->line);
    }
}

/* ---- statements ------------------------------------------------------------------------------------------------- */

/* Other programs' ways to read a second file. The name stays out of the tree: there is nothing more to say about it. */
static bool is_include(const struct config_token *token)
{
    const char *name = token->text ? token->text : "";
    return strcmp(name + strspn(name, "@.!%"), "include") == 0;
}

static void skip_include(struct parser *p)
{
    config_errors_add(p->errors, p->at->line,
                      "%s: a configuration is one file and includes no other; put the settings here, or join the files "
                      "before the start",
                      p->at->text);
    p->tree->whole = false;
    skip_line(p, p->at->line);
}

/* From the { of a block up to and with its }. */
static void add_block(struct parser *p, const struct config_token *name, const char *title)
{
    size_t block = add_node(p, NODE_BLOCK, name);
    unsigned opened = p->at->line;
    if (!p->no_memory)
        p->tree->nodes[block].title = title;
    if (p->depth == DEPTH_MAX) {
        p->tree->whole = false;
        config_errors_add(p->errors, name->line, "%s: blocks stand in each other more than %d deep", token_text(name),
                          DEPTH_MAX);
        skip_block(p);
        return;
    }
    p->at++;
    p->depth++;
    bool closed = add_statements(p);
    p->depth--;
    close_node(p, block);
    if (!closed)
        ends_with_file(p, opened);
}

/* A name that nothing fits behind. What stands on its line goes with it. */
static void add_name(struct parser *p, const struct config_token *name)
{
    size_t node = add_node(p, NODE_NAME, name);
    if (next_is(p, TOKEN_TEXT) && p->at->line == name->line && !p->no_memory)
        p->tree->nodes[node].title = token_text(p->at);
    p->tree->whole = false;
    skip_line(p, name->line);
}

/* `spoe = { deadline = 3 }`: other programs write blocks so. */
static bool is_block_with_equals(const struct parser *p)
{
    return next_is(p, TOKEN_EQUALS) && p->at[1].kind == TOKEN_OPEN && begins_statement(&p->at[2]);
}

static void add_key(struct parser *p, const struct config_token *name)
{
    size_t key = add_node(p, next_is(p, TOKEN_EQUALS) ? NODE_KEY : NODE_APPEND, name);
    p->at++;
    add_values(p, key);
    close_node(p, key);
}

static void add_statement(struct parser *p)
{
    if (is_include(p->at)) {
        skip_include(p);
        return;
    }
    const struct config_token *name = p->at++;
    if (is_block_with_equals(p)) {
        config_errors_add(p->errors, p->at->line, "%s: no = stands before the { of a block; %s", token_text(name),
                          hint);
        p->at++;
        add_block(p, name, NULL);
    } else if (next_is(p, TOKEN_EQUALS) || next_is(p, TOKEN_APPEND)) {
        add_key(p, name);
    } else if (next_is(p, TOKEN_OPEN)) {
        add_block(p, name, NULL);
    } else if (next_is(p, TOKEN_TEXT) && p->at[1].kind == TOKEN_OPEN) {
        const char *title = token_text(p->at++);
        add_block(p, name, title);
    } else {
        add_name(p, name);
    }
}

/* All statements of a block up to and with its }, or to the end of the file. Returns whether there was a }. */
static bool add_statements(struct parser *p)
{
    while (!next_is(p, TOKEN_END) && !p->no_memory) {
        if (next_is(p, TOKEN_TEXT)) {
            add_statement(p);
        } else if (!next_is(p, TOKEN_CLOSE)) {
            unexpected(p);
            skip_line(p, p->at->line);
        } else {
            p->at++;
            if (p->depth > 0)
                return true;
            p->tree->whole = p->tree->nested = false;
            if (!p->tree->tokens.swallowed)
                config_errors_add(p->errors, p->at[-1].line, "unexpected closing brace; %s", hint);
        }
    }
    return false;
}

int config_tree_read(struct config_tree *tree, const char *bytes, size_t length, config_variable_fn *variable,
                     struct config_errors *errors)
{
    *tree = (struct config_tree){.whole = true, .nested = true};
    size_t before = errors->total;
    if (config_tokens_read(&tree->tokens, bytes, length, variable, errors) != 0)
        return -1;
    tree->whole = errors->total == before;
    struct parser p = {.tree = tree, .errors = errors, .at = tree->tokens.list, .told = tree->tokens.swallowed};
    static const struct config_token file = {.kind = TOKEN_TEXT, .line = 1, .text = ""};
    add_node(&p, NODE_BLOCK, &file);
    add_statements(&p);
    close_node(&p, 0);
    if (!p.no_memory)
        return 0;
    config_errors_add(errors, 0, "out of memory");
    config_tree_deinit(tree);
    return -1;
}

void config_tree_deinit(struct config_tree *tree)
{
    config_tokens_deinit(&tree->tokens);
    free(tree->nodes);
    *tree = (struct config_tree){0};
}
