"""docs/flows.md 16, and bodies around HAProxy's buffer."""

import hashlib
import random

from harness import counted, expect, flows, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

MB = 1 << 20
AWAY = {"eu": "eu1", "us": "us1"}


def bytes_of(length):
    return random.Random(length).randbytes(length)


def put(world, router, path, body, **more):
    """PUT, following a 307 as the contract allows for bodies beyond every buffer; the owner got it whole, once."""
    answer = router.request("PUT", path, body=body, follow_307=True, timeout=50, **more)
    expect.status(answer, 200, world)
    seen = world.deliveries_of(answer)
    got = [(d.cell, d.whole, d.body_length, d.body_sha256) for d in seen]
    expect.same("what the owner got", got[-1], ("eu0", True, len(body), hashlib.sha256(body).hexdigest()),
                expect.table(seen))
    expect.same("how many times the owner saw it", sum(d.cell == "eu0" for d in seen), 1, expect.table(seen))
    return answer


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120)
def test_flow_16_ten_megabytes(world):
    router = world.router("eu1")
    for chunked in (False, True):
        world.flush()
        before = counted.take(world)
        answer = put(world, router, "/my-company/upload", bytes_of(10 * MB), user="alice", chunked=chunked)
        taught = flows.uploads_teach(chunked)
        if taught:
            flows.wait_known(world, router, "/my-company/")
        expect.same("routes", router.routes(), {"/my-company/": "eu0"} if taught else {})
        counted.expect(world, before, lookups=len(answer.steps), hits=0, misses=len(answer.steps), learned=int(taught),
                       moved=0, dropped=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120)
def test_bodies_around_the_buffer(world):
    """On a miss each of these is replayed or, beyond the buffer, tried again; never cut, never doubled."""
    router = world.router("eu1")
    for length in (0, 1, 1000, 8000, 12000, 14000, 15000, 15360, 15500, 16000, 16383, 16384, 16385, 17000, 33000, MB):
        for chunked in (False, True):
            world.flush()
            before = counted.take(world)
            answer = put(world, router, f"/my-company/{length}", bytes_of(length), user="alice", chunked=chunked)
            expect.true(f"{length} bytes that fit are replayed", len(answer.steps) == 1 or length > 14000)
            # Whether a second try in chunks teaches depends on how much of it was here when its answer came.
            taught = {"learned": 1} if len(answer.steps) == 1 or flows.uploads_teach(chunked) else {}
            counted.expect(world, before, lookups=len(answer.steps), hits=0, moved=0, dropped=0, refused=0, **taught)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120)
def test_bodies_on_a_known_route(world):
    """A hit streams: no size matters, and only the owner sees it."""
    router = world.router("eu1")
    put(world, router, "/my-company/first", b"x", user="alice")
    flows.wait_known(world, router, "/my-company/")
    for length in (0, 1000, 16384, MB, 10 * MB):
        for chunked in (False, True):
            before = counted.take(world)
            answer = router.request("PUT", f"/my-company/{length}", body=bytes_of(length), user="alice",
                                    chunked=chunked, timeout=50)
            expect.status(answer, 200, world)
            expect.saw(world, answer, "eu0")
            counted.one(world, before, "hit")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_expect_100_continue(world):
    router = world.router("eu1")
    for length in (1, 1000, 12000):
        for chunked in (False, True):
            world.flush()
            for kind, cells in (("miss", ("eu1", "eu0")), ("hit", ("eu0",))):
                before = counted.take(world)
                answer = router.request("POST", "/my-company/x", body=bytes_of(length), user="alice", chunked=chunked,
                                        expect=True)
                expect.status(answer, 200, world)
                expect.saw(world, answer, *cells)
                counted.one(world, before, kind)
                flows.wait_known(world, router, "/my-company/")


