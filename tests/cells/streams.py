"""Answers that do not fit in one piece: server-sent events, downloads, WebSocket."""

import base64
import hashlib

from cells.wire import Answer

PATTERN = bytes(range(256)) * 256  # 64 KiB; a download repeats it


def events(cell, gates, gate):
    """One event at once, the last one when the gate (a name that the control port opens) is open."""

    async def flow():
        yield b"data: first\n\n"
        if gate:
            await gates.passed(gate)
        yield b"data: last\n\n"

    return Answer(200, [["Content-Type", "text/event-stream"], ["X-Cell", cell.id]], stream=flow())


def download(cell, length, chunked):
    async def flow():
        left = length
        while left:
            piece = PATTERN[:left]
            left -= len(piece)
            yield piece

    headers = [["Content-Type", "application/octet-stream"], ["X-Cell", cell.id]]
    return Answer(200, headers, stream=flow(), length=None if chunked else length)


def websocket(cell, request):
    """101, then every text frame comes back with the cell's id before it."""
    key = request.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    headers = [["Upgrade", "websocket"], ["Connection", "Upgrade"], ["Sec-WebSocket-Accept", accept],
               ["X-Cell", cell.id]]

    async def echo(reader, writer):
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == 8:
                writer.write(frame(8, payload))
                await writer.drain()
                return
            writer.write(frame(opcode, cell.id.encode() + b":" + payload))
            await writer.drain()

    return Answer(101, headers, take_over=echo)


def tunnel(cell):
    """200, then every byte comes back: the answer to a CONNECT, which has neither length nor chunks."""

    async def echo(reader, writer):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()

    return Answer(200, [["X-Cell", cell.id]], take_over=echo)


async def read_frame(reader):
    first, second = await reader.readexactly(2)
    length = second & 127
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    elif length == 127:
        length = int.from_bytes(await reader.readexactly(8), "big")
    mask = await reader.readexactly(4) if second & 128 else bytes(4)
    payload = await reader.readexactly(length)
    return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def frame(opcode, payload):
    if len(payload) < 126:
        head = bytes((128 | opcode, len(payload)))
    else:
        head = bytes((128 | opcode, 126)) + len(payload).to_bytes(2, "big")
    return head + payload
