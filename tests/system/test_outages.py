"""docs/flows.md 23 and 27: the agent is gone, stopped, speaks garbage. Clients must not notice. For Redis (24) see
test_redis_outages.py."""

import socket
import threading
import time

from harness import expect, places
from harness.load import Load
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from harness.wire import Wire
from harness.world import AGENT_GONE

AWAY = {"eu": "eu1", "us": "us1"}
PROCESSING = 0.5  # s; no request waits longer than HAProxy's timeout processing, and then some for a loaded machine


def agent_is(router, state):
    """What HAProxy's health check says of the agent."""
    return router.stat("cellrouter-agent", "agent").get("status", "").startswith(state)


def right_without_agent(world, router):
    """Each request is served as a miss."""
    for method in ("GET", "POST"):
        answer = router.request(method, "/my-company/x", user="alice", body=b"a=b" if method == "POST" else b"")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu1", "eu0")
        expect.clean(answer)


def learns_again(world, router):
    def known():
        expect.status(router.request("GET", "/my-company/y", user="alice"), 200)
        return router.routes().get("/my-company/") == "eu0"

    wait_until(f"{router.id} learns again", known, every=0.1)
    # An agent that was stopped knows its routes at once; HAProxy asks it again when its health check has passed.
    wait_until("HAProxy asks the agent", lambda: agent_is(router, "UP"))
    answer = router.request("GET", "/my-company/z", user="alice")
    expect.saw(world, answer, "eu0")


@scenario(matrix={"answers": ANSWERS}, agent=False, pick=AWAY, routers=ONE)
def test_flow_23_no_agent_from_the_start(world):
    world.allow(AGENT_GONE)
    right_without_agent(world, world.router("eu1"))


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, redis=False, level0=False)
def test_flow_23_agent_killed_and_back(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    learns_again(world, router)
    router.agent.kill()
    for _ in range(3):
        right_without_agent(world, router)
    router.restart_agent()
    learns_again(world, router)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, redis=False, level0=False)
def test_flow_23_agent_stopped_and_on(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    learns_again(world, router)
    router.agent.freeze()
    slowest = 0
    for _ in range(10):
        answer = router.request("POST", "/my-company/x", user="alice", body=b"a=b")
        expect.status(answer, 200, world)
        expect.same("the answering cell", answer.cell, "eu0")
        slowest = max(slowest, answer.seconds)
    expect.true(f"the slowest request took {slowest:.2f} s while the agent stood still", slowest < 2 * PROCESSING)
    router.agent.thaw()
    learns_again(world, router)


@scenario(matrix={"answers": ANSWERS}, routers=ONE, timeout=120)
def test_flow_23_agent_comes_and_goes_under_load(world):
    world.allow(AGENT_GONE)
    routers = [world.router("eu1"), world.router("us1")]
    with Load(world, routers) as load:
        for turn in range(3):
            load.wait_for(100)
            for router in routers:
                router.agent.kill() if turn % 2 else router.agent.terminate()
            load.wait_for(100)
            for router in routers:
                router.restart_agent()
        load.wait_for(200)
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])


@scenario(matrix={"answers": ANSWERS}, routers=ONE, timeout=120, level0=False)
def test_flow_23_agent_stops_under_load(world):
    """Questions are open when it stops, and when the health check closes the connections on which they wait."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    slowest = []
    for _ in range(3):
        with Load(world, [router], clients=8, pause=0.0) as load:
            load.wait_for(200)
            router.agent.freeze()
            wait_until("the health check to notice", lambda: agent_is(router, "DOWN"))
            load.wait_for(200)
            router.agent.thaw()
            wait_until("the health check to see it again", lambda: agent_is(router, "UP"))
            load.wait_for(100)
        expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])
        slowest.append(load.slowest)
    expect.true(f"the slowest requests took {slowest}", max(slowest) < 2 * PROCESSING)


@scenario(matrix={"answers": ANSWERS}, routers=ONE, timeout=120)
def test_flow_23_agent_dies_with_questions_open(world):
    """Stopped until questions pile up at HAProxy, then killed: none of them may hang for ever, HAProxy must not
    spin."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    with Load(world, [router], clients=16, pause=0.0) as load:
        for _ in range(4):
            load.wait_for(300)
            router.agent.freeze()
            load.wait_for(50)
            router.agent.kill()
            load.wait_for(200, timeout=10)
            router.restart_agent()
        load.wait_for(100)
        router.agent.kill()
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])
    used = router.haproxy.cpu_seconds()
    time.sleep(1)  # measures, decides nothing by itself
    used = router.haproxy.cpu_seconds() - used
    expect.true(f"an idle HAProxy without its agent used {used:.2f} s of CPU in one second", used < 0.5)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, redis=False, level0=False)