@scenario(pick=AWAY, routers=ONE, timeout=120, settings={"haproxy": {"timeout-server": 10}})
def test_two_hundred_megabytes(world):
    """With a Content-Length and chunked, which asks first (Expect): once 307 on a miss, straight to the owner on a hit;
    the owner's sha256 is the client's. HAProxy holds a buffer of it and no more."""
    router = world.router("eu1")
    body = random.Random(200).randbytes(200 * MB)
    digest = hashlib.sha256(body).hexdigest()
    small = router.haproxy.resident()
    for chunked in (False, True):
        world.flush()
        for statuses in ([307, 200], [200]):
            before = counted.take(world)

            def upload():
                return router.request("PUT", f"/my-company/upload-{chunked}", user="alice", body=body, chunked=chunked,
                                      expect=chunked, follow_307=True, timeout=60)

            answer = upload()
            if answer.status == 504 and chunked and places.haproxy_version() < (3, 0):
                print("docs/requests.md, limits: an upload in chunks stood still, once more")
                before = counted.take(world)
                answer = upload()
            expect.same("answers to the client", [step.status for step in answer.steps], statuses)
            seen = [d for step in answer.steps for d in world.deliveries_of(step)]
            expect.same("what the owner got",
                        [(d.whole, d.body_length, d.body_sha256) for d in seen if d.cell == "eu0"],
                        [(True, len(body), digest)])
            expect.same("cells that saw it", [d.cell for d in seen], ["eu1", "eu0"] if len(statuses) == 2 else ["eu0"])
            taught = flows.uploads_teach(chunked)  # else it goes right by the hint of the first
            if taught:
                flows.wait_known(world, router, "/my-company/")
            misses = len(statuses) if len(statuses) == 2 or not taught else 0
            counted.expect(world, before, lookups=len(statuses), hits=len(statuses) - misses, misses=misses,
                           learned=int(taught and misses > 0), dropped=0, refused=0)
    grown = router.haproxy.resident() - small
    expect.true(f"HAProxy has grown by {grown >> 20} MiB", grown < 20 * MB)


BUFFER = 16 * MB


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, timeout=170, large=BUFFER,
          settings={"routes": {"fresh": 0}})
def test_the_large_body_tier_replays(world):
    """What fits its buffer is replayed on a miss and on a stale route, without a 307; each hop gets one whole
    delivery."""
    router = world.router("eu1")
    for length in (17000, MB, 10 * MB, BUFFER - MB):
        for chunked in (False, True):
            world.flush()
            before = counted.take(world)
            answer = router.request("POST", "/my-company/upload", body=bytes_of(length), user="alice", chunked=chunked,
                                    timeout=50)
            expect.status(answer, 200, world)
            expect.saw(world, answer, "eu1", "eu0")
            counted.one(world, before, "miss")
    flows.wait_known(world, router, "/my-company/")
    world.cells.move("my-company", "eu1")
    before = counted.take(world)
    answer = router.request("POST", "/my-company/upload", body=bytes_of(5 * MB), user="alice", timeout=50)
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0", "eu1")
    counted.one(world, before, "hit", moved=1)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=170, large=4 * MB)
def test_beyond_the_large_buffer(world):
    """Sent once, then a 307 to the same URL, which goes right: the hint is kept by HAProxy, not by the agent."""
    router = world.router("eu1")
    for chunked in (False, True):
        world.flush()
        before = counted.take(world)
        answer = put(world, router, f"/my-company/upload-{chunked}", bytes_of(50 * MB), user="alice", chunked=chunked)
        expect.same("answers to the client", [step.status for step in answer.steps], [307, 200])
        counted.expect(world, before, lookups=2, hits=0, misses=2, learned=int(flows.uploads_teach(chunked)), moved=0,
                       dropped=0, refused=0)


def tier_is(router, state):
    """What HAProxy's health check says of the large-body tier."""
    return router.stat("cellrouter-replay", "cellrouter-large")["status"] == state


def held(world, router, path):
    """A large request at whose owner nothing happens: (connection, request)."""
    world.cells.misbehave(cell="eu0", path=path, gate=world.unique)
    connection, request = router.connect(timeout=50), router.prepare("POST", path, user="alice", body=bytes_of(MB))
    connection.send(request)
    wait_until("the owner to have all of it",
               lambda: [(d.cell, d.whole) for d in world.deliveries_of(request)] == [("eu1", True), ("eu0", True)])
    return connection, request


def failed(world, router, before, answer, status, reason):
    """The client and the log have the reason; each cell was asked once, and nothing learned."""
    expect.status(answer, status, world)
    expect.reason(answer, reason)
    wait_until("a log line that says so", lambda: any(f"{answer.request.target} HTTP/" in line
                                                      and f" {status} " in line and f" reason={reason}" in line
                                                      for line in router.haproxy.lines()))
    expect.saw(world, answer, "eu1", "eu0")
    counted.one(world, before, "miss", learned=0)


