"""What is tested of the composition, in this order: later scenarios have the routers that earlier ones started."""

import threading
from concurrent.futures import ThreadPoolExecutor

from harness import expect, flows
from harness.client import Broken
from harness.load import Load
from harness.process import wait_until

import engine
import test_limits
import test_moves

FLOWS = (1, 2, 3, 4, 6, 9, 13, 14)
SEVERAL = {"router-eu": 3, "agent-eu": 3, "router-us": 2, "agent-us": 2, "large-eu": 3, "large-us": 2}
NUMBERS = {"eu": 3, "us": 2}
OUTAGE_SLOWEST = 5.0  # s: a redispatch or two, on a machine that is busy; a request that hangs takes 15


def of_region(world, region):
    return [router for router in world.routers.values() if router.region == region]


def expect_load(load, least):
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])
    expect.true(f"only {load.count} requests were made", load.count >= least)


def knows_own(world, answer, owner):
    """A hit: right at once, and as the client sent it."""
    expect.status(answer, 200, world)
    expect.saw(world, answer, owner)
    expect.clean(answer)


# ---- one router in each region

def test_learning_across_regions(world):
    """What eu has learned, us knows at its first request: through Redis."""
    teacher, pupil = world.router("eu-1"), world.router("us-1")
    expect.status(teacher.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, teacher, "/my-company/")
    before = pupil.counters()
    knows_own(world, world.entries["us"].request("POST", "/my-company/x", user="alice", body=b"a=b"), "eu0")
    after = pupil.counters()
    expect.same("hits by Redis at us-1", after["lookup_hits_level2"] - before["lookup_hits_level2"], 1)


def test_client_address_passes_the_entry(world):
    """The entry's PROXY line reaches the router, and the router's X-Forwarded-For the cell; a client's own one is not
    the last."""
    answer = world.entries["eu"].request("GET", "/my-company/x", user="alice",
                                         headers=[("X-Forwarded-For", "192.0.2.1")])
    expect.status(answer, 200, world)
    networks = engine.inspect(world.entries["eu"].container)["NetworkSettings"]["Networks"]
    entry = networks[world.project.network("edge-eu")]
    for delivery in world.deliveries_of(answer):
        last = ",".join(delivery.all("X-Forwarded-For")).split(",")[-1].strip()
        expect.true(f"X-Forwarded-For ends in {last}, the entry's own address", last != entry["IPAddress"]
                    and last != "192.0.2.1")


# Of haproxy.maxconn = 120, and as the rules print them for the 3000 of the composition.
FEW = {"global": 400, "frontend mysite": 120, "frontend cellrouter-inner": 180,
       "server cellrouter-replay/cellrouter-loop": 120}
MANY = {"global": 7600, "frontend mysite": 3000, "frontend cellrouter-inner": 4500,
        "server cellrouter-replay/cellrouter-loop": 3000}


def set_places(router, places):
    """Changes the limits of a HAProxy that runs. (What shrinks goes first: the clients', then the whole.)"""
    for what, number in places.items():
        expect.same(f"HAProxy on set maxconn {what}", router.runtime(f"set maxconn {what} {number}").strip(), "")


def test_chaos_at_maxconn(world):
    """docs/flows.md 29, on a HAProxy with 400 places, from cells that take half a second: idle clients hold most
    places, and unknown paths, POSTs, slow bodies and uploads come at once; half of them meet a redirect. Nobody fails,
    and the agent says that these are not the places of its configuration."""
    router = world.router("eu-1")
    world.cells.tell("misbehave", cell="eu1", path="/u/", redirect="Cell EU0")
    for cell in ("eu0", "us0", "us1"):
        world.cells.tell("misbehave", cell=cell, path="/u/", delay=0.5, answer={"status": 200, "body": "here"})
    set_places(router, FEW)
    try:
        held = test_limits.idle(router, 90)
        test_limits.everything(test_limits.Crowd(router), 240).all_served("240 of all kinds, beside 90 idle clients")
        for connection in held:
            connection.close()
        test_limits.Crowd(router).send(390, "POST", "/u/{}", b"x" * 100).all_served("390 POSTs")
        wait_until("the agent says so", lambda: "wrong loop is 180, right is at least 4500" in
                   router.cellctl("show haproxy"), timeout=15, every=0.2)
    finally:
        set_places(router, MANY)
    wait_until("the agent says that all is well", lambda: "\nright\n" in router.cellctl("show haproxy"), timeout=15,
               every=0.2)


