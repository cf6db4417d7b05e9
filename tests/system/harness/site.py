"""The test cells of one world, and their control port."""

import http.client
import json
from dataclasses import dataclass

from harness import places
from harness.process import Failure, Process


@dataclass
class Cell:
    id: str
    region: str
    answers: int
    port: int
    more: list  # ports of further servers

    @property
    def name(self):
        return "Cell " + self.id.upper()


@dataclass
class Delivery:
    n: int
    at: float
    cell: str
    server: str
    method: str
    target: str
    version: str
    proxy: object
    server_name: object
    headers: list
    body_length: int
    body_sha256: str
    whole: bool
    trailers: list
    answer: object
    redirect: str
    cache: str

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def tag(self):
        return self.get("X-Request-Tag", "")


class Cells:
    def __init__(self, world, ids, answers, servers):
        self.world = world
        self.table = {
            id: Cell(id, id.rstrip("0123456789"), answers.get(id, 302) if isinstance(answers, dict) else answers,
                     world.ports.reserve(),
                     [world.ports.reserve() for _ in range(1, servers.get(id, 1))])
            for id in ids
        }
        self.control_port = world.ports.reserve()
        self.process = None
        self.cookies = {}

    def start(self):
        argv = [places.ROOT / "tests" / "cells" / "run", "--control", f"127.0.0.1:{self.control_port}",
                "--log", self.world.logs / "deliveries.jsonl", "--ready", self.world.run / "cells.ready",
                "--repositories", self.world.run / "repositories"]
        for cell in self.table.values():
            argv += ["--cell", f"{cell.id}/{cell.answers}=127.0.0.1:{cell.port}"]
            for port in cell.more:
                argv += ["--more", f"{cell.id}=127.0.0.1:{port}"]
        for id in self.world.tls_cells:
            argv += ["--tls", f"{id}={self.world.certificate}"]
        self.process = Process("cells", argv, self.world.logs / "cells.log")

    def wait_ready(self):
        self.process.ready("ports are open", (self.world.run / "cells.ready").exists)

    def control(self, command, **value):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=10)
        try:
            connection.request("POST", "/" + command, json.dumps(value))
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise Failure(f"cells: {command} {value}: {text}")
            return json.loads(text)
        finally:
            connection.close()

    def cookie(self, user):
        if user not in self.cookies:
            self.cookies[user] = self.control("session", user=user)["cookie"]
        return self.cookies[user]

    def last(self):
        return self.control("state")["last"]

    def deliveries(self, since=0):
        return [Delivery(**entry) for entry in self.control("deliveries", since=since)]

    def move(self, organization, cell):
        self.control("move", organization=organization, cell=cell)

    def misbehave(self, **rule):
        """A rule of tests/cells/misbehaviour.py."""
        self.control("misbehave", **rule)

    def behave(self):
        self.control("behave")

    def open(self, gate):
        self.control("open", gate=gate)

    def up(self, cell):
        self.control("cell", cell=cell, state="up")

    def down(self, cell, silent=False):
        self.control("cell", cell=cell, state="silent" if silent else "refused")
