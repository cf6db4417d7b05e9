"""Parts of the bench without HAProxy: the agent alone, its steady state, its store."""

import statistics
import subprocess
import time

import sides
import steady
from harness.process import wait_until
from harness.resp import Redis
from harness.router import ask, counters_of

CELLS = {"c00": 1, "c01": 2}  # nobody connects to them
THOUSAND, MILLION = 1000, 1000000


def learn(bench, side, routes, cells=2):
    figures = sides.load(bench, "spop_load", side, ["-l", "-n", routes, "-C", cells, "-c", 4, "-f", 64],
                         timeout=180 + routes / 10000)
    if figures["wrong"]:
        raise RuntimeError(f"learning went wrong: {figures}")


def part_agent(bench, rows, arguments):
    """The agent alone against the least agent, and its memory."""
    rounds, seconds = (3, 0.5) if arguments.quick else (5, 1)
    loads = {"4x16": ["-c", 4, "-f", 16], "64x1": ["-c", 64, "-f", 1],
             "4x16 half misses": ["-c", 4, "-f", 16, "-m", 50]}
    if not arguments.quick:
        loads |= {"1x64": ["-c", 1, "-f", 64], "4x16 zipf": ["-c", 4, "-f", 16, "-z"],
                  "4x16 misses": ["-c", 4, "-f", 16, "-m", 100]}
    least = bench.least_agent()
    for routes in [THOUSAND, MILLION] + ([] if arguments.quick else [10 * MILLION]):
        side, _ = bench.agent(CELLS)
        agent = side.processes["agent"]
        before = agent.resident()
        rows.progress(f"learning {routes} routes")
        learn(bench, side, routes)
        bytes_each = (agent.resident() - before) / routes
        if routes >= MILLION:
            rows.add("memory", f"agent, {routes} routes", value=bytes_each,
                     text=f"{bytes_each:.0f} bytes a route (resident, all included)")
        for name, more in loads.items():
            rows.compare(bench, f"{short(routes)} routes, {name}", "spop_load", [least, side],
                         ["-n", routes, "-s", seconds, *more], rounds)
        bench.end(agent)


def short(number):
    if number >= MILLION:
        return f"{number // MILLION}M"
    return f"{number // THOUSAND}k" if number >= THOUSAND else str(number)


def part_steady(bench, rows, arguments):
    """Allocations and system calls of the agent in the steady state, counted from outside. (./dev test steady judges
    them.)"""
    found = steady.measure(bench, *((300_000, 64 * 1024) if arguments.quick else (1_000_000, 256 * 1024)))
    rows.add("steady state", "allocations", value=found.allocations / found.count,
             text=f"{found.allocations} in {found.count} NOTIFYs")
    if found.calls is not None:
        most = ", ".join(f"{name} {number}"
                         for name, number in sorted(found.calls.items(), key=lambda item: -item[1])[:5])
        each = sum(found.calls.values()) / found.traced
        rows.add("steady state", "system calls", value=each,
                 text=f"{each:.3f} a NOTIFY with 64 in flight on one connection: {most} in {found.traced}")


def part_shared(bench, rows, arguments):
    """From learning at agent A to use at agent B, which was asked just before and knew nothing."""
    redis, _ = bench.redis()
    a, b = (sides.Asker(bench.agent(CELLS, redis=redis)[0].where) for _ in range(2))
    time.sleep(0.5)  # both are connected to Redis
    found = []
    for number in range(100 if arguments.quick else 400):
        path = f"/r{number:08}/project"
        b.ask("lookup", path=path, host="x")
        begun = time.monotonic()
        a.ask("learn", path=path, host="x", cell="c00", cache=f"{{path_prefix:/r{number:08}/}}")
        while b"c00" not in b.ask("lookup", path=path, host="x"):
            if time.monotonic() - begun > 2:
                raise RuntimeError("B never learns")
        found.append((time.monotonic() - begun) * 1000)
    found.sort()
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    rows.add("learned at A, used at B", "two agents, one Redis", value=p50, p99=p99,
             text=f"p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def counters(side):
    return counters_of(ask(side.where + ".admin", "show counters"))


def yardstick(redis, seconds):
    """Questions a second of redis-benchmark: MGET of a route that is there and a prefix that is not, as many at a time
    as the load has."""
    with Redis(str(redis)) as client:
        key = client("RANDOMKEY").decode()
        count = int(50000 * seconds)
        said = subprocess.run(["taskset", "-c", str(sides.OTHERS), "redis-benchmark", "-s", redis, "-c", "4", "-P",
                               "16", "-n", str(count), "--csv",
                               "MGET", key, key + "project/"], capture_output=True, text=True, check=True).stdout
    return float(said.splitlines()[-1].split('","')[1])


def stored(bench, rows, routes):
    """A Redis with so many routes, and an agent that has none in its own memory: (socket, side, bytes a route takes in
    Redis)."""
    redis, _ = bench.redis()
    side, _ = bench.agent(CELLS, redis=redis)
    with Redis(str(redis)) as client:
        before = client("INFO", "memory").split(b"used_memory:")[1].split()[0]
        rows.progress(f"learning {routes} routes")
        learn(bench, side, routes)
        wait_until(f"{routes} routes in Redis", lambda: client("DBSIZE") >= routes, timeout=120, every=0.2)
        after = client("INFO", "memory").split(b"used_memory:")[1].split()[0]
        each = (int(after) - int(before)) / client("DBSIZE")
    bench.end(side.processes["agent"])
    small, _ = bench.agent(CELLS, redis=redis, memory="64k")
    wait_until("the agent watches", lambda: counters(small).get("store_watching") == 1)
    return redis, small, each


def store_rate(bench, redis, small, options, rounds, seconds):
    """Medians over rounds: lookups a second that Redis answered with a route, and what redis-benchmark's MGET does."""
    rates, best = [], []
    for _ in range(rounds):
        best.append(yardstick(redis, seconds))
        had = counters(small)["store_found"]
        found = sides.load(bench, "spop_load", small, [*options, "-s", seconds])
        rates.append((counters(small)["store_found"] - had) / found["seconds"])
    return statistics.median(rates), statistics.median(best)


def part_store(bench, rows, arguments):
    """Lookups that Redis answers, for an agent whose own memory holds next to nothing; what a route costs in Redis."""
    routes, rounds, seconds = (100000, 3, 1) if arguments.quick else (MILLION, 5, 1)
    redis, small, each = stored(bench, rows, routes)
    rows.add("memory", f"Redis, {routes} routes", value=each, text=f"{each:.0f} bytes a route (used_memory)")
    for name, more in (("even", []), ("zipf", ["-z"])):
        begun = counters(small)
        rows.progress(name)
        rate, mget = store_rate(bench, redis, small, ["-n", routes, "-c", 4, "-f", 16, *more], rounds, seconds)
        since = {key: value - begun.get(key, 0) for key, value in counters(small).items()}
        rows.add(f"store, {name}", "lookups found in Redis", value=rate / mget, per_s_here=rate, per_s_mget=mget,
                 text=f"{rate:.0f}/s, {rate / mget:.2f}x redis-benchmark's MGET ({mget:.0f}/s), "
                      f"{since['store_failed']} of {since['store_gets']} failed")
        saved = since["store_shared"] / max(1, since["store_gets"])
        rows.add(f"store, {name}", "questions saved by sharing", value=saved,
                 text=f"{saved * 100:.1f} % of {since['store_gets']} lookups")


PARTS = {"steady": part_steady, "shared": part_shared, "store": part_store, "agent": part_agent}