def test_from_one_router_to_three(world):
    """Under load; each new router is right from its first request on."""
    entry, first = world.entries["eu"], world.router("eu-1")
    for path, owner in (("/my-company/x", "eu0"), ("/gitlab-org/x", "us0")):
        expect.same("the owner", first.request("GET", path, user="root").cell, owner)
        flows.wait_known(world, first, path.removesuffix("x"))
    with Load(world, [entry]) as load:
        load.wait_for(50)
        world.project.up(scales=SEVERAL)
        world.refresh()
        for router in of_region(world, "eu"):
            if router.id != "eu-1":
                wait_until(f"{router.id} answers", lambda: healthy(router), timeout=15, every=0.05)
                knows(world, router, "POST", "/my-company/first", "eu0")
                knows(world, router, "GET", "/gitlab-org/first", "us0")
        wait_until("the entry to see three routers", lambda: entry.routers() == 3, timeout=15, every=0.1)
        load.wait_for(100)
    expect_load(load, 150)
    world.settle(NUMBERS)
    expect.same("routers", sorted(world.routers), ["eu-1", "eu-2", "eu-3", "us-1", "us-2"])


def knows(world, router, method, path, owner):
    """Answered by its owner; and by nobody else before, but where the agent counted that Redis was not there (it has
    just started) or late (30 ms: a busy machine)."""
    def without_redis():
        counters = router.counters()
        return counters["misses_store"] + counters["misses_deadline"]

    before = without_redis()
    answer = router.request(method, path, user="root", body=b"a=b" if method == "POST" else b"")
    expect.same("the answer", (answer.status, answer.cell), (200, owner))
    if without_redis() == before:
        knows_own(world, answer, owner)


def healthy(router):
    try:
        return router.request("GET", "/-/router", timeout=2).status == 200
    except OSError:
        return False


# ---- several routers in each region

def flow_test(flow):
    def test(world):
        flows.play(world, flow)

    test.__doc__ = f"Flow {flow.number}: {flow.story}."
    test.__name__ = f"test_flow_{flow.number:02}"
    return test


def test_flow_17_get_after_a_move(world):
    test_moves.test_flow_17_get_after_a_move(world)


def test_flow_18_post_after_a_move(world):
    test_moves.test_flow_18_post_after_a_move(world)


def test_agent_dies_hangs_comes_back(world):
    """Under load: no client gets a wrong answer, none waits."""
    router = world.router("eu-2")
    with Load(world, [world.entries["eu"], router], clients=1) as load:
        load.wait_for(40)
        engine.docker("kill", router.agent_container)
        load.wait_for(60)
        answer = router.request("POST", "/my-company/x", user="root", body=b"a=b")
        expect.same("the answering cell without an agent", (answer.status, answer.cell), (200, "eu0"))
        engine.docker("start", router.agent_container)
        wait_until("the agent is back and learns", lambda: learns(router), timeout=15, every=0.2)
        engine.docker("pause", router.agent_container)
        load.wait_for(60)
        engine.docker("unpause", router.agent_container)
        engine.docker("restart", router.agent_container)
        wait_until("the agent is back and learns", lambda: learns(router), timeout=15, every=0.2)
    expect_load(load, 160)
    expect.true(f"the slowest answer took {load.slowest:.2f} s", load.slowest < OUTAGE_SLOWEST)


def learns(router):
    """Whether the router's agent has just learned something new; asks for what is its cell's own."""
    router.request("GET", "/admin/cells/us1/", user="root")
    try:
        return "/admin/cells/us1/" in router.routes()
    except expect.Failure:
        return False


