"""The size classes of the large-body tier: which one a body takes, at each limit; one that is down, full or restarted.
docs/flows.md 16."""

import hashlib
import itertools
import random
import re
import threading

from harness import counted, expect, places
from harness.client import Broken
from harness.load import UPLOADS, Load
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario
from harness.world import AGENT_GONE

KB, MB = 1 << 10, 1 << 20
AWAY = {"eu": "eu1", "us": "us1"}
SIZES = {"64k": 64 * KB, "256k": 256 * KB, "1m": MB}
CLASSES = [f"{name}:4" for name in SIZES]
REASON = "large-full"
NUMBERS = itertools.count()  # no two uploads are the same request: HAProxy would remember the first one's cell


def bytes_of(length):
    return random.Random(length).randbytes(length)


def taken(router):
    """How many requests each class has been given."""
    return {name: int(router.class_stat(name)["stot"]) for name in router.classes}


def upload(world, router, length, wanted, padding=0, **more):
    """An upload to an unknown path: the class that is wanted takes it, no other one does, and each cell gets it whole.
    wanted None: none does, and it is sent once and then goes right after a 307."""
    before, path = taken(router), f"/my-company/{next(NUMBERS)}"
    answer = router.request("POST", path, user="alice", body=bytes_of(length), timeout=50,
                            headers=[("X-Padding", "p" * 1000)] * padding, follow_307=True, **more)
    what = f"{length} bytes, {padding} kB of headers {more or ''}"
    expect.same(f"answers: {what}", [step.status for step in answer.steps], [200] if wanted else [307, 200])
    expect.same(f"class: {what}", [name for name, count in taken(router).items() if count > before[name]],
                [wanted] if wanted else [])
    got = [(d.cell, d.whole, d.body_sha256) for step in answer.steps for d in world.deliveries_of(step)]
    expect.same(f"deliveries: {what}", got,
                [(cell, True, hashlib.sha256(answer.request.body).hexdigest()) for cell in ("eu1", "eu0")])


def class_is(router, name, state):
    wait_until(f"HAProxy sees that {name} is {state}", lambda: router.class_stat(name)["status"] == state)


def unknown(world):
    """Paths of my-company that stay unknown: its owner claims nothing."""
    world.cells.misbehave(cell="eu0", path="/my-company/", cache="")


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, classes=CLASSES, timeout=120)
def test_bodies_at_the_limits_of_each_class(world):
    """The smallest class that holds a body takes it, whatever its headers; what says no length takes the largest. One
    that is down is passed over, and one that comes back takes its own again."""
    router, names = world.router("eu1"), list(SIZES)
    world.allow("cellrouter-large")
    unknown(world)
    for number, (name, limit) in enumerate(SIZES.items()):
        for length, wanted in ((limit - 1, name), (limit, name), (limit + 1, (*names, None)[number + 1])):
            for padding in (0, 11):
                upload(world, router, length, wanted, padding)
    upload(world, router, 20 * KB, "1m", chunked=True)
    upload(world, router, MB - 64 * KB, "1m", chunked=True)
    router.classes["64k"].kill()
    class_is(router, "64k", "DOWN")
    upload(world, router, 20 * KB, "256k")
    router.classes["1m"].kill()
    class_is(router, "1m", "DOWN")
    upload(world, router, 20 * KB, "256k", chunked=True)
    upload(world, router, MB, None)
    router.classes["256k"].kill()
    class_is(router, "256k", "DOWN")
    upload(world, router, 20 * KB, None)
    for name in names:
        router.start_class(name)
        class_is(router, name, "UP")
        upload(world, router, SIZES[name], name)


class Posts:
    """POSTs at the same time, each on a connection of its own; the statuses and reasons that they got."""

    def __init__(self, router):
        self.router, self.threads, self.got, self.lock = router, [], [], threading.Lock()

    def send(self, target, length, headers=()):
        request = self.router.prepare("POST", target, user="alice", body=bytes_of(length), headers=headers)
        thread = threading.Thread(target=self.ask, args=(request,), daemon=True)
        thread.start()
        self.threads.append(thread)

    def ask(self, request):
        try:
            with self.router.connect(timeout=40) as connection:
                answer = connection.request(request)
            got = (answer.status, answer.get(expect.REASON))
        except (OSError, Broken) as error:
            got = (type(error).__name__, None)
        with self.lock:
            self.got.append(got)

    def all(self):
        for thread in self.threads:
            thread.join()
        return self.got


