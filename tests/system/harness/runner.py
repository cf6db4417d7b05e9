"""Finds the tests, runs each in a process of its own, tells how it went."""

import argparse
import concurrent.futures
import importlib
import inspect
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from harness import places
from harness.process import Failure
from harness.world import World

HERE = Path(__file__).resolve().parents[1]
PASSED, FAILED, SKIPPED = 0, 1, 77

ONE = {"eu1": "eu", "us1": "us"}
TWO = {"eu1": "eu", "eu2": "eu", "us1": "us", "us2": "us"}


class Skip(Exception):
    pass


def scenario(*, timeout=60, matrix=None, **world):
    """Marks a test. matrix: name of an argument of World -> {label: value}; the test runs once for each combination."""

    def mark(function):
        function.scenario = {"timeout": timeout, "matrix": matrix or {}, "world": world}
        return function

    return mark


ANSWERS = {"302": 302, "421": 421}
ROUTERS = {"one": ONE, "two": TWO}
LEVELS = {"level1": None, "level0": True}  # whether HAProxy's own map is there


@dataclass
class Test:
    id: str
    module: str
    function: object
    arguments: dict
    timeout: float


def discover():
    tests = []
    for file in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(file.stem)
        for name, function in sorted(vars(module).items(), key=line_of):
            if name.startswith("test_") and callable(function):
                tests += variants(file.stem, name, function)
    return tests


def line_of(item):
    try:
        return inspect.unwrap(item[1]).__code__.co_firstlineno, item[0]
    except (AttributeError, TypeError):
        return 0, item[0]


def variants(module, name, function):
    marks = getattr(function, "scenario", {"timeout": 60, "matrix": {}, "world": {}})
    axes = [[(key, label, value) for label, value in values.items()] for key, values in marks["matrix"].items()]
    for choice in itertools.product(*axes):
        label = ",".join(label for _, label, _ in choice)
        arguments = {**marks["world"], **{key: value for key, _, value in choice}}
        yield Test(name.removeprefix("test_") + (f"[{label}]" if label else ""), module, function, arguments,
                   marks["timeout"])


# One test, in this process

def run_here(test):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    world = None
    try:
        world = World(test.id, **test.arguments)
        world.start()
        test.function(world)
        world.check_alive()
        world.check_counters()
        world.check_logs()
        ends = world.stop()
        world.check_logs()
        world.check_ends(ends)
    except Skip as reason:
        print(reason)
        return SKIPPED
    except (Failure, places.Missing) as failure:
        print(failure)
        print(f"  at {place_of(failure)}")
        print_unusual(world)
        return FAILED
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print_unusual(world)
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is the end already
        if world:
            world.stop()
    return PASSED


def place_of(failure):
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__)
              if Path(frame.filename).name.startswith("test_")]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else "the start of the world"


def print_unusual(world):
    if world is None:
        return
    for log in sorted([*world.logs.glob("agent-*.log"), *world.logs.glob("haproxy-*.errors")]):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        odd = [line for line in lines if re.search(r"level=(warn|error)|Sanitizer|runtime error|ALERT|WARNING", line)]
        if odd:
            print(f"  {log.name}:")
            print("\n".join("    " + line[:300] for line in odd[-5:]))


# All tests, each in a child

def interrupt(*_):
    raise KeyboardInterrupt


AGAIN_MOST = 10  # more failures than that are no bad luck


