"""The PROXY protocol's header, versions 1 and 2, as a cell sees it. Source: HAProxy doc/proxy-protocol.txt."""

import ipaddress

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
COMMANDS = {0x20: "LOCAL", 0x21: "PROXY"}
ADDRESSES = {0x11: ("TCP4", 4), 0x21: ("TCP6", 16)}
TLV_SSL = 0x20
SSL_FIXED = 5  # bytes of client and verify before the parts


class BadHeader(Exception):
    pass


def begins_v1(data):
    return data.startswith(b"PROXY ")


def begins_v2(head):
    """Of what was read up to the first empty line: no request begins with one."""
    return head == SIGNATURE[:4]


def read_v1(head):
    """What the line says, and what stands behind it."""
    line, _, rest = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return said(1, "UNKNOWN"), rest
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise BadHeader(f"PROXY line {line!r}")
    return said(1, *words[1:4], *map(int, words[4:])), rest


def said(version, family, source=None, destination=None, source_port=None, destination_port=None, more=()):
    return {"version": version, "family": family, "source": source, "source_port": source_port,
            "destination": destination, "destination_port": destination_port, "more": list(more)}


async def read_v2(reader):
    """What the binary header says whose first four bytes were read already."""
    rest = await reader.readexactly(len(SIGNATURE) - 4)
    fixed = await reader.readexactly(4)
    data = await reader.readexactly(int.from_bytes(fixed[2:], "big"))
    if rest != SIGNATURE[4:] or fixed[0] not in COMMANDS:
        raise BadHeader(f"PROXY header {rest + fixed!r}")
    if COMMANDS[fixed[0]] == "LOCAL" or fixed[1] not in ADDRESSES:
        return said(2, COMMANDS[fixed[0]] if fixed[0] == 0x20 else "UNSPEC")
    family, size = ADDRESSES[fixed[1]]
    source, destination = (str(ipaddress.ip_address(data[at : at + size])) for at in (0, size))
    ports = [int.from_bytes(data[2 * size + at : 2 * size + at + 2], "big") for at in (0, 2)]
    return said(2, family, source, destination, *ports, parts_of(data[2 * size + 4 :]))


def parts_of(data):
    """[type, value in hexadecimal]; of the part about TLS its own parts stand behind it."""
    parts = []
    while data:
        kind, length = data[0], int.from_bytes(data[1:3], "big")
        value, data = data[3 : 3 + length], data[3 + length :]
        parts.append([kind, value[:SSL_FIXED].hex() if kind == TLV_SSL else value.hex()])
        if kind == TLV_SSL:
            parts += parts_of(value[SSL_FIXED:])
    return parts
