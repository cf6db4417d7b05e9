"""Requests that two readers could read in two ways. Each ends in one request at a cell, as the edge read it, or in an
error at the edge; what lies behind it is never a request that the router did not make."""

import os

from harness import counted, expect, flows, http2
from harness.client import Broken
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
CELLS = {"miss": ["eu1", "eu0"], "hit": ["eu0"]}
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: site.example\r\nX-Smuggled: yes\r\n\r\n"
SMUGGLED = b"POST /smuggled HTTP/1.1\r\nHost: site.example\r\nContent-Length: 500\r\n\r\n"


def post(headers, body, method=b"POST"):
    """TARGET and COOKIE are put in by the test."""
    return method + b" TARGET HTTP/1.1\r\nHost: site.example\r\nCookie: COOKIE\r\n" + headers + b"\r\n" + body


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED = chunk(b"a=b") + b"0\r\n\r\n"
TE = b"Transfer-Encoding: chunked\r\n"

# label -> (bytes, what the edge does with it: 400, or 0 when it is one request; None: one of the two, by HAProxy's
# version)
PROBES = {
    "cl_te": (post(b"Content-Length: %d\r\n" % (5 + len(HIDDEN)) + TE, b"0\r\n\r\n" + HIDDEN), None),
    "te_cl": (post(b"Content-Length: 4\r\n" + TE, chunk(SMUGGLED) + b"0\r\n\r\n"), None),
    "te_te_two_lines": (post(TE + b"Transfer-Encoding: cow\r\n", CHUNKED), None),
    "te_te_cl": (post(TE + b"Transfer-encoding: identity\r\nContent-Length: 3\r\n", CHUNKED), None),
    "te_unknown": (post(b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), None),
    "te_before_colon": (post(b"Transfer-Encoding : chunked\r\nContent-Length: 3\r\n", CHUNKED), 400),
    "te_leading_blank": (post(b"X-Before: a\r\n Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(HIDDEN),
                              HIDDEN), None),
    "te_vertical_tab": (post(b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), None),
    "te_not_last": (post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKED), None),
    "te_twice_chunked": (post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKED), None),
    "te_behind_lf": (post(b"X: X\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", CHUNKED), None),
    "te_in_1_0": (post(TE + b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN).replace(b"HTTP/1.1\r\nHost",
                                                                                     b"HTTP/1.0\r\nHost", 1), None),
    "cl_two_values": (post(b"Content-Length: 3\r\nContent-Length: 300\r\n", b"a=b"), 400),
    "cl_list_of_two": (post(b"Content-Length: 3, 300\r\n", b"a=b"), 400),
    "cl_same_twice": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"a=b"), 0),
    "cl_plus": (post(b"Content-Length: +3\r\n", b"a=b"), 400),
    "cl_minus": (post(b"Content-Length: -3\r\n", b"a=b"), 400),
    "cl_hexadecimal": (post(b"Content-Length: 0x3\r\n", b"a=b"), 400),
    "cl_letters": (post(b"Content-Length: 3a\r\n", b"a=b"), 400),
    "cl_empty": (post(b"Content-Length: \r\n", b"a=b"), 400),
    "cl_overflow": (post(b"Content-Length: 18446744073709551619\r\n", b"a=b"), 400),
    "cl_overflow_20": (post(b"Content-Length: 99999999999999999999\r\n", b"a=b"), 400),
    "cl_on_get": (post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, b"GET"), 0),
    "bare_lf": (post(b"Content-Length: 3\r\n", b"a=b").replace(b"\r\n", b"\n"), None),
    "bare_cr": (post(b"X: a\rContent-Length: 300\r\nContent-Length: 3\r\n", b"a=b"), 400),
    "obs_fold": (post(b"X-Folded: a\r\n Content-Length: 300\r\nContent-Length: 3\r\n", b"a=b"), None),
    "obs_fold_of_te": (post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED), None),
    "nul_in_value": (post(b"X: a\0b\r\nContent-Length: 3\r\n", b"a=b"), None),
    "blank_in_name": (post(b"Content Length: 300\r\nContent-Length: 3\r\n", b"a=b"), 400),
    "no_colon": (post(b"Content-Length\r\nContent-Length: 3\r\n", b"a=b"), 400),
    "chunk_size_0x": (post(TE, b"0x3\r\na=b\r\n0\r\n\r\n"), 400),
    "chunk_size_overflow": (post(TE, b"10000000000000003\r\na=b\r\n0\r\n\r\n"), 400),
    "chunk_size_minus": (post(TE, b"-3\r\na=b\r\n0\r\n\r\n"), 400),
    "chunk_too_long": (post(TE, b"2\r\na=b\r\n0\r\n\r\n"), 400),
    "chunk_extension": (post(TE, b"3;x=\"y\"\r\na=b\r\n0\r\n\r\n"), 0),
    "chunk_extension_lf": (post(TE, b"3;x\na=b\r\n0\r\n\r\n"), None),
    "chunk_bare_lf": (post(TE, b"3\na=b\n0\n\n"), None),
    "two_hosts": (post(b"Host: other.example\r\nContent-Length: 3\r\n", b"a=b"), None),
    "blank_in_target": (post(b"Content-Length: 3\r\n", b"a=b").replace(b"TARGET", b"TARGET /smuggled"), 400),
    "upgrade_h2c": (post(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
                         b"AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: %d\r\n"
                         % len(HIDDEN), HIDDEN), 0),
    "hop_by_hop": (post(b"Connection: close, X-Gitlab-Cell-Request, X-Gitlab-Cell-Attempt, X-Forwarded-For, "
                        b"Cookie\r\nContent-Length: 3\r\n", b"a=b"), 0),
}


