"""A world: Redis, cells, and routers (HAProxy and agent each), started for one test and gone after it."""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

from harness import configs, places
from harness.process import Failure, Process, ending, wait_until
from harness.resp import Redis, RedisError
from harness.router import Router
from harness.site import Cells
from harness.wire import Wire

CELLS = ("us0", "us1", "eu0", "eu1")
KEY_PREFIX = "cellrouter:"

# Lines that no test may leave behind unless it said so (world.allow).
NEVER_AGENT = re.compile(r"level=(error|fatal|crit)|AddressSanitizer|LeakSanitizer|runtime error:|Assertion|"
                         r"Segmentation")
NEVER_HAPROXY = re.compile(r"\[(WARNING|ALERT)\]|BUG|segfault")
NEVER_COUNTED = ("learns_malformed", "messages_unknown", "messages_malformed", "misses_malformed", "log_lines_lost")
# What HAProxy says where a test takes the agent or a cell away: for world.allow.
AGENT_GONE = (r"Server cellrouter\S*agent\S* is (DOWN|UP)|backend 'cellrouter\S*agent\S*' has no server|"
              r"has no server available")
CELL_DOWN = r"Server \S+ is (DOWN|UP)|has no server available|backend \S+ has no"
PROXY_STOPPED = re.compile(r"Proxy \S+ stopped")  # HAProxy's farewell


def routes_of(redis):
    keys = [key.decode() for key in redis("KEYS", KEY_PREFIX + "*")]
    return {key[key.index("}") + 1 :]: key for key in keys}


def is_writing(counters):
    return counters["store_connected"] and counters["store_queued"] + counters["store_writing"]


