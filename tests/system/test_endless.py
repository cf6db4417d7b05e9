"""Bodies without end: content types and paths that the settings stream-types and stream-paths list, on unknown and on
known routes. Nothing waits for the end of such a body."""

import hashlib
import random

from harness import counted, expect, flows
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from test_fresh import begun

AWAY = {"eu": "eu1", "us": "us1"}
BODY = random.Random(5).randbytes(3000)
LISTED = (("/my-company/", "application/x-ndjson; charset=utf-8"), ("/my-company/", "Application/Connect+proto"),
          ("/my-company/", "multipart/mixed; boundary=x"), ("/my-company/feed/", "text/plain"))


def in_two_parts(world, router, target, kind, cell):
    """The cell has the beginning before the rest is sent. The answer."""
    with begun(world, router, target, BODY, chunked=True, headers=[("Content-Type", kind)]) as (connection, request,
                                                                                                   rest):
        wait_until(f"{cell} to see the beginning of {target}",
                   lambda: [(d.cell, d.whole) for d in world.deliveries_of(request)] == [(cell, False)])
        connection.socket.sendall(rest)
        answer = connection.read_answer("PUT")
    answer.request, answer.tag = request, request.tag
    return answer


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE,
          settings={"haproxy": {"stream-paths": ["/my-company/feed/"], "timeout-request": 1}, "routes": {"fresh": 0}})
def test_bodies_without_end(world):
    """What is listed reaches a cell while it comes: on an unknown path the one that was picked, whose redirect is one
    307, and then the named one; on a known path the owner, in one pass. What is not listed, or says how long it is, is
    waited for."""
    router = world.router("eu1")
    for number, (prefix, kind) in enumerate(LISTED):
        world.flush()
        before = counted.take(world)
        target = f"{prefix}new-{number}"
        answer = in_two_parts(world, router, target, kind, "eu1")
        expect.status(answer, 307, world)
        expect.reason(answer, "too-large-to-replay")
        answer = in_two_parts(world, router, target, kind, "eu0")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")
        taught = int(flows.uploads_teach(chunked=True))
        counted.expect(world, before, lookups=2, hits=0, misses=2, learned=taught, dropped=0, refused=0)
        flows.settled(world, "hit")
        before = counted.take(world)
        answer = in_two_parts(world, router, f"{prefix}known-{number}", kind, "eu0")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")
        expect.same("what the owner got", world.deliveries_of(answer)[0].body_sha256,
                    hashlib.sha256(BODY).hexdigest())
        counted.one(world, before, "hit")
    world.flush()
    for kind, chunked in (("text/plain", True), ("application/x-ndjson", False)):
        with begun(world, router, "/my-company/waited-for", BODY, chunked=chunked,
                   headers=[("Content-Type", kind)]) as (connection, request, _):
            expect.same(f"status of a {kind} that does not come to its end", connection.read_answer("PUT").status, 408)
            expect.same("cells that saw it", world.deliveries_of(request), [])