def test_redis_dies_hangs_comes_back(world):
    redis = world.project.containers("redis")[0]
    with Load(world, [world.entries["eu"], world.entries["us"]], clients=1) as load:
        load.wait_for(40)
        for breaks, heals in (("kill", "start"), ("pause", "unpause"), ("restart", None)):
            engine.docker(breaks, redis)
            load.wait_for(60)
            if heals:
                engine.docker(heals, redis)
            load.wait_for(20)
    expect_load(load, 280)
    expect.true(f"the slowest answer took {load.slowest:.2f} s", load.slowest < OUTAGE_SLOWEST)
    router = world.router("us-2")
    wait_until("routes are shared again", lambda: learns(router) and "/admin/cells/us1/" in world.shared_routes(),
               timeout=20, every=0.2)


def test_a_router_without_redis(world):
    """Its agent is cut off: it serves what it knew and what it did not know, and is heard again when the wire is
    back."""
    router, other = world.router("eu-1"), world.router("us-1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    network = world.project.network("store")
    with Load(world, [router], clients=1) as load:
        engine.docker("network", "disconnect", network, router.agent_container)
        load.wait_for(40)
        expect.same("the answering cell", router.request("GET", "/organizations/my-organization/x", user="alice").cell,
                    "eu0")
        expect.same("the answering cell", other.request("GET", "/admin/cells/us1/", user="root").cell, "us1")
        wait_until("us-1's route is shared", lambda: "/admin/cells/us1/" in world.shared_routes(), every=0.2)
        expect.true("a router that is cut off writes to Redis",
                    "/organizations/my-organization/" not in world.shared_routes())
        load.wait_for(40)
        engine.docker("network", "connect", network, router.agent_container)
        wait_until("what was learned without Redis is shared",
                   lambda: "/organizations/my-organization/" in world.shared_routes(), timeout=20, every=0.2)
        load.wait_for(40)
    expect_load(load, 120)
    world.mark()
    knows(world, router, "GET", "/admin/cells/us1/", "us1")  # learned elsewhere, meanwhile


HOME = {"eu": ("/my-company/x", "eu0"), "us": ("/gitlab-org/x", "us0")}


def test_regions_cut_off_from_each_other(world):
    """Each goes on with its own cells; what belongs to the other is a 503 with a reason; then all is as before."""
    wires = [(f"cells-{away}", router.haproxy_container, router) for region, away in (("eu", "us"), ("us", "eu"))
             for router in of_region(world, region)]
    wires += [("store", router.agent_container, router) for router in of_region(world, "us")]
    for region in HOME:
        for path, owner in HOME.values():
            expect.same("the owner", world.entries[region].request("GET", path, user="root").cell, owner)
    for network, container, _ in wires:
        engine.docker("network", "disconnect", world.project.network(network), container)
    for region, (path, owner) in HOME.items():
        abroad = HOME["us" if region == "eu" else "eu"][0]
        for router in of_region(world, region):
            wait_until(f"{router.id} has noticed", lambda: router.request("GET", abroad, user="root").status == 503,
                       timeout=15, every=0.2)
            answer = router.request("POST", abroad, user="root", body=b"a=b")
            expect.status(answer, 503)
            expect.reason(answer, "cell-down")
        for _ in range(10):
            answer = world.entries[region].request("POST", path, user="root", body=b"a=b")
            expect.same(f"{region}'s own", (answer.status, answer.cell), (200, owner))
    for network, container, _ in wires:
        engine.docker("network", "connect", world.project.network(network), container)
    for router in world.routers.values():
        wait_until(f"{router.id} reaches all cells again",
                   lambda: all(router.reaches(cell) for cell in world.cells.table), timeout=20, every=0.2)
    for region in HOME:
        for path, owner in HOME.values():
            answer = world.entries[region].request("POST", path, user="root", body=b"a=b")
            expect.same("the answering cell", (answer.status, answer.cell), (200, owner))


def test_a_router_without_cells(world):
    """It reaches none, says so, and the entry sends everybody to the others; until its wires are back."""
    router, entry = world.router("eu-2"), world.entries["eu"]
    networks = [world.project.network(name) for name in ("cells-eu", "cells-us")]
    for network in networks:
        engine.docker("network", "disconnect", network, router.haproxy_container)
    wait_until("the entry leaves it out", lambda: entry.routers() == 2, timeout=15, every=0.1)
    with Load(world, [entry], clients=1) as load:
        load.wait_for(30)
        for network in networks:
            engine.docker("network", "connect", network, router.haproxy_container)
        wait_until("the entry takes it in again", lambda: entry.routers() == 3, timeout=20, every=0.1)
        load.wait_for(30)
    expect_load(load, 60)
    world.settle(NUMBERS)


def test_a_cell_dies_and_comes_back(world):
    """Its tenants get a 503 with a reason, at once; everybody else is served, also where nobody knows the owner yet."""
    entry, cell = world.entries["eu"], world.cells.container("eu0")
    expect.same("the owner", entry.request("GET", "/my-company/x", user="root").cell, "eu0")
    for router in world.routers.values():
        knows = router.request("GET", "/my-company/x", user="root")
        expect.same("the owner", knows.cell, "eu0")
    world.cells.gone.add("eu0")
    engine.docker("kill", cell)
    for router in world.routers.values():
        wait_until(f"{router.id} has noticed",
                   lambda: router.request("GET", "/my-company/x", user="root").status == 503, every=0.1)
        answer = router.request("POST", "/my-company/x", user="root", body=b"a=b")
        expect.reason(answer, "cell-down")
        expect.true(f"a 503 took {answer.seconds:.2f} s", answer.seconds < 1)
        answer = router.request("POST", "/gitlab-org/x", body=b"a=b")
        expect.same("others are served", (answer.status, answer.cell), (200, "us0"))
    engine.docker("start", cell)
    world.cells.gone.clear()
    world.refresh()
    for router in world.routers.values():
        wait_until(f"{router.id} reaches eu0 again", lambda: router.reaches("eu0"), timeout=15, every=0.1)


def test_a_cell_hangs_for_a_while(world):
    """A request of its tenants waits and is answered when it goes on; those of other cells do not wait."""
    router = world.router("eu-1")
    for path, owner in (("/my-company/x", "eu0"), ("/not-my-company/x", "us1")):
        expect.same("the owner", router.request("GET", path, user="root").cell, owner)
        flows.wait_known(world, router, path.removesuffix("x"))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(router.request("POST", "/my-company/x", user="root",
                                                                           body=b"a=b")))
    cell = world.cells.container("eu0")
    engine.docker("pause", cell)
    try:
        thread.start()
        for _ in range(20):
            answer = router.request("POST", "/not-my-company/x", user="root", body=b"a=b", timeout=5)
            expect.same("the answer of another cell", (answer.status, answer.cell), (200, "us1"))
        expect.same("answers of a cell that stands still", answers, [])
    finally:
        engine.docker("unpause", cell)
        thread.join()
    expect.same("answers of the cell that hung", [(answer.status, answer.cell) for answer in answers], [(200, "eu0")])


