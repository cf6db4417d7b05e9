"""The cells as servers: one listener a cell or several, and a control port for tests and the demo."""

import asyncio
import json
import socket
import ssl
import struct

from cells import application, misbehaviour, repositories
from cells.deliveries import Deliveries
from cells.http2 import Http2Connection
from cells.misbehaviour import Gates, Rules
from cells.wire import BODY_KEPT, HEAD_LIMIT, Answer, BadRequest, head_bytes, read_body, read_head, write_answer

GIT_KEPT = 1 << 27  # bytes of a body for git, which wants all of it

LOST = (ConnectionError, asyncio.IncompleteReadError, BadRequest, asyncio.LimitOverrunError, ValueError, TimeoutError)


class CellServer:
    """One listener of a cell. It can go down (refused or silent) and come back on the same port. With a certificate
    (a file with its key) it speaks TLS."""

    def __init__(self, world, cell, name, host, port, certificate=None):
        self.world, self.cell, self.name, self.host, self.port = world, cell, name, host, port
        self.tls = tls_context(certificate) if certificate else None
        self.server = None
        self.writers = set()
        self.silent = False

    async def up(self):
        self.silent = False
        if not self.server:
            self.server = await asyncio.start_server(self.serve, self.host, self.port, limit=HEAD_LIMIT, backlog=1024,
                                                     ssl=self.tls)
            self.port = self.server.sockets[0].getsockname()[1]

    async def down(self, silent=False):
        """Refuses connections and resets the open ones, or, silent, accepts and never answers."""
        self.silent = silent
        if not silent and self.server:
            self.server.close()
            self.server = None
        if not silent:
            for writer in list(self.writers):
                reset(writer)

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            greeting = None  # the first request, which has what was said before it
            tls = writer.get_extra_info("ssl_object")
            while request := await self.next_request(reader, greeting):
                request.server_name = getattr(tls, "server_name_asked", None)
                greeting = greeting or request
                if not await self.one_request(reader, writer, request):
                    break
        except LOST:
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def next_request(self, reader, greeting):
        """None at the end of the connection."""
        try:
            request = await read_head(reader, greeting is None)
        except BadRequest as error:
            self.world.deliveries.end(self.world.deliveries.unreadable(self.cell, self.name, error))
            raise
        if request and greeting:
            request.proxy = greeting.proxy
        return request

    async def one_request(self, reader, writer, request):
        """Answers it. Returns whether another one may come."""
        if request.method == "PRI":
            await Http2Connection(self, reader, writer).serve()
            return False
        if request.path == "/-/health" and not self.silent:
            await write_answer(writer, request, Answer(200, body=b"ok\n"))
            return request.keeps_alive()
        entry = self.world.deliveries.begin(self.cell, self.name, request)
        try:
            return await self.answer(reader, writer, request, entry)
        except LOST as error:
            entry["answer"] = entry["answer"] or f"lost: {error or type(error).__name__}"
            raise
        finally:
            self.world.deliveries.arrived(entry, request)
            self.world.deliveries.end(entry)

    async def answer(self, reader, writer, request, entry):
        if self.silent:
            await asyncio.sleep(3600)
        rule = self.world.rules.take(self.cell, request)
        if rule.get("die") in ("head", "reset"):
            entry["answer"] = "died"
            if rule["die"] == "reset":
                reset(writer)
            return False
        if not rule.get("early"):
            await read_body(reader, writer, request, GIT_KEPT if repositories.is_git(request) else BODY_KEPT)
            self.world.deliveries.arrived(entry, request)
        await wait_as_told(self.world, rule)
        for status, headers in rule.get("interim", ()):
            writer.write(head_bytes(status, headers))
            await writer.drain()
        answer = misbehaviour.apply(self.cell, rule, lambda: self.honest(request))
        if answer.run:
            headers, answer = answer.headers, await answer.run()
            answer.headers = headers + answer.headers
        answer.close = answer.close or bool(rule.get("early"))
        self.note(entry, answer)
        complete = await write_answer(writer, request, answer, rule.get("die"))
        if answer.take_over:
            await answer.take_over(reader, writer)
            return False
        if rule.get("early") == "reset":
            reset(writer)
        elif rule.get("early"):
            await linger(reader, writer)
        return complete and request.keeps_alive() and not answer.close

    def honest(self, request):
        return application.answer(self.world.site, self.cell, request, self.world.gates)


    @staticmethod
    def note(entry, answer):
        entry["answer"] = answer.status
        for name, value in answer.headers:
            if name == application.REDIRECT:
                entry["redirect"] = value
            elif name == application.CACHE:
                entry["cache"] = value


