"""The setting direct-hits: what goes to a known cell at once, and what a stale route costs then. All methods, on an
unknown path, a known one and a stale route."""

import re

from harness import counted, expect, flows, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
BODIES = {"GET": b"", "HEAD": b"", "OPTIONS": b"", "POST": b"a=b", "PUT": b"some body", "PATCH": b"some body",
          "DELETE": b"", "PROPFIND": b"<x/>",
          "REPORT": b"<x/>", "MKCOL": b"", "BREW": b"some body", "get": b""}
DIRECT, REPLAYED = (" cellrouter-cell-", " cellrouter-direct-"), (" cellrouter-replay/",)


def way(router, target):
    """The backend that HAProxy's log says the last request for target took."""
    return wait_until(f"the log line of {target}",
                      lambda: [line for line in router.haproxy.lines() if f" {target} HTTP/" in line])[-1]


def retried_by_haproxy(world):
    """Whether HAProxy's own retry can take the cells' redirects."""
    answers = world.cells.table["eu0"].answers
    return answers == 425 or (answers == 421 and places.haproxy_version() >= (3, 2))


def goes_at_once(world, method):
    setting = world.settings["haproxy"]["direct-hits"]
    if setting != "safe":
        return setting == "all"
    return method in (("GET", "HEAD", "OPTIONS") if retried_by_haproxy(world) else ("GET", "HEAD"))


def on_a_miss(world, router, method, prefix):
    before = counted.take(world)
    answer = router.request(method, f"{prefix}miss", body=BODIES[method])
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")
    expect.clean(answer)
    flows.wait_known(world, router, prefix)
    counted.one(world, before, "miss")


def on_a_hit(world, router, method, prefix):
    before = counted.take(world)
    answer = router.request(method, f"{prefix}hit", body=BODIES[method])
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0")
    expect.clean(answer)
    counted.one(world, before, "hit")
    line, expected = way(router, f"{prefix}hit"), DIRECT if goes_at_once(world, method) else REPLAYED
    expect.true(f"a hit goes by one of {expected}: {line}", any(backend in line for backend in expected))


def on_a_stale_route(world, router, method, name, prefix):
    world.cells.move(name, "eu1")
    before = counted.take(world)
    answer = router.request(method, f"{prefix}stale?a=b", body=BODIES[method], follow_307=True)
    expect.status(answer, 200, world)
    expect.same("who answered", answer.cell, "eu1")
    # without a Content-Length HAProxy might not keep all of it
    kept = method in ("GET", "HEAD", "OPTIONS") or BODIES[method]
    again = goes_at_once(world, method) and not (retried_by_haproxy(world) and kept)
    expect.same(f"answers to {method} on a stale route", [step.status for step in answer.steps], [307, 200] if again
                else [200])
    if again:
        expect.reason(answer.steps[0], "stale-route")
        expect.same("Location", answer.steps[0].get("Location"), f"{prefix}stale?a=b")
    cells = [d.cell for step in answer.steps for d in world.deliveries_of(step)]
    # In doubt: the same cell first.
    expect.same(f"cells that saw {method}", cells, ["eu0", "eu0", "eu1"] if again else ["eu0", "eu1"])
    wait_until("the new owner is known", lambda: router.routes().get(prefix) == "eu1")
    counted.expect(world, before, lookups=1 + again, hits=1 + again, misses=0, learned=0, moved=1, dropped=0,
                   refused=0)


SETTINGS = {word: {"haproxy": {"direct-hits": word}} for word in ("safe", "all", "never")}


@scenario(matrix={"answers": {**ANSWERS, "425": 425}, "settings": SETTINGS}, pick=AWAY, routers=ONE)
def test_direct_hits(world):
    """safe: GET and HEAD go to a known cell at once, OPTIONS too where HAProxy itself can send it again; all: every
    method; never: none. What went at once meets a 307 on a stale route, unless HAProxy sends it again. (An organization
    each, since a route that changes again and again is damped.)"""
    router = world.router("eu1")
    for number, method in enumerate(BODIES):
        name = f"owner-{number}"
        world.cells.control("organization", name=name, cell="eu0")
        on_a_miss(world, router, method, f"/{name}/")
        on_a_hit(world, router, method, f"/{name}/")
        on_a_stale_route(world, router, method, name, f"/{name}/")


STATUSES = (200, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 409, 413, 418, 421, 422, 425, 429,
            499, 500, 501, 502, 503, 504, 599)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE)
def test_every_status_is_the_cells_own(world):
    """Whatever a cell answers, at once or by the replay pass: it reaches the client with its status, and HAProxy's log
    says which cell it was and gives no reason of the router's."""
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    for status in STATUSES:
        world.cells.misbehave(path=f"/my-company/{status}-", answer={"status": status}, cache="")
        world.cells.misbehave(path=f"/nobody/{status}-", answer={"status": status}, cache="")
        for path, method in ((f"/my-company/{status}-hit", "GET"), (f"/my-company/{status}-post", "POST"),
                             (f"/nobody/{status}-miss", "GET"), (f"/nobody/{status}-post", "POST")):
            answer = router.request(method, path)
            expect.status(answer, status, world)
            expect.clean(answer)
            known = re.search(r" cell=(\S+) level=\S+ redirects=(\S+) reason=(\S+)", way(router, path))
            expect.same(f"{method} {path}: cell, redirects and reason in the log",
                        (known[1], known[2] in ("0", "-"), known[3]),
                        ("eu0" if "company" in path else "eu1", True, "-"))
