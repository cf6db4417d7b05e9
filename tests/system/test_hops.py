"""What the router tells the cells, and what it shows to clients."""

from harness import counted, expect, flows
from harness.runner import ANSWERS, ONE, scenario

PREFIX = "X-Gitlab-Cell-"


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu0"}, routers=ONE)
def test_cells_learn_how_a_request_came(world):
    """Attempt number, the cell that redirected and why, the router: cells break loops and log with them."""
    for here, there in (("eu0", "EU1"), ("eu1", "US0")):
        world.cells.misbehave(cell=here, path="/chain", redirect=f"Cell {there}")
    before = counted.take(world)
    answer = world.router("eu1").request("POST", "/chain/x", body=b"a=b")
    counted.one(world, before, "miss", learned=0)
    seen = expect.saw(world, answer, "eu0", "eu1", "us0")
    expect.same("attempt numbers", [d.all(PREFIX + "Attempt") for d in seen], [["1"], ["2"], ["3"]])
    expect.same("router", [d.all(PREFIX + "Router") for d in seen], [["eu1"]] * 3)
    expect.same("the cell that redirected here", [d.all(PREFIX + "From") for d in seen], [[], ["eu0"], ["eu1"]])
    expect.same("why it was sent there first", [d.all(PREFIX + "Why") for d in seen],
                [[], ["unknown-path"], ["unknown-path"]])
    internal = [name for d in seen for name, _ in d.headers if name.lower().startswith("x-cellrouter")]
    expect.same("internal headers that reached a cell", internal, [])


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_clients_see_no_trace(world):
    router, before = world.router("eu1"), counted.take(world)
    for method in ("GET", "POST", "GET", "POST"):
        answer = router.request(method, "/my-company/x", user="alice")
        expect.status(answer, 200, world)
        traces = [name for name, _ in answer.headers if name.lower().startswith((PREFIX.lower(), "x-cellrouter"))]
        expect.same("headers of the router that reached the client", traces, [])
        flows.wait_known(world, router, "/my-company/")
    counted.expect(world, before, lookups=4, hits=3, misses=1, learned=1, moved=0, dropped=0, refused=0)


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_cells_see_the_clients_address(world):
    """Behind the replay pass as well."""
    router, before = world.router("eu1"), counted.take(world)
    for method in ("GET", "POST"):
        answer = router.request(method, "/my-company/x", user="alice")
        expect.same("X-Forwarded-For", {tuple(d.all("X-Forwarded-For")) for d in world.deliveries_of(answer)},
                    {("127.0.0.1",)})
        flows.wait_known(world, router, "/my-company/")
    counted.expect(world, before, lookups=2, hits=1, misses=1, learned=1, moved=0, dropped=0, refused=0)


ALL = {**ANSWERS, "425": 425}
STATUSES = (200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 405, 408, 413, 418, 421, 425, 429, 451, 500, 501, 502,
            503, 504, 505, 599)
NAMES = ("X-Gitlab-Cell-Cache", "x-gitlab-cell-request", "X-GITLAB-CELL-REASON", "X-gItLaB-cElL-Anything",
         "X-Cellrouter-Answered", "x-CELLROUTER-Replay",
         "X-Cellrouter-Reason")


def of_the_contract(answer):
    return [pair for pair in answer.headers if pair[0].lower().startswith((PREFIX.lower(), "x-cellrouter"))]


@scenario(matrix={"answers": ALL}, pick={"eu": "eu1"}, routers=ONE, timeout=120)
def test_no_status_shows_the_contract(world):
    """Whatever a cell's answer is: names of the contract and of the router in any case are gone. With underscores they
    are other names."""
    for status in STATUSES:
        redirect = ["X-Gitlab-Cell-REDIRECT"] if status not in (302, 421, 425) else []
        headers = [[name, "{path_prefix:/foreign/}"]
                   for name in (*NAMES, *redirect)] + [["X_Gitlab_Cell_Cache", "other"]]
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/odd",
                              answer={"status": status, "headers": headers, "body": "own"})
        for kind in ("miss", "hit"):
            router = flows.settled(world, kind)
            for method in ("GET", "POST"):
                before = counted.take(world)
                answer = router.request(method, f"/my-company/odd/{status}", user="alice")
                expect.status(answer, status, world)
                expect.same(f"headers of the contract on a {status} to {method} on a {kind}", of_the_contract(answer),
                            [])
                expect.same("with underscores", answer.get("X_Gitlab_Cell_Cache"), "other")
                counted.one(world, before, kind, learned=0, refused=int(kind == "miss"))


@scenario(matrix={"answers": ALL}, pick={"eu": "eu1"}, routers=ONE)
def test_the_routers_own_errors_show_a_reason_and_nothing_else(world):
    """Nothing of the cell's answer that led to them: nonsense, a loop, a 307, a cell that dies after its redirect's
    head."""
    noise = [[name, "{cell:noise}"] for name in NAMES]
    answers = world.cells.table["eu0"].answers
    for label, text, status in (("malformed", "{", 502), ("unknown", "{cell:nobody}", 502),
                                ("loop", "{cell:Cell EU1}", 508)):
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/odd",
                              answer={"status": answers, "headers": [["X-Gitlab-Cell-Redirect", text], *noise],
                                      "body": "own"})
        world.cells.misbehave(cell="eu1", path="/my-company/odd",
                              answer={"status": answers, "headers": [["X-Gitlab-Cell-Redirect", "{cell:eu0}"], *noise],
                                      "body": "own"})
        for kind in ("miss", "hit"):
            for method, length in (("GET", 0), ("POST", 3), ("PUT", 1 << 20)):
                router = flows.settled(world, kind)
                before = counted.take(world)
                answer = router.request(method, f"/my-company/odd/{label}", user="alice", body=bytes(length))
                steps = [answer]
                while answer.status == 307:
                    answer = router.request(method, f"/my-company/odd/{label}", user="alice", body=bytes(length))
                    steps.append(answer)
                expect.status(answer, status if label == "loop" or len(steps) < 3 else 508, world)
                counted.expect(world, before, lookups=len(steps), learned=0, moved=0, refused=0)
                for step in steps:
                    expect.same(f"headers of the contract on a {step.status} to {method} on a {kind}",
                                [name.lower() for name, _ in of_the_contract(step)],
                                [expect.REASON.lower()])
                    expect.true(f"a reason of the router: {step}", "noise" not in step.get(expect.REASON))


@scenario(matrix={"answers": ALL}, pick={"eu": "eu1"}, routers=ONE)
def test_interim_answers_steer_nothing(world):
    """No rule of HAProxy sees them: headers of the contract on them redirect nobody and teach nothing
    (docs/requests.md, limits)."""
    contract = [["X-Gitlab-Cell-Redirect", "{cell:Cell EU1}"],
                ["X-Gitlab-Cell-Cache", "{path_prefix:/my-company/hints/}"]]
    world.cells.misbehave(cell="eu0", path="/my-company/hints", interim=[[103, contract], [102, contract]])
    for kind, cells in (("miss", ("eu1", "eu0")), ("hit", ("eu0",))):
        router = flows.settled(world, kind)
        before = counted.take(world)
        answer = router.request("GET", "/my-company/hints/x", user="alice")
        expect.status(answer, 200, world)
        expect.saw(world, answer, *cells)
        expect.same("headers of the contract on the answer itself", of_the_contract(answer), [])
        counted.one(world, before, kind)
        expect.same("routes", router.routes(), {"/my-company/": "eu0"})