def made_by_the_router(world, label):
    """Every request that any cell saw since the mark carries what the router says once, and none is a smuggled one."""
    seen = world.deliveries()
    for delivery in seen:
        expect.true(f"{label}: something unreadable at a cell", delivery.answer != "unreadable", expect.table(seen))
        expect.true(f"{label}: one id at most at {delivery.cell}", len(delivery.all("X-Gitlab-Cell-Request")) <= 1,
                    expect.table(seen))
        expect.same(f"{label}: names of the router at {delivery.cell}", len(delivery.all("X-Gitlab-Cell-Router")), 1,
                    expect.table(seen))
        expect.same(f"{label}: attempt numbers", len(delivery.all("X-Gitlab-Cell-Attempt")), 1)
        expect.true(f"{label}: a smuggled header", not delivery.all("X-Smuggled"), expect.table(seen))
        expect.true(f"{label}: a smuggled request", not delivery.target.startswith("/smuggled"), expect.table(seen))
    return seen


def canary(world, router, target):
    """An honest request on a connection of its own, which shares the cells' connections, gets its own answer."""
    request = router.prepare("GET", target, user="alice")
    with router.connect() as connection:
        answer = connection.request(request)
    expect.status(answer, 200, world)
    expect.true(f"the answer is that of {target}: {answer}", f'"{target}"'.encode() in answer.body)


def try_all(world, labels, probe_one):
    router = world.router("eu1")
    for kind in CELLS:
        if kind == "hit":
            flows.wait_known(world, router, "/my-company/")
        for label in labels:
            if kind == "miss":
                world.flush()
            before = counted.take(world)
            asked = probe_one(world, router, kind, label)
            judge_counters(world, before, kind, label, asked)
            canary(world, router, f"/my-company/canary-{label}")


def judge_counters(world, before, kind, label, asked):
    """asked: how many requests the cells answered. The agent was asked about those and no other (of a request that is
    refused in its body, the head may have been asked about), and learned from them alone."""
    if asked:
        counted.expect(world, before, lookups=asked, hits=asked if kind == "hit" else asked - 1,
                       learned=int(kind == "miss"), moved=0, dropped=0, refused=0)
        return
    after = counted.take(world)
    delta = {word: after[word] - before[word] for word in after}
    # HAProxy 2.6 and 3.0 may reset the stream of a cl_zero whose empty body they have already delivered.
    refused = ("moved", "dropped", "refused") if label == "cl_zero" else ("learned", "moved", "dropped", "refused")
    expect.true(f"{label} on a {kind}: refused, and yet {delta}", delta["lookups"] <= 1
                and not any(delta[word] for word in refused))


