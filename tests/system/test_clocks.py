"""Wall clocks that somebody sets, by hours and days, forward and back, while all runs: docs/security.md."""

import re
import struct
import subprocess
import time

from harness import expect, places
from harness.level0 import PREFIX, get, the_map, warm
from harness.process import Process, wait_until
from harness.runner import scenario

EU = {"eu1": "eu"}
AWAY = {"eu": "eu1"}
AGENT_GONE = r"Server cellrouter\S*agent\S* is (DOWN|UP)|has no server"
HOUR, DAY = 3600, 86400


class Clock:
    """The wall clock of the programs that are started with its environment."""

    def __init__(self, world):
        self.file = world.run / "clock"
        self.library = world.run / "clock.so"
        self.set(0)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.library,
                        places.ROOT / "tests" / "system" / "harness" / "clock.c"], check=True)

    def set(self, seconds):
        """Ahead of the machine's."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))

    def environment(self, program):
        """ASan wants to be the first library."""
        linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout.split()
        first = [word for word in linked if word.startswith("/") and "libasan" in word]
        return {"LD_PRELOAD": ":".join([*first, str(self.library)]), "TEST_CLOCK": str(self.file)}


def on(clock, world, router):
    """Both programs of the router, started anew on that clock."""
    router.haproxy.terminate()
    router.agent.terminate()
    router.retired += [router.haproxy, router.agent]
    program = places.built("cellrouter")
    router.agent = Process("agent eu1", [program, "-f", router.conf], world.logs / "agent-eu1.log",
                           clock.environment(program))
    router.wait_agent()
    argv = [places.haproxy(), "-db"]
    for file in router.files:
        argv += ["-f", file]
    router.haproxy = Process("haproxy eu1", argv, world.logs / "haproxy-eu1.log", clock.environment("/bin/true"),
                             errors=world.logs / "haproxy-eu1.errors")
    router.wait_haproxy()
    wait_until("HAProxy to see the agent", lambda: router.stat("cellrouter-agent", "agent").get("status") == "UP")


def agents_second(router):
    """The wall clock of the agent, by its log."""
    router.cellctl("forget /nothing/")
    line = router.agent.lines()[-1]
    return line.split("ts=")[1][:13]


def said_of_the_store(router):
    return re.findall(r"reason=(store_\w+)", router.agent.text())


def at_once(world, router, cell):
    answer = get(router, f"{PREFIX}again")
    expect.status(answer, 200, world)
    return [delivery.cell for step in answer.steps for delivery in world.deliveries_of(step)] == [cell]


STEADY = ("level0_errors", "log_lines_lost")


@scenario(routers=EU, pick=AWAY, level0=True, timeout=120,
          settings={"haproxy": {"map-uses": 1}, "log": {"per-reason": 1000}, "routes": {"moves": 1000}})
def test_clocks_that_jump(world):
    """Of agent and HAProxy together, Redis stays. Requests are answered by the right cells at every time, known, new
    and after a move; nothing is closed or late because of it, and when the clock is right again, routes are shared."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    clock = Clock(world)
    on(clock, world, router)
    warm(router)
    world.wait_shared(PREFIX)
    stays = said_of_the_store(router)
    seconds = agents_second(router)
    owner, other = "eu0", "us1"
    for ahead in (HOUR, -HOUR, 5 * DAY, -5 * DAY, 400 * DAY, 0):
        clock.set(ahead)
        time.sleep(0.7)  # libev looks at the wall clock twice a second
        said = f"{ahead} s ahead"
        if abs(ahead) > HOUR:
            expect.true(f"{said}: the agent's clock has jumped", agents_second(router)[:10] != seconds[:10])
        before = router.counters()
        for method, body in (("GET", b""), ("POST", b"a=b")):
            answer = router.request(method, f"{PREFIX}known", user="alice", body=body, follow_307=True)
            expect.status(answer, 200, world)
            expect.same(f"{said}: the cell", answer.cell, owner)
        world.cells.move("my-company", other)
        for method, body in (("POST", b"a=b"), ("GET", b"")):
            answer = router.request(method, f"{PREFIX}moved", user="alice", body=body, follow_307=True)
            expect.status(answer, 200, world)
            expect.same(f"{said}: the cell", answer.cell, other)
        wait_until(f"{said}: requests that go to the new owner at once", lambda: at_once(world, router, other))
        owner, other = other, owner
        router.cellctl("flush")
        expect.status(get(router, "/gitlab-org/new", user="root"), 200, world)
        after = router.counters()
        expect.same(f"{said}: errors", [after[name] - before[name] for name in STEADY], [0, 0])
        expect.same(f"{said}: lookups without an answer in time",
                    after["misses_deadline"] - before["misses_deadline"], 0)
    warm(router, cell=owner)
    world.wait_shared(PREFIX)
    again = said_of_the_store(router)
    expect.true(f"the log tells of wrong clocks: {again}", {"store_skewed", "store_hostile"} <= set(again))
    expect.same("what else is told of connections to Redis",
                [reason for reason in again if reason not in ("store_skewed", "store_hostile")], stays)


@scenario(routers=EU, pick=AWAY, level0=True, settings={"haproxy": {"map-uses": 1}})
def test_a_mark_from_before_the_clock_was_set_back(world):
    """An entry that HAProxy has in doubt since a second that is yet to come is trusted, as one whose two seconds are
    over: without the agent, nobody else would ever end that doubt."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    warm(router)
    router.agent.kill()
    wait_until("HAProxy to miss the agent", lambda: router.stat("cellrouter-agent", "agent").get("status") == "DOWN")
    file = router.folder / "routes.map"
    for label, second, answers in (("long ago", time.time() - DAY, 2), ("a day ahead", time.time() + DAY, 2),
                                   ("now", time.time(), 1)):  # the last takes the replay pass
        router.runtime(f"set map {file} {PREFIX} eu1|{PREFIX}|{int(second)}|?")
        expect.true(f"{label}: the mark", the_map(router)[PREFIX].endswith("|?"))
        answer = get(router, f"{PREFIX}x")
        expect.status(answer, 200, world)
        expect.same(f"{label}: answers until the right one", len(answer.steps), answers)
