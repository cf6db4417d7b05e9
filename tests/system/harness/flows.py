"""docs/flows.md 1-15 as a table: the tests and the demo both read it."""

import json
from dataclasses import dataclass, field
from urllib.parse import quote

from harness import counted, expect, places
from harness.process import Failure, wait_until

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
JSON = [("Content-Type", "application/json")]
QUESTION = json.dumps({"query": "{ project { name } }", "padding": "x" * 12000}).encode()
OWNER_IN_BODY = json.dumps({"organization": "my-company"}).encode()


@dataclass
class Step:
    """One request that makes a router know what the flow wants it to know."""

    region: str
    user: str
    path: str


@dataclass
class Flow:
    number: int
    story: str
    region: str
    method: str
    path: str
    user: str | None = None
    headers: list = field(default_factory=list)
    body: bytes = b""
    before: list = field(default_factory=list)  # Steps; known: what they taught
    known_before: dict = field(default_factory=dict)
    hit: bool = False  # the route is known, so that the owner alone sees the request
    owner: str | None = None  # None: any cell answers by itself
    status: int = 200
    location: str | None = None  # {cell}: id of the answering cell
    learns: dict = field(default_factory=dict)
    second_router: bool = False  # asked at another router than the steps before

    @property
    def known(self):
        return {**self.known_before, **self.learns}


COMPANY = Step("eu", "alice", "/my-company/my-project")
ORGANIZATION = Step("eu", "alice", "/organizations/my-organization/readme")
COMPANY_AT_EU0 = {"/my-company/": "eu0"}
ORGANIZATION_AT_EU0 = {"/organizations/my-organization/": "eu0"}

FLOWS = [
    Flow(1, "alice opens a project; nobody asked for it before", "eu", "GET", "/my-company/my-project", "alice",
         owner="eu0", learns=COMPANY_AT_EU0),
    Flow(2, "alice opens another project of the company", "eu", "GET", "/my-company/my-other-project", "alice",
         before=[COMPANY], known_before=COMPANY_AT_EU0, hit=True, owner="eu0"),
    Flow(3, "alice comes in through the second router of the region", "eu", "GET", "/my-company/x", "alice",
         before=[COMPANY], known_before=COMPANY_AT_EU0, hit=True, owner="eu0", second_router=True),
    Flow(4, "somebody in Europe reads a project that lives in the US", "eu", "GET", "/gitlab-org/gitlab",
         owner="us0", learns={"/gitlab-org/": "us0"}),
    Flow(5, "somebody who is not signed in opens a private project", "eu", "GET", "/my-company/my-project",
         status=302, location="/users/sign_in?redirect=/my-company/my-project"),
    Flow(6, "… and signs in", "eu", "POST", "/users/sign_in?redirect=" + quote("/my-company/my-project"),
         headers=FORM, body=b"user=alice&password=secret", status=302, location="/my-company/my-project"),
    Flow(7, "alice, whose home is my-organization, opens the start page", "eu", "GET", "/", "alice",
         before=[ORGANIZATION],
         known_before=ORGANIZATION_AT_EU0, status=302, location="/organizations/my-organization/-/dashboard"),
    Flow(8, "… and follows to the organization's dashboard", "eu", "GET", "/organizations/my-organization/-/dashboard",
         "alice",
         before=[ORGANIZATION], known_before=ORGANIZATION_AT_EU0, hit=True, owner="eu0"),
    Flow(9, "larry, a user from before there were cells, opens his dashboard", "us", "GET", "/dashboard", "larry",
         owner="us0"),
    Flow(10, "alice asks for the same page, and it depends on who asks", "us", "GET", "/dashboard", "alice",
         before=[Step("us", "larry", "/dashboard")], status=302, location="/organizations/my-organization/-/dashboard"),
    Flow(11, "alice tries a project that is not for her", "eu", "GET", "/not-my-company/p", "alice",
         before=[Step("eu", "nora", "/not-my-company/p")], known_before={"/not-my-company/": "us1"}, hit=True,
         owner="us1", status=404),
    Flow(12, "the operator opens the administration", "us", "GET", "/admin", "root", status=302,
         location="/admin/cells/{cell}"),
    Flow(13, "the operator opens the administration of one cell", "us", "GET", "/admin/cells/us1/", "root",
         owner="us1", learns={"/admin/cells/us1/": "us1"}),
    Flow(14, "alice sends a query of 12 kB", "eu", "POST", "/api/organizations/my-organization/graphql", "alice",
         headers=JSON, body=QUESTION, owner="eu0", learns={"/api/organizations/my-organization/": "eu0"}),
    Flow(15, "alice calls an API where only the body names the owner", "eu", "POST", "/api/v4/anything", "alice",
         headers=JSON, body=OWNER_IN_BODY, owner="eu0"),
]


