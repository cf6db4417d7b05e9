"""An HTTP/2 client on python3-h2: many streams on one connection, and, where a test wants it, frames that no honest
client sends."""

import socket
import ssl
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from harness.client import Answer, Broken

NOT_IN_HTTP2 = ("host", "connection", "transfer-encoding", "expect")  # :authority, and what frames say


class Stream:
    def __init__(self, request):
        self.request = request
        self.answer = None
        self.interim = []
        self.body = bytearray()
        self.trailers = []
        self.ended = False
        self.broken = None
        self.started = time.monotonic()
        self.seconds = None  # from the request to the end of the answer


class Http2:
    """One connection. wild: send what the test says, without the library's own judgement."""

    def __init__(self, address, context, timeout=15.0, wild=False):
        plain = socket.create_connection(address, timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.socket = context.wrap_socket(plain, server_hostname="site.example") if context else plain
        if context and self.socket.selected_alpn_protocol() != "h2":
            raise Broken(f"ALPN chose {self.socket.selected_alpn_protocol()}")
        more = {"validate_outbound_headers": False, "normalize_outbound_headers": False} if wild else {}
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1", **more))
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
        self.h2.increment_flow_control_window(1 << 24)
        self.streams = {}
        self.gone = None  # why the whole connection ended
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if not data:
            return
        try:
            self.socket.sendall(data)
        except (ssl.SSLEOFError, ConnectionError) as error:
            self.gone = self.gone or "closed"
            raise Broken(f"the connection ended: {error}") from None

    def request(self, request):
        return self.answer(self.start(request))

    def start(self, request, end=True):
        """Sends the request, and its body as fast as the other side takes it. Returns the stream's number."""
        number = self.open(fields_of(request), request, end=end and not request.body)
        if request.body:
            self.send(number, request.body, end)
        return number

    def open(self, fields, request=None, end=False):
        """Only the head, given as it goes out."""
        number = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream(request)
        self.h2.send_headers(number, fields, end_stream=end)
        self.flush()
        return number

    def send(self, number, body, end=True):
        """A piece of the body, as fast as the other side takes it; no more when it has answered in full or broken
        off."""
        body = memoryview(body)
        last = False
        while not last:
            self.fill_now()
            while body and not self.over(number) and self.h2.local_flow_control_window(number) <= 0:
                self.fill()
            if self.over(number):
                return
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(body))
            last = room == len(body)
            self.h2.send_data(number, bytes(body[:room]), end_stream=end and last)
            body = body[room:]
            self.flush()

    def over(self, number):
        stream = self.streams[number]
        return self.gone or stream.broken or ("answered" if stream.ended else None)

    def fill(self):
        """Takes what has arrived; waits for something."""
        try:
            data = self.socket.recv(1 << 16)
        except (ssl.SSLEOFError, ConnectionError):
            data = b""
        self.received(data)

    def fill_now(self):
        """The same, but what is not here yet is not waited for."""
        self.socket.settimeout(0)
        try:
            data = self.socket.recv(1 << 16)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except (ssl.SSLEOFError, ConnectionError):
            data = b""
        finally:
            self.socket.settimeout(self.timeout)
        self.received(data)

    def received(self, data):
        if not data:
            self.gone = self.gone or "closed"
            raise Broken("the connection ended")
        try:
            events = self.h2.receive_data(data)
        except ProtocolError as error:
            raise Broken(f"what came is no HTTP/2: {error}") from None
        for event in events:
            self.take(event)
        self.flush()

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        match event:
            case ConnectionTerminated():
                self.gone = f"GOAWAY {event.error_code!r}"
            case StreamReset():
                stream.broken = f"RST_STREAM {event.error_code!r}"
            case InformationalResponseReceived():
                stream.interim.append((int(dict(event.headers)[":status"]), event.headers[1:]))
            case ResponseReceived():
                stream.answer = Answer(int(dict(event.headers)[":status"]), "",
                                       [pair for pair in event.headers if pair[0][0] != ":"])
            case DataReceived():
                stream.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case TrailersReceived():
                stream.trailers = list(event.headers)
            case StreamEnded():
                stream.ended = True
                stream.seconds = time.monotonic() - stream.started

    def answer(self, number):
        """The whole answer of a stream; what arrives for others meanwhile is kept."""
        stream = self.streams[number]
        while not stream.ended:
            if self.over(number):
                raise Broken(f"no whole answer on stream {number}: {self.over(number)}")
            self.fill()
        answer = stream.answer
        answer.body, answer.interim = bytes(stream.body), stream.interim
        answer.trailers, answer.seconds = stream.trailers, stream.seconds
        answer.request = stream.request
        answer.tag = answer.request.tag if answer.request else ""
        return answer


def fields_of(request, scheme="https"):
    """The request's head in HTTP/2."""
    host = next(value for name, value in request.headers if name.lower() == "host")
    pseudo = [(":method", request.method), (":scheme", scheme), (":authority", host), (":path", request.target)]
    return pseudo + [(name.lower(), value) for name, value in request.headers if name.lower() not in NOT_IN_HTTP2]


def tls(certificate, *protocols):
    """A client's side that trusts the test's own certificate only."""
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(list(protocols))
    return context
