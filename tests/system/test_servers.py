"""Cells of several servers: balanced and failed over inside the cell, for no other cell has its data."""

from collections import Counter

from harness import counted, expect, flows
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from harness.world import CELL_DOWN

AWAY = {"eu": "eu1", "us": "us1"}
TWO_EACH = {"eu0": 2, "eu1": 2}
CHECKS = {"unchecked": "", "checked": "check inter 500ms fall 1 rise 1"}
KINDS = {"302": 302, "425": 425}


def who(world, answer):
    """The servers that saw it, in order; each of them as it was sent."""
    seen = world.deliveries_of(answer)
    for delivery in seen:
        expect.as_sent(delivery, answer.request)
    return [delivery.server for delivery in seen]


def ask(world, router, count, **more):
    """So many GETs and POSTs, all right; returns how often each server of the owner answered."""
    used = Counter()
    for number in range(count):
        method, body = (("GET", b""), ("POST", b"a=b"))[number % 2]
        answer = router.request(method, f"/my-company/{number}", user="alice", body=body, **more)
        expect.status(answer, 200, world)
        expect.same("the answering cell", answer.cell, "eu0")
        used[who(world, answer)[-1]] += 1
    return used


@scenario(matrix={"answers": KINDS}, pick=AWAY, routers=ONE, servers=TWO_EACH)
def test_a_cells_servers_share_its_requests(world):
    router = world.router("eu1")
    before = counted.take(world)
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    used = ask(world, router, 40)
    expect.true(f"both servers have their share: {used}", set(used) == {"eu0", "eu0.2"} and min(used.values()) >= 4)
    counted.expect(world, before, lookups=41, hits=40, misses=1, learned=1)
    expect.same("routes", router.routes(), {"/my-company/": "eu0"})
    picked = Counter()
    for number in range(40):
        answer = router.request("GET", f"/nobody-{number}/x")
        expect.status(answer, 404, world)
        picked[who(world, answer)[0]] += 1
    expect.true(f"so have those of the cell that is picked: {picked}", set(picked) == {"eu1", "eu1.2"})


def one_is_down(world):
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    world.cells.down("eu0")
    world.cells.down("eu1")
    for _ in range(3):
        world.flush()
        answer = router.request("POST", "/my-company/x", user="alice", body=b"a=b")
        expect.status(answer, 200, world)
        expect.same("servers that saw a miss", who(world, answer), ["eu1.2", "eu0.2"])
        flows.wait_known(world, router, "/my-company/")
        expect.same("servers of hits", set(ask(world, router, 6)), {"eu0.2"})
    for name in ("eu0", "eu1"):
        world.cells.up(name)
    wait_until("the first server is used again", lambda: "eu0" in ask(world, router, 2))
    world.cells.down("eu0.2")
    expect.same("servers of hits", set(ask(world, router, 6)), {"eu0"})


@scenario(matrix={"server_options": CHECKS}, pick=AWAY, routers=ONE, servers=TWO_EACH)
def test_one_server_of_a_cell_is_down(world):
    """At no moment does a client notice: the other one takes over, on a known path and on an unknown one, checked or
    not."""
    one_is_down(world)


@scenario(answers=425, pick=AWAY, routers=ONE, servers=TWO_EACH)
def test_one_server_of_a_425_cell_is_down(world):
    """The same where HAProxy's own retry is at work."""
    one_is_down(world)


def all_down(world, cell):
    for name in (cell, f"{cell}.2"):
        world.cells.down(name)


@scenario(matrix={"answers": KINDS, "server_options": CHECKS}, pick=AWAY, routers=ONE, servers=TWO_EACH)
def test_all_servers_of_a_known_cell_are_down(world):
    """503 with a reason, before any health check has noticed and without one: no other cell has the data. The route
    stays."""
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    all_down(world, "eu0")
    for method, body in (("GET", b""), ("POST", b"a=b")):
        before = counted.take(world)
        answer = router.request(method, "/my-company/x", user="alice", body=body)
        expect.status(answer, 503, world)
        expect.reason(answer, "cell-down")
        expect.saw(world, answer)
        expect.true(f"the 503 took {answer.seconds:.1f} s", answer.seconds < 3.5)
        counted.expect(world, before, lookups=1, hits=1, dropped=0)
    expect.same("routes", router.routes(), {"/my-company/": "eu0"})


@scenario(matrix={"server_options": CHECKS}, routers=ONE, servers={"eu0": 2})
def test_a_refused_connection_on_an_unknown_path(world):
    """Whichever server of the region refuses, the request goes on to another one, a POST too: nobody has seen it."""
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    all_down(world, "eu0")
    for number in range(12):
        method, body = (("GET", b""), ("POST", b"a=b"))[number % 2]
        answer = router.request(method, f"/nobody-{number}/x", body=body)
        expect.status(answer, 404, world)
        expect.same("who answered", who(world, answer), ["eu1"])


@scenario(matrix={"answers": {"425": 425}}, pick={"eu": "eu1"}, routers=ONE, server_options="")
def test_the_loop_takes_the_first_try(world):
    """The known cell, asked at once, takes no connection; HAProxy gives the request to the loop, where the cell is
    there again and redirects. What HAProxy kept is replayed; what was too large for that is a 307, and its second try
    goes right."""
    world.allow(CELL_DOWN)
    for length, statuses in ((0, [200]), (100_000, [307, 200])):
        world.cells.move("my-company", "eu0")
        router = flows.settled(world, "hit")
        world.cells.move("my-company", "eu1")
        before = counted.take(world)
        world.cells.down("eu0")
        request = router.prepare("GET", "/my-company/x", user="alice", body=bytes(length))
        with router.connect() as connection:
            connection.send(request)
            wait_until("HAProxy waits before its next try", lambda: "state=TAR" in router.runtime("show sess all"))
            world.cells.up("eu0")
            answer = connection.read_answer()
        answer.request, answer.tag = request, request.tag
        answers = [answer]
        if answer.status == 307:
            expect.reason(answer, "too-large-to-replay")
            expect.same("Location", answer.get("Location"), "/my-company/x")
            answers.append(router.request("GET", "/my-company/x", user="alice", body=bytes(length)))
        expect.same("answers to the client", [step.status for step in answers], statuses)
        expect.same("who answered", answers[-1].cell, "eu1")
        cells = [d.cell for step in answers for d in world.deliveries_of(step)]
        expect.same("cells that saw it", cells, ["eu0", "eu1"])
        counted.expect(world, before, lookups=len(answers), hits=len(answers), moved=1, dropped=0)