def streams_without_the_tier(world, router):
    """A large request goes as if there were no tier; small ones notice nothing."""
    world.flush()
    before = counted.take(world)
    answer = put(world, router, "/my-company/next", bytes_of(MB), user="alice")
    expect.same("answers to the client", [step.status for step in answer.steps], [307, 200])
    expect.reason(answer.steps[0], "too-large-to-replay")
    counted.expect(world, before, lookups=2, hits=0, misses=2, learned=1, dropped=0, refused=0)
    world.flush()
    answer = router.request("POST", "/my-company/small", user="alice", body=bytes_of(5000))
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120, large=4 * MB)
def test_the_large_body_tier_dies_in_the_middle(world):
    """Killed while a cell thinks about a request that it sent: 502 with a reason, in the log too, and nobody is asked
    again. The next one is sent once, and 307."""
    router = world.router("eu1")
    world.allow("cellrouter-large")
    before = counted.take(world)
    connection, request = held(world, router, "/my-company/held")
    router.large.kill()
    with connection:
        answer = connection.read_answer("POST")
    answer.request, answer.tag = request, request.tag
    failed(world, router, before, answer, 502, "cell-failed")
    world.cells.open(world.unique)
    wait_until("HAProxy sees that the tier is gone", lambda: tier_is(router, "DOWN"))
    streams_without_the_tier(world, router)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120, large=4 * MB,
          settings={"haproxy": {"large-wait": 6, "timeout-server": 2}})
def test_the_large_body_tier_stops_in_the_middle(world):
    """SIGSTOP: the health check, which the process itself has to answer, sees that; the next ones are sent once, and
    307. What is in it gets a 504 with a reason after large-wait and timeout-server. When it goes on it takes large
    requests again."""
    router = world.router("eu1")
    world.allow("cellrouter-large")
    before = counted.take(world)
    waiting = [held(world, router, "/my-company/held")]
    router.large.freeze()
    try:
        waiting.append((router.connect(timeout=50),
                        router.prepare("POST", "/my-company/stopped", user="alice", body=bytes_of(100_000))))
        waiting[-1][0].send(waiting[-1][1])
        wait_until("HAProxy sees that it stands still", lambda: tier_is(router, "DOWN"))
        expect.true("it was not full", int(router.stat("cellrouter-replay", "cellrouter-large")["scur"]) < 4)
        counted.expect(world, before, lookups=2, hits=0, misses=2, learned=0, moved=0, dropped=0, refused=0)
        streams_without_the_tier(world, router)
        for number, (connection, request) in enumerate(waiting):
            with connection:
                answer = connection.read_answer("POST")
            expect.status(answer, 504)
            expect.reason(answer, "cell-timeout")
            expect.same("cells", [d.cell for d in world.deliveries_of(request)], [] if number else ["eu1", "eu0"])
    finally:
        router.large.thaw()
    world.cells.open(world.unique)
    wait_until("HAProxy sees that it goes on", lambda: tier_is(router, "UP"))
    world.flush()
    again = put(world, router, "/my-company/again", bytes_of(MB), user="alice")
    expect.same("answers when the tier is back", [step.status for step in again.steps], [200])


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120, large=4 * MB,
          settings={"haproxy": {"timeout-server": 1}})
def test_a_slow_cell_behind_the_tier_is_a_504(world):
    """The tier's own timeout ends it, with a reason, in the log too, and nobody is asked a second time."""
    router = world.router("eu1")
    before = counted.take(world)
    connection, request = held(world, router, "/my-company/slow")
    with connection:
        answer = connection.read_answer("POST")
    answer.request, answer.tag = request, request.tag
    world.cells.open(world.unique)
    failed(world, router, before, answer, 504, "cell-timeout")
    expect.true("the tier itself is fine", tier_is(router, "UP"))
    world.flush()
    again = put(world, router, "/my-company/again", bytes_of(MB), user="alice")
    expect.same("answers to the next one", [step.status for step in again.steps], [200])


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=170, large=4 * MB)
def test_the_large_body_tier_is_gone(world):
    """Its process killed: once HAProxy knows, large bodies are sent once, and go right after a 307; small ones notice
    nothing."""
    router = world.router("eu1")
    world.allow("cellrouter-large")
    router.large.kill()
    wait_until("HAProxy sees that the tier is gone", lambda: tier_is(router, "DOWN"))
    streams_without_the_tier(world, router)


