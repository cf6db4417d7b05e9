"""Neighbours that lie: whoever stands at HAProxy's runtime socket, or fills the disk. Requests go on, one line says it,
and all is well again when it is over."""

import os
import socket
import subprocess
import threading

from harness import expect, places
from harness.level0 import PREFIX, get, the_file, the_map, warm
from harness.process import wait_until
from harness.runner import scenario

EU = {"eu1": "eu"}
AWAY = {"eu": "eu1"}
FORMS = places.ROOT / "tests" / "fuzz" / "corpus" / "runtime_reply"
LONG = 70_000


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


