"""What the bench starts: agents, HAProxys, nginx, cells, Redis; each pinned to a core, all gone with the bench."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import places
from harness.configs import SITE
from harness.process import Process
from harness.router import connects

HERE = Path(__file__).resolve().parent
CORES = sorted(os.sched_getaffinity(0))
TESTED, OTHERS = CORES[0], CORES[-1]  # core of what is measured; of load and cells


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond. Source: Linux Documentation/scheduler/sched-stats.rst."""
    return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


class Side:
    """One thing to compare: its port or socket, and the processes that work for it, name -> Process."""

    def __init__(self, name, where, processes, options=()):
        self.name, self.where, self.processes, self.options = name, str(where), processes, list(options)


class Bench:
    def __init__(self, out):
        self.out = out
        self.run = Path(tempfile.mkdtemp(prefix="cellrouter-bench-", dir="/tmp"))
        self.run.chmod(0o755)
        self.ports, self.processes, self.number = places.Ports(), [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if "nginx" in process.name:
                process.terminate()  # killed it would leave its worker behind
            process.kill()
        self.ports.release()
        shutil.rmtree(self.run, ignore_errors=True)

    def path(self, name):
        self.number += 1
        return self.run / f"{self.number}-{name}"

    def start(self, name, argv, core=TESTED):
        log = self.out / "logs" / f"{len(self.processes)}-{name}.log"
        process = Process(name, ["taskset", "-c", core, *argv], log)
        self.processes.append(process)
        return process

    def end(self, *processes):
        for process in processes:
            process.kill()

    # The yardsticks and the cells

    def least_agent(self, cell="c00"):
        socket = self.path("least")
        process = self.start("least-agent", [self.out / "least_agent", socket, cell])
        process.ready("listens", lambda: connects(socket))
        return Side("least agent", socket, {"agent": process}, ["-x", cell])

    def origin(self, status, cells):
        """id -> port, of so many cells; "any" owns all."""
        ports = {id: self.ports.reserve() for id in [f"c{i:02}" for i in range(cells)] + ["any"]}
        process = self.start("origin", [self.out / "origin", status, *(f"{id}={port}" for id, port in ports.items())], OTHERS)
        process.ready("listens", lambda: connects(("127.0.0.1", ports["any"])))
        return ports

    def redis(self):
        socket = self.path("redis")
        process = self.start("redis", [places.redis_server(), "--port", 0, "--unixsocket", socket, "--save", "", "--appendonly", "no"])
        process.ready("listens", lambda: connects(socket))
        return socket, process

    # The project

    def conf(self, cells, redis="", answers=302, runtime="", map_file="", agent_address="", memory="4g"):
        socket, path = self.path("spoe"), self.path("conf")
        haproxy = f'haproxy {{ loop = "abns@{path.name}-{os.getpid()}"\n map-file = "{map_file}"\n'
        if runtime:
            haproxy += f' runtime = {{"unix:{runtime}"}}\n'
        if agent_address:
            haproxy += f' agent-address = "unix@{agent_address}"\n'
        text = 'region = "eu"\nrouter = "bench"\ndefault-cell = "c00"\n'
        for id, port in cells.items():
            if id != "any":
                text += f'cell "{id}" {{ answers = {answers}\n servers = {{"127.0.0.1:{port}"}} }}\n'
        text += f'spoe {{ listen = {{"unix:{socket}"}}\n max-calls = 1000 }}\nadmin {{ socket = "{socket}.admin" }}\n'
        text += f'redis {{ address = "{"unix:" + str(redis) if redis else ""}"\n max-writes = 1000000\n max-queued = 1000000 }}\n'
        text += f"routes {{ memory = {memory}\n claims-per-cell = 1000000\n lifetime = 86400 }}\n{haproxy}}}\n"
        path.write_text(text)
        return path, socket

    def agent(self, cells, **more):
        conf, socket = self.conf(cells, **more)
        process = self.start("agent", [places.built("cellrouter"), "-f", conf])
        process.ready("listens", lambda: connects(socket))
        return Side("agent", socket, {"agent": process}), conf

    def haproxy(self, name, *texts):
        files = []
        for text in texts:
            file = self.path("cfg")
            file.write_text(text)
            files += ["-f", file]
        return self.start(name, [places.haproxy(), "-db", *files])

    def router(self, name, conf, processes):
        """HAProxy with the project's rules, of this cellrouter.conf."""
        rules = subprocess.run([places.built("cellctl"), "haproxy", "-f", conf], capture_output=True, text=True, check=True).stdout
        port = self.ports.reserve()
        site = SITE.format(runtime=self.path("runtime"), port=port, spoe=places.ROOT / "haproxy" / "cellrouter-spoe.conf")
        site = "\n".join(line for line in site.splitlines() if "log" not in line) + "\n"
        process = self.haproxy(name, rules, site)
        process.ready("listens", lambda: connects(("127.0.0.1", port)), timeout=60)
        return Side(name, port, {"haproxy": process, **processes})

    def bare(self, name, cells, map_file=None):
        port = self.ports.reserve()
        text = "global\n    nbthread 1\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n"
        text += f"frontend site\n    bind 127.0.0.1:{port}\n    option forwardfor\n"
        text += f"    use_backend %[path,concat(/),map_beg({map_file})]\n" if map_file else "    default_backend any\n"
        text += "".join(f"backend {id}\n    server s 127.0.0.1:{at}\n" for id, at in cells.items())
        process = self.haproxy(name, text)
        process.ready("listens", lambda: connects(("127.0.0.1", port)), timeout=60)
        return Side(name, port, {"haproxy": process}, ["-k"] if map_file else ["-a"])

    def nginx(self, name, cells, redis, redis_process):
        if not Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists() or not Path("/usr/share/lua/5.1/nginx/redis.lua").exists():
            return None
        folder, port = self.path("nginx"), self.ports.reserve()
        folder.mkdir(mode=0o777)
        upstreams = "".join(f"    upstream {id} {{ server 127.0.0.1:{at}; keepalive 128; keepalive_requests 100000000; }}\n" for id, at in cells.items())
        text = (HERE / "nginx.lua.conf").read_text()
        for key, value in {"folder": folder, "redis": redis, "port": port, "upstreams": upstreams}.items():
            text = text.replace("${" + key + "}", str(value))
        (folder / "nginx.conf").write_text("user root;\n" + text if os.geteuid() == 0 else text)
        master = self.start(name, [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", folder / "nginx.conf", "-e", folder / "nginx.log"])
        master.ready("listens", lambda: connects(("127.0.0.1", port)))
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
        master.ready("has its worker", lambda: children.read_text().split())
        return Side(name, port, {"nginx": int(children.read_text().split()[0]), "redis": redis_process})


def pid_of(process):
    return process if isinstance(process, int) else process.pid


def load(bench, program, side, options):
    """One measurement: the load's own figures and the CPU seconds of each process of the side meanwhile."""
    before = {name: cpu_seconds(pid_of(process)) for name, process in side.processes.items()}
    start = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(OTHERS), str(bench.out / program), *map(str, options), side.where],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode > 1 or not done.stdout:
        raise RuntimeError(f"{program} {options} on {side.name}: {done.stderr.strip()}")
    figures = json.loads(done.stdout)
    figures["cpu"] = {name: cpu_seconds(pid_of(process)) - before[name] for name, process in side.processes.items()}
    figures["wall"] = time.monotonic() - start
    if figures["wrong"]:
        figures["trouble"] = done.stderr[:500]
    return figures


class Asker:
    """A SPOP client for single questions."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(3)
        self.socket.connect(str(path))
        hello = text("supported-versions") + b"\x08" + text("2.0") + text("max-frame-size") + b"\x03\xfc\xf0\x06"
        self.send(1, b"\0\0" + hello + text("capabilities") + b"\x08" + text(""))

    def send(self, kind, payload):
        frame = bytes([kind]) + b"\0\0\0\1" + payload
        self.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        return self.exactly(int.from_bytes(self.exactly(4), "big"))

    def exactly(self, n):
        found = b""
        while len(found) < n:
            piece = self.socket.recv(n - len(found))
            if not piece:
                raise ConnectionError("the agent closed the connection")
            found += piece
        return found

    def ask(self, message, **values):
        payload = b"\1\1" + text(message) + bytes([len(values)])
        return self.send(3, payload + b"".join(text(name) + b"\x08" + text(value) for name, value in values.items()))


def text(value):
    return bytes([len(value)]) + value.encode()
