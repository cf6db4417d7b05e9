"""`cellctl show routes` with filters, on routes that were learned here, learned elsewhere, and pinned in Redis."""

import time

from harness import expect, flows
from harness.process import wait_until
from harness.runner import TWO, scenario

FILTERS = {
    "": {"/gitlab-org/", "/my-company/"},
    "pinned": {"/my-company/"},
    "from=redis": {"/my-company/"},
    "from=learning": {"/gitlab-org/"},
    "older=500": {"/my-company/"},
    "older=2000": set(),
    "younger=500": {"/gitlab-org/"},
    "cell=eu1": {"/my-company/"},
    "cell=eu0": {"/gitlab-org/"},
    "cell=eu1 from=learning": set(),
    "/my-company/ pinned older=500 younger=2000 from=redis cell=eu1": {"/my-company/"},
}


def pinned(cell, said_s_ago):
    """A record as docs/redis.md has it: flag 1, an hour of life, written by an operator."""
    stamp = int((time.time() - said_s_ago) * 1000)
    return (b"\x96\x01" + bytes([0xA0 + len(cell)]) + cell.encode() + b"\xcf" + stamp.to_bytes(8, "big") + b"\xcd" +
            (3600).to_bytes(2, "big") + b"\x01\xa3ops")


@scenario(routers=TWO)
def test_show_routes_takes_filters(world):
    """Each filter lets through what it names and no other route; a wrong one says which there are."""
    router = world.router("eu1")
    world.cells.move("gitlab-org", "eu0")
    world.cells.move("my-company", "eu1")
    with world.redis_client() as redis:
        redis("SET", "cellrouter:{/my-company}/my-company/", pinned("eu1", 1000), "PX", 3600000)
    expect.status(router.request("GET", "/gitlab-org/x", user="alice", follow_307=True), 200, world)
    expect.status(router.request("GET", "/my-company/x", user="alice", follow_307=True), 200, world)
    flows.wait_known(world, router, "/gitlab-org/")
    wait_until("the pinned route is known", lambda: "/my-company/" in router.routes())
    for words, wanted in FILTERS.items():
        lines = router.cellctl(f"show routes {words}".strip()).splitlines()
        expect.same(f"routes, {words}", {line.split()[0] for line in lines if line}, wanted)
    for words in ("cel=eu0", "cell=eu7", "from=disk", "older=x", "/a/ /b/"):
        said = router.cellctl(f"show routes {words}")
        expect.true(f"the error for {words}", said.startswith("error: ") and "filters are a prefix" in said)
