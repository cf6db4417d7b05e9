"""The grown site of tests/system/sites/grown.cfg: its files and its other servers, and all that it can do."""

import base64
import contextlib
import gzip
import http.server
import json
import shutil
import socket
import ssl
import threading

from harness import configs, expect, http2, places
from harness.client import Connection
from harness.process import wait_until

STYLE = b"body { color: #333; }\n" * 500
SITE = places.ROOT / "tests" / "system" / "sites" / "grown.cfg"


class Origin(http.server.BaseHTTPRequestHandler):
    """What serves /assets and the admin host."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kind = "text/css" if self.path.startswith("/assets") else "text/plain"
        body = STYLE if kind == "text/css" else f"inside {self.headers['Host']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class GrownSite:
    """Use as a context manager; folder holds its files as an operator has them in /etc/haproxy."""

    def __init__(self, world, router):
        self.world, self.router = world, router
        self.folder = router.folder / "etc"
        self.config = self.folder / "haproxy.cfg"
        self.ports = {name: world.ports.reserve() for name in ("PLAIN", "SSH", "STATS", "PEER")}
        self.ends = contextlib.ExitStack()
        self.logged = []
        self.keys = 0

    def __enter__(self):
        origin = self.ends.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin))
        echo = self.ends.enter_context(socket.create_server(("127.0.0.1", 0)))
        syslog = self.ends.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        syslog.bind(("127.0.0.1", 0))
        self.ends.callback(origin.shutdown)
        for work, what in ((origin.serve_forever, ()), (serve_echo, (echo,)), (self.read_log, (syslog,))):
            threading.Thread(target=work, args=what, daemon=True).start()
        self.ports |= {"ORIGIN": origin.server_port, "ECHO": echo.getsockname()[1],
                       "SYSLOG": syslog.getsockname()[1], "HTTP": self.router.port, "TLS": self.router.tls_port}
        self.write()
        return self

    def __exit__(self, *_):
        self.ends.close()

    def read_log(self, syslog):
        with contextlib.suppress(OSError):
            while True:
                self.logged.append(syslog.recv(65536).decode(errors="replace"))

    def write(self):
        (self.folder / "certs").mkdir(parents=True)
        shutil.copy(self.world.certificate, self.folder / "site.pem")
        shutil.move(configs.make_certificate(self.folder / "admin.pem", "admin.example"), self.folder / "certs")
        for status, text in ((403, "Forbidden"), (503, "Service Unavailable")):
            page = f"HTTP/1.0 {status} {text}\r\nContent-Type: text/html\r\n\r\nour page for {status}\n"
            configs.write(self.folder / f"{status}.http", page)
        cells = {id.upper(): f"127.0.0.1:{self.world.cells.table[id].port}" for id in ("eu0", "eu1")}
        values = {"CHROOT": self.world.run, "SOCKET": self.router.runtime_socket, "FILES": self.folder, **cells,
                  **self.ports}
        text = SITE.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        configs.write(self.config, text)

    # What it can do. Each is the same before and after the rules are adopted.

    def get(self, target, source="127.0.0.1", host="site.example", headers=(), tls=True, port=None, user=None):
        request = self.router.prepare("GET", target, headers, host=host, user=user)
        address = ("127.0.0.1", port or (self.router.tls_port if tls else self.router.port))
        context = http2.tls(f"{self.world.certificate}.crt", "http/1.1") if tls else None
        with Connection(address, 15.0, context, source) as connection:
            return connection.request(request)

    def page(self, status, **more):
        answer = self.get(**more)
        expect.same(f"status and page of {more}", (answer.status, answer.body),
                    (status, f"our page for {status}\n".encode()))

    def check_all(self):
        for name, check in sorted(vars(GrownSite).items()):
            if name.startswith("has_"):
                check(self)

    def has_https(self):
        answer = self.get("/x", tls=False, port=self.ports["PLAIN"])
        expect.same("plain HTTP", (answer.status, answer.get("Location")), (301, "https://site.example/x"))
        old = self.get("/x", host="old.example")
        expect.same("the old domain", (old.status, old.get("Location")), (301, "https://site.example/x"))

    def has_assets(self):
        answer = self.get("/assets/app.css", headers=[("Accept-Encoding", "gzip")])
        expect.status(answer, 200)
        expect.same("encoding", answer.get("Content-Encoding"), "gzip")
        expect.true("the style as it is", gzip.decompress(answer.body) == STYLE)
        expect.same("cached", answer.get("Cache-Control"), "public, max-age=86400")
        expect.same("security headers", answer.get("X-Frame-Options"), "SAMEORIGIN")

    def has_the_admin_host(self):
        expect.status(self.get("/", host="admin.example"), 401)
        secret = base64.b64encode(b"alice:open sesame").decode()
        answer = self.get("/", host="admin.example", headers=[("Authorization", f"Basic {secret}")])
        expect.same("the admin host", (answer.status, answer.body), (200, b"inside admin.example\n"))

    def has_denials(self):
        self.page(403, target="/.git/config")
        self.page(403, target="/my-company/x", source="127.0.3.1")
        self.page(403, target="/-/admin", source="127.0.5.1")
        self.page(403, target="/my-company/x", headers=[("User-Agent", "sqlmap/1.7")])
        expect.same("health", self.get("/health").body, b"fine")

    def has_rate_limits(self):
        self.keys += 1
        source = f"127.0.4.{self.keys}"
        statuses = [self.get("/login", source=source).status for _ in range(7)]
        expect.true(f"the seventh login is one too many: {statuses}", statuses[-1] == 429 and 429 not in statuses[:5])
        key = [("X-Api-Key", f"key-{self.keys}")]
        statuses = [self.get("/api/v4/version", headers=key).status for _ in range(22)]
        expect.true(f"a key has 20 requests: {statuses}", statuses[-1] == 429 and 429 not in statuses[:20])

    def has_http2(self):
        with self.router.connect_h2() as connection:
            answer = connection.request(self.router.prepare("GET", "/assets/app.css"))
            expect.same("HTTP/2", (answer.status, answer.body == STYLE), (200, True))
            expect.same("HSTS", answer.get("strict-transport-security"), "max-age=31536000; includeSubDomains")

    def has_certificates(self):
        context = ssl.create_default_context(cafile=str(self.folder / "certs" / "admin.pem"))
        with socket.create_connection(("127.0.0.1", self.router.tls_port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="admin.example") as secure:
                subject = secure.getpeercert()["subject"]
                expect.same("the certificate by name", subject, ((("commonName", "admin.example"),),))

    def has_tcp(self):
        with socket.create_connection(("127.0.0.1", self.ports["SSH"]), 10) as connection:
            connection.sendall(b"SSH-2.0-hello\n")
            expect.same("the tcp frontend", connection.recv(100), b"SSH-2.0-hello\n")

    def has_statistics(self):
        secret = base64.b64encode(b"alice:sesame").decode()
        answer = self.get("/stats", tls=False, port=self.ports["STATS"], headers=[("Authorization", f"Basic {secret}")])
        expect.true(f"statistics: {answer.status}", answer.status == 200 and b"git_ssh" in answer.body)

    def has_a_log(self):
        self.get("/assets/logged.css")
        self.wait_log("/assets/logged.css")

    def wait_log(self, text):
        wait_until(f"{text!r} in syslog", lambda: any(text in line for line in self.logged))

    # What the cells see, whichever of them

    def application(self, target, user=None):
        """The answer, and its last delivery."""
        answer = self.get(target, headers=[("Accept-Encoding", "gzip")], user=user)
        delivery = self.world.deliveries_of(answer)[-1]
        expect.same("what the site tells the application",
                    [delivery.get(name) for name in ("X-Forwarded-Proto", "X-Real-Ip", "X-Served-For")],
                    ["https", "127.0.0.1", "app"])
        expect.true("the client's address", delivery.get("X-Forwarded-For", "").endswith("127.0.0.1"))
        if answer.status == 200:
            expect.same("compressed", answer.get("Content-Encoding"), "gzip")
            json.loads(gzip.decompress(answer.body))
        return answer, delivery

    def has_an_error_page(self):
        for id in ("eu0", "eu1", "us0", "us1"):
            self.world.cells.down(id)
        self.page(503, target="/my-company/down")
        for id in ("eu0", "eu1", "us0", "us1"):
            self.world.cells.up(id)


def serve_echo(listener):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(1000):
                    connection.sendall(data)

