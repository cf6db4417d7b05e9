"""Parts of the bench without HAProxy: the agent alone, its steady state, its store."""

import json
import statistics
import subprocess
import time

import sides
import steady
from harness.process import wait_until
from harness.resp import Redis
from harness.router import ask, counters_of
from harness.wire import Wire

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


# ---- one Redis, several routers, at a distance ----------------------------------------------------------------------


def redis_size(redis):
    with Redis(str(redis)) as client:
        return client("DBSIZE")


def agents_of(bench, count, redis, wire, read=""):
    found = [bench.agent(CELLS, redis=wire or redis, read=read, shipped=True, router=f"bench{i}")[0]
             for i in range(count)]
    for side in found:
        wait_until("the agent watches", lambda side=side: counters(side).get("store_watching") == 1, timeout=20)
    return found


def spread(bench, agents, count, rate, *options):
    """So many routes, an equal share and a range of them at each agent, all at once; the figures of each."""
    share = count // len(agents)
    loads = [subprocess.Popen(["taskset", "-c", str(sides.OTHERS), str(bench.out / "spop_load"), *options, "-o",
                               str(i * share), "-n", str(share), "-R", str(rate // len(agents)), "-c", "4", "-f", "64",
                               str(side.where)], stdout=subprocess.PIPE, text=True)
             for i, side in enumerate(agents)]
    return [json.loads(load.communicate(timeout=120)[0]) for load in loads]


def region(bench, rows, name, rtt, routers, rate, seconds):
    """Routers that learn so many routes a second together: how many all routers have a second later; and of requests
    for what another router learned, how many need an extra hop, the first time and the second time."""
    redis, process = bench.redis()
    wire = Wire(bench.path("wire"), redis) if rtt else None
    agents = agents_of(bench, routers, redis, wire and wire.path)
    if wire:
        wire.delay = rtt / 2000
    count, cpu, begun = rate * seconds, sides.cpu_seconds(sides.pid_of(process)), time.monotonic()
    rows.progress(name)
    spread(bench, agents, count, rate, "-l")
    took = time.monotonic() - begun
    busy = (sides.cpu_seconds(sides.pid_of(process)) - cpu) / took
    time.sleep(1)
    shared = redis_size(redis) / count
    others = agents[1:] + agents[:1]  # each range is asked for at the next router
    hops = []
    for _ in range(2):
        hops.append(sum(figures["unknown"] for figures in spread(bench, others, count, 4000, "-t")) / count)
        time.sleep(1 + 4 * rtt / 1000)
    rows.add(name, "shared after a second", value=shared, text=f"{shared * 100:.1f} % of {count} routes")
    rows.add(name, "extra hops elsewhere", value=hops[0], again=hops[1],
             text=f"{hops[0] * 100:.1f} % of first visits, {hops[1] * 100:.2f} % of second ones")
    rows.add(name, "Redis' CPU", value=busy, text=f"{busy * 100:.0f} % of a core")
    bench.end(process, *(side.processes["agent"] for side in agents))
    if wire:
        wire.stop()


def visits(bench, agents, seconds):
    """Zipf over 50,000 organizations, 2,000 requests a second; what is unknown is learned. Of each second: requests,
    unknown ones, the first of all for their organization."""
    done = subprocess.run(["taskset", "-c", str(sides.OTHERS), str(bench.out / "spop_load"), "-e", "-z", "-n", "50000",
                           "-R", "2000", "-c", "6", "-f", "64", "-s", str(seconds),
                           *(str(side.where) for side in agents)],
                          capture_output=True, text=True, timeout=seconds + 30, check=False)
    return json.loads(done.stdout)["each"]


def tell_second(rows, name, seconds):
    asked, unknown, first = (sum(second[i] for second in seconds) for i in range(3))
    rows.add(name, "unknown", value=unknown / asked, first=first / asked,
             text=f"{unknown / asked * 100:.1f} % of requests; {first / asked * 100:.1f} % were the first of all")


def cold(bench, rows, seconds):
    """A region that starts with nothing: what remains beside true first visits is what sharing costs. Then all routers
    are started anew, and Redis knows."""
    redis, process = bench.redis()
    agents = agents_of(bench, 3, redis, None)
    rows.progress("cold start")
    each = visits(bench, agents, seconds)
    for at in (1, seconds // 2, seconds - 1):
        tell_second(rows, f"cold start, second {at}", each[at - 1:at + 1])
    bench.end(*(side.processes["agent"] for side in agents))
    agents = agents_of(bench, 3, redis, None)
    rows.progress("restart of all routers")
    tell_second(rows, "restart of all, 3 seconds", visits(bench, agents, 3))
    bench.end(process, *(side.processes["agent"] for side in agents))


def part_regions(bench, rows, arguments):
    """Routers that share one Redis, near and far, with the shipped quotas: how much is shared, who hops in vain."""
    distances, counts, rates = ((0, 60), (2,), (6000,)) if arguments.quick else ((0, 20, 60, 150), (2, 4), (1000, 6000))
    for rtt in distances:
        for routers in counts:
            for rate in rates:
                region(bench, rows, f"RTT {rtt} ms, {routers} routers, {rate}/s", rtt, routers, rate, 3)
    cold(bench, rows, 10 if arguments.quick else 20)


PARTS = {"steady": part_steady, "shared": part_shared, "store": part_store, "regions": part_regions,
         "agent": part_agent}
