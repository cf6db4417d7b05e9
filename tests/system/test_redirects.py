"""Flows 28 and 36: a redirect proves one thing, that a cell did not want this request. Paths that depend on the user
live below claimed prefixes, and whoever asks for them meets at most one 307, gets the right answer, and takes nothing
away from others."""

import json
import re
import time

from harness import counted, expect, flows
from harness.client import Connection
from harness.level0 import the_map, warm
from harness.load import Load
from harness.process import wait_until
from harness.runner import LEVELS, scenario
from harness.world import CELL_DOWN

ALL = {"302": 302, "421": 421, "425": 425}
AWAY = {"eu": "eu0", "us": "us0"}
ROUTERS = {"one": {"eu1": "eu"}, "two": {"eu1": "eu", "eu2": "eu"}}
PREFIX = "/my-company/"
RATES = (5, 20, 100)  # of readers of the prefix, a second
AWAY_MS = (30, 100)  # how far the client is
GIVE_UP = 20  # 307s, as browsers do


def depends_on_the_user(world, path, status=200, headers=()):
    """eu0 owns and claims /my-company/, but redirects this to eu1, which serves it and claims nothing."""
    world.cells.misbehave(cell="eu0", path=path, redirect="Cell EU1", cache="")
    own = {"status": status, "headers": list(headers), "body": "" if status == 101 else "yours"}
    world.cells.misbehave(cell="eu1", path=path, answer=own)


def known(world):
    """Every eu router knows /my-company/ -> eu0 from use."""
    routers = [router for router in world.routers.values() if router.region == "eu"]
    for router in routers:
        expect.status(router.request("GET", f"{PREFIX}page/0", user="root"), 200, world)
        flows.wait_known(world, router, PREFIX)
        if world.level0:
            warm(router, user="root")
    return routers


def visit(world, routers, method, path, ms, **more):
    """A client so far away that follows 307s, at each router in turn. Returns (307s, the answer)."""
    for redirects in range(GIVE_UP):
        answer = routers[redirects % len(routers)].request(method, path, **more)
        if answer.status != 307:
            return redirects, answer
        time.sleep(ms / 1000)
    return GIVE_UP, answer


def right(world, routers, method, path, ms, user="root", status=200, **more):
    redirects, answer = visit(world, routers, method, path, ms, user=user, **more)
    expect.true(f"{method} {path} met {redirects} redirects, {ms} ms away", redirects <= 1)
    expect.status(answer, status, world)
    expect.same("who answered", answer.cell, "eu1")
    return redirects


def readers(world, routers, rate):
    return Load(world, routers, clients=1, pause=1 / rate, mix=(("GET", f"{PREFIX}page", "root", "eu0"),))


def lines_of(router, path):
    """Of HAProxy's log: the lines of requests below this path."""
    wanted = re.compile(rf'"\w+ {re.escape(path)}[^" ]* HTTP/')
    return [line for line in router.haproxy.lines() if wanted.search(line)]


def nothing_lost(world, before, load):
    """Readers got their page from its cell, at once; nobody forgot the route."""
    expect.same("readers", load.wrong, [])
    after = counted.take(world)
    lost = [after[word] - before[word] for word in ("misses", "dropped", "moved")]
    expect.same("misses, routes dropped, moved", lost, [0, 0, 0])
    for router in (router for router in world.routers.values() if router.region == "eu"):
        expect.same(f"routes of {router.id}", router.routes(), {PREFIX: "eu0"})
        unknown = [line for line in lines_of(router, f"{PREFIX}page/") if "level=none" in line]
        expect.same("readers whose route was unknown", unknown[1:], [])  # the first one taught it


