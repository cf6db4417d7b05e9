"""HAProxy's own map of routes: what stands in it, and how a test gets a route into it."""

import re
import time

from harness import expect
from harness.process import wait_until
from harness.router import ask

PREFIX = "/my-company/"


def the_map(router, socket=None):
    """key -> value in HAProxy's map; a key that stands there twice is an error."""
    found = {}
    for line in ask(socket or router.runtime_socket, f"show map {router.folder / 'routes.map'}").splitlines():
        words = line.split()
        if len(words) == 3 and words[0].startswith("0x"):
            expect.true(f"{words[1]} stands twice in the map of {router.id}", words[1] not in found)
            found[words[1]] = words[2]
    return found


def the_file(router):
    return dict(line.split() for line in (router.folder / "routes.map").read_text(encoding="ascii").splitlines())


def level_of(router, path):
    """level=… of the request's line in HAProxy's log."""
    wanted = re.compile(re.escape(f'"GET {path} ') + r".*level=(\S+)")
    return wait_until(f"{path} in the log of {router.id}'s HAProxy", lambda: wanted.search(router.haproxy.text()))[1]


def get(router, path, user="alice"):
    return router.request("GET", path, user=user, follow_307=True)


def warm(router, prefix=PREFIX, cell="eu0", path=None, user="alice"):
    """Until the route is in HAProxy's map."""

    def used():
        expect.status(get(router, path or f"{prefix}x", user), 200)
        return the_map(router).get(prefix) == f"{cell}|{prefix}"

    wait_until(f"{prefix} -> {cell} in the map of {router.id} (there: {the_map(router)})", used, timeout=5)


def until_gone(router, prefix=PREFIX, timeout=5.0):
    """Seconds until the prefix is in no map."""
    start = time.monotonic()
    wait_until(f"{prefix} to leave the map of {router.id}", lambda: prefix not in the_map(router), timeout, every=0.002)
    return time.monotonic() - start
