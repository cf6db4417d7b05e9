"""TLS and HTTP/2 on the client's side: everything as with HTTP/1.1, and many requests on one connection."""

import hashlib
import random
import subprocess

from harness import counted, expect, flows, http2, places
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
MB = 1 << 20
CLIENTS = {"http/1.1": "connect_tls", "h2": "connect_h2"}
LIKE_A_BODY = random.Random(1).randbytes


def known(world, router):
    flows.wait_known(world, router, "/my-company/")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_tls_miss_and_hit(world):
    """Replayed on a miss, straight to the owner on a hit, bodies whole; with a Content-Length and without one."""
    router = world.router("eu1")
    for client in CLIENTS.values():
        for method, length, chunked in (("GET", 0, False), ("POST", 0, False), ("POST", 1000, False),
                                        ("PUT", 9000, True), ("DELETE", 12000, False)):
            world.flush()
            before = counted.take(world)
            with getattr(router, client)() as connection:
                for cells in (("eu1", "eu0"), ("eu0",)):
                    answer = connection.request(router.prepare(method, "/my-company/x?a=%2F", user="alice",
                                                               body=LIKE_A_BODY(length), chunked=chunked))
                    expect.status(answer, 200, world)
                    expect.saw(world, answer, *cells)
                    expect.clean(answer)
                    known(world, router)
            counted.expect(world, before, lookups=2, hits=1, misses=1, learned=1)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_tls_stale_routes(world):
    """Where a safe method is sent back by a 307, its Location works for https as well; other methods are replayed. (An
    organization each, since a route that changes again and again is damped.)"""
    router = world.router("eu1")
    moves = {"my-company": ("connect_tls", "GET", "eu0"), "my-organization": ("connect_tls", "POST", "eu0"),
             "gitlab-org": ("connect_h2", "GET", "us0"), "not-my-company": ("connect_h2", "POST", "us1")}
    for name, (client, method, old) in moves.items():
        with getattr(router, client)() as connection:
            expect.status(connection.request(router.prepare("GET", f"/{name}/x", user="root")), 200)
            flows.wait_known(world, router, f"/{name}/")
            world.cells.move(name, "eu1")
            before = counted.take(world)
            request = router.prepare(method, f"/{name}/x?a=b", user="root", body=b"a=b" if method == "POST" else b"")
            answer = connection.request(request)
            if answer.status == 307 and method == "GET":
                expect.same("Location", answer.get("Location"), f"/{name}/x?a=b")
                expect.reason(answer, "stale-route")
                expect.saw(world, answer, old)
                request = router.prepare(method, f"/{name}/x?a=b", user="root")
                answer = connection.request(request)
                expect.saw(world, answer, old, "eu1")  # in doubt: the same cell first
            else:
                expect.saw(world, answer, old, "eu1")
            expect.status(answer, 200, world)
            expect.same("who answered", answer.cell, "eu1")
            wait_until("the router to know the new owner", lambda: router.routes().get(f"/{name}/") == "eu1")
            after = counted.take(world)
            expect.same("routes dropped or moved", sum(after[word] - before[word] for word in ("dropped", "moved")), 1)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_tls_large_bodies(world):
    """Too large to replay: sent once, 307, and the second try goes right; on a hit it streams. The connection lives
    on."""
    router = world.router("eu1")
    body = LIKE_A_BODY(3 * MB)
    for client in CLIENTS.values():
        for chunked in (False, True):
            world.flush()
            where = f"/my-company/upload-{client}-{chunked}"
            statuses = []
            connection = getattr(router, client)()
            for _ in range(3):
                answer = connection.request(router.prepare("PUT", where, user="alice", body=body, chunked=chunked))
                statuses.append(answer.status)
                if answer.status == 200:
                    owner = world.deliveries_of(answer)[-1]
                    expect.same("the owner got", (owner.cell, owner.whole, owner.body_sha256),
                                ("eu0", True, hashlib.sha256(body).hexdigest()))
                    if flows.uploads_teach(chunked):
                        known(world, router)
                elif client == "connect_tls":
                    connection.close()  # an HTTP/1.1 body that was not read to its end is the end of the connection
                    connection = router.connect_tls()
            expect.same("answers to the client", statuses, [307, 200, 200])
            expect.saw(world, answer, "eu0")
            connection.__exit__()


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_many_streams(world):
    """Streams of one connection go each to its owner, in any order: one that waits holds up nobody, and nothing is
    mixed up."""
    router = world.router("eu1")
    owners = {"my-company": "eu0", "gitlab-org": "us0", "not-my-company": "us1"}
    for name in owners:
        world.cells.misbehave(path=f"/{name}/slow", gate=f"{world.unique}-{name}")
    for turn in ("miss", "hit"):
        with router.connect_h2() as connection:
            slow, quick = {}, {}
            for name, owner in owners.items() if turn == "hit" else ():
                number = connection.start(router.prepare("POST", f"/{name}/slow", user="root", body=b"slow"))
                slow[number] = (name, owner)
            for count in range(60):
                name = list(owners)[count % 3]
                body = f"stream {count} ".encode() * 300 if count % 2 else b""
                request = router.prepare("POST" if count % 2 else "GET", f"/{name}/{turn}/{count}", user="root",
                                         body=body)
                quick[connection.start(request)] = (name, request)
            for number, (name, request) in sorted(quick.items(), reverse=True):
                answer = connection.answer(number)
                expect.status(answer, 200, world)
                expect.same(f"cell of {request.target}", answer.cell, owners[name])
                expect.true(f"the answer is that of {request.target}: {answer}",
                            f'"{request.target}"'.encode() in answer.body)
                expect.true("… and of its body", hashlib.sha256(request.body).hexdigest().encode() in answer.body)
            for number, (name, owner) in slow.items():
                expect.true("a gated answer came before its gate opened", not connection.streams[number].ended)
                world.cells.open(f"{world.unique}-{name}")
                answer = connection.answer(number)
                expect.status(answer, 200, world)
                expect.saw(world, answer, owner)
        for name in owners:
            flows.wait_known(world, router, f"/{name}/")


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_a_stream_that_is_given_up(world):
    """The client resets one stream while its cell is thinking: the others do not notice, and the agent is left with
    nothing open."""
    router = world.router("eu1")
    world.cells.misbehave(path="/my-company/slow", gate=world.unique)
    with router.connect_h2() as connection:
        given_up = [connection.start(router.prepare(method, "/my-company/slow", user="alice", body=body))
                    for method, body in (("GET", b""), ("POST", b"a=b"))]
        for number in given_up:
            connection.h2.reset_stream(number, 8)  # CANCEL
        connection.flush()
        for _ in range(3):
            answer = connection.request(router.prepare("POST", "/my-company/x", user="alice", body=b"a=b"))
            expect.status(answer, 200, world)
            expect.same("who answered", answer.cell, "eu0")
    world.cells.open(world.unique)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_header_hygiene(world):
    """docs/flows.md 21 over HTTP/2; many cookies in many header fields; the client's address and scheme."""
    router = world.router("eu1")
    forged = [(f"x-gitlab-cell-{name}", "forged")
              for name in ("redirect", "cache", "attempt", "from", "why", "router", "request", "route", "reason")]
    forged += [(f"x-cellrouter-{name}", "1") for name in ("go", "answered", "redirects", "status", "replay", "reason")]
    world.cells.misbehave(cell="eu0", path="/my-company/cookies",
                          answer={"headers": [["Set-Cookie", f"c{n}=v"] for n in range(20)], "body": "x"},
                          cache="{path_prefix:/my-company/}")
    for method, body in (("GET", b""), ("POST", b"a=b")):
        world.flush()
        with router.connect_h2() as connection:
            for cells in (("eu1", "eu0"), ("eu0",)):
                request = router.prepare(method, "/my-company/cookies", user="alice", body=body)
                fields = http2.fields_of(request) + forged + [("cookie", f"a{n}={n}") for n in range(3)]
                number = connection.open(fields, request, end=not body)
                if body:
                    connection.send(number, body)
                answer = connection.answer(number)
                expect.status(answer, 200, world)
                expect.same("cookies", answer.all("set-cookie"), [f"c{n}=v" for n in range(20)])
                seen = world.deliveries_of(answer)
                expect.same("cells that saw it", [d.cell for d in seen], list(cells))
                for delivery in seen:
                    bad = [pair for pair in delivery.headers if pair[1] == "forged"
                           or pair[0].lower().startswith("x-cellrouter")]
                    expect.same("forged headers at a cell", bad, [])
                    expect.same("cookies at a cell", delivery.all("cookie"),
                                [world.cells.cookie("alice") + "; a0=0; a1=1; a2=2"])
                    expect.same("host at a cell", delivery.all("host"), ["site.example"])
                    expect.same("X-Forwarded-For", delivery.all("X-Forwarded-For"), ["127.0.0.1"])
                traces = [name for name, _ in answer.headers if name.startswith(("x-gitlab-cell", "x-cellrouter"))]
                expect.same("headers of the router that reached the client", traces, [])
                known(world, router)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_curl_is_content(world):
    """A client that is not ours: HTTP/2 and HTTP/1.1, 307 followed with the body, HEAD, several transfers on one
    connection."""
    router = world.router("eu1")
    cookie = world.cells.cookie("alice")
    upload = world.run / "upload"
    upload.write_bytes(LIKE_A_BODY(2 * MB))
    base = f"https://site.example:{router.tls_port}/my-company"

    def curl(*arguments):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", f"{world.certificate}.crt", "--resolve",
                               f"site.example:{router.tls_port}:127.0.0.1",
                               "-H", f"Cookie: {cookie}", "-w", "%{http_version} %{http_code} %{num_redirects}\n",
                               *arguments],
                              capture_output=True, text=True, timeout=30, check=False)
        expect.same(f"curl {' '.join(arguments)}: exit status", done.returncode, 0, done.stderr)
        return done.stdout

    for option, version in (("--http2", "2"), ("--http1.1", "1.1")):
        world.flush()
        told = curl(option, "-L", "-T", str(upload), f"{base}/upload-{version}")
        expect.true(f"a large upload that meets a 307 once: {told}", told.endswith(f"{version} 200 1\n")
                    and hashlib.sha256(upload.read_bytes()).hexdigest() in told)
        known(world, router)
        told = curl(option, "-d", "a=b", f"{base}/one", f"{base}/two")
        expect.same("two POSTs", told.count(f"{version} 200 0\n"), 2, told)
        told = curl(option, "-I", f"{base}/three")
        expect.true(f"HEAD: {told}", told.endswith(f"{version} 200 0\n") and "x-gitlab" not in told.lower())


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_server_sent_events(world):
    """The first event passes before the last one exists, and other streams do not wait for either."""
    for kind, cells in (("miss", ["eu1", "eu0"]), ("hit", ["eu0"])):
        router = flows.settled(world, kind)
        gate = f"{world.unique}-{kind}"
        before = counted.take(world)
        with router.connect_h2() as connection:
            request = router.prepare("GET", f"/my-company/events?gate={gate}", user="alice")
            number = connection.start(request)
            stream = connection.streams[number]
            while stream.body != b"data: first\n\n":
                expect.true(f"the stream goes on: {connection.over(number)}", not connection.over(number))
                connection.fill()
            expect.status(connection.request(router.prepare("GET", "/my-company/beside", user="alice")), 200, world)
            expect.true("the last event came before it was there", not stream.ended
                        and stream.body == b"data: first\n\n")
            world.cells.open(gate)
            answer = connection.answer(number)
        expect.same("events", answer.body, b"data: first\n\ndata: last\n\n")
        expect.same("cells", [d.cell for d in world.deliveries_of(answer)], cells)
        expect.clean(answer)
        counted.expect(world, before, lookups=2, learned=len(cells) - 1)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_long_poll(world):
    """Of two streams that wait, each is answered when its own cell is ready, on an unknown path as on a known one."""
    for kind, cells in (("miss", ["eu1", "eu0"]), ("hit", ["eu0"])):
        router = flows.settled(world, kind)
        world.cells.behave()
        with router.connect_h2() as connection:
            waiting = {}
            for method, body in (("GET", b""), ("POST", b"a=b")):
                gate = f"{world.unique}-{kind}-{method}"
                world.cells.misbehave(cell="eu0", path=f"/my-company/poll-{method}", gate=gate)
                number = connection.start(router.prepare(method, f"/my-company/poll-{method}", user="alice", body=body))
                waiting[number] = gate
            tags = [connection.streams[number].request.tag for number in waiting]
            wait_until("the owner to think about both",
                       lambda: sum(d.cell == "eu0" and d.tag in tags for d in world.deliveries()) == 2)
            for number, gate in reversed(waiting.items()):
                connection.fill_now()
                expect.true("an answer before the cell had one", not connection.streams[number].answer)
                world.cells.open(gate)
                answer = connection.answer(number)
                expect.status(answer, 200, world)
                expect.saw(world, answer, *cells)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick=AWAY, routers=ONE, tls=True)
