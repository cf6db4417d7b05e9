"""Where things lie: programs, ports, log folders."""

import os
import random
import re
import shutil
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOGS = Path(os.environ.get("CELLROUTER_LOGS", ROOT / "build" / "logs" / "system"))
BUILDS = ("asan", "dev", "release", "clang")
PORTS = range(20000, 32000)  # below the kernel's own choice of ports


class Missing(Exception):
    """Something that the harness needs is not there; the text says what and how to get it."""


def program(name, variable):
    """Path of an installed program: from the environment, the search path or /usr/sbin."""
    wanted = os.environ.get(variable, name)
    found = shutil.which(wanted) or shutil.which(wanted, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise Missing(f"{wanted} is not installed (set {variable} to its path)")
    return found


def haproxy():
    return program("haproxy", "HAPROXY")


def haproxy_version():
    """(2, 6)"""
    text = subprocess.run([haproxy(), "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)", text)
    if not found:
        raise Missing(f"{haproxy()} does not tell its version: {text[:100]!r}")
    return int(found[1]), int(found[2])


def redis_server():
    return program("redis-server", "REDIS_SERVER")


def large_tunables():
    """What the unit of the processes for large bodies puts into their environment as GLIBC_TUNABLES."""
    unit = (ROOT / "systemd" / "cellrouter-large@.service").read_text(encoding="utf-8")
    return re.search(r"^Environment=GLIBC_TUNABLES=(\S+)$", unit, re.M)[1]


def built(name):
    """Path of a program of this project: in CELLROUTER_BIN, or in the first build folder that has it."""
    given = os.environ.get("CELLROUTER_BIN")
    folders = [Path(given)] if given else [ROOT / "build" / build for build in BUILDS]
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    raise Missing(f"{name} is not built: looked in {', '.join(map(str, folders))} (run ./dev build, or set "
                  f"CELLROUTER_BIN)")


class Ports:
    """TCP ports for one world. An abstract socket a port is the lock: worlds side by side never share a port, even
    while nothing listens there, and nothing is left behind."""

    def __init__(self):
        self.locks = []

    def reserve(self):
        for port in random.sample(PORTS, 500):
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0cellrouter-test-port-{port}")
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
                continue
            self.locks.append(lock)
            return port
        raise Missing(f"no free port in {PORTS}")

    def release(self):
        for lock in self.locks:
            lock.close()
        self.locks = []
