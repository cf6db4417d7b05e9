"""A modest, steady stream of requests whose every answer is checked, while something else is broken."""

import json
import threading
import time

from harness.client import Broken, Connection

# (method, path, user, owner)
MIX = (
    ("GET", "/my-company/a", "root", "eu0"),
    ("POST", "/my-company/b", "root", "eu0"),
    ("GET", "/gitlab-org/a", None, "us0"),
    ("GET", "/not-my-company/a", "root", "us1"),
    ("POST", "/api/organizations/my-organization/graphql", "root", "eu0"),
)
# "{turn}": another path each time, which its owner claims, so that each is a miss at first and learned then.
LEARNING = (*MIX, ("POST", "/api/v4/{turn}/x", "root", "eu0"))
# A PUT has 60 kB.
UPLOADS = (*MIX, ("PUT", "/api/v4/{turn}/x", "root", "eu0"), *MIX, ("PUT", "/my-company/upload", "root", "eu0"))


def claiming(prefix, padding=0):
    """Headers and body of an API request that belongs to my-company, and whose answer claims the prefix for its
    cell."""
    return {"headers": [("Content-Type", "application/json")],
            "body": json.dumps({"organization": "my-company", "cache": prefix, "padding": "p" * padding}).encode()}


class Load:
    """with Load(world, routers) as load: …; then load.wrong is [] or tells what went wrong."""

    def __init__(self, world, routers, clients=2, pause=0.005, keep_alive=True, mix=MIX):
        self.world, self.routers, self.clients, self.pause, self.keep_alive = world, routers, clients, pause, keep_alive
        self.mix, self.count, self.slowest = mix, 0, 0.0
        self.wrong = []
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.threads = []

    def __enter__(self):
        for user in {user for _, _, user, _ in self.mix if user}:
            self.world.cells.cookie(user)
        for router in self.routers:
            for number in range(self.clients):
                thread = threading.Thread(target=self.client, args=(router, number), daemon=True)
                thread.start()
                self.threads.append(thread)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def client(self, router, number):
        turn, connection = number, None
        while not self.stopping.is_set():
            method, path, user, owner = self.mix[turn % len(self.mix)]
            turn += 1
            try:
                fresh = connection is None
                connection = connection or Connection(router.address)
                request = self.prepare(router, method, path, user, turn)
                connection = self.one(router, connection, fresh, request, owner)
            except (OSError, Broken) as error:
                self.note(f"{router.id}: {method} {path}: {type(error).__name__}: {error}")
                connection = None
            time.sleep(self.pause)
        if connection:
            connection.close()

    def prepare(self, router, method, path, user, turn):
        if "{turn}" in path:
            path = path.format(turn=turn)
            return router.prepare(method, path, user=user, **claiming(path.rpartition("/")[0] + "/",
                                                                      60_000 if method == "PUT" else 0))
        if method == "PUT":
            return router.prepare(method, path, user=user, body=bytes(60_000))
        return router.prepare(method, f"{path}/{turn}" if method == "GET" else path, user=user, body=b"a=b"
                              if method == "POST" else b"")

    def one(self, router, connection, fresh, request, owner):
        try:
            answer = connection.request(request)
        except (Broken, ConnectionError):
            if fresh:
                raise
            # A kept connection may have been closed just now, as by a reload; clients then use a new one.
            connection.close()
            connection = Connection(router.address)
            answer = connection.request(request)
        with self.lock:
            self.count += 1
            self.slowest = max(self.slowest, answer.seconds)
        if answer.status != 200 or answer.cell != owner:
            self.note(f"{router.id}: {request.method} {request.target}: {answer.status} from {answer.cell}, "
                      f"{answer.get('X-Gitlab-Cell-Reason')}, expected 200 from {owner}")
        if answer.get("Connection", "").lower() == "close" or not self.keep_alive:
            connection.close()
            return None
        return connection

    def note(self, text):
        with self.lock:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {text}")

    def wait_for(self, requests, timeout=30):
        """Until so many more requests were answered."""
        from harness.process import wait_until

        goal = self.count + requests
        wait_until(f"{requests} more answers under load", lambda: self.count >= goal, timeout)
