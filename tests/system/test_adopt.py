"""A grown haproxy.cfg adopts the rules by what `cellctl adopt` prints, and loses nothing that it could do."""

import os
import subprocess

from harness import expect, places
from harness.grown import GrownSite
from harness.process import wait_until
from harness.runner import scenario
from harness.world import AGENT_GONE, CELL_DOWN


def adopt(router, *files):
    made = subprocess.run([places.built("cellctl"), "adopt", "-f", router.conf, *files], capture_output=True, text=True,
                          check=False)
    expect.same("on stderr", made.stderr, "")
    return made


def start(world, router, files):
    """HAProxy with these files, which have to be right in HAProxy's own eyes."""
    argv = [places.haproxy(), "-c"]
    for file in files:
        argv += ["-f", file]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False)
    expect.same(f"haproxy -c\n{checked.stdout}{checked.stderr}", checked.returncode, 0)
    router.files = files
    router.start_haproxy()
    router.wait_haproxy()


SETTINGS = {"spoe": {"mode": "0666"}, "hidden": {"spoe-file": places.ROOT / "haproxy/cellrouter-spoe.conf"}}


@scenario(tls=True, pick={"eu": "eu1"}, settings=SETTINGS)
def test_a_grown_site_adopts_the_rules(world):
    """Before and after: static files, admin host, gzip, denials, 429, error pages, HTTP/2, tcp, statistics, syslog."""
    if os.getuid() != 0:
        raise places.Missing("only root can change the root folder")
    world.allow(CELL_DOWN)
    world.allow(AGENT_GONE)
    world.allow(r"ignored for (frontend|backend) '(git_ssh|ssh|stats)'")  # of the site's own defaults, as before
    os.chmod(world.run, 0o755)
    router = world.router("eu1")
    router.haproxy.terminate()
    with GrownSite(world, router) as site:
        start(world, router, [site.config])
        site.check_all()
        site.application("/my-company/before")
        router.haproxy.terminate()

        first = adopt(router, site.config)
        expect.same(f"something is to be done\n{first.stdout}", first.returncode, 1)
        patched = subprocess.run(["patch", "-d", "/", "-p1", "--no-backup-if-mismatch"], input=first.stdout, text=True,
                                 capture_output=True, check=False)
        expect.same(f"patch\n{patched.stdout}{patched.stderr}\n{first.stdout}", patched.returncode, 0)
        generated = site.folder / "cellrouter.cfg"
        with open(generated, "w", encoding="utf-8") as out:
            subprocess.run([places.built("cellctl"), "haproxy", "-f", router.conf], stdout=out, check=True)
        files = [site.folder / "global.cfg", generated, site.config]
        expect.true("the files are named in their order", " -f ".join(["haproxy", *map(str, files)]) in first.stdout)
        again = adopt(router, *files)
        expect.same(f"nothing is wrong\n{again.stdout}", again.returncode, 0)

        start(world, router, files)
        wait_until("HAProxy to see the agent", lambda: router.stat("cellrouter-agent", "agent").get("status") == "UP")
        site.check_all()
        site.wait_log("Server cellrouter-cell-eu0/eu0.1 is DOWN")
        router.agent.terminate()
        site.wait_log("Server cellrouter-agent/agent is DOWN")
        router.restart_agent()
        site.wait_log("Server cellrouter-agent/agent is UP")
        wait_until("HAProxy to see the cells", lambda: router.stat("cellrouter-cell-eu0").get("status") == "UP")
        before = router.counters()["lookups"]
        answer, delivery = site.application("/my-company/after", user="root")
        expect.status(answer, 200, world)
        expect.same("the owner", delivery.cell, "eu0")
        expect.same("lookups", router.counters()["lookups"] - before, 1)


COUNTED = """\
    http-request track-sc1 src table seen
    http-response set-header X-Seen %[sc1_http_req_cnt(seen)]
backend seen
    stick-table type ip size 100 store http_req_cnt
"""


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick={"eu": "eu1"}, site_more=COUNTED,
          settings={"haproxy": {"hint-counter": 0, "note-counter": 2}})
def test_a_site_keeps_its_stick_counter(world):
    """The rules take the counters that they are told to; what they note there is found again."""
    world.allow("still be processed before")
    router = world.router("eu1")
    upload = router.request("POST", "/my-company/upload", user="alice", body=b"x" * 100_000, follow_307=True)
    expect.same("answers to an upload", [step.status for step in upload.steps], [307, 200])
    expect.same("the second try goes right", [d.cell for d in world.deliveries_of(upload.steps[1])], ["eu0"])
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    wait_until("the route is known", lambda: "/my-company/" in router.routes())
    world.cells.move("my-company", "eu1")
    answer = router.request("GET", "/my-company/y", user="alice", follow_307=True)
    expect.status(answer, 200, world)
    expect.same("answers on a stale route", len(answer.steps), 1 if world.cells.table["eu0"].answers == 425 else 2)
    expect.true(f"the site's own counter counts: {answer.get('X-Seen')}", int(answer.get("X-Seen")) >= 4)
