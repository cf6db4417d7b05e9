/* agent/cellctl/haproxy_lists.c - quotes around words, brackets around what means something to a regular expression. */
#include "agent/cellctl/haproxy_lists.h"

void haproxy_list_words(const struct config_list *list, FILE *out)
{
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s\"%s\"", i == 0 ? "" : " ", list->items[i]);
}

void haproxy_list_expression(const struct config_list *list, FILE *out)
{
    if (list->count == 0)
        fputs("(?!)", out);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "" : "|", out);
        for (const char *at = list->items[i]; *at != '\0'; at++)
            fputs(*at == '.' ? "[.]" : (char[]){*at, '\0'}, out);
    }
}

void haproxy_header_expression(const char *prefix, FILE *out)
{
    for (const char *at = prefix; *at != '\0'; at++)
        fputs(*at == '-' ? "[^a-z0-9]" : (char[]){*at, '\0'}, out);
}