@scenario(matrix={"answers": {"302": 302, "421": 421, "425": 425}}, pick=AWAY, routers=ONE, timeout=120)
def test_too_large_on_a_stale_route(world):
    """Sent to the old owner, then one 307, and the second try goes right: HAProxy has a hint, whatever the agent
    knows."""
    router = world.router("eu1")
    put(world, router, "/my-company/first", b"x", user="alice")
    flows.wait_known(world, router, "/my-company/")
    world.cells.move("my-company", "eu1")
    before = counted.take(world)
    answer = router.request("PUT", "/my-company/large", body=bytes_of(MB), user="alice", follow_307=True, timeout=50)
    expect.status(answer, 200, world)
    expect.same("answers to the client", [step.status for step in answer.steps], [307, 200])
    expect.same("who answered", answer.cell, "eu1")
    counted.expect(world, before, lookups=2, hits=2, misses=0, learned=0, moved=1, dropped=0, refused=0)


EDGE = 65536  # kept of the large buffer for headers: agent/cellctl/haproxy_vocabulary.c


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120, large=4 * MB)
def test_bodies_around_the_large_buffer(world):
    """Just below, at and just above what the tier keeps: replayed there, or sent once and again after a 307; and the
    same in chunks, which tell no length."""
    router = world.router("eu1")
    limit = 4 * MB - EDGE
    for length, statuses in ((limit - 1, [200]), (limit, [200]), (limit + 1, [307, 200])):
        world.flush()
        before = counted.take(world)
        answer = put(world, router, "/my-company/upload", bytes_of(length), user="alice")
        expect.same(f"answers to {length} bytes", [step.status for step in answer.steps], statuses)
        expect.saw(world, answer, *(("eu1", "eu0") if len(statuses) == 1 else ("eu0",)))
        counted.expect(world, before, lookups=len(statuses), hits=0, learned=1, dropped=0)
    for length in (limit - EDGE, limit - 1, limit, limit + 1, 4 * MB, 4 * MB + EDGE):
        world.flush()
        before = counted.take(world)
        answer = put(world, router, f"/my-company/chunked-{length}", bytes_of(length), user="alice", chunked=True)
        statuses = [step.status for step in answer.steps]
        wanted = [[200]] if length < limit else [[200], [307, 200]] if length <= 4 * MB else [[307, 200]]
        expect.true(f"answers to {length} bytes in chunks: {statuses}", statuses in wanted)
        counted.expect(world, before, lookups=len(statuses), hits=0, dropped=0, refused=0,
                       learned=int(len(statuses) == 1 or flows.uploads_teach(chunked=True)))


@scenario(pick=AWAY, routers=ONE, timeout=120, large=64 * MB)
def test_fifty_megabytes_are_replayed(world):
    router = world.router("eu1")
    for chunked in (False, True):
        world.flush()
        before = counted.take(world)
        answer = router.request("POST", "/my-company/upload", body=bytes_of(50 * MB), user="alice", chunked=chunked,
                                timeout=50)
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu1", "eu0")
        counted.one(world, before, "miss")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, timeout=120, large=4 * MB)
def test_the_large_body_tier_is_full(world):
    """As many requests as it takes (large-requests) are in it: the next one waits for its turn, and gets it. Small ones
    do not notice, and the health check knows that a tier that is full is well."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu0", path="/my-company/held", gate=world.unique)
    held = [(router.connect(timeout=50), router.prepare("POST", f"/my-company/held/{number}", user="alice",
                                                        body=bytes_of(MB))) for number in range(4)]
    for connection, request in held:
        connection.send(request)
    wait_until("the owner to think about all of them",
               lambda: sum(d.cell == "eu0" for _, r in held for d in world.deliveries_of(r)) == 4)
    check = router.stat("cellrouter-large-check", "process")
    wait_until("it has been full for some health checks",
               lambda: int(router.stat("cellrouter-large-check", "process")["lastchg"]) >= int(check["lastchg"]) + 5)
    expect.true("it is full, not down", tier_is(router, "UP"))
    expect.same("failed checks", router.stat("cellrouter-large-check", "process")["chkfail"], check["chkfail"])
    waiting = router.connect(timeout=50), router.prepare("POST", "/my-company/waiting", user="alice",
                                                  body=bytes_of(100_000))
    waiting[0].send(waiting[1])
    wait_until("it waits", lambda: router.class_stat("")["qcur"] == "1")
    world.flush()
    answer = router.request("POST", "/my-company/small", user="alice", body=bytes_of(5000))
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")
    world.cells.open(world.unique)
    for connection, request in (*held, waiting):
        with connection:
            answer = connection.read_answer("POST")
        answer.request, answer.tag = request, request.tag
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu1", "eu0")
    world.flush()
    again = put(world, router, "/my-company/again", bytes_of(MB), user="alice")
    expect.same("answers when there is room again", [step.status for step in again.steps], [200])
