/* tests/unit/agent/config/test_config_machine.c - what this machine has of what a configuration names, and the
 * password file. */
#include "agent/config/config_machine.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/agent/config/config_help.h"

static char folder[40];

/* The text, with @ for the folder of this test. */
static const char *placed(const char *text)
{
    static char out[3000];
    size_t at = 0;
    out[0] = '\0';
    for (; *text; text++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s", *text == '@' ? (int)strlen(folder) : 1,
                               *text == '@' ? folder : text);
    return out;
}

static struct config *config_of(const char *more)
{
    char text[2000];
    snprintf(text, sizeof text, "region = eu cell a { servers = {\"a:1\"} }\n%s", more);
    struct config *config = parse(placed(text));
    if (!config)
        fail_msg("%s", said);
    return config;
}

/* Root may read and write everything: what depends on rights is looked at as somebody else. */
static bool was_root;

static void become_somebody(void)
{
    was_root = geteuid() == 0;
    if (was_root && (chmod(folder, 0755) != 0 || seteuid(65534) != 0))
        fail_msg("root cannot become somebody else");
}

static void become_root_again(void)
{
    if (was_root && seteuid(0) != 0)
        fail_msg("nobody cannot become root again");
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(placed(name), "w");
    fputs(text, out);
    fclose(out);
}

static size_t check_machine(const struct config *config, char **isp)
{
    size_t size = 0;
    FILE *out = open_memstream(isp, &size);
    size_t count = config_check_machine(config, out);
    fclose(out);
    return count;
}

static void what_is_missing_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"spoe { listen = {\"unix:@/s\", \"127.0.0.1:9\"} } admin { socket = \"@/a\" }", ""},
        {"spoe { listen = {\"unix:@/s\"} }\nadmin { socket = \"\" }", ""},
        {"spoe { listen = {\"unix:@/no/s\"} } admin { socket = \"\" }",
         "t.conf:2: spoe.listen \"unix:@/no/s\": @/no: there is no such folder; right would be to make it (systemd's "
         "RuntimeDirectory= does)\n"},
        {"spoe { listen = {\"unix:@/s\"} }\nadmin { socket = \"@/file/a\" }",
         "t.conf:3: admin.socket \"@/file/a\": @/file: it is no folder\n"},
        {"spoe { listen = {\"unix:@/s\"} user = no-such-user group = no-such-group }\nadmin { socket = \"\"\nuser = "
         "no-such-user\ngroup = no-such-group }\nuser = no-such-user\ngroup = no-such-group",
         "t.conf:2: spoe.user \"no-such-user\": there is no such user\n"
         "t.conf:2: spoe.group \"no-such-group\": there is no such group\n"
         "t.conf:4: admin.user \"no-such-user\": there is no such user\n"
         "t.conf:5: admin.group \"no-such-group\": there is no such group\n"
         "t.conf:6: user \"no-such-user\": there is no such user\n"
         "t.conf:7: group \"no-such-group\": there is no such group\n"},
        {"spoe { listen = {\"unix:@/s\"} user = root group = root } admin { socket = \"\" }", ""},
        /* The map of level 0, where there is one. */
        {"spoe { listen = {\"unix:@/s\"} } admin { socket = \"\" } haproxy { map-file = \"@/no/m\" }", ""},
        {"spoe { listen = {\"unix:@/s\"} } admin { socket = \"\" }\nhaproxy { map-file = \"@/no/m\" runtime = "
         "{\"h:1\"} }",
         "t.conf:3: haproxy.map-file \"@/no/m\": @/no: there is no such folder; right would be to make it (systemd's "
         "RuntimeDirectory= does)\n"},
        {"spoe { listen = {\"unix:@/s\"} } admin { socket = \"\" }\nredis { address = \"h:1\"\npassword-file = "
         "\"@/no\" }",
         "t.conf:4: redis.password-file \"@/no\": no password can be read: No such file or directory\n"},
        {"spoe { listen = {\"unix:@/s\"} } admin { socket = \"\" }\nredis { password-file = \"@/no\" }", ""},
    };
    write_file("@/file", "");
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct config *config = config_of(examples[i].text);
        char *is = NULL;
        size_t count = check_machine(config, &is);
        assert_string_equal(is, placed(examples[i].errors));
        assert_int_equal((bool)count, (bool)is[0]);
        free(is);
        config_free(config);
    }
}

