"""Parts of the bench about bodies: their sizes, on known and unknown routes, against bare HAProxy; and the whole site,
the mix of requests that a real one has."""

import subprocess
import time

import sides
from harness import places
from harness.router import ask, connects, counters_of
from parts_agent import MILLION, THOUSAND, learn
from parts_http import MB, peak, write_map

KB = 1000
SIZES = {"1 kB": KB, "14 kB": 14 * KB, "20 kB": 20 * KB, "60 kB": 60 * KB, "1 MB": 1000 * KB, "10 MB": 10 * 1000 * KB,
         "50 MB": 50 * 1000 * KB}
QUICK = ("14 kB", "60 kB", "1 MB", "10 MB")
AT_ONCE = {"20 kB": (1, 16, 128), "1 MB": (1, 16, 128)}  # all others: 16
ROUTES = 1000


def has_setting(name):
    """Whether the configuration knows a setting of this name."""
    said = subprocess.run([places.built("cellctl"), "settings"], capture_output=True, text=True, check=True).stdout
    return f"\n  {name} = " in said


def ways():
    """Name -> settings of the section routes, and whether the routes are known beforehand."""
    known = {"known": ({"fresh": 0}, True), "known and fresh": ({"fresh": 3600}, True)} if has_setting("fresh") else {
        "known": ({}, True)}
    return {**known, "unknown": ({}, False)}


class Tier:
    """A router with all classes of the large-body tier, as configured by default."""

    def __init__(self, bench, name, cells, answers, routes, known):
        self.known, address = known, bench.path("large")
        conf, spoe = bench.conf(cells, answers=answers, large_address=f"unix@{address}", routes=routes)
        agent = bench.start("agent", [places.built("cellrouter"), "-f", conf])
        agent.ready("listens", lambda: connects(spoe))
        if known:
            learn(bench, sides.Side("agent", spoe, {}), ROUTES)
        self.classes = bench.classes(conf, address)
        self.side = bench.router(name, conf, {"agent": agent, **self.classes})


def count_for(size, at_once, quick):
    """How many requests make one measurement: some 40 MB of bodies, and each client once at least."""
    budget = (10 if quick else 40) * MB
    return max(at_once, 2, min(1000 if quick else 3000, budget // size))


def part_bodies(bench, rows, arguments):
    """POSTs of 1 kB to 50 MB on known and unknown routes at 302 and 425 cells, and their memory."""
    rounds = 2 if arguments.quick else 3
    turn = iter(range(2 * MILLION, 90 * MILLION, 10 * THOUSAND))  # paths that nobody asked for before
    tiers, bare = [], None
    for answers in (302, 425):
        cells = bench.origin(answers, 2)
        bare = bare or bench.bare("bare HAProxy", cells)
        for name, (routes, known) in ways().items():
            if arguments.quick and answers == 425 and known:
                continue
            tiers.append(Tier(bench, f"{answers}, {name}", cells, answers, routes, known))
    time.sleep(2)  # the edges have seen the classes' health checks

    for name, size in SIZES.items():
        if arguments.quick and name not in QUICK:
            continue
        for at_once in (16,) if arguments.quick else AT_ONCE.get(name, (16,)):
            count = count_for(size, at_once, arguments.quick)

            def options(side, number, size=size, at_once=at_once, count=count):
                known = next((tier.known for tier in tiers if tier.side is side), True)
                which = ["-n", ROUTES, "-o", 1] if known else ["-o", 1, "-t", next(turn)]
                return [*which, "-r", count, "-s", 100, "-c", at_once, "-b", size]

            rows.compare(bench, f"POST {name}, {at_once} at a time", "http_load", [bare] + [t.side for t in tiers],
                         options, rounds)
    for tier in tiers:
        tell_memory(rows, tier)


def tell_memory(rows, tier):
    """The most that each class has had, against the bound that its configuration prints."""
    said, worst = [], 0
    for name, process in tier.classes.items():
        share = max(0, peak(process) - process.idle) / process.bound
        worst = max(worst, share)
        said.append(f"{name} {peak(process) / MB:.0f} MB of {process.idle / MB:.0f} + {process.bound / MB:.0f}")
    rows.add("memory of the classes", tier.side.name, value=worst, text=", ".join(said))


COUNTERS = ("lookups", "lookup_hits_level1", "lookup_hits_level2", "lookup_misses")


def part_site(bench, rows, arguments):
    """The mix of a real site, against bare HAProxy with a static map and the same header rules; which level knew."""
    tenants, rounds, count, warm = (20 * THOUSAND, 3, 3000, 5) if arguments.quick else (200 * THOUSAND, 5, 10000, 40)
    cells, turn = bench.origin(302, 2), iter(range(10 * MILLION, 90 * MILLION, MILLION))
    redis, redis_process = bench.redis()
    runtime, address = bench.path("runtime"), bench.path("large")
    conf, spoe = bench.conf(cells, redis=redis, runtime=[f"unix:{runtime}"], map_file=write_map(bench, 0, True),
                            large_address=f"unix@{address}")
    classes = bench.classes(conf, address)
    agent = bench.start("agent", [places.built("cellrouter"), "-f", conf])
    agent.ready("listens", lambda: connects(spoe))
    learn(bench, sides.Side("agent", spoe, {}), tenants)
    router = bench.router("the site", conf, {"agent": agent, "redis": redis_process, **classes}, runtime)
    bare = bench.bare("bare, map and hygiene", cells, write_map(bench, tenants, False), hygiene=True)
    bare.options = ["-a"]
    every = ["-m", "-n", tenants, "-s", 100, "-c", 64]

    def options(side, number):
        return [*every, "-t", next(turn), "-r", count]

    time.sleep(2)  # the edge has seen the classes' health checks
    for _ in range(warm):  # routes in use enter level 0 at their second use
        rows.progress("warming the site")
        sides.load(bench, "http_load", router, options(router, 0))
    before = counters_of(ask(f"{spoe}.admin", "show counters"))
    rows.compare(bench, "the mix of a site", "http_load", [bare, router], options, rounds)
    after = counters_of(ask(f"{spoe}.admin", "show counters"))
    asked, first, second, nobody = (after[name] - before[name] for name in COUNTERS)
    requests = rounds * count
    shares = {"level 0": 1 - asked / requests, "level 1": first / requests, "level 2": second / requests,
              "nobody": nobody / requests}
    rows.add("who knew the cell", "the site", value=list(shares.values()),
             text=", ".join(f"{name} {share:.1%}" for name, share in shares.items()))


PARTS = {"bodies": part_bodies, "site": part_site}
