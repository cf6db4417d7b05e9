"""What a line of HAProxy's log tells, and requests that the site keeps for itself."""

import re

from harness import counted, expect
from harness.process import wait_until
from harness.runner import scenario

FIELDS = re.compile(r'cell=(?P<cell>\S+) level=(?P<level>\S+) redirects=(?P<redirects>\S+) reason=(?P<reason>\S+) '
                    r'server=(?P<server>\S+) id=(?P<id>\S+) said="(?P<said>[^"]*)"')

KEPT = """\
    tcp-request content set-var(txn.cellrouter.skip) bool(true) if {{ path_beg /kept/ }}
    http-request deny if {{ path_beg /kept/denied/ /denied/ }}
""".replace("{{", "{").replace("}}", "}")


def fields(router, target):
    """The fields of the log line of this request."""
    line = wait_until(f"{target} in the log",
                      lambda: next((l for l in router.haproxy.lines() if f" {target} " in l), None))
    found = FIELDS.search(line)
    expect.true(f"fields of {line}", found)
    return found.groupdict()


@scenario(pick={"eu": "eu1"}, site_more=KEPT)
def test_log_lines_say_who_answered_and_who_was_asked(world):
    """A replay has its server and its id; a redirect to nowhere says whose it was; nobody was asked: level=none."""
    world.allow("still be processed before")  # the rules of this site stand behind its use_backend
    router = world.router("eu1")
    unknown = router.request("GET", "/my-company/a", user="root")
    told = fields(router, "/my-company/a")
    request_id = world.deliveries_of(unknown)[-1].get("X-Gitlab-Cell-Request")
    expect.same("a replay", told, {"cell": "eu0", "level": "none", "redirects": "1", "reason": "-", "server": "eu0.1",
                                   "id": request_id, "said": ""})
    router.request("GET", "/my-company/b", user="root")
    told = fields(router, "/my-company/b")
    expect.same("a hit", (told["cell"], told["level"], told["server"], told["id"]), ("eu0", "1", "eu0.1", "-"))
    router.request("GET", "/denied/x")
    expect.same("denied", fields(router, "/denied/x")["level"], "none")

    world.cells.misbehave(path="/my-company/", cell="eu0", redirect="Cell XX9")
    lost = router.request("POST", "/my-company/lost", user="root", body=b"x")
    expect.status(lost, 502, world)
    told = fields(router, "/my-company/lost")
    expect.same("who said what", (told["reason"], told["said"]), ("redirect-to-unknown-cell", "eu0 =Cell XX9"))


NOWHERE = "unix:/tmp/cellrouter-nobody-listens-here"


@scenario(pick={"eu": "eu1"}, site_more=KEPT, redis=False, settings={"redis": {"address": NOWHERE}})
def test_requests_that_the_site_keeps_ask_nobody(world):
    """50 denied requests are 50 lookups, and none with `skip`; what is kept and goes to a cell teaches nothing. (That
    Redis is not there is told with its address and the reason.)"""
    world.allow("still be processed before")
    router = world.router("eu1")
    why = f"connecting failed; connection ask to {NOWHERE}: No such file or directory"
    wait_until("the agent to say so", lambda: why in router.agent.text())
    info = router.cellctl("show info")
    for line in ("redis away", f"redis-address {NOWHERE}", "redis-error connecting failed; connection "):
        expect.true(f"{line!r} in\n{info}", f"\n{line}" in info)
    before = counted.take(world)
    for number in range(50):
        expect.status(router.request("GET", f"/kept/denied/{number}"), 403)
    counted.expect(world, before, lookups=0, learned=0)
    for number in range(50):
        expect.status(router.request("GET", f"/denied/{number}"), 403)
    counted.expect(world, before, lookups=50, learned=0)
    before = counted.take(world)
    answer = router.request("GET", "/kept/x")
    expect.true(f"a cell answers: {answer.status}", len(world.deliveries_of(answer)) > 0)
    counted.expect(world, before, lookups=0, learned=0)


REWRITES = """\
    tcp-request content set-var(txn.cellrouter.as) path,regsub(^/v1/,/) if { path_beg /v1/ }
    http-request set-path %[path,regsub(^/v1/,/)] if { path_beg /v1/ }
"""


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick={"eu": "eu1"}, site_more=REWRITES)
def test_rewritten_paths_are_learned(world):
    """By the path that cells get, and found by it; a stale route is left by it as well."""
    world.allow("still be processed before")
    router = world.router("eu1")
    before = counted.take(world)
    for number, cells in enumerate((["eu1", "eu0"], ["eu0"], ["eu0"])):
        answer = router.request("GET", f"/v1/my-company/{number}", user="alice")
        expect.status(answer, 200, world)
        seen = world.deliveries_of(answer)
        expect.same(f"request {number}", [(d.cell, d.target) for d in seen],
                    [(cell, f"/my-company/{number}") for cell in cells])
    counted.expect(world, before, lookups=3, hits=2, misses=1, learned=1)
    expect.same("routes", router.routes(), {"/my-company/": "eu0"})
    world.cells.move("my-company", "eu1")
    answer = router.request("GET", "/v1/my-company/moved", user="alice", follow_307=True)
    expect.status(answer, 200, world)
    wait_until("the route to move", lambda: router.routes().get("/my-company/") == "eu1")
