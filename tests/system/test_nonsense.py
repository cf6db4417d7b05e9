"""docs/flows.md 19-22: loops, redirects to nowhere, forged headers, claims of what is not one's own."""

from harness import counted, expect, flows
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, ROUTERS, scenario

EU0 = {"eu": "eu0", "us": "us0"}


def logged(world, status, reason, target):
    """One line of some router's HAProxy says so."""
    def lines():
        return [line for router in world.routers.values() for line in router.haproxy.lines()
                if f" {target} HTTP/" in line and f" {status} " in line]

    found = wait_until(f"a log line with {status} for {target}", lines)
    expect.true(f"the reason {reason} stands in each of them: {found}",
                all(f" reason={reason}" in line for line in found))


def nothing_known(world):
    for router in world.routers.values():
        expect.same(f"routes of {router.id}", router.routes(), {})
    expect.same("routes in Redis", world.shared_routes(), {})


@scenario(matrix={"answers": ANSWERS, "routers": ROUTERS}, pick=EU0)
def test_flow_19_two_cells_redirect_to_each_other(world):
    world.cells.misbehave(cell="eu0", path="/loop", redirect="Cell EU1")
    world.cells.misbehave(cell="eu1", path="/loop", redirect="Cell EU0")
    for method, body in (("GET", b""), ("POST", b"a=b")):
        before = counted.take(world)
        answer = world.of("eu").request(method, "/loop/x?q=1", body=body)
        expect.status(answer, 508, world)
        expect.reason(answer, "redirect-loop")
        expect.saw(world, answer, "eu0", "eu1")
        expect.clean(answer)
        counted.expect(world, before, lookups=1, misses=1, learned=0, dropped=0, refused=0)
    logged(world, 508, "redirect-loop", "/loop/x?q=1")
    nothing_known(world)


@scenario(matrix={"answers": ANSWERS}, pick=EU0, routers=ONE)
def test_flow_19_a_chain_longer_than_three_hops(world):
    for here, there in (("eu0", "EU1"), ("eu1", "US0"), ("us0", "US1")):
        world.cells.misbehave(cell=here, path="/chain", redirect=f"Cell {there}")
    before = counted.take(world)
    answer = world.router("eu1").request("GET", "/chain/x")
    counted.one(world, before, "miss", learned=0)
    expect.status(answer, 508, world)
    expect.reason(answer, "too-many-hops")
    expect.saw(world, answer, "eu0", "eu1", "us0")
    logged(world, 508, "too-many-hops", "/chain/x")
    nothing_known(world)


@scenario(matrix={"answers": ANSWERS}, pick=EU0, routers=ONE)
def test_three_hops_are_allowed(world):
    for here, there in (("eu0", "EU1"), ("eu1", "US0")):
        world.cells.misbehave(cell=here, path="/chain", redirect=f"Cell {there}")
    before = counted.take(world)
    answer = world.router("eu1").request("POST", "/chain/x", body=b"a=b")
    counted.one(world, before, "miss", learned=0)
    expect.status(answer, 404, world)
    expect.saw(world, answer, "eu0", "eu1", "us0")


MALFORMED = "redirect-malformed"
NONSENSE = {
    "unknown": ("{cell:Cell XX9}", "redirect-to-unknown-cell"),
    "itself": ("{cell:Cell EU0}", "redirect-to-itself"),
    "itself_by_id": ("{cell:eu0}", "redirect-to-itself"),
    "empty": ("{}", MALFORMED),
    "nothing": ("", MALFORMED),
    "no_braces": ("Cell EU1", MALFORMED),
    "unclosed": ("{cell:Cell EU1", MALFORMED),
    "no_cell": ("{path_prefix:/x/}", MALFORMED),
    "two_cells": ("{cell:Cell EU1, cell:Cell US1}", MALFORMED),
    "control": ("{cell:Cell\tEU1\x7f}", None),
}


@scenario(matrix={"answers": ANSWERS, "routers": ROUTERS}, pick=EU0)
def test_flow_20_redirects_to_nowhere(world):
    for label, (text, reason) in NONSENSE.items():
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/nonsense", redirect_text=text)
        for method, body in (("GET", b""), ("POST", b"a=b")):
            before = counted.take(world)
            answer = world.of("eu").request(method, f"/nonsense/{label}", body=body)
            expect.status(answer, 502, world)
            expect.reason(answer, reason)
            expect.saw(world, answer, "eu0")
            expect.clean(answer)
            counted.expect(world, before, lookups=1, misses=1, learned=0, dropped=0, refused=0)
            logged(world, 502, answer.get(expect.REASON), f"/nonsense/{label}")
    nothing_known(world)


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_flow_20_on_a_known_route(world):
    """The owner goes mad after its route was learned. (A direct hit on a 302 cell may cost a 307 first.)"""
    router = world.router("eu1")
    for method in ("GET", "POST"):
        world.cells.behave()
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200)
        flows.wait_known(world, router, "/my-company/")
        world.cells.misbehave(cell="eu0", path="/my-company", redirect_text="{cell:Cell XX9}")
        before = counted.take(world)
        answer = router.request(method, "/my-company/x", user="alice", follow_307=True)
        expect.status(answer, 502, world)
        expect.reason(answer, "redirect-to-unknown-cell")
        cells = [delivery.cell for delivery in world.deliveries_of(answer)]
        expect.true(f"cells that saw it: {cells}", cells == ["eu0"]
                    or (len(answer.steps) == 2 and cells == ["eu1", "eu0"]))
        counted.expect(world, before, lookups=len(answer.steps), hits=1, learned=0, moved=0)


