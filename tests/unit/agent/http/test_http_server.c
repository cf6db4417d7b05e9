/* tests/unit/agent/http/test_http_server.c - mirrors agent/http/http_server.c: a client on the same loop, byte by
 * byte where that matters. */
#include "agent/http/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "base/unix_socket.h"

enum { LARGE = 4 << 20 };

static struct ev_loop *loop;
static unsigned rendered;

static unsigned hello(void *user, const char *argument, FILE *out)
{
    rendered++;
    assert_string_equal(user, "user");
    fprintf(out, "hello %s", argument);
    return 200;
}

static unsigned large(void *user, const char *argument, FILE *out)
{
    (void)user;
    (void)argument;
    for (int i = 0; i < LARGE; i++)
        fputc('x', out);
    return 503;
}

static const struct http_page pages[] = {
    {"/hello", "text/plain", hello}, {"/large", "text/plain", large}, {NULL, NULL, NULL}};

static struct http_server *serve(const char *address, unsigned clients)
{
    static char user[] = "user";
    char error[500] = "";
    const struct http_server_options options = {.address = address,
                                                .access = {.mode = 0600},
                                                .max_clients = clients,
                                                .idle_s = 30,
                                                .pages = pages,
                                                .user_data = user};
    struct http_server *server = http_server_new(loop, &options, error, sizeof error);
    if (!server)
        fail_msg("%s", error);
    return server;
}

static int dial(const struct http_server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Turns the loop until the server has answered with so many bytes, or closed. What came is in static memory. */
static const char *read_some(int fd, size_t wanted, size_t *gotp)
{
    static char bytes[LARGE + 4096];
    size_t got = 0;
    for (int turns = 0; turns < 20000 && got < wanted; turns++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t n = recv(fd, bytes + got, sizeof bytes - 1 - got, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0)
            got += (size_t)n;
        else
            usleep(100);
    }
    bytes[got] = '\0';
    *gotp = got;
    return bytes;
}

/* Sends a request with Connection: close and returns the whole answer. */
static const char *ask(int fd, const char *request)
{
    size_t got;
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    const char *answer = read_some(fd, SIZE_MAX, &got);
    close(fd);
    return answer;
}

static void begins(const char *text, const char *what)
{
    if (strncmp(text, what, strlen(what)) != 0)
        fail_msg("wanted \"%s…\", got \"%.300s\"", what, text);
}

#define REQUEST(line) line " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void pages_are_found_by_their_path(void **state)
{
    (void)state;
    struct http_server *server = serve("127.0.0.1:0", 4);
    const char *answer = ask(dial(server), REQUEST("GET /hello"));
    begins(answer, "HTTP/1.1 200 ");
    assert_non_null(strstr(answer, "Content-Security-Policy: default-src 'none'"));
    assert_non_null(strstr(answer, "\r\n\r\nhello "));
    begins(ask(dial(server), REQUEST("GET /nothing")), "HTTP/1.1 404 ");
    begins(ask(dial(server), REQUEST("GET /hello/")), "HTTP/1.1 404 ");
    answer = ask(dial(server), REQUEST("GET /hello?x=1&path=%2Fa%20b"));
    assert_non_null(strstr(answer, "\r\n\r\nhello /a b"));
    http_server_free(server);
}

static void pages_are_only_read(void **state)
{
    (void)state;
    struct http_server *server = serve("127.0.0.1:0", 4);
    rendered = 0;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char request[300];
        snprintf(request, sizeof request,
                 "%s /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b", methods[i]);
        const char *answer = ask(dial(server), request);
        begins(answer, "HTTP/1.1 405 ");
        assert_non_null(strstr(answer, "Allow: GET, HEAD"));
    }
    assert_int_equal(rendered, 0);
    const char *answer = ask(dial(server), REQUEST("HEAD /hello"));
    begins(answer, "HTTP/1.1 200 ");
    assert_null(strstr(answer, "\r\n\r\nhello"));
    http_server_free(server);
}

