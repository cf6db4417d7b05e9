"""Parts of the bench with HAProxy in front: hits, replays, first visits, large bodies, start and reload, growth."""

import resource
import signal
import statistics
import subprocess
import time
from pathlib import Path

import parts_agent
import sides
from harness import places
from harness.process import wait_until
from harness.resp import Redis
from harness.router import ask, connects
from parts_agent import CELLS, MILLION, THOUSAND, learn, short

MB = 1 << 20


def write_map(bench, routes, level0):
    path = bench.path("map")
    with open(path, "w", encoding="ascii") as file:
        for number in range(routes):
            prefix, cell = f"/r{number:08}/", f"c{number % 2:02}"
            file.write(f"{prefix} {cell}|{prefix}\n" if level0 else f"{prefix} {cell}\n")
    return path


def level0_side(bench, cells, agent, routes, processes, name="level 0"):
    conf, _ = bench.conf(cells, agent_address=agent.where, runtime=[f"unix:{bench.path('unused')}"],
                         map_file=write_map(bench, routes, True))
    return bench.router(name, conf, processes)


def warm(bench, rows, all_sides, options):
    for side in filter(None, all_sides):
        rows.progress(f"warming {side.name}")
        sides.load(bench, "http_load", side, [*side.options, *options, "-s", 0.5])


def fill_redis(redis, routes):
    """Plain strings, as the yardsticks that keep routes in Redis write them."""
    with Redis(str(redis)) as client:
        for first in range(0, routes, 1000):
            client("MSET", *(word for number in range(first, first + 1000)
                             for word in (f"/r{number:08}/", f"c{number % 2:02}")))


def part_hit(bench, rows, arguments):
    """Known routes, end to end."""
    rounds, seconds, routes = (3, 0.7, 10 * THOUSAND) if arguments.quick else (5, 1.5, 10 * THOUSAND)
    cells = bench.origin(302, 2)
    redis, redis_process = bench.redis()
    theirs, their_process = bench.redis()
    fill_redis(theirs, routes)
    agent, conf = bench.agent(cells, redis=redis)
    learn(bench, agent, routes)
    least = bench.least_agent()
    least_conf, _ = bench.conf(cells, agent_address=least.where)
    own = {"agent": agent.processes["agent"], "redis": redis_process}
    all_sides = [bench.bare("bare HAProxy", cells),
                 bench.bare("bare HAProxy, map", cells, write_map(bench, routes, False)),
                 level0_side(bench, cells, agent, routes, own),
                 bench.router("SPOE, least agent", least_conf, least.processes), bench.router("SPOE, agent", conf, own),
                 bench.haproxy_lua("HAProxy+Lua+Redis", cells, theirs, their_process),
                 bench.nginx("nginx+Lua+Redis, fast", "fast", cells, theirs, their_process),
                 bench.nginx("nginx+Lua+Redis, faithful", "faithful", cells, theirs, their_process)]
    options = ["-n", routes, "-o", 0]
    warm(bench, rows, all_sides, options)
    rows.compare(bench, "hit GET", "http_load", all_sides, [*options, "-s", seconds], rounds)


def part_map(bench, rows, arguments):
    """Level 0 against bare HAProxy with the same map, at three sizes. (Before 3.0 the agent keeps at most 12,000
    entries in it.)"""
    rounds, seconds = (3, 0.7) if arguments.quick else (9, 0.7)
    cells = bench.origin(302, 2)
    agent, _ = bench.agent(cells)
    for routes in (THOUSAND, 10 * THOUSAND, 100 * THOUSAND if arguments.quick else MILLION):
        rows.progress(f"maps of {routes} routes")
        plain = write_map(bench, routes, False)
        times = range(3 if routes == MILLION else rounds)  # each takes 320 MB and a second to start there
        all_sides = [[bench.bare("bare HAProxy, map", cells, plain) for _ in times],
                     [bench.bare("the same, hygiene by hand", cells, plain, hygiene=True) for _ in times],
                     [level0_side(bench, cells, agent, routes, {}) for _ in times]]
        options, each = ["-n", routes, "-o", 0], [side for kind in all_sides for side in kind]
        warm(bench, rows, each, options)
        rows.compare(bench, f"hit GET, {short(routes)} entries", "http_load", all_sides, [*options, "-s", seconds],
                     rounds)
        bench.end(*(side.processes["haproxy"] for side in each))


