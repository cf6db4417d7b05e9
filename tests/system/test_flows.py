"""docs/flows.md 1-15, each from a fresh world: what the client got, what every cell saw, what is known, what was
counted."""

from harness import counted, expect, flows
from harness.level0 import warm
from harness.runner import ANSWERS, ONE, ROUTERS, TWO, scenario


def away(flow):
    """Cells to pick for a miss, such that the pick is wrong."""
    return {"eu": "eu1" if flow.owner != "eu1" else "eu0", "us": "us1" if flow.owner != "us1" else "us0"}


def flow_test(flow):
    routers = {"two": TWO} if flow.second_router else ROUTERS
    picks = {"away": away(flow)} if flow.hit else {"away": away(flow), "any": {}}

    @scenario(matrix={"answers": ANSWERS, "routers": routers, "pick": picks})
    def test(world):
        flows.play(world, flow)

    test.__doc__ = f"Flow {flow.number}: {flow.story}."
    return test


def level0_test(flow):
    """The same with level 0, which has all that the flow wants known: then the agent is not asked for a hit."""

    @scenario(matrix={"answers": ANSWERS}, routers=TWO if flow.second_router else ONE, pick=away(flow), level0=True)
    def test(world):
        router = flows.prepare(world, flow)
        for step, (prefix, cell) in zip(flow.before, flow.known_before.items()):
            warm(router, prefix, cell, step.path, step.user)
        before = counted.take(world)
        flows.verify(world, flow, router, flows.ask(flow, router))
        counted.expect(world, before, lookups=int(not flow.hit), hits=0, misses=int(not flow.hit),
                       learned=len(flow.learns))

    test.__doc__ = f"Flow {flow.number} with level 0: {flow.story}."
    return test


for _flow in flows.FLOWS:
    globals()[f"test_flow_{_flow.number:02}"] = flow_test(_flow)
    globals()[f"test_flow_{_flow.number:02}_with_level_0"] = level0_test(_flow)


@scenario(routers=ONE)
def test_misses_reach_every_cell_of_the_region(world):
    """A miss goes to any cell of the region, and to no other."""
    router = world.router("eu1")
    cells = {router.request("GET", f"/nobody-{number}/x").cell for number in range(40)}
    expect.same("cells that answered 40 unknown paths", cells, {"eu0", "eu1"})
