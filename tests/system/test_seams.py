"""Where two parts of HAProxy's rules meet: what a reader of them would not think of trying. Each was wrong once."""

from harness import counted, expect, flows, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
ALL = {**ANSWERS, "425": 425}
MB = 1 << 20


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE)
def test_a_first_request_is_always_answered(world):
    """A cell that closes without an answer is a 502 with a reason for a client's first request, also when the router's
    own connections have been used before: HAProxy's silence is for a client's later ones."""
    router = world.router("eu1")
    for number in range(3):
        expect.status(router.request("POST", f"/api/v4/{number}/x", user="alice", body=b"a=b"), 200, world)
    world.cells.misbehave(path="/my-company/dies", die="head")
    for method in ("GET", "POST"):
        before = counted.take(world)
        answer = router.request(method, "/my-company/dies", user="alice")
        expect.status(answer, 502, world)
        expect.reason(answer, "cell-failed")
        expect.same("cells that saw it", [d.cell for d in world.deliveries_of(answer)], ["eu1"])
        counted.one(world, before, "miss", learned=0)


@scenario(matrix={"answers": ANSWERS, "large": {"tier": 4 * MB, "no-tier": 0}}, pick=AWAY, routers=ONE, tls=True)
def test_headers_and_a_body_of_unknown_length_fill_the_buffer(world):
    """HTTP/2 without a Content-Length: the tier replays it where there is one, else one 307 leads to the owner."""
    router = world.router("eu1")
    headers = [("X-Fill", "f" * 7000)]
    request = {"user": "alice", "headers": headers, "body": bytes(300_000), "chunked": True}
    before, tries = counted.take(world), 1 if world.large else 2
    with router.connect_h2() as connection:
        answer = connection.request(router.prepare("POST", "/my-company/x", **request))
        if not world.large:
            expect.status(answer, 307, world)
            expect.reason(answer, "too-large-to-replay")
            answer = connection.request(router.prepare("POST", "/my-company/x", **request))
        expect.status(answer, 200, world)
        expect.same("the answering cell", answer.cell, "eu0")
        expect.same("what the owner got", [(d.whole, d.body_length) for d in world.deliveries_of(answer)][-1],
                    (True, 300_000))
    taught = bool(world.large) or flows.uploads_teach(chunked=True)
    counted.expect(world, before, lookups=tries, hits=0, misses=tries, learned=int(taught), moved=0, dropped=0,
                   refused=0)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_the_307_leads_to_no_other_host(world):
    router = world.router("eu1")
    for target in ("//evil.example/x?a=b", "/\\evil.example/x"):
        world.cells.misbehave(cell="eu1", path=target.partition("?")[0], redirect="Cell EU0")
        before = counted.take(world)
        answer = router.request("POST", target, user="alice", body=bytes(MB))
        counted.one(world, before, "miss", learned=0)
        expect.status(answer, 307, world)
        expect.reason(answer, "too-large-to-replay")
        expect.same("Location", answer.get("Location"), "/." + target)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_flow_19_with_a_body_too_large_to_replay(world):
    """Each try costs the client an upload: they are counted as hops, and the third redirect is the end of it."""
    router = world.router("eu1")
    world.cells.misbehave(cell="eu1", path="/loop", redirect="Cell EU0")
    world.cells.misbehave(cell="eu0", path="/loop", redirect="Cell EU1")
    cells = []
    for status, reason in ((307, "too-large-to-replay"), (307, "too-large-to-replay"), (508, "too-many-hops")):
        before = counted.take(world)
        answer = router.request("PUT", "/loop/x", user="alice", body=bytes(MB))
        counted.one(world, before, "miss", learned=0)
        expect.status(answer, status, world)
        expect.reason(answer, reason)
        cells += [d.cell for d in world.deliveries_of(answer)]
    expect.same("cells that saw it", cells, ["eu1", "eu0", "eu1"])


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE)
def test_a_redirect_whose_body_comes_late(world):
    """The redirect counts, not the time that its body takes."""
    world.cells.misbehave(cell="eu1", path="/my-company/late",
                          answer={"status": world.cells.table["eu1"].answers, "body_bytes": 3000, "pause": 1.5,
                          "headers": [["X-Gitlab-Cell-Redirect", "{cell:Cell EU0}"]]})
    before = counted.take(world)
    answer = world.router("eu1").request("POST", "/my-company/late", user="alice", body=b"a=b")
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")
    counted.one(world, before, "miss")


@scenario(matrix={"answers": {"302": 302}}, pick=AWAY, routers=ONE, large=MB)
def test_a_chunked_body_beyond_the_tier_is_told_to_come_again(world):
    """Though the cell redirects before it has read it; from 3.0 on."""
    world.cells.misbehave(cell="eu1", path="/my-company/early", early=True, redirect="Cell EU0")
    before = counted.take(world)
    answer = world.router("eu1").request("POST", "/my-company/early", user="alice", body=bytes(3 * MB), chunked=True,
                                         follow_307=True)
    counted.expect(world, before, lookups=2, hits=0, misses=2, learned=int(flows.uploads_teach(chunked=True)), moved=0,
                   dropped=0, refused=0)
    expect.same("answers to the client", [step.status for step in answer.steps], [307, 200])
    expect.same("the answering cell", answer.cell, "eu0")


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE)
def test_a_stale_post_that_fills_the_buffer_with_its_headers(world):
    router = flows.settled(world, "hit")
    world.cells.move("my-company", "eu1")
    before = counted.take(world)
    answer = router.request("POST", "/my-company/x", user="alice", body=bytes(9500),
                            headers=[(f"X-Fill-{n}", "f" * 900) for n in range(4)])
    counted.one(world, before, "hit", moved=1)
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu0", "eu1")


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE)
def test_a_redirect_that_begins_as_a_named_cell_would(world):
    """The rules mark a cell that a redirect names with "="; a cell that says so itself is malformed."""
    for kind, cell in (("miss", "eu1"), ("hit", "eu0")):
        for method in ("GET", "POST"):
            router = flows.settled(world, kind)
            world.cells.misbehave(cell=cell, path="/my-company/equals", redirect_text="=us0")
            before = counted.take(world)
            answer = router.request(method, "/my-company/equals", user="alice")
            counted.expect(world, before, lookups=1, hits=int(kind == "hit"), learned=0, moved=0, refused=0)
            expect.status(answer, 502, world)
            expect.reason(answer, "redirect-malformed")
            expect.saw(world, answer, cell)
            world.cells.behave()


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE,
          site_more="    http-response deny deny_status 503 if { res.hdr(X-Deny) -m found }\n")