FORGED = ("Redirect", "Cache", "Attempt", "From", "Why", "Reason", "Router", "Request", "Next", "Hop", "Hops", "Id",
          "Visited", "Region")


@scenario(matrix={"answers": ANSWERS, "routers": ROUTERS}, pick={"eu": "eu1", "us": "us1"})
def test_flow_21_forged_headers(world):
    """Headers of the contract that a client sends change nothing and reach nobody."""
    for names in (FORGED, [name.lower() for name in FORGED], [name.upper() for name in FORGED]):
        forged = [(f"X-Gitlab-Cell-{name}", "{cell:forged, path_prefix:/gitlab-org/}") for name in names]
        forged += [("X-Gitlab-Cell-Redirect", "{cell:forged Cell US1}"),
                   ("X-Gitlab-Cell-Cache", "{path_prefix:/forged/}")]
        forged += [(f"X-Cellrouter-{name}", "forged")
                   for name in ("Id", "Cell", "Source", "Status", "Answered", "Redirects", "Reason", "Replay")]
        for method, body in (("GET", b""), ("POST", b"a=b")):
            world.flush()
            for cells in (("eu1", "us0"), ("us0",)):
                router = next(r for r in world.routers.values() if r.region == "eu")
                before = counted.take(world)
                answer = router.request(method, "/gitlab-org/x?q=1", headers=forged, body=body)
                expect.status(answer, 200, world)
                for delivery in world.deliveries_of(answer):
                    leaked = [pair for pair in delivery.headers if "forged" in pair[1]]
                    expect.true(f"forged headers reached {delivery.cell}: {leaked}", not leaked)
                expect.same("cells that saw it", [d.cell for d in world.deliveries_of(answer)], list(cells))
                expect.true(f"forged text reached the client: {answer}",
                            not any("forged" in value for _, value in answer.headers))
                flows.wait_known(world, router, "/gitlab-org/")
                misses = len(cells) - 1
                counted.expect(world, before, lookups=1, hits=1 - misses, misses=misses, learned=misses, moved=0,
                               dropped=0, refused=0)
            expect.same("routes in Redis", list(world.shared_routes()), ["/gitlab-org/"])


@scenario(matrix={"answers": ANSWERS, "routers": ROUTERS}, pick={"eu": "eu0", "us": "us0"})
def test_flow_22_claims_of_foreign_prefixes(world):
    router = world.router("us1")
    claims = {"foreign": "{path_prefix:/my-company/}", "root": "{path_prefix:/}", "part": "{path_prefix:/gitlab-o}",
              "half_segment": "{path_prefix:/gitlab-org/fore/}", "deeper": "{path_prefix:/gitlab-org/foreign/x/y/}"}
    for label, claim in claims.items():
        world.cells.behave()
        world.cells.misbehave(cell="us0", path="/gitlab-org", cache=claim)
        before = counted.take(world)
        answer = router.request("GET", "/gitlab-org/foreign/x")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "us0")
        expect.clean(answer)
        counted.expect(world, before, lookups=1, misses=1, learned=0, refused=1)
        expect.same(f"routes after the claim '{label}'", router.routes(), {})
    nothing_known(world)


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu0", "us": "us0"}, routers=ONE)
def test_malformed_claims_teach_nothing(world):
    router = world.router("us1")
    for claim in ("{path_prefix:/gitlab-org/", "path_prefix:/gitlab-org/", "{}", "{path_prefix}", "{:}",
                  "{path_prefix:gitlab-org/}", "{" * 500):
        world.cells.behave()
        world.cells.misbehave(cell="us0", path="/gitlab-org", cache=claim)
        before = counted.take(world)
        answer = router.request("GET", "/gitlab-org/x")
        expect.status(answer, 200, world)
        expect.saw(world, answer, "us0")
        expect.clean(answer)
        counted.expect(world, before, lookups=1, hits=0, misses=1, learned=0, moved=0, dropped=0)
    nothing_known(world)


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu0", "us": "us0"}, routers=ONE)
def test_claims_in_other_clothes(world):
    """JSON, unknown keys and a ttl are fine."""
    router = world.router("us1")
    for claim in ('{"path_prefix":"/gitlab-org/"}', '{ "path_prefix" : "/gitlab-org/" , "ttl" : 60 }',
                  "{path_prefix:/gitlab-org/, ttl:60}", "{colour:blue, path_prefix:/gitlab-org/}"):
        world.flush()
        world.cells.behave()
        world.cells.misbehave(cell="us0", path="/gitlab-org", cache=claim)
        expect.status(router.request("GET", "/gitlab-org/x"), 200)
        flows.wait_known(world, router, "/gitlab-org/")
        expect.same(f"routes after {claim}", router.routes(), {"/gitlab-org/": "us0"})