class Runner:
    def __init__(self, tests, jobs, timeout_factor, again=False):
        self.tests, self.jobs, self.factor, self.again = tests, jobs, timeout_factor, again
        self.children = {}
        self.lock = threading.Lock()
        self.stopping = False
        self.done = 0

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        start = time.monotonic()
        pool = concurrent.futures.ThreadPoolExecutor(self.jobs)
        futures = {pool.submit(self.run_one, test): test for test in self.tests}
        failed = []
        try:
            for future in concurrent.futures.as_completed(futures):
                counts[future.result()] += 1
                if future.result() == FAILED:
                    failed.append(futures[future])
            if self.again:
                self.run_again(failed, counts)
        except KeyboardInterrupt:
            self.stop()
            print("\nstopped")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        print(f"took {time.monotonic() - start:.0f} s")
        print(f"{counts[PASSED]} passed, {counts[FAILED]} failed, {counts[SKIPPED]} skipped")
        return 1 if counts[FAILED] or self.stopping or not counts[PASSED] else 0

    def run_again(self, failed, counts):
        """Runs each test that failed once more, alone, since a shared machine can be late. What passes then counts as
        passed and is named unsteady."""
        if len(failed) > AGAIN_MOST:
            return
        for test in failed:
            print(f"once more, alone: {test.id}", flush=True)
            outcome = self.run_one(test)
            if outcome != FAILED:
                counts[FAILED] -= 1
                counts[outcome] += 1
                print(f"UNSTEADY: {test.id} failed beside other tests and passed alone", flush=True)

    def run_one(self, test):
        if self.stopping:
            return SKIPPED
        start = time.monotonic()
        child = subprocess.Popen([sys.executable, str(HERE / "run"), "--one", test.id], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT,
                                 start_new_session=True, text=True, errors="replace")
        with self.lock:
            self.children[child.pid] = child
        late = ""
        try:
            output, _ = child.communicate(timeout=test.timeout * self.factor)
        except subprocess.TimeoutExpired:
            late = f"took more than {test.timeout * self.factor:g} s\n"
            child.terminate()
            try:
                output, _ = child.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                child.kill()
                output, _ = child.communicate()
        with self.lock:
            del self.children[child.pid]
            return self.report(test, child.returncode, late + output, time.monotonic() - start)

    def report(self, test, status, output, seconds):
        self.done += 1
        verdict = {PASSED: "ok  ", SKIPPED: "skip"}.get(status, "FAIL")
        reason = "  " + output.strip() if status == SKIPPED else ""
        print(f"{verdict} {seconds:5.1f} s  {test.id}{reason}", flush=True)
        if verdict == "FAIL":
            text = output.rstrip() or f"ended with status {status}"
            print("\n".join("     | " + line for line in text.splitlines()))
            print(f"     | logs: {os.path.relpath(places.LOGS)}/{re.sub(r'[^A-Za-z0-9_.,-]', '_', test.id)}",
                  flush=True)
            return FAILED
        return status

    def stop(self):
        self.stopping = True
        with self.lock:
            for child in self.children.values():
                child.terminate()


def main():
    parser = argparse.ArgumentParser(description="Runs the system tests: real HAProxy, Redis, agents and cells on free "
                                                 "ports.")
    parser.add_argument("-k", action="append", default=[], metavar="NAME",
                        help="only tests whose name contains NAME (may be repeated)")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 2, metavar="N",
                        help="tests side by side (default: %(default)s)")
    parser.add_argument("--haproxy", metavar="PATH", help="the HAProxy to test with (default: $HAPROXY, or haproxy)")
    parser.add_argument("--list", action="store_true", help="only list the tests")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each test N times")
    parser.add_argument("--slow", type=float, default=1.0, metavar="F", help="multiply the tests' time limits by F")
    parser.add_argument("--again", action="store_true",
                        help="run what failed once more, alone; what passes then is named as unsteady")
    parser.add_argument("--one", metavar="ID", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.haproxy:
        os.environ["HAPROXY"] = options.haproxy
    tests = discover()
    if options.one:
        return run_here(next(test for test in tests if test.id == options.one))
    if options.k:
        tests = [test for test in tests if any(name in test.id for name in options.k)]
    if options.list:
        print("\n".join(test.id for test in tests))
        return 0
    if not tests:
        print(f"no test has {' or '.join(options.k)} in its name")
        return 2
    try:
        version = subprocess.run([places.haproxy(), "-v"], capture_output=True, text=True,
                                 check=False).stdout.splitlines()[0]
        print(f"{len(tests)} tests, {version}, {places.built('cellrouter')}", flush=True)
    except places.Missing as missing:
        print(missing)
        return 2
    return Runner(tests * options.repeat, options.j if options.repeat == 1 else 1, options.slow, options.again).run()