def part_replay(bench, rows, arguments):
    """Known routes with and without the replay pass, safe and unsafe methods."""
    rounds, seconds, routes = (3, 0.7, 10 * THOUSAND) if arguments.quick else (5, 1.5, 10 * THOUSAND)
    cells = bench.origin(302, 2)
    agent, conf = bench.agent(cells)
    learn(bench, agent, routes)
    redis, redis_process = bench.redis()
    fill_redis(redis, routes)
    routers = {}
    for way in ("safe", "all", "never"):
        conf, _ = bench.conf(cells, agent_address=agent.where, direct_hits=way)
        routers[way] = bench.router(f"router {way}", conf, agent.processes)
    bare, nginx = bench.bare("bare HAProxy", cells), bench.nginx("nginx+Lua+Redis, faithful", "faithful", cells, redis,
                                                                 redis_process)

    def named(side, name):
        return sides.Side(name, side.where, side.processes, side.options)

    options = ["-n", routes, "-o", 0, "-s", seconds]
    rows.compare(bench, "known route, GET", "http_load",
                 [bare, named(routers["safe"], "SPOE, direct (safe)"),
                  named(routers["never"], "SPOE, replay pass (never)"), nginx],
                 options, rounds)
    for name, more in (("POST 16 B", ["-p"]), ("POST 8 kB", ["-b", 8000])):
        rows.compare(bench, f"known route, {name}", "http_load",
                     [bare, named(routers["all"], "SPOE, direct (all)"),
                      named(routers["safe"], "SPOE, replay pass (safe)"), nginx], [*options, *more], rounds)


def part_first(bench, rows, arguments):
    """First visits (miss, redirect, replay, learning) at one router, then first uses at a second one (level 2)."""
    rounds, count = (3, 2000) if arguments.quick else (5, 5000)
    redis, redis_process = bench.redis()
    first, second, bare = [], [], None
    for answers in (302, 421, 425):
        cells = bench.origin(answers, 2)
        # One Redis for both: their routes are told apart by the numbers that each asks for.
        for group, letter in ((first, "A"), (second, "B")):
            agent, conf = bench.agent(cells, redis=redis, answers=answers)
            group.append(bench.router(f"{letter}, {answers} cells", conf,
                                      {"agent": agent.processes["agent"], "redis": redis_process}))
        if answers == 302:
            bare = bench.bare("bare HAProxy", cells)
            for variant in ("fast", "faithful"):
                theirs, their_process = bench.redis()
                for group, letter in ((first, "A"), (second, "B")):
                    group.append(bench.nginx(f"{letter}, nginx+Lua {variant}", variant, cells, theirs, their_process))
    first, second = [bare, *filter(None, first)], [bare, *filter(None, second)]

    def options(group):
        # Numbers that nobody asked for before; the second router asks for those of the first.
        return lambda side, number: ["-o", 1, "-t", (group.index(side) * rounds + number) * count, "-r", count, "-s",
                                     60, "-c", 64]

    rows.compare(bench, "first visit", "http_load", first, options(first), rounds)
    time.sleep(0.5)
    rows.compare(bench, "level-2 hit", "http_load", second, options(second), rounds)


