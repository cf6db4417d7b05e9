"""What clients and cells see is what bare HAProxy would show them. A new case is one entry of CASES; what may differ
is listed in docs/requests.md (Parity)."""

from harness import configs, expect, parity
from harness.parity import Case
from harness.process import wait_until
from harness.runner import scenario
from harness.world import CELL_DOWN

# What the site's frontends say, with and without the router.
SITES = {
    "plain": "",
    "pages": """\
    errorfile 503 PAGES/503.http
    http-error status 502 content-type text/plain string "the site's 502" hdr X-Page site
    http-error status 504 content-type text/plain string "the site's 504"
    http-error status 400 content-type text/plain string "the site's 400"
    http-after-response set-header X-Site yes
""",
    "lax": """\
.if version_atleast(3.1)
    option accept-unsafe-violations-in-http-request
.else
    option accept-invalid-http-request
.endif
""",
    "facts": """\
    http-request set-header X-Facts "%[src]:%[src_port] %[dst]:%[dst_port] %[ssl_fc] %[ssl_fc_sni] %[ssl_fc_protocol]"
""",
}
CHECK = "check inter 500ms fall 1 rise 1"
OPTIONS = {"": CHECK, "eu0": f"{CHECK} send-proxy", "eu2": f"{CHECK} send-proxy-v2 proxy-v2-options ssl,authority",
           "eu3": f"{CHECK} ssl verify none sni ssl_fc_sni check-sni site.example"}

# What not every HAProxy takes, and one that is told to does.
ODD = {
    "a raw letter in the path": {"target": "/caf\xe9"},
    "# in the path": {"target": "/a#b"},
    "brackets in a header's name": {"headers": [("X-Odd[1]", "x")]},
    "an @ in a header's name": {"headers": [("X@Odd", "x")]},
}

PAGE_503 = "HTTP/1.1 503 Back Soon\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<h1>Sorry.</h1>"
EARLY = {"early": True, "answer": {"status": 413, "body": "no more, please"}}
LATE = "timeout server 400ms"
LINES = {"eu6": [LATE], "eu7": [LATE, "http-error status 504 content-type text/plain string 'eu7 is late'"]}
DOWN = "eu5"
CELLS = ("us0", "eu0", "eu1", "eu2", "eu3", "eu4", DOWN, "eu6", "eu7")
TOO_MUCH = {"answer": {"header_bytes": 40000}}
REFUSED = {"a malformed redirect": {"redirect_text": "nonsense"}, "a redirect to no cell": {"redirect": "Cell XX"},
           "a redirect to itself": {"redirect": "Cell EU0"}}

