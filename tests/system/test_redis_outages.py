"""docs/flows.md 24: every way in which Redis can fail, under a steady stream of requests. Clients get the right answers
all the time, the counters tell what was wrong, and all heals without a restart of anything but Redis."""

import time
from dataclasses import dataclass, field

from harness import expect, flows, places
from harness.load import LEARNING, Load, claiming
from harness.process import wait_until
from harness.resp import Redis
from harness.runner import ONE, scenario
from harness.world import AGENT_GONE

AWAY = {"eu": "eu1", "us": "us1"}  # each miss meets a redirect
BOTH = {"eu0": 302, "eu1": 302, "us0": 421, "us1": 421}  # the eu router replays by two passes, the us router by one
# s; two questions of a request wait 50 ms each at most (timeout processing), the rest is for a loaded machine
SLOWEST = 1.0
# s; so long a request can wait whose question is open when its agent ends, on HAProxy 2.6: docs/requests.md
LOST_TIMER = 5.0
IMPATIENT = {"watchdog": 500, "backoff-max": 500}


@dataclass
class Outage:
    """How it breaks (up to its yield) and heals (from there). The rest is what each agent must have counted."""

    play: object
    reasons: tuple  # store_reason_*, each at least once while it lasts
    fails: bool  # lookups fail meanwhile
    waits: bool  # words wait to be written meanwhile
    breaks: bool  # connections end; False: neither of them may
    errors: str  # store_* lines of level error that belong to it
    lasts: float  # s, at least
    agents_end: bool  # the agents themselves, too
    world: dict = field(default_factory=dict)


OUTAGES = {}


def outage(*reasons, fails=True, waits=True, breaks=True, errors="", lasts=0.0, agents_end=False, **world):
    def add(play):
        OUTAGES[play.__name__] = Outage(play, reasons, fails, waits, breaks, errors, lasts, agents_end, world)
        return play

    return add


def configure(world, *words):
    with world.redis_client() as redis:
        return redis(*words)


def restart(world):
    world.start_redis()
    world.wait_redis()


@outage("lost", "connect_failed", "away")
def killed(world):
    world.redis_process.kill()
    yield
    restart(world)


@outage("connect_failed", "away", agents_end=True)
def not_there_at_the_start(world):
    """The agents' start falls into the outage."""
    world.allow(AGENT_GONE)
    world.redis_process.kill()
    for router in world.routers.values():
        router.agent.terminate()
    for router in world.routers.values():
        router.restart_agent()
    yield
    restart(world)


@outage("watchdog", "not_answering", lasts=3.0)
def stopped(world):
    world.redis_process.freeze()
    yield
    world.redis_process.thaw()


@outage("lost", waits=False, fails=False)
def restarted_empty(world):
    world.redis_process.kill()
    restart(world)
    yield


@outage("lost", "loading", redis_more="enable-debug-command local\n")
def restarted_while_loading(world):
    """A file that takes some seconds to load. Redis answers meanwhile, but only -LOADING."""
    configure(world, "DEBUG", "POPULATE", 6000, "other", 100)
    configure(world, "SAVE")
    world.redis_process.kill()
    world.redis_more = "key-load-delay 500\nloading-process-events-interval-bytes 1024\n"
    world.start_redis()
    yield
    world.wait_redis()


@outage("readonly", fails=False, breaks=False)
def read_only_replica(world):
    configure(world, "REPLICAOF", "127.0.0.1", "1")
    yield
    configure(world, "REPLICAOF", "NO", "ONE")


@outage("oom", fails=False, breaks=False)
def full(world):
    configure(world, "CONFIG", "SET", "maxmemory", "1")
    yield
    configure(world, "CONFIG", "SET", "maxmemory", "0")


def change_password(world, password):
    """Connections that are signed in stay so: they are closed."""
    with world.redis_client() as redis:
        redis("CONFIG", "SET", "requirepass", password)
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        redis("CLIENT", "KILL", "TYPE", "normal")
    world.password = password


@outage("noauth", errors="noauth")
def password_missing(world):
    change_password(world, "secret")
    yield
    change_password(world, "")


@outage("wrongpass", errors="wrongpass", password="secret")
def password_wrong(world):
    """Before and after it the agents' file has the right one."""
    change_password(world, "another")
    yield
    change_password(world, "secret")


@outage("lost", fails=False, waits=False)
def asking_connection_killed(world):
    configure(world, "CLIENT", "KILL", "TYPE", "normal")
    yield


@outage("lost", fails=False, waits=False)
def watching_connection_killed(world):
    configure(world, "CLIENT", "KILL", "TYPE", "pubsub")
    yield


@outage("watchdog", "connect_deadline", wire=True)
def network_cut(world):
    world.wire.cut()
    yield
    world.wire.repair()