static void what_is_no_http_is_refused(void **state)
{
    (void)state;
    struct http_server *server = serve("127.0.0.1:0", 4);
    begins(ask(dial(server), "\x16\x03\x01 nonsense\r\n\r\n"), "HTTP/1.");
    char longest[HTTP_ARGUMENT_MAX + 200] = "GET /hello?path=";
    size_t begin = strlen(longest);
    memset(longest + begin, 'a', HTTP_ARGUMENT_MAX + 1);
    strcpy(longest + begin + HTTP_ARGUMENT_MAX + 1, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    begins(ask(dial(server), longest), "HTTP/1.1 414 ");
    begins(ask(dial(server), REQUEST("GET /hello")), "HTTP/1.1 200 ");
    http_server_free(server);
}

static void a_slow_client_holds_up_nobody(void **state)
{
    (void)state;
    struct http_server *server = serve("127.0.0.1:0", 4);
    int slow = dial(server);
    assert_int_equal(send(slow, "GET /he", 7, MSG_NOSIGNAL), 7);
    int sated = dial(server); /* reads nothing of a long answer */
    assert_true(send(sated, REQUEST("GET /large"), strlen(REQUEST("GET /large")), MSG_NOSIGNAL) > 0);
    for (int i = 0; i < 20; i++)
        ev_run(loop, EVRUN_NOWAIT);
    begins(ask(dial(server), REQUEST("GET /hello")), "HTTP/1.1 200 ");
    size_t got;
    const char *answer = read_some(sated, SIZE_MAX, &got);
    begins(answer, "HTTP/1.1 503 ");
    assert_true(got > LARGE);
    close(sated);
    begins(ask(slow, "llo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
    http_server_free(server);
}

static void more_clients_than_allowed_are_turned_away(void **state)
{
    (void)state;
    struct http_server *server = serve("127.0.0.1:0", 2);
    int held[2] = {dial(server), dial(server)};
    for (int i = 0; i < 20; i++)
        ev_run(loop, EVRUN_NOWAIT);
    rendered = 0;
    ask(dial(server), REQUEST("GET /hello"));
    assert_int_equal(rendered, 0);
    close(held[0]);
    close(held[1]);
    for (int i = 0; i < 20; i++)
        ev_run(loop, EVRUN_NOWAIT);
    begins(ask(dial(server), REQUEST("GET /hello")), "HTTP/1.1 200 ");
    http_server_free(server);
}

static void a_unix_socket_has_its_mode_and_goes_at_the_end(void **state)
{
    (void)state;
    char folder[] = "/tmp/cellrouter-http-XXXXXX", path[100], address[120];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/http.sock", folder);
    snprintf(address, sizeof address, "unix:%s", path);
    struct http_server *server = serve(address, 4);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    int fd = unix_socket_connect(path, 1);
    assert_true(fd >= 0);
    begins(ask(fd, REQUEST("GET /hello")), "HTTP/1.1 200 ");
    http_server_free(server);
    assert_int_equal(stat(path, &file), -1);
    assert_int_equal(rmdir(folder), 0);
}

static void what_it_cannot_listen_on_is_said(void **state)
{
    (void)state;
    struct http_server *first = serve("127.0.0.1:0", 4);
    char address[40], error[500] = "";
    snprintf(address, sizeof address, "127.0.0.1:%u", http_server_port(first));
    const struct http_server_options options = {.address = address, .max_clients = 1, .idle_s = 1, .pages = pages};
    assert_null(http_server_new(loop, &options, error, sizeof error));
    assert_non_null(strstr(error, address));
    http_server_free(first);
    http_server_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    loop = ev_loop_new(EVFLAG_AUTO);
    return loop ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ev_loop_destroy(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_found_by_their_path),
        cmocka_unit_test(pages_are_only_read),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_slow_client_holds_up_nobody),
        cmocka_unit_test(more_clients_than_allowed_are_turned_away),
        cmocka_unit_test(a_unix_socket_has_its_mode_and_goes_at_the_end),
        cmocka_unit_test(what_it_cannot_listen_on_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