def test_haproxy_dies_hangs_comes_back(world):
    """What was under way in it is lost; the entry sends everybody else to the others."""
    router, entry = world.router("eu-3"), world.entries["eu"]
    for breaks, heals in (("kill", "start"), ("pause", "unpause")):
        engine.docker(breaks, router.haproxy_container)
        wait_until("the entry leaves it out", lambda: entry.routers() == 2, timeout=15, every=0.1)
        with Load(world, [entry], clients=1) as load:
            load.wait_for(30)
            engine.docker(heals, router.haproxy_container)
            wait_until("the entry takes it in again", lambda: entry.routers() == 3, timeout=15, every=0.1)
            load.wait_for(30)
        expect_load(load, 60)
    world.settle(NUMBERS)


def test_rolling_restart(world):
    """Every agent and every HAProxy, in each region one after the other, under load: no client sees anything."""
    with Load(world, list(world.entries.values())) as load:
        load.wait_for(50)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda region: roll(world, region), NUMBERS))
        load.wait_for(50)
    expect_load(load, 200)
    world.settle(NUMBERS)


def roll(world, region):
    entry = world.entries[region]
    for router in of_region(world, region):
        engine.docker("restart", "-t", "35", router.agent_container)
        engine.docker("restart", "-t", "45", router.haproxy_container)
        wait_until(f"{entry.id} sees {router.id} again", lambda: entry.routers() == NUMBERS[region], timeout=20,
                   every=0.1)