@scenario(matrix={"answers": ALL, "routers": ROUTERS, "level0": LEVELS}, pick=AWAY, timeout=90)
def test_flow_28_a_path_that_depends_on_the_user(world):
    """Whatever the rate of readers, and however far the client: at most one 307, then eu1's answer."""
    depends_on_the_user(world, f"{PREFIX}sub")
    routers = known(world)
    before, met = counted.take(world), {}
    for rate in RATES:
        with readers(world, routers, rate) as load:
            for ms in AWAY_MS:
                path = f"{PREFIX}sub-{rate}-{ms}/x"
                met[rate, ms] = [right(world, routers, "GET", path, ms) for _ in range(4)]
                expect.true(f"after the first time there is no 307 at all: {met}", not any(met[rate, ms][1:]))
            load.wait_for(2)
        nothing_lost(world, before, load)
    print(met)


HITS = {hits: {"haproxy": {"direct-hits": hits}} for hits in ("all", "never")}


@scenario(matrix={"answers": ALL, "settings": HITS}, pick=AWAY, routers=ROUTERS["one"])
def test_flow_28_with_other_direct_hits(world):
    depends_on_the_user(world, f"{PREFIX}sub")
    routers = known(world)
    before = counted.take(world)
    with readers(world, routers, 50) as load:
        for number in range(3):
            for method, body in (("GET", b""), ("POST", b"a=b"), ("PUT", bytes(100_000))):
                for _ in range(2):
                    right(world, routers, method, f"{PREFIX}sub/{number}", 30, body=body)
    nothing_lost(world, before, load)


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["one"], redis=False)
def test_flow_28_without_redis(world):
    depends_on_the_user(world, f"{PREFIX}sub")
    routers = known(world)
    before = counted.take(world)
    with readers(world, routers, 50) as load:
        met = [right(world, routers, "GET", f"{PREFIX}sub/x", 30) for _ in range(4)]
    expect.true(f"after the first time there is no 307 at all: {met}", not any(met[1:]))
    nothing_lost(world, before, load)


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["two"])
def test_a_longer_prefix_of_another_cell(world):
    """eu1 claims what eu0 redirects below its own prefix: both routes stand, on both routers."""
    deep = f"{PREFIX}deep/"
    world.cells.misbehave(cell="eu0", path=deep, redirect="Cell EU1", cache="")
    world.cells.misbehave(cell="eu1", path=deep, cache=f"{{path_prefix:{deep}}}",
                          answer={"status": 200, "body": "yours"})
    routers = known(world)
    before = counted.take(world)
    right(world, routers, "GET", f"{deep}x", 30)
    for router in routers:
        wait_until("the longer route is known there", lambda: right(world, [router], "GET", f"{deep}y", 0) == 0
                   and router.routes() == {PREFIX: "eu0", deep: "eu1"}, timeout=5)
        answer = router.request("GET", f"{deep}z", user="root")
        expect.saw(world, answer, "eu1")
        answer = router.request("GET", f"{PREFIX}page", user="root")
        expect.saw(world, answer, "eu0")
    counted.expect(world, before, misses=0, moved=0, dropped=0)


UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
ACCEPTED = [["Connection", "Upgrade"], ["Upgrade", "websocket"],
            ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]]


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["one"])
def test_flow_28_a_websocket(world):
    """A client that opens its WebSocket again after a 307 gets it; the next ones meet none."""
    depends_on_the_user(world, f"{PREFIX}websocket", 101, ACCEPTED)
    routers = known(world)
    before = counted.take(world)
    with readers(world, routers, 100) as load:
        met = [right(world, routers, "GET", f"{PREFIX}websocket", 100, status=101, headers=UPGRADE) for _ in range(30)]
        expect.true(f"307s of 30 tries: {met}", sum(met) <= 1)
    nothing_lost(world, before, load)


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["one"])
def test_flow_28_what_redirects_is_the_routes_own_path(world):
    """/my-company itself depends on the user: no prefix is longer than the route, and its readers notice nothing."""
    routers = known(world)
    world.cells.misbehave(cell="eu0", exactly="/my-company", redirect="Cell EU1", cache="")
    world.cells.misbehave(cell="eu1", exactly="/my-company", answer={"status": 200,  "body": "yours"})
    before = counted.take(world)
    with readers(world, routers, 100) as load:
        met = [right(world, routers, "GET", "/my-company", 30) for _ in range(10)]
    expect.true(f"307s of 10 tries: {met}", sum(met) <= 1)
    nothing_lost(world, before, load)


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["one"])
def test_nested_routes_that_are_both_stale(world):
    """One 307, not one for each."""
    router = world.router("eu1")
    for path in (f"{PREFIX}deep/er/", f"{PREFIX}deep/"):
        world.cells.misbehave(cell="eu0", path=path, cache=f"{{path_prefix:{path}}}")
        expect.status(router.request("POST", f"{path}x", user="alice"), 200, world)
        flows.wait_known(world, router, path)
    world.cells.move("my-company", "eu1")
    redirects, answer = visit(world, [router], "GET", f"{PREFIX}deep/er/x", 0, user="alice")
    expect.status(answer, 200, world)
    expect.same("who answered", answer.cell, "eu1")
    expect.true(f"{redirects} redirects", redirects <= 1)
    expect.same("routes", router.routes(), {PREFIX: "eu1"})


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ROUTERS["one"], level0=True)
def test_level0_without_an_agent(world):
    """HAProxy alone puts its entry in doubt, for two seconds, and trusts it again: at most one 307, and no reader's
    route is lost."""
    depends_on_the_user(world, f"{PREFIX}sub")
    routers = known(world)
    router = routers[0]
    world.allow("Server cellrouter|has no server available|no server available")
    router.agent.kill()
    wait_until("HAProxy sees that the agent is gone",
               lambda: router.stat("cellrouter-agent", "agent")["status"] == "DOWN")

    def at_once():
        last = lines_of(router, f"{PREFIX}page/")[-3:]
        return any(f"cellrouter-{kind}-eu0/" in line for line in last for kind in ("cell", "direct"))

    with readers(world, routers, 100) as load:
        for number in range(2):
            for ms in AWAY_MS:
                right(world, routers, "GET", f"{PREFIX}sub/{number}/{ms}", ms)
                load.wait_for(20)
            wait_until("the doubt is over: the direct way again", at_once, timeout=5)
    expect.same("readers", load.wrong, [])
    expect.true(f"the entry is still there: {the_map(router)}", the_map(router)[PREFIX].startswith(f"eu0|{PREFIX}"))
    unknown = [line for line in lines_of(router, f"{PREFIX}page/") if "level=none" in line]
    expect.same("readers whose route was unknown", unknown[1:], [])


@scenario(pick=AWAY, routers=ROUTERS["one"], settings=HITS["all"])
def test_a_body_in_pieces_and_then_in_one(world):
    """The agent did not hear of the first try's redirect, which was still coming in; the next one, that is whole when
    it arrives, takes the replay pass all the same, by its hint."""
    depends_on_the_user(world, f"{PREFIX}sub")
    router = known(world)[0]
    request = router.prepare("PUT", f"{PREFIX}sub/x", user="root", body=bytes(20))
    before = router.counters()
    with router.connect() as connection:
        connection.socket.sendall(request.head())
        wait_until("the head is with its cell", lambda: router.stat("cellrouter-cell-eu0")["scur"] == "1")
        connection.socket.sendall(request.body)
        answer = connection.read_answer("PUT")
    expect.same("in pieces", (answer.status, answer.get(expect.REASON)), (307, "stale-route"))
    expect.same("what the agent heard of it", router.counters()["learns"] - before["learns"], 0)
    answer = router.request("PUT", f"{PREFIX}sub/x", user="root", body=bytes(20))
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0", "eu1")


