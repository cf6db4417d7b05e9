/* tests/unit/base/test_list.c - order, and taking out at either end and in the middle. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list_node node;
};

/* Both ways round the list says the same. */
static void assert_list(const struct list_node *list, const char *names)
{
    char forth[16] = "", back[16] = "";
    size_t n = strlen(names);
    for (const struct list_node *at = list->next; at != list; at = at->next)
        forth[strlen(forth)] = LIST_OWNER(at, const struct item, node)->name;
    for (const struct list_node *at = list->prev; at != list; at = at->prev)
        back[strlen(back)] = LIST_OWNER(at, const struct item, node)->name;
    assert_string_equal(forth, names);
    assert_int_equal(strlen(back), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(back[n - 1 - i], names[i]);
    assert_int_equal(list_is_empty(list), n == 0);
}

static void nodes_go_in_at_a_place_and_out_anywhere(void **state)
{
    struct list_node list;
    struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    (void)state;
    list_init(&list);
    assert_list(&list, "");
    list_insert(&list, &b.node);
    list_insert(&list, &c.node);
    list_insert(list.next, &a.node);
    assert_list(&list, "abc");
    list_remove(&b.node);
    assert_list(&list, "ac");
    list_remove(&b.node);
    assert_list(&list, "ac");
    list_insert(&list, &b.node);
    assert_list(&list, "acb");
    list_remove(&a.node);
    list_remove(&b.node);
    list_remove(&c.node);
    assert_list(&list, "");
}

static void a_node_of_its_own_may_be_removed(void **state)
{
    struct item alone = {.name = 'x'};
    (void)state;
    list_init(&alone.node);
    list_remove(&alone.node);
    assert_true(list_is_empty(&alone.node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_go_in_at_a_place_and_out_anywhere),
        cmocka_unit_test(a_node_of_its_own_may_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