def test_from_three_routers_to_two(world):
    """Under load: the one that goes finishes what it has."""
    entry = world.entries["eu"]
    with Load(world, [entry]) as load:
        load.wait_for(50)
        down = threading.Thread(target=world.project.up, kwargs={
            "scales": {**SEVERAL, "router-eu": 2, "agent-eu": 2, "large-eu": 2}})
        down.start()
        answers = []
        while down.is_alive():  # at each moment uploads are under way at each router, none of them for long
            uploads = [Upload(entry) for _ in range(9)]
            down.join(1)
            answers += [upload.finish() for upload in uploads]
        wait_until("the entry to see two routers", lambda: entry.routers() == 2, timeout=15, every=0.1)
        load.wait_for(50)
    expect.same("uploads that were under way", [answer for answer in answers if answer != (200, "eu0", None)], [])
    expect.true("uploads were under way", answers)
    expect_load(load, 100)
    world.settle({**NUMBERS, "eu": 2})


class Upload:
    """A request whose body is under way until finish()."""

    def __init__(self, router):
        self.connection = router.connect()
        self.request = router.prepare("POST", "/my-company/upload", user="root", body=bytes(8000))
        self.connection.socket.sendall(self.request.head() + self.request.body[:4000])

    def finish(self):
        """(status, cell, reason); or what became of it."""
        with self.connection:
            try:
                self.connection.socket.sendall(self.request.body[4000:])
                answer = self.connection.read_answer()
            except (OSError, Broken) as error:
                return repr(error)
            return answer.status, answer.cell, answer.get("X-Gitlab-Cell-Reason")


def test_large_body(world):
    """docs/flows.md 16: bodies of each class of the large-body tier, which is there from the start, are replayed."""
    router = world.router("eu-1")

    def tier_is_up():
        world.clean()
        return router.request("PUT", "/my-company/first", user="alice", body=bytes(20_000), timeout=30).status == 200

    wait_until("the tier of this seat is up", tier_is_up, timeout=15, every=0.3)
    for size in (20_000, 900_000, 10_000_000):
        for user, path, owner in (("alice", "/my-company/upload", "eu0"), ("root", "/gitlab-org/upload", None)):
            world.clean()
            answer = router.request("PUT", path, user=user, body=bytes(size), timeout=30)
            expect.status(answer, 200, world)
            seen = [delivery.cell for delivery in world.deliveries_of(answer)]
            expect.true(f"{size} bytes, cells: {seen}", len(seen) in (1, 2) and owner in (None, seen[-1]))
            expect.saw(world, answer, *seen)


SLOW = {test_a_router_without_cells, test_haproxy_dies_hangs_comes_back, test_rolling_restart,
        test_from_three_routers_to_two}


def everything():
    known = {flow.number: flow for flow in flows.FLOWS}
    return [test_learning_across_regions, test_client_address_passes_the_entry, test_chaos_at_maxconn,
            test_from_one_router_to_three,
            *(flow_test(known[number]) for number in FLOWS), test_flow_17_get_after_a_move,
            test_flow_18_post_after_a_move, test_large_body,
            test_agent_dies_hangs_comes_back, test_redis_dies_hangs_comes_back, test_a_router_without_redis,
            test_regions_cut_off_from_each_other, test_a_router_without_cells, test_a_cell_dies_and_comes_back,
            test_a_cell_hangs_for_a_while,
            test_haproxy_dies_hangs_comes_back, test_rolling_restart, test_from_three_routers_to_two]