def test_flow_23_a_slow_agent(world):
    """A wire between HAProxy and the agent that delays. Within timeout processing its answers count; beyond it every
    request is served as a miss, and waits no longer than that."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    router.agent.terminate()
    router.retired.append(router.agent)
    router.start_agent()
    router.wait_agent()
    behind = router.spoe_socket.with_suffix(".behind")
    router.spoe_socket.rename(behind)
    wire = Wire(router.spoe_socket, behind)
    try:
        wait_until("HAProxy reaches the agent again", lambda: agent_is(router, "UP"))
        learns_again(world, router)
        wire.delay = 0.005
        answer = router.request("POST", "/my-company/x", user="alice", body=b"a=b")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu0")
        wire.delay = 0.15
        slowest = 0
        for number in range(10):
            method, body = (("GET", b""), ("POST", b"a=b"))[number % 2]
            answer = router.request(method, f"/my-company/{number}", user="alice", body=body)
            expect.status(answer, 200, world)
            expect.same("the answering cell", answer.cell, "eu0")
            slowest = max(slowest, answer.seconds)
        expect.true(f"the slowest request took {slowest:.2f} s beside a slow agent", slowest < PROCESSING)
        wire.delay = 0
        learns_again(world, router)
    finally:
        wire.stop()


def no_wait(world, agent_goes):
    """After the health check has noticed, a request does not wait for an agent that is not there: without the check
    each would wait `timeout processing`, 50 ms. (Not all of them are looked at: the machine may be loaded.)"""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    learns_again(world, router)
    agent_goes(router.agent)
    wait_until("the health check to notice", lambda: agent_is(router, "DOWN"))
    seconds = []
    for _ in range(15):
        answer = router.request("GET", "/my-company/x", user="alice")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "eu1", "eu0")
        seconds.append(answer.seconds)
    expect.true(f"seconds without an agent: {sorted(seconds)}", sorted(seconds)[3] < 0.045)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, redis=False, level0=False)
def test_flow_23_no_wait_for_a_killed_agent(world):
    no_wait(world, lambda agent: agent.kill())


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, redis=False, level0=False)
def test_flow_23_no_wait_for_a_stopped_agent(world):
    no_wait(world, lambda agent: agent.freeze())
    world.router("eu1").agent.thaw()


@scenario(agent=False, pick=AWAY, routers=ONE)
def test_an_agent_that_speaks_garbage(world):
    """Something else listens on the agent's socket and answers with noise."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(router.spoe_socket))
    listener.listen(64)
    stop = threading.Event()
    listener.settimeout(0.2)

    def noise():
        while not stop.is_set():
            try:
                client, _ = listener.accept()
                client.sendall(b"\x00\x00\x00\x20" + bytes(range(32)) + b"HTTP/1.1 400 no\r\n\r\n")
                client.close()
            except OSError:
                continue

    thread = threading.Thread(target=noise, daemon=True)
    thread.start()
    try:
        for _ in range(10):
            right_without_agent(world, router)
    finally:
        stop.set()
        thread.join()
        listener.close()


@scenario(matrix={"answers": ANSWERS}, routers=ONE, timeout=120)
def test_haproxy_reloads_under_load(world):
    router = world.router("eu1")
    with Load(world, [router]) as load:
        for _ in range(10):
            load.wait_for(30)
            router.reload()
        load.wait_for(50)
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])


@scenario(cells=("eu0",), agent=False, redis=False, routers={"eu1": "eu"})
def test_flow_27_one_cell_and_nothing_else(world):
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    served = 0
    for method in ("GET", "POST", "PUT", "DELETE"):
        body = b"x" * 100_000 if method in ("POST", "PUT") else b""
        for path in ("/my-company/x", "/gitlab-org/x", "/admin/cells/eu0/"):
            answer = router.request(method, path, user="root", body=body)
            expect.status(answer, 200, world)
            expect.saw(world, answer, "eu0")
            expect.clean(answer)
            served += 1
    answer = router.request("GET", "/my-company/x")
    expect.status(answer, 302)
    expect.same("Location", answer.get("Location"), "/users/sign_in?redirect=/my-company/x")
    replay = router.stat("cellrouter-replay")
    expect.same("what HAProxy counted: answers of 2xx, 3xx and 5xx, retries",
                [replay[column] for column in ("hrsp_2xx", "hrsp_3xx", "hrsp_5xx", "wretr", "wredis")],
                [str(served), "1", "0", "0", "0"])


def test_programs_are_found(world):
    """The world of every other test: one router, 302 cells, Redis."""
    expect.true("the agent is the one that was built", world.router("eu1").agent.argv[0] == places.built("cellrouter"))
