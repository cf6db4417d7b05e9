"""What stands behind a chunked body passes as it is; named like headers of the contract or of the router it means
nothing."""

from harness import counted, expect, flows
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
CELLS = {"miss": ("eu1", "eu0"), "hit": ("eu0",)}
FORGED = {"X-Gitlab-Cell-Redirect": "{cell:Cell US1}", "X-Gitlab-Cell-Cache": "{path_prefix:/my-company/forged/}",
          "X-Gitlab-Cell-Attempt": "3",
          "X-Gitlab-Cell-Route": "us1", "X-Gitlab-Cell-Request": "forged", "X-Gitlab-Cell-Reason": "forged",
          "X-Cellrouter-Go": "4",
          "X-Cellrouter-Part": "1", "X-Cellrouter-Status": "425", "X-Cellrouter-Redirects": "1",
          "X-Cellrouter-Answered": "us1", "X-Cellrouter-Replay": "4"}
HONEST = ("X-Checksum", "abc")


def fields(pairs):
    return {name.lower(): value for name, value in pairs}


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True)
def test_trailers_of_a_client(world):
    """Whether the request is replayed or goes straight on: no cell has them among its headers, they steer nothing and
    teach nothing."""
    for kind, cells in CELLS.items():
        for length in (3000, 100_000):
            router = flows.settled(world, kind)
            before = counted.take(world)
            statuses = []
            while not statuses or statuses[-1] == 307:
                request = router.prepare("POST", f"/my-company/{length}", user="alice", body=b"x" * length,
                                         chunked=True)
                request.trailers = [HONEST, *FORGED.items()]
                with router.connect() as connection:
                    answer = connection.request(request)
                statuses.append(answer.status)
                seen = world.deliveries_of(answer)
                for delivery in seen:
                    own = fields(delivery.headers)
                    expect.same("forged headers at a cell",
                                [name for name, value in FORGED.items() if own.get(name.lower()) == value], [])
                    expect.same("the router at a cell", delivery.all("X-Gitlab-Cell-Router"), ["eu1"])
                    expect.same("an honest trailer", fields(delivery.trailers).get("x-checksum"), "abc")
            expect.same("answers to the client", statuses, [307, 200] if length > 16000 and kind == "miss" else [200])
            expect.same("cells that saw the last one", [d.cell for d in seen], ["eu0"] if len(statuses) == 2
                        else list(cells))
            if len(statuses) == 1 or flows.uploads_teach(chunked=True):
                flows.wait_known(world, router, "/my-company/")
                expect.same("routes", router.routes(), {"/my-company/": "eu0"})
            counted.expect(world, before, lookups=len(statuses), hits=int(kind == "hit"),
                           learned=int(kind == "miss" and "/my-company/" in router.routes()), moved=0, dropped=0,
                           refused=0)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True)
def test_trailers_of_a_cell(world):
    """The client gets them as trailers and nothing of them as a header; the router learns nothing from them, nor sends
    the request on."""
    world.cells.misbehave(cell="eu0", path="/my-company/odd",
                          answer={"body": "x" * 3000, "trailers": [HONEST, *FORGED.items()], "chunked": True},
                          cache="{path_prefix:/my-company/}")
    for kind, cells in CELLS.items():
        for connect in ("connect", "connect_h2"):
            for method, body in (("GET", b""), ("POST", b"a=b")):
                router = flows.settled(world, kind)
                before = counted.take(world)
                with getattr(router, connect)() as connection:
                    answer = connection.request(router.prepare(method, "/my-company/odd", user="alice", body=body))
                    expect.status(answer, 200, world)
                    expect.same("body", answer.body, b"x" * 3000)
                    expect.saw(world, answer, *cells)
                    forged = [pair for pair in answer.headers if fields(FORGED.items()).get(pair[0].lower())]
                    expect.same("headers of the contract or of the router at the client", forged, [])
                    expect.same("an honest trailer", fields(answer.trailers).get("x-checksum"), "abc")
                    flows.wait_known(world, router, "/my-company/")
                    again = connection.request(router.prepare("GET", "/my-company/again", user="alice"))
                    expect.status(again, 200, world)
                    expect.saw(world, again, "eu0")
                expect.same("routes", router.routes(), {"/my-company/": "eu0"})
                counted.expect(world, before, lookups=2, hits=2 - int(kind == "miss"), learned=int(kind == "miss"),
                               moved=0, dropped=0, refused=0)
