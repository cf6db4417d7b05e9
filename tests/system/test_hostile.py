"""Neighbours that lie or take all: whoever stands at HAProxy's runtime socket, or fills the disk. Requests go on, one
line says it, and all is well again when it is over."""

import contextlib
import os
import socket
import subprocess
import threading

from harness import configs, expect, places
from harness.level0 import PREFIX, get, warm
from harness.load import Load
from harness.process import LIBC, Process, wait_until
from harness.runner import scenario

EU = {"eu1": "eu"}
AWAY = {"eu": "eu1"}
FORMS = places.ROOT / "tests" / "fuzz" / "corpus" / "runtime_reply"
LONG = 70_000
CLONE_NEWNS = 0x20000


class Impostor:
    """Stands at a runtime socket in HAProxy's place. Passes everything on, but for a connection that gets a form: what
    is said to each thing that is asked, instead of HAProxy's answer; behind the last one the connection is closed."""

    def __init__(self, path):
        self.real = f"{path}.real"
        os.rename(path, self.real)
        self.form, self.told = None, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.settimeout(10)
            try:
                with client:
                    form, self.form = self.form, None
                    if form is None:
                        self.pass_on(client)
                    else:
                        self.tell(client, form)
            except OSError:
                pass  # the agent had enough

    def pass_on(self, client):
        with socket.socket(socket.AF_UNIX) as haproxy:
            haproxy.connect(self.real)
            back = threading.Thread(target=pump, args=(haproxy, client), daemon=True)
            back.start()
            pump(client, haproxy)
            back.join(10)

    def tell(self, client, form):
        try:
            for turn in form:
                if not client.recv(65536):
                    return
                client.sendall(turn)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        finally:
            self.told += 1

    def leave(self):
        self.listener.close()