@scenario(pick=AWAY, routers=ROUTERS["one"], level0=True)
def test_what_is_undecided_leaves_with_its_route(world):
    """An operator forgets the route, here or in Redis: nothing in HAProxy's map sends its paths to the former cell, and
    when that one is down they are answered all the same."""
    world.allow(CELL_DOWN)
    depends_on_the_user(world, f"{PREFIX}sub")
    router, path = world.router("eu1"), f"{PREFIX}sub/x"

    def entry():
        return the_map(router).get(f"{path}/")

    def in_redis():
        with world.redis_client() as redis:
            redis("DEL", world.shared_routes()[PREFIX])

    for forget in (lambda: router.cellctl(f"forget {PREFIX}"), in_redis):
        known(world)
        for _ in range(2):
            right(world, [router], "GET", path, 0)
        wait_until("the path is an entry of its own", lambda: entry() == f"eu0|{path}/||?")
        forget()
        wait_until(f"it is gone: {the_map(router)}", lambda: not entry(), timeout=2)
    world.cells.move("my-company", "eu1")
    world.cells.down("eu0")
    wait_until("eu0 is seen to be down",
               lambda: router.stat("cellrouter-cell-eu0")["status"].startswith("DOWN"))
    answer = router.request("GET", path, user="root")
    expect.status(answer, 200, world)
    expect.same("who answered", answer.cell, "eu1")


@scenario(pick=AWAY, routers=ROUTERS["one"], level0=True, settings={"haproxy": {"direct-hits": "all", "map-life": 600}})
def test_a_mark_that_the_agent_did_not_hear_of(world):
    """HAProxy marks its entry because of an upload's redirect, of which no message tells. The route's readers ask the
    agent then, but not as long as the entry would stay: it is told again."""
    depends_on_the_user(world, f"{PREFIX}sub")
    router = known(world)[0]
    before = router.counters()
    answer = router.request("PUT", f"{PREFIX}sub/x", user="root", body=bytes(100_000))
    expect.same("the first try", (answer.status, answer.get(expect.REASON)), (307, "stale-route"))
    expect.true(f"the entry is marked: {the_map(router)}", the_map(router)[PREFIX].endswith("|?"))
    expect.same("redirects that the agent heard of", router.counters()["learns"], before["learns"])

    def renewed():
        expect.status(router.request("GET", f"{PREFIX}page", user="root"), 200, world)
        return the_map(router).get(PREFIX) == f"eu0|{PREFIX}"

    wait_until("the entry is as it was", renewed, timeout=5)
    after = router.counters()
    expect.same("renewed", after["level0_renewed"] - before["level0_renewed"], 1)
    expect.same("forgotten", after["level0_forgotten"] - before["level0_forgotten"], 0)


def mad(world, router, paths, seconds, rate=200):
    """A client that asks for redirecting paths and follows nothing. Returns how many it asked for."""
    end, asked = time.monotonic() + seconds, 0
    with router.connect() as connection:
        while time.monotonic() < end:
            answer = connection.request(router.prepare("GET", paths(asked), user="nora"))
            expect.true(f"the mad client got {answer.status}", answer.status in (200, 307))
            asked += 1
            time.sleep(1 / rate)
    return asked


@scenario(matrix={"answers": ALL, "level0": LEVELS}, pick=AWAY, routers=ROUTERS["one"], timeout=90)
def test_a_mad_client_costs_readers_a_pass(world):
    """200 redirecting paths a second, below one segment, then each in a segment of its own: no reader misses, meets a
    307 or another cell, and few take the replay pass."""
    depends_on_the_user(world, f"{PREFIX}mad")
    routers = known(world)
    router = routers[0]
    before = counted.take(world)
    for paths in (lambda n: f"{PREFIX}mad/{n}", lambda n: f"{PREFIX}mad-{n}/x"):
        seen = len(lines_of(router, f"{PREFIX}page/"))
        with readers(world, routers, 50) as load:
            asked = mad(world, router, paths, 4)
        nothing_lost(world, before, load)
        lines = lines_of(router, f"{PREFIX}page/")[seen:]
        detours = [line for line in lines if "cellrouter-replay/" in line]
        print(f"{asked} redirecting paths: {len(detours)} of {len(lines)} readers took the replay pass")
        expect.true(f"{len(detours)} of {len(lines)} readers took the replay pass", len(detours) <= 10)