@outage("deadline", breaks=False, waits=False, wire=True)
def network_slow(world):
    """Slower than the deadline by far, but the words arrive."""
    world.wire.delay = 0.2
    yield
    world.wire.delay = 0.0


@outage("not_answering", waits=False, redis_more="enable-debug-command local\n")
def debug_sleep(world):
    with Redis(str(world.redis_socket)) as redis:
        redis.send("DEBUG", "SLEEP", 2)
        yield
        expect.same("the sleeper's answer", redis.reply(), "OK")


# The stream around it

def is_well(counters):
    connected = counters["store_connected"] == counters["store_watching"] == 1
    return connected and counters["store_queued"] == counters["store_writing"] == 0


def wait_well(world, what):
    for router in world.routers.values():
        wait_until(f"{router.id}: {what}", lambda: is_well(router.counters()), timeout=10, every=0.05)


def counted_meanwhile(router, outage, before):
    """What is still to come before this router has met the outage in full; empty: it has."""
    now = router.counters()
    wanted = [f"store_reason_{reason}" for reason in outage.reasons] + ["store_failed"] * outage.fails
    missing = [name for name in wanted if now[name] <= before.get(name, 0)]
    return missing + ["store_queued"] * (outage.waits and now["store_queued"] == 0)


def wait_met(router, outage, before):
    missing = []

    def is_met():
        missing[:] = counted_meanwhile(router, outage, before)
        return not missing

    try:
        wait_until("it", is_met, timeout=10, every=0.05)
    except AssertionError:
        expect.same(f"counters of {router.id} that did not rise during the outage", missing, [])


def learn(world, router, name):
    """A new path at this router: its owner is learned, or known."""
    answer = router.request("POST", f"/api/v4/{name}/x", user="root", **claiming(f"/api/v4/{name}/"))
    expect.status(answer, 200, world)
    expect.same("the answering cell", answer.cell, "eu0")
    return answer


def shares_again(world):
    """What one router learns now, the other one uses. On a loaded machine a question may miss its deadline of 15 ms,
    which is a miss by design: then the next new path has to do."""
    eu1, us1 = world.routers.values()
    names = iter(range(1000))

    def is_used():
        name = f"afterwards-{next(names)}"
        learn(world, eu1, name)
        flows.wait_known(world, eu1, f"/api/v4/{name}/")
        before = us1.counters()["lookup_hits_level2"]
        answer = learn(world, us1, name)
        return us1.counters()["lookup_hits_level2"] == before + 1 and [d.cell
                                                                       for d in world.deliveries_of(answer)] == ["eu0"]

    wait_until("a route that eu1 learned to be a level-2 hit at us1", is_used, timeout=5)


def run(world, outage):
    routers = list(world.routers.values())
    if outage.errors:
        world.allow(rf"store_({outage.errors})\b")
    wait_well(world, "connected before the outage")
    agents = [router.agent.pid for router in routers]
    play = outage.play(world)
    with Load(world, routers, clients=1, mix=LEARNING) as load:
        load.wait_for(30)
        before = {router.id: router.counters() for router in routers}
        began = time.monotonic()
        next(play)
        # What was written just before a Redis was killed may be gone with it: only what is learned from here on counts.
        known = {router.id: set(router.routes()) for router in routers}
        if agents != [router.agent.pid for router in routers]:
            before, agents = {}, [router.agent.pid for router in routers]
        for router in routers:
            wait_met(router, outage, before.get(router.id, {}))
        load.wait_for(30)
        wait_until("the outage to last", lambda: time.monotonic() - began >= outage.lasts)
        learned = set().union(*(set(router.routes()) - known[router.id] for router in routers))
        for _ in play:
            pass
        load.wait_for(30)
    wait_well(world, "connected again, nothing waits to be written")
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])
    slowest = SLOWEST + LOST_TIMER * (outage.agents_end and places.haproxy_version() < (3, 0))
    expect.true(f"the slowest answer took {load.slowest:.2f} s", load.slowest < slowest)
    expect.true("nothing was learned during the outage", learned)
    expect.same("routes learned during the outage that are not in Redis after it",
                sorted(learned - set(world.shared_routes())), [])
    shares_again(world)
    for router in routers:
        gone = router.counters()["store_disconnects"] - before.get(router.id, {}).get("store_disconnects", 0)
        expect.true(f"connections of {router.id} that ended: {gone}", (gone > 0) == outage.breaks)
    expect.same("the agents", [router.agent.pid for router in routers], agents)


def scenario_of(outage):
    world = {"routers": ONE, "answers": BOTH, "pick": AWAY, "level0": False, "settings": {"redis": IMPATIENT},
             **outage.world}

    @scenario(timeout=60, **world)
    def test(world):
        run(world, outage)

    test.__doc__ = outage.play.__doc__
    return test


for _name, _outage in OUTAGES.items():
    globals()[f"test_flow_24_redis_{_name}"] = scenario_of(_outage)
