"""Unknown paths at cells whose redirects HAProxy retries by itself: the first try is made without the replay pass."""

import collections

from harness import counted, expect, flows, places
from harness.process import wait_until
from harness.runner import ONE, scenario
from harness.world import CELL_DOWN
from test_direct_hits import AWAY, REPLAYED, retried_by_haproxy, way

AT_ONCE = (" cellrouter-direct-any/",)


def tried_at_once(world):
    """Whether this HAProxy retries the cells' redirects, without losing any (docs/requests.md, Limits)."""
    return retried_by_haproxy(world) and places.haproxy_version() >= (3, 0)


def expect_way(world, router, target, at_once):
    expected = AT_ONCE if at_once and tried_at_once(world) else REPLAYED
    line = way(router, target)
    expect.true(f"{target} goes by one of {expected}: {line}", any(backend in line for backend in expected))
    expect.true(f"{target} is logged as a miss: {line}", " level=none " in line)


UNKNOWN = {"GET": (b"", True), "HEAD": (b"", True), "OPTIONS": (b"", True), "POST": (b"a=b", False),
           "DELETE": (b"", False)}


@scenario(matrix={"answers": {"302": 302, "421": 421, "425": 425}, "level0": {"level1": None, "level0": True}},
          pick=AWAY, routers=ONE)
def test_unknown_paths(world):
    """Redirected or not: the right answer, learned, and the headers for cells are those of the replay pass."""
    router = world.router("eu1")
    for number, (method, (body, at_once)) in enumerate(UNKNOWN.items()):
        for owner in ("eu0", "eu1"):
            name = f"{owner}-{number}"
            world.cells.control("organization", name=name, cell=owner)
            before = counted.take(world)
            answer = router.request(method, f"/{name}/miss?a=b", body=body)
            expect.status(answer, 200, world)
            expect.saw(world, answer, *dict.fromkeys(("eu1", owner)))
            expect.clean(answer)
            expect_way(world, router, f"/{name}/miss?a=b", at_once)
            flows.wait_known(world, router, f"/{name}/")
            counted.one(world, before, "miss")
            first, *rest = world.deliveries_of(answer)
            expect.same("the first try", [first.get(f"X-Gitlab-Cell-{key}")
                                          for key in ("Attempt", "From", "Why", "Route")], ["1", None, None, None])
            expect.true("it has an id", first.get("X-Gitlab-Cell-Request"))
            for delivery in rest:
                expect.same("the second try",
                            [delivery.get(f"X-Gitlab-Cell-{key}") for key in ("Attempt", "From", "Why", "Request")],
                            ["2", "eu1", "unknown-path", first.get("X-Gitlab-Cell-Request")])


@scenario(answers=425, pick=AWAY, routers=ONE)
def test_a_get_with_a_body(world):
    """It has to be kept for a replay: the replay pass."""
    world.cells.control("organization", name="acme", cell="eu0")
    router = world.router("eu1")
    before = counted.take(world)
    answer = router.request("GET", "/acme/search", body=b"q=1")
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")
    expect_way(world, router, "/acme/search", False)
    flows.wait_known(world, router, "/acme/")
    counted.one(world, before, "miss")


@scenario(answers=425, pick=AWAY, routers=ONE, tls=True)
def test_a_get_with_a_body_of_unknown_length(world):
    """Over HTTP/2 nothing says that one comes. What HAProxy can keep is replayed; more ends in a 307, and the second
    try goes right."""
    router = world.router("eu1")
    for name, body, statuses in (("small", b"q=1", [200]), ("large", bytes(100_000), [307, 200])):
        world.cells.control("organization", name=name, cell="eu0")
        before, answers = counted.take(world), []
        for status in statuses:
            with router.connect_h2() as client:
                answers.append(client.request(router.prepare("GET", f"/{name}/search", body=body, chunked=True)))
            expect.status(answers[-1], status, world)
        cells = [d for answer in answers for d in world.deliveries_of(answer)]
        expect.same("cells", [d.cell for d in cells], ["eu1", "eu0"])
        expect.same("bodies", [d.body_length for d in cells], [len(body)] * 2)
        taught = len(answers) == 1 or flows.uploads_teach(chunked=True)
        if taught:
            flows.wait_known(world, router, f"/{name}/")
        counted.expect(world, before, lookups=len(answers), hits=0, misses=len(answers), learned=int(taught), refused=0)


