"""The composition in the words of the system tests: a world with routers and cells, so that flows and expectations are
shared."""

import http.client
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from harness import places
from harness.process import Failure, wait_until
from harness.resp import Redis
from harness.router import Router, ask
from harness.site import Cell, Delivery
from harness.world import CELLS, World

import engine

REGIONS = ("eu", "us")
# that tests cut
WIRES = {"agent-eu": ["store"], "agent-us": ["store"], "router-eu": ["cells-eu", "cells-us"],
         "router-us": ["cells-eu", "cells-us"]}
ENDS = (0, 130, 143)  # well, and what some say of a SIGINT or SIGTERM that they obeyed
LOGS = places.LOGS.parent / "compose"


class ComposedRouter(Router):
    """A HAProxy and the agent in the same seat. Asked past the region's entry."""

    def __init__(self, world, region, seat, haproxy, agent):  # the parent starts processes; here the engine does
        self.world, self.region, self.seat, self.pick = world, region, seat, None
        self.id, self.haproxy_container, self.agent_container = f"{region}-{seat}", haproxy, agent
        self.port = engine.published(haproxy, 8081)
        self.admin_socket = Path(world.project.volume(f"run-{region}")) / str(seat) / "admin.sock"

    def cellctl(self, command):
        """Through the volume, where this user may; `docker exec` takes its time."""
        if os.access(self.admin_socket.parent, os.X_OK):
            return super().cellctl(command)
        return engine.run("docker", "exec", self.agent_container, "seat", "here", "cellctl", "-s", "admin.sock",
                          *command.split(), check=False)

    def runtime(self, command):
        """HAProxy's answer on its runtime socket, by the same ways: cellctl sends any line to any socket."""
        if os.access(self.admin_socket.parent, os.X_OK):
            return ask(self.admin_socket.parent / "haproxy.sock", command)
        return engine.run("docker", "exec", self.agent_container, "seat", "here", "cellctl", "-s", "haproxy.sock",
                          command, check=False)

    def reaches(self, cell):
        """Whether the cell answers what is its own. (Leaves a route behind.)"""
        answer = self.request("GET", f"/admin/cells/{cell}/", user="root")
        return answer.status == 200 and answer.cell == cell


class Entry(Router):
    """A region's one published port."""

    def __init__(self, world, region):
        self.world, self.region, self.id, self.pick = world, region, f"entry-{region}", None
        self.container = world.project.containers(f"entry-{region}")[0]
        self.port = engine.published(self.container, 8080)

    def routers(self):
        """How many routers it would send clients to."""
        ask = 'exec 3<>/dev/tcp/127.0.0.1/8081; printf "GET /-/routers HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'
        return int(engine.execute(self.container, "bash", "-c", ask) or 0)


class ComposedCells:
    """Four cells in four containers: told the same, asked one after the other."""

    def __init__(self, world):
        self.world = world
        self.table = {id: Cell(id, id.rstrip("0123456789"), 302, 0, []) for id in CELLS}
        self.marks = dict.fromkeys(CELLS, 0)
        self.gone = set()  # cells that a test took away
        self.cookies = {}

    def refresh(self):
        for cell in self.table.values():
            if cell.id not in self.gone:
                cell.port = engine.published(self.container(cell.id), 9000)

    def container(self, id):
        return self.world.project.containers(id, every=True)[0]

    def ask(self, id, command, **value):
        connection = http.client.HTTPConnection("127.0.0.1", self.table[id].port, timeout=10)
        try:
            connection.request("POST", "/" + command, json.dumps(value))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(f"cell {id}: {command} {value}: {text}")
        return json.loads(text)

    def tell(self, command, **value):
        return {id: self.ask(id, command, **value) for id in self.table if id not in self.gone}

    def cookie(self, user):
        if user not in self.cookies:
            self.cookies[user] = self.ask("eu0", "session", user=user)["cookie"]
        return self.cookies[user]

    def mark(self):
        self.marks.update({id: state["last"] for id, state in self.tell("state").items()})

    def deliveries(self):
        """Since mark(), of all cells, in the order of their clocks, which are this machine's."""
        found = [Delivery(**entry) for id in self.table if id not in self.gone
                 for entry in self.ask(id, "deliveries", since=self.marks[id])]
        return sorted(found, key=lambda delivery: delivery.at)

    def move(self, organization, cell):
        self.tell("move", organization=organization, cell=cell)


