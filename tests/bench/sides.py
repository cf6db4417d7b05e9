"""What the bench starts: agents, HAProxys, nginx, cells, Redis; each pinned to a core, all gone with the bench."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import places
from harness.configs import SITE, quoted
from harness.process import Process
from harness.router import connects

HERE = Path(__file__).resolve().parent
OUT = places.ROOT / "build" / "bench"
CORES = sorted(os.sched_getaffinity(0))
TESTED, OTHERS = CORES[0], CORES[-1]  # core of what is measured; of load and cells


def cpu_seconds(pid):
    """Of all its threads, to the nanosecond. Source: Linux Documentation/scheduler/sched-stats.rst."""
    return sum(int(Path(task, "schedstat").read_text().split()[0])
               for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


class Side:
    """One thing to compare: its port or socket, and the processes that work for it, name -> Process."""

    def __init__(self, name, where, processes, options=()):
        self.name, self.where, self.processes, self.options = name, str(where), processes, list(options)


def build():
    """The bench's own programs, where they are older than their sources. Ours are those of the release preset, unless
    CELLROUTER_BIN says otherwise."""
    os.environ.setdefault("CELLROUTER_BIN", str(places.ROOT / "build" / "release"))
    (OUT / "logs").mkdir(parents=True, exist_ok=True)
    for name in ("least_agent", "spop_load", "http_load", "origin"):
        compile_if_stale(OUT / name, HERE / f"{name}.c", "-Wall", "-Wextra", "-lm")
    compile_if_stale(OUT / "counting.so", HERE / "counting.c", "-fno-builtin", "-shared", "-fPIC")


def compile_if_stale(target, source, *options):
    sources = (source, HERE / "bench.h")
    if not target.exists() or any(target.stat().st_mtime < file.stat().st_mtime for file in sources):
        subprocess.run(["cc", "-O2", "-g", "-D_GNU_SOURCE", "-std=gnu17", source, *options, "-o", target], check=True)


class Bench:
    def __init__(self):
        self.out = OUT
        self.run = Path(tempfile.mkdtemp(prefix="cellrouter-bench-", dir="/tmp"))
        self.run.chmod(0o755)
        self.ports, self.processes, self.masters, self.number = places.Ports(), [], [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process in self.masters:
                process.terminate()  # killed it would leave its worker behind
            process.kill()
        self.ports.release()
        shutil.rmtree(self.run, ignore_errors=True)

    def path(self, name):
        self.number += 1
        return self.run / f"{self.number}-{name}"

    def start(self, name, argv, core=TESTED, environment=None):
        log = self.out / "logs" / f"{len(self.processes)}-{name.replace(' ', '-')}.log"
        log.unlink(missing_ok=True)  # of an earlier run
        process = Process(name, ["taskset", "-c", core, *argv], log, environment)
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

    def origin(self, status, cells, delay_us=0):
        """id -> port, of so many cells, which wait so long before an answer; "any" owns all."""
        ports = {id: self.ports.reserve() for id in [f"c{i:02}" for i in range(cells)] + ["any"]}
        process = self.start("origin", [self.out / "origin", "-d", delay_us, status,
                                        *(f"{id}={port}" for id, port in ports.items())], OTHERS)
        process.ready("listens", lambda: connects(("127.0.0.1", ports["any"])))
        return ports

    def redis(self, *more):
        socket = self.path("redis")
        process = self.start("redis", [places.redis_server(), "--port", 0, "--unixsocket", socket, "--save", "",
                                       "--appendonly", "no", "--repl-diskless-sync-delay", "0", *more])
        process.ready("listens", lambda: connects(socket))
        return socket, process

    # The project

    def conf(self, cells, redis="", read="", answers=302, agent_address="", memory="4g", shipped=False, router="bench",
             routes=None, far=0, **haproxy):
        """cellrouter.conf; routes has more settings of that section, more keywords are settings of haproxy. far: so
        many cells more, of another region, where nobody listens. shipped: quotas and queues as they are by default;
        else none is in the way of the figures."""
        socket, path = self.path("spoe"), self.path("conf")
        haproxy = {"loop": f"unix@{self.path('loop')}", "map-file": "", "large-address": "",
                   **{key.replace("_", "-"): value for key, value in haproxy.items()}}
        if agent_address:
            haproxy["agent-address"] = f"unix@{agent_address}"
        text = f'region = "eu"\nrouter = "{router}"\ndefault-cell = "c00"\n'
        for id, port in cells.items():
            if id != "any":
                text += f'cell "{id}" {{ answers = {answers}\n servers = {{"127.0.0.1:{port}"}} }}\n'
        for number in range(far):
            text += (f'cell "far{number}" {{ region = "far"\n answers = {answers}\n'
                     f' servers = {{"127.9.{number // 250}.{number % 250 + 1}:1"}} }}\n')
        text += f'spoe {{ listen = {{"unix:{socket}"}}\n max-calls = 1000 }}\nadmin {{ socket = "{socket}.admin" }}\n'
        address = f"unix:{redis}" if redis else ""
        text += f'redis {{ address = "{address}"\n'
        text += f'read-address = "unix:{read}"\n' if read else ""
        text += "}\n" if shipped else "max-writes = 1000000\n queue-memory = 1g }\n"
        more = "".join(f" {key} = {quoted(value)}\n" for key, value in (routes or {}).items())
        text += "" if shipped else (f"routes {{ memory = {memory}\n claims-per-cell = 1000000\n lifetime = 86400\n"
                                    f"{more} }}\n")
        text += "haproxy {\n" + "".join(f"{key} = {quoted(value)}\n" for key, value in haproxy.items()) + "}\n"
        path.write_text(text)
        return path, socket

    def agent(self, cells, **more):
        conf, socket = self.conf(cells, **more)
        process = self.start("agent", [places.built("cellrouter"), "-f", conf])
        process.ready("listens", lambda: connects(socket))
        return Side("agent", socket, {"agent": process}), conf

    def haproxy(self, name, *texts, more=(), environment=None):
        return self.start(name, [places.haproxy(), "-db", *self.files(*texts), *more], environment=environment)

    def files(self, *texts):
        """-f FILE for each text."""
        found = []
        for text in texts:
            file = self.path("cfg")
            file.write_text(text)
            found += ["-f", file]
        return found

    def router_texts(self, conf, port, runtime=None):
        """The project's rules of this cellrouter.conf and a site; with a runtime socket, which a reload needs, that
        too."""
        site = SITE.format(port=port, spoe=places.ROOT / "haproxy" / "cellrouter-spoe.conf")
        site = "\n".join(line for line in site.splitlines() if "log" not in line) + "\n"
        return [global_section(runtime), self.generated(conf), site]

    def generated(self, conf, *more):
        return subprocess.run([places.built("cellctl"), "haproxy", *more, "-f", conf], capture_output=True, text=True,
                              check=True).stdout

    def router(self, name, conf, processes, runtime=None):
        """HAProxy with the project's rules, of this cellrouter.conf."""
        port = self.ports.reserve()
        process = self.haproxy(name, *self.router_texts(conf, port, runtime))
        process.ready("listens", lambda: connects(("127.0.0.1", port)), timeout=60)
        return Side(name, port, {"haproxy": process, **processes})

    def large_tier(self, name, conf, address):
        """A large-body tier of one process (large-buffer), as its unit runs it; address: its unix socket."""
        process = self.haproxy(name, global_section(None), self.generated(conf, "--large"),
                               environment={"GLIBC_TUNABLES": places.large_tunables()})
        process.ready("listens", lambda: connects(address))
        return process

    def classes(self, conf, address):
        """name -> the process of each class of the large-body tier, as its unit runs it. Each knows its .idle memory
        and the .bound that its configuration prints for the rest, in bytes."""
        found = {}
        for name in self.generated(conf, "--classes").split():
            text = self.generated(conf, "--large", name)
            found[name] = process = self.haproxy(f"haproxy-{name}", global_section(None), text,
                                                 environment={"GLIBC_TUNABLES": places.large_tunables()})
            process.bound = int(re.search(r"KiB each: (\d+) MiB", text)[1]) << 20
        for name, process in found.items():
            process.ready("listens", lambda name=name: connects(f"{address}-{name}"))
            process.idle = process.resident()
        return found

    def bare_texts(self, cells, port, map_file=None, runtime=None, lua=None, hygiene=False):
        text = global_section(runtime) + ("    setenv REDIS " + str(lua)
                                          + f"\n    lua-load-per-thread {HERE / 'haproxy.lua'}\n" if lua else "")
        text += "defaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n"
        text += f"frontend site\n    bind 127.0.0.1:{port}\n    option forwardfor\n"
        if lua:
            text += ("    http-request del-header X-Gitlab-Cell- -m beg\n    http-request lua.route\n    http-request "
                     "set-header X-Gitlab-Cell-Attempt 1\n"
                     "    http-response lua.learn\n    http-response del-header X-Gitlab-Cell- -m beg\n"
                     "    use_backend %[var(txn.cell)] if { var(txn.cell) -m found }\n    default_backend c00\n")
        elif hygiene:
            text += (HYGIENE + f"    use_backend %[path,concat(/),map_beg({map_file})] if !unlookable\n"
                     "    default_backend any\n")
        else:
            chosen = f"use_backend %[path,concat(/),map_beg({map_file})]" if map_file else "default_backend any"
            text += f"    {chosen}\n"
        return [text + "".join(f"backend {id}\n    server s 127.0.0.1:{at}\n" for id, at in cells.items())]

    def bare(self, name, cells, map_file=None, hygiene=False):
        port = self.ports.reserve()
        process = self.haproxy(name, *self.bare_texts(cells, port, map_file, hygiene=hygiene))
        process.ready("listens", lambda: connects(("127.0.0.1", port)), timeout=60)
        return Side(name, port, {"haproxy": process}, [] if hygiene else ["-k"] if map_file else ["-a"])

    def haproxy_lua(self, name, cells, redis, redis_process):
        """HAProxy's own Lua with Redis: for routes that Redis or its memory has."""
        port = self.ports.reserve()
        process = self.haproxy(name, *self.bare_texts(cells, port, lua=redis))
        process.ready("listens", lambda: connects(("127.0.0.1", port)))
        return Side(name, port, {"haproxy": process, "redis": redis_process})

    def nginx(self, name, variant, cells, redis, redis_process):
        """variant: "fast" or "faithful"; None without its packages."""
        needed = ("/usr/lib/nginx/modules/ngx_http_lua_module.so", "/usr/share/lua/5.1/nginx/redis.lua")
        if not all(Path(file).exists() for file in needed):
            return None
        folder, port = self.path("nginx"), self.ports.reserve()
        folder.mkdir(mode=0o777)
        upstreams = "".join(f"    upstream {id} "
                            f"{{ server 127.0.0.1:{at}; keepalive 128; keepalive_requests 100000000; }}\n"
                            for id, at in cells.items())
        text = (HERE / f"nginx-{variant}.conf").read_text()
        names = ", ".join(f"{id} = true" for id in cells)
        for key, value in {"folder": folder, "redis": redis, "port": port, "upstreams": upstreams, "names": names,
                           "first": "c00"}.items():
            text = text.replace("${" + key + "}", str(value))
        (folder / "nginx.conf").write_text("user root;\n" + text if os.geteuid() == 0 else text)
        master = self.start(name.replace(" ", "-"),
                            [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", folder / "nginx.conf", "-e",
                             folder / "nginx.log"])
        self.masters.append(master)
        master.ready("listens", lambda: connects(("127.0.0.1", port)))
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
        master.ready("has its worker", lambda: children.read_text().split())
        return Side(name, port, {"nginx": int(children.read_text().split()[0]), "redis": redis_process})


