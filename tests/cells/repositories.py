"""Git repositories of a cell, by git's own http-backend (a CGI program): ROOT/CELL/ORGANIZATION/NAME.git."""

import asyncio
import os

from cells.wire import Answer


def is_git(request):
    return ".git/" in request.path


def ask(root, cell, request, user):
    """The answer will be that of git, when it has run."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": os.path.join(root, cell.id),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.get("content-type"),
        "HTTP_CONTENT_ENCODING": request.get("content-encoding"),
        "HTTP_GIT_PROTOCOL": request.get("git-protocol"),
        "CONTENT_LENGTH": str(request.length),
        "REMOTE_ADDR": "127.0.0.1",
    }
    if user:
        environment["REMOTE_USER"] = user.name

    async def run():
        git = await asyncio.create_subprocess_exec("git", "http-backend", env=environment,
                                                   stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE)
        output, _ = await git.communicate(request.body)
        return parsed(output)

    return Answer(200, [["X-Cell", cell.id]], run=run)


def parsed(output):
    """A CGI program's output: headers, among them perhaps Status, and the body."""
    head, _, body = output.partition(b"\r\n\r\n")
    pairs = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line]
    status = next((int(value.split(" ")[0]) for name, value in pairs if name == "Status"), 200 if pairs else 500)
    return Answer(status, [pair for pair in pairs if pair[0] != "Status"], body)
