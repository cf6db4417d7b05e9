"""docs/flows.md 38: Redis further away than the deadline, and 37: more new routes than the quota of a cell. What is
asserted are shares and counts: extra hops, copies that were lost, routes that are shared."""

import time

from harness import expect
from harness.load import claiming
from harness.process import wait_until
from harness.runner import ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}  # each miss meets a redirect
ROUTES = 25
ECHO = 5.5  # s; after this a router no longer asks whether a change was its own: it drops its copy


def prefixes(count=ROUTES):
    return [f"/api/v4/far-{number}/" for number in range(count)]


def ask(world, router, prefix):
    """Hops that the request needed beyond the one."""
    answer = router.request("POST", prefix + "x", user="root", **claiming(prefix))
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu0")
    return len(world.deliveries_of(answer)) - 1


def extra_hops(world, rounds):
    return sum(ask(world, router, prefix) for _ in range(rounds) for prefix in prefixes()
               for router in world.routers.values())


@scenario(timeout=90, routers=ONE, pick=AWAY, level0=False, wire=True)
def test_flow_38_known_routes_stay_known_with_redis_60_ms_away(world):
    """Each router learns each route once. A claim that says nothing new takes nobody's copy away, so from then on
    every request is one hop, as without any Redis."""
    wait_until("the agents watch", lambda: world.counters()["store_watching"] == 2)
    world.wire.delay = 0.03  # of each direction
    eu1, us1 = world.routers.values()
    first = sum(ask(world, eu1, prefix) for prefix in prefixes())
    time.sleep(ECHO)
    first += sum(ask(world, us1, prefix) for prefix in prefixes())
    expect.true(f"{first} extra hops of first visits to {ROUTES} routes at two routers", first <= 3 * ROUTES)
    wait_until("nothing to be on its way to Redis",
               lambda: not any(world.counters()[f"store_{what}"] for what in ("queued", "writing", "questions")))
    before = world.counters()
    expect.same("extra hops of known routes", extra_hops(world, 4), 0)
    after = world.counters()
    expect.same("writes of known routes", after["store_written"] - before["store_written"], 0)
    expect.same("copies that another router's write took away", after["routes_changed"], 0)
    expect.same("connections that ended", after["store_disconnects"], 0)
    expect.same("routes in Redis", sorted(set(prefixes()) - set(world.shared_routes())), [])


@scenario(timeout=60, routers=ONE, pick=AWAY, level0=False, settings={"routes": {"claims-per-cell": 1}})
def test_flow_37_what_is_over_the_quota_is_known_here_and_shared_when_asked_again(world):
    eu1, us1 = world.routers.values()
    names = prefixes(12)
    for prefix in names:
        ask(world, eu1, prefix)
    wait_until("all of them to be known here", lambda: set(names) <= set(eu1.routes()))
    over = eu1.counters()["claims_quota"]
    expect.true(f"{over} claims were over the quota", over >= 5)
    expect.same("extra hops of those who ask again", sum(ask(world, eu1, prefix) for prefix in names), 0)
    wait_until("all of them to be shared", lambda: set(names) <= set(world.shared_routes()))
    expect.same("extra hops at the other router", sum(ask(world, us1, prefix) for prefix in names), 0)


def levels(router):
    """A function that tells how many lookups level 1 and Redis answered since, and what nobody knew."""
    before = router.counters()

    def since():
        now = router.counters()
        return [now[f"lookup_{what}"] - before[f"lookup_{what}"] for what in ("hits_level1", "hits_level2", "misses")]

    return since


@scenario(matrix={"replica": {"60": 60, "150": 150}}, timeout=90, routers=ONE, pick=AWAY, level0=False)
def test_flow_38_a_near_replica_and_a_far_primary(world):
    """Region us reads at its replica, 60 or 150 ms from the primary: what one region learned the other one has, without
    an extra hop and in time; a move arrives; and a replica that is cut off is noticed."""
    eu1, us1 = world.routers.values()
    wait_until("the agents watch", lambda: world.counters()["store_watching"] == 2)
    world.wire.delay = world.link.delay = world.replica / 2000  # of each direction
    names = prefixes()
    for here, there, mine in ((eu1, us1, names[::2]), (us1, eu1, names[1::2])):
        for prefix in mine:
            ask(world, here, prefix)
        wait_until("the routes to be in both regions", lambda mine=mine: set(mine) <= set(world.replica_routes()))
        since = levels(there)
        expect.same("extra hops of the other region's first visits", sum(ask(world, there, name) for name in mine), 0)
        expect.same("who knew: level 1, the near Redis, nobody", since(), [0, len(mine), 0])
    before = world.counters()
    expect.same("extra hops of known routes", extra_hops(world, 2), 0)
    expect.same("connections that ended, and writes",
                [world.counters()[f"store_{what}"] - before[f"store_{what}"] for what in ("disconnects", "written")],
                [0, 0])
    expect.same("gaps, and routers that are behind",
                [world.counters()["store_gaps"], world.counters()["store_reason_behind"]], [0, 0])
    wait_until("the replica's distance to be seen", lambda: us1.counters()["store_replica_ms"] >= world.replica / 2)
    world.wire.delay = world.link.delay = 0