def part_cells(bench, rows, arguments):
    """First visits, half of which meet a redirect, at 4, 100 and 500 cells; what cellctl takes to print the rules."""
    rounds, count = (3, 2000) if arguments.quick else (5, 5000)
    cells = bench.origin(302, 2)
    bare, all_sides = bench.bare("bare HAProxy", cells), []
    for number in (4, 100, 500):
        agent, conf = bench.agent(cells, far=number - 2)
        all_sides.append(bench.router(f"{number} cells", conf, {"agent": agent.processes["agent"]}))
    all_sides = [*all_sides, bare]

    def options(side, number):
        return ["-o", 1, "-t", (all_sides.index(side) * rounds + number) * count, "-r", count, "-s", 60, "-c", 64]

    rows.compare(bench, "first visit, no Redis", "http_load", all_sides, options, rounds)
    taken = {number: printing_seconds(bench, bench.conf(cells, far=number - 2)[0]) for number in (500, 2000, 4096)}
    rows.add("cellctl haproxy", "500, 2000, 4096 cells", value=[taken[4096] / taken[500]],
             text=", ".join(f"{number}: {seconds * 1000:.1f} ms CPU" for number, seconds in taken.items())
             + f"; 4096 take {taken[4096] / taken[500]:.1f} times 500")


def printing_seconds(bench, conf):
    """CPU that cellctl takes to print HAProxy's configuration, at the least of five."""
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        bench.generated(conf)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(5))


def part_latency(bench, rows, arguments):
    """One request at a time, from cells that take 5 ms: what a first visit adds to the cells' own time."""
    rounds, count = (3, 40) if arguments.quick else (5, 80)
    cells = bench.origin(302, 2, delay_us=5000)
    redis, redis_process = bench.redis()
    agent, conf = bench.agent(cells, redis=redis)
    theirs, their_process = bench.redis()
    visits = [bench.router("first visit, 302 cells", conf, {"agent": agent.processes["agent"], "redis": redis_process}),
              bench.nginx("first visit, nginx fast", "fast", cells, theirs, their_process),
              bench.nginx("first visit, nginx faithful", "faithful", cells, theirs, their_process)]
    if places.haproxy_version() >= (3, 2):  # before, such cells are treated as 302 cells
        fast_cells = bench.origin(421, 2, delay_us=5000)
        fast_agent, fast_conf = bench.agent(fast_cells, redis=redis, answers=421)
        visits.insert(1, bench.router("first visit, 421 cells", fast_conf,
                                      {"agent": fast_agent.processes["agent"], "redis": redis_process}))
    all_sides = [sides.Side("cell itself", cells["any"], {}, ["-a"]), bench.bare("bare HAProxy", cells),
                 *filter(None, visits)]

    def options(side, number):
        return ["-o", 1, "-t", (all_sides.index(side) * rounds + number) * count, "-r", count, "-s", 60, "-c", 1]

    found = rows.compare(bench, "one at a time, 5 ms cells", "http_load", all_sides, options, rounds)
    trip = found[0]["p50_us"]
    for side, row in zip(all_sides[1:], found[1:]):
        trips = 1 if side.name == "bare HAProxy" else 2
        over = (row["p50_us"] - trips * trip) / 1000
        rows.add("above the cells' round trips", side.name, value=over,
                 text=f"p50 {row['p50_us'] / 1000:.2f} ms = {trips} x {trip / 1000:.2f} ms + {over:.2f} ms; p99 "
                      f"{row['p99_us'] / 1000:.2f} ms")


