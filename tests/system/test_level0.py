"""Level 0: known routes in HAProxy's own map, put there and taken away by the agent."""

import time

from harness import configs, expect, places
from harness.level0 import PREFIX, get, level_of, the_file, the_map, until_gone, warm
from harness.load import Load
from harness.process import Process, wait_until
from harness.router import ask
from harness.runner import scenario

EU = {"eu1": "eu"}
AGENT_GONE = r"cellrouter-agent.* (is DOWN|is UP|has no server available)"
TWO_EU = {"eu1": "eu", "eu2": "eu"}
AWAY = {"eu": "eu1"}


def summary(world, what, seconds):
    seconds = sorted(seconds)
    text = ", ".join(f"p{share} {seconds[min(len(seconds) - 1, len(seconds) * share // 100)] * 1000:.1f} ms"
                     for share in (50, 90, 99))
    with open(world.logs / "figures", "a", encoding="ascii") as file:
        file.write(f"{what}: {text}, worst {seconds[-1] * 1000:.1f} ms of {len(seconds)}\n")
    return seconds


@scenario(matrix={"redis": {"redis": True, "alone": False}}, routers=EU, pick=AWAY, level0=True)
def test_a_route_enters_on_use_and_answers_at_level_0(world):
    router = world.router("eu1")
    warm(router)
    before = router.counters()
    expect.status(get(router, f"{PREFIX}hot"), 200, world)
    expect.same("the level that answered", level_of(router, f"{PREFIX}hot"), "0")
    expect.same("lookups of a hit at level 0", router.counters()["lookups"] - before["lookups"], 0)
    expect.same("the bare name", get(router, "/my-company").cell, "eu0")
    for path in ("/my-company//x", "/my-company/./x", "/my-company/%2e%2e/x", "/my-company2/x"):
        before = router.counters()["lookups"]
        get(router, path)
        expect.same(f"lookups of {path}, which the map must not know", router.counters()["lookups"] - before, 1)
    wait_until("the route in the map file", lambda: the_file(router).get(PREFIX) == f"eu0|{PREFIX}", timeout=3)


@scenario(routers=EU, pick=AWAY, level0=True)
def test_what_may_be_looked_up_is_the_same_at_every_level(world):
    """HAProxy's own check of a path and the agent's agree; what neither looks up leaves the entry of its beginning
    alone."""
    router = world.router("eu1")
    warm(router)
    for path in (".gitignore", "a/.config/b", "..a", "...", "a%2ehidden/%2e%2e%2e", "%2E%2Fa", "a.",
                 "x" * (2048 - len(PREFIX))):
        before = router.counters()["lookups"]
        answer = get(router, PREFIX + path)
        expect.saw(world, answer, "eu0")
        expect.same(f"lookups of {path[:20]}, which the map knows", router.counters()["lookups"] - before, 0)
    for path in (".", "..", "./", "a/../b", "%2e", "%2E./a", "a/.%2e", "%2e%2E/", "/a", "a//",
                 "x" * (2049 - len(PREFIX))):
        before = router.counters()
        answer = get(router, PREFIX + path)
        expect.same(f"the cell that is asked for {path[:20]} first", world.deliveries_of(answer)[0].cell, "eu1")
        expect.same(f"lookups of {path[:20]}, which the map must not know",
                    router.counters()["lookups"] - before["lookups"], 1)
        expect.true(f"{path[:20]} leaves the entry", PREFIX in the_map(router))
    expect.same("routes", list(router.routes()), [PREFIX])


