"""HTTP/1.1 as a cell needs it, on asyncio streams: requests in, answers out. Knows nothing of cells."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from http import HTTPStatus

from cells import proxy_protocol

HEAD_LIMIT = 1 << 20
BODY_KEPT = 1 << 16  # bytes of a body that the application may look at; the rest is only hashed


class BadRequest(Exception):
    pass


@dataclass
class Request:
    method: str
    target: str
    version: str
    headers: list  # [name, value] as they came
    length: int = 0
    body: bytes = b""
    sha256: str = ""
    whole: bool = False
    trailers: list = field(default_factory=list)  # [name, value] behind a chunked body
    proxy: dict | None = None  # what the connection's PROXY header said (cells/proxy_protocol.py)
    server_name: str | None = None  # that the TLS connection asked for

    def get(self, name, default=""):
        name = name.lower()
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return default

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def cookies(self):
        found = {}
        for key, value in self.headers:
            if key.lower() == "cookie":
                for pair in value.split(";"):
                    name, _, text = pair.strip().partition("=")
                    found[name] = text
        return found

    def keeps_alive(self):
        tokens = self.get("connection").lower()
        return "close" not in tokens and (self.version == "HTTP/1.1" or "keep-alive" in tokens)


@dataclass
class Answer:
    status: int = 200
    headers: list = field(default_factory=list)
    body: bytes = b""
    stream: object = None  # asynchronous generator of bytes, instead of body
    length: int | None = None  # Content-Length of a stream; none: chunked
    chunked: bool = False  # send body in chunks
    trailers: list = field(default_factory=list)  # behind a body in chunks
    close: bool = False
    pause: float = 0  # seconds between the head and the body
    run: object = None  # coroutine function that gives the answer; the headers here come before its own
    take_over: object = None  # coroutine function(reader, writer): after the head the connection is its own


async def read_head(reader, first=False):
    """The next request without its body, or None at the end of the connection. Before the first one there may be a
    PROXY header."""
    proxy = None
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if first and proxy_protocol.begins_v2(head):
            proxy = await proxy_protocol.read_v2(reader)
            head = await reader.readuntil(b"\r\n\r\n")
        elif first and proxy_protocol.begins_v1(head):
            proxy, head = proxy_protocol.read_v1(head)
    except proxy_protocol.BadHeader as error:
        raise BadRequest(str(error)) from None
    except asyncio.IncompleteReadError as end:
        if end.partial.strip() and not (first and proxy_protocol.begins_v1(end.partial)):  # a health check says no more
            raise BadRequest("connection ended inside a head") from None
        return None
    lines = head.decode("latin-1").split("\r\n")[:-2]
    while lines and not lines[0]:
        lines.pop(0)
    parts = lines[0].split(" ") if lines else []
    if len(parts) != 3 or not (parts[2].startswith("HTTP/1.") or lines[0] == "PRI * HTTP/2.0"):
        raise BadRequest(f"request line {lines[:1]}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(f"header line {line!r}")
        headers.append([name, value.strip()])
    return Request(parts[0], parts[1], parts[2], headers, proxy=proxy)


async def body_pieces(reader, request):
    """The body as it arrives, decoded from chunks where it came in chunks."""
    if "chunked" in request.get("transfer-encoding").lower():
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            while size:
                piece = await reader.read(min(size, 1 << 18))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", size)
                size -= len(piece)
                yield piece
            if await reader.readexactly(2) != b"\r\n":
                raise BadRequest("chunk without an end")
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            request.trailers.append([name, value.strip()])
        return
    left = int(request.get("content-length") or 0)
    while left:
        piece = await reader.read(min(left, 1 << 18))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece


async def read_body(reader, writer, request, keep=BODY_KEPT):
    """Reads, counts and hashes the whole body and keeps its beginning; request.whole tells whether all of it came."""
    digest = hashlib.sha256()
    kept = bytearray()
    if request.get("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async for piece in body_pieces(reader, request):
            request.length += len(piece)
            digest.update(piece)
            if len(kept) < keep:
                kept += piece[: keep - len(kept)]
        request.whole = True
    finally:
        request.body = bytes(kept)
        request.sha256 = digest.hexdigest()


def head_bytes(status, headers):
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def write_answer(writer, request, answer, fail_after=None):
    """Writes the answer; with fail_after only that many bytes of the body, and then stops short (returns False)."""
    headers = list(answer.headers)
    bodiless = answer.status in (204, 304) or answer.status < 200 or (answer.take_over is not None)
    chunked = answer.chunked or (answer.stream is not None and answer.length is None)
    if chunked and not bodiless:
        headers.append(["Transfer-Encoding", "chunked"])
    elif not bodiless:
        length = answer.length if answer.stream is not None else len(answer.body)
        headers.append(["Content-Length", str(length)])
    if answer.close:
        headers.append(["Connection", "close"])
    writer.write(head_bytes(answer.status, headers))
    if bodiless or request.method == "HEAD":
        await writer.drain()
        return True
    if answer.pause:
        await writer.drain()
        await asyncio.sleep(answer.pause)
    sent = 0
    async for piece in pieces_of(answer):
        if fail_after is not None and sent + len(piece) >= fail_after:
            piece = piece[: fail_after - sent]
            writer.write(framed(piece, chunked) if piece else b"")
            await writer.drain()
            return False
        sent += len(piece)
        writer.write(framed(piece, chunked))
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in answer.trailers).encode("latin-1")
                     + b"\r\n")
        await writer.drain()
    return True


def framed(piece, chunked):
    return b"%x\r\n%b\r\n" % (len(piece), piece) if chunked and piece else piece


async def pieces_of(answer):
    if answer.stream is not None:
        async for piece in answer.stream:
            yield piece
    elif answer.chunked:
        for start in range(0, len(answer.body), 1000):
            yield answer.body[start : start + 1000]
    elif answer.body:
        yield answer.body