def peak(process):
    """Highest resident memory so far, in bytes."""
    line = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def part_large(bench, rows, arguments):
    """First visits with bodies that only the large-body tier can replay, as many at a time as it takes; its memory."""
    rounds, count, requests = (3, 12, 4) if arguments.quick else (5, 40, 8)
    size, buffer = 10 * MB, 16 * MB
    cells = bench.origin(302, 2)
    agent, conf = bench.agent(cells)
    address = bench.path("large")
    conf, _ = bench.conf(cells, agent_address=agent.where, large_address=f"unix@{address}", large_buffer=buffer,
                         large_requests=requests)
    tier = bench.large_tier("haproxy-large", conf, address)
    router = bench.router("first visit, large tier", conf,
                          {"edge": None, "large": tier, "agent": agent.processes["agent"]})
    router.processes["edge"] = router.processes.pop("haproxy")
    bare = bench.bare("bare HAProxy, streams", cells)
    idle = tier.resident()
    time.sleep(2)  # the edge has seen the tier's health check

    def options(side, number):
        return ["-o", 1, "-t", ([bare, router].index(side) * rounds + number) * count, "-r", count, "-s", 100, "-c",
                requests, "-b", size]

    found = rows.compare(bench, f"POST {size // MB} MB, {requests} at a time", "http_load", [bare, router], options,
                         rounds)
    for row in found:
        rows.add("throughput of bodies", row["side"], value=row["per_s"] * size,
                 text=f"{row['per_s'] * size / MB:.0f} MB/s, {row['cpu_us'] / 1000 / (size / MB):.2f} ms CPU a MB")
    most = peak(tier)
    rows.add("memory of the large tier", f"{requests} at a time", value=most / (requests * buffer),
             text=f"{most / MB:.0f} MB at its peak, {idle / MB:.0f} MB idle: {(most - idle) / (requests * buffer):.1f} "
                  f"buffers of {buffer // MB} MB a request (bound 5)")


# ---- start, reload ---------------------------------------------------------------------------------------------------


def haproxy_times(bench, rows, name, texts, port, routes, times):
    """One round: check, start, reload; seconds of each, and bytes an entry."""
    files = bench.files(*texts(port, runtime := bench.path("runtime")))
    times.setdefault("check", []).append(timed(lambda: subprocess.run(["taskset", "-c", str(sides.TESTED),
                                                                       places.haproxy(), "-c", *map(str, files)],
                                                                       check=True, capture_output=True)))

    def start(*more):
        process = bench.start(name, [places.haproxy(), "-db", *files, *more])
        process.ready("serves", lambda: f"Pid: {process.pid}\n" in answer(runtime), timeout=120)
        return process

    begun = time.monotonic()
    old = start()
    times.setdefault("start", []).append(time.monotonic() - begun)
    times.setdefault("memory", []).append(old.resident() / routes)
    begun = time.monotonic()
    new = start("-sf", str(old.pid), "-x", str(runtime))
    times.setdefault("reload", []).append(time.monotonic() - begun)
    bench.end(old, new)


def answer(runtime):
    return ask(runtime, "show info") if connects(runtime) else ""


def timed(what):
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


def part_start(bench, rows, arguments):
    """Check, start and reload of HAProxy with a map of so many routes, against a bare one with the same; the
    agent's."""
    routes = 100 * THOUSAND if arguments.quick else MILLION
    cells = {**CELLS, "any": 3}
    plain, hot = write_map(bench, routes, False), write_map(bench, routes, True)
    conf, _ = bench.conf(cells, runtime=[f"unix:{bench.path('unused')}"], map_file=hot)
    port, times = bench.ports.reserve(), {"bare HAProxy, map": {}, "level 0": {}}
    for number in range(3):
        for name, texts in (("bare HAProxy, map", lambda port, runtime: bench.bare_texts(cells, port, plain, runtime)),
                            ("level 0", lambda port, runtime: bench.router_texts(conf, port, runtime))):
            rows.progress(f"HAProxy, round {number + 1} of 3, {name}")
            haproxy_times(bench, rows, name, texts, port, routes, times[name])
    for what in ("check", "start", "reload"):
        base = times["bare HAProxy, map"][what]
        for name, found in times.items():
            ratios = [one / other for one, other in zip(found[what], base)]
            value = statistics.median(found[what])
            rows.add(f"{what}, map of {short(routes)}", name, value=value, ratio=value / statistics.median(base),
                     text=f"{value:.2f} s, {value / statistics.median(base):.2f} ± "
                          f"{(max(ratios) - min(ratios)) / 2:.2f}")
    for name, found in times.items():
        rows.add(f"memory, map of {short(routes)}", name, value=statistics.median(found["memory"]),
                 text=f"{statistics.median(found['memory']):.0f} bytes an entry of the process")
    agent_times(bench, rows, routes, hot, statistics.median(times["bare HAProxy, map"]["start"]))


