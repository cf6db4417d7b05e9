"""Methods and request lines that no table of methods has."""

from harness import counted, expect, flows
from harness.http2 import Http2
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_unknown_methods(world):
    """Replayed on a miss and on a stale route like any other that is not safe, over HTTP/1.1 and HTTP/2."""
    router = world.router("eu1")
    moves = {"BREW": ("connect", "my-company"), "get": ("connect", "my-organization"), "X-ODD.METHOD": ("connect_h2", "gitlab-org"),
             "VERSION-CONTROL": ("connect_h2", "not-my-company")}
    for method, (connect, name) in moves.items():
        with getattr(router, connect)() as connection:
            answer = connection.request(router.prepare(method, f"/{name}/x", user="root", body=b"some body"))
            expect.status(answer, 200, world)
            owner = answer.cell
            expect.saw(world, answer, "eu1", owner)
            flows.wait_known(world, router, f"/{name}/")
            answer = connection.request(router.prepare(method, f"/{name}/x", user="root", body=b"some body"))
            expect.saw(world, answer, owner)
            world.cells.move(name, "eu1")
            answer = connection.request(router.prepare(method, f"/{name}/x", user="root", body=b"some body"))
            expect.status(answer, 200, world)
            expect.saw(world, answer, owner, "eu1")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_connect(world):
    """It has no path, so nothing is known of it and nothing learned; the cell's answer reaches the client, and a refusal leaves the
    connection whole."""
    router = world.router("eu1")
    world.cells.misbehave(method="CONNECT", answer={"status": 405, "body": "no tunnels here"}, cache="{path_prefix:/my-company/}")
    world.allowed_counters |= {"misses_malformed", "learns_malformed"}  # what the agent calls a question without a path
    before = counted.take(world)
    for _ in range(2):
        with router.connect() as connection:
            answer = connection.request(router.prepare("CONNECT", "other.example:443", host="other.example:443"))
            expect.status(answer, 405, world)
            expect.same("body", answer.body, b"no tunnels here")
            expect.same("cells", [(d.cell, d.method, d.target) for d in world.deliveries_of(answer)], [("eu1", "CONNECT", "other.example:443")])
            expect.clean(answer)
    expect.same("routes", router.routes(), {})
    counted.expect(world, before, hits=0, learned=0)


@scenario(pick=AWAY, routers=ONE)
def test_http2_without_tls(world):
    """A client that begins with HTTP/2's preface on the plain port is served, as HAProxy does."""
    router = world.router("eu1")
    for cells in (("eu1", "eu0"), ("eu0",)):
        with Http2(router.address, None) as connection:
            answer = connection.request(router.prepare("POST", "/my-company/x", user="alice", body=b"a=b"))
        expect.status(answer, 200, world)
        expect.saw(world, answer, *cells)
        flows.wait_known(world, router, "/my-company/")