def test_a_sites_own_refusal_has_no_reason_of_ours(world):
    world.cells.misbehave(path="/my-company/denied", answer={"headers": [["X-Deny", "1"]], "body": "x"})
    for kind in ("miss", "hit"):
        router = flows.settled(world, kind)
        for method in ("GET", "POST"):
            before = counted.take(world)
            answer = router.request(method, "/my-company/denied", user="alice")
            counted.one(world, before, kind, learned=0)
            expect.status(answer, 503, world)
            expect.same("reason", answer.get(expect.REASON), None)


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE)
def test_a_stale_options_is_replayed(world):
    """Browsers take no redirect of a preflight."""
    router = flows.settled(world, "hit")
    world.cells.move("my-company", "eu1")
    before = counted.take(world)
    answer = router.request("OPTIONS", "/my-company/x", user="alice")
    counted.one(world, before, "hit", moved=1)
    expect.same("the answering cell", answer.cell, "eu1")
    expect.saw(world, answer, "eu0", "eu1")


@scenario(matrix={"answers": ALL}, pick=AWAY, routers=ONE, settings={"haproxy": {"max-hops": 1}})
def test_one_hop_at_most(world):
    router = flows.settled(world, "miss")
    before = counted.take(world)
    answer = router.request("GET", "/my-company/x", user="alice")
    expect.status(answer, 508, world)
    expect.reason(answer, "too-many-hops")
    expect.saw(world, answer, "eu1")
    counted.one(world, before, "miss", learned=0)
    if world.cells.table["eu0"].answers == 425:  # asked at once, and HAProxy tries again by itself
        world.cells.move("my-company", "eu1")
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        flows.wait_known(world, router, "/my-company/")
        world.cells.move("my-company", "eu0")
        answer = router.request("POST", "/my-company/x", user="alice", body=b"a=b")
        expect.status(answer, 508, world)
        expect.reason(answer, "too-many-hops")
        expect.saw(world, answer, "eu1")


@scenario(pick=AWAY, routers=ONE, level0=True, settings={"routes": {"hosts": "true"}})
def test_a_host_with_a_slash_is_no_path(world):
    """HAProxy 2.6 takes it; the entry that it would spell must not answer, nor be taken away."""
    router = world.router("eu1")
    expect.status(router.request("GET", "/not-my-company/x", user="nora"), 200, world)
    answer = router.request("GET", "/x", user="nora", host="site.example/not-my-company")
    expect.true(f"a Host with a slash: {answer.status}", answer.status == 400 if places.haproxy_version() >= (3, 0)
                else "us1" not in [d.cell for d in world.deliveries_of(answer)])


# What is no host, to the agent and to level 0 alike: a request that says it is a miss, and teaches nothing.
NO_HOSTS = {"list": "other.example,site.example", "list_with_blank": "other.example, site.example",
            "user": "a@site.example", "port": "site.example:x",
            "long_port": "site.example:123456", "dot": ".site.example", "brackets": "[site.example]",
            "star": "*.example", "percent": "site%2eexample"}
SAME_HOSTS = {"port": "site.example:80", "capitals": "SITE.example", "no_port": "site.example:"}


@scenario(pick=AWAY, routers=ONE, level0=True, settings={"routes": {"hosts": "true"}})
def test_what_is_no_host_is_nobodys_route(world):
    """Of `Host: b,a` no level knows a's routes, nor learns any; of two hosts HAProxy takes none."""
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice", host="site.example"), 200, world)
    wait_until("the route is known", lambda: "site.example/my-company/ eu0" in router.cellctl("show routes"))
    world.cells.misbehave(path="/my-company/claimed", answer={"body": "x"}, cache="{path_prefix:/my-company/claimed/}")
    for label, host in NO_HOSTS.items():
        before = counted.take(world)
        answer = router.request("GET", "/my-company/x", user="alice", host=host)
        expect.true(f"{label}: {answer.status}", answer.status in (200, 400))
        if answer.status == 200:
            expect.same(f"{label}: cells", [d.cell for d in world.deliveries_of(answer)], ["eu1", "eu0"])
            after = counted.take(world)
            expect.same(f"{label}: hits, learned", [after[w] - before[w] for w in ("hits", "learned")], [0, 0])
    for label, host in SAME_HOSTS.items():
        answer = router.request("GET", "/my-company/x", user="alice", host=host)
        expect.status(answer, 200, world)
        expect.same(f"{label}: cells", [d.cell for d in world.deliveries_of(answer)], ["eu0"])
    with router.connect() as connection:
        request = ("GET /my-company/x HTTP/1.1\r\nHost: site.example\r\nHost: other.example\r\n"
                   f"Cookie: {world.cells.cookie('alice')}\r\n\r\n")
        connection.socket.sendall(request.encode())
        expect.same("two hosts", connection.read_answer("GET").status, 400)
