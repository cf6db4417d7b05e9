/* agent/cellctl/cellctl_ask.c - one command over the admin socket. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent/daemon/admin.h"
#include "agent/cellctl/cellctl.h"
#include "base/unix_socket.h"

enum { PATIENCE_S = 10 }; /* for an agent that says nothing at all */

static int say(int fd, char *const *words, int count)
{
    char line[ADMIN_LINE_MAX];
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        size_t word = strlen(words[i]);
        if (strchr(words[i], '\n') || word + 1 > sizeof line - length) {
            fprintf(stderr, "cellctl: the command is longer than one line of %d bytes\n", ADMIN_LINE_MAX);
            return -1;
        }
        memcpy(line + length, words[i], word);
        length += word;
        line[length++] = i + 1 < count ? ' ' : '\n';
    }
    for (size_t at = 0; at < length;) {
        ssize_t n = send(fd, line + at, length - at, MSG_NOSIGNAL);
        if (n < 0) {
            fprintf(stderr, "cellctl: the agent does not listen: %s\n", strerror(errno));
            return -1;
        }
        at += (size_t)n;
    }
    return shutdown(fd, SHUT_WR);
}

/* Copies the output without its last empty line. */
static int copy_output(int fd)
{
    char bytes[65536];
    FILE *out = NULL;
    bool held = false; /* a line's end that may be the last, empty line */
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fprintf(stderr, "cellctl: no output: %s\n", errno == EAGAIN ? "the agent is silent" : strerror(errno));
            return 1;
        }
        if (!out)
            out = n >= 6 && memcmp(bytes, "error:", 6) == 0 ? stderr : stdout;
        if (held)
            fputc('\n', out);
        held = bytes[n - 1] == '\n';
        fwrite(bytes, 1, (size_t)n - held, out);
    }
    if (!out) {
        fprintf(stderr, "cellctl: the agent closed the connection without a word\n");
        return 1;
    }
    if (fflush(out) != 0) {
        fprintf(stderr, "cellctl: cannot write: %s\n", strerror(errno));
        return 1;
    }
    return out == stderr;
}

int cellctl_ask(const char *socket_path, char *const *words, int count)
{
    int fd = unix_socket_connect(socket_path, PATIENCE_S);
    if (fd < 0) {
        fprintf(stderr, "cellctl: %s: %s%s\n", socket_path, errno == EAGAIN ? "the agent is silent" : strerror(errno),
                errno == ECONNREFUSED || errno == ENOENT ? "; is the agent running? -s names another socket" : "");
        return 1;
    }
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int status = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 && say(fd, words, count) == 0)
        status = copy_output(fd);
    close(fd);
    return status;
}
