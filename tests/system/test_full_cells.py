"""Cells that are full (`maxconn` in server-options) or hang, and lines of a cell's own (`backend-lines`)."""

import time

from harness import expect, flows
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from harness.world import CELL_DOWN

from test_limits import Crowd

MAXCONN = 4
FULL = f"check inter 500ms fall 1 rise 1 maxconn {MAXCONN}"
QUEUE_S = 1
IMPATIENT = {"haproxy": {"timeout-queue": QUEUE_S}}
EVERYWHERE = {**ANSWERS, "425": 425}


def at(router, cell):
    """Requests that are at the cell's server now, by any of the ways there."""
    return sum(int(line["scur"]) for line in router.stats() if line.get("svname") == f"{cell}.1")


def held(world, router, crowd, number):
    """The crowd is there: so many of it are at eu0, and the others wait."""
    wait_until(f"{number} requests are at eu0", lambda: at(router, "eu0") == number, timeout=10)
    time.sleep(0.5)  # whoever may come in, has
    expect.same("requests at eu0", at(router, "eu0"), number)
    expect.same("answers so far", crowd.statuses, {})


@scenario(matrix={"answers": EVERYWHERE}, routers=ONE, pick={"eu": "eu0"}, large=4 << 20, server_options=FULL)
def test_a_full_cell_is_asked_for_no_more_than_maxconn(world):
    """One limit for all ways to the cell: known and unknown paths, GETs, POSTs. The others wait, and are served."""
    router = world.router("eu1")
    flows.settled(world, "hit")
    world.cells.misbehave(cell="eu0", path="/my-company/", gate="full")
    world.cells.misbehave(cell="eu0", path="/nobody", gate="full", answer={"status": 200, "body": "here"})
    crowd = Crowd(router)
    crowd.send(5, "GET", "/my-company/{}").send(5, "GET", "/nobody-{}/x")
    crowd.send(5, "POST", "/my-company/{}", b"a=b").send(5, "POST", "/nobody-{}/x", b"a=b")
    held(world, router, crowd, MAXCONN)
    world.cells.open("full")
    crowd.all_served("all of them are served")


@scenario(matrix={"answers": EVERYWHERE}, routers=ONE, server_options=FULL, settings=IMPATIENT)
def test_a_full_cell_is_busy_and_not_down(world):
    """What waited for `timeout-queue` gets a 503 that says so, on a known path, on an unknown one, and behind a
    redirect; and what is for another cell notices nothing."""
    router = world.router("eu1")
    flows.settled(world, "hit")
    world.cells.misbehave(cell="eu0", path="/my-company/", gate="full")
    world.cells.misbehave(cell="eu0", path="/far/", gate="full", answer={"status": 200, "body": "here"})
    world.cells.misbehave(cell="eu1", path="/far/", redirect="Cell EU0")
    crowd = Crowd(router).send(MAXCONN, "GET", "/my-company/{}")
    held(world, router, crowd, MAXCONN)
    for number in range(8):  # the cell that has room is asked
        answer = router.request("GET", f"/nobody-{number}/x")
        expect.status(answer, 404, world)
        expect.same("cells", [d.cell for d in world.deliveries_of(answer)], ["eu1"])
    for method, path, body in (("GET", "/my-company/x", b""), ("POST", "/my-company/x", b"a=b"),
                               ("GET", "/far/x", b""), ("POST", "/far/x", b"a=b")):
        answer = router.request(method, path, user="alice", body=body)
        expect.status(answer, 503, world)
        expect.reason(answer, "cell-busy")
        expect.same("Retry-After", answer.get("Retry-After"), "5")
        expect.true(f"{method} {path} waited for {answer.seconds:.1f} s", answer.seconds > QUEUE_S - 0.1)
    world.cells.open("full")
    crowd.all_served("those that were in time")
    world.allow(CELL_DOWN)
    world.cells.down("eu0")
    answer = router.request("GET", "/my-company/x", user="alice")
    expect.reason(answer, "cell-down")


CHECKED = {"haproxy": {"backend-lines": ["option httpchk GET /-/health", "timeout check 500ms"]}}


@scenario(matrix={"answers": EVERYWHERE}, routers=ONE, settings=CHECKED)
def test_a_cell_that_hangs_gets_no_unknown_paths(world):
    """It takes connections and says nothing: a check by HTTP finds out, wherever its servers stand."""
    world.allow(CELL_DOWN)
    router = world.router("eu1")
    world.cells.down("eu0", silent=True)
    wait_until("the check has failed", lambda: router.stat("cellrouter-cell-eu0", "eu0.1")["status"] == "DOWN")
    for number in range(10):
        method, body = (("GET", b""), ("POST", b"a=b"))[number % 2]
        answer = router.request(method, f"/nobody-{number}/x", body=body)
        expect.status(answer, 404, world)
        expect.same("cells", [d.cell for d in world.deliveries_of(answer)], ["eu1"])


@scenario(matrix={"answers": EVERYWHERE}, routers=ONE, pick={"eu": "eu1"},
          settings={"haproxy": {"backend-lines": ["timeout server 1s", "http-error status 504 content-type text/plain "
                                                  "lf-string 'eu0 is late'"]}})
def test_lines_of_a_cells_own(world):
    """Its time limit and its error page hold, whichever pass meets them."""
    router = world.router("eu1")
    flows.settled(world, "hit")
    world.cells.misbehave(cell="eu0", path="/my-company/", gate="never")
    for method, body in (("GET", b""), ("POST", b"a=b")):
        answer = router.request(method, "/my-company/x", user="alice", body=body)
        expect.status(answer, 504, world)
        expect.reason(answer, "cell-timeout")
        expect.same("the page", answer.body, b"eu0 is late")
