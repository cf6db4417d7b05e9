"""Hidden 404s: a cell's 404 and 403 reach the client at a random time, so that their timing tells nothing. Lower bounds
are measured with the client's clock; that something was not delayed, or only once, is told by the agent's counters."""

import signal
import threading
import time

from harness import expect, flows, places
from harness.client import Broken, Connection
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from harness.world import AGENT_GONE

AWAY = {"eu": "eu1", "us": "us1"}
SPOE_FILE = str(places.ROOT / "haproxy" / "cellrouter-spoe.conf")
ALL_ANSWERS = {**ANSWERS, "425": 425}
MB = 1 << 20
FOREVER = 20000


def hidden(low, high, most=1000):
    return {"hidden": {"min": low, "max": high, "most": most, "spoe-file": SPOE_FILE}}


def counts(router):
    counters = router.counters()
    return {word: counters[f"hidden_{word}"] for word in ("delayed", "full", "off", "cancelled", "waiting")}


def expect_counts(router, **wanted):
    wanted = {"delayed": 0, "full": 0, "off": 0, "cancelled": 0, "waiting": 0, **wanted}
    expect.same("what became of 404s and 403s", counts(router), wanted)


def expect_delayed(router, low, status, *request, **more):
    """The answer passes as it is, late enough, and was held exactly once."""
    before = counts(router)["delayed"]
    answer = router.request(*request, **more)
    expect.status(answer, status, router.world)
    expect.true(f"{request}: {answer.seconds:.3f} s are at least {low} ms", answer.seconds * 1000 >= low)
    expect.same(f"{request}: times held", counts(router)["delayed"] - before, 1)
    expect.clean(answer)
    return answer


def agent_is_down(router):
    return router.stat("cellrouter-agent", "agent").get("status") == "DOWN"


class Waiting:
    """So many requests at once, each on a connection of its own, whose 404s are held."""

    def __init__(self, router, number, target="/nobody/{}", method="GET"):
        self.router, self.statuses, self.lock = router, [], threading.Lock()
        requests = [router.prepare(method, target.format(n)) for n in range(number)]
        self.threads = [threading.Thread(target=self.ask, args=(request,), daemon=True) for request in requests]
        for thread in self.threads:
            thread.start()

    def ask(self, request):
        try:
            with Connection(self.router.address, 30) as connection:
                status = connection.request(request).status
        except (Broken, OSError) as error:
            status = str(error)
        with self.lock:
            self.statuses.append(status)

    def wait(self, number):
        wait_until(f"{number} answers wait", lambda: counts(self.router)["waiting"] == number, timeout=15)

    def expect(self, *statuses):
        for thread in self.threads:
            thread.join(30)
        expect.same("what the clients got", sorted(self.statuses, key=str), sorted(statuses, key=str))


@scenario(pick=AWAY, routers=ONE)
def test_hidden_is_off_by_default(world):
    router = world.router("eu1")
    expect.status(router.request("GET", "/nobody/x"), 404)
    expect_counts(router)
    printed = (router.folder / "cellrouter.cfg").read_text()
    expect.same("what is printed of it", [word for word in ("cellrouter-hidden", "agent-hidden",
                                                            "setenv CELLROUTER_HIDDEN") if word in printed], [])
    expect.true("no backend of its own", "cellrouter-agent-hidden" not in router.runtime("show backend"))


@scenario(matrix={"answers": ALL_ANSWERS}, pick=AWAY, routers=ONE, settings=hidden(200, 300))
def test_hidden_404_and_403_are_late(world):
    """Unknown paths, known ones, after a redirect, at a cell that HAProxy retries by itself; any method; once each."""
    router = world.router("eu1")
    for method in ("GET", "HEAD", "POST", "DELETE"):
        answer = expect_delayed(router, 200, 404, method, "/nobody/x", body=b"a=b" if method == "POST" else b"")
        expect.saw(world, answer, "eu1")
    flows.settled(world, "hit")
    for status in (403, 404):
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/odd", answer={"status": status, "body": "own"})
        for kind, cells in (("miss", ("eu1", "eu0")), ("hit", ("eu0",))):
            router = flows.settled(world, kind)
            for method in ("GET", "POST"):
                if kind == "miss":
                    flows.settled(world, "miss")
                answer = expect_delayed(router, 200, status, method, "/my-company/odd", user="alice", body=b"a=b"
                                        if method == "POST" else b"")
                expect.saw(world, answer, *cells)
                expect.same("body", answer.body, b"own")


