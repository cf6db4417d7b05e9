"""After 10,000 requests and 100 reloads of HAProxy the agent is what it was."""

import threading

from harness import expect, flows
from harness.process import wait_until
from harness.runner import scenario

CONNECTIONS = "spoe_connections"
PATHS = [("GET", f"/{name}/{number}", owner)
         for name, owner in (("my-company", "eu0"), ("gitlab-org", "us0"), ("not-my-company", "us1"))
         for number in range(20)]


def requests(world, router, count, clients=4):
    """count requests over a few kept connections; a wrong answer is an error."""
    wrong = []

    def client(number):
        with router.connect() as connection:
            for turn in range(count // clients):
                method, path, owner = PATHS[(turn + number) % len(PATHS)]
                answer = connection.request(router.prepare(method, path, user="root"))
                if answer.status != 200 or answer.cell != owner:
                    wrong.append(str(answer))

    world.cells.cookie("root")
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect.same("wrong answers", wrong[:3], [])


def reloads(world, router, count):
    for _ in range(count):
        old = router.reload()
        expect.status(router.request("GET", "/my-company/x", user="root"), 200)
        old.wait()


def measured(router):
    """Files and connections when all is quiet, and memory."""
    reading = {}

    def quiet():
        fresh = (router.agent.open_files(), router.counters()[CONNECTIONS])
        calm = reading.get("last") == fresh
        reading["last"] = fresh
        return calm

    wait_until("the agent's connections to settle", quiet, every=0.5, timeout=20)
    return {"files": reading["last"][0], "connections": reading["last"][1], "memory": router.agent.resident()}


@scenario(routers={"eu1": "eu"}, timeout=240)
def test_steady_state(world):
    router = world.router("eu1")
    requests(world, router, 2000)
    reloads(world, router, 5)
    requests(world, router, 1000)
    before = measured(router)
    requests(world, router, 10_000)
    reloads(world, router, 100)
    requests(world, router, 1000)
    after = measured(router)
    expect.true(f"open files: {before['files']} before, {after['files']} after",
                abs(after["files"] - before["files"]) <= 4)
    expect.true(f"connections: {before['connections']} before, {after['connections']} after",
                abs(after["connections"] - before["connections"]) <= 4)
    grown = after["memory"] - before["memory"]
    expect.true(f"memory grew by {grown >> 10} KiB from {before['memory'] >> 10} KiB", grown < 2 << 20)
    flows.wait_known(world, router, "/my-company/")
