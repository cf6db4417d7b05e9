"""HTTP/2 without TLS, as a cell needs it: each stream is a request, answered by the same application; gRPC-like calls
echo, and a WebSocket is a stream of its own (RFC 8441)."""

import asyncio
import hashlib

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.settings import SettingCodes

from cells import misbehaviour
from cells.wire import BODY_KEPT, Request, pieces_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"  # its first half, which looks like a head of HTTP/1.1
REST = b"SM\r\n\r\n"


ONLY_HTTP1 = ("connection", "upgrade", "sec-websocket-accept")


class StreamWriter:
    """One stream of a connection, for those who write to a connection of their own."""

    def __init__(self, connection, stream):
        self.connection, self.stream, self.waiting = connection, stream, b""

    def write(self, data):
        self.waiting += data

    async def drain(self):
        data, self.waiting = self.waiting, b""
        await self.connection.send(self.stream, data)
        await self.connection.flush()


class Http2Connection:
    """Belongs to a CellServer."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        # python3-h2 takes no CONNECT without a path, as RFC 9113 wants it.
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1",
                                               validate_inbound_headers=False))
        self.requests = {}  # stream -> (request, digest, delivery)
        self.sockets = {}  # stream -> reader of its WebSocket
        self.room = asyncio.Event()
        self.tasks = set()

    async def serve(self):
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20, SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        data = PREFACE + await self.reader.readexactly(len(REST))
        try:
            while data:
                for event in self.h2.receive_data(data):
                    self.take(event)
                await self.flush()
                data = await self.reader.read(1 << 16)
        finally:
            for task in self.tasks:
                task.cancel()

    async def flush(self):
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    def take(self, event):
        match event:
            case RequestReceived():
                self.begin(event)
            case DataReceived() if event.stream_id in self.sockets:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.sockets[event.stream_id].feed_data(event.data)
            case DataReceived():
                self.piece(event)
            case StreamEnded() if event.stream_id in self.sockets:
                self.sockets.pop(event.stream_id).feed_eof()
            case StreamEnded() if event.stream_id in self.requests:
                self.whole(event.stream_id)
            case StreamReset() if event.stream_id in self.sockets:
                self.sockets.pop(event.stream_id).feed_eof()
            case StreamReset():
                self.requests.pop(event.stream_id, None)
            case WindowUpdated():
                self.room.set()

    def begin(self, event):
        """A gRPC call is answered at once, by a redirect or by an echo with trailers: both sides stream."""
        pseudo = {name: value for name, value in event.headers if name.startswith(":")}
        authority = [["host", pseudo[":authority"]]] if ":authority" in pseudo else []  # else there is a host field
        headers = authority + [[name, value] for name, value in event.headers if not name.startswith(":")]
        request = Request(pseudo[":method"], pseudo.get(":path", pseudo.get(":authority", "")), "HTTP/2.0", headers)
        entry = self.server.world.deliveries.begin(self.server.cell, self.server.name, request)
        if request.method == "CONNECT":
            self.tunnel(event.stream_id, request, entry)
            return
        rule = self.server.world.rules.take(self.server.cell, request, early=True)
        if rule:
            self.keep(self.early(event.stream_id, request, entry, rule))
            return
        self.requests[event.stream_id] = (request, hashlib.sha256(), entry)
        if request.get("content-type").startswith("application/grpc"):
            answer = self.server.honest(request)
            self.server.note(entry, answer)
            headers = [pair for pair in answer.headers
                       if pair[0] != "Content-Type"] + [["content-type", "application/grpc"]]
            self.head(event.stream_id, answer.status, headers, end=entry["redirect"] is not None)

    async def early(self, stream, request, entry, rule):
        """The whole answer, and the end of the stream or of the connection, before the body is here."""
        answer = misbehaviour.apply(self.server.cell, rule, lambda: self.server.honest(request))
        self.server.note(entry, answer)
        self.server.world.deliveries.end(entry)
        self.head(stream, answer.status, answer.headers)
        async for piece in pieces_of(answer):
            await self.send(stream, piece)
        self.h2.end_stream(stream)
        if rule["early"] == "reset":
            await self.flush()
            self.writer.transport.abort()
        else:
            self.h2.reset_stream(stream, ErrorCodes.NO_ERROR)
            await self.flush()

    def tunnel(self, stream, request, entry):
        """Of a WebSocket the application is asked as for HTTP/1.1."""
        asked = Request("GET", request.target, request.version, [*request.headers, ["upgrade", "websocket"]])
        rule = self.server.world.rules.take(self.server.cell, request)
        answer = misbehaviour.apply(self.server.cell, rule, lambda: self.server.honest(asked))
        status = 200 if answer.take_over else answer.status
        self.server.note(entry, answer)
        entry["answer"] = status
        self.server.world.deliveries.end(entry)
        headers = [pair for pair in answer.headers if pair[0].lower() not in ONLY_HTTP1]
        self.head(stream, status, headers, end=not answer.take_over)
        if answer.take_over:
            self.sockets[stream] = asyncio.StreamReader()
            self.keep(answer.take_over(self.sockets[stream], StreamWriter(self, stream)))

    def keep(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def piece(self, event):
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if event.stream_id not in self.requests:
            return  # answered early
        request, digest, entry = self.requests[event.stream_id]
        request.length += len(event.data)
        request.body += event.data[: max(0, BODY_KEPT - len(request.body))]
        digest.update(event.data)
        if entry["answer"] == 200:
            self.h2.send_data(event.stream_id, event.data)  # a call of a test is small: the window holds it

    def whole(self, stream):
        request, digest, entry = self.requests.pop(stream)
        request.whole, request.sha256 = True, digest.hexdigest()
        self.server.world.deliveries.arrived(entry, request)
        self.server.world.deliveries.end(entry)
        if entry["answer"] == 200:
            self.h2.send_headers(stream, [("grpc-status", "0"), ("x-length", str(request.length))], end_stream=True)
        if entry["answer"]:
            return
        self.keep(self.answer(stream, request, entry))

    async def answer(self, stream, request, entry):
        rule = self.server.world.rules.take(self.server.cell, request)
        for status, headers in rule.get("interim", ()):
            self.head(stream, status, headers)
        answer = misbehaviour.apply(self.server.cell, rule, lambda: self.server.honest(request))
        self.server.note(entry, answer)
        if request.method == "HEAD" or answer.status in (204, 304):
            length = [["content-length",
                       str(len(answer.body))]] if request.method == "HEAD" and answer.status not in (204, 304) else []
            self.head(stream, answer.status, answer.headers + length, end=True)
            await self.flush()
            return
        self.head(stream, answer.status, answer.headers)
        async for piece in pieces_of(answer):
            await self.send(stream, piece)
        self.h2.end_stream(stream)
        await self.flush()

    async def send(self, stream, piece):
        """As fast as the other side takes it."""
        while piece:
            self.room.clear()
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(piece))
            if room <= 0:
                await self.flush()
                await self.room.wait()
                continue
            self.h2.send_data(stream, piece[:room])
            piece = piece[room:]

    def head(self, stream, status, headers, end=False):
        self.h2.send_headers(stream, [(":status", str(status)), *((name.lower(), value) for name, value in headers)],
                             end_stream=end)