def test_h2_answers_without_a_body(world):
    """HEAD, 204, 304, and 103 before the answer; the connection lives on."""
    for status in (204, 304):
        world.cells.misbehave(cell="eu0", path=f"/my-company/{status}",
                              answer={"status": status, "headers": [["ETag", '"1"']]})
    world.cells.misbehave(cell="eu0", path="/my-company/hints",
                          interim=[[103, [["Link", "</a.css>; rel=preload"]]], [103, []]])
    for kind, cells in (("miss", ("eu1", "eu0")), ("hit", ("eu0",))):
        router = flows.settled(world, kind)
        with router.connect_h2() as connection:
            for method, name, status in (("HEAD", "x", 200), ("GET", "204", 204), ("POST", "204", 204),
                                         ("HEAD", "304", 304), ("GET", "304", 304), ("GET", "hints", 200)):
                flows.settled(world, kind)
                before = counted.take(world)
                answer = connection.request(router.prepare(method, f"/my-company/{name}", user="alice"))
                expect.status(answer, status, world)
                expect.saw(world, answer, *cells)
                expect.clean(answer)
                expect.same("interim answers", [code for code, _ in answer.interim], [103, 103] if name == "hints"
                            else [])
                # HAProxy before 3.2 by itself loses a body after interim answers, once in a hundred times.
                if name != "hints" or places.haproxy_version() >= (3, 2):
                    expect.same("a body", bool(answer.body), name == "hints")
                if method == "HEAD" and status == 200:
                    expect.true(f"HEAD tells a length: {answer}", int(answer.get("Content-Length", "0")) > 0)
                counted.one(world, before, kind, learned=int(status == 200 and kind == "miss"))
