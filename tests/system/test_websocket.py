"""docs/flows.md 26: WebSocket under a known and an unknown prefix, over HTTP/1.1 and over HTTP/2 (RFC 8441)."""

import os
import struct

from harness import counted, expect, flows, http2, places
from harness.level0 import warm
from harness.runner import ANSWERS, LEVELS, ONE, scenario

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3


def frame(text):
    mask, payload = os.urandom(4), text.encode()
    return bytes((0x81, 0x80 | len(payload))) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def echo_of(connection):
    first, length = struct.unpack("BB", connection.exactly(2))
    expect.same("opcode", first, 0x81)
    return connection.exactly(length).decode()


@scenario(matrix={"answers": ANSWERS, "level0": LEVELS}, pick={"eu": "eu1"}, routers=ONE)
def test_flow_26_websocket(world):
    router = world.router("eu1")
    for cells in (("eu1", "eu0"), ("eu0",)):
        before = counted.take(world)
        request = router.prepare("GET", "/my-company/websocket", headers=UPGRADE, user="alice")
        with router.connect() as connection:
            connection.send(request)
            answer = connection.read_answer()
            answer.request, answer.tag = request, dict(request.headers)["X-Request-Tag"]
            expect.status(answer, 101, world)
            expect.same("Sec-WebSocket-Accept", answer.get("Sec-WebSocket-Accept"), ACCEPT)
            expect.clean(answer)
            for text in ("hello", "again", "x" * 100):
                connection.socket.sendall(frame(text))
                expect.same("echo", echo_of(connection), f"eu0:{text}")
            expect.same("cells that saw the upgrade", [d.cell for d in world.deliveries_of(answer)], list(cells))
        flows.wait_known(world, router, "/my-company/")
        misses = len(cells) - 1
        hits = 0 if misses or world.level0 else 1
        counted.expect(world, before, lookups=misses + hits, hits=hits, misses=misses)
        if world.level0:
            warm(router)


class Socket:
    """A WebSocket that is one stream of an HTTP/2 connection."""

    def __init__(self, connection, request):
        self.connection, self.request = connection, request
        pseudo = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
                  (":authority", "site.example"), (":path", request.target)]
        fields = [pair for pair in http2.fields_of(request) if pair[0][0] != ":"] + [("sec-websocket-version", "13")]
        self.number = connection.open(pseudo + fields, request)
        self.stream = connection.streams[self.number]
        while not self.stream.answer and not connection.over(self.number):
            connection.fill()
        expect.true(f"an answer to the upgrade: {connection.over(self.number)}", self.stream.answer)
        self.answer = self.stream.answer
        self.answer.request, self.answer.tag = request, request.tag

    def say(self, text):
        """Sends a frame and returns what comes back."""
        self.connection.send(self.number, frame(text), end=False)
        while len(self.stream.body) < 2 or len(self.stream.body) < 2 + self.stream.body[1]:
            expect.true(f"the WebSocket stays open: {self.connection.over(self.number)}",
                        not self.connection.over(self.number))
            self.connection.fill()
        first, length, payload = self.stream.body[0], self.stream.body[1], bytes(self.stream.body[2:])
        del self.stream.body[: 2 + length]
        expect.same("opcode", first, 0x81)
        return payload.decode()


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick={"eu": "eu1"}, routers=ONE, tls=True)
def test_flow_26_websocket_over_http2(world):
    """Extended CONNECT. On an unknown path and a known one; other streams of the connection go on beside it."""
    router = world.router("eu1")
    with router.connect_h2(wild=True) as connection:  # python3-h2 would have its own idea of CONNECT
        for cells in (["eu1", "eu0"], ["eu0"]):
            before = counted.take(world)
            socket = Socket(connection, router.prepare("GET", "/my-company/websocket", user="alice"))
            expect.status(socket.answer, 200, world)
            expect.clean(socket.answer)
            expect.same("echo", socket.say("hello"), "eu0:hello")
            plain = connection.request(router.prepare("POST", "/my-company/beside", user="alice", body=b"a=b"))
            expect.status(plain, 200, world)
            for text in ("again", "x" * 100):
                expect.same("echo", socket.say(text), f"eu0:{text}")
            seen = world.deliveries_of(socket.answer)
            expect.same("cells that saw the upgrade", [d.cell for d in seen], cells)
            expect.same("how they were asked", {(d.method, d.get("Upgrade", "").lower()) for d in seen},
                        {("GET", "websocket")})
            flows.wait_known(world, router, "/my-company/")
            misses = len(cells) - 1
            counted.expect(world, before, lookups=2, misses=misses, learned=misses)


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick={"eu": "eu1"}, routers=ONE)
def test_websocket_on_a_stale_route(world):
    """Where HAProxy cannot send the upgrade again it is a 307, as for any GET; a client that opens its WebSocket again
    finds the new owner."""
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    world.cells.move("my-company", "eu1")
    answers = []
    while not answers or answers[-1].status == 307:
        request = router.prepare("GET", "/my-company/websocket", headers=UPGRADE, user="alice")
        with router.connect() as connection:
            connection.send(request)
            answer = connection.read_answer()
            answer.request, answer.tag = request, request.tag
            answers.append(answer)
            if answer.status == 101:
                connection.socket.sendall(frame("moved"))
                expect.same("echo", echo_of(connection), "eu1:moved")
    own_retry = world.cells.table["eu0"].answers == 425 or (world.cells.table["eu0"].answers == 421
                                                            and places.haproxy_version() >= (3, 2))
    expect.same("answers to the client", [answer.status for answer in answers], [101] if own_retry else [307, 101])
    cells = [[d.cell for d in world.deliveries_of(answer)] for answer in answers]
    expect.same("cells that saw each of them", cells, [["eu0", "eu1"]] if own_retry else [["eu0"], ["eu0", "eu1"]])
    if not own_retry:
        expect.reason(answers[0], "stale-route")


H2 = "check inter 500ms fall 1 rise 1 proto h2"


@scenario(matrix={"answers": {**ANSWERS, "425": 425}}, pick={"eu": "eu1"}, routers=ONE, tls=True, server_options=H2)
def test_flow_26_websocket_to_a_cell_that_speaks_http2(world):
    """HAProxy asks such a cell by extended CONNECT, whatever the client speaks."""
    router = world.router("eu1")
    for version in ("1.1", "2"):
        world.flush()
        for cells in (["eu1", "eu0"], ["eu0"]):
            before = counted.take(world)
            if version == "1.1":
                request = router.prepare("GET", "/my-company/websocket", headers=UPGRADE, user="alice")
                with router.connect() as connection:
                    connection.send(request)
                    answer = connection.read_answer()
                    expect.status(answer, 101)
                    expect.same("Sec-WebSocket-Accept", answer.get("Sec-WebSocket-Accept"), ACCEPT)
                    connection.socket.sendall(frame("hello"))
                    expect.same("echo", echo_of(connection), "eu0:hello")
            else:
                with router.connect_h2(wild=True) as connection:
                    request = router.prepare("GET", "/my-company/websocket", user="alice")
                    socket = Socket(connection, request)
                    answer = socket.answer
                    expect.status(answer, 200)
                    expect.same("echo", socket.say("hello"), "eu0:hello")
            expect.clean(answer)
            seen = world.deliveries_of(request)
            expect.same("cells that saw the upgrade", [d.cell for d in seen], cells)
            expect.same("how they were asked", {d.method for d in seen}, {"CONNECT"})
            flows.wait_known(world, router, "/my-company/")
            counted.one(world, before, "miss" if len(cells) == 2 else "hit")