def tls_context(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda tls, name, _: setattr(tls, "server_name_asked", name)
    return context


async def wait_as_told(world, rule):
    if rule.get("delay"):
        await asyncio.sleep(rule["delay"])
    if rule.get("gate"):
        await world.gates.passed(rule["gate"])


async def linger(reader, writer):
    """Closes for writing, and for reading when the other side has: a close with unread bytes would be an RST, which
    takes the answer away with it."""
    writer.write_eof()
    while await reader.read(1 << 18):
        pass


def reset(writer):
    """Ends the connection by RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:  # of TLS it may be closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Cells:
    """All cells of one site in one process, so that they share their tables."""

    def __init__(self, site, log=None):
        self.site = site
        self.rules = Rules()
        self.gates = Gates()
        self.deliveries = Deliveries(log)
        self.servers = {}

    async def start(self, addresses, certificates=None):
        """addresses: (id of the cell, host, port) of every server; the second one of a cell is called ID.2.
        certificates: id of a cell that speaks TLS -> file."""
        for id, host, port in addresses:
            count = sum(server.cell.id == id for server in self.servers.values())
            name = f"{id}.{count + 1}" if count else id
            self.servers[name] = CellServer(self, self.site.cells[id], name, host, port, (certificates or {}).get(id))
            await self.servers[name].up()

    async def start_control(self, host, port):
        server = await asyncio.start_server(self.serve_control, host, port, limit=HEAD_LIMIT)
        return server.sockets[0].getsockname()[1]

    async def serve_control(self, reader, writer):
        try:
            while request := await read_head(reader):
                await read_body(reader, writer, request)
                await write_answer(writer, request, await self.control_answer(request))
        except LOST:
            pass
        finally:
            writer.close()

    async def control_answer(self, request):
        try:
            told = await self.control(request.path.strip("/"), json.loads(request.body or b"{}"))
            return Answer(200, [["Content-Type", "application/json"]], (json.dumps(told) + "\n").encode())
        except (KeyError, ValueError, TypeError) as error:
            return Answer(400, [], f"{type(error).__name__}: {error}\n".encode())

    async def control(self, command, value):
        """The control port's commands; value is the JSON body."""
        match command:
            case "state":
                return self.state()
            case "deliveries":
                return self.deliveries.since(value.get("since", 0))
            case "session":
                return {"cookie": "_session=" + self.site.open_session(value["user"])}
            case "move":
                self.site.move(value["organization"], value["cell"])
            case "organization":
                self.site.add_organization(value["name"], value["cell"], value.get("public", True))
            case "ttl":
                self.site.organizations[value["organization"]].ttl = value["ttl"]
            case "misbehave":
                self.rules.add(value)
            case "behave":
                self.rules.clear()
            case "open":
                self.gates.of(value["gate"]).set()
            case "cell":
                await self.set_cell(value)
            case "reset":
                self.site.restore()
                self.rules.clear()
                self.gates.open_all()
                for server in self.servers.values():
                    await server.up()
            case _:
                raise ValueError(f"no such command: {command}")
        return {}

    async def set_cell(self, value):
        server = self.servers[value["cell"]]
        if "answers" in value:
            server.cell.answers = value["answers"]
        match value.get("state"):
            case "up":
                await server.up()
            case "refused":
                await server.down()
            case "silent":
                await server.down(silent=True)

    def state(self):
        return {
            "cells": {
                id: {"name": s.cell.name, "region": s.cell.region, "answers": s.cell.answers, "port": s.port,
                     "up": s.server is not None and not s.silent}
                for id, s in self.servers.items()
            },
            "organizations": {name: o.cell for name, o in self.site.organizations.items()},
            "users": sorted(self.site.users),
            "last": self.deliveries.last,
        }