def agent_times(bench, rows, routes, map_file, base):
    """The agent beside a map file of so many routes, and its reload with as many in its memory. It reads neither."""
    starts = []
    for _ in range(3):
        begun = time.monotonic()
        side, _ = bench.agent(CELLS, runtime=[f"unix:{bench.path('unused')}"], map_file=map_file)
        starts.append(time.monotonic() - begun)
        bench.end(side.processes["agent"])
    value = statistics.median(starts)
    rows.add(f"start, map of {short(routes)}", "agent", value=value,
             text=f"{value:.3f} s, {value / base:.3f} of bare HAProxy's")
    side, _ = bench.agent(CELLS)
    learn(bench, side, routes)
    asker, waits = sides.Asker(side.where), []

    def longest(turns):
        waits.clear()
        for _ in range(turns):
            waits.append(timed(lambda: asker.ask("lookup", path="/r00000000/x", host="x")))
        return max(waits) * 1000

    quiet = longest(2000)
    cpu = sides.cpu_seconds(side.processes["agent"].pid)
    side.processes["agent"].send(signal.SIGHUP)
    during = longest(2000)
    cpu = sides.cpu_seconds(side.processes["agent"].pid) - cpu
    rows.add(f"reload, {short(routes)} routes in memory", "agent", value=during,
             text=f"longest wait of a lookup meanwhile {during:.2f} ms ({quiet:.2f} ms without), {cpu * 1000:.0f} ms "
                  f"CPU with 2000 lookups")


# ---- growth ----------------------------------------------------------------------------------------------------------


def growth(bench, rows, figure, axis, points):
    """points: size -> (program, [base, side], options); one row with the ratio at each size."""
    seconds_rounds = 3
    found = {}
    for size, (program, both, options) in points.items():
        for row, side in zip(rows.compare(bench, f"{figure}, {short(size)} {axis}", program, both, options,
                                          seconds_rounds)[1:], both[1:]):
            found.setdefault(side.name, {})[size] = row["ratio_cpu"]
    for name, ratios in found.items():
        rows.add(f"{figure}, by {axis}", name, value=list(ratios.values()),
                 text=", ".join(f"{short(size)}: {ratio:.2f}" for size, ratio in ratios.items()))


def part_growth(bench, rows, arguments):
    """Ratios of CPU at 1, 10 and 100 times the routes and connections."""
    seconds = 0.5 if arguments.quick else 1
    sizes = (THOUSAND, 10 * THOUSAND, 100 * THOUSAND) if arguments.quick else (10 * THOUSAND, 100 * THOUSAND, MILLION)
    cells = bench.origin(302, 2)
    growth_of_agent(bench, rows, cells, sizes, seconds)
    growth_of_requests(bench, rows, cells, sizes, seconds)
    growth_of_bodies(bench, rows, cells)
    growth_of_store(bench, rows, sizes, seconds)


def growth_of_agent(bench, rows, cells, sizes, seconds):
    least = bench.least_agent()
    points = {}
    for routes in sizes:
        other, _ = bench.agent(cells)
        learn(bench, other, routes)
        points[routes] = ("spop_load", [least, other], ["-n", routes, "-s", seconds, "-c", 4, "-f", 16])
    growth(bench, rows, "agent alone", "routes", points)
    few = points[sizes[0]][1]
    growth(bench, rows, "agent alone", "connections",
           {count: ("spop_load", few, ["-n", sizes[0], "-s", seconds, "-c", count, "-f", 4]) for count in (4, 40, 400)})


