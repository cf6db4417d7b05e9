"""docs/flows.md 32: bodies around every limit of HAProxy's buffer, in steps of 64 bytes. What HAProxy can keep is
decided by what it can keep: where there is a large-body tier with room nobody meets a 307."""

import hashlib
import random

from harness import expect
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
# Bytes of headers -> sizes of the body around which HAProxy keeps it no longer, or its length is a buffer's.
LIMITS = {100: (11900, 15967, 17354), 8000: (3900, 7841, 9224)}
KINDS = ("h1", "h1 in chunks", "h2", "h2 without a length")
AROUND, STEP = 260, 64
ODD = (1, 63)  # sizes that are no multiples of anything


def sizes():
    for headers, limits in LIMITS.items():
        for limit in limits:
            for size in range(limit - AROUND, limit + AROUND, STEP):
                yield headers, size + ODD[size // STEP % 2]


def padding(length):
    return [(f"X-Padding-{number}", "p" * 83) for number in range(length // 100)]


def without_length(request):
    request.headers = [pair for pair in request.headers if pair[0] != "Content-Length"]
    return request


def asked(router, kind, target, body, headers):
    """By one connection of its own: HTTP/1.1 with a length or in chunks, HTTP/2 with a length or without."""
    request = router.prepare("POST", target, user="alice", body=body, headers=headers, chunked=kind == "h1 in chunks")
    with router.connect_h2() if kind.startswith("h2") else router.connect() as connection:
        return connection.request(without_length(request) if kind == "h2 without a length" else request)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True, large=1 << 20, timeout=120)
def test_bodies_around_every_limit(world):
    """On an unknown path, which stays so: the cell of the pick, then the owner, with the whole body, and one answer."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu0", path="/my-company/", cache="")
    for headers, size in sizes():
        body = random.Random(size).randbytes(size)
        for kind in KINDS:
            answer = asked(router, kind, f"/my-company/{size}", body, padding(headers))
            what = f"{kind}, {size} bytes, {headers} bytes of headers"
            expect.same(f"status: {what}", answer.status, 200)
            got = [(d.cell, d.whole, d.body_sha256) for d in world.deliveries_of(answer)]
            expect.same(f"deliveries: {what}", got,
                        [(cell, True, hashlib.sha256(body).hexdigest()) for cell in ("eu1", "eu0")])
