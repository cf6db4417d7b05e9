/* agent/cellctl/haproxy_rules_check_main.c - run by the build: whether the templates of haproxy/ say only what
 * cellctl knows. */
#include <stdio.h>

#include "agent/cellctl/haproxy_vocabulary.h"

int main(void)
{
    struct template_error error;
    if (template_check(&haproxy_vocabulary, haproxy_roots, HAPROXY_ROOTS, &error))
        return 0;
    fprintf(stderr, "%s\n", error.text);
    return 1;
}