@scenario(answers=425, pick=AWAY, routers=ONE)
def test_a_redirect_that_haproxy_does_not_retry(world):
    """A 302 of a cell that is configured as 425: asked at once it becomes a 307, once, and the next try takes the
    replay pass."""
    world.cells.control("organization", name="acme", cell="eu0")
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", path="/acme/", redirect="Cell EU0", status=302)
    before = counted.take(world)
    answer = router.request("GET", "/acme/x?a=b", follow_307=True)
    expect.status(answer, 200, world)
    expect.same("who answered", answer.cell, "eu0")
    once = tried_at_once(world)
    expect.same("answers", [step.status for step in answer.steps], [307, 200] if once else [200])
    expect.same("cells", [d.cell for step in answer.steps for d in world.deliveries_of(step)],
                ["eu1"] * once + ["eu1", "eu0"])
    if once:
        expect.reason(answer.steps[0], "stale-route")
        expect.same("Location", answer.steps[0].get("Location"), "/acme/x?a=b")
    expect_way(world, router, "/acme/x?a=b", False)
    flows.wait_known(world, router, "/acme/")
    counted.expect(world, before, lookups=1 + once, hits=0, misses=1 + once, learned=1, moved=0, dropped=0, refused=0)


@scenario(answers={"eu0": 302, "eu1": 425, "us0": 425, "us1": 425}, routers={"eu1": "eu"})
def test_one_cell_that_answers_302(world):
    """A 302 could not be retried, so nothing goes at once."""
    world.cells.control("organization", name="acme", cell="eu0")
    router = world.router("eu1")
    for turn in range(4):
        answer = router.request("GET", f"/acme/{turn}")
        expect.status(answer, 200, world)
        expect.same("who answered", answer.cell, "eu0")
    expect.true("by the replay pass", REPLAYED[0] in way(router, "/acme/0"))


@scenario(answers=425, routers={"eu1": "eu"}, server_options="check inter 500ms fall 1 rise 1 weight 10")
def test_weights(world):
    """Weights of servers are HAProxy's business: the replay pass, where it balances."""
    world.cells.control("organization", name="acme", cell="eu0")
    router = world.router("eu1")
    expect.status(router.request("GET", "/acme/x"), 200, world)
    expect.true("by the replay pass", REPLAYED[0] in way(router, "/acme/x"))


@scenario(answers=425, routers={"eu1": "eu"}, servers={"eu0": 2, "eu1": 3})
def test_every_server_has_its_share(world):
    """Until its cell is down: then the others have it, and with none left it is 503 no-cell."""
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    world.cells.misbehave(path="/any/", answer={"body": "here"})
    before = counted.take(world)
    cells, servers = ask_many(world, router, "/any/", 100)
    expect.true(f"two and three fifths: {cells}", cells.keys() == {"eu0", "eu1"} and cells["eu0"] >= 15
                and cells["eu1"] >= 35)
    if tried_at_once(world):
        expect.true(f"a fifth each: {servers}", len(servers) == 5 and all(times >= 5 for times in servers.values()))
    counted.expect(world, before, lookups=100, hits=0, misses=100, learned=0, moved=0, dropped=0, refused=0)
    down(world, router, "eu1", "eu1.2", "eu1.3")
    expect.same("cells that take first tries", set(ask_many(world, router, "/any/one-", 30)[0]), {"eu0"})
    for servers in (("eu0", "eu0.2"), ("us0",), ("us1",)):
        down(world, router, *servers)
    answer = router.request("GET", "/any/none")
    expect.status(answer, 503)
    expect.reason(answer, "no-cell")


def down(world, router, cell, *more):
    for server in (cell, *more):
        world.cells.down(server)
    wait_until(f"{cell} is seen to be down",
               lambda: router.stat(f"cellrouter-cell-{cell}")["status"].startswith("DOWN"))


def ask_many(world, router, prefix, times):
    """How often each cell took such a request, and each server that was asked at once."""
    cells, servers = collections.Counter(), collections.Counter()
    for number in range(times):
        answer = router.request("GET", f"{prefix}{number}")
        expect.status(answer, 200, world)
        cells.update(d.cell for d in world.deliveries_of(answer))
        servers.update(word for word in way(router, f"{prefix}{number}").split()
                       if word.startswith("cellrouter-direct-any/"))
    return cells, servers
