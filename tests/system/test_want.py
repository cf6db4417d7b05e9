"""Want of what the machine has: the agent is given few file descriptors, and others take what they can get."""

import contextlib
import socket

from harness import configs, expect, places
from harness.process import wait_until
from harness.runner import scenario
from harness.world import AGENT_GONE
from test_daemon import run, says

FILES = 64
CROWD = 150

# HAPROXY-HELLO as HAProxy 2.6.12 sends it, without its engine-id.
HELLO = (b"\x00\x00\x00\x4b\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0"
         b"\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x0apipelining")


@contextlib.contextmanager
def crowd(router, count):
    """So many connections that say HELLO and nothing more; those that the agent closes come again once."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(router.spoe_socket))
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(HELLO)
        yield


def is_connected(router):
    return router.counters()["store_connected"] == 1


@scenario(routers={"eu1": "eu"}, files=FILES)
def test_connections_leave_the_agent_what_it_needs(world):
    """However many connections there are: Redis comes back after it was gone, the admin socket listens."""
    router = world.router("eu1")
    world.allow(AGENT_GONE)
    most = router.counters()["spoe_connections_max"]
    expect.true(f"{most} connections fit into {FILES} descriptors", 4 <= most < FILES)
    expect.true("the log tells so", f"connections={most}" in router.agent.text())
    with crowd(router, CROWD):
        wait_until("the crowd has taken all", lambda: router.counters()["spoe_connections"] == most)
        world.redis_process.kill()
        wait_until("the agent has lost Redis", lambda: not is_connected(router))
        world.start_redis()
        world.wait_redis()
        wait_until("the agent has Redis again", lambda: is_connected(router))
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        found = router.counters()
        expect.same("connections that wait in vain for a descriptor", found["spoe_accept_errors"], 0)
        expect.true("those too many were told so", found["spoe_close_too_many"] > 0)
    wait_until("the crowd is gone", lambda: router.counters()["spoe_connections"] < most)

    def learned():
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        return "/my-company/" in router.routes()

    wait_until("the agent serves HAProxy again", learned, every=0.2)


@scenario(routers={"eu1": "eu"})
def test_too_few_descriptors_to_start(world):
    """A limit that leaves nothing for HAProxy is an error at the start, with both numbers."""
    router = world.router("eu1")
    conf = configs.write(world.run / "few.conf",
                         router.conf.read_text().replace(str(world.run / "eu1."), str(world.run / "few.")))
    says(run("prlimit", "--nofile=20:20", places.built("cellrouter"), "-f", conf), False,
         r"limit of open files is 20, .*needs \d+")
