"""What the router tells the cells, and what it shows to clients."""

from harness import expect
from harness.runner import ANSWERS, ONE, scenario

PREFIX = "X-Gitlab-Cell-"


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu0"}, routers=ONE)
def test_cells_learn_how_a_request_came(world):
    """Attempt number, the cell that redirected and why, the router: cells break loops and log with them."""
    for here, there in (("eu0", "EU1"), ("eu1", "US0")):
        world.cells.misbehave(cell=here, path="/chain", redirect=f"Cell {there}")
    answer = world.router("eu1").request("POST", "/chain/x", body=b"a=b")
    seen = expect.saw(world, answer, "eu0", "eu1", "us0")
    expect.same("attempt numbers", [d.all(PREFIX + "Attempt") for d in seen], [["1"], ["2"], ["3"]])
    expect.same("router", [d.all(PREFIX + "Router") for d in seen], [["eu1"]] * 3)
    expect.same("the cell that redirected here", [d.all(PREFIX + "From") for d in seen], [[], ["eu0"], ["eu1"]])
    expect.same("why it was sent there first", [d.all(PREFIX + "Why") for d in seen], [[], ["unknown-path"], ["unknown-path"]])
    internal = [name for d in seen for name, _ in d.headers if name.lower().startswith("x-cellrouter")]
    expect.same("internal headers that reached a cell", internal, [])


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_clients_see_no_trace(world):
    router = world.router("eu1")
    for method in ("GET", "POST", "GET", "POST"):
        answer = router.request(method, "/my-company/x", user="alice")
        expect.status(answer, 200, world)
        traces = [name for name, _ in answer.headers if name.lower().startswith((PREFIX.lower(), "x-cellrouter"))]
        expect.same("headers of the router that reached the client", traces, [])


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1"}, routers=ONE)
def test_cells_see_the_clients_address(world):
    """Behind the replay pass as well."""
    router = world.router("eu1")
    for method in ("GET", "POST"):
        answer = router.request(method, "/my-company/x", user="alice")
        expect.same("X-Forwarded-For", {tuple(d.all("X-Forwarded-For")) for d in world.deliveries_of(answer)}, {("127.0.0.1",)})