class ComposedWorld(World):
    """Everything runs in containers; stop() takes it down, whatever happened."""

    def __init__(self, tag, store):  # the parent starts processes; here the engine does
        self.project = engine.Project(tag, store)
        self.redis, self.level0, self.unique, self.turns = True, None, f"compose-{os.getpid()}", {}
        self.cells, self.routers, self.entries = ComposedCells(self), {}, {}
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)

    def start(self):
        self.project.up()
        self.settle({"eu": 1, "us": 1})
        return self

    def settle(self, numbers):
        """Until each region's entry sees so many routers, each of them knows all its cells, and its agent has Redis."""
        self.refresh()
        for region, number in numbers.items():
            entry = self.entries[region]
            wait_until(f"{number} routers at {entry.id} (it sees {entry.routers()})", lambda: entry.routers() == number,
                       timeout=20, every=0.2)
        self.refresh()
        for region, number in numbers.items():
            there = [id for id, router in self.routers.items() if router.region == region]
            if len(there) != number:
                raise Failure(f"routers of {region}: {there}, expected {number}")
        for router in self.routers.values():
            wait_until(f"{router.id} reaches all cells", lambda: all(router.reaches(cell) for cell in CELLS),
                       timeout=10, every=0.1)

    def refresh(self):
        """Containers and ports as they are now."""
        self.cells.refresh()
        self.entries = {region: Entry(self, region) for region in REGIONS}
        self.routers = {}
        for region in REGIONS:
            for seat, haproxy, agent in wait_until(f"an agent for each HAProxy of {region}", lambda: self.pairs(region),
                                                   timeout=20, every=0.2):
                router = ComposedRouter(self, region, seat, haproxy, agent)
                self.routers[router.id] = router
        self.routers = dict(sorted(self.routers.items()))

    def pairs(self, region):
        """[(seat, HAProxy's container, agent's container)], when all of a region have met."""
        haproxys, agents = ({seat_of(container): container
                             for container in self.project.containers(f"{kind}-{region}")}
                             for kind in ("router", "agent"))
        return [(seat, haproxys[seat], agents[seat]) for seat in haproxys] if set(haproxys) == set(agents) else None

    def stop(self):
        self.project.keep_logs(LOGS)
        self.project.down()

    # Looking

    def redis_client(self):
        return Redis(("127.0.0.1", engine.published(self.project.containers("redis")[0], 6379)))

    def numbers(self):
        return {region: sum(router.region == region for router in self.routers.values()) for region in REGIONS}

    def mark(self):
        self.cells.mark()

    def clean(self):
        """As new: for the next scenario."""
        self.cells.tell("reset")
        wait_until("all agents to hear of a flush", self.flushed, timeout=25)
        self.mark()

    def flushed(self):
        """An agent that has just lost Redis can take seconds to come back to it, and hears nothing until then."""
        try:
            self.flush()
            return True
        except Failure:
            return False

    def check_counters(self):
        """What must hold of the agents' counters whatever happened."""
        for id, router in self.routers.items():
            counters = router.counters()
            answered = sum(counters[name] for name in ("lookup_hits_level1", "lookup_hits_level2", "lookup_misses"))
            if counters["lookups"] != answered:
                raise Failure(f"{id}: lookups is {counters['lookups']}, but hits and misses are {answered}")

    def heal(self):
        """After a scenario that failed: nothing it broke stays broken for the next one."""
        for container in self.project.containers(every=True):
            state = engine.inspect(container)["State"]
            if "config-" not in container:
                engine.docker(*(("unpause", container) if state["Paused"] else ("start", container)))
        self.cells.gone.clear()
        for service, networks in WIRES.items():
            for container in self.project.containers(service):
                for network in networks:
                    engine.run("docker", "network", "connect", self.project.network(network), container, check=False)
        self.settle({region: len(self.project.containers(f"router-{region}")) for region in REGIONS})

    def check_containers(self):
        """Nothing was out of memory, nothing came back by itself, nothing is ill; and none may do more than it must."""
        # What a scenario has just paused is ill until its next health check.
        ill = ("docker", "ps", "-q", "--filter", "health=unhealthy", "--filter",
               f"label=com.docker.compose.project={self.project.name}")
        wait_until("nothing to be ill", lambda: not engine.run(*ill).split(), timeout=60, every=1)
        for container in self.project.containers(every=True):
            told = engine.inspect(container)
            state = told["State"]
            expect_confined(container, told)
            if "config-" in container:
                continue
            moved = engine.run("docker", "logs", container, errors=True).count("seat: this agent has no HAProxy")
            health = state.get("Health", {}).get("Status")
            if not state["Running"] or state["OOMKilled"] or told["RestartCount"] > moved or health == "unhealthy":
                raise Failure(f"{container}: running {state['Running']}, out of memory {state['OOMKilled']}, health "
                              f"{health}, came back {told['RestartCount']} times")


    def ctrl_c(self):
        """Ends an `up` that somebody watches: all stop by themselves, none is killed."""
        scales = {f"{kind}-{region}": number for region, number in self.numbers().items()
                  for kind in ("router", "agent", "large")}
        with open(LOGS / "up.txt", "w+b") as log:
            up = self.project.watch(log, scales)
            wait_until("`up` to show what they say", lambda: b"Attaching to" in (LOGS / "up.txt").read_bytes(),
                       timeout=60, every=0.2)
            os.killpg(up.pid, signal.SIGINT)
            try:
                up.wait(timeout=40)
            except subprocess.TimeoutExpired:
                os.killpg(up.pid, signal.SIGKILL)
                raise Failure(f"`up` did not end within 40 s of Ctrl-C; its words: {LOGS / 'up.txt'}") from None
        states = {container: engine.inspect(container)["State"] for container in self.project.containers(every=True)}
        # config-REGION does its work once, at the start; Ctrl-C may meet it there.
        bad = {container: "runs" if state["Running"] else state["ExitCode"] for container, state in states.items()
               if state["Running"] or state["ExitCode"] not in ENDS and "config-" not in container}
        if bad:
            raise Failure(f"after Ctrl-C: {bad}")


def expect_confined(container, told):
    """As docker/compose.yaml says, and as the engine has it."""
    host = told["HostConfig"]
    user = told["Config"]["User"]
    bad = {"user": user if user != "10001:10001" else None, "writable": not host["ReadonlyRootfs"],
           "capabilities": host["CapDrop"] != ["ALL"] or host["CapAdd"],
           "new privileges": not any("no-new-privileges" in option for option in host["SecurityOpt"] or ()),
           "privileged": host["Privileged"],
           "memory without a limit": not host["Memory"], "processes without a limit": not (host["PidsLimit"] or 0) > 0}
    if any(bad.values()):
        raise Failure(f"{container} may do more than it must: "
                      f"{ {what: value for what, value in bad.items() if value} }")


def seat_of(container):
    return wait_until(f"a seat for {container}",
                      lambda: engine.run("docker", "exec", container, "seat", "here", "printenv", "CELLROUTER_SEAT",
                                         check=False).strip(),
                      timeout=15, every=0.2)
