"""The docker engine and compose, by their command lines: what a person would type."""

import json
import os
import subprocess
import sys

from harness import places
from harness.process import Failure

PROJECT = "cellrouter-test-"  # and the pid of the run that it belongs to


def run(*argv, timeout=60, check=True, environment=None, errors=False):
    """Its standard output, with errors its standard error, too. Children get a session of their own: Ctrl-C is for the
    tests, which then take everything down."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace",
                          timeout=timeout, check=False, start_new_session=True,
                          env={**os.environ, **(environment or {})})
    if check and done.returncode:
        raise Failure(f"{' '.join(map(str, argv))}: status {done.returncode}\n{(done.stdout + done.stderr)[-1500:]}")
    return done.stdout + (done.stderr if errors else "")


COMPOSE = []  # its command, which tests/compose/run chooses


def compose_command(program=None):
    """docker compose, version 2, where there is one; else docker-compose 1.29."""
    if program:
        return [program]
    version2 = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    return ["docker", "compose"] if version2 else ["docker-compose"]


class Project:
    """One run of the composition, under a name that no other has."""

    def __init__(self, tag, store):
        self.name = f"{PROJECT}{os.getpid()}"
        self.environment = {"CELLROUTER_TAG": tag, "CELLROUTER_STORE": f"{store}-server", "CELLROUTER_GRACE": "3s",
                            "CELLROUTER_PORT_EU": "0", "CELLROUTER_PORT_US": "0"}
        here = places.ROOT / "tests" / "compose"
        self.compose = [*COMPOSE, "-p", self.name, "-f", places.ROOT / "docker" / "compose.yaml", "-f",
                        here / "override.yaml"]

    def __call__(self, *words, timeout=120):
        return run(*self.compose, *words, timeout=timeout, environment=self.environment)

    def up(self, *words, scales=None):
        scale = [word for service, number in (scales or {}).items() for word in ("--scale", f"{service}={number}")]
        self("up", "-d", "--no-build", *scale, *words)

    def watch(self, log, scales):
        """`up` as a person runs it who then looks at it: not in the background. Returns the process."""
        scale = [f"--scale={service}={number}" for service, number in scales.items()]
        return subprocess.Popen([*map(str, self.compose), "up", "--no-build", *scale], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True,
                                env={**os.environ, **self.environment})

    def containers(self, service=None, every=False):
        """Names of the running containers; with every, of all."""
        words = ["ps", "--format", "{{.Names}}", "--filter", f"label=com.docker.compose.project={self.name}"]
        if service:
            words += ["--filter", f"label=com.docker.compose.service={service}"]
        return sorted(run("docker", *words, *(["-a"] if every else [])).split())

    def network(self, name):
        return f"{self.name}_{name}"

    def volume(self, name):
        """Where it lies on this machine."""
        return run("docker", "volume", "inspect", "-f", "{{.Mountpoint}}", f"{self.name}_{name}").strip()

    def down(self):
        """Removes containers, networks and volumes. By labels, so that it works halfway through an `up`, too."""
        ours = ["--filter", f"label=com.docker.compose.project={self.name}", "-q"]
        for container in run("docker", "ps", "-a", *ours, check=False).split():
            run("docker", "unpause", container, check=False)
        try:
            self("down", "-v", "--remove-orphans", "-t", "5")
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(failure, file=sys.stderr)
        for kind, remove in (("ps -a", "rm -f -v"), ("network ls", "network rm"), ("volume ls", "volume rm -f")):
            if left := run("docker", *kind.split(), *ours, check=False).split():
                run("docker", *remove.split(), *left, check=False)

    def keep_logs(self, folder):
        for container in self.containers(every=True):
            with open(folder / f"{container.removeprefix(self.name).strip('_-')}.log", "wb") as file:
                subprocess.run(["docker", "logs", container], stdout=file, stderr=file, check=False, timeout=30)


def inspect(container):
    return json.loads(run("docker", "inspect", container))[0]


def published(container, port):
    """The loopback port of this machine that leads to a container's port. Another one after every start."""
    bound = inspect(container)["NetworkSettings"]["Ports"].get(f"{port}/tcp")
    if not bound:
        raise Failure(f"{container}: port {port} is not published; is it running?")
    return int(bound[0]["HostPort"])


def execute(container, *words, timeout=20):
    return run("docker", "exec", container, *words, timeout=timeout)


def docker(*words, timeout=60):
    return run("docker", *words, timeout=timeout)