def probe(world, router, kind, label):
    """Sends it and returns how many requests of that connection were answered by cells."""
    data, wanted = PROBES[label]
    target = f"/my-company/{label}"
    world.mark()
    with router.connect(timeout=8) as connection:
        cookie = world.cells.cookie("alice").encode()
        connection.socket.sendall(data.replace(b"TARGET", target.encode(), 1).replace(b"COOKIE", cookie, 1))
        try:
            status = connection.read_answer("POST").status
        except Broken:
            status = 400  # it was said, but bytes that nobody read made the close an RST, which took it away
        if status == 400:
            expect.true(f"{label}: the connection goes on after a 400", not connection.fill())
    seen = made_by_the_router(world, label)
    if wanted is not None:
        expect.same(f"{label} on a {kind}: status", status, wanted or 200, expect.table(seen))
    expect.true(f"{label} on a {kind}: status {status}", status in (200, 400), expect.table(seen))
    expect.same(f"{label} on a {kind}: cells", [d.cell for d in seen], CELLS[kind] if status == 200 else [],
                f"status {status}\n{expect.table(seen)}")
    expect.same("what they were asked", {d.target for d in seen} - {target}, set())
    expect.same(f"{label}: bodies are whole and alike", len({(d.whole, d.body_sha256) for d in seen}),
                min(1, len(seen)), expect.table(seen))
    return int(status == 200)


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE)
def test_smuggling_probes(world):
    try_all(world, PROBES, probe)


# label -> (changes of the head, body). A change: (name, value) more; (name, None) takes a field away; a name with !
# before it goes first. Each is an error, or is one request with nothing of it.
H2_PROBES = {
    "cl_too_large": ([("content-length", "300")], b"a=b"),
    "cl_too_small": ([("content-length", "1")], b"a=b" + HIDDEN),
    "cl_zero": ([("content-length", "0")], HIDDEN),
    "cl_two_values": ([("content-length", "3"), ("content-length", "300")], b"a=b"),
    "cl_letters": ([("content-length", "3a")], b"a=b"),
    "te_chunked": ([("transfer-encoding", "chunked")], b"0\r\n\r\n" + HIDDEN),
    "te_and_cl": ([("transfer-encoding", "chunked"), ("content-length", "3")], b"a=b"),
    "connection": ([("connection", "close, x-gitlab-cell-request")], b"a=b"),
    "keep_alive": ([("keep-alive", "1"), ("proxy-connection", "close")], b"a=b"),
    "upgrade": ([("upgrade", "h2c")], b"a=b"),
    "te_gzip": ([("te", "gzip")], b"a=b"),
    "crlf_in_value": ([("x-a", "b\r\nX-Smuggled: yes")], b"a=b"),
    "crlf_request_in_value": ([("x-a", "b\r\n\r\n" + HIDDEN.decode())], b"a=b"),
    "lf_in_value": ([("x-a", "b\nX-Smuggled: yes")], b"a=b"),
    "cr_in_value": ([("x-a", "b\rX-Smuggled: yes")], b"a=b"),
    "nul_in_value": ([("x-a", "b\0c")], b"a=b"),
    "crlf_in_name": ([("x-a: b\r\nX-Smuggled", "yes")], b"a=b"),
    "colon_in_name": ([("transfer-encoding: chunked", "x")], b"a=b"),
    "blank_in_name": ([("x a", "b")], b"a=b"),
    "upper_case_name": ([("X-A", "b")], b"a=b"),
    "empty_name": ([("", "b")], b"a=b"),
    "crlf_in_path": ([(":path", "TARGET HTTP/1.1\r\nX-Smuggled: yes\r\nX: ")], b"a=b"),
    "blank_in_path": ([(":path", "TARGET HTTP/1.1 x")], b"a=b"),
    "empty_path": ([(":path", "")], b"a=b"),
    "no_path": ([(":path", None)], b"a=b"),
    "two_paths": ([("!:path", "/smuggled")], b"a=b"),
    "late_path": ([(":path", None), ("x-a", "b"), (":path", "TARGET")], b"a=b"),
    "crlf_in_method": ([(":method", "GET /smuggled HTTP/1.1\r\nX: ")], b"a=b"),
    "blank_in_method": ([(":method", "GET /smuggled")], b"a=b"),
    "crlf_in_authority": ([(":authority", "site.example\r\nX-Smuggled: yes")], b"a=b"),
    "other_host": ([("host", "other.example")], b"a=b"),
    "crlf_in_scheme": ([(":scheme", "https\r\nX-Smuggled: yes")], b"a=b"),
    "unknown_pseudo": ([(":x", "y")], b"a=b"),
    "status_pseudo": ([(":status", "200")], b"a=b"),
}