def growth_of_requests(bench, rows, cells, sizes, seconds):
    """Hits at level 0, by SPOE and by the replay pass; first visits to prefixes that come on top of those that are
    known."""
    bare, turn = bench.bare("bare HAProxy", cells), iter(range(10 * MILLION, 90 * MILLION, 2000))
    hits, visits = {}, {}
    for routes in sizes:
        agent, conf = bench.agent(cells)
        learn(bench, agent, routes)
        never, _ = bench.conf(cells, agent_address=agent.where, direct_hits="never")
        by_spoe = bench.router("SPOE, agent", conf, agent.processes)
        hits[routes] = ("http_load", [bare, level0_side(bench, cells, agent, routes, agent.processes), by_spoe,
                                      bench.router("replay pass", never, agent.processes)],
                                      ["-n", routes, "-o", 0, "-s", seconds])
        visits[routes] = ("http_load", [bare, sides.Side("first visit", by_spoe.where, by_spoe.processes)],
                          lambda side, number: ["-o", 1, "-t", next(turn), "-r", 2000, "-s", 60])
    growth(bench, rows, "hit", "routes", hits)
    few = hits[sizes[0]][1]
    growth(bench, rows, "hit", "connections",
           {count: ("http_load", few, ["-n", sizes[0], "-o", 0, "-s", seconds, "-c", count]) for count in (8, 80, 800)})
    growth(bench, rows, "first visit", "routes", visits)
    few = visits[sizes[0]][1]
    growth(bench, rows, "first visit", "connections",
           {count: ("http_load", few, lambda side, number,
                    count=count: ["-o", 1, "-t", next(turn), "-r", 2000, "-s", 60, "-c", count])
                    for count in (8, 80, 800)})


def growth_of_bodies(bench, rows, cells):
    """Uploads of 500 kB on unknown routes, against bare HAProxy; the large-body tier's memory at each point."""
    size, buffer, turn, points = 500 * THOUSAND, MB, iter(range(90 * MILLION, 99 * MILLION, 1000)), {}
    bare = bench.bare("bare HAProxy, streams", cells)
    tiers = {}
    for count in (1, 10, 100):
        agent, _ = bench.agent(cells)
        address = bench.path("large")
        conf, _ = bench.conf(cells, agent_address=agent.where, large_address=f"unix@{address}", large_buffer=buffer,
                             large_requests=count)
        tiers[count] = bench.large_tier(f"haproxy-large-{count}", conf, address)
        router = bench.router("large tier", conf, {"large": tiers[count], "agent": agent.processes["agent"]})
        points[count] = ("http_load", [bare, router], lambda side, number,
                         count=count: ["-o", 1, "-t", next(turn), "-r", 200, "-s", 100, "-c", count, "-b", size])
    time.sleep(2)  # the edges have seen the tiers' health checks
    growth(bench, rows, "POST 500 kB", "connections", points)
    rows.add("large tier, by connections", "memory", value=[peak(tier) for tier in tiers.values()],
             text=", ".join(f"{count}: {peak(tier) / MB:.0f} MB" for count, tier in tiers.items()))


def growth_of_store(bench, rows, sizes, seconds):
    """Lookups that Redis answers, against redis-benchmark's MGET in the same rounds."""
    ratios = {"routes": {}, "connections": {}}
    for routes in sizes:
        redis, small, _ = parts_agent.stored(bench, rows, routes)
        ratios["routes"][routes] = parts_agent.store_rate(bench, redis, small, ["-n", routes, "-c", 4, "-f", 16], 3,
                                                          seconds)
    for count in (4, 40, 400):
        ratios["connections"][count] = parts_agent.store_rate(bench, redis, small, ["-n", routes, "-c", count, "-f", 4],
                                                              3, seconds)
    for axis, found in ratios.items():
        rows.add(f"store, by {axis}", "lookups found in Redis", value=[rate / mget for rate, mget in found.values()],
                 text=", ".join(f"{short(size)}: {rate:.0f}/s, {rate / mget:.2f}x MGET"
                                for size, (rate, mget) in found.items()))


PARTS = {"hit": part_hit, "map": part_map, "replay": part_replay, "first": part_first, "cells": part_cells,
         "latency": part_latency, "large": part_large, "start": part_start, "growth": part_growth}
