"""docs/flows.md 31: `Expect: 100-continue`. A cell that refuses an upload before it has read it is heard, and the
client has sent nothing; as with bare HAProxy, which stands beside the router's frontend in the same process."""

import collections
import hashlib
import random

from harness import counted, expect, flows, places
from harness.client import Broken, Connection
from harness.http2 import Http2, fields_of, tls
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
MB = 1 << 20
BODY = bytes(30 * MB)

BARE = """
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend bare-frontend
    bind 127.0.0.1:{port}
    bind 127.0.0.1:{tls_port} ssl crt {certificate} alpn h2,http/1.1
    default_backend bare
backend bare
    server eu0 127.0.0.1:{cell}
"""


def beside_bare(world):
    world.bare = [world.ports.reserve() for _ in range(2)]
    return BARE.format(port=world.bare[0], tls_port=world.bare[1], certificate=world.certificate,
                       cell=world.cells.table["eu0"].port)


def over_h1(connection, request):
    interim = connection.send(request)
    return connection.read_answer(request.method, interim)


def over_h2(connection, request):
    number = connection.open([*fields_of(request), ("expect", "100-continue")], request)
    stream = connection.streams[number]
    while not stream.interim and not connection.over(number):
        connection.fill()
    if stream.interim:
        connection.send(number, request.body)
    return connection.answer(number)


def ways(world, router):
    """name -> (connect, ask)"""
    context = tls(f"{world.certificate}.crt", "h2")
    return {"router h1": (lambda: router.connect(3), over_h1), "router h2": (lambda: router.connect_h2(3), over_h2),
            "bare h1": (lambda: Connection(("127.0.0.1", world.bare[0]), 3), over_h1),
            "bare h2": (lambda: Http2(("127.0.0.1", world.bare[1]), context, 3), over_h2)}


def tried(world, router, connect, ask, target, body=BODY, tries=20):
    """How so many uploads ended: (status, interim answers) -> how often."""
    found = collections.Counter()
    for number in range(tries):
        request = router.prepare("PUT", f"{target}-{number}", user="alice", body=body, expect=True)
        try:
            with connect() as connection:
                answer = ask(connection, request)
                found[answer.status, tuple(status for status, _ in answer.interim)] += 1
        except (Broken, TimeoutError) as error:
            found[f"broken: {error}"[:60]] += 1
    return dict(found)


def loses_answers_behind_a_100():
    """HAProxy 3.0 over HTTP/2, now and then: docs/requests.md, limits."""
    return (3, 0) <= places.haproxy_version() < (3, 2)


def refusing(world, early):
    world.cells.behave()
    world.cells.misbehave(path="/my-company/refused", early=early, answer={"status": 401, "body": "no"})


@scenario(matrix={"settings": {"fresh": {}, "not-fresh": {"routes": {"fresh": 0}}}}, pick=AWAY, routers=ONE, tls=True,
          timeout=90, site_more=beside_bare)
def test_expect_is_refused(world):
    """Thirty megabytes that a cell does not want, on unknown and on known paths. Twenty of twenty clients get the 401,
    and none was told to send its body."""
    router = world.router("eu1")
    for early in (True, "reset"):
        refusing(world, early)
        for kind in ("miss", "hit"):
            flows.settled(world, kind)
            for name, (connect, ask) in ways(world, router).items():
                found = tried(world, router, connect, ask, f"/my-company/refused-{kind}-{name[-2:]}")
                expect.same(f"uploads on a {kind} over {name}, early {early}", found, {(401, ()): 20})


@scenario(pick=AWAY, routers=ONE, tls=True, timeout=60, site_more=beside_bare, classes=["16m:4"])
def test_expect_is_refused_behind_the_tier(world):
    """On an unknown path the tier takes the body, because it may have to be replayed; the 401 arrives all the same."""
    router = world.router("eu1")
    for early in (True, "reset"):
        if early == "reset" and places.haproxy_version() < (3, 0):
            continue  # docs/requests.md, limits: HAProxy 2.6 loses some of these
        refusing(world, early)
        for name, (connect, ask) in ways(world, router).items():
            if name == "router h1" or (name == "router h2" and not loses_answers_behind_a_100()):
                world.flush()
                found = tried(world, router, connect, ask, f"/my-company/refused-{name[-2:]}", bytes(8 * MB), 4)
                expect.same(f"uploads over {name}, early {early}", found, {(401, (100,)): 4})


def unknown(world, router):
    """Forgets the route, when the last answer has taught it."""
    if router.request("GET", "/my-company/x", user="alice").status == 200:
        flows.wait_known(world, router, "/my-company/")
    world.flush()


def taken(world, router, over, target, length, statuses, cells):
    """An upload that is taken in the end. steps: (status, whether the body was asked for)."""
    connect, ask = ways(world, router)[f"router {over}"]
    body = random.Random(length).randbytes(length)
    for number, status in enumerate(statuses):
        request = router.prepare("PUT", target, user="alice", body=body, expect=True)
        with connect() as connection:
            answer = ask(connection, request)
        answer.request, answer.tag = request, request.tag
        expect.same(f"try {number} of {target}", (answer.status, bool(answer.interim)), status)
    seen = world.deliveries_of(answer)
    expect.same("cells of the last try", [d.cell for d in seen], cells, expect.table(seen))
    expect.same("what the owner got", (seen[-1].whole, seen[-1].body_sha256), (True, hashlib.sha256(body).hexdigest()))


@scenario(matrix={"answers": ANSWERS, "classes": {"no-tier": [], "tier": ["1m:4"]}}, pick=AWAY, routers=ONE, tls=True,
          site_more=beside_bare)
def test_expect_is_taken(world):
    """Small bodies and large ones, on unknown, known and stale paths. A cell that redirects before it has read the
    body: the client sends it once, to the owner. What fits a buffer is replayed, without a 307."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", path="/my-company/early", early=True, redirect="Cell EU0")
    twice = [(307, False), (200, True)]
    tier = bool(world.classes)
    for over in ("h1",) if tier and loses_answers_behind_a_100() else ("h1", "h2"):
        unknown(world, router)
        before = counted.take(world)
        taken(world, router, over, f"/my-company/small-{over}", 1000, [(200, True)], ["eu1", "eu0"])
        counted.one(world, before, "miss")
        unknown(world, router)
        taken(world, router, over, f"/my-company/early-{over}", 500_000, [(200, True)] if tier else twice,
              ["eu1", "eu0"] if tier else ["eu0"])
        unknown(world, router)
        taken(world, router, over, f"/my-company/late-{over}", 500_000,
              [(200, True)] if tier else [(307, True), (200, True)], ["eu1", "eu0"] if tier else ["eu0"])
        flows.wait_known(world, router, "/my-company/")
        before = counted.take(world)
        taken(world, router, over, f"/my-company/known-{over}", 500_000, [(200, True)], ["eu0"])
        counted.one(world, before, "hit")
    world.cells.move("my-company", "eu1")
    world.cells.behave()
    world.cells.misbehave(cell="eu0", path="/my-company/moved", early="reset", redirect="Cell EU1")
    taken(world, router, "h1", "/my-company/moved", 500_000, twice, ["eu1"])
