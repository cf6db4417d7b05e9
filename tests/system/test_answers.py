"""Answers that come early, late, or too large. (test_requests.py has those that come as one would wish.)"""

import hashlib
import random

from harness import counted, expect, flows, places
from harness.client import Broken
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
CELLS = {"miss": ("eu1", "eu0"), "hit": ("eu0",)}
MB = 1 << 20
FRAMES = ("content-length", "transfer-encoding", "connection", "date", "location", "cache-control",
          "x-gitlab-cell-reason")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, settings={"haproxy": {"timeout-server": 1}})
def test_a_slow_cell_is_a_504(world):
    """With a reason, when HAProxy's own timeout is over; nothing is sent a second time, and the route stays."""
    world.cells.misbehave(cell="eu0", path="/my-company/slow", gate=world.unique)
    for kind in CELLS:
        router = flows.settled(world, kind)
        for method, body in (("GET", b""), ("POST", b"a=b")):
            before = counted.take(world)
            answer = router.request(method, "/my-company/slow", user="alice", body=body)
            expect.status(answer, 504, world)
            expect.reason(answer, "cell-timeout")
            expect.true(f"the 504 took {answer.seconds:.1f} s", 0.9 < answer.seconds < 4)
            expect.same("cells", [d.cell for d in world.deliveries_of(answer)], list(CELLS[kind]))
            counted.expect(world, before, lookups=1, learned=0, moved=0, dropped=0)
        expect.same("routes", router.routes(), {"/my-company/": "eu0"} if kind == "hit" else {})
    world.cells.open(world.unique)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_long_poll(world):
    """The answer comes when the cell has one, and the others do not wait for it."""
    for kind in CELLS:
        gate = f"{world.unique}-{kind}"
        router = flows.settled(world, kind)
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/poll", gate=gate)
        requests = [router.prepare("GET", "/my-company/poll", user="alice"),
                    router.prepare("POST", "/my-company/poll", user="alice", body=b"a=b")]
        connections = [router.connect() for _ in requests]
        before = counted.take(world)
        for connection, request in zip(connections, requests):
            connection.send(request)
        wait_until("the owner to think about both",
                   lambda: sum(d.cell == "eu0" for r in requests for d in world.deliveries_of(r)) == 2)
        expect.status(router.request("POST", "/my-company/meanwhile", user="alice", body=b"a=b"), 200, world)
        world.cells.open(gate)
        for connection, request in zip(connections, requests):
            with connection:
                answer = connection.read_answer(request.method)
            answer.request, answer.tag = request, request.tag
            expect.status(answer, 200, world)
            expect.saw(world, answer, *CELLS[kind])
        hits = 3 if kind == "hit" else 0
        counted.expect(world, before, lookups=3, hits=hits, misses=3 - hits, learned=int(not hits), moved=0, dropped=0,
                       refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_an_answer_before_the_body_was_read(world):
    """It reaches the client, whatever becomes of the rest of the body; the cell is asked once."""
    world.cells.misbehave(cell="eu0", path="/my-company/early", early=True, answer={"status": 413, "body": "too much"})
    for kind in CELLS:
        for length, chunked in ((3000, False), (3000, True), (5 * MB, False), (5 * MB, True)):
            router = flows.settled(world, kind)
            before = counted.take(world)
            answer = router.request("POST", f"/my-company/early/{length}-{chunked}", user="alice", body=bytes(length),
                                    chunked=chunked, follow_307=True)
            expect.status(answer, 413, world)
            expect.same("body", answer.body, b"too much")
            cells = [d.cell for step in answer.steps for d in world.deliveries_of(step)]
            expect.same(f"cells that saw {length} bytes on a {kind}", cells, list(CELLS[kind]))
            tries, hits = len(answer.steps), int(kind == "hit")
            counted.expect(world, before, lookups=tries, hits=hits, misses=tries - hits, learned=0, moved=0, dropped=0,
                           refused=0)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE)
