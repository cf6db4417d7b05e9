"""An HTTP/1.1 client that shows everything: interim answers, repeated headers, how an answer ended."""

import functools
import hashlib
import select
import socket
import ssl
import time
from dataclasses import dataclass, field

PIECE = 1 << 16


class Broken(Exception):
    """The connection ended before an answer was whole."""


@dataclass
class Answer:
    status: int
    reason: str
    headers: list
    body: bytes = b""
    interim: list = field(default_factory=list)  # (status, headers) of 1xx answers
    trailers: list = field(default_factory=list)
    seconds: float = 0.0
    tag: str = ""  # of the request, to find its deliveries
    request: object = None

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def cell(self):
        return self.get("X-Cell")

    @property
    def sha256(self):
        return hashlib.sha256(self.body).hexdigest()

    def __str__(self):
        lines = [f"{self.status} {self.reason}"] + [f"  {name}: {value}" for name, value in self.headers]
        return "\n".join(lines) + (f"\n  [{self.body[:200]!r}]" if self.body else "")


@dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes = b""
    chunked: bool = False
    expect: bool = False  # Expect: 100-continue, and wait for it
    trailers: list = field(default_factory=list)  # behind a chunked body

    @property
    def tag(self):
        return next((value for name, value in self.headers if name == "X-Request-Tag"), "")

    def head(self):
        return (f"{self.method} {self.target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in self.headers)
                + "\r\n").encode("latin-1")

    @functools.cached_property
    def framed_body(self):
        """As it goes out. Of a large body in chunks this takes its time, which is not to run while a connection waits
        for it."""
        if not self.chunked:
            return self.body
        whole, parts = memoryview(self.body), []
        for start in range(0, len(whole), PIECE):
            piece = whole[start : start + PIECE]
            parts += (b"%x\r\n" % len(piece), piece, b"\r\n")
        trailers = "".join(f"{name}: {value}\r\n" for name, value in self.trailers)
        return b"".join(parts) + b"0\r\n" + trailers.encode("latin-1") + b"\r\n"


class Connection:
    """One connection to a router (or a cell); keeps alive as long as the other side does."""

    def __init__(self, address, timeout=15.0, tls=None, source=None):
        kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(kind, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.timeout = timeout
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        if kind == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="site.example")
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def request(self, request):
        """Sends it and reads the whole answer."""
        start = time.monotonic()
        interim = self.send(request)
        answer = self.read_answer(request.method, interim)
        answer.seconds = time.monotonic() - start
        answer.request, answer.tag = request, request.tag
        return answer

    def send(self, request):
        """Sends head and body; returns the interim answers that came before the body went out."""
        body = memoryview(request.framed_body)
        self.socket.sendall(request.head())
        if request.expect and not self.goes_on():
            return []
        while body:
            readable, writable, _ = select.select([self.socket], [self.socket], [], self.timeout)
            if not readable and not writable:
                raise TimeoutError("the other side takes no more of the body")
            if readable and not self.fill_now():
                break  # it will not read the rest; what it said is in the buffer
            if writable:
                try:
                    body = body[self.socket.send(body[: 1 << 18]) :]
                except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                    break
        return []

    def goes_on(self):
        """After Expect: whether the answer that comes first is 100."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                raise Broken("no answer to Expect: 100-continue")
        return self.buffer.startswith(b"HTTP/1.1 100")

    def fill(self):
        try:
            piece = self.socket.recv(PIECE)
        except (ConnectionResetError, ssl.SSLEOFError):
            piece = b""
        self.buffer += piece
        return bool(piece)

    def fill_now(self):
        """The same without waiting; under TLS what arrived need not be for us, but may be a session ticket."""
        self.socket.settimeout(0)
        try:
            return self.fill()
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        finally:
            self.socket.settimeout(self.timeout)

    def read_head(self):
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if not self.fill():
                raise Broken(f"connection ended before an answer ({bytes(self.buffer[:100])!r})")
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        parts = lines[0].split(" ", 2)
        pairs = [line.partition(":") for line in lines[1:]]
        headers = [(name, value.strip()) for name, _, value in pairs]
        return Answer(int(parts[1]), parts[2] if len(parts) > 2 else "", headers)

    def read_answer(self, method="GET", interim=()):
        interim = list(interim)
        answer = self.read_head()
        while answer.status < 200 and answer.status != 101:
            interim.append((answer.status, answer.headers))
            answer = self.read_head()
        answer.interim = interim
        if method != "HEAD" and answer.status not in (101, 204, 304):
            answer.body = self.read_body(answer)
        return answer

    def read_body(self, answer):
        if "chunked" in answer.get("Transfer-Encoding", ""):
            return b"".join(self.chunks(answer.trailers))
        length = answer.get("Content-Length")
        if length is not None:
            return self.exactly(int(length))
        while self.fill():
            pass
        return self.exactly(len(self.buffer))

    def chunks(self, trailers=None):
        """The pieces of a chunked body; what stands behind it is added to trailers."""
        while size := int(self.line().split(b";")[0], 16):
            yield self.exactly(size)
            self.line()
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            if trailers is not None:
                trailers.append((name, value.strip()))

    def line(self):
        while (end := self.buffer.find(b"\r\n")) < 0:
            if not self.fill():
                raise Broken("connection ended inside a body")
        text = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return text

    def exactly(self, length):
        while len(self.buffer) < length:
            if not self.fill():
                raise Broken(f"connection ended after {len(self.buffer)} of {length} bytes of a body")
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        return data