def prepare(world, flow):
    """Makes the routers know what the flow wants known, and returns the router that the flow's own request goes to."""
    last = None
    for step in flow.before:
        last = world.of(step.region)
        answer = last.request("GET", step.path, user=step.user)
        expect.true(f"{step.path} could not be prepared: {answer}", answer.status in (200, 302))
    for prefix in flow.known_before:
        wait_known(world, last, prefix)
    if not flow.second_router:
        return world.of(flow.region)
    return next(router for router in world.routers.values() if router.region == flow.region and router is not last)


def uploads_teach(chunked):
    """Whether the answer to a request that HAProxy could not keep teaches a route: docs/requests.md, Limits."""
    return not chunked or places.haproxy_version() < (3, 0)


def wait_known(world, router, prefix):
    wait_until(f"{router.id} knows {prefix} (it knows {router.routes()})", lambda: prefix in router.routes(), timeout=5)
    world.wait_shared(prefix)


def settled(world, kind):
    """The router eu1, knowing /my-company/ (kind "hit") or nothing ("miss")."""
    router = world.router("eu1")
    world.flush()
    if kind == "hit":
        expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
        wait_known(world, router, "/my-company/")
    return router


def play(world, flow):
    """The whole flow, and what was counted of it."""
    router = prepare(world, flow)
    before = counted.take(world)
    answer = ask(flow, router)
    verify(world, flow, router, answer)
    counted.expect(world, before, lookups=1, hits=int(flow.hit), misses=int(not flow.hit), learned=len(flow.learns))


def ask(flow, router):
    return router.request(flow.method, flow.path, headers=flow.headers, body=flow.body, user=flow.user)


def expected_cells(world, flow, router, answer):
    """Which cells must have seen the request: the pick, unless the route was known, and the owner if that is
    another."""
    if flow.hit:
        return [flow.owner]
    seen = world.deliveries_of(answer)
    region = {id for id, cell in world.cells.table.items() if cell.region == flow.region}
    picked = router.pick or (seen[0].cell if seen and seen[0].cell in region else None)
    if picked is None:
        return [region]
    return [picked] if flow.owner in (None, picked) else [picked, flow.owner]


def verify(world, flow, router, answer, known=None):
    """All that docs/flows.md says about the flow, but for the counters. known: all routes known afterwards, if there
    are more than the flow's own."""
    known = flow.known if known is None else known
    cells = expected_cells(world, flow, router, answer)
    expect.status(answer, flow.status, world)
    expect.saw(world, answer, *cells)
    expect.same("the answering cell", answer.cell, cells[-1])
    if flow.location:
        expect.same("Location", answer.get("Location"), flow.location.format(cell=answer.cell))
    if flow.number == 6:
        expect.same("names of the cookies", [cookie.split("=")[0] for cookie in answer.all("Set-Cookie")],
                    ["_session", "known_as"])
    if flow.body and flow.status == 200:
        told = json.loads(answer.body)
        expect.same("length of the body as the owner tells it", told["body_length"], len(flow.body))
    expect.clean(answer)
    used = flow.known if flow.hit else flow.learns  # what this router itself must know now
    for prefix in used:
        wait_known(world, router, prefix)
    there = router.routes()
    if {p: c for p, c in there.items() if p in used} != used or not set(there) <= set(known):
        raise Failure(f"routes that {router.id} knows afterwards\n  expected {used}\n  got      {there}")
    if world.redis:
        expect.same("routes in Redis afterwards", sorted(world.shared_routes()), sorted(known))
