"""Cells that speak HTTP/2 (`server-options` with `proto h2`), and gRPC-like calls to them: streams both ways, trailers
at the end."""

import hashlib
import random

from harness import counted, expect, flows, places
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
H2 = "check inter 500ms fall 1 rise 1 proto h2"
LARGE = 16 << 20  # announced as the size of a frame this would be an error
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True, server_options=H2)
def test_cells_that_speak_http2(world):
    """All as ever: miss, hit, stale route, bodies, redirects of 302, 421 and 425."""
    router = world.router("eu1")
    for connect in (router.connect, router.connect_h2):
        world.flush()
        for cells in (("eu1", "eu0"), ("eu0",)):
            for method, length in (("GET", 0), ("POST", 3000)):
                with connect() as connection:
                    body = random.Random(length).randbytes(length)
                    answer = connection.request(router.prepare(method, f"/my-company/{len(cells)}", user="alice",
                                                               body=body))
                expect.status(answer, 200, world)
                expect.saw(world, answer, *(cells if method == "GET" or len(cells) == 1 else ("eu0",)))
                expect.clean(answer)
                flows.wait_known(world, router, "/my-company/")
    body = random.Random(1).randbytes(3 << 20)
    answer = router.request("PUT", "/my-company/large", user="alice", body=body)
    expect.status(answer, 200, world)
    expect.true("the whole body", hashlib.sha256(body).hexdigest().encode() in answer.body)
    if places.haproxy_version() < (3, 0) and world.cells.table["eu0"].answers == 425:
        return  # docs/requests.md, limits: an HTTP/2 answer ends together with its head
    world.cells.move("my-company", "eu1")
    answer = router.request("POST", "/my-company/moved", user="alice", body=b"a=b")
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0", "eu1")


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True, server_options=H2, large=LARGE,
          timeout=90, settings={"routes": {"fresh": 0}})
def test_large_bodies_to_cells_that_speak_http2(world):
    """By the large-body tier, whose buffer is larger than any frame of HTTP/2 may be: miss, hit and stale route, each
    whole."""
    router = world.router("eu1")
    for way, connect in (("h1", router.connect), ("h2", router.connect_h2)):
        for length in (16000, 17000, 40000, 300000, 3 << 20):
            name = f"{way}-{length}"
            world.cells.control("organization", name=name, cell="eu0")
            body = random.Random(length).randbytes(length)
            digest = hashlib.sha256(body).hexdigest()
            for kind, owner in (("miss", "eu0"), ("hit", "eu0"), ("stale", "eu1")):
                if kind == "stale":
                    world.cells.move(name, "eu1")
                with connect() as connection:
                    answer = connection.request(router.prepare("POST", f"/{name}/{kind}", user="alice", body=body))
                expect.status(answer, 200, world)
                got = [(d.cell, d.whole, d.body_sha256) for d in world.deliveries_of(answer)]
                expect.same(f"{kind}: the owner's delivery of {name}", got[-1], (owner, True, digest))
                flows.wait_known(world, router, f"/{name}/")


def call(router, target, pieces):
    """A call whose pieces are sent one after the other, each when the one before has come back."""
    request = router.prepare("POST", target, user="alice")
    request.headers = [pair for pair in request.headers if pair[0] != "Content-Length"] + GRPC
    with router.connect_h2() as connection:
        number = connection.start(request, end=False)
        stream = connection.streams[number]
        sent = b""
        for piece in pieces:
            while not stream.answer and not connection.over(number):
                connection.fill()
            if connection.over(number):
                break
            connection.send(number, piece, end=False)
            sent += piece
            while len(stream.body) < len(sent) and not connection.over(number):
                connection.fill()
        if not connection.over(number):
            connection.send(number, b"", end=True)
        return connection.answer(number)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True, server_options=H2)
def test_grpc_calls(world):
    """On a known path the call streams both ways, and its trailers arrive. On an unknown path a call that is still open
    when the redirect comes gets a 503, which is UNAVAILABLE to gRPC, and its second try goes right.
    So does the second try of a call on a stale route."""
    router = world.router("eu1")
    pieces = [f"piece {number} ".encode() * 100 for number in range(5)]
    before = counted.take(world)
    tries = 1
    answer = call(router, "/my-company/Service/Call", pieces)
    if answer.status == 503:
        expect.reason(answer, "too-large-to-replay")
        expect.same("Retry-After", answer.get("Retry-After"), "0")
        expect.same("cells", [d.cell for d in world.deliveries_of(answer)], ["eu1"])
        answer = call(router, "/my-company/Service/Call", pieces)
        tries += 1
    # A stream may still be open when its answer comes, and teach nothing: then a GET does.
    taught = flows.uploads_teach(chunked=True)
    for _ in range(2):
        expect.status(answer, 200, world)
        expect.same("what came back", answer.body, b"".join(pieces))
        expect.same("trailers", dict(answer.trailers), {"grpc-status": "0", "x-length": str(len(answer.body))})
        expect.same("cells", [(d.cell, d.whole) for d in world.deliveries_of(answer)][-1], ("eu0", True))
        expect.clean(answer)
        if not taught and not router.routes():
            expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        flows.wait_known(world, router, "/my-company/")
        answer = call(router, "/my-company/Service/Other", pieces)
    expect.same("cells of a hit", [d.cell for d in world.deliveries_of(answer)], ["eu0"])
    misses = tries if taught else tries + 1
    counted.expect(world, before, lookups=misses + 2, hits=2, misses=misses, learned=1, moved=0, dropped=0, refused=0)
    world.cells.move("my-company", "us0")
    answer = call(router, "/my-company/Service/Moved", pieces)
    expect.same("a call on a stale route", (answer.status, answer.get(expect.REASON)), (503, "stale-route"))
    answer = call(router, "/my-company/Service/Moved", pieces)
    expect.status(answer, 200, world)
    expect.same("what came back", answer.body, b"".join(pieces))
    expect.same("the owner", world.deliveries_of(answer)[-1].cell, "us0")


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True, server_options=H2)
def test_answers_of_cells_that_speak_http2(world):
    """HEAD, 204, 304 and 103, to clients of both versions."""
    router = world.router("eu1")
    for status in (204, 304):
        world.cells.misbehave(cell="eu0", path=f"/my-company/{status}",
                              answer={"status": status, "headers": [["etag", '"1"']]})
    world.cells.misbehave(cell="eu0", path="/my-company/hints", interim=[[103, [["link", "</a.css>; rel=preload"]]]])
    for connect in (router.connect, router.connect_h2):
        for method, name, status in (("HEAD", "x", 200), ("GET", "204", 204), ("POST", "204", 204), ("GET", "304", 304),
                                     ("GET", "hints", 200)):
            for kind, cells in (("miss", ("eu1", "eu0")), ("hit", ("eu0",))):
                flows.settled(world, kind)
                before = counted.take(world)
                with connect() as connection:
                    answer = connection.request(router.prepare(method, f"/my-company/{name}", user="alice"))
                expect.status(answer, status, world)
                expect.saw(world, answer, *cells)
                expect.clean(answer)
                expect.same("interim answers", [code for code, _ in answer.interim], [103] if name == "hints" else [])
                expect.same("a body", bool(answer.body), name == "hints")
                if method == "HEAD":
                    expect.true(f"HEAD tells a length: {answer}", int(answer.get("Content-Length", "0")) > 0)
                claims = answer.status == 200
                counted.one(world, before, kind, learned=int(claims and kind == "miss"))
