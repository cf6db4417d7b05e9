"""The harness and the cells themselves, with a plain HAProxy between: if these fail, believe no other test."""

from harness import expect
from harness.process import Failure
from harness.runner import scenario


@scenario(plain=True, redis=False)
def test_harness_sees_what_cells_see(world):
    body = bytes(range(256)) * 1000
    for chunked in (False, True):
        answer = world.router("eu1").request("PUT", "/gitlab-org/x?a=%2F&b", body=body, chunked=chunked, expect=True)
        expect.status(answer, 302)
        expect.saw(world, answer, {"eu0", "eu1"})


@scenario(plain=True, redis=False)
def test_harness_fails_on_a_wrong_expectation(world):
    answer = world.router("eu1").request("GET", "/my-company/x")
    for wrong in (lambda: expect.status(answer, 200, world), lambda: expect.saw(world, answer, "us0"),
                  lambda: expect.saw(world, answer), lambda: expect.same("x", 1, 2)):
        try:
            wrong()
        except Failure:
            continue
        raise Failure("a wrong expectation went unnoticed")


@scenario(plain=True, redis=False)
def test_harness_cells_go_down_and_come_back(world):
    for silent in (False, True):
        for cell in ("eu0", "eu1"):
            world.cells.down(cell, silent)
        try:
            status = world.router("eu1").request("GET", "/", timeout=1 if silent else 10).status
        except TimeoutError:
            status = "silence"
        expect.same("answer of cells that are down", status, "silence" if silent else 503)
        for cell in ("eu0", "eu1"):
            world.cells.up(cell)
        expect.status(world.router("eu1").request("GET", "/"), 302)


@scenario(plain=True, redis=True)
def test_harness_reload_loses_nothing(world):
    router = world.router("eu1")
    for _ in range(3):
        old = router.reload()
        expect.status(router.request("GET", "/"), 302)
        old.wait()
    with world.redis_client() as redis:
        redis("SET", "cellrouter:{/a}/a/b/", "x")
    expect.same("keys in Redis", list(world.shared_routes()), ["/a/b/"])
