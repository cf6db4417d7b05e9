"""One router of a world: an HAProxy and the agent beside it."""

import itertools
import os
import socket
from urllib.parse import urlsplit

from harness import configs, http2, places
from harness.client import Answer, Connection, Request
from harness.process import Failure, Process

TAGS = itertools.count(1)


class Router:
    def __init__(self, world, id, region, pick):
        self.world, self.id, self.region, self.pick = world, id, region, pick
        self.folder = world.logs / id
        self.folder.mkdir()
        self.conf = self.folder / "cellrouter.conf"
        self.spoe_socket = world.run / f"{id}.spoe"
        self.admin_socket = world.run / f"{id}.admin"
        self.runtime_socket = world.run / f"{id}.haproxy"
        self.loop = f"unix@{world.run}/{id}.loop"
        self.port = world.ports.reserve()
        self.tls_port = world.ports.reserve() if world.tls else None
        self.http_port = world.ports.reserve() if world.http else None
        self.agent = self.haproxy = self.large = None
        self.classes = {}  # of the large-body tier, name -> process
        self.retired = []  # processes that were replaced or ended, for the final check
        self.files = []

    # Starting and ending

    def write_conf(self):
        configs.write(self.conf, configs.cellrouter_conf(self, self.world))
        if self.world.level0:
            configs.write(self.folder / "routes.map", "")  # HAProxy wants the file to be there

    def start_agent(self):
        environment = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "quarantine_size_mb=8")
                       + ":exitcode=99:detect_leaks=1"}
        limit = ["prlimit", f"--nofile={self.world.files}:{self.world.files}"] if self.world.files else []
        self.agent = Process(f"agent {self.id}", [*limit, places.built("cellrouter"), "-f", self.conf],
                             self.world.logs / f"agent-{self.id}.log", environment)

    def wait_agent(self):
        self.agent.ready("answers on its sockets", lambda: connects(self.spoe_socket) and connects(self.admin_socket))

    def start_haproxy(self, *more):
        if not self.files:
            self.files = configs.haproxy_files(self, self.world)
        argv = [places.haproxy(), "-db"]
        for file in self.files:
            argv += ["-f", file]
        self.haproxy = Process(f"haproxy {self.id}", [*argv, *more], self.world.logs / f"haproxy-{self.id}.log",
                               errors=self.world.logs / f"haproxy-{self.id}.errors")

    def class_socket(self, name):
        """The runtime socket of a class's process; "": of the only one."""
        return self.world.run / f"{self.id}.large{name}"

    def start_large(self):
        """The large-body tier: the process of each class, or the only one, .large."""
        for name in self.world.class_names():
            self.start_class(name)
        for name, process in self.classes.items():
            process.ready("listens", lambda name=name: connects(self.class_socket(name)))

    def start_class(self, name):
        argv = [places.haproxy(), "-db"]
        for file in configs.large_files(self, name):
            argv += ["-f", file]
        process = Process(f"haproxy large {name} {self.id}", argv,
                          self.world.logs / f"haproxy-large{name}-{self.id}.log",
                          {"GLIBC_TUNABLES": places.large_tunables()},
                          errors=self.world.logs / f"haproxy-large{name}-{self.id}.errors")
        if name in self.classes:
            self.retired.append(self.classes[name])
        self.classes[name] = process
        if not name:
            self.large = process
        return process

    def class_stat(self, name):
        """What the edge's `show stat` says of a class."""
        return self.stat("cellrouter-replay", f"cellrouter-large-{name}" if name else "cellrouter-large")

    def wait_haproxy(self):
        self.haproxy.ready(f"listens on port {self.port}", lambda: connects(("127.0.0.1", self.port)))

    def reload(self):
        """A new HAProxy takes over the listening sockets; the old one finishes what it has and ends. Returns the old
        one."""
        old = self.haproxy
        old.ended_on_purpose = True
        self.start_haproxy("-sf", str(old.pid), "-x", str(self.runtime_socket))
        self.haproxy.ready("has taken over", lambda: f"Pid: {self.haproxy.pid}\n" in self.runtime("show info"))
        self.retired.append(old)
        return old

    def restart_agent(self):
        self.retired.append(self.agent)
        self.start_agent()
        self.wait_agent()

    def stop(self):
        """Ends both; returns [(process, exit status or None when it had to be killed)]."""
        found = [process for process in (self.haproxy, *self.classes.values(), self.agent, *self.retired)
                 if process]
        return [(process, process.terminate() if process.alive() else process.child.returncode) for process in found]

    # Talking to it

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def prepare(self, method, target, headers=(), body=b"", user=None, chunked=False, expect=False,
                host="site.example"):
        """The request as it will be sent, with a tag by which its deliveries are found."""
        tag = f"{self.world.unique}-{next(TAGS)}"
        own = [("Host", host), ("X-Request-Tag", tag)] + ([("Cookie", self.world.cells.cookie(user))] if user else [])
        if chunked:
            own.append(("Transfer-Encoding", "chunked"))
        elif body or method in ("POST", "PUT", "PATCH"):
            own.append(("Content-Length", str(len(body))))
        if expect:
            own.append(("Expect", "100-continue"))
        return Request(method, target, own + list(headers), body, chunked, expect)

    def request(self, method, target, *, follow_307=False, timeout=15.0, **more):
        """One request on a connection of its own. With follow_307 a 307 is followed, as browsers do; .steps are all
        answers."""
        request = self.prepare(method, target, **more)
        _ = request.framed_body
        with Connection(self.address, timeout) as connection:
            answer = connection.request(request)
        answer.steps = [answer]
        if follow_307 and answer.status == 307:
            where = urlsplit(answer.get("Location"))
            again = self.request(method, where.path + ("?" + where.query if where.query else ""), timeout=timeout,
                                 **more)
            again.steps = [answer, *again.steps]
            return again
        return answer

    def connect(self, timeout=15.0):
        return Connection(self.address, timeout)

    def connect_tls(self, timeout=15.0):
        """HTTP/1.1 over TLS."""
        return Connection(("127.0.0.1", self.tls_port), timeout, http2.tls(f"{self.world.certificate}.crt", "http/1.1"))

    def connect_h2(self, timeout=15.0, wild=False):
        """HTTP/2 over TLS."""
        return http2.Http2(("127.0.0.1", self.tls_port), http2.tls(f"{self.world.certificate}.crt", "h2"), timeout,
                           wild)

    def runtime(self, command):
        """HAProxy's answer on its runtime socket; empty when it is not there."""
        return ask(self.runtime_socket, command)

    def stats(self):
        """The lines of `show stat`, by the names of its columns."""
        lines = [line.lstrip("# ").split(",") for line in self.runtime("show stat").splitlines()]
        return [dict(zip(lines[0], line)) for line in lines[1:]]

    def stat(self, proxy, server="BACKEND"):
        """What `show stat` says of it; {} when HAProxy has no such thing."""
        return next((line for line in self.stats() if [line["pxname"], line.get("svname")] == [proxy, server]), {})

    def cellctl(self, command):
        """The agent's answer to one line on its admin socket."""
        return ask(self.admin_socket, command)

    def counters(self):
        """name -> value of all counters of the agent."""
        found = counters_of(self.cellctl("show counters"))
        if not found:
            raise Failure(f"agent {self.id} tells no counters")
        return found

    def routes(self):
        """prefix -> cell id, as the agent knows them in its memory."""
        found = {}
        for line in self.cellctl("show routes").splitlines():
            words = line.split()
            if len(words) >= 2 and words[0].startswith("/"):
                found[words[0]] = words[1]
        return found

    def route_details(self, prefix):
        """What the agent tells about one route beside its cell: word -> value."""
        for line in self.cellctl("show routes").splitlines():
            words = line.split()
            if words and words[0] == prefix:
                return dict(word.split("=", 1) for word in words[2:] if "=" in word)
        return {}


def connects(address):
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(2)
        try:
            probe.connect(address if isinstance(address, tuple) else str(address))
            return True
        except OSError:
            return False


def counters_of(text):
    """name -> value, out of what `show counters` tells."""
    pairs = (line.rpartition(" ") for line in text.splitlines())
    return {name.strip(): int(value) for name, _, value in pairs if value.lstrip("-").isdigit()}


def ask(path, command):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(command.encode() + b"\n")
            client.shutdown(socket.SHUT_WR)
            pieces = []
            while piece := client.recv(65536):
                pieces.append(piece)
            return b"".join(pieces).decode("utf-8", "replace")
    except OSError:
        return ""


__all__ = ["Answer", "Router"]
