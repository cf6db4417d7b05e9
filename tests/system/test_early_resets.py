"""docs/flows.md 39: a cell answers, or redirects, and resets the connection while a body is still coming in.

HAProxy lives, and the client gets what bare HAProxy would give it: the answer, but with HAProxy 2.6 and with cells that
speak HTTP/2 not always. (docs/requests.md: HAProxy 3.0 and 3.2 do not survive an SPOE message about such an answer.)"""

import collections

from harness import expect, flows, places
from harness.client import Broken
from harness.runner import ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
H2 = "check inter 500ms fall 1 rise 1 proto h2"
GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
TRIES = 8
PATIENCE = 3.0  # seconds
BODY = bytes(400_000)  # more than HAProxy's buffers hold, less than the machine's sockets do
LARGE = bytes(4_000_000)  # more than those, too


def asked(router, method, target, headers, body, over):
    """The status; 307 also for a gRPC call that is told to come again. "broken" where the connection ended without an
    answer."""
    try:
        with router.connect_h2(PATIENCE) if over == "h2" else router.connect(PATIENCE) as connection:
            answer = connection.request(router.prepare(method, target, user="alice", body=body, headers=headers))
            return 307 if answer.get("Retry-After") == "0" and headers == GRPC else answer.status
    except (Broken, TimeoutError):
        return "broken"


def provoke(world, router, name, over):
    """Each kind of request, again and again; how they ended."""
    found = collections.Counter()
    for number in range(TRIES):
        for kind, method, headers in (("GET", "GET", []), ("POST", "POST", []), ("gRPC", "POST", GRPC)):
            if name == "stale" and "/stale/" not in router.routes():
                router.request("GET", "/stale/teach")
                flows.wait_known(world, router, "/stale/")
            body = LARGE if number % 4 == 3 else BODY
            found[asked(router, method, f"/{name}/early/{kind}-{over}-{number}", headers, body, over)] += 1
            router.haproxy.must_live()
    return dict(found)


def always_answers(world):
    """Bare HAProxy 2.6 loses some such answers; each version does with cells that speak HTTP/2, and where it may retry
    a 421 or 425."""
    return places.haproxy_version() >= (3, 0) and world.server_options != H2 and world.cells.table["eu0"].answers == 302


@scenario(matrix={"answers": {"302": 302, "421": 421, "425": 425},
                  "settings": {hits: {"haproxy": {"direct-hits": hits}} for hits in ("safe", "all", "never")},
                  "server_options": {"h1": "check inter 500ms fall 1 rise 1", "h2": H2}},
          pick=AWAY, routers=ONE, tls=True, threads=1, timeout=170)
def test_haproxy_survives_early_resets(world):
    """Redirects and answers with a claim, on unknown, known and stale routes, and nonsense; some two hundred tries."""
    router = world.router("eu1")
    pid = router.haproxy.pid
    for owner in ("unknown", "known", "stale"):
        world.cells.control("organization", name=owner, cell="eu0")
    for name in ("known", "stale"):
        expect.status(router.request("GET", f"/{name}/first"), 200, world)
        flows.wait_known(world, router, f"/{name}/")
    world.cells.misbehave(cell="eu1", path="/unknown/early", early="reset", redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", path="/stale/early", early="reset", redirect="Cell EU1")
    world.cells.misbehave(cell="eu0", path="/known/early", early="reset", answer={"status": 200, "body": "enough"},
                          cache="{path_prefix:/known/}")
    world.cells.misbehave(cell="eu1", path="/nonsense/early", early="reset", redirect_text="{")
    hits = world.settings["haproxy"]["direct-hits"]
    for name in ("unknown", "known", "stale", *(["nonsense"] if hits == "safe" else [])):
        for over in ("h1", "h2"):
            found = provoke(world, router, name, over)
            print(f"/{name}/ over {over}: {found}")
            if always_answers(world):
                right = {"known": 200, "nonsense": 502}.get(name, 307)
                expect.same(f"/{name}/ over {over}: ways to end", list(found), [right])
    expect.same("the process", router.haproxy.pid, pid)
    expect.status(router.request("GET", "/known/last"), 200, world)