@scenario(routers=EU, pick=AWAY, level0=True)
def test_del_in_redis_empties_the_map(world):
    """An operator's DEL is out of HAProxy's map within 100 ms."""
    router = world.router("eu1")
    seconds = []
    for _ in range(30):
        warm(router)
        world.wait_shared(PREFIX)
        with world.redis_client() as redis:
            redis("DEL", world.shared_routes()[PREFIX])
        seconds.append(until_gone(router))
    worst = summary(world, "DEL in Redis to gone", seconds)
    expect.true("the median is within 100 ms", worst[len(worst) // 2] < 0.1)


@scenario(routers=TWO_EU, pick={"eu": "eu0"}, level0=True, settings={"routes": {"moves": 1000}})
def test_a_move_learned_elsewhere_leaves_every_map(world):
    first, second = world.router("eu1"), world.router("eu2")
    seconds = []
    for owner, before in [("eu1", "eu0"), ("eu0", "eu1")] * 10:
        for router in (first, second):
            warm(router, cell=before)
        world.cells.move("my-company", owner)
        answer = get(first, f"{PREFIX}moved")
        expect.status(answer, 200, world)
        expect.same("the answering cell", answer.cell, owner)
        seconds.append(until_gone(second))
    worst = summary(world, "a move learned by one router to gone from the other's map", seconds)
    expect.true("the median is within 100 ms", worst[len(worst) // 2] < 0.1)


@scenario(routers=EU, pick=AWAY, level0=True, settings={"haproxy": {"map-life": 1}})
def test_an_entry_leaves_when_its_stay_is_over(world):
    router = world.router("eu1")
    warm(router)
    until_gone(router, timeout=4)
    expect.same("the route is still known", router.routes().get(PREFIX), "eu0")
    warm(router)


def in_doubt(router):
    """The entry was marked with that very answer: for two seconds its requests take the replay pass."""
    value = the_map(router)[PREFIX]
    expect.true(f"in doubt: {value}", value.startswith(f"eu0|{PREFIX}|1") and value.endswith("|?"))


@scenario(routers=EU, pick=AWAY, level0=True)
def test_a_stale_entry_heals_without_the_agent(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    router.agent.kill()
    world.cells.move("my-company", "eu1")
    answer = get(router, f"{PREFIX}stale")
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")
    in_doubt(router)
    answer = get(router, f"{PREFIX}again")
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")


@scenario(routers=EU, pick=AWAY, level0=True)
def test_a_stale_entry_of_a_post_heals_without_the_agent(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    router.agent.kill()
    world.cells.move("my-company", "eu1")
    answer = router.request("POST", f"{PREFIX}stale", user="alice", body=b"a=b")
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")
    in_doubt(router)


@scenario(routers=EU, pick=AWAY, level0=True)
def test_hits_outlive_the_agent(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    router.agent.kill()
    for number in range(20):
        answer = get(router, f"{PREFIX}dead/{number}")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")


def put_entries(router, *entries):
    for prefix, cell in entries:
        router.runtime(f"add map {router.folder / 'routes.map'} {prefix} {cell}|{prefix}")


@scenario(routers=EU, pick=AWAY, level0=True)
def test_an_agent_that_starts_takes_stock_of_the_map(world):
    """What Redis confirms stays, without a request that would have to ask; what it does not know, or knows otherwise,
    goes."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    warm(router, "/not-my-company/", "us1", user="nora")
    world.wait_shared(PREFIX)
    world.wait_shared("/not-my-company/")
    router.agent.kill()
    with world.redis_client() as redis:
        redis("DEL", world.shared_routes()["/not-my-company/"])
    put_entries(router, ("/nobody-knows/", "us1"), ("no-path", "us1"), ("/no-end", "eu0"))
    router.restart_agent()
    wait_until("only what holds", lambda: the_map(router) == {PREFIX: f"eu0|{PREFIX}"}, timeout=5)
    wait_until("the same in the file", lambda: the_file(router) == {PREFIX: f"eu0|{PREFIX}"}, timeout=5)
    counters = router.counters()
    expect.same("found, confirmed", [counters[f"level0_{what}"] for what in ("inherited", "confirmed")], [5, 1])
    expect.same("deletions", counters["level0_dels"], 4)
    expect.same("lookups", counters["lookups"], 0)
    time.sleep(6)  # longer than `distrust`: what is in doubt would have gone
    expect.status(get(router, f"{PREFIX}still"), 200, world)
    expect.same("the level that answered", level_of(router, f"{PREFIX}still"), "0")
    expect.same("lookups", router.counters()["lookups"], 0)


@scenario(routers=EU, pick=AWAY, level0=True)
def test_stock_is_taken_of_moved_routes(world):
    """Moved while no agent was there: the entry goes, and the request that comes first is answered right all the
    same."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    world.wait_shared(PREFIX)
    router.agent.kill()
    put_entries(router, ("/globex/", "us0"))
    world.cells.move("my-company", "eu1")
    router.restart_agent()
    answer = get(router, f"{PREFIX}first")
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu1")
    wait_until("the entries to be gone", lambda: the_map(router).get(PREFIX) != f"eu0|{PREFIX}"
               and "/globex/" not in the_map(router), timeout=5)
    warm(router, cell="eu1")


@scenario(matrix={"redis": {"away": True, "none": False}}, routers=EU, pick=AWAY, level0=True)
def test_stock_that_nobody_confirms_is_not_kept(world):
    """Without Redis configured it goes at once; while Redis is away, when `distrust` is over."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    router.agent.kill()
    if world.redis:
        world.redis_process.kill()
    router.restart_agent()
    wait_until("the map to be empty", lambda: not the_map(router), timeout=10)
    wait_until("the file to be empty", lambda: not the_file(router), timeout=5)
    expect.same("found and confirmed", router.counters()["level0_confirmed"], 0)
    warm(router)


@scenario(routers=EU, pick=AWAY, level0=True)
def test_haproxy_restarts_with_the_file_and_is_put_right(world):
    """The new process has the map from its first request on; what is wrong in the file goes soon."""
    router = world.router("eu1")
    warm(router)
    wait_until("the route in the map file", lambda: PREFIX in the_file(router), timeout=3)
    router.haproxy.terminate()
    router.retired.append(router.haproxy)
    with open(router.folder / "routes.map", "a", encoding="ascii") as file:
        file.write("/wrong/ us1|/wrong/\n" + f"{PREFIX} eu0|{PREFIX}\n")
    router.start_haproxy()
    router.wait_haproxy()
    expect.status(get(router, f"{PREFIX}first"), 200, world)
    expect.same("the level that answered", level_of(router, f"{PREFIX}first"), "0")
    known = {PREFIX: f"eu0|{PREFIX}"}
    wait_until("the map to be right",
               lambda: "/wrong/" not in router.runtime(f"show map {router.folder / 'routes.map'}"), timeout=5)
    wait_until("the map to be right", lambda: the_map(router) == known, timeout=5)


@scenario(routers=EU, level0=True, timeout=280)
def test_100_reloads_under_load(world):
    router = world.router("eu1")
    seconds = []
    with Load(world, [router], pause=0.002) as load:
        load.wait_for(100)
        for _ in range(100):
            old = router.reload()
            start = time.monotonic()
            synced = f"pid={router.haproxy.pid} "
            wait_until("the agent to have met the new worker", lambda: synced in router.agent.text(), timeout=5)
            seconds.append(time.monotonic() - start)
            load.wait_for(5)
            if old.alive():
                old.wait(20)
    summary(world, "a reload to the new worker's map in line", seconds)
    expect.same("wrong answers", load.wrong, [])
    hot = {PREFIX, "/gitlab-org/", "/not-my-company/", "/api/organizations/my-organization/"}
    expect.true(f"the map {the_map(router)} holds the routes in use", set(the_map(router)) & hot)
    expect.true("some were answered at level 0", "level=0" in router.haproxy.text())


@scenario(routers=EU, pick=AWAY, level0=True, settings={"log": {"level": "debug"}})
def test_two_agents_beside_one_haproxy(world):
    """One keeps the map, the other takes over when it goes."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    text = router.conf.read_text(encoding="utf-8")
    text = text.replace(str(router.spoe_socket),
                        str(router.spoe_socket) + "2").replace(str(router.admin_socket), str(router.admin_socket) + "2")
    conf = configs.write(router.folder / "second.conf", text)
    second = Process("agent second", [places.built("cellrouter"), "-f", conf], world.logs / "agent-second.log")
    try:
        second.ready("waits for the map", lambda: "reason=level0_waits" in second.text())
        warm(router)
        expect.true("the first one still keeps it", "level0_keeper 1" in router.cellctl("show counters"))
        expect.true("the second one does not",
                    "level0_keeper 0" in ask(str(router.admin_socket) + "2", "show counters"))
        world.wait_shared(PREFIX)
        router.agent.kill()
        put_entries(router, ("/nobody-knows/", "us1"))
        second.ready("keeps the map", lambda: "reason=level0_keeper" in second.text())
        wait_until("the map to be what Redis confirms", lambda: the_map(router) == {PREFIX: f"eu0|{PREFIX}"}, timeout=5)
    finally:
        expect.same("exit status of the second agent", second.terminate(), 0)


SECOND = """\
global
    stats socket unix@{socket} mode 600 level admin
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
frontend other
    bind unix@{socket}-http
    http-request return status 200 hdr X-Entry %[path,map_beg({map})]
"""


@scenario(routers=EU, pick=AWAY, level0=True)
def test_two_haproxy_processes_of_one_agent(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    other = world.run / "other"
    router.agent.terminate()
    router.retired.append(router.agent)
    router.conf.write_text(router.conf.read_text(encoding="utf-8").replace(
        f'"unix:{router.runtime_socket}"', f'"unix:{router.runtime_socket}", "unix:{other}"'), encoding="utf-8")
    router.start_agent()
    router.wait_agent()
    cfg = configs.write(router.folder / "other.cfg", SECOND.format(socket=other, map=router.folder / "routes.map"))
    argv = [places.haproxy(), "-db", "-f", cfg]
    second = Process("haproxy other", argv, world.logs / "haproxy-other.log")
    try:
        warm(router)
        same = {PREFIX: f"eu0|{PREFIX}"}
        wait_until("the route in the other map", lambda: the_map(router, other) == same, timeout=5)
        second.kill()
        warm(router)
        expect.same("the first one's map", the_map(router), same)
        second = Process("haproxy other", argv, world.logs / "haproxy-other.log")
        wait_until("the route in the other map after its restart", lambda: the_map(router, other) == same, timeout=8)
        router.cellctl(f"forget {PREFIX}")
        until_gone(router)
        wait_until("the route to leave the other map", lambda: not the_map(router, other), timeout=5)
    finally:
        second.terminate()
