"""At HAProxy's limits: as many clients as it lets in, and more. docs/flows.md 29."""

import re
import threading
import time
import urllib.request

from harness import configs, expect, flows
from harness.client import Broken, Connection
from harness.process import wait_until
from harness.router import ask
from harness.runner import ANSWERS, ONE, scenario

KB = 1 << 10
MB = 1 << 20
CLIENTS = 40
LIMITED = {"haproxy": {"maxconn": CLIENTS}}
UPLOADS = 4  # that the tier takes at a time (harness/configs.py)
SLOW = 0.3  # what a cell takes for an answer, in s


class Crowd:
    """Many clients at once, each with one request on a connection of its own; `statuses` counts what they got."""

    def __init__(self, router):
        self.router, self.statuses, self.threads, self.lock = router, {}, [], threading.Lock()

    def send(self, number, method, target, body=b"", pieces=1):
        """That many more; {} in the target is another word for each. A body in pieces takes a second to go out."""
        for n in range(number):
            path = target.format(f"{method}-{len(self.threads)}-{n}")
            request = self.router.prepare(method, path, body=body, user="root")
            thread = threading.Thread(target=self.ask, args=(request, pieces), daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def ask(self, request, pieces):
        try:
            answer = once(self.router, request, pieces)
            if answer.get(expect.REASON) == "too-large-to-replay":
                answer = once(self.router, request, pieces)
            got = answer.get(expect.REASON) or answer.status
        except (OSError, Broken) as error:
            got = f"{type(error).__name__}: {error}"
        with self.lock:
            self.statuses[got] = self.statuses.get(got, 0) + 1

    def all_served(self, what):
        for thread in self.threads:
            thread.join()
        expect.same(what, self.statuses, {200: len(self.threads)})


def once(router, request, pieces):
    with Connection(router.address, 40) as connection:
        if pieces == 1:
            return connection.request(request)
        connection.socket.sendall(request.head())
        step = -(-len(request.body) // pieces)
        for at in range(0, len(request.body), step):
            time.sleep(1 / pieces)
            connection.socket.sendall(request.body[at : at + step])
        return connection.read_answer(request.method)


def split(world, delay=SLOW):
    """Unknown paths that EU0 owns, takes its time for, and claims nothing of; EU1 redirects there."""
    world.cells.misbehave(cell="eu1", path="/u/", redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", path="/u/", delay=delay, answer={"status": 200, "body": "here"})


def idle(router, number):
    """So many clients that say nothing; HAProxy has taken them."""
    return [Connection(router.address, 40) for _ in range(number)]


def kept(router, backend, server):
    """How many idle connections HAProxy keeps to a server."""
    found = router.stat(backend, server)
    return int(found["idle_conn_cur"]) + int(found["safe_conn_cur"])


def tier_room(router):
    """How many connections the tier takes beside those that the edge keeps idle."""
    rows = [line.split(",") for line in ask(router.class_socket(""), "show stat").splitlines()]
    most = next(int(row[6]) for row in rows if row[:2] == ["cellrouter-large", "FRONTEND"])
    return most - kept(router, "cellrouter-replay", "cellrouter-large")


def room(router, frontend="mysite"):
    """How many clients HAProxy takes at the edge."""
    return int(router.stat(frontend, "FRONTEND")["slim"])


@scenario(matrix={"answers": ANSWERS}, routers=ONE, large=4 * MB, timeout=170, settings=LIMITED)
def test_more_clients_than_maxconn(world):
    """Who is not let in waits at the edge; the replay pass never waits for clients. Half of the requests meet a
    redirect."""
    router = world.router("eu1")
    full = room(router)
    split(world)

    def posts(crowd, number):
        return crowd.send(number, "POST", "/u/{}", b"x" * 100)

    def gets(crowd):
        return crowd.send(3 * full, "GET", "/u/{}")

    def slow(crowd):
        return posts(crowd.send(full // 2, "POST", "/u/{}", b"x" * KB, pieces=5), full)

    def uploads(crowd):
        return posts(crowd.send(full // 2, "PUT", "/u/{}", b"x" * 100 * KB), full)

    crowds = [  # what, clients that are silent meanwhile, the others
        ("POSTs, while idle clients hold all places but one", full - 1, lambda crowd: posts(crowd, 5)),
        ("unknown GETs, the same", full - 1, lambda crowd: crowd.send(5, "GET", "/u/{}")),
        ("POSTs, three for each place", 0, lambda crowd: posts(crowd, 3 * full)),
        ("unknown GETs, three for each place", 0, gets),
        ("bodies that arrive slowly, and POSTs", 0, slow),
        ("uploads by the tier, others, and POSTs", full // 4, uploads),
    ]
    for what, silent, send in crowds:
        held = idle(router, silent)
        send(Crowd(router)).all_served(what)
        expect.true(f"idle connections leave the tier its places, after {what}", tier_room(router) >= UPLOADS)
        for connection in held:
            connection.close()


@scenario(matrix={"answers": ANSWERS}, routers=ONE, tls=True, timeout=60, settings=LIMITED)
def test_more_streams_than_the_loop_has_places(world):
    """One client of HTTP/2 is one connection; each of its requests is one of the loop, and waits for its turn."""
    router = world.router("eu1")
    split(world)
    with router.connect_h2() as client:
        requests = [router.prepare("POST", f"/u/{n}", body=b"x" * 100, user="root") for n in range(2 * CLIENTS)]
        numbers = [client.start(request) for request in requests]
        statuses = [client.answer(number).status for number in numbers]
    expect.same("answers", statuses, [200] * len(numbers))
    expect.true("some waited for the loop", int(router.stat("cellrouter-replay")["qmax"]) > 0)


@scenario(pick={"eu": "eu1"}, answers=425, routers=ONE, tls=True, timeout=60, settings=LIMITED)
def test_more_retries_than_the_loop_has_places(world):
    """The same of requests that went to their cell at once, all of which redirect at the same time: the retries of one
    backend queue for the loop, for longer than a cell may take to accept a connection, and leave nothing idle there."""
    router = world.router("eu1")
    flows.settled(world, "hit")
    world.cells.misbehave(cell="eu0", path="/my-company/", delay=1, redirect="Cell EU1")
    world.cells.misbehave(cell="eu1", path="/my-company/", delay=1, answer={"status": 200, "body": "here"})
    with router.connect_h2(40) as client, router.connect_h2(40) as other:
        requests = [router.prepare("GET", f"/my-company/{n}", user="alice") for n in range(2 * CLIENTS)]
        started = [(connection, connection.start(request)) for request in requests for connection in (client, other)]
        statuses = [connection.answer(number).status for connection, number in started]
    expect.same("answers", statuses, [200] * len(started))
    expect.true("some waited for the loop", int(router.stat("cellrouter-direct-eu0")["qmax"]) > 0)
    expect.same("idle connections", kept(router, "cellrouter-direct-eu0", "cellrouter-loop"), 0)


GLOBAL = 400  # places in HAProxy, for clients and the loop
PLACES = {"haproxy": {"maxconn": (GLOBAL - 100) * 2 // 5}}


def everything(crowd, number):
    """So many clients at once, in turn one with an unknown path, a POST, a slow body, an upload; half of them meet a
    redirect."""
    for n in range(number):
        method, body, pieces = (("GET", b"", 1), ("POST", b"x" * 100, 1), ("POST", b"x" * KB, 4),
                                ("PUT", b"x" * 60 * KB, 1))[n % 4]
        crowd.send(1, method, "/u/{}", body, pieces)
    return crowd


@scenario(routers=ONE, large=4 * MB, threads=2, timeout=120, settings=PLACES)
def test_chaos_at_maxconn(world):
    """HAProxy has 400 places, cells take half a second. 39 of 180 and 294 of 390 were lost before the loop had places
    of its own; and some of three for each place, before the kernel kept as many waiting. A crowd of all kinds comes
    while idle clients hold most places."""
    router = world.router("eu1")
    expect.same("global maxconn", re.findall(r"^Maxconn: (\d+)", router.runtime("show info"), re.M), [str(GLOBAL)])
    split(world, 0.5)
    for what, silent, send in [
            ("180 unknown paths", 0, lambda crowd: crowd.send(180, "GET", "/u/{}")),
            ("390 POSTs", 0, lambda crowd: crowd.send(390, "POST", "/u/{}", b"x" * 100)),
            ("160 of all kinds, beside idle clients", room(router) * 3 // 4, lambda crowd: everything(crowd, 160)),
    ]:
        held = idle(router, silent)
        send(Crowd(router)).all_served(what)
        for connection in held:
            connection.close()
    router.haproxy.must_live()


SECOND = """\
frontend second from cellrouter-edge
    bind 127.0.0.1:{port}
    use_backend %[var(txn.cellrouter.backend)]
"""
# What a site does -> what its global section and its own file get more, and what the agent says: the limit, what it is,
# and what would be right. 120 clients of one frontend make GLOBAL places, and some 830 descriptors.
MISTAKES = {
    "nothing": ("", "", []),
    "a second frontend": ("", SECOND, [("clients", 240, "at most", 220)]),
    "a maxconn of its own": ("    maxconn 350\n", "", [("maxconn", 350, "at least", GLOBAL)]),
    "too few descriptors": ("    no strict-limits\n    ulimit-n 700\n", "", [("descriptors", 700, "at least", None)]),
    "nothing again": ("", "", []),
}


def wrong_limits(router):
    """What `cellctl show haproxy` says of the process that serves now; None while it knows of another one."""
    text = router.cellctl("show haproxy")
    if f"\npid {router.haproxy.pid}\n" not in text or "\nunread" in text:
        return None
    found = re.findall(r"^wrong (\w+) is (\d+), right is (at \w+) (\d+): ", text, re.M)
    return [(name, int(number), bound, int(right)) for name, number, bound, right in found]


@scenario(routers={"eu1": "eu"}, level0=True, http=True, timeout=60, settings=PLACES)
def test_the_agent_says_which_limit_is_wrong(world):
    """In `show haproxy`, in a gauge, on the status page and, once, in the log; after each reload of HAProxy."""
    world.allow(r"already specified|FD limit|below|too low|ulimit-n")
    router = world.router("eu1")
    files = {path.name: path.read_text(encoding="utf-8") for path in router.files}
    port = world.ports.reserve()
    for what, (more_global, more_site, expected) in MISTAKES.items():
        configs.write(router.folder / "global.cfg", files["global.cfg"] + more_global)
        configs.write(router.folder / "site.cfg", files["site.cfg"] + more_site.format(port=port))
        if what != "nothing":
            router.reload()
        found = wait_until(f"the agent to know HAProxy's limits, with {what}: {router.cellctl('show haproxy')}",
                           lambda: [found for found in (wrong_limits(router),) if found is not None])[0]
        expected = [(*limit[:3], limit[3] or found[0][3]) for limit in expected]
        expect.same(f"wrong limits, with {what}", found, expected)
        expect.same("the gauge", router.counters()["haproxy_limits_wrong"], len(expected))
        with urllib.request.urlopen(f"http://127.0.0.1:{router.http_port}/", timeout=10) as page:
            text = page.read().decode()
        for name, number, bound, right in expected:
            expect.true("the status page says so", f"{name} is {number}, right is {bound} {right}; " in text)
            line = rf" reason=haproxy_limits .*limit={name} is={number} right=\"{bound} {right}\""
            expect.same("lines of the log", len(re.findall(line, router.agent.text())), 1)
        expect.same("the status page is content", "as the rules need them" in text, not expected)
    expect.true("the log says that all is well again", " reason=haproxy_limits_right " in router.agent.text())
