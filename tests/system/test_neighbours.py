"""Other users of the machine, and HAProxy as Debian ships it: started by root, in a chroot, as a user of its own."""

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