def changed(fields, changes, target):
    for name, value in changes:
        old = [pair for pair in fields if pair[0] != name] if name in (":path", ":method", ":authority",
                                                                       ":scheme") else fields
        new = [] if value is None else [(name.lstrip("!"), value.replace("TARGET", target))]
        pseudo = len([pair for pair in old
                      if pair[0].startswith(":")]) if name.startswith(":") and ("x-a", "b") not in old else len(old)
        at = 0 if name.startswith("!") else pseudo
        fields = old[:at] + new + old[at:]
    return fields


def probe_h2(world, router, kind, label):
    """The same over HTTP/2, with an honest request behind it on the same connection where that lives on."""
    changes, body = H2_PROBES[label]
    target = f"/my-company/{label}"
    request = router.prepare("POST", target, user="alice")
    fields = changed([pair for pair in http2.fields_of(request) if pair[0] != "content-length"], changes, target)
    world.mark()
    with router.connect_h2(timeout=8, wild=True) as connection:
        try:
            number = connection.open(fields, request)
            connection.send(number, body)
            status = connection.answer(number).status
        except Broken as broken:
            status = str(broken)
        if status == 200:
            expect.status(connection.request(router.prepare("GET", "/my-company/same-connection", user="alice")), 200,
                          world)
    seen = [delivery for delivery in made_by_the_router(world, label)
            if delivery.target != "/my-company/same-connection"]
    if status == 200:
        expect.same(f"{label} on a {kind}: cells", [d.cell for d in seen], CELLS[kind], expect.table(seen))
        # HAProxy 2.6 believes it, drops what comes then, and may reset the stream as well
        length = 0 if label == "cl_zero" else len(body)
        expect.same(f"{label}: what they were asked", {(d.method, d.target, d.body_length, d.whole) for d in seen},
                    {("POST", target, length, True)})
        odd = [pair for d in seen for pair in d.headers if pair[0].lower() in ("keep-alive", "proxy-connection")
               or pair[1] in ("x-gitlab-cell-request", "h2c")]
        expect.same(f"{label}: fields that HTTP/2 does not have reached a cell", odd, [])
    else:
        whole = [d for d in seen if d.whole and label != "cl_zero"]
        expect.true(f"{label} on a {kind}: {status}, and yet a cell got it", not whole, expect.table(whole))
        # A body that comes after "no body" is not kept for a replay: then a redirect is a 307, and the next try the
        # client's own doing.
        fine = (400, 307) if label == "cl_zero" else (400,)
        expect.true(f"{label} on a {kind}: {status} is no refusal", isinstance(status, str) or status in fine)
    return 2 if status == 200 else 0


@scenario(matrix={"answers": ANSWERS}, pick=AWAY, routers=ONE, tls=True)
def test_h2_smuggling_probes(world):
    try_all(world, H2_PROBES, probe_h2)



