/* agent/config/config_tree.h - the second half of reading a configuration file: bytes in, a tree of sections, keys
 * and values out, each with its line. It knows no setting: what may stand where is agent/config/config_parse.c. Pure.
 *
 * The grammar, over the tokens of agent/config/config_tokens.h:
 *
 * file      = { statement } statement = name ( "=" | "+=" ) value | name [ title ] "{" { statement } "}" value     =
 * text | "{" [ text { "," text } [ "," ] ] "}"
 *
 * The tree is an array in the order of the file: a node is followed by what it holds, and says where that ends. Node
 * 0 is the file. So a walk over what node n holds is
 *
 * for (size_t i = n + 1; i < tree->nodes[n].end; i = tree->nodes[i].end)
 * */
#ifndef CELLROUTER_AGENT_CONFIG_CONFIG_TREE_H
#define CELLROUTER_AGENT_CONFIG_CONFIG_TREE_H

#include "agent/config/config_tokens.h"

enum config_node_kind {
    NODE_BLOCK,  /* name [title] { statements }; node 0, too */
    NODE_KEY,    /* name = value */
    NODE_APPEND, /* name += value */
    NODE_VALUE,  /* one text of a key */
    NODE_NAME,   /* a name, and neither = nor { behind it: an error, whose words depend on what the name is */
};

struct config_node {
    enum config_node_kind kind;
    unsigned line;     /* of its first token */
    const char *text;  /* name, or value; NULL: it cannot be known, and an error says why */
    const char *title; /* of a block that has one, else NULL */
    size_t end;        /* the first node behind all that it holds */
    bool in_braces;    /* a key whose values stand in { } */
};

struct config_tree {
    struct config_node *nodes;
    size_t count;
    bool whole;  /* false: an error in the text's structure; something may be missing, so "missing" means nothing */
    bool nested; /* false: braces do not match, so it is not known what belongs to what */
    struct config_tokens tokens; /* hold the texts */
};

/* Reads length bytes, which are not kept. Every error goes to errors with its line. Returns 0, and then *tree is to
 * be freed by config_tree_deinit even when there were errors, or -1 when there is no tree: see config_tokens_read. */
MUST_USE int config_tree_read(struct config_tree *tree, const char *bytes, size_t length, config_variable_fn *variable,
                              struct config_errors *errors);

/* Frees everything, texts included, and leaves *tree all zero. */
void config_tree_deinit(struct config_tree *tree);

#endif