CASES = [
    Case("an ordinary request"),
    Case("over TLS", by="tls"),
    Case("over HTTP/2", by="h2"),
    Case("in chunks", chunked=True, bodies=("POST", "large")),
    Case("repeated headers", headers=[("X-Odd", "b"), ("x-odd", "a"), ("X-Odd", ""), ("Cookie", "a=b"),
                                      ("Cookie", "c=d")]),
    Case("HEAD", method="HEAD", bodies=("GET",)),
    Case("across origins", headers=[("Origin", "https://other.example")], bodies=("GET",), follows=False),
    Case("across origins, other methods", follows=False, bodies=("POST", "large"),
         headers=[("Origin", "https://other.example"), ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")]),
    Case("a service worker's script", headers=[("Service-Worker", "script")], bodies=("GET",), follows=False),
    Case("a site's facts about the connection", site="facts", by="tls"),
    Case("PROXY v2 to the cell", owner="eu2"),
    Case("PROXY v2 to the cell, over TLS: a direct hit", owner="eu2", by="tls", ways=("hit",), bodies=("GET",)),
    Case("PROXY v2 to the cell, over TLS", owner="eu2", by="tls", differs=("cell: PROXY header: TLS",)),
    Case("TLS to the cell, with the client's SNI", owner="eu3", by="tls"),
    Case("HAProxy's own retry", former="eu4", ways=("stale",)),
    Case("HAProxy's own retry, over TLS", former="eu4", owner="eu3", by="tls", ways=("stale",)),
    Case("a quote and a backslash in the path", target="/a\"b\\c"),
    Case("TLS to the cell, without SNI", owner="eu3"),
    Case("repeated headers of an answer", rule={"answer": {
        "headers": [["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"], ["X-Odd", "2"], ["X-ODD", "1"]], "body": "x"}}),
    Case("an answer in chunks, with trailers",
         rule={"answer": {"chunked": True, "body_bytes": 5000, "trailers": [["X-End", "yes"]]}}),
    *(Case(f"{what}, where the site takes it", site="lax", **more) for what, more in ODD.items()),
    *(Case(f"{what}, where HAProxy is strict", status=400, bodies=("GET",), **more)
      for what, more in ODD.items()),
    Case("as many headers as HAProxy takes", headers=[(f"X-{n}", "x") for n in range(97)]),
    Case("as many headers as HAProxy takes, over HTTP/2", headers=[(f"x-{n}", "x") for n in range(95)], by="h2"),
    Case("as many headers as HAProxy takes, in the answer",
         rule={"answer": {"headers": [[f"X-{n}", "x"] for n in range(98)], "body": "x"}}),
    Case("headers of 15,000 bytes", headers=[(f"X-{n}", "x" * 900) for n in range(16)] + [("X-Rest", "x" * 450)]),
    Case("headers of 15,000 bytes, over HTTP/2", by="h2",
         headers=[(f"x-{n}", "x" * 900) for n in range(16)] + [("x-rest", "x" * 400)]),
    Case("headers of 15,000 bytes in the answer", rule={"answer": {"header_bytes": 15000, "body": "x"}}),
    *(case for site in ("plain", "pages") for case in (
        # Not of large bodies: whether the client reads what HAProxy says before it closes is chance.
        Case(f"a cell that is down, {site}", site=site, owner=DOWN, status=503, bodies=("GET", "POST")),
        Case(f"a cell that hangs up, {site}", site=site, rule={"die": "head"}, status=502, bodies=("GET", "POST")),
        Case(f"too many headers of an answer, {site}", site=site, rule=TOO_MUCH, status=502),
        Case(f"a cell that is late, {site}", site=site, owner="eu6", rule={"delay": 2}, status=504, ways=("hit",),
             bodies=("GET", "POST")),
        Case(f"a cell with a page of its own, {site}", site=site, owner="eu7", rule={"delay": 2}, status=504,
             ways=("hit",), bodies=("GET", "POST")),
        *(Case(f"{what}, {site}", site=site, rule=rule, like=TOO_MUCH, status=502, **more)
          for what, rule in REFUSED.items() for more in (
              {"bodies": ("GET", "POST")},
              {"bodies": ("large",), "ways": ("miss", "stale")},  # on a fresh route it goes at once (Parity)
          )),
        *(Case(f"redirects in a circle, {site}", site=site, rule={"redirect": "Cell EU1"}, like=TOO_MUCH, status=502,
               differs=("client: status", "client: reason"), **more) for more in (
              {"bodies": ("GET", "POST")},
              {"bodies": ("large",), "ways": ("miss", "stale")},
          )),
    )),
    # Before 3.2 HAProxy loses what follows them now and then (docs/requests.md, Limits).
    Case("interim answers", since=(3, 2),
         rule={"interim": [[103, [["Link", "</a.css>; rel=preload"]]], [102, []], [103, []]]}),
    Case("an early answer, of what has come", status=413, rule=EARLY, bodies=("POST", "large")),
    # Elsewhere the replay pass waits for the body (docs/requests.md, Parity).
    Case("an early answer while the client is still sending", status=413, rule=EARLY, bodies=("large",), held=20000,
         ways=("hit",)),
    Case("interim answers over HTTP/2", since=(3, 2), by="h2",
         rule={"interim": [[103, [["Link", "</a.css>; rel=preload"]]]]},
         bodies=("GET",)),
    Case("100-continue", since=(3, 2), headers=[("Expect", "100-continue")],
         bodies=("POST", "large"), differs=("cell: headers", "client: interim")),
    *(Case(f"a cell's {status}", status=status, rule={"answer": {"status": status, "body": "the cell's own page"}})
      for status in (204, 302, 400, 401, 404, 413, 421, 425, 429, 500, 502, 503, 504, 599)),
]


def behind_the_router(world):
    world.sites = parity.Side(world)
    return parity.site_frontends(world.sites, sites(world))


def sites(world):
    configs.write(world.logs / "503.http", PAGE_503)
    return {name: lines.replace("PAGES", str(world.logs)) for name, lines in SITES.items()}


def no_cell_is_up(world, router):
    """The error of a path that nobody knows, with the site's page."""
    for cell in world.cells.table:
        if cell != DOWN:
            world.cells.down(cell)
    wait_until("all cells are seen to be down", lambda: router.stat("cellrouter-any")["status"].startswith("DOWN"))
    for method in ("GET", "POST"):
        with world.sites.connect(Case("no cell", site="pages")) as connection:
            answer = connection.request(router.prepare(method, "/nobody-knows/x"))
        expect.same("status, page and reason", (answer.status, answer.body, answer.get(expect.REASON)),
                    (503, b"<h1>Sorry.</h1>", "no-cell"))


@scenario(pick={"eu": parity.PICK}, routers={"eu1": "eu"}, cells=CELLS,
          answers={"eu4": 425},
          server_options=OPTIONS, backend_lines=LINES, tls=True, tls_cells=("eu3",), large=1 << 20, timeout=120,
          site_more=behind_the_router)
def test_parity(world):
    """By bare HAProxy and by the router: on an unknown path, a known one and a stale one, without a body, with a small
    one, and with one that only the large-body tier can keep."""
    bare = parity.Bare(world)
    bare.start(sites(world))
    made = parity.combinations(CASES)
    router = world.router("eu1")
    parity.prepare(world, router, made)
    world.allow(CELL_DOWN)
    world.cells.down(DOWN)
    wait_until("both have seen that the cell is down", lambda: all(
        f"{DOWN}.1 is DOWN" in log for log in (bare.process.text(), router.haproxy.text())))
    parity.run(world, bare, world.sites, made)
    no_cell_is_up(world, router)
    bare.process.terminate()
