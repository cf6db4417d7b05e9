"""The network between agents and Redis, or between two of these, for tests that break it: passes bytes on, late, or not
at all."""

import contextlib
import queue
import socket
import threading
import time


class Wire:
    """Listens at path, a unix socket or the number of a port, and leads to target, a unix socket. delay: seconds that
    every byte is late. cut: bytes vanish; what lost some is closed when the cut is repaired, as TCP would give it
    up."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.delay, self.is_cut = 0.0, False
        self.maimed = set()  # sockets that lost bytes
        self.lock = threading.Lock()
        self.open = set()
        is_port = isinstance(path, int)
        self.listener = socket.socket(socket.AF_INET if is_port else socket.AF_UNIX)
        self.listener.bind(("127.0.0.1", path) if is_port else str(path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.target))
            except OSError:
                client.close()
                server.close()
                continue
            with self.lock:
                self.open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                late = queue.SimpleQueue()
                threading.Thread(target=self.take, args=(source, sink, late), daemon=True).start()
                threading.Thread(target=self.give, args=(sink, source, late), daemon=True).start()

    def take(self, source, sink, late):
        while True:
            try:
                piece = source.recv(65536)
            except OSError:
                piece = b""
            with self.lock:
                swallowed = piece and self.is_cut
                if swallowed:
                    self.maimed |= {source, sink}
            if not swallowed:
                late.put((time.monotonic() + self.delay, piece))
            if not piece:
                return

    def give(self, sink, source, late):
        while True:
            due, piece = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not piece:
                    break
                sink.sendall(piece)
            except OSError:
                break
        self.close([sink, source])

    def close(self, sockets):
        """shutdown() wakes the thread that reads there, which close() alone does not."""
        with self.lock:
            for one in self.open & set(sockets):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
                self.open.discard(one)
                self.maimed.discard(one)

    def cut(self):
        with self.lock:
            self.is_cut = True

    def repair(self):
        with self.lock:
            self.is_cut = False
            maimed = list(self.maimed)
        self.close(maimed)

    def stop(self):
        self.listener.close()
        self.close(list(self.open))
