"""All kinds of requests and answers pass as if the router were not there, on an unknown path and on a known one."""

import hashlib
import threading

from harness import counted, expect, flows, places
from harness.client import Broken
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
CELLS = {"miss": ("eu1", "eu0"), "hit": ("eu0",)}


def both(world):
    for kind in ("miss", "hit"):
        yield kind, flows.settled(world, kind)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCOL", "BREW")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_all_methods(world):
    for method in METHODS:
        for kind, router in both(world):
            body = b"some body" if method not in ("GET", "HEAD", "OPTIONS") else b""
            before = counted.take(world)
            answer = router.request(method, "/my-company/x?a=1&b=%2F", user="alice", body=body)
            expect.status(answer, 200, world)
            expect.saw(world, answer, *CELLS[kind])
            expect.clean(answer)
            counted.one(world, before, kind)
            if method == "HEAD":
                expect.true(f"HEAD tells a length: {answer}", int(answer.get("Content-Length", "0")) > 0)


ANSWER_KINDS = {
    "no_content": {"status": 204},
    "not_modified": {"status": 304, "headers": [["ETag", '"1"']]},
    "chunked": {"body_bytes": 50000, "chunked": True},
    "close": {"body": "bye", "close": True},
    "cookies": {"headers": [["Set-Cookie", f"c{n}=v{n}; Path=/"] for n in range(30)], "body": "x"},
    "large_headers": {"headers": [["X-Big", "b" * 9000]], "body": "x"},
    "empty": {"body": ""},
    "error": {"status": 500, "body": "oops"},
    "too_many": {"status": 429, "body": "slow down", "headers": [["Retry-After", "1"]]},
    "unavailable": {"status": 503, "body": "cell is tired"},
    "gateway": {"status": 502, "body": "cell's own"},
    "found": {"status": 302, "headers": [["Location", "/elsewhere"]]},
    "own_421": {"status": 421, "body": "own 421"},
    "own_425": {"status": 425, "body": "own 425"},
    "not_found": {"status": 404, "body": "own 404"},
}


