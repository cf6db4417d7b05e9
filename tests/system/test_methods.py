"""Methods and request lines that no table of methods has."""

from harness import counted, expect, flows
from harness.http2 import Http2
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_unknown_methods(world):
    """Replayed on a miss and on a stale route like any other that is not safe, over HTTP/1.1 and HTTP/2."""
    router = world.router("eu1")
    moves = {"BREW": ("connect", "my-company"), "get": ("connect", "my-organization"),
             "X-ODD.METHOD": ("connect_h2", "gitlab-org"),
             "VERSION-CONTROL": ("connect_h2", "not-my-company")}
    for method, (connect, name) in moves.items():
        with getattr(router, connect)() as connection:
            before = counted.take(world)
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
            counted.expect(world, before, lookups=3, hits=2, misses=1, learned=1, moved=1, dropped=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_connect(world):
    """It has no path, so nobody is asked about it and nothing learned; the cell's answer reaches the client, and a
    refusal leaves the connection whole."""
    router = world.router("eu1")
    world.cells.misbehave(method="CONNECT", answer={"status": 405, "body": "no tunnels here"},
                          cache="{path_prefix:/my-company/}")
    before = counted.take(world)
    for _ in range(2):
        with router.connect() as connection:
            answer = connection.request(router.prepare("CONNECT", "other.example:443", host="other.example:443"))
            expect.status(answer, 405, world)
            expect.same("body", answer.body, b"no tunnels here")
            expect.same("cells", [(d.cell, d.method, d.target) for d in world.deliveries_of(answer)],
                        [("eu1", "CONNECT", "other.example:443")])
            expect.clean(answer)
    expect.same("routes", router.routes(), {})
    counted.expect(world, before, lookups=0, learned=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_connect_to_a_cell_that_redirects(world):
    """HAProxy cannot send it again, and it has no URL to come again to: a 503 that says so, and the next try of the
    same client goes to the cell that was named."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", method="CONNECT", redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", method="CONNECT", tunnel=True)
    before = counted.take(world)
    with router.connect() as connection:
        answer = connection.request(router.prepare("CONNECT", "other.example:443", host="other.example:443"))
    expect.status(answer, 503, world)
    expect.same("Retry-After, Location", (answer.get("Retry-After"), answer.get("Location")), ("0", None))
    expect.reason(answer, "too-large-to-replay")
    expect.same("cells", [d.cell for d in world.deliveries_of(answer)], ["eu1"])
    tunnel(world, router, ["eu0"])
    request = router.prepare("CONNECT", "else.example:443", host="else.example:443")
    with router.connect_h2(wild=True) as connection:
        number = connection.open([(":method", "CONNECT"), (":authority", "else.example:443"),
                                  ("x-request-tag", request.tag)], request)
        while not connection.over(number):
            connection.fill()
        answer = connection.streams[number].answer
    expect.same("over HTTP/2", (answer.status, answer.get("Retry-After"), answer.get("Location")), (503, "0", None))
    counted.expect(world, before, lookups=0, learned=0)


def tunnel(world, router, cells):
    """Opens one over HTTP/1.1, talks through it, and returns the delivery."""
    request = router.prepare("CONNECT", "other.example:443", host="other.example:443")
    with router.connect() as connection:
        connection.send(request)
        head = connection.read_head()
        expect.status(head, 200, world)
        for size in (5, 100_000, 1):
            connection.socket.sendall(b"t" * size)
            expect.same("what came back through the tunnel", connection.exactly(size), b"t" * size)
        head.request, head.tag = request, request.tag
        expect.clean(head)
        expect.same("cells", [d.cell for d in world.deliveries_of(head)], cells)


def tunnel_h2(world, router, cells):
    request = router.prepare("CONNECT", "other.example:443", host="other.example:443")
    with router.connect_h2(wild=True) as connection:  # python3-h2 knows no CONNECT without a path
        number = connection.open([(":method", "CONNECT"), (":authority", "other.example:443"),
                                  ("x-request-tag", request.tag)], request)
        stream = connection.streams[number]
        sent = 0
        for size in (5, 100_000, 1):
            connection.send(number, b"t" * size, end=False)
            sent += size
            while len(stream.body) < sent:
                expect.true(f"the tunnel stays open: {connection.over(number)}", not connection.over(number))
                connection.fill()
        expect.status(stream.answer, 200, world)
        expect.same("what came back", bytes(stream.body), b"t" * sent)
        stream.answer.request, stream.answer.tag = request, request.tag
        expect.same("cells", [d.cell for d in world.deliveries_of(stream.answer)], cells)


def tunnel_to_eu1(world):
    """CONNECT over HTTP/1.1 and HTTP/2; nothing is asked, nothing learned."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", method="CONNECT", tunnel=True)
    before = counted.take(world)
    for talk in (tunnel, tunnel_h2):
        talk(world, router, ["eu1"])
    counted.expect(world, before, lookups=0, learned=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_a_tunnel_that_a_cell_opens(world):
    """CONNECT over HTTP/1.1 and HTTP/2: what both sides say passes, in pieces as they come."""
    tunnel_to_eu1(world)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True,
          server_options="check inter 500ms fall 1 rise 1 proto h2")
def test_a_tunnel_to_a_cell_that_speaks_http2(world):
    tunnel_to_eu1(world)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE)
def test_options_of_everything(world):
    """OPTIONS * has no path either. (It takes the replay pass, where a cell's redirect of any kind can be followed.)"""
    router = world.router("eu1")
    if 425 in {cell.answers for cell in world.cells.table.values()}:
        world.cells.misbehave(cell="eu1", method="OPTIONS", redirect="Cell EU0", status=302)
        answer = router.request("OPTIONS", "*")
        expect.same("cells", [d.cell for d in world.deliveries_of(answer)], ["eu1", "eu0"])
        world.cells.behave()
    world.cells.misbehave(method="OPTIONS", answer={"status": 204, "headers": [["Allow", "GET"]]},
                          cache="{path_prefix:/my-company/}")
    before = counted.take(world)
    answer = router.request("OPTIONS", "*")
    expect.status(answer, 204, world)
    expect.saw(world, answer, "eu1")
    expect.clean(answer)
    expect.same("routes", router.routes(), {})
    counted.expect(world, before, lookups=0, learned=0, refused=0)


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