@scenario(matrix={"answers": ALL_ANSWERS}, pick=AWAY, routers=ONE, settings=hidden(200, 300))
def test_hidden_other_answers_are_not_late(world):
    """Nor are redirects of the contract, a stale route's 307, and the router's own errors."""
    router = world.router("eu1")
    for kind in ("miss", "hit"):
        router = flows.settled(world, kind)
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    world.cells.move("my-company", "us0")
    expect.status(router.request("GET", "/my-company/x", user="alice", follow_307=True), 200, world)
    for status in (401, 302, 410, 500, 503, 425, 421):
        world.cells.behave()
        world.cells.misbehave(cell="eu1", path="/odd", answer={"status": status, "body": "own"})
        expect.status(router.request("GET", "/odd/x"), status, world)
    world.cells.behave()
    world.cells.misbehave(cell="eu1", path="/wild", redirect_text="{")
    expect.status(router.request("GET", "/wild"), 502, world)
    expect_counts(router)


@scenario(pick=AWAY, routers=ONE, settings=hidden(200, 300), large=4 * MB)
def test_hidden_large_requests(world):
    """A request that takes the way of the second process waits at the edge, once as well."""
    router = world.router("eu1")
    answer = expect_delayed(router, 200, 404, "POST", "/nobody/x", body=b"x" * MB)
    expect.saw(world, answer, "eu1")
    expect.status(router.request("POST", "/my-company/x", user="alice", body=b"x" * MB), 200, world)
    answer = expect_delayed(router, 200, 404, "POST", "/nobody/x", body=b"x" * 8 * MB)
    expect_counts(router, delayed=2)


@scenario(pick=AWAY, routers=ONE, tls=True, settings=hidden(200, 300))
def test_hidden_http2_and_bodies_that_stream(world):
    """Streams of one connection wait side by side; of an answer that is larger than any buffer nothing is lost."""
    router = world.router("eu1")
    whole = (bytes(range(256)) * 4096)[:300000]
    world.cells.misbehave(cell="eu1", path="/much", answer={"status": 404, "body_bytes": len(whole), "chunked": True})
    expect.same("body", expect_delayed(router, 200, 404, "GET", "/much/x").body, whole)
    with router.connect_h2() as connection:
        answer = connection.request(router.prepare("GET", "/much/x"))
        expect.status(answer, 404, world)
        expect.same("body", answer.body, whole)
        expect.status(connection.request(router.prepare("GET", "/nobody/x")), 404, world)
        expect.status(connection.request(router.prepare("GET", "/my-company/x", user="alice")), 200, world)
    expect_counts(router, delayed=3)


@scenario(pick=AWAY, routers=ONE, tls=True,
          settings={**hidden(1500, 1600), "haproxy": {"timeout-client": 1, "timeout-request": 1, "timeout-server": 3}})
def test_hidden_for_longer_than_a_client_may_be_silent(world):
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", path="/much", answer={"status": 404, "body_bytes": 300000, "chunked": True})
    expect_delayed(router, 1500, 404, "POST", "/nobody/x", body=b"a=b")
    expect.same("length", len(expect_delayed(router, 1500, 404, "GET", "/much/x").body), 300000)
    with router.connect_h2() as connection:
        expect.status(connection.request(router.prepare("GET", "/much/x")), 404, world)
    expect_counts(router, delayed=3)


@scenario(pick=AWAY, routers=ONE, level0=True, settings=hidden(FOREVER, FOREVER, 150))
def test_hidden_many_wait_and_others_do_not_notice(world):
    """200 at once: 150 wait, which is all that may, the others pass; lookups are answered as ever, without anything
    refused. When the agent is killed those who wait get their 404 from HAProxy."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    waiting = Waiting(router, 200)
    waiting.wait(150)
    wait_until("50 have passed", lambda: len(waiting.statuses) == 50)
    for number in range(50):
        answer = router.request("GET", f"/my-company/{number}", user="alice")
        expect.status(answer, 200, world)
    counters = router.counters()
    expect.same("SPOE messages nobody answered",
                [counters[name] for name in ("spoe_overloads", "spoe_timeouts", "spoe_cancelled")], [0, 0, 0])
    expect_counts(router, delayed=150, full=50, waiting=150)
    router.agent.kill()
    waiting.expect(*[404] * 200)
    wait_until("HAProxy knows", lambda: agent_is_down(router))
    expect.status(router.request("GET", "/nobody/x"), 404, world)
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)


@scenario(pick=AWAY, routers=ONE, settings=hidden(200, 300))
def test_hidden_agent_that_does_not_answer(world):
    """HAProxy waits a little longer than the upper bound, then lets it pass."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    router.agent.freeze()
    try:
        for _ in range(3):
            expect.status(router.request("GET", "/nobody/x"), 404, world)
    finally:
        router.agent.thaw()


@scenario(agent=False, pick=AWAY, routers=ONE, settings=hidden(FOREVER, FOREVER))
def test_hidden_without_an_agent(world):
    world.allow(AGENT_GONE)
    expect.status(world.router("eu1").request("GET", "/nobody/x", timeout=10), 404, world)