# label -> (what the client says, the upgrade that cells see of a GET)
# HAProxy refuses an upgrade to WebSocket without them.
WEBSOCKET = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
UPGRADES = {
    "websocket": ([("Connection", "Upgrade"), ("Upgrade", "websocket")], "websocket"),
    "websocket_in_capitals": ([("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")], "WebSocket"),
    "h2c": ([("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
             ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")], None),
    "h2c_in_capitals": ([("Connection", "upgrade"), ("Upgrade", "H2C")], None),
    "h2c_without_connection": ([("Upgrade", "h2c")], None),
    "h2c_behind_websocket": ([("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")], None),
    "h2c_in_a_second_line": ([("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "h2c")], None),
    "websocket_and_more": ([("Connection", "Upgrade"), ("Upgrade", "websocket2")], None),
    "tls": ([("Connection", "Upgrade"), ("Upgrade", "TLS/1.0")], None),
    "of_nothing": ([("Connection", "Upgrade"), ("Upgrade", "")], None),
    "te": ([("Connection", "TE"), ("TE", "trailers")], None),
    "a_header_of_the_router": ([("Connection", "X-Gitlab-Cell-From, X-Gitlab-Cell-Router")], None),
    "a_header_in_a_second_line": ([("Connection", "keep-alive"),
                                   ("Connection", "x-gitlab-cell-attempt,X-Forwarded-For")], None),
    "a_header_beside_upgrade": ([("Connection", "X-Gitlab-Cell-From, Upgrade"), ("Upgrade", "websocket")], "websocket"),
}


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick=AWAY, routers=ONE)
def test_connections_become_what_is_listed(world):
    """What a connection may become is a list, of WebSocket alone by default; and Connection names no header that a cell
    should drop. (Of a request with a body HAProxy may drop Upgrade itself, and h2c of any.)"""
    router = world.router("eu1")
    for label, (said, upgrade) in UPGRADES.items():
        for method, body in (("GET", b""), ("POST", b"a=b")):
            world.flush()
            for cells in (["eu1", "eu0"], ["eu0"]):
                answer = router.request(method, f"/my-company/says-{label}", user="alice", headers=[*said, *WEBSOCKET],
                                        body=body, follow_307=True)
                expect.status(answer, 200, world)
                seen = world.deliveries_of(answer)
                expect.true(f"{label}: cells {[d.cell for d in seen]}", [d.cell for d in seen] in (cells, cells[-1:]))
                for delivery in seen:
                    judge_connection(f"{label}, {method} at {delivery.cell}", delivery, upgrade, method == "GET")
                flows.wait_known(world, router, "/my-company/")


def judge_connection(what, delivery, upgrade, passes):
    named = {token.strip().lower() for value in delivery.all("Connection") for token in value.split(",")}
    expect.same(f"{what}: names in Connection", named - {"", "close", "keep-alive", "upgrade", "te"}, set())
    seen = delivery.all("Upgrade")
    expect.true(f"{what}: Upgrade {seen}", seen == [upgrade] if upgrade and passes
                else seen in ([], [""], ["websocket"], [upgrade]))
    expect.same(f"{what}: names of the router", len(delivery.all("X-Gitlab-Cell-Router")), 1)


FORGED = {"Go": "4", "Replay": "4", "Answered": "us1", "Redirects": "1", "Status": "425", "Reason": "forged", "Id": "1"}


def is_internal(name):
    """Also in the spellings that CGI and its like take for the same name."""
    dashes = "".join(byte if byte.isalnum() else "-" for byte in name)
    return dashes.startswith("x-cellrouter-") or dashes.startswith("x-gitlab-cell-") and dashes != name


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick=AWAY, routers=ONE)
def test_internal_headers_from_outside(world):
    """What the passes say to each other steers nothing when a client says it, in any spelling, nor when a cell does."""
    router = world.router("eu1")
    ids = list(world.cells.table)
    for number, spelling in enumerate(("X-Cellrouter-{}", "x-cellrouter-{}", "X-CELLROUTER-{}", "X_Cellrouter_{}",
                                       "X.Cellrouter.{}", "x~cellrouter+{}")):
        forged = [(spelling.format(name), value) for name, value in FORGED.items()]
        forged += [(f"{prefix}{name}", value)
                   for prefix in ("X-Gitlab-Cell-", "x_gitlab_cell_", "X-GitLab_Cell-", "X.Gitlab.Cell.",
                                  "X~Gitlab~Cell~", "x!gitlab#cell$", "X-Gitlab.Cell^")
                   for name, value in (("Request", "forged-id"), ("Route", "us1"), ("Attempt", "3"), ("From", "us1"),
                                       ("Why", "stale-route"), ("Router", "us9"))]
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/my-company/forging",
                              answer={"headers": [[n, v] for n, v in forged if n[1] == "-"], "body": "x"},
                              cache="{path_prefix:/my-company/}")
        for method, length in (("GET", 0), ("POST", 3), ("PUT", 100_000)):
            world.flush()
            for cells in (["eu1", "eu0"], ["eu0"]):
                answer = router.request(method, f"/my-company/forging/{number}", user="alice", headers=forged,
                                        body=b"x" * length, follow_307=True)
                expect.status(answer, 200, world)
                seen = [delivery for step in answer.steps for delivery in world.deliveries_of(step)]
                expect.same("cells that saw it", [d.cell for d in seen], cells, f"{ids}\n{expect.table(seen)}")
                for delivery in seen:
                    internal = [pair for pair in delivery.headers if is_internal(pair[0].lower())]
                    expect.same("internal headers at a cell", internal, [])
                    expect.true("a forged id", delivery.all("X-Gitlab-Cell-Request") != ["forged-id"])
                    expect.same("router", delivery.all("X-Gitlab-Cell-Router"), ["eu1"])
                shown = [pair for pair in answer.headers
                         if pair[0].lower().startswith(("x-cellrouter", "x-gitlab-cell"))]
                expect.same("headers of the router that reached the client", shown, [])
                flows.wait_known(world, router, "/my-company/")


def listening_ports(process):
    """TCP ports on which this process listens."""
    inodes = set()
    for entry in os.scandir(f"/proc/{process.pid}/fd"):
        try:
            inodes.add(os.readlink(entry.path))
        except FileNotFoundError:
            pass  # closed meanwhile
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{process.pid}/net/{table}", encoding="ascii") as lines:
            for fields in map(str.split, list(lines)[1:]):
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    found.add(int(fields[1].rpartition(":")[2], 16))
    return found


@scenario(pick=AWAY, routers=ONE, large=4 << 20)
def test_only_the_sites_port_is_open(world):
    """The loop and the large-body tier listen where no network reaches them; the agent has no port at all."""
    router = world.router("eu1")
    expect.same("TCP ports of HAProxy", listening_ports(router.haproxy), {router.port})
    expect.same("TCP ports of the large-body tier", listening_ports(router.large), set())
    expect.same("TCP ports of the agent", listening_ports(router.agent), set())
    for path in (router.spoe_socket, router.admin_socket, router.runtime_socket):
        expect.same(f"rights of {path.name}", path.stat().st_mode & 0o007, 0)


SEPARATORS = "!#$%&'*+-.^_`|~"  # what a name may hold beside letters and digits (RFC 9110, 5.6.2)


def spelled():
    """29 ways to write a name of the router: with each separator, and with two of them, as CGI, Rack and PHP fold."""
    names = [f"X{one}Gitlab{one}Cell{one}From" for one in SEPARATORS]
    names += [f"x-gitlab{one}cell-from" for one in SEPARATORS if one != "-"]
    return names


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick=AWAY, routers=ONE, tls=True)
def test_29_spellings_of_a_header(world):
    """None reaches a cell, over HTTP/1.1 and HTTP/2, on a miss and on a hit; nor one that HAProxy's own header would
    be folded with. What only looks alike passes."""
    router = world.router("eu1")
    names = spelled()
    expect.same("spellings", len(names), 29)
    alike = [("x--gitlab-cell-from", "alike"), ("xgitlabcellfrom", "alike"), ("x-gitlab-cellfrom", "alike")]
    for kind in CELLS:
        for connect in ("connect", "connect_h2"):
            flows.settled(world, kind)
            headers = [(name.lower() if connect == "connect_h2" else name, "forged") for name in names]
            with getattr(router, connect)() as connection:
                answer = connection.request(router.prepare("GET", "/my-company/spelled", user="alice",
                                                           headers=headers + alike))
            seen = world.deliveries_of(answer)
            expect.true(f"{kind}, {connect}: status {answer.status}", answer.status in (200, 307) and len(seen) > 0)
            for delivery in seen:
                expect.same(f"{kind}, {connect}: forged at {delivery.cell}",
                            [pair for pair in delivery.headers if pair[1] == "forged"], [])
                expect.same(f"{kind}, {connect}: what only looks alike",
                            len([pair for pair in delivery.headers if pair[1] == "alike"]), len(alike))


# :path -> the cells that see it, beside a known /my-company/ of eu0: the owner; the pick and the owner where the path
# is not looked up; None: HAProxy's version decides between an error and passing it on as it is.
OWNER, PICKED = ["eu0"], ["eu1", "eu0"]
H2_PATHS = {
    "/my-company/h2": OWNER, "/my-company": OWNER, "/my-company?q=//": OWNER, "/my-company/a?b=/../": OWNER,
    "/my-company/a;b=c": OWNER, "/my-company/a%20b": OWNER, "/my-company/%C3%A9": OWNER, "/my-company/a%2Fb": OWNER,
    "/my-company/...": OWNER, "/my-company/a..b": OWNER, "/my-company/.git": OWNER, "/my-company/a|b": OWNER,
    "/my-company/*": OWNER, "/my-company/%00": OWNER, "/my-company/%": OWNER, "/my-company/%2": OWNER,
    "/my-company//a": PICKED, "/my-company/./a": PICKED, "/my-company/b/../a": PICKED, "/my-company/%2e%2e/a": PICKED,
    "/my-company/%2E": PICKED, "/my-company/a/.%2e/": PICKED,
    "//my-company/a": None, "/./my-company/a": None, "/a/../my-company/a": None, "/%2e/my-company/a": None,
    "/my-company/a#b": None, "/my-company\\a": None, "/my-company/\xe9": None, "my-company/a": None, "*": None,
    "http://other.example/my-company/a": None, "/my-company/a\tb": None, "/my-company/\x7f": None, "?q=1": None,
    "/my-company/" + "a" * 3000: None,
}


def probe_path(world, router, path, wanted):
    """Returns nothing; what cells saw is the path as it was sent, or nothing."""
    request = router.prepare("GET", "/my-company/h2", user="alice")
    fields = [(name, path if name == ":path" else value) for name, value in http2.fields_of(request)]
    world.mark()
    with router.connect_h2(timeout=8, wild=True) as connection:
        try:
            status = connection.answer(connection.open(fields, request, end=True)).status
        except Broken as broken:
            status = str(broken)
    seen = world.deliveries()
    said = f":path {path[:60]!r}: {status}, cells {[(d.cell, d.target[:60]) for d in seen]}"
    sent = path.encode().decode("latin-1")
    expect.true(said, {d.target for d in seen} <= {sent, "/" if path == "*" else sent})  # HAProxy's reading of "*"
    if wanted is None:
        expect.true(said, isinstance(status, str) or status in (200, 302, 307, 400, 404)
                    and (status in (307, 400) or seen))
        return
    expect.true(said, status in (200, 307) and [d.cell for d in seen] in (wanted, wanted[:1]))


@scenario(matrix={"answers": {"302": 302, "425": 425}}, pick=AWAY, routers=ONE, tls=True)
def test_33_paths_over_http2(world):
    """What HTTP/1.1 could not say, and what cells may read in another way: looked up or not as over HTTP/1.1, passed on
    as it was sent or refused, and nothing is learned from it."""
    expect.true(f"{len(H2_PATHS)} paths", len(H2_PATHS) >= 33)
    router = flows.settled(world, "hit")
    routes = router.routes()
    for path, wanted in H2_PATHS.items():
        probe_path(world, router, path, wanted)
        expect.same(f"routes behind {path[:60]!r}", router.routes(), routes)