def asked_twice(world, kind, method, status):
    """docs/requests.md, limits: HAProxy's own retry takes an answer with such a status for a redirect; methods that are
    not safe take no such way."""
    statuses = (421, 425) if places.haproxy_version() >= (3, 2) else (425,)
    return kind == "hit" and method in ("GET",
                                        "HEAD") and world.cells.table["eu0"].answers in statuses and status in statuses


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, timeout=120)
def test_answers_pass_untouched(world):
    for label, script in ANSWER_KINDS.items():
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/odd", answer=script)
        status = script.get("status", 200)
        for kind, router in both(world):
            for method in ("GET", "HEAD", "POST"):
                before = counted.take(world)
                answer = router.request(method, f"/my-company/odd/{label}", user="alice", body=b"a=b"
                                        if method == "POST" else b"")
                expect.status(answer, status, world)
                for name, value in script.get("headers", []):
                    expect.true(f"{label}: header {name}: {value[:40]} is there",
                                (name.lower(), value) in [(n.lower(), v) for n, v in answer.headers], answer)
                if "body" in script and method != "HEAD":
                    expect.same(f"{label}: body", answer.body, script["body"].encode())
                if "body_bytes" in script and method != "HEAD":
                    whole = (bytes(range(256)) * (script["body_bytes"] // 256 + 1))[: script["body_bytes"]]
                    expect.same(f"{label}: body", hashlib.sha256(answer.body).hexdigest(),
                                hashlib.sha256(whole).hexdigest())
                seen = [delivery.cell for delivery in world.deliveries_of(answer)]
                twice = asked_twice(world, kind, method, status)
                expect.same(f"{label} on a {kind}: cells that saw {method}", seen, ["eu0"] * 2 if twice
                            else list(CELLS[kind]))
                counted.one(world, before, kind, learned=0)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE,
          settings={"haproxy": {"direct-hits": "all"}})
def test_own_425_where_all_hits_go_at_once(world):
    """There HAProxy's own retry asks such a cell twice for any method, and its answer passes untouched all the same."""
    for status in (421, 425):
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/odd", answer={"status": status, "body": "own"})
        for kind, router in both(world):
            for method in ("GET", "POST"):
                answer = router.request(method, f"/my-company/odd/{status}", user="alice", body=b"a=b"
                                        if method == "POST" else b"")
                expect.status(answer, status, world)
                expect.same("body", answer.body, b"own")
                expect.saw(world, answer, *(["eu0"] * 2 if asked_twice(world, kind, "GET", status) else CELLS[kind]))


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE)
def test_own_answers_of_the_first_cell_pass_untouched(world):
    """A 302, 421 or 425 of the cell that was picked, without the contract's header, is an answer."""
    router = world.router("eu1")
    for status in (302, 421, 425, 503, 500, 408, 401, 403):
        world.cells.behave()
        world.cells.misbehave(cell="eu1", path="/odd",
                              answer={"status": status, "body": "own", "headers": [["Location", "/x"]]})
        for method in ("GET", "POST"):
            before = counted.take(world)
            answer = router.request(method, f"/odd/{status}", body=b"a=b" if method == "POST" else b"")
            expect.status(answer, status, world)
            expect.same("body", answer.body, b"own")
            # Asked at once (test_first_tries.py), as on a hit.
            twice = places.haproxy_version() >= (3, 0) and asked_twice(world, "hit", method, status)
            expect.saw(world, answer, *["eu1"] * (2 if twice else 1))
            counted.one(world, before, "miss", learned=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_interim_answers(world):
    world.cells.misbehave(cell="eu0", path="/my-company/hints", interim=[[103, [["Link", "</a.css>; rel=preload"]]]])
    for kind, router in both(world):
        before = counted.take(world)
        answer = router.request("GET", "/my-company/hints", user="alice")
        expect.status(answer, 200, world)
        expect.same(f"interim answers on a {kind}", [status for status, _ in answer.interim], [103])
        expect.saw(world, answer, *CELLS[kind])
        counted.one(world, before, kind)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_large_answers_stream(world):
    length = 20 << 20
    for kind, router in both(world):
        for query in ("", "&chunked"):
            before = counted.take(world)
            answer = router.request("GET", f"/my-company/download?bytes={length}{query}", user="alice")
            expect.status(answer, 200, world)
            expect.same("bytes", len(answer.body), length)
            expect.same("cells", [d.cell for d in world.deliveries_of(answer)], list(CELLS[kind]))
            counted.one(world, before, kind)
            router = flows.settled(world, kind)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_server_sent_events(world):
    """The first event passes before the last one exists."""
    for kind, router in both(world):
        gate = f"{world.unique}-{kind}"
        before = counted.take(world)
        request = router.prepare("GET", f"/my-company/events?gate={gate}", user="alice")
        with router.connect() as connection:
            connection.send(request)
            head = connection.read_head()
            expect.status(head, 200)
            while b"data: first" not in connection.buffer:
                expect.true("the stream goes on", connection.fill())
            world.cells.open(gate)
            body = b"".join(connection.chunks())
            expect.same("events", body, b"data: first\n\ndata: last\n\n")
        counted.one(world, before, kind)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_a_cell_that_dies(world):
    """Nothing is replayed after the first byte of a real answer; a death before it is an error, not a second delivery
    of a POST."""
    for kind, router in both(world):
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/dies", answer={"body_bytes": 50000}, die=20000)
        before = counted.take(world)
        try:
            answer = router.request("GET", "/my-company/dies", user="alice")
            raise expect.Failure(f"a cut answer came through as whole: {answer}")
        except Broken:
            pass
        expect.same(f"deliveries to the dying cell on a {kind}",
                    [d.cell for d in world.cells.deliveries() if d.target == "/my-company/dies"].count("eu0"), 1
                    if kind == "miss" else 2)
        counted.one(world, before, kind, learned=0)
        for how in ("head", "reset"):
            path = f"/my-company/gone-{kind}-{how}"
            world.cells.behave()
            world.cells.misbehave(cell="eu0", path=path, die=how)
            before = counted.take(world)
            answer = router.request("POST", path, user="alice", body=b"a=b")
            expect.status(answer, 502, world)
            expect.reason(answer, "cell-failed")
            expect.same(f"deliveries to the dying cell on a {kind}",
                        [d.cell for d in world.cells.deliveries() if d.target == path].count("eu0"), 1)
            counted.one(world, before, kind, learned=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_keep_alive_connection_with_many_owners(world):
    router = world.router("eu1")
    owners = {"/my-company/x": "eu0", "/gitlab-org/x": "us0", "/not-my-company/x": "us1"}
    before = counted.take(world)
    with router.connect() as connection:
        for _ in range(3):
            for path, owner in owners.items():
                for method in ("GET", "POST"):
                    answer = connection.request(router.prepare(method, path, user="root", body=b"a=b"
                                                               if method == "POST" else b""))
                    expect.status(answer, 200)
                    expect.same(f"cell of {method} {path}", answer.cell, owner)
                flows.wait_known(world, router, path[:-1])
    counted.expect(world, before, lookups=18, hits=15, misses=3, learned=3, moved=0, dropped=0, refused=0)


MIXED = {"eu0": 302, "eu1": 421, "us0": 425, "us1": 302}


@scenario(matrix={"answers": {**ANSWERS, "425": 425, "mixed": MIXED}}, routers=ONE, timeout=90)
def test_many_at_once(world):
    """Replays of many clients at the same time do not mix."""
    router = world.router("eu1")
    owners = {"my-company": "eu0", "gitlab-org": "us0", "not-my-company": "us1"}
    wrong = []

    def client(number):
        name = list(owners)[number % 3]
        for turn in range(25):
            body = f"client {number} turn {turn}".encode() * 50
            path = "/api/v4/x" if turn % 2 else f"/{name}/{number}/{turn}"
            headers = [("Content-Type", "application/x-www-form-urlencoded")]
            body = f"organization={name}&".encode() + body if turn % 2 else body
            answer = router.request("POST", path, user="root", headers=headers, body=body)
            whole = hashlib.sha256(body).hexdigest().encode() in answer.body
            if answer.status != 200 or answer.cell != owners[name] or not whole:
                wrong.append(f"client {number} turn {turn}: {answer}")

    world.cells.cookie("root")
    before = counted.take(world)
    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect.same("wrong answers", wrong[:3], [])
    counted.expect(world, before, lookups=16 * 25, moved=0, dropped=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_odd_paths_are_not_learned(world):
    """Paths with empty or dot segments go the way of a miss, and the cell decides."""
    router = world.router("eu1")
    for path in ("//my-company/x", "/my-company//x", "/my-company/./x", "/nobody/../my-company/x", "/" + "a" * 3000):
        for _ in range(2):
            before = counted.take(world)
            answer = router.request("GET", path, user="alice")
            expect.status(answer, 404 if "aaa" in path else 200, world)
            cells = ("eu1",) if "aaa" in path else ("eu1", "eu0")
            expect.saw(world, answer, *cells)
            counted.one(world, before, "miss", learned=0)
    expect.same("routes", router.routes(), {})


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_prefix_borders(world):
    """/my-company belongs to /my-company/, /my-company2 does not; the query does not matter; %2F is no slash."""
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200)
    flows.wait_known(world, router, "/my-company/")
    for path, cells in (("/my-company", ("eu0",)), ("/my-company/", ("eu0",)), ("/my-company?x=/y", ("eu0",)),
                        ("/my-company2", ("eu1",)), ("/my-company%2Fx", ("eu1",)), ("/my-company2/x", ("eu1",)),
                        ("/my-compan", ("eu1",))):
        before = counted.take(world)
        answer = router.request("GET", path, user="alice")
        expect.saw(world, answer, *cells)
        counted.one(world, before, "hit" if cells == ("eu0",) else "miss", learned=0)