static void what_is_there_must_be_allowed(void **state)
{
    (void)state;
    struct config *config =
        config_of("spoe { listen = {\"unix:/s\"} } admin { socket = \"\" }\nuser = root\nredis { address = \"h:1\" }");
    char *is = NULL;
    become_somebody();
    size_t count = check_machine(config, &is);
    become_root_again();
    assert_string_equal(is, "t.conf:2: spoe.listen \"unix:/s\": /: this user may not write there\n"
                            "t.conf:3: user \"root\": only root can become another user\n");
    assert_int_equal(count, 2);
    free(is);
    config_free(config);
}

static enum config_password read_password(const char *text, char **passwordp, char *why)
{
    static const char settings[] = "redis { address = \"h:1\" password-file = \"@/password\" }";
    struct config *config = config_of(settings);
    *passwordp = NULL;
    if (text)
        write_file("@/password", text);
    enum config_password outcome = config_read_password(config, passwordp, why);
    config_free(config);
    return outcome;
}

static void the_password_is_the_first_line(void **state)
{
    (void)state;
    static const char *const files[] = {"secret", "secret\n", "secret\r\n", "secret\nsecond line\n"};
    char *password, why[CONFIG_WHY_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(read_password(files[i], &password, why), CONFIG_PASSWORD_OK);
        assert_string_equal(password, "secret");
        assert_string_equal(why, "");
        free(password);
    }
    char long_line[CONFIG_PASSWORD_MAX + 2];
    memset(long_line, 'x', sizeof long_line);
    long_line[CONFIG_PASSWORD_MAX] = '\0';
    assert_int_equal(read_password(long_line, &password, why), CONFIG_PASSWORD_OK);
    assert_int_equal(strlen(password), CONFIG_PASSWORD_MAX);
    free(password);
    long_line[CONFIG_PASSWORD_MAX] = 'x';
    long_line[CONFIG_PASSWORD_MAX + 1] = '\0';
    assert_int_equal(read_password(long_line, &password, why), CONFIG_PASSWORD_UNREADABLE);
    assert_string_equal(why,
                        placed("redis.password-file \"@/password\": no password can be read: its first line is longer "
                               "than 512 bytes"));
}

static void a_file_without_a_password_is_unreadable(void **state)
{
    (void)state;
    char *password, why[CONFIG_WHY_MAX];
    assert_int_equal(read_password("", &password, why), CONFIG_PASSWORD_UNREADABLE);
    assert_string_equal(why,
                        placed("redis.password-file \"@/password\": no password can be read: its first line is empty"));
    assert_int_equal(read_password("\nsecret\n", &password, why), CONFIG_PASSWORD_UNREADABLE);
    assert_null(password);
    chmod(placed("@/password"), 0);
    become_somebody();
    enum config_password outcome = read_password(NULL, &password, why);
    become_root_again();
    assert_int_equal(outcome, CONFIG_PASSWORD_FORBIDDEN);
    assert_string_equal(why, placed("redis.password-file \"@/password\": no password can be read: Permission denied"));
}

static void without_redis_there_is_none(void **state)
{
    (void)state;
    char *password = NULL, why[CONFIG_WHY_MAX];
    struct config *config = config_of("redis { password-file = \"/no/such/file\" }");
    assert_int_equal(config_read_password(config, &password, why), CONFIG_PASSWORD_NONE);
    config_free(config);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_config_machine.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(placed("@/password"));
    unlink(placed("@/file"));
    free(said);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_told_with_its_line),
        cmocka_unit_test(what_is_there_must_be_allowed),
        cmocka_unit_test(the_password_is_the_first_line),
        cmocka_unit_test(a_file_without_a_password_is_unreadable),
        cmocka_unit_test(without_redis_there_is_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
