"""git through the router: clone, push of 100 MB and clone again, of a repository that a cell of another region owns."""

import functools
import hashlib
import os
import random
import shutil
import subprocess

from harness import counted, expect, flows
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

MB = 1 << 20
REPOSITORY = "gitlab-org/big.git"  # of cell us0
# status of redirects -> name -> (bytes, http.postBuffer): git sends in chunks what is larger than that
PUSHES = {302: {"chunked": (100 * MB, MB), "length": (5 * MB, 16 * MB)}, 421: {"chunked": (10 * MB, MB)}}
RANDOM = {"core_compression": "0", "core_bigFileThreshold": "1m"}  # git need not try to make random bytes smaller


def git(folder, *arguments, **config):
    """Runs git, untouched by whatever configuration this machine has; returns its output."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_TERMINAL_PROMPT": "0",
                   **{f"GIT_{who}_{what}": "tester@site.example" for who in ("AUTHOR", "COMMITTER")
                      for what in ("NAME", "EMAIL")}}
    options = [word for name, value in config.items() for word in ("-c", f"{name.replace('_', '.')}={value}")]
    done = subprocess.run(["git", *options, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=40, check=False)
    expect.same(f"git {' '.join(arguments)}: exit status", done.returncode, 0, done.stderr)
    return done.stdout


def went_at_once(router, target):
    """One of the requests for target; another one only asks whether it may, with four bytes."""
    return any(f" {target} HTTP/" in line and " cellrouter-cell-us0/" in line
               for line in router.haproxy.lines())


@scenario(matrix={"answers": ANSWERS}, pick={"eu": "eu1", "us": "us1"}, routers=ONE)
def test_git_clone_and_push(world):
    router = world.router("eu1")
    served = world.run / "repositories" / "us0" / REPOSITORY
    served.mkdir(parents=True)
    git(served, "init", "-q", "--bare", "-b", "main")
    for name, value in (("core.compression", "0"), ("core.bigFileThreshold", "1m")):  # random bytes: git need not try
        git(served, "config", name, value)
    cookie = {"http_extraHeader": f"Cookie: {world.cells.cookie('root')}", "core_compression": "0",
              "core_bigFileThreshold": "1m"}
    url = f"{router.url}/{REPOSITORY}"
    before = counted.take(world)
    git(world.run, "clone", "-q", url, "work", **cookie)
    flows.wait_known(world, router, "/gitlab-org/")
    counted.expect(world, before, misses=1, learned=1)
    work = world.run / "work"
    for name, (length, buffer) in PUSHES[world.cells.table["us0"].answers].items():
        content = random.Random(name).randbytes(length)
        (work / name).write_bytes(content)
        git(work, "add", name, **cookie)
        git(work, "commit", "-q", "-m", name)
        world.flush()
        world.mark()
        before = counted.take(world)
        peak = router.haproxy.peak()
        git(work, "push", "-q", "origin", "HEAD:main", **cookie, http_postBuffer=str(buffer))
        seen = [d for d in world.deliveries() if d.method == "POST" and d.body_length > length]
        expect.same(f"who saw the push ({name})", [(d.cell, d.whole, bool(d.get("Content-Length"))) for d in seen],
                    [("us0", True, name == "length")],
                    expect.table(world.deliveries()))
        expect.same("who saw its first question", [d.cell for d in world.deliveries() if d.method == "GET"],
                    ["eu1", "us0"])
        # Its first question has made the route fresh.
        wait_until("a log line of a push in one pass", functools.partial(went_at_once, router, seen[0].target))
        grown = router.haproxy.peak() - peak
        expect.true(f"HAProxy has grown by {grown >> 20} MiB", grown < 10 * MB)
        requests = [d for d in world.deliveries() if not d.redirect]
        counted.expect(world, before, lookups=len(requests), hits=len(requests) - 1, misses=1, learned=1, moved=0,
                       dropped=0, refused=0)
        world.flush()
        git(world.run, "clone", "-q", url, f"again-{name}", **cookie)
        cloned = (world.run / f"again-{name}" / name).read_bytes()
        expect.same(f"sha256 of what was cloned ({name})", hashlib.sha256(cloned).hexdigest(),
                    hashlib.sha256(content).hexdigest())
    git(served, "fsck", "--full")


@scenario(pick={"eu": "eu1", "us": "us1"}, routers=ONE, tls=True, timeout=120)
def test_clones_over_http2(world):
    """60 MB over TLS and HTTP/2 through the loop, again and again: none stands still. (Over an abstract socket half of
    them were seen to, with HAProxy 2.6.)"""
    router = world.router("eu1")
    served = world.run / "repositories" / "us0" / REPOSITORY
    served.mkdir(parents=True)
    git(served, "init", "-q", "--bare", "-b", "main")
    for name, value in RANDOM.items():
        git(served, "config", name.replace("_", "."), value)
    git(world.run, "clone", "-q", str(served), "work", **RANDOM)
    work = world.run / "work"
    content = random.Random(60).randbytes(60 * MB)
    (work / "file").write_bytes(content)
    git(work, "add", "file", **RANDOM)
    git(work, "commit", "-q", "-m", "file", **RANDOM)
    git(work, "push", "-q", "origin", "HEAD:main", **RANDOM)
    over = {"http_extraHeader": f"Cookie: {world.cells.cookie('root')}", "http_version": "HTTP/2",
            "http_sslCAInfo": f"{world.certificate}.crt",
            "http_curloptResolve": f"site.example:{router.tls_port}:127.0.0.1", **RANDOM}
    for turn in range(3):
        world.flush()
        world.mark()
        git(world.run, "clone", "-q", f"https://site.example:{router.tls_port}/{REPOSITORY}", f"copy-{turn}", **over)
        expect.true("the clone is whole", (world.run / f"copy-{turn}" / "file").read_bytes() == content)
        seen = [(d.cell, d.method) for d in world.deliveries()]
        expect.same("the first question met a redirect", seen[:2], [("eu1", "GET"), ("us0", "GET")])
        shutil.rmtree(world.run / f"copy-{turn}")
    lines = [line for line in router.haproxy.lines() if "git-upload-pack" in line]
    expect.true("HAProxy logs HTTP/2", lines and all("HTTP/2" in line for line in lines))
