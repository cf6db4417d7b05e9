"""Allocations and system calls of the agent in its steady state, counted from outside it."""

import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional

import sides
from harness import places
from harness.router import connects

CONF = """region = "eu"
router = "bench"
cell "c00" {{ servers = {{"127.0.0.1:1"}} }}
cell "c01" {{ servers = {{"127.0.0.1:2"}} }}
spoe {{ listen = {{"unix:{socket}"}} }}
admin {{ socket = "{socket}.admin" }}
routes {{ claims-per-cell = 1000000 }}
"""
ROUTES = 10000
LOAD = ["-n", ROUTES, "-c", 1, "-f", 64]


class Found(NamedTuple):
    count: int  # NOTIFYs of which the allocations were counted
    allocations: int
    traced: int  # NOTIFYs of which the system calls were counted
    calls: Optional[dict]  # name -> number; None: there is no strace


def agent(bench, name, wrapper=()):
    """With its routes learned and warm."""
    socket, conf = bench.path("spoe"), bench.path("conf")
    conf.write_text(CONF.format(socket=socket))
    process = bench.start(name, [*wrapper, places.built("cellrouter"), "-f", conf])
    process.ready("listens", lambda: connects(socket))
    side = sides.Side(name, socket, {})
    for load in (["-l", "-n", ROUTES, "-c", 1, "-f", 64], [*LOAD, "-r", 10000]):
        must_be_right(sides.load(bench, "spop_load", side, load))
    return side


def must_be_right(figures):
    if figures["wrong"]:
        raise RuntimeError(f"{figures['wrong']} wrong ACKs: {figures}")
    return figures["count"]


def allocations(bench, most):
    """(NOTIFYs, allocations while they were answered)"""
    file = bench.path("counted")
    side = agent(bench, "agent", ["env", f"LD_PRELOAD={bench.out / 'counting.so'}", f"COUNTING_FILE={file}"])
    before = int.from_bytes(file.read_bytes(), "little")
    if before == 0:
        raise RuntimeError("the hook counts nothing")
    count = must_be_right(sides.load(bench, "spop_load", side, [*LOAD, "-r", most]))
    return count, int.from_bytes(file.read_bytes(), "little") - before


def end_traced(strace):
    """What strace started outlives it when it is killed."""
    for pid in Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)


def system_calls(bench, most):
    """(NOTIFYs, name -> system calls while they were answered)"""
    trace = bench.path("strace")
    try:
        side = agent(bench, "traced-agent", ["strace", "-f", "-qq", "-o", trace])
        begun = trace.stat().st_size
        count = must_be_right(sides.load(bench, "spop_load", side, [*LOAD, "-r", most]))
    finally:
        end_traced(bench.processes[-1])
    with open(trace, encoding="utf-8", errors="replace") as file:
        file.seek(begun)
        return count, dict(Counter(re.findall(r"^\d+ +(\w+)\(", file.read(), re.M)))


def measure(bench, counted, traced):
    if not shutil.which("strace"):
        return Found(*allocations(bench, counted), 0, None)
    return Found(*allocations(bench, counted), *system_calls(bench, traced))