class World:
    """
    routers   id -> region
    answers   status of all cells' redirects, or cell id -> status
    redis     with Redis; agent: with agents (else HAProxy is alone); level0: with HAProxy's map (None: as shipped)
    pick      region -> cell that a router of that region picks for a miss; not named: a random healthy one
    settings  section of cellrouter.conf -> {key: value}; "" is the top level
    plain     HAProxy without the project at all
    large     bytes of the buffer of a large-body tier of one process; 0: no such tier
    classes   the classes of a large-body tier, as large-classes has them; none: no such tier
    servers   cell id -> number of its servers; not named: one
    tls       routers take TLS and HTTP/2 as well, with a certificate made for the test
    password  Redis wants it and the agents' password file has it; "": none
    threads   of HAProxy
    far_cells number of cells of another region beside them, all of them down: far1, "Cell FAR 1", and so on
    http      agents serve their pages on router.http_port
    wire      agents reach Redis by way of world.wire, which can delay and swallow
    replica   routers of the region us read at a replica of Redis, so many ms from it and back: their writes go by
              world.wire, and the replication by world.link; the test sets their delays
    files     limit of open files of each agent (ulimit -n); 0: as the machine has it
    server_options  of all cells, or cell id -> options; "" there: of the others
    site_more lines behind the site's frontend, or a function(world) that makes them
    backend_lines  cell id -> lines of HAProxy's for its backend
    tls_cells ids of the cells that speak TLS, with that certificate
    """

    def __init__(self, name, routers=None, answers=302, redis=True, agent=True, level0=None, pick=None, settings=None,
                 cells=CELLS, plain=False, large=0, classes=(), http=False, servers=None, tls=False, site_more="",
                 redis_more="", password="", wire=False, replica=0, threads=1, files=0, far_cells=0, tls_cells=(),
                 backend_lines=None,
                 server_options="check inter 500ms fall 1 rise 1"):
        self.name, self.redis, self.with_agent, self.level0 = name, redis, agent and not plain, level0
        self.settings, self.plain, self.redis_more = settings or {}, plain, redis_more
        self.server_options, self.large, self.tls, self.password = server_options, large, tls, password
        self.classes = classes
        self.threads, self.files, self.far_cells, self.http = threads, files, far_cells, http
        self.tls_cells, self.backend_lines = tls_cells, backend_lines or {}
        self.logs = fresh_folder(places.LOGS / re.sub(r"[^A-Za-z0-9_.-]", "_", name))
        self.run = Path(tempfile.mkdtemp(prefix="cellrouter-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.run, ignore_errors=True)  # for an interruption before stop() is in charge
        self.unique = f"{self.run.name}-{os.getpid()}"
        self.redis_socket = self.run / "redis"
        self.certificate = configs.make_certificate(self.run / "site.pem") if tls else None
        self.password_file = configs.write(self.run / "password", password + "\n") if password else ""
        self.wire = Wire(self.run / "wire", self.redis_socket) if wire else None
        self.ports = places.Ports()
        self.replica = replica
        self.redis_process = self.replica_process = None
        self.replica_socket = self.run / "replica" if replica else None
        if replica:
            self.wire = Wire(self.run / "wire", self.redis_socket)
        self.link = Wire(self.ports.reserve(), self.redis_socket) if replica else None
        self.allowed, self.allowed_counters = [], set()
        self.marked = 0
        self.turns = {}
        self.stopped = False
        self.cells = Cells(self, cells, answers, servers or {})
        self.site_more = site_more(self) if callable(site_more) else site_more
        self.routers = {id: Router(self, id, region, (pick or {}).get(region))
                        for id, region in ({"eu1": "eu"} if routers is None else routers).items()}

    # Starting and ending

    def start(self):
        try:
            self.cells.start()
            if self.redis:
                self.start_redis()
            for router in self.routers.values():
                router.write_conf()
            if self.redis:
                self.wait_redis()
            if self.with_agent:
                for router in self.routers.values():
                    router.start_agent()
            self.cells.wait_ready()
            for router in self.routers.values():
                if self.with_agent:
                    router.wait_agent()
                router.start_large()
                router.start_haproxy()
            for router in self.routers.values():
                router.wait_haproxy()
        except BaseException:
            self.stop()
            raise
        return self

    def class_names(self):
        """Of the processes of a large-body tier; "" is the only one of its router."""
        return [item.split(":")[0] for item in self.classes] or [""] * bool(self.large)

    def start_redis(self):
        conf = configs.write(self.logs / "redis.conf", configs.redis_conf(self))
        self.redis_process = Process("redis", [places.redis_server(), conf], self.logs / "redis.log")

    def wait_redis(self):
        def answers():
            try:
                with self.redis_client() as redis:
                    return redis("PING") == "PONG"
            except (OSError, RedisError):
                return False

        def follows():
            try:
                with Redis(str(self.replica_socket)) as replica:
                    return b"master_link_status:up" in replica("INFO", "replication")
            except (OSError, RedisError):
                return False

        self.redis_process.ready("answers PING", answers)
        if self.link:
            conf = configs.write(self.logs / "replica.conf", configs.replica_conf(self))
            self.replica_process = Process("replica", [places.redis_server(), conf], self.logs / "replica.log")
            self.replica_process.ready("follows its primary", follows)

    def stop(self):
        """Ends everything. Returns [(process, exit status)] of what had a word to say about its end."""
        if self.stopped:
            return []
        self.stopped = True
        ends = []
        try:
            for router in self.routers.values():
                ends += router.stop()
            for process in (self.replica_process, self.redis_process, self.cells.process):
                if process:
                    process.terminate()
        finally:
            for wire in (self.wire, self.link):
                if wire:
                    wire.stop()
            self.ports.release()
            shutil.rmtree(self.run, ignore_errors=True)
        return ends

    # Looking

    def router(self, id):
        return self.routers[id]

    def options_of(self, cell):
        """The server-options of a cell."""
        if isinstance(self.server_options, str):
            return self.server_options
        return self.server_options.get(cell, self.server_options[""])

    def of(self, region):
        """The routers of a region, in turn: with two of them every step of a test goes to the other one."""
        found = [router for router in self.routers.values() if router.region == region]
        turn = self.turns.get(region, 0)
        self.turns[region] = turn + 1
        return found[turn % len(found)]

    def redis_client(self):
        return Redis(str(self.redis_socket), password=self.password)

    def mark(self):
        """deliveries() tells what came after this."""
        self.marked = self.cells.last()

    def deliveries(self):
        return self.cells.deliveries(self.marked)

    def deliveries_of(self, answer):
        """What the cells saw of the request that got this answer, in order."""
        return [delivery for delivery in self.cells.deliveries() if delivery.tag == answer.tag]

    def counters(self, regions=None):
        """Sum over the agents."""
        total = {}
        for router in self.routers.values():
            if regions is None or router.region in regions:
                for name, value in router.counters().items():
                    total[name] = total.get(name, 0) + value
        return total

    def shared_routes(self):
        """prefix -> key in Redis."""
        with self.redis_client() as redis:
            return routes_of(redis)

    def replica_routes(self):
        """The same in its replica."""
        with Redis(str(self.replica_socket)) as redis:
            return routes_of(redis)

    def wait_shared(self, prefix):
        """Until the route is in Redis, so that another router can know it."""
        if self.redis:
            wait_until(f"{prefix} in Redis (there: {sorted(self.shared_routes())})",
                       lambda: prefix in self.shared_routes())

    def flush(self):
        """All routers forget all they learned. Returns when every agent has heard that Redis is empty: the word of it,
        coming late, would take away what is learned next. A claim that is on its way would outlive the flush."""
        if self.redis:
            for id, router in self.routers.items():
                wait_until(f"{id} has written what it learned", lambda: not is_writing(router.counters()), timeout=3)
        for router in self.routers.values():
            router.cellctl("flush")
        if not self.redis:
            return
        heard = {id: router.counters()["store_flushes"] for id, router in self.routers.items()}
        with self.redis_client() as redis:
            redis("FLUSHALL")
        for id, router in self.routers.items():
            wait_until(f"{id} has heard of the flush", lambda: router.counters()["store_flushes"] > heard[id],
                       timeout=3)

    # Judging

    def allow(self, pattern):
        """Log lines of agents and HAProxy that match are expected in this test."""
        self.allowed.append(re.compile(pattern))

    def check_logs(self):
        bad = []
        for log in sorted([*self.logs.glob("agent-*.log"), *self.logs.glob("haproxy-*.errors")]):
            never = NEVER_AGENT if log.name.startswith("agent") else NEVER_HAPROXY
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                if never.search(line) and not any(allowed.search(line) for allowed in (PROXY_STOPPED, *self.allowed)):
                    bad.append(f"{log.name}: {line}")
        if bad:
            raise Failure("lines that must never appear in a log:\n" + "\n".join("    " + line for line in bad[:20]))

    def check_alive(self):
        for router in self.routers.values():
            for process in (router.haproxy, router.agent):
                if process and not process.ended_on_purpose:
                    process.must_live()
        if self.redis_process and not self.redis_process.ended_on_purpose:
            self.redis_process.must_live()

    def check_counters(self):
        """What must hold of the agents' counters after every test, whatever it did."""
        for router in self.routers.values():
            if not router.agent or not router.agent.alive():
                continue
            wait_until(f"{router.id}'s agent to have no open calls", lambda: router.counters().get("spoe_calls") == 0,
                       timeout=5)
            counters = router.counters()
            wrong = [f"{name} is {counters[name]}" for name in NEVER_COUNTED if counters.get(name)
                     and name not in self.allowed_counters]
            answered = sum(counters[name] for name in ("lookup_hits_level1", "lookup_hits_level2", "lookup_misses"))
            if counters["lookups"] != answered:
                wrong.append(f"lookups is {counters['lookups']}, but hits and misses are {answered}")
            why = sum(value for name, value in counters.items() if name.startswith("misses_"))
            if counters["lookup_misses"] != why:
                wrong.append(f"lookup_misses is {counters['lookup_misses']}, but its reasons are {why}")
            if wrong:
                raise Failure(f"counters of {router.id}: " + "; ".join(wrong))

    def check_ends(self, ends):
        """Every program that was asked to end did so, and said that all was well."""
        fine = {"haproxy": (0, -9, -15, 130, 143), "agent": (0, -9)}
        if places.haproxy_version() == (2, 6):
            # When a health check is under way at its end, 2.6.12 crashes in deinit() (free_proxy, _fd_delete_orphan):
            # after all work is done. A crash before that shows in check_alive and in what clients get.
            fine["haproxy"] += (-11,)
        bad = [f"{process.name}: " + ("did not end on SIGTERM and was killed" if status is None
                                      else f"ended {ending(status)}")
               for process, status in ends if status not in fine[process.name.split()[0]]]
        if bad:
            raise Failure("bad ends:\n" + "\n".join("    " + line for line in bad))


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
