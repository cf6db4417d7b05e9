"""The setting direct-hits: what goes to a known cell at once, and what a stale route costs then. (safe, the default: everywhere else.)"""

from harness import counted, expect, flows, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
REQUESTS = {"GET": b"", "HEAD": b"", "POST": b"a=b", "BREW": b"some body"}
# An organization each, since a route that changes again and again is damped.
NAMES = {"GET": "my-company", "HEAD": "my-organization", "POST": "gitlab-org", "BREW": "not-my-company"}
DIRECT, REPLAYED = (" cellrouter-cell-", " cellrouter-direct-"), (" cellrouter-replay/",)


def way(router, target):
    """The backend that HAProxy's log says the last request for target took."""
    return wait_until(f"the log line of {target}", lambda: [line for line in router.haproxy.text().splitlines() if f" {target} HTTP/" in line])[-1]


def retried_by_haproxy(world, cell):
    answers = world.cells.table[cell].answers
    return answers == 425 or (answers == 421 and places.haproxy_version() >= (3, 2))


def on_a_hit(world, router, expected):
    for method, body in REQUESTS.items():
        prefix = f"/{NAMES[method]}/"
        expect.status(router.request("GET", prefix + "x", user="root"), 200, world)
        flows.wait_known(world, router, prefix)
        before = counted.take(world)
        answer = router.request(method, f"{prefix}hit-{method}", user="root", body=body)
        expect.status(answer, 200, world)
        expect.saw(world, answer, answer.cell)
        expect.clean(answer)
        counted.expect(world, before, lookups=1, hits=1, learned=0)
        line = way(router, f"{prefix}hit-{method}")
        expect.true(f"a hit goes by one of {expected}: {line}", any(backend in line for backend in expected))


def on_a_stale_route(world, router, statuses):
    for method, body in REQUESTS.items():
        prefix = f"/{NAMES[method]}/"
        owner = router.routes()[prefix]
        world.cells.move(NAMES[method], "eu1")
        before = counted.take(world)
        answer = router.request(method, f"{prefix}stale?a=b", user="root", body=body, follow_307=True)
        expect.status(answer, 200, world)
        expect.same("who answered", answer.cell, "eu1")
        expected = [200] if retried_by_haproxy(world, owner) else statuses
        expect.same(f"answers to {method} on a stale route", [step.status for step in answer.steps], expected)
        if len(expected) == 2:
            expect.reason(answer.steps[0], "stale-route")
            expect.same("Location", answer.steps[0].get("Location"), f"{prefix}stale?a=b")
        cells = [d.cell for step in answer.steps for d in world.deliveries_of(step)]
        expect.same(f"cells that saw {method}", cells, [owner, "eu1"])
        counted.expect(world, before, lookups=len(expected), hits=1)


ALL = {**ANSWERS, "425": 425}


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE, settings={"haproxy": {"direct-hits": "all"}})
def test_direct_hits_all(world):
    """Every method goes to a known cell at once; a stale route is a 307 for each of them, unless HAProxy itself can send it again."""
    router = world.router("eu1")
    on_a_hit(world, router, DIRECT)
    on_a_stale_route(world, router, [307, 200])


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE, settings={"haproxy": {"direct-hits": "never"}})
def test_direct_hits_never(world):
    """Every hit takes the replay pass, and no stale route is a 307."""
    router = world.router("eu1")
    on_a_hit(world, router, REPLAYED)
    on_a_stale_route(world, router, [200])