BODY = 40_000
USERS = (("alice", "my-company", "eu0"), ("nora", "not-my-company", "us1"), ("larry", "gitlab-org", "us0"))


def post_of(organization):
    body = json.dumps({"organization": organization, "filler": "x" * BODY}).encode()
    return {"headers": [("Content-Type", "application/json")], "body": body}


@scenario(matrix={"answers": ALL, "routers": ROUTERS}, timeout=120)
def test_flow_36_three_users_behind_one_address(world):
    """The same large POST, three cells, a hundred times: each gets its owner's answer, after at most one 307."""
    routers = [router for router in world.routers.values() if router.region == "eu"]
    before = counted.take(world)
    for turn in range(100):
        for user, organization, cell in USERS:
            one = [routers[turn % len(routers)]]
            redirects, answer = visit(world, one, "POST", "/api/v4/mine", 0, user=user, **post_of(organization))
            expect.status(answer, 200, world)
            expect.same("who answered", answer.cell, cell)
            expect.true(f"{redirects} redirects", redirects <= 1)
    counted.expect(world, before, learned=0, moved=0, dropped=0, refused=0)


@scenario(matrix={"answers": ALL}, routers=ROUTERS["one"])
def test_flow_36_with_nothing_that_tells_users_apart(world):
    """Then a hint is shared, and may be wrong: it costs a 307, never a 508."""
    router = world.router("eu1")
    for _ in range(30):
        for _, organization, cell in USERS:
            redirects, answer = visit(world, [router], "POST", "/api/v4/mine", 0, **post_of(organization))
            expect.status(answer, 200, world)
            expect.same("who answered", answer.cell, cell)
            expect.true(f"{redirects} redirects", redirects <= 1)


@scenario(routers=ROUTERS["one"], pick={"eu": "eu1"})
def test_a_hint_is_of_one_client_alone(world):
    """Of the same path, from the same address, another user's request goes its own way; and what stands in HAProxy's
    table is a digest that nobody can make: another process has other ones."""
    router = world.router("eu1")
    answer = router.request("POST", "/api/v4/mine", user="alice", **post_of("my-company"))
    expect.same("the first try", (answer.status, answer.get(expect.REASON)), (307, "too-large-to-replay"))

    def keys():
        return re.findall(r"key=(\S+)", router.runtime("show table cellrouter-hints"))

    expect.true(f"one hint, of 256 bits: {keys()}", len(keys()) == 1 and len(keys()[0]) == 64)
    other = router.request("POST", "/api/v4/mine", user="root", **post_of("my-company"))
    expect.same("another user's first try goes to any cell", [d.cell for d in world.deliveries_of(other)], ["eu1"])
    request = router.prepare("POST", "/api/v4/mine", user="alice", **post_of("my-company"))
    with Connection(router.address, source="127.0.0.2") as connection:
        elsewhere = connection.request(request)
    expect.same("the same request from another address",
                (elsewhere.status, [d.cell for d in world.deliveries_of(request)]), (307, ["eu1"]))
    again = router.request("POST", "/api/v4/mine", user="alice", **post_of("my-company"))
    expect.saw(world, again, "eu0")
    before = set(keys())
    router.reload()
    router.request("POST", "/api/v4/mine", user="alice", **post_of("my-company"))
    expect.true("the same request has another key in another process", not before & set(keys()))


@scenario(routers=ROUTERS["one"], timeout=90)
def test_unknown_paths_first_cell_is_drawn(world):
    """Not in turn: of requests that alternate between two kinds, neither has one cell to itself."""
    router = world.router("eu1")
    first = {"a": [], "b": []}
    with router.connect() as connection:
        for number in range(200):
            kind = "ab"[number % 2]
            answer = connection.request(router.prepare("GET", f"/nobody/{kind}"))
            first[kind].append(world.deliveries_of(answer)[0].cell if number >= 190 else answer.cell)
    for kind, cells in first.items():
        count = cells.count("eu0")
        expect.true(f"of the first tries of one kind eu0 had {count} of {len(cells)}", 20 <= count <= 80)
