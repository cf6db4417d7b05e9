"""docs/flows.md 30: fresh routes. What HAProxy cannot keep goes to the cell in one pass while the client still sends,
when the route was seen to be right lately. What a redirect costs then, and what makes a route fresh."""

import contextlib
import hashlib
import random

from harness import counted, expect, flows, level0
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from test_direct_hits import way

AWAY = {"eu": "eu1", "us": "us1"}
KB, MB = 1 << 10, 1 << 20
DIRECT = " cellrouter-cell-eu0/"
REPLAYED, TIER = " cellrouter-replay/cellrouter-loop", " cellrouter-replay/cellrouter-large"
FILL = [(f"X-Fill-{number}", "f" * 990) for number in range(8)]


def bytes_of(length):
    return random.Random(length).randbytes(length)


@contextlib.contextmanager
def begun(world, router, target, body, part=0.5, **more):
    """A PUT of which head and a part of the body were sent, in one piece; yields (connection, request, the rest)."""
    request = router.prepare("PUT", target, user="alice", body=body, **more)
    with router.connect(timeout=30) as connection:
        middle = int(len(request.framed_body) * part)
        connection.socket.sendall(request.head() + request.framed_body[:middle])
        yield connection, request, request.framed_body[middle:]


def streams_at_once(world, router, target, body, **more):
    """The owner has it, and nobody else, while half of it is still to be sent; then it gets the rest."""
    with begun(world, router, target, body, **more) as (connection, request, rest):
        wait_until(f"the owner to see the beginning of {target}",
                   lambda: [(d.cell, d.whole) for d in world.deliveries_of(request)] == [("eu0", False)])
        connection.socket.sendall(rest)
        answer = connection.read_answer("PUT")
    answer.request, answer.tag = request, request.tag
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0")
    expect.clean(answer)
    expect.true(f"one pass: {way(router, target)}", DIRECT in way(router, target))


def fits(world, router, target, body, backend=REPLAYED, **more):
    answer = router.request("PUT", target, user="alice", body=body, **more)
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0")
    expect.true(f"by {backend}: {way(router, target)}", backend in way(router, target))


@scenario(matrix={"answers": {**ANSWERS, "425": 425}, "level0": {"no-map": False, "map": True}}, pick=AWAY,
          routers=ONE, large=4 * MB, timeout=120)
def test_fresh_routes_stream(world):
    """A known route that was just used, at level 1 or in HAProxy's map. What does not fit HAProxy's buffer, or does not
    say how long it is, is at its owner while the client still sends; what fits takes the replay pass, as ever. The tier
    gets nothing. After a move there is one 307, and the next try goes right; what comes then streams again."""
    router = world.router("eu1")
    if world.level0:
        level0.warm(router)
    else:
        flows.settled(world, "hit")
    before = counted.take(world)
    fits(world, router, "/my-company/small", b"x" * 1000)
    fits(world, router, "/my-company/13k", bytes_of(13000))
    whole = begun(world, router, "/my-company/small-chunks", b"y" * 1000, part=1, chunked=True)
    with whole as (connection, request, _):
        expect.status(connection.read_answer("PUT"), 200, world)
        expect.true("in the replay pass", REPLAYED in way(router, request.target))
    cases = (("20k", 20 * KB, False, []), ("head-and-7k", 7 * KB, False, FILL), ("5m", 5 * MB, False, []),
             ("5m-chunks", 5 * MB, True, []), ("few-chunks", 400, True, []))
    for name, length, chunked, headers in cases:
        streams_at_once(world, router, f"/my-company/{name}", bytes_of(length), chunked=chunked, headers=headers)
    if not world.level0:
        counted.expect(world, before, lookups=len(cases) + 3, hits=len(cases) + 3, learned=0, moved=0)
    stale(world, router)


def stale(world, router):
    """After a move: for an upload the old owner, a 307, and then the new owner at once."""
    world.cells.move("my-company", "eu1")
    body = bytes_of(3 * MB)
    answer = router.request("PUT", "/my-company/moved", user="alice", body=body, follow_307=True, timeout=30)
    expect.status(answer, 200, world)
    expect.same("answers to the client", [step.status for step in answer.steps], [307, 200])
    expect.reason(answer.steps[0], "stale-route")
    seen = [d for step in answer.steps for d in world.deliveries_of(step)]
    expect.same("cells", [d.cell for d in seen], ["eu0", "eu1"])
    expect.same("what the new owner got", (seen[1].whole, seen[1].body_sha256),
                (True, hashlib.sha256(body).hexdigest()))
    wait_until("the new owner is known", lambda: router.routes().get("/my-company/") == "eu1")
    target = "/my-company/after"
    answer = router.request("PUT", target, user="alice", body=bytes_of(2 * MB), timeout=30)
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1")
    expect.true(f"one pass: {way(router, target)}", " cellrouter-cell-eu1/" in way(router, target))


@scenario(matrix={"settings": {"1s": {"routes": {"fresh": 1}}, "never": {"routes": {"fresh": 0}}}}, pick=AWAY,
          routers=ONE, large=4 * MB)
def test_what_is_not_fresh_is_kept(world):
    """Not used for as long as `fresh` says, or never fresh: the tier keeps it, so that a stale route needs no 307."""
    router = flows.settled(world, "hit")
    numbers = iter(range(100))

    def upload(*cells):
        target = f"/my-company/upload-{next(numbers)}"
        answer = router.request("PUT", target, user="alice", body=bytes_of(MB), timeout=30)
        expect.status(answer, 200, world)
        expect.saw(world, answer, *cells)
        return TIER in way(router, target)

    wait_until("an upload to take the tier", lambda: upload("eu0"), every=1.1)
    if not world.settings["routes"]["fresh"]:
        world.cells.move("my-company", "eu1")
        expect.true("by way of the tier", upload("eu0", "eu1"))
        expect.same("lookups on fresh routes", world.counters()["lookups_fresh"], 0)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE,
          settings={"haproxy": {"direct-hits": "fresh"}})
def test_direct_hits_on_fresh_routes(world):
    """direct-hits = fresh: small bodies go at once, too. A stale route is a 307, unless HAProxy itself retries."""
    router = flows.settled(world, "hit")
    for target, body, chunked in (("/my-company/form", b"a=b", False), ("/my-company/chunks", b"a=b", True),
                                  ("/my-company/20k", bytes_of(20 * KB), False)):
        answer = router.request("POST", target, user="alice", body=body, chunked=chunked)
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")
        expect.true(f"at once: {way(router, target)}", REPLAYED not in way(router, target))
    world.cells.move("my-company", "eu1")
    answer = router.request("POST", "/my-company/moved", user="alice", body=b"a=b", follow_307=True)
    expect.status(answer, 200, world)
    retried = world.cells.table["eu0"].answers != 302 and " cellrouter-direct-eu0/" in way(router, "/my-company/form")
    expect.same("answers", [step.status for step in answer.steps], [200] if retried else [307, 200])
    expect.same("who answered", answer.cell, "eu1")
