"""Parts of the bench about bodies: their sizes, on known and unknown routes, against bare HAProxy; and the whole site,
the mix of requests that a real one has."""

import subprocess
import time

import sides
from harness import places
from harness.router import ask, connects
from parts_agent import MILLION, THOUSAND, learn
from parts_http import MB, peak, write_map

KB = 1000
SIZES = {"1 kB": KB, "14 kB": 14 * KB, "20 kB": 20 * KB, "60 kB": 60 * KB, "1 MB": 1000 * KB, "10 MB": 10 * 1000 * KB,
         "50 MB": 50 * 1000 * KB}
QUICK = ("14 kB", "60 kB", "1 MB", "10 MB")
AT_ONCE = (1, 16, 128)
ROUTES = 1000


def has_setting(name):
    """Whether the configuration knows a setting of this name."""
    said = subprocess.run([places.built("cellctl"), "settings"], capture_output=True, text=True, check=True).stdout
    return f"\n  {name} = " in said


def ways():
    """Name -> settings of the section routes, and whether the routes are known beforehand."""
    known = {"known": ({"fresh": 0}, True), "known and fresh": ({}, True)} if has_setting("fresh") else {
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
        for at_once in (16,) if arguments.quick else AT_ONCE:
            if size * at_once > 2000 * MB:
                continue  # 50 MB from 128 clients say nothing that 16 do not, and take minutes
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


PARTS = {"bodies": part_bodies}
