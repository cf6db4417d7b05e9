"""docs/flows.md 17 and 18: an organization moved, the routers still know the old owner."""

from harness import counted, expect, flows, places
from harness.level0 import the_map, warm
from harness.process import wait_until
from harness.runner import ANSWERS, LEVELS, ROUTERS, scenario

ALL = {**ANSWERS, "425": 425}
AWAY = {"eu": "eu0", "us": "us0"}  # the old owner: the worst pick for a miss


def know_then_move(world):
    """Every eu router knows /my-company/ -> eu0 from use, then the organization moves to eu1."""
    for router in [r for r in world.routers.values() if r.region == "eu"]:
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        flows.wait_known(world, router, "/my-company/")
        if world.level0:
            warm(router)
    world.cells.move("my-company", "eu1")


def all_know_the_new_owner(world):
    """On every router the next request goes to the new owner alone."""
    for router in [r for r in world.routers.values() if r.region == "eu"]:
        wait_until(f"{router.id} has dropped the old route", lambda: router.routes().get("/my-company/") != "eu0",
                   timeout=5)
        if world.level0:
            wait_until(f"HAProxy's map of {router.id} has dropped it",
                       lambda router=router: not the_map(router).get("/my-company/", "").startswith("eu0"), timeout=5)
        answer = router.request("GET", "/my-company/y", user="alice")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu1")
        flows.wait_known(world, router, "/my-company/")
        expect.same(f"routes of {router.id}", router.routes(), {"/my-company/": "eu1"})


@scenario(matrix={"answers": ALL, "routers": ROUTERS, "level0": LEVELS}, pick=AWAY)
def test_flow_17_get_after_a_move(world):
    know_then_move(world)
    router = world.of("eu")
    before = counted.take(world)
    answer = router.request("GET", "/my-company/x?q=1", user="alice", follow_307=True)
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")
    answers = world.cells.table["eu0"].answers
    healed_by_307 = answers == 302 or (answers == 421 and places.haproxy_version() < (3, 2))
    if len(answer.steps) == 1:
        expect.saw(world, answer, "eu0", "eu1")
    else:
        expect.true(f"a 307, though HAProxy itself can send a {answers} again", healed_by_307
                    and len(answer.steps) == 2)
        expect.same("where the 307 leads", answer.steps[0].get("Location"), "/my-company/x?q=1")
        expect.saw(world, answer.steps[0], "eu0")
        seen = [delivery.cell for delivery in world.deliveries_of(answer)]
        expect.true(f"after the 307 the cells {seen} saw the request", seen in (["eu1"], ["eu0", "eu1"]))
    after, again = counted.take(world), len(answer.steps) - 1
    asked = after["lookups"] - before["lookups"]
    least = int(not world.level0)  # level 0 may know what is undecided
    expect.true(f"{asked} lookups", least <= asked <= least + again)
    counted.expect(world, before, hits=asked, misses=0, moved=1, dropped=0)
    all_know_the_new_owner(world)


@scenario(matrix={"answers": ALL, "routers": ROUTERS, "level0": LEVELS}, pick=AWAY)
def test_flow_18_post_after_a_move(world):
    know_then_move(world)
    before = counted.take(world)
    answer = world.of("eu").request("POST", "/my-company/x?q=1", user="alice", body=b"title=new")
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")
    expect.saw(world, answer, "eu0", "eu1")
    asked = int(not world.level0)
    counted.expect(world, before, lookups=asked, hits=asked, misses=0)
    all_know_the_new_owner(world)


@scenario(matrix={"answers": ALL}, routers={"eu1": "eu"}, pick=AWAY)
def test_move_there_and_back(world):
    """Each move costs one detour, in both directions, and the last word stands."""
    router = world.router("eu1")
    know_then_move(world)
    for owner in ("eu1", "eu0", "eu1"):
        world.cells.move("my-company", owner)
        answer = router.request("GET", "/my-company/x", user="alice", follow_307=True)
        expect.status(answer, 200, world)
        expect.same("the answering cell", answer.cell, owner)
        answer = router.request("GET", "/my-company/x", user="alice", follow_307=True)
        expect.status(answer, 200, world)
        expect.saw(world, answer, owner)


@scenario(matrix={"answers": ALL}, routers={"eu1": "eu"}, pick=AWAY)
def test_move_of_a_pick_up_target(world):
    """An unknown path whose owner is in another region, moved between two requests of one connection."""
    router = world.router("eu1")
    with router.connect() as connection:
        for owner in ("us0", "us1", "us0"):
            world.cells.move("gitlab-org", owner)
            request = router.prepare("POST", "/gitlab-org/x", body=b"a=b")
            answer = connection.request(request)
            answer.tag = dict(request.headers)["X-Request-Tag"]
            expect.status(answer, 200, world)
            expect.same("the answering cell", answer.cell, owner)


def deleted(redis, key):
    redis("DEL", key)


def flushed(redis, _):
    redis("FLUSHDB")


def over(redis, key):
    redis("PEXPIRE", key, 200)


def moved(redis, key):
    redis("SET", key, redis("GET", key).replace(b"eu1", b"us0"), "PX", 60000)


@scenario(routers={"eu1": "eu", "eu2": "eu"}, pick=AWAY)
def test_what_happens_in_redis_reaches_every_router(world):
    """Whoever did it: an operator, time, another router, which may even be wrong. All routers drop what they have in
    memory, or take over what stands there now, and the next request is right."""
    first, second = world.router("eu1"), world.router("eu2")
    world.cells.move("my-company", "eu1")  # misses meet a redirect
    for happen in (deleted, flushed, over, moved):
        world.flush()
        for router in (first, second):
            expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
            flows.wait_known(world, router, "/my-company/")
        with world.redis_client() as redis:
            happen(redis, world.shared_routes()["/my-company/"])
        for router in (first, second):
            wait_until(f"{router.id} has dropped what was {happen.__name__}",
                       lambda: router.routes().get("/my-company/") in ((None, "us0") if happen is moved else (None,)),
                       timeout=5)
        before = counted.take(world)
        answer = first.request("GET", "/my-company/y", user="alice", follow_307=True)
        expect.status(answer, 200, world)
        expect.same(f"the answering cell, {happen.__name__}", answer.cell, "eu1")
        if happen is not moved:
            expect.saw(world, answer, "eu0", "eu1")
            counted.one(world, before, "miss")
        flows.wait_known(world, first, "/my-company/")
        expect.same("routes", first.routes(), {"/my-company/": "eu1"})