def test_a_redirect_before_the_body_was_read(world):
    """The next cell gets the whole body, though the first one did not want it."""
    world.cells.misbehave(cell="eu1", path="/my-company/early", early=True, redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", path="/my-company/moved", early=True, redirect="Cell EU1")
    world.cells.misbehave(cell="eu1", path="/my-company/moved", answer={"body": "here"})
    kinds = [("miss", "early", "eu0"), ("hit", "moved", "eu1")]
    if places.haproxy_version() < (3, 0) and 425 in {cell.answers for cell in world.cells.table.values()}:
        kinds.pop()  # docs/requests.md, limits: HAProxy 2.6 gives up where the cell closes together with its 425
    for kind, path, owner in kinds:
        for length, chunked in ((3000, False), (3000, True), (5 * MB, False), (5 * MB, True)):
            router = flows.settled(world, kind)
            body = random.Random(length).randbytes(length)
            before = counted.take(world)
            answer = router.request("POST", f"/my-company/{path}/{length}-{chunked}", user="alice", body=body,
                                    chunked=chunked, follow_307=True)
            expect.status(answer, 200, world)
            statuses = [step.status for step in answer.steps]
            if kind == "miss" or not chunked or length != 3000:
                expect.same("answers to the client", statuses, [200] if length == 3000 else [307, 200])
            if len(statuses) > 1:  # so may a short body in chunks: where it does not arrive with its head
                other = [name for name, _ in answer.steps[0].headers if name.lower() not in FRAMES]
                expect.same("headers of a 307 that are those of the cell", other, [])
            seen = [d for step in answer.steps for d in world.deliveries_of(step)]
            expect.same(f"what the owner got of {length} bytes",
                        [(d.whole, d.body_sha256) for d in seen if d.cell == owner],
                        [(True, hashlib.sha256(body).hexdigest())], expect.table(seen))
            hits = int(kind == "hit")
            tries = len(answer.steps)
            counted.expect(world, before, lookups=tries, hits=hits * tries, misses=(1 - hits) * tries, moved=0,
                           dropped=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, large=8 * MB)
def test_a_redirect_before_the_tier_had_sent_the_body(world):
    """Of any size, below and above what sockets hold: the next cell gets the whole body, and the client one answer."""
    world.cells.misbehave(cell="eu1", path="/my-company/early", early=True, redirect="Cell EU0")
    router = world.router("eu1")
    for length in (20_000, 100_000, 210_000, 230_000, 500_000, MB, 2 * MB, 6 * MB):
        body = random.Random(length).randbytes(length)
        for turn in range(3):
            world.flush()
            path = f"/my-company/early/{length}/{turn}"
            answer = router.request("POST", path, user="alice", body=body, chunked=turn == 1)
            expect.status(answer, 200, world)
            seen = world.deliveries_of(answer)
            got = [(d.whole, d.body_sha256) for d in seen if d.cell == "eu0"]
            whole = [(True, hashlib.sha256(body).hexdigest())]
            expect.same(f"what the owner got of {length} bytes", got, whole, expect.table(seen))


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
NONSENSE = {"{": "redirect-malformed", "{cell:Cell XX9}": "redirect-to-unknown-cell",
            "{cell:%s}": "redirect-to-itself"}


def refused_early(world, path, kinds, steps, reason):
    """Again and again, since what is lost is lost now and then: each request gets the same answers."""
    router = world.router("eu1")
    for turn in range(6):
        for kind, (chunked, headers) in kinds.items():
            for step in steps:
                answer = router.request("POST", f"{path}/{kind}-{turn}", user="alice", body=bytes(4 * MB),
                                        headers=headers, chunked=chunked)
                expect.same(f"the answer to 4 MB, {kind}", answer.status, step)
            expect.reason(answer, reason)
            expect.clean(answer)


@scenario(matrix={"answers": {"302": 302, "425": 425}, "large": {"none": 0, "tier": 8 * MB}}, pick=AWAY, routers=ONE,
          timeout=120)
def test_a_refusal_before_the_body_was_read(world):
    """What the router itself says of a redirect, 502 or 508, reaches a client that is still sending, as a 307 does."""
    kinds = {"length": (False, []), "chunks": (True, []), "gRPC": (False, GRPC)}
    for known in (False, True):
        cell = "eu0" if known else "eu1"
        for number, (text, reason) in enumerate(NONSENSE.items()):
            path = f"/my-company/early/{number}" if known else f"/unknown/early/{number}"
            world.cells.misbehave(cell=cell, path=path, early=True, redirect_text=text.replace("%s", cell))
            if known:
                flows.settled(world, "hit")
            refused_early(world, path, kinds, [502], reason)
    world.cells.misbehave(cell="eu1", path="/round/early", early=True, redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", path="/round/early", early=True, redirect="Cell EU1")
    del kinds["gRPC"]
    again, reason = ([], "redirect-loop") if world.large else ([307, 307], "too-many-hops")
    refused_early(world, "/round/early", kinds, [*again, 508], reason)


def honest(world, answer, kind, what):
    """Whole, or refused: by the edge before its owner saw it (a cell that was asked at once may have redirected), or
    with a reason, and no cell saw it twice. The inner half refuses what has just not room for the edge's own headers;
    with a body its 431 may be lost, and is a 502."""
    cells = [d.cell for d in world.deliveries_of(answer)]
    text = f"{what} on a {kind}: {answer.status} {answer.get(expect.REASON)}, cells {cells}"
    refused = cells in ([], ["eu1"] if kind == "miss" else [])
    fine = {200: cells == list(CELLS[kind]), 400: refused, 431: refused,
            502: answer.get(expect.REASON) == "cell-failed" and (cells == list(CELLS[kind]) or not cells)}
    expect.true(text, fine.get(answer.status))
    return answer.status


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_large_headers(world):
    """14 kB of headers pass both ways. What does not fit HAProxy's buffer is refused: a request with HAProxy's 400
    (3.2: 431), an answer with 502 and a reason. Between the two it is one or the other."""
    for kind in CELLS:
        for count in (12, 13, 14, 15, 16, 100):
            for method, body in (("GET", b""), ("POST", b"a=b")):
                router = flows.settled(world, kind)
                fill = [(f"X-Fill-{n:03}", "f" * 986) for n in range(count)]
                world.mark()
                before = counted.take(world)
                try:
                    asked = router.request(method, f"/my-company/headers/{count}", user="alice", body=body,
                                           headers=fill)
                    status = honest(world, asked, kind, f"{method} with {count} kB of headers")
                except Broken:
                    status = 400  # said, but the close with bytes that nobody read took it away
                    expect.same("what cells saw of a refused request", world.deliveries(), [])
                expect.true(f"{method} with {count} kB of headers: {status}",
                            status in {12: (200,), 13: (200,), 14: (200,), 100: (400, 431)}.get(count, (status,)))
                if status == 200:
                    counted.one(world, before, kind)
                counted.expect(world, before, learned=int(status == 200 and kind == "miss"), dropped=0)
                router = flows.settled(world, kind)
                world.cells.behave()
                world.cells.misbehave(cell="eu0", path="/my-company/filled",
                                      answer={"header_bytes": count * 1000, "body": "x"})
                before = counted.take(world)
                told = router.request(method, "/my-company/filled", user="alice", body=body)
                status = honest(world, told, kind, f"an answer to {method} with {count} kB of headers")
                expect.true(f"an answer with {count} kB of headers: {status}",
                            status == {12: 200, 13: 200, 14: 200, 100: 502}.get(count, status))
                counted.one(world, before, kind, learned=0)
                if status == 200:
                    expect.same("headers that arrived",
                                sum(name.lower().startswith("x-fill-") for name, _ in told.headers), count)
