/* tests/unit/agent/config/test_config_addresses.c - every address that two would have, in whatever form it is
 * written. */
#include "tests/unit/agent/config/config_help.h"

#define LOOP "right would be abns@name or unix@/path"
#define LISTEN "right would be unix:/path, host:port or [v6]:port (the default is \"unix:/run/cellrouter/spoe.sock\")\n"
#define ADDRESS "right would be unix:/path, host:port or [v6]:port\n"
#define SERVER "right would be host:port, [v6]:port or unix@/path\n"
#define PATH "right would be an absolute path of at most 107 bytes (the default is /run/cellrouter/admin.sock)\n"

#define TIER " (the default is unix@/run/cellrouter-large/bodies.sock)\n"

static void each_process_for_large_bodies_has_three_addresses(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"haproxy { large-address = \"unix@/r/bodies.sock\" }", ""},
        {"haproxy { loop = abns@x large-address = abns@x-bodies }", ""},
        {"haproxy { loop = abns@x large-address = abns@x }", ""},
        {"haproxy { large-buffer = 4m loop = \"unix@/r/x\"\nlarge-address = \"unix@/r/x-large\" }",
         "t.conf:3: haproxy.large-address \"unix@/r/x-large\": the process for large bodies binds this address "
         "already: "
         "it is haproxy.loop with -large behind it; " LOOP TIER},
        {"haproxy { large-classes = {\"64k\"} large-address = \"unix@/run/haproxy/cellrouter.sock-large\" }",
         "t.conf:2: haproxy.large-address \"unix@/run/haproxy/cellrouter.sock-large\": with -64k behind it, as the "
         "process for large bodies binds it, this is the address of haproxy.loop; " LOOP TIER},
        {"haproxy { large-buffer = 4m large-address = \"unix@/run/haproxy/cellrouter.sock\" }",
         "t.conf:2: haproxy.large-address \"unix@/run/haproxy/cellrouter.sock\": "
         "this is the address of haproxy.loop already; " LOOP TIER},
        {"haproxy { large-classes = {\"64k\"} large-address = \"unix@/r/l\" }\nadmin { socket = /r/l-64k-check }",
         "t.conf:2: haproxy.large-address \"unix@/r/l\": with -64k-check behind it, as the process for large bodies "
         "binds it, "
         "this is the address of admin.socket; " LOOP TIER},
        /* Without such a process its addresses are free. */
        {"haproxy { large-address = \"\" loop = \"unix@/r/x\" runtime = {\"unix:/r/x-large-64k\"} }", ""},
        {"haproxy { loop = \"unix@/r/x\" runtime = {\"unix:/r/x-large\"} }", ""},
    };
    EXPECT_ALL(examples);
}

static void one_socket_has_many_names(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"admin { socket = /run/cellrouter/spoe.sock }",
         "t.conf:2: admin.socket \"/run/cellrouter/spoe.sock\": this is the address of spoe.listen already; " PATH},
        {"spoe { listen = {\"unix:/run/cellrouter/admin.sock\"} }",
         "t.conf:2: spoe.listen \"unix:/run/cellrouter/admin.sock\": this is the address of admin.socket already; "
         "" LISTEN},
        {"haproxy { runtime = {\"unix:/run/cellrouter/admin.sock\"} }",
         "t.conf:2: haproxy.runtime \"unix:/run/cellrouter/admin.sock\": this is the address of admin.socket "
         "already; " ADDRESS},
        {"haproxy { loop = \"unix@/run/cellrouter/spoe.sock\" }",
         "t.conf:2: haproxy.loop \"unix@/run/cellrouter/spoe.sock\": this is the address of spoe.listen already; " LOOP
         " (the default is unix@/run/haproxy/cellrouter.sock)\n"},
        {"spoe { listen = {\"localhost:9000\", \"127.0.0.1:9000\"} }",
         "t.conf:2: spoe.listen \"127.0.0.1:9000\": this is the address of spoe.listen already; " LISTEN},
        {"spoe { allow-remote = true listen = {\"127.0.0.1:9000\", \"0.0.0.0:9000\"} }",
         "t.conf:2: spoe.listen \"127.0.0.1:9000\": this is the address of spoe.listen already; " LISTEN},
        {"spoe { allow-remote = true listen = {\"[::]:9000\", \"[::1]:9001\", \"10.0.0.1:9000\"} }", ""},
        {"spoe { listen = {\"127.0.0.1:6379\"} }\nredis { address = \"localhost:6379\" }",
         "t.conf:3: redis.address \"localhost:6379\": this is the address of spoe.listen already; " ADDRESS},
        {"spoe { listen = {\"127.0.0.1:9000\"} }\ncell x {\nservers = {\"b:1\", \"127.0.0.1:9000\"} }",
         "t.conf:4: cell.servers \"127.0.0.1:9000\": this is the address of spoe.listen already; " SERVER},
        {"spoe { allow-remote = true listen = {\"0.0.0.0:80\"} }\ncell x { servers = {\"LOCALHOST:80\"} }",
         "t.conf:3: cell.servers \"LOCALHOST:80\": this is the address of spoe.listen already; " SERVER},
        {"cell x { servers = {\"unix@/run/cellrouter/spoe.sock\"} }",
         "t.conf:2: cell.servers \"unix@/run/cellrouter/spoe.sock\": this is the address of spoe.listen already; "
         "" SERVER},
        {"redis { address = \"Cache:6379\" }\nhaproxy { runtime = {\"cache:6379\"} }",
         "t.conf:2: redis.address \"Cache:6379\": this is the address of haproxy.runtime already; " ADDRESS},
        {"spoe { listen = {\"127.0.0.1:9\", \"127.0.0.1:9\"} }",
         "t.conf:2: spoe.listen \"127.0.0.1:9\": given twice; " LISTEN},
    };
    EXPECT_ALL(examples);
}

/* HAProxy binds PATH.PID.tmp first. */
static void paths_leave_room_for_haproxys_temporary_names(void **state)
{
    (void)state;
    char text[300], errors[600];
    for (int length = 89; length <= 90; length++) {
        snprintf(text, sizeof text, "haproxy { large-buffer = 1m loop = \"unix@/%0*d\" }", length - 1, 0);
        snprintf(
            errors, sizeof errors,
            "t.conf:2: haproxy.loop \"unix@/%0*d\": the path with -large has 96 bytes, more than the 95 that HAProxy "
            "can bind; " LOOP " (the default is unix@/run/haproxy/cellrouter.sock)\n",
            length - 1, 0);
        struct example example = {text, length == 89 ? "" : errors};
        expect_all(&example, 1);
    }
    /* Told once, not for each class. */
    snprintf(text, sizeof text, "haproxy { large-address = \"unix@/%085d\" }", 0);
    snprintf(errors, sizeof errors,
             "t.conf:2: haproxy.large-address \"unix@/%085d\": the path with -64k-check has 96 bytes, more than the "
             "95 that HAProxy can bind; " LOOP TIER,
             0);
    struct example example = {text, errors};
    expect_all(&example, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_process_for_large_bodies_has_three_addresses),
        cmocka_unit_test(one_socket_has_many_names),
        cmocka_unit_test(paths_leave_room_for_haproxys_temporary_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
