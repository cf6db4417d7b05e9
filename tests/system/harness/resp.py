"""As much of Redis' protocol as the harness needs."""

import socket


class RedisError(Exception):
    pass


class Redis:
    def __init__(self, address, timeout=5.0, password=""):
        """address: the path of a unix socket, or (host, port)."""
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        if password:
            self("AUTH", password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def __call__(self, *words):
        self.send(*words)
        return self.reply()

    def send(self, *words):
        """The answer is for reply(), later."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))

    def reply(self):
        line = self.file.readline()
        if not line:
            raise RedisError("connection closed")
        kind, text = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(text.decode())
        if kind == b":":
            return int(text)
        if kind == b"$":
            return None if text == b"-1" else self.file.read(int(text) + 2)[:-2]
        if kind == b"*":
            return None if text == b"-1" else [self.reply() for _ in range(int(text))]
        return text.decode()