@scenario(pick=AWAY, routers=ONE, settings=hidden(1000, 1500))
def test_hidden_clients_that_leave(world):
    """Their answers still count as waiting until their time, and are freed then."""
    router = world.router("eu1")
    connections = [Connection(router.address) for _ in range(20)]
    for number, connection in enumerate(connections):
        connection.send(router.prepare("GET", f"/nobody/{number}"))
    wait_until("all wait", lambda: counts(router)["delayed"] == 20)
    for connection in connections:
        connection.close()
    wait_until("none waits any more", lambda: counts(router)["waiting"] == 0)
    expect_delayed(router, 1000, 404, "GET", "/nobody/x")
    expect_counts(router, delayed=21)


@scenario(pick=AWAY, routers=ONE, settings=hidden(FOREVER, FOREVER))
def test_hidden_reload(world):
    """SIGHUP puts other bounds in use for answers from then on; 0 turns it off while HAProxy still asks."""
    router = world.router("eu1")
    waiting = Waiting(router, 1)
    waiting.wait(1)
    for low, high, expected in ((200, 300, {"delayed": 2, "waiting": 1}),
                                (0, 0, {"delayed": 2, "waiting": 1, "off": 1})):
        reloads = router.counters()["reloads"]
        world.settings["hidden"].update({"min": low, "max": high})
        router.write_conf()
        router.agent.send(signal.SIGHUP)
        wait_until("reloaded", lambda: router.counters()["reloads"] == reloads + 1)
        answer = router.request("GET", "/nobody/x")
        expect.status(answer, 404, world)
        expect.true(f"{answer.seconds:.3f} s are at least {low} ms", answer.seconds * 1000 >= low)
        expect_counts(router, **expected)
    router.agent.kill()
    world.allow(AGENT_GONE)
    waiting.expect(404)


@scenario(pick=AWAY, routers=ONE, settings={**hidden(1000, 1500), "": {"drain": 20}})
def test_hidden_agent_ends_in_order(world):
    """SIGTERM: those who wait get their answers at their time, then the agent is gone."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    start = time.monotonic()
    waiting = Waiting(router, 10)
    waiting.wait(10)
    expect.same("status of the agent", router.agent.terminate(timeout=15), 0)
    expect.true("it waited for them", time.monotonic() - start >= 1)
    waiting.expect(*[404] * 10)
    expect.true("no connection was cut", "draining took too long" not in router.agent.text(), router.agent.tail())


@scenario(pick=AWAY, routers=ONE, settings={**hidden(FOREVER, FOREVER), "": {"drain": 1}})
def test_hidden_drain_is_cut(world):
    """What would wait longer than drain passes when the connections end."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    waiting = Waiting(router, 5)
    waiting.wait(5)
    expect.same("status of the agent", router.agent.terminate(timeout=15), 0)
    waiting.expect(*[404] * 5)


@scenario(pick=AWAY, routers=ONE, threads=2, settings=hidden(300, 400))
def test_hidden_with_several_threads(world):
    """Answers that wait on several of HAProxy's threads get theirs, each once and late enough."""
    router = world.router("eu1")
    expect.true("threads", "Nbthread: 2\n" in router.runtime("show info"))
    for turn in range(3):
        start = time.monotonic()
        waiting = Waiting(router, 40, f"/nobody/{turn}-{{}}")
        waiting.expect(*[404] * 40)
        expect.true("none came early", time.monotonic() - start >= 0.3)
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    expect_counts(router, delayed=120)


@scenario(matrix={"threads": {"1": 1, "2": 2}}, pick=AWAY, routers=ONE, settings=hidden(3000, 3500))
def test_hidden_haproxy_reloads_while_answers_wait(world):
    """The old HAProxy keeps those who wait until their time; the new one hides as well."""
    router = world.router("eu1")
    start = time.monotonic()
    waiting = Waiting(router, 10)
    waiting.wait(10)
    old = router.reload()
    expect_delayed(router, 3000, 404, "GET", "/nobody/after")
    waiting.expect(*[404] * 10)
    expect.true("none came early", time.monotonic() - start >= 3)
    wait_until("the old HAProxy ends", lambda: not old.alive())
    expect_counts(router, delayed=11)


@scenario(matrix={"threads": {"1": 1, "2": 2}}, pick=AWAY, routers=ONE, settings=hidden(1000, 1500))
def test_hidden_agent_stops_while_answers_wait(world):
    """SIGSTOP: they pass as soon as HAProxy has noticed, or waited long enough, and never as an error."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    waiting = Waiting(router, 10)
    waiting.wait(10)
    router.agent.freeze()
    try:
        waiting.expect(*[404] * 10)
        expect.status(router.request("GET", "/nobody/x"), 404, world)
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    finally:
        router.agent.thaw()
    wait_until("HAProxy sees it again", lambda: not agent_is_down(router))
    expect_delayed(router, 1000, 404, "GET", "/nobody/again")
