"""Bodies that take longer than HAProxy's timeouts, and never stand still: no timeout is the end of them."""

import hashlib
import random
import time

from harness import counted, expect, flows
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
KB = 1 << 10


def trickle(router, request, seconds, pieces=20):
    """Sends it at an even pace; the answer, or how the connection ended."""
    with router.connect() as connection:
        connection.socket.sendall(request.head())
        body = request.framed_body
        for number in range(pieces):
            connection.socket.sendall(body[len(body) * number // pieces : len(body) * (number + 1) // pieces])
            time.sleep(seconds / pieces)  # the pace is the test
        answer = connection.read_answer(request.method)
    answer.request, answer.tag = request, request.tag
    return answer


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120,
          settings={"haproxy": {"timeout-server": 2, "timeout-client": 2}})
def test_an_upload_slower_than_the_servers_timeout(world):
    for kind, chunked, statuses in (("miss", False, [307, 200]), ("hit", True, [200])):
        router = flows.settled(world, kind)
        body = random.Random(7).randbytes(300 * KB)
        before = counted.take(world)
        for status in statuses:
            request = router.prepare("PUT", f"/my-company/slow-{chunked}", user="alice", body=body, chunked=chunked)
            answer = trickle(router, request, 5)
            expect.status(answer, status, world)
        seen = world.deliveries_of(answer)
        expect.same("what the owner got", [(d.cell, d.whole, d.body_sha256) for d in seen],
                    [("eu0", True, hashlib.sha256(body).hexdigest())])
        counted.expect(world, before, lookups=len(statuses), learned=int(kind == "miss"), dropped=0)