def pump(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def endless(turns, text):
    return [*turns[:-1], turns[-1] + text * (LONG // len(text))]


def forms(pid):
    """label -> turns: those of the fuzz target's corpus, as of this process, and some that have no end."""
    found = {}
    for file in sorted(FORMS.iterdir()):
        if not file.name.startswith(("honest", "an-honest")):
            found[file.name] = file.read_bytes()[1:].replace(b"Pid: 5\n", b"Pid: %d\n" % pid).split(b"\1")
    info = found["the-info-and-ends"]
    found["endless-line"] = endless([b"\n> "], b"x")
    found["endless-lines"] = endless([b"\n> "], b"Uptime: 5\n")
    found["endless-entry"] = endless([*info, b"0x1 /"], b"a")
    found["megabytes-of-a-map"] = [*info, b"0x1 /b/ eu9|/b/\n" * 500_000]
    return found


@scenario(routers=EU, pick=AWAY, level0=True, settings={"haproxy": {"map-uses": 1}, "log": {"per-reason": 1000}})
def test_a_runtime_socket_that_lies(world):
    """Each form costs one connection and is counted; the agent asks again, its memory stays what it was, and no
    request notices."""
    router = world.router("eu1")
    warm(router)
    impostor = Impostor(router.runtime_socket)
    pid = router.haproxy.pid
    table = forms(pid)
    expect.true(f"{len(table)} forms are at least 24", len(table) >= 24)
    wait_until("the map to be in step", lambda: router.counters()["level0_synced"] == 1)
    memory = router.agent.resident()
    for number, (label, turns) in enumerate(table.items()):
        before = router.counters()["level0_errors"]
        lines = router.agent.text().count("reason=haproxy_failed")
        told = impostor.told
        impostor.form = turns
        router.cellctl(f"forget {PREFIX}")  # a change to tell
        expect.status(get(router, f"{PREFIX}{number}"), 200, world)
        wait_until(f"the form {label} to be told", lambda: impostor.told > told)
        wait_until(f"{label}: the map to be in step again (known: {router.counters()})",
                   lambda: router.counters()["level0_synced"] == 1)
        failed = router.counters()["level0_errors"] - before
        expect.same(f"{label}: failures", failed, 1)
        wait_until(f"{label}: a line of the log that says why",
                   lambda: router.agent.text().count("reason=haproxy_failed") == lines + 1)
        warm(router)
    grown = router.agent.resident() - memory
    expect.true(f"memory grew by {grown >> 10} KiB", grown < 24 << 20)
    impostor.leave()




AGENT_GONE = r"Server cellrouter\S*agent\S* is (DOWN|UP)|has no server"


class SmallDisk:
    """A file system of its own, so small, below a router's folder. Only this test and the programs that it starts from
    now on see it; it is gone with them."""

    def __init__(self, router, size="512k", inodes=64):
        self.folder = router.folder / "disk"
        self.folder.mkdir()
        if os.getuid() != 0:
            raise places.Missing("only root can mount")
        if LIBC.unshare(CLONE_NEWNS) != 0:
            raise places.Missing("mounting is not possible here")
        for arguments in (["--make-rprivate", "/"],
                          ["-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "tmpfs", self.folder]):
            if subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode != 0:
                raise places.Missing("mounting is not possible here")

    def fill(self):
        """All bytes and all names."""
        with open(self.folder / "others", "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)
        with contextlib.suppress(OSError):
            for number in range(100_000):
                (self.folder / f"other-{number}").touch()

    def clear(self):
        for file in self.folder.glob("other*"):
            file.unlink()


def lines(router, reason):
    return router.agent.text().count(f"reason={reason} ")


def move_to(disk, world, router):
    """Map file and admin socket on that disk; both programs start anew."""
    router.haproxy.terminate()
    router.agent.terminate()
    router.retired += [router.haproxy, router.agent]
    text = router.conf.read_text(encoding="utf-8")
    text = text.replace(str(router.folder / "routes.map"), str(disk.folder / "routes.map"))
    text = text.replace(str(router.admin_socket), str(disk.folder / "admin"))
    router.conf.write_text(text, encoding="utf-8")
    router.admin_socket = disk.folder / "admin"
    router.files = configs.haproxy_files(router, world)


def in_file(disk, prefix):
    return prefix in (disk.folder / "routes.map").read_text(encoding="ascii")


@scenario(routers=EU, pick=AWAY, level0=True, settings={"haproxy": {"map-uses": 1}})
def test_a_full_disk(world):
    """With the map file and the admin socket on it. An agent that cannot make its socket says so and does not start;
    one that runs goes on, says in one line that the map file cannot be written, keeps the old file whole, and writes
    it when there is room again."""
    world.allow(AGENT_GONE)
    router = world.router("eu1")
    disk = SmallDisk(router)
    move_to(disk, world, router)
    disk.fill()
    failed = subprocess.run([places.built("cellrouter"), "-f", router.conf], check=False, capture_output=True,
                            text=True, timeout=30)
    expect.true(f"no start on a full disk: status {failed.returncode}, {failed.stderr}",
                failed.returncode == 1 and "No space left on device" in failed.stderr)
    disk.clear()
    router.start_agent()
    router.wait_agent()
    router.start_haproxy()
    router.wait_haproxy()
    wait_until("HAProxy to see the agent", lambda: router.stat("cellrouter-agent", "agent").get("status") == "UP")
    until(router, world, PREFIX, "alice")
    wait_until("the route in the map file", lambda: in_file(disk, PREFIX))
    disk.fill()
    before = router.counters()
    until(router, world, "/not-my-company/", "nora")
    wait_until("the file to fail three times",
               lambda: router.counters()["level0_file_errors"] >= before["level0_file_errors"] + 3)
    expect.same("lines that say so", lines(router, "level0_file"), 1)
    expect.true("the old file is whole", in_file(disk, PREFIX) and not in_file(disk, "/not-my-company/"))
    expect.same("what it left on the disk", [file.name for file in disk.folder.glob("*.new")], [])
    for number in range(20):
        for method, body in (("GET", b""), ("POST", b"a=b")):
            answer = router.request(method, f"{PREFIX}full/{number}", user="alice", body=body, follow_307=True)
            expect.status(answer, 200, world)
    disk.clear()
    wait_until("the new route in the map file", lambda: in_file(disk, "/not-my-company/"))
    expect.same("lines that say so", lines(router, "level0_file"), 1)


def until(router, world, prefix, user):
    """Asked until HAProxy's map has it."""
    def used():
        expect.status(get(router, f"{prefix}x", user), 200, world)
        return f" {prefix} " in router.runtime(f"show map {router.folder / 'disk' / 'routes.map'}")

    wait_until(f"{prefix} in the map", used)


@scenario(routers=EU, pick=AWAY, settings={"log": {"level": "debug", "per-reason": 1000}})
def test_a_log_on_a_full_disk(world):
    """Lines that cannot be written are counted, requests go on, and lines come again when there is room."""
    world.allow(AGENT_GONE)
    world.allowed_counters.add("log_lines_lost")
    router = world.router("eu1")
    disk = SmallDisk(router)
    router.agent.terminate()
    router.retired.append(router.agent)
    router.agent = Process("agent eu1", [places.built("cellrouter"), "-f", router.conf], disk.folder / "log")
    router.wait_agent()
    disk.fill()
    before = router.counters()["log_lines_lost"]

    def lost():
        expect.status(get(router, f"{PREFIX}x"), 200, world)
        router.cellctl(f"forget {PREFIX}")  # a line each
        return router.counters()["log_lines_lost"] >= before + 10

    wait_until("lines to be lost", lost)
    disk.clear()
    router.cellctl("forget /when-there-is-room/")
    wait_until("a line", lambda: "/when-there-is-room/" in router.agent.text())
    expect.true("no line is torn for good", all(line.startswith(("ts=", "#")) or not line.endswith('"')
                                                for line in router.agent.lines()))
    expect.true("the agent lives", router.agent.alive())
    router.agent.terminate()
    router.retired.append(router.agent)
    router.start_agent()
    router.wait_agent()


@scenario(routers=EU, pick=AWAY, level0=True, settings={"haproxy": {"map-uses": 1}, "log": {"level": "warn"}})
def test_files_of_a_limited_size(world):
    """RLIMIT_FSIZE (LimitFSIZE=) below the map file's size is an error of that file, and no signal that ends the
    agent."""
    world.allowed_counters.add("log_lines_lost")  # the log is a file
    router = world.router("eu1")
    warm(router)
    subprocess.run(["prlimit", f"--pid={router.agent.pid}", "--fsize=8:8"], check=True)
    warm(router, "/not-my-company/", "us1", user="nora")
    wait_until("the file to fail", lambda: router.counters()["level0_file_errors"] > 0)
    for number in range(10):
        expect.status(get(router, f"{PREFIX}limited/{number}"), 200, world)
    expect.true("the agent lives", router.agent.alive())


@scenario(routers=EU, pick=AWAY, redis_more="enable-debug-command local\n", settings={"redis": {"watchdog": 5000}})
def test_flushall_of_a_million_keys(world):
    """It stops Redis for some tenths of a second. Lookups are answered without it, level 1 is emptied once, and what is
    learned afterwards is shared again."""
    router = world.router("eu1")
    expect.status(get(router, f"{PREFIX}x"), 200, world)
    world.wait_shared(PREFIX)
    with world.redis_client() as redis:
        redis("DEBUG", "POPULATE", 1_000_000, "a-key-of-somebody-else")  # nobody is told of it
        before = router.counters()
        with Load(world, [router], clients=2) as load:
            load.wait_for(50)
            redis.send("FLUSHALL")
            load.wait_for(50)
            expect.same("FLUSHALL", redis.reply(), "OK")
            load.wait_for(50)
        expect.same("wrong answers", load.wrong[:5], [])
        expect.true(f"the slowest answer took {load.slowest:.2f} s", load.slowest < 2)
        wait_until("the flush to be heard of", lambda: router.counters()["store_flushes"] > before["store_flushes"])
    counters = router.counters()
    expect.same("flushes", counters["store_flushes"] - before["store_flushes"], 1)
    expect.same("connections that ended", counters["store_disconnects"] - before["store_disconnects"], 0)
    expect.status(get(router, f"{PREFIX}x"), 200, world)
    world.wait_shared(PREFIX)