# What the contract asks of a hit, whoever answers it: nothing of a client's own under the contract's names, attempt and
# router for the cell, no path that cells and router might read differently, and nothing of the contract for the client.
HYGIENE = r"""
    acl unlookable path -m reg "/(?:/|(?:\\.|%2[eE]){1,2}(?:/|\$))|[\\x00-\\x20\\x7f]|^.{2049}"
    http-request del-header "(?i)^(?:x[-_]cellrouter[-_]|x[-_]gitlab[-_]cell[-_])" -m reg
    http-request add-header X-Gitlab-Cell-Router bench
    http-request add-header X-Gitlab-Cell-Attempt 1
    http-response del-header X-Gitlab-Cell- -m beg
"""


def global_section(runtime):
    socket = f"    stats socket unix@{runtime} mode 600 level admin expose-fd listeners\n" if runtime else ""
    return f"global\n    nbthread 1\n    hard-stop-after 2s\n{socket}"


def pid_of(process):
    return process if isinstance(process, int) else process.pid


def load(bench, program, side, options, timeout=180):
    """One measurement: the load's own figures and the CPU seconds of each process of the side meanwhile."""
    before = {name: cpu_seconds(pid_of(process)) for name, process in side.processes.items()}
    start = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(OTHERS), str(bench.out / program), *map(str, options), side.where],
                          capture_output=True, text=True, timeout=timeout, check=False)
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
