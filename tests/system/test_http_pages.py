"""The agent's HTTP endpoint: pages for operators and Prometheus, while requests go their way."""

import concurrent.futures
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import expect, flows
from harness.process import wait_until
from harness.runner import ONE, Skip, scenario
from harness.world import AGENT_GONE


def endpoint(router):
    return f"http://127.0.0.1:{router.http_port}"


def fetch(url):
    """(status, type, text)"""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def samples(text):
    """Prometheus' text format, strictly: name{labels} -> value. Each family has its HELP and TYPE once, before its
    samples."""
    found, families = {}, {}
    for line in text.splitlines():
        if match := re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line):
            families.setdefault(match.group(2), []).append(match.group(1))
            continue
        match = re.fullmatch(r'(\w+)(\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})? (\d+)', line)
        expect.true(f"a sample of Prometheus: {line!r}", match)
        expect.same(f"what stands before {match.group(1)}", families.get(match.group(1)), ["HELP", "TYPE"])
        expect.true(f"{line!r} once", match.group(1, 2) not in found)
        found[match.group(1, 2)] = int(match.group(3))
    return {name + (labels or ""): value for (name, labels), value in found.items()}


@scenario(routers=ONE, pick={"eu": "eu1", "us": "us1"}, http=True)
def test_metrics_are_those_of_the_counters(world):
    router = world.router("eu1")
    base = endpoint(router)
    for number in range(5):
        expect.status(router.request("GET", f"/my-company/{number}", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    status, kind, text = fetch(f"{base}/metrics")
    expect.same("status, type", (status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
    seen = samples(text)
    counters = router.counters()
    for metric, counter in {'cellrouter_lookups_total{answer="level1"}': "lookup_hits_level1",
                            "cellrouter_lookup_messages_total": "lookups",
                            'cellrouter_routes_learned_total{kind="new"}': "routes_learned",
                            "cellrouter_cells": "cells"}.items():
        expect.same(metric, seen.get(metric), counters[counter])
    expect.true(f"as many samples as counters: {len(seen)}, {len(counters)}", len(seen) == len(counters))


@scenario(routers=ONE, http=True, settings={"spoe": {"lame-duck": 1500}})
def test_health_and_readiness(world):
    router = world.router("eu1")
    base = endpoint(router)
    expect.same("healthz", fetch(f"{base}/healthz")[::2], (200, "ok\n"))
    expect.same("readyz", fetch(f"{base}/readyz")[::2], (200, "ready\n"))
    world.allow(AGENT_GONE)
    router.agent.ended_on_purpose = True
    router.agent.send(signal.SIGTERM)
    wait_until("readyz says draining", lambda: fetch(f"{base}/readyz")[::2] == (503, "draining\n"), timeout=3)
    expect.same("healthz while it drains", fetch(f"{base}/healthz")[0], 200)
    wait_until("the agent ends", lambda: not router.agent.alive(), timeout=10)


@scenario(routers=ONE, pick={"eu": "eu1", "us": "us1"}, http=True)
def test_pages_are_never_in_the_way_of_a_lookup(world):
    """Clients ask for pages as fast as they can, and every request still finds its route."""
    router = world.router("eu1")
    base = endpoint(router)
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    before = router.counters()
    until = time.monotonic() + 3

    def ask(page):
        answers = 0
        while time.monotonic() < until:
            answers += fetch(base + page)[0] == 200
        return answers

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(ask, page) for page in ("/", "/metrics", "/?path=/my-company/x", "/metrics")]
        requests = 0
        while time.monotonic() < until:
            expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
            requests += 1
        pages = [asker.result() for asker in askers]
    expect.true(f"pages were served: {pages}", all(pages))
    after = router.counters()
    expect.same("lookups that were hits", after["lookup_hits_level1"] - before["lookup_hits_level1"], requests)
    expect.same("lookups that were not answered in time", after["spoe_timeouts"] - before["spoe_timeouts"], 0)


def chromium(url, *how):
    program = shutil.which("chromium")
    if not program:
        raise Skip("chromium is not installed")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run([program, "--headless", "--no-sandbox", "--disable-gpu",
                               "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                               "--timeout=20000", *how, url], capture_output=True, timeout=60, check=False)
    return done.stdout.decode(errors="replace")


@scenario(routers=ONE, pick={"eu": "eu1", "us": "us1"}, http=True, timeout=120)
def test_the_status_page_in_a_browser(world):
    """What Chromium makes of it: the cells, the numbers, a search; on a wide screen and on a phone, no script."""
    router = world.router("eu1")
    base = endpoint(router)
    for number in range(7):
        expect.status(router.request("GET", f"/my-company/{number}", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    dom = chromium(f"{base}/?path=/my-company/x", "--dump-dom")
    text = re.sub(r"<[^>]*>", " ", dom)
    for word in ("eu1", "serving", "Cell EU0", "Cell US1", "known in memory (level 1)", "unknown", "Redis", "connected",
                 "back to the page that refreshes itself"):
        expect.true(f"the page shows {word!r}:\n{text}", word in text)
    expect.true(f"the search says who owns it:\n{text}", re.search(r"/my-company/ .*\beu0\b", text))
    elsewhere = re.findall(r"<script|<link|src=|https?://(?!127\.0\.0\.1)", dom)
    expect.same("scripts, and what would be loaded from elsewhere", elsewhere, [])
    for size in ("1200,900", "360,640"):
        picture = world.logs / f"status-{size}.png"
        chromium(base + "/", f"--window-size={size}", f"--screenshot={picture}")
        expect.true(f"a picture of {size}", picture.exists() and picture.stat().st_size > 10_000)
        expect.same("its format", picture.read_bytes()[:4], b"\x89PNG")
