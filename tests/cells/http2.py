"""HTTP/2 without TLS, as a cell needs it: each stream is a request, answered by the same application; gRPC-like calls echo."""

import asyncio
import hashlib

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.settings import SettingCodes

from cells.wire import BODY_KEPT, Request, pieces_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\n"  # its first half, which looks like a head of HTTP/1.1
REST = b"SM\r\n\r\n"


class Http2Connection:
    """Belongs to a CellServer."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self.requests = {}  # stream -> (request, digest, delivery)
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
            case DataReceived():
                self.piece(event)
            case StreamEnded() if event.stream_id in self.requests:
                self.whole(event.stream_id)
            case StreamReset():
                self.requests.pop(event.stream_id, None)
            case WindowUpdated():
                self.room.set()

    def begin(self, event):
        """A gRPC call is answered at once, by a redirect or by an echo with trailers: both sides stream."""
        pseudo = {name: value for name, value in event.headers if name.startswith(":")}
        authority = [["host", pseudo[":authority"]]] if ":authority" in pseudo else []  # else there is a host field
        headers = authority + [[name, value] for name, value in event.headers if not name.startswith(":")]
        request = Request(pseudo[":method"], pseudo.get(":path", ""), "HTTP/2.0", headers)
        entry = self.server.world.deliveries.begin(self.server.cell, self.server.name, request)
        self.requests[event.stream_id] = (request, hashlib.sha256(), entry)
        if request.get("content-type").startswith("application/grpc"):
            answer = self.server.honest(request)
            self.server.note(entry, answer)
            headers = [pair for pair in answer.headers if pair[0] != "Content-Type"] + [["content-type", "application/grpc"]]
            self.head(event.stream_id, answer.status, headers, end=entry["redirect"] is not None)

    def piece(self, event):
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
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
        task = asyncio.ensure_future(self.answer(stream, request, entry))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, stream, request, entry):
        answer = self.server.honest(request)
        self.server.note(entry, answer)
        self.head(stream, answer.status, answer.headers)
        async for piece in pieces_of(answer):
            while piece:
                self.room.clear()
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(piece))
                if room <= 0:
                    await self.flush()
                    await self.room.wait()
                    continue
                self.h2.send_data(stream, piece[:room])
                piece = piece[room:]
        self.h2.end_stream(stream)
        await self.flush()

    def head(self, stream, status, headers, end=False):
        self.h2.send_headers(stream, [(":status", str(status)), *((name.lower(), value) for name, value in headers)], end_stream=end)
