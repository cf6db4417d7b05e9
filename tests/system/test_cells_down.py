"""docs/flows.md 25 and its neighbours: cells that are down."""

from harness import counted, expect, flows
from harness.level0 import warm
from harness.process import wait_until
from harness.runner import ANSWERS, LEVELS, ONE, ROUTERS, scenario
from harness.world import CELL_DOWN


def noticed(router, cell):
    """HAProxy's health check has seen that the cell is down."""
    def down():
        lines = [line.split(",") for line in router.runtime("show stat").splitlines() if line.startswith("cellrouter")]
        return any(cell in (fields[1], fields[0].rpartition("-")[2]) and fields[17].startswith("DOWN")
                   for fields in lines if len(fields) > 17)

    wait_until(f"{router.id} has noticed that {cell} is down", down)


@scenario(matrix={"answers": ANSWERS, "routers": ROUTERS, "level0": LEVELS}, pick={"eu": "eu1"})
def test_flow_25_the_owning_cell_is_down(world):
    world.allow(CELL_DOWN)
    router = world.of("eu")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    if world.level0:
        warm(router)
    asked = 0 if world.level0 else 2
    world.cells.down("eu0")
    for moment in ("at first", "when the health check knows"):
        if moment != "at first":
            noticed(router, "eu0")
        before = counted.take(world)
        for method in ("GET", "POST"):
            answer = router.request(method, "/my-company/x", user="alice")
            expect.status(answer, 503, world)
            expect.reason(answer, "cell-down")
            expect.saw(world, answer)
            if moment != "at first":
                expect.true(f"the 503 took {answer.seconds:.2f} s", answer.seconds < 1)
        counted.expect(world, before, lookups=asked, hits=asked, learned=0, dropped=0)
    expect.same(f"routes of {router.id}", router.routes(), {"/my-company/": "eu0"})
    world.cells.up("eu0")
    wait_until("the cell is back", lambda: router.request("GET", "/my-company/x", user="alice").status == 200)


@scenario(matrix={"answers": ANSWERS}, routers=ONE)
def test_a_miss_goes_to_a_cell_that_is_up(world):
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    world.cells.down("eu1")
    for number in range(6):
        answer = router.request("GET", f"/nobody-{number}/x")
        expect.status(answer, 404, world)
        expect.saw(world, answer, "eu0")
    noticed(router, "eu1")
    for number in range(6):
        answer = router.request("POST", "/my-company/x", user="alice", body=b"a=b")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_a_redirect_to_a_cell_that_is_down(world):
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    world.cells.down("us0")
    noticed(router, "us0")
    answer = router.request("GET", "/gitlab-org/x")
    expect.status(answer, 503, world)
    expect.reason(answer, "cell-down")
    expect.saw(world, answer, "eu1")
    expect.same("routes", router.routes(), {})


@scenario(routers={"eu1": "eu"})
def test_flow_34_a_cell_is_drained(world):
    """docs/cells.md: unknown paths go to other cells, its own requests still to it."""
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    router.runtime("set server cellrouter-any/eu0.1 weight 0")
    for number in range(30):
        answer = router.request("GET", f"/nobody-{number}/x")
        expect.same("the first cell", world.deliveries_of(answer)[0].cell, "eu1")
    for method in ("GET", "POST"):
        answer = router.request(method, "/my-company/y", user="alice", body=b"" if method == "GET" else b"a=b")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")
