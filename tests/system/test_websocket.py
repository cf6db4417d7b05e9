"""Flow 26: WebSocket under a known and an unknown prefix."""

import os
import struct

from harness import expect, flows
from harness.level0 import warm
from harness.runner import ANSWERS, LEVELS, ONE, scenario

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
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
        if world.level0:
            warm(router)
