"""The configuration files of a world. All that depends on the shape of the project's own configuration is in this
file."""

import subprocess

from harness import places


def quoted(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(quoted(item) for item in value) + "}"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def cellrouter_conf(router, world):
    """cellrouter.conf of one router. world.settings: section -> {key: value}, "" being the top level."""
    sections = {
        "spoe": {"listen": [f"unix:{router.spoe_socket}"], "lame-duck": 0},
        "redis": redis(world, router),
        "routes": {},
        "admin": {"socket": router.admin_socket},
        "http": {"listen": f"127.0.0.1:{router.http_port}"} if world.http else {},
        "log": {"level": "info"},
        "haproxy": {"loop": router.loop, **level0(router, world), **large(router, world)},
    }
    top = {"region": router.region, "router": router.id}
    if router.pick:
        top["default-cell"] = router.pick
    for name, values in world.settings.items():
        (sections.setdefault(name, {}) if name else top).update(values)
    lines = [f"{key} = {quoted(value)}" for key, value in top.items()]
    for id, cell in world.cells.table.items():
        lines += [f'cell "{id}" {{', f'    name = "{cell.name}"', f'    region = "{cell.region}"',
                  f"    answers = {cell.answers}",
                  "    servers = " + quoted([f"127.0.0.1:{port}" for port in (cell.port, *cell.more)]),
                  f'    server-options = "{world.options_of(id)}"',
                  "    backend-lines = " + quoted(world.backend_lines.get(id, ())), "}"]
    for number in range(1, world.far_cells + 1):
        lines += [f'cell "far{number}" {{', f'    name = "Cell FAR {number}"', '    region = "far"',
                  f"    answers = {far_answers(world)}",
                  f'    servers = {{"127.9.{number // 250}.{number % 250 + 1}:1"}}', "}"]
    for name, values in sections.items():
        lines += [f"{name} {{", *(f"    {key} = {quoted(value)}" for key, value in values.items()), "}"]
    return "\n".join(lines) + "\n"


def far_answers(world):
    return next(iter(world.cells.table.values())).answers


def redis(world, router):
    if not world.redis:
        return {"address": ""}
    if world.link:
        return {"address": f"unix:{world.wire.path}", "read-address": f"unix:{world.replica_socket}"} \
            if router.region == "us" else {"address": f"unix:{world.redis_socket}"}
    return {"address": f"unix:{world.wire.path if world.wire else world.redis_socket}",
            "password-file": world.password_file}


def level0(router, world):
    if world.level0 is None:
        return {}
    return {"runtime": [f"unix:{router.runtime_socket}"],
            "map-file": router.folder / "routes.map"} if world.level0 else {"map-file": ""}


def large(router, world):
    if not world.large and not world.classes:
        return {"large-address": ""}
    size = {"large-classes": world.classes} if world.classes else {"large-buffer": world.large}
    return {"large-address": f"{router.loop}-bodies", "large-requests": 4, **size}


# A file of its own, given first: from 3.0 on HAProxy takes nbthread and its like only before every other section.
GLOBAL = """\
global
    stats socket unix@{runtime} mode 600 level admin expose-fd listeners
    log stdout format raw local0 info
    nbthread {threads}
    hard-stop-after 20s
"""

SITE = """\
frontend mysite from cellrouter-edge
    log global
    bind 127.0.0.1:{port}
    filter spoe engine cellrouter config {spoe}
    use_backend %[var(txn.cellrouter.backend,cellrouter-replay)]
    log-format "${{CELLROUTER_LOG_FORMAT}}"
"""


def generate(router, *more):
    made = subprocess.run([places.built("cellctl"), "haproxy", *more, "-f", router.conf], capture_output=True,
                          text=True, check=False)
    if made.returncode or made.stderr:
        raise places.Missing(f"cellctl haproxy -f {router.conf}: status {made.returncode}\n{made.stderr}")
    return made.stdout


LARGE = """\
global
    stats socket unix@{runtime} mode 600 level admin
    nbthread 1
    hard-stop-after 20s
"""


def large_files(router, name):
    """The same for a process that replays large bodies: of the class of this name; "": the only one."""
    return [write(router.folder / f"large-{name}-global.cfg", LARGE.format(runtime=router.class_socket(name))),
            write(router.folder / f"large-{name}.cfg", generate(router, "--large", *([name] if name else [])))]


def haproxy_files(router, world):
    """Writes what HAProxy needs for this router and returns the list of its -f files."""
    if world.plain:
        return [write(router.folder / "plain.cfg", plain_cfg(router, world))]
    generated = generate(router)
    site = SITE.format(port=router.port, spoe=places.ROOT / "haproxy" / "cellrouter-spoe.conf")
    return [write(router.folder / "global.cfg", GLOBAL.format(runtime=router.runtime_socket, threads=world.threads)),
            write(router.folder / "cellrouter.cfg", generated),
            write(router.folder / "site.cfg", site + tls_bind(router, world) + world.site_more)]


def tls_bind(router, world):
    return f"    bind 127.0.0.1:{router.tls_port} ssl crt {world.certificate} alpn h2,http/1.1\n" if world.tls else ""


def make_certificate(path, name="site.example"):
    """A key and a certificate of its own for this name, in one file as HAProxy reads it."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "2",
                           "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", path,
                           "-out", f"{path}.crt"],
                          capture_output=True, text=True, check=False)
    if made.returncode:
        raise places.Missing(f"openssl made no certificate:\n{made.stderr}")
    with open(path, "a", encoding="utf-8") as both, open(f"{path}.crt", encoding="utf-8") as certificate:
        both.write(certificate.read())
    return path


PLAIN = """\
global
    stats socket unix@{runtime} mode 600 level admin expose-fd listeners
    log stdout format raw local0 info
defaults
    mode http
    log global
    option httplog
    timeout connect 2s
    timeout client 20s
    timeout server 20s
frontend mysite
    bind 127.0.0.1:{port}
    default_backend cells
backend cells
    balance roundrobin
"""


def plain_cfg(router, world):
    """HAProxy without the project, for tests of the harness itself."""
    servers = [f"    server {id} 127.0.0.1:{cell.port}" for id, cell in world.cells.table.items()
               if cell.region == router.region]
    return PLAIN.format(runtime=router.runtime_socket, port=router.port) + "\n".join(servers) + "\n"


def replica_conf(world):
    return (f"port 0\nunixsocket {world.replica_socket}\nunixsocketperm 700\ndir {world.run}\n"
            "dbfilename replica.rdb\nsave \"\"\nappendonly no\ndaemonize no\nrepl-diskless-sync-delay 0\n"
            f"replicaof 127.0.0.1 {world.link.path}\n")


def redis_conf(world):
    secret = f"requirepass {world.password}\n" if world.password else ""
    return (f"port 0\nunixsocket {world.redis_socket}\nunixsocketperm 700\ndir {world.run}\nsave \"\"\n"
            "appendonly no\ndaemonize no\nloglevel notice\nrepl-diskless-sync-delay 0\n" + secret + world.redis_more)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path
