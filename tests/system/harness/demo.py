"""The demo: the seed flows on a running world, one readable block each."""

import argparse
import os
import shlex
import signal
import sys

from harness import flows, places
from harness.process import Failure
from harness.world import World

ROUTERS = {"eu1": "eu", "eu2": "eu", "us1": "us"}


class Paint:
    """Colours, where they are wanted."""

    def __init__(self, wanted):
        self.wanted = wanted

    def __call__(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.wanted else str(text)

    def bold(self, text):
        return self("1", text)

    def dim(self, text):
        return self("2", text)

    def good(self, text):
        return self("32", text)

    def bad(self, text):
        return self("1;31", text)


class Demo:
    def __init__(self, world, paint):
        self.world, self.paint = world, paint
        self.known = {}
        self.failed = []

    def line(self, label, text):
        print(f"    {self.paint.dim(f'{label:<8}')}{text}")

    def run(self):
        for flow in flows.FLOWS:
            print(f"\n{self.paint.bold(f'{flow.number:>2}  {flow.story}')}")
            try:
                self.one(flow)
            except Failure as failure:
                self.failed.append(flow.number)
                print(self.paint.bad("    not right: ") + str(failure).replace("\n", "\n    "))

    def one(self, flow):
        router = self.world.router("eu2" if flow.second_router else flow.region + "1")
        self.set_up(flow)
        knew = router.routes() if flow.second_router else self.known
        answer = flows.ask(flow, router)
        self.line("asks", f"{flow.user or 'somebody'} at router {router.id}: {flow.method} {flow.path}"
                  + (f", body of {len(flow.body)} bytes" if flow.body else ""))
        self.line("knew", self.route_of(flow.path, knew, flow.hit))
        self.line("cells", self.seen(answer))
        self.line("client", self.got(answer))
        self.known.update(flow.learns)
        flows.verify(self.world, flow, router, answer, self.known)
        self.tell_known()
        self.line("", self.paint.good("as it should be"))

    def set_up(self, flow):
        """Makes the routers forget or learn what the flow begins with."""
        if not flow.hit and any((flow.path.partition("?")[0] + "/").startswith(prefix) for prefix in self.known):
            self.world.flush()
            self.known = {}
            self.line("before", "the operator lets all routers forget what they know")
        if set(flow.known_before) <= set(self.known):
            return
        for step in flow.before:
            router = self.world.router(step.region + "1")
            router.request("GET", step.path, user=step.user)
            self.line("before", f"{step.user} at router {router.id}: GET {step.path}")
            for prefix in flow.known_before:
                flows.wait_known(self.world, router, prefix)
        self.known.update(flow.known_before)

    def route_of(self, path, known, hit):
        prefixes = [prefix for prefix in known if (path.partition("?")[0] + "/").startswith(prefix)]
        if prefixes:
            return f"{max(prefixes, key=len)} -> {known[max(prefixes, key=len)]}"
        return "nothing itself; another router has shared it through Redis" if hit else "no route for this"

    def seen(self, answer):
        return "  ->  ".join(
            f"{d.cell} " + (self.paint.dim(f"\"{d.answer}, ask {d.redirect.strip('{}').partition(':')[2]}\"")
                            if d.redirect else f"answers {d.answer}")
            for d in self.world.deliveries_of(answer)) or "none"

    def got(self, answer):
        where = f" to {answer.get('Location')}" if answer.get("Location") else ""
        cookies = f", {len(answer.all('Set-Cookie'))} cookies" if answer.all("Set-Cookie") else ""
        cell = self.world.cells.table.get(answer.cell)
        name = cell.name if cell else "the router"
        return f"{answer.status}{where} from {name}{cookies}, after {answer.seconds * 1000:.1f} ms"

    def tell_known(self):
        if not self.known:
            self.line("known", "nothing")
        for prefix, cell in sorted(self.known.items()):
            holders = [f"{router.id}{self.source(router, prefix)}" for router in self.world.routers.values()
                       if prefix in router.routes()]
            self.line("known", f"{prefix} -> {cell}  "
                               f"{self.paint.dim('in the memory of ' + ', '.join(holders) + '; shared in Redis')}")

    def source(self, router, prefix):
        """Where this router has the route from, as its agent tells."""
        words = {"learning": " (learned from the cell's answer)", "redis": " (from Redis)"}
        return words.get(router.route_details(prefix).get("from"), "")


def stay(world, paint):
    eu, us = world.router("eu1").url, world.router("us1").url
    cookie = world.cells.cookie("alice")
    control = f"http://127.0.0.1:{world.cells.control_port}"
    print(f"\n{paint.bold('It keeps running.')} Routers:")
    for router in world.routers.values():
        print(f"    {router.id}  {router.url}   agent: cellctl -s {router.admin_socket} show routes")
    print(f"    cells: {', '.join(f'{cell.id} on {cell.port}' for cell in world.cells.table.values())}; control port "
          f"{world.cells.control_port}")
    print("\nWorth trying (X-Cell tells which cell answered):")
    move = '{"organization": "my-company", "cell": "eu1"}'
    for command in (
        f"curl -i {us}/gitlab-org/gitlab",
        f"curl -i {eu}/my-company/my-project",
        f"curl -i -b {shlex.quote(cookie)} {eu}/my-company/my-project",
        f"curl -d {shlex.quote(move)} {control}/move && curl -iL -b {shlex.quote(cookie)} {eu}/my-company/my-project",
        f"curl -s {control}/deliveries | python3 -m json.tool | tail -40",
    ):
        print("    " + command)
    print("\nCtrl-C ends it.", flush=True)
    while True:
        signal.pause()


def ended(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="Shows the router at work: real HAProxy, Redis and agents, four "
                                                 "cells, flows 1-15 of docs/flows.md.")
    parser.add_argument("--stay", action="store_true", help="keep it running afterwards, with commands to try")
    parser.add_argument("--answers", type=int, choices=(302, 421, 425), default=302,
                        help="status of the cells' redirects (default: %(default)s)")
    options = parser.parse_args()
    paint = Paint(sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ended)
    world = None
    try:
        world = World("demo", routers=ROUTERS, answers=options.answers, classes=("64k:16", "1m:8", "16m:4"))
        world.start()
        print(f"Running: routers eu1 and eu2 (region eu), us1 (region us), each an HAProxy with its agent; Redis; "
              f"cells {', '.join(world.cells.table)}.")
        demo = Demo(world, paint)
        demo.run()
        world.check_logs()
        print()
        if demo.failed:
            print(paint.bad(f"flows that were not right: {', '.join(map(str, demo.failed))}; logs: "
                            f"{os.path.relpath(world.logs)}"))
        else:
            print(paint.good(f"All {len(flows.FLOWS)} flows were right."))
        if options.stay:
            stay(world, paint)
        return 1 if demo.failed else 0
    except (Failure, places.Missing) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
        return 0 if options.stay else 130
    finally:
        if world:
            world.stop()
            print("Stopped; nothing is left running." if world.stopped else "", flush=True)
