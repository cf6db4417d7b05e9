"""Other users of the machine, and HAProxy as Debian ships it: started by root, in a chroot, as a user of its own."""

import contextlib
import os
import pwd
import socket

from harness import configs, expect, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

MB = 1 << 20
NOBODY = pwd.getpwnam("nobody")
AWAY = {"eu": "eu1", "us": "us1"}


def as_nobody(act):
    """What came of it when another user did it: "done", or the name of the error."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            act()
            os.write(writes, b"done")
        except BaseException as error:  # noqa: BLE001 - told to the parent
            os.write(writes, type(error).__name__.encode())
        os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with os.fdopen(reads, "rb") as told:
        return told.read().decode()


def connecting(path):
    return lambda: socket.socket(socket.AF_UNIX).connect(path)


def binding(path):
    def act():
        if os.path.exists(path):
            os.rename(path, f"{path}.stolen")
        socket.socket(socket.AF_UNIX).bind(path)

    return act


def sockets_of(router):
    """Those that HAProxy makes for itself, as paths."""
    loop = router.loop.removeprefix("unix@")
    return [loop, f"{loop}-large", f"{loop}-bodies", f"{loop}-bodies-check"]


@scenario(routers=ONE, large=4 * MB)
def test_another_user_reaches_no_socket_of_haproxy(world):
    """Neither to connect nor to put his own in its place; though he may enter the folder."""
    if os.getuid() != 0:
        raise places.Missing("only root can become another user")
    os.chmod(world.run, 0o755)
    for path in sockets_of(world.router("eu1")):
        expect.true(f"{path} is there", os.path.exists(path))
        expect.same(f"connecting to {path}", as_nobody(connecting(path)), "PermissionError")
        expect.same(f"binding {path}", as_nobody(binding(path)), "PermissionError")


@scenario(matrix={"answers": ANSWERS}, routers=ONE, pick=AWAY, settings={"spoe": {"mode": "0666"}})
def test_haproxy_in_a_chroot_with_a_user_of_its_own(world):
    """Paths of sockets are those inside; HAProxy binds them outside, as root, and connects inside, as its user."""
    if os.getuid() != 0:
        raise places.Missing("only root can change the root folder")
    os.chmod(world.run, 0o755)
    router = world.router("eu1")
    router.haproxy.terminate()
    text = router.conf.read_text(encoding="utf-8")
    own = f'chroot = "{world.run}"\n    user = "nobody"\n    loop = "unix@/{router.id}.loop"'
    router.conf.write_text(text.replace(f'loop = "{router.loop}"', own), encoding="utf-8")
    site = configs.haproxy_files(router, world)
    more = f"global\n    chroot {world.run}\n    user nobody\n"
    router.files = [*site, configs.write(router.folder / "chroot.cfg", more)]
    router.start_haproxy()
    router.wait_haproxy()
    wait_until("HAProxy to see the agent", lambda: router.stat("cellrouter-agent", "agent").get("status") == "UP")
    before = router.counters()["lookups"]
    answer = router.request("POST", "/my-company/x", user="root", body=b"a=b")
    expect.status(answer, 200, world)
    expect.saw(world, answer, "eu1", "eu0")
    expect.same("lookups", router.counters()["lookups"] - before, 1)


@scenario(routers=ONE, level0=True, http=True, pick=AWAY)
def test_another_user_reaches_no_socket_or_file_of_the_agent(world):
    """Modes are those that docs/security.md tells; the page on a port of the machine can be read by all, and does
    nothing."""
    if os.getuid() != 0:
        raise places.Missing("only root can become another user")
    router = world.router("eu1")
    for folder in (world.run, router.folder):
        os.chmod(folder, 0o755)
    for path in (router.spoe_socket, router.admin_socket, router.runtime_socket):
        expect.same(f"others' rights on {path.name}", path.stat().st_mode & 0o007, 0)
        expect.same(f"connecting to {path.name}", as_nobody(connecting(str(path))), "PermissionError")
        expect.same(f"binding {path.name}", as_nobody(binding(str(path))), "PermissionError")
    for name in ("routes.map", "routes.map.lock"):
        path = router.folder / name
        expect.same(f"mode of {name}", oct(path.stat().st_mode & 0o777), oct(0o644))
        for what, act in (("writing", lambda path=path: path.open("a").close()), ("removing", path.unlink)):
            expect.true(f"{what} {name} as another user", as_nobody(act) in ("PermissionError", "FileNotFoundError"))
        expect.true(f"{name} is still there", path.exists())
    before = router.counters()
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "FLUSH"):
        expect.same(f"{method} of another user", as_nobody(asking(router.http_port, method)), "done")
    expect.same("what it changed", changes(router, before), 0)


def asking(port, method):
    def act():
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(f"{method} /explain?path=/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                           "Connection: close\r\n\r\n".encode())
            status = client.recv(4096).split(b" ")[1]
            if (status < b"400") != (method == "GET") and (method, status) != ("GET", b"404"):
                raise ValueError(status)

    return act


def changes(router, before):
    after = router.counters()
    return sum(after[name] - before[name] for name in ("learns", "routes_learned", "routes_moved", "routes_dropped",
                                                       "routes_forgotten"))


def spop(router):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(router.spoe_socket))
    return client


def admin(router):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(router.admin_socket))
    return client


def pages(router):
    return socket.create_connection(("127.0.0.1", router.http_port), 5)


HEAD = b" HTTP/1.1\r\nHost: a\r\n"
SAID = {
    spop: [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\1", b"GET /" + HEAD + b"\r\n",
           b"\0\0\x3e\x80" + b"\1" * 16000],
    admin: [b"\0" * 100, b"x" * 20000, b"show routes\n" * 5000, b"explain " + b"/" * 8000 + b"\n", b"\n" * 5000,
            b"forget " + b"/a" * 4000 + b"/\n", b"show counters\n" * 2000, b"explain \xff\xfe\n", b"explain\n"],
    pages: [b"\0" * 100, b"GET /" + b"a" * 20000, (b"GET /metrics" + HEAD + b"\r\n") * 300,
            b"GET /explain?path=%00%ff/../" + HEAD + b"\r\n", b"GET /" + HEAD + b"A: b\r\n" * 5000 + b"\r\n",
            b"POST /" + HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", b"GET http://x/" + HEAD + b"\r\n",
            b"GET /?" + b"path=/x&" * 900 + HEAD + b"\r\n", b"GET /explain?path=" + b"/a" * 3000 + HEAD + b"\r\n"],
}
CROWD = 300


def say(connect, router, said, reads):
    with contextlib.suppress(OSError), connect(router) as client:
        client.settimeout(0.1)
        client.sendall(said)
        while reads and client.recv(65536):
            pass


@scenario(routers=ONE, http=True, pick=AWAY, settings={"http": {"idle": 2}})
def test_nonsense_and_crowds_at_the_agents_sockets(world):
    """From who may connect there: each costs a connection. Lookups are answered meanwhile, memory has a bound, and no
    descriptor is left behind."""
    router = world.router("eu1")
    memory, files = router.agent.resident(), router.agent.open_files()
    before = router.counters()["misses_deadline"]
    for connect, texts in SAID.items():
        for said in texts:
            for reads in (True, False):
                say(connect, router, said, reads)
                expect.status(router.request("GET", "/my-company/x", user="alice", follow_307=True), 200, world)
    with contextlib.ExitStack() as crowd:
        for connect in SAID:
            for _ in range(CROWD):
                with contextlib.suppress(OSError):
                    client = crowd.enter_context(connect(router))
                    client.setblocking(False)
                    client.send(b"show counters\n" * 500)  # and nobody reads
        expect.status(router.request("GET", "/my-company/x", user="alice", follow_307=True), 200, world)
        grown = router.agent.resident() - memory
        expect.true(f"memory grew by {grown >> 10} KiB", grown < 48 << 20)
    # HAProxy has its own, and the pages close theirs after http.idle.
    wait_until("the descriptors to be closed", lambda: router.agent.open_files() <= files + 3)
    expect.same("lookups without an answer in time", router.counters()["misses_deadline"] - before, 0)