def hold(world, router, number, length=20 * KB, gate="held"):
    """That many requests whose owner does not answer yet: they keep their places. let_go() ends that."""
    world.mark()
    world.cells.behave()
    world.cells.misbehave(cell="eu0", path="/my-company/held", cache="", gate=f"{world.unique}-{gate}")
    unknown(world)  # for all others: the first rule that fits counts
    posts = Posts(router)
    for n in range(number):
        posts.send(f"/my-company/held/{n}", length)
    wait_until("all of them to be at the owner",
               lambda: sum(d.cell == "eu0" and "/held/" in d.target for d in world.deliveries()) == number)
    return posts


def let_go(world, gate="held"):
    world.cells.open(f"{world.unique}-{gate}")


FULL = {"haproxy": {"maxconn": 24, "large-wait": 3}}  # four may wait for each of three classes


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, classes=["64k:2", "256k:2", "1m:2"], timeout=120,
          settings=FULL)
def test_a_class_that_is_full(world):
    """Requests wait for their turn, in order, and get it. Whose turn does not come within large-wait, and who finds
    too many before it, is told to come later; a client that comes again by itself is sent on once instead. Other
    classes, and what needs none, do not notice."""
    router = world.router("eu1")
    unknown(world)
    held, waiting, again = hold(world, router, 2), Posts(router), Posts(router)
    for n in range(4):
        waiting.send(f"/my-company/waiting/{n}", 20 * KB)
        wait_until("it waits", lambda n=n: int(router.class_stat("64k")["qcur"]) == n + 1)
    upload(world, router, 70 * KB, "256k")
    small = router.request("POST", "/my-company/small", user="alice", body=bytes_of(5 * KB))
    expect.status(small, 200, world)
    # Too many wait: no more are taken in.
    answer = router.request("POST", "/my-company/late", user="alice", body=bytes_of(20 * KB))
    expect.status(answer, 503, world)
    expect.reason(answer, REASON)
    expect.same("Retry-After", answer.get("Retry-After"), "10")
    expect.saw(world, answer)
    browser = [("Sec-Fetch-Mode", "cors")]
    for path, more in (("browser", {"headers": browser}), ("expect", {"expect": True})):
        answer = router.request("POST", f"/my-company/{path}", user="alice", body=bytes_of(20 * KB), follow_307=True,
                                **more)
        expect.same(f"answers to one that comes again, {more}", [step.status for step in answer.steps], [307, 200])
        expect.reason(answer.steps[0], "too-large-to-replay")
    expect.same("those whose turn did not come", waiting.all(), [(503, REASON)] * 4)
    let_go(world)
    expect.same("those that held it", held.all(), [(200, None)] * 2)
    # In order.
    wait_until("its places are free", lambda: int(router.class_stat("64k")["scur"]) == 0)
    held = hold(world, router, 2, gate="again")
    for n in range(4):
        again.send(f"/my-company/again/{n}", 20 * KB)
        wait_until("it waits", lambda n=n: int(router.class_stat("64k")["qcur"]) == n + 1)
    let_go(world, "again")
    expect.same("those that held it now", held.all(), [(200, None)] * 2)
    expect.same("those that waited", again.all(), [(200, None)] * 4)
    first = [d.target for d in world.deliveries() if d.cell == "eu1" and "/again/" in d.target]
    # There are two places: neighbours may be on their way at the same time.
    expect.true(f"their turns came in order: {first}",
                all(abs(first.index(f"/my-company/again/{n}") - n) <= 1 for n in range(4)))
    wait_until("a log line of the one that was late", lambda: any("/my-company/late HTTP/" in line and " 503 " in line
                                                                  and f" reason={REASON}" in line
                                                                  for line in router.haproxy.lines()))


CROWD = 300


@scenario(pick=AWAY, routers=ONE, classes=["64k:32", "1m:4"], timeout=120)
def test_three_hundred_posts_at_once(world):
    """Of 20 to 40 kB each, to unknown paths, at one router: all are answered 200, by the owner, which got each whole
    and once."""
    router = world.router("eu1")
    unknown(world)
    world.mark()
    posts = Posts(router)
    for n in range(CROWD):
        posts.send(f"/my-company/crowd/{n}", 20 * KB + n * 68)
    expect.same("answers", {got: posts.all().count(got) for got in posts.all()}, {(200, None): CROWD})
    seen = [d for d in world.deliveries() if d.cell == "eu0"]
    expect.same("deliveries to the owner", (len(seen), all(d.whole for d in seen), len({d.target for d in seen})),
                (CROWD, True, CROWD))
    expect.same("requests in the class", taken(router), {"64k": CROWD, "1m": 0})


