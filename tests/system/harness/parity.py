"""The same requests by bare HAProxy and by a router, and what client and cell saw of each, field by field.

Bare HAProxy has the same site, with a static rule to the owning cell in place of the router. What may differ is what
expected() and allowed() take out, and what a case says; docs/requests.md (Parity) gives the reasons."""

import itertools
import re
from dataclasses import dataclass, field

from harness import configs, expect, places
from harness.client import Broken, Connection, Request
from harness.http2 import Http2, tls
from harness.process import Failure, Process, wait_until
from harness.router import connects

WAYS = ("miss", "hit", "stale")
LARGE = 40_000  # more than the edge's buffer, less than the tier's
BODIES = {"GET": b"", "POST": b"some=body&", "large": b"0123456789" * (LARGE // 10)}
PICK = "eu1"  # gets the first try of an unknown path

# What a cell gets, and what a client gets, of the router's own.
CONTRACT = re.compile(r"(?i)x-gitlab-cell-(router|request|attempt|route|from|why)$")
CONTRACT_OF_CELLS = re.compile(r"(?i)x-gitlab-cell-(redirect|cache)$")
REASON = "x-gitlab-cell-reason"
TAG = "x-request-tag"
AUTHORITY = 2  # type of the part of a PROXY header that has the name that the client asked for


@dataclass
class Case:
    """One request. It is made once for each of ways and bodies."""

    name: str
    target: str = "/x"  # behind the organization
    headers: list = field(default_factory=list)
    site: str = "plain"  # a frontend of SITES in test_parity.py
    by: str = "h1"  # h1, tls (HTTP/1.1 over TLS), h2 (over TLS)
    owner: str = "eu0"
    former: str = PICK  # the owner that a stale route names
    ways: tuple = WAYS
    bodies: tuple = tuple(BODIES)
    method: str | None = None  # in place of GET and POST
    chunked: bool = False
    held: int | None = None  # bytes of the body that go out before the answer; the rest never does
    status: int = 200  # of bare HAProxy's answer
    rule: dict = field(default_factory=dict)  # what the owner does instead (tests/cells/misbehaviour.py)
    like: dict = field(default_factory=dict)  # in its place, of bare HAProxy: the client sees the same
    differs: tuple = ()  # fields that may differ here (docs/requests.md, Parity)
    follows: bool = True  # a 307 on a stale route
    since: tuple = (2, 6)  # HAProxy's version


@dataclass
class Combination:
    case: Case
    way: str
    body: str
    organization: str

    @property
    def prefix(self):
        return f"/{self.organization}/"


def combinations(cases):
    numbers = itertools.count(1)
    version = places.haproxy_version()
    return [Combination(case, way, body, f"{case.owner}-{next(numbers)}")
            for case in cases if version >= case.since for way in case.ways for body in case.bodies]


class Side:
    """Bare HAProxy or the router: where its sites listen."""

    def __init__(self, world):
        self.ports = {}  # (site, tls) -> port
        self.world = world

    def bind(self, site):
        for over_tls in (False, True):
            self.ports[site, over_tls] = self.world.ports.reserve()
        return (f"    bind 127.0.0.1:{self.ports[site, False]}\n"
                f"    bind 127.0.0.1:{self.ports[site, True]} ssl crt {self.world.certificate} alpn h2,http/1.1\n")

    def connect(self, case):
        address = ("127.0.0.1", self.ports[case.site, case.by != "h1"])
        if case.by == "h1":
            return Connection(address)
        context = tls(f"{self.world.certificate}.crt", "h2" if case.by == "h2" else "http/1.1")
        return Http2(address, context, wild=True) if case.by == "h2" else Connection(address, tls=context)


SITE = """\
frontend site-{site} from cellrouter-edge
    log global
    filter spoe engine cellrouter config {spoe}
    log-format "${{CELLROUTER_LOG_FORMAT}}"
"""
KNOWN = "    use_backend %[var(txn.cellrouter.backend)]\n"

BARE = """\
global
    stats socket unix@{runtime} mode 600 level admin
    log stdout format raw local0 info
    nbthread 1
    hard-stop-after 20s
defaults
    mode http
    log global
    option httplog
    option forwardfor
    timeout connect 2s
    timeout client 60s
    timeout http-request 10s
    timeout server 60s
"""


def site_frontends(side, sites):
    """For world.site_more: the sites behind the router."""
    spoe = places.ROOT / "haproxy" / "cellrouter-spoe.conf"
    return "".join(SITE.format(site=site, spoe=spoe) + side.bind(site) + lines + KNOWN
                   for site, lines in sites.items())


class Bare(Side):
    """HAProxy alone. The organization's name says which cell owns it."""

    def start(self, sites):
        runtime = self.world.run / "bare.haproxy"
        text = BARE.format(runtime=runtime)
        for site, lines in sites.items():
            text += (f"frontend site-{site}\n" + self.bind(site) + lines
                     + "    use_backend %[path,field(2,/),field(1,-)]\n")
        for id, cell in self.world.cells.table.items():
            lines = "".join(f"    {line}\n" for line in self.world.backend_lines.get(id, ()))
            text += f"backend {id}\n{lines}    server {id}.1 127.0.0.1:{cell.port} {self.world.options_of(id)}\n"
        file = configs.write(self.world.logs / "bare.cfg", text)
        self.process = Process("haproxy bare", [places.haproxy(), "-db", "-f", file], self.world.logs / "bare.log",
                               errors=self.world.logs / "bare.errors")
        self.process.ready("listens", lambda: all(connects(("127.0.0.1", port)) for port in self.ports.values()))


# Making the routes what the ways say

def prepare(world, router, made):
    for one in made:
        cell = one.case.former if one.way == "stale" else one.case.owner
        world.cells.control("organization", name=one.organization, cell=cell)
    known = {one.prefix: one.case.former if one.way == "stale" else one.case.owner for one in made if one.way != "miss"}
    for prefix in known:
        router.request("GET", f"{prefix}warm")
    wait_until("all routes are known", lambda: known.items() <= router.routes().items())
    for one in made:
        if one.way == "stale":
            world.cells.move(one.organization, one.case.owner)


# Asking, and what was seen

def request_of(one, tag):
    body = BODIES[one.body]
    method = one.case.method or ("POST" if body else "GET")
    headers = [("Host", "site.example"), ("X-Request-Tag", tag)]
    if one.case.chunked and body:
        headers.append(("Transfer-Encoding", "chunked"))
    elif body:
        headers.append(("Content-Length", str(len(body))))
    return Request(method, f"/{one.organization}{one.case.target}", headers + one.case.headers, body,
                   one.case.chunked and bool(body))


def ask(side, one, tag):
    """What client and cell saw: field -> value."""
    request = request_of(one, tag)
    seen = {}
    steps = []
    for _ in range(3):
        with side.connect(one.case) as connection:
            here, there = connection.socket.getsockname(), connection.socket.getpeername()
            ports = {here[1]: "the client's", there[1]: "the edge's"}
            answer = asked(connection, one, request)
        steps.append(answer if isinstance(answer, str) else answer.status)
        if steps[-1] != 307 or answer.get(REASON) is None:
            break
    seen["steps"] = steps
    seen.update(of_client(answer, ports))
    deliveries = side.world.deliveries()
    side.world.marked = deliveries[-1].n if deliveries else side.world.marked
    deliveries = [d for d in deliveries if d.tag == tag and d.cell == one.case.owner]
    seen["deliveries to the owner"] = len(deliveries)
    if deliveries:
        seen.update(of_cell(deliveries[-1], ports))
    return seen


def asked(connection, one, request):
    try:
        if one.case.held is None or not request.body:
            return connection.request(request)
        connection.socket.sendall(request.head() + request.framed_body[: one.case.held])
        return connection.read_answer(request.method)
    except (Broken, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


def named(text, ports):
    for port, name in ports.items():
        text = re.sub(rf":{port}\b", f":{name}", text)
    return text


def of_client(answer, ports):
    if isinstance(answer, str):
        return {"client: answer": named(answer, ports)}
    return {
        "client: status": answer.status,
        "client: reason": answer.reason,
        "client: headers": [(name.lower(), named(value, ports)) for name, value in answer.headers],
        "client: interim": [(status, [(name.lower(), value) for name, value in headers])
                            for status, headers in answer.interim],
        "client: trailers": answer.trailers,
        "client: body": answer.body if len(answer.body) < 1000 else answer.sha256,
    }


def of_cell(delivery, ports):
    proxy = delivery.proxy and {key: ports.get(value, value) if "port" in key else value
                                for key, value in delivery.proxy.items()}
    parts = proxy.pop("more") if proxy else []
    return {
        "cell: request line": (delivery.method, delivery.target, delivery.version),
        "cell: headers": [(name.lower(), named(value, ports)) for name, value in delivery.headers
                          if name.lower() != TAG],
        "cell: body": (delivery.whole, delivery.body_length, delivery.body_sha256),
        "cell: trailers": delivery.trailers,
        "cell: PROXY header": proxy,
        "cell: PROXY header: name": [part for part in parts if part[0] == AUTHORITY],
        "cell: PROXY header: TLS": [part for part in parts if part[0] != AUTHORITY],
        "cell: server name": delivery.server_name,
    }


def allowed(seen, one):
    """What the router's side shows, without what may differ (docs/requests.md, Parity)."""
    seen = dict(seen)
    if seen["steps"][0] == 307 and one.way == "stale" and one.case.follows:
        del seen["steps"][0]
    seen["cell: headers"] = [pair for pair in seen.get("cell: headers", []) if not CONTRACT.match(pair[0])]
    seen["client: headers"] = [pair for pair in seen.get("client: headers", []) if pair[0] != REASON]
    return without_close(seen)


def without_close(seen):
    """HAProxy closes the connection after an error of its own when it happens not to have read all of the request."""
    if seen.get("client: status", 0) >= 500:
        seen["client: headers"] = [pair for pair in seen["client: headers"] if pair != ("connection", "close")]
    return seen


def expected(seen):
    seen = dict(seen)
    seen["cell: headers"] = seen.get("cell: headers", [])
    seen["client: headers"] = [pair for pair in seen.get("client: headers", []) if not CONTRACT_OF_CELLS.match(pair[0])]
    return without_close(seen)


def misbehave(world, one, rule):
    if rule:
        world.cells.behave()
        world.cells.misbehave(cell=one.case.owner, path=one.prefix, **rule)


def of_answer(seen):
    return {name: value for name, value in seen.items() if name.startswith("client: ")}


def compare(world, bare, router_side, one):
    """[(field, bare, router)] of what differs."""
    tag = f"{world.unique}-{one.organization}"
    misbehave(world, one, one.case.like or one.case.rule)
    wanted = expected(ask(bare, one, f"{tag}-b"))
    expect.same(f"{one.case.name}: bare HAProxy's answer", wanted["steps"], [one.case.status])
    misbehave(world, one, one.case.rule)
    got = allowed(ask(router_side, one, f"{tag}-r"), one)
    if one.case.like:
        wanted, got = of_answer(wanted), of_answer(got)
    names = [name for name in {**wanted, **got} if wanted.get(name) != got.get(name) and name not in one.case.differs]
    # Of another answer everything else follows.
    return [(name, *shown(name, wanted.get(name), got.get(name))) for name in (ANOTHER if "steps" in names else names)]


TOLD = 60  # differences; more are only counted
ANOTHER = ("steps", "client: body")


def shown(name, wanted, got):
    """Of two lists of headers only what is not in the other one, unless it is their order."""
    if name.endswith("headers") and sorted(map(str, wanted)) != sorted(map(str, got)):
        return [item for item in wanted if item not in got], [item for item in got if item not in wanted]
    return wanted, got


def run(world, bare, router_side, made):
    different = {}
    world.mark()
    for one in made:
        for name, wanted, got in compare(world, bare, router_side, one):
            how = f"    bare   {wanted!r}\n    router {got!r}".replace(one.organization, "ORGANIZATION")
            same = (f"{one.case.name}: {name}", how)
            different.setdefault(same, []).append(f"{one.way} {one.body}")
    if different:
        raise Failure(f"{len(different)} fields differ from what bare HAProxy shows\n" + "\n".join(
            f"{what} [{', '.join(where)}]\n{how}" for (what, how), where in list(different.items())[:TOLD]))