@scenario(pick=AWAY, routers=ONE, classes=["64k:4", "1m:4"], timeout=120)
def test_a_class_that_dies_in_the_middle(world):
    """What it had sent on ends in a 502 with a reason, and nobody is asked again. What waited for its turn is sent
    once, as without a tier, unless it came just then."""
    router = world.router("eu1")
    world.allow("cellrouter-large")
    unknown(world)
    held, waiting = hold(world, router, 4), Posts(router)
    for n in range(8):
        waiting.send(f"/my-company/waiting/{n}", 20 * KB)
    wait_until("they wait", lambda: int(router.class_stat("64k")["qcur"]) == 8)
    before = counted.take(world)
    router.classes["64k"].kill()
    expect.same("those that were in it", held.all(), [(502, "cell-failed")] * 4)
    waited = waiting.all()
    expect.true(f"those that waited: {waited}", waited.count((307, "too-large-to-replay")) >= 1
                and set(waited) <= {(307, "too-large-to-replay"), (502, "cell-failed")})
    let_go(world)
    class_is(router, "64k", "DOWN")
    upload(world, router, 30 * KB, "1m")
    counted.expect(world, before, lookups=1, hits=0, dropped=0, refused=0)
    expect.same("deliveries of one that was held", [d.cell for d in world.deliveries() if d.target.endswith("/held/0")],
                ["eu1", "eu0"])


@scenario(pick=AWAY, routers=ONE, classes=["4m:4"], timeout=120)
def test_a_class_keeps_to_its_memory(world):
    """As many requests as it takes, each with a body that fills its buffers: below the number that its configuration
    prints."""
    router = world.router("eu1")
    unknown(world)
    process = router.classes["4m"]
    idle = process.resident()
    for turn in range(3):
        world.mark()
        held = hold(world, router, 4, 4 * MB, str(turn))
        let_go(world, str(turn))
        expect.same("answers", held.all(), [(200, None)] * 4)
    printed = int(re.search(r"KiB each: (\d+) MiB", (router.folder / "large-4m.cfg").read_text())[1])
    grown = process.peak() - idle
    expect.true(f"it has grown by {grown >> 10} KiB and prints {printed} MiB",
                4 * 4 * MB < grown < printed * MB)


SLOWEST = 2.0  # s
LOST_TIMER = 5.0  # s, HAProxy 2.6 and an agent that dies with a question open (docs/requests.md, limits)


@scenario(routers={"eu1": "eu"}, classes=["64k:16", "1m:4"], timeout=120)
def test_uploads_among_others_while_agent_and_redis_come_and_go(world):
    """Some 200 requests a second, a sixth of them PUTs of 60 kB to known and to new paths, while agent and Redis are
    killed, stopped and started again: no error, and no answer that takes more than two seconds, but for the timer that
    HAProxy 2.6 loses."""
    world.allow(AGENT_GONE)
    world.allow(r"store_")
    router = world.router("eu1")

    def agent_is(state):
        return lambda: router.stat("cellrouter-agent", "agent")["status"].startswith(state)

    with Load(world, [router], clients=6, pause=0.02, mix=UPLOADS) as load:
        load.wait_for(300)
        router.agent.kill()
        load.wait_for(150)
        router.restart_agent()
        load.wait_for(150)
        router.agent.freeze()
        wait_until("HAProxy sees that the agent stands still", agent_is("DOWN"))
        load.wait_for(100)
        router.agent.thaw()
        wait_until("HAProxy sees it again", agent_is("UP"))
        world.redis_process.freeze()
        load.wait_for(200)
        world.redis_process.thaw()
        load.wait_for(100)
        world.redis_process.kill()
        load.wait_for(150)
        world.start_redis()
        load.wait_for(200)
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])
    slowest = SLOWEST if places.haproxy_version() >= (3, 0) else LOST_TIMER + SLOWEST
    expect.true(f"the slowest answer took {load.slowest:.2f} s", load.slowest < slowest)
    expect.true("uploads took the tier", taken(router)["64k"] > load.count // 20)
