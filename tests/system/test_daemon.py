"""The programs themselves: what they say to bad input, signals, sockets, the generated configuration."""

import os
import re
import signal
import stat
import subprocess

from harness import configs, expect, flows, places
from harness.load import Load
from harness.process import wait_until
from harness.runner import ANSWERS, ONE, scenario


def run(*argv):
    return subprocess.run([str(part) for part in argv], capture_output=True, text=True, timeout=20, check=False)


def says(result, status_is_zero, *patterns):
    text = result.stdout + result.stderr
    expect.true(f"exit status {result.returncode}; it said:\n{text}", (result.returncode == 0) == status_is_zero)
    for pattern in patterns:
        expect.true(f"nothing matches /{pattern}/ in what it said:\n{text}", re.search(pattern, text))


# label -> (text in the file, what stands there instead, what the error must name)
MISTAKES = {
    "unknown_key": ("region =", "regoin =", r"regoin"),
    "bad_number": ('level = "info"', 'level = "info"\n}\nroutes {\n    lifetime = "soon"', r"lifetime"),
    "bad_choice": ("answers = 302", "answers = 307", r"answers.*307|307.*answers"),
    "unknown_cell": ("region =", 'default-cell = "xx9"\nregion =', r"xx9"),
    "two_cells_of_one_name": ('name = "Cell EU1"', 'name = "Cell EU0"', r"Cell EU0"),
    "bad_address": ('address = "', 'address = "nowhere"\n    username = "', r"nowhere"),
    "remote_listener": ('listen = {"unix', 'listen = {"192.0.2.1:9000", "unix', r"192\.0\.2\.1"),
    "unclosed": ("log {", "log {{", r"cellrouter\.conf"),
}


@scenario(routers={"eu1": "eu"})
def test_mistakes_in_the_configuration(world):
    """Each error names file, line and key."""
    router = world.router("eu1")
    good = router.conf.read_text()
    says(run(places.built("cellrouter"), "-c", "-f", router.conf), True)
    for label, (there, instead, names) in MISTAKES.items():
        expect.true(f"'{there}' is in the configuration", there in good)
        bad = configs.write(world.run / "cellrouter.conf", good.replace(there, instead, 1))
        for argv in ((places.built("cellrouter"), "-c", "-f", bad), (places.built("cellrouter"), "-f", bad),
                     (places.built("cellctl"), "haproxy", "-f", bad)):
            says(run(*argv), False, r"cellrouter\.conf:\d+", names)
    says(run(places.built("cellrouter"), "-c", "-f", world.run / "absent.conf"), False, r"absent\.conf")


# label -> (text in the file, what stands there instead, what the error must name)
MISSING = {
    "folder_of_a_socket": ('socket = "', 'socket = "/no/such/folder',
                           r"admin\.socket .*/no/such/folder.*no such folder"),
    "folder_of_the_map": ('map-file = "', 'map-file = "/no/such/folder', r"haproxy\.map-file .*no such folder"),
    "owner": ("spoe {", 'spoe {\n    user = "nobody-at-all"', r'spoe\.user "nobody-at-all": there is no such user'),
    "group": ("region =", 'group = "nobody-at-all"\nregion =', r'group "nobody-at-all": there is no such group'),
    "password_file": ('password-file = "', 'password-file = "/no/such/file', r"redis\.password-file .*No such file"),
}


@scenario(routers={"eu1": "eu"}, level0=True)
def test_the_check_looks_at_this_machine(world):
    """cellrouter -c finds what is not here; cellctl check is about the file alone, wherever it runs."""
    router = world.router("eu1")
    good = router.conf.read_text()
    says(run(places.built("cellrouter"), "-c", "-f", router.conf), True, r"is valid: \d+ cells")
    for label, (there, instead, names) in MISSING.items():
        expect.true(f"'{there}' is in the configuration", there in good)
        bad = configs.write(world.run / "cellrouter.conf", good.replace(there, instead, 1))
        says(run(places.built("cellrouter"), "-c", "-f", bad), False, r"cellrouter\.conf:\d+: " + names)
        says(run(places.built("cellctl"), "check", "-f", bad), True, r"is valid")


@scenario(routers={"eu1": "eu"}, password="secret", settings={"redis": {"backoff-max": 500}})
def test_a_changed_password_file_is_read_at_reload(world):
    world.allow(r"wrongpass|reload_(refused|error)")
    router = world.router("eu1")
    file = world.run / "password"
    with world.redis_client() as redis:
        redis("CONFIG", "SET", "requirepass", "another")
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        redis("CLIENT", "KILL", "TYPE", "normal")
    world.password = "another"
    # Twice: the log tells of a connection once a second at most.
    wait_until("Redis to refuse the old password", lambda: router.agent.text().count(": WRONGPASS") > 3)
    connected = router.agent.text().count("store_connected")
    configs.write(file, "another\n")
    router.agent.send(signal.SIGHUP)
    wait_until("the new password to be in use", lambda: router.agent.text().count("store_connected") > connected)
    expect.true("the log tells of the new password", "reason=new_password" in router.agent.text())
    file.unlink()
    router.agent.send(signal.SIGHUP)
    wait_until("the log to tell of the missing file", lambda: "reload_refused" in router.agent.text())
    expect.true("the error names the setting",
                re.search(r"reload_error.*redis\.password-file.*No such file", router.agent.text()))
    says(run(places.built("cellrouter"), "-c", "-f", router.conf), False, r"redis\.password-file")
    configs.write(file, "another\n")
    router.agent.send(signal.SIGHUP)
    wait_until("the good file to be in use", lambda: router.agent.text().count("reason=reloaded") == 2)
    expect.same("lines about new passwords", router.agent.text().count("reason=new_password"), 1)


CELLS = 'region = "eu"\ncell "eu0" { servers = {"a:1"} }\n'
MESSAGES = {
    # a configuration -> what is said of it, in one line
    CELLS + 'cell "eu1" { servers = {"a:1"} }\n': r':3: cell\.servers "a:1": cell "eu0" has this server, too',
    "\ufeff" + CELLS: r":1: a byte-order mark",
    CELLS + 'redis { address = "${NO_SUCH_VARIABLE}" }\n': r":3: the variable NO_SUCH_VARIABLE is not set",
    CELLS + 'redis { address = "r:1" password = "x" }\n': r":3: redis\.password: .*password-file",
    'region = "eu"\ncell "eu0" { servers = {"a:1"} server-options = "chek" }\n':
        r":2: cell\.server-options .*nearest one is check",
}


@scenario(routers={"eu1": "eu"})
def test_mistakes_are_named_with_what_would_be_right(world):
    """One line each. A region that changes tells of the cells that move along with it."""
    for text, said in MESSAGES.items():
        file = configs.write(world.run / "mistake.conf", text)
        checked = run(places.built("cellctl"), "check", "-f", file)
        says(checked, False, said)
        expect.same("lines", len(checked.stderr.splitlines()), 1)
    file = configs.write(world.run / "moved.conf", CELLS)
    says(run(places.built("cellctl"), "check", "-f", file), True,
         r'1 cells, 1 of them in region "eu" because they name none')
    says(run(places.built("cellctl"), "-f", "/no/such/file", "show", "info"), False, r"seat here cellctl -s admin")
    router = world.router("eu1")
    text = router.conf.read_text(encoding="utf-8")
    configs.write(router.conf, text.replace('    region = "us"\n', "").replace('region = "eu"', 'region = "us"', 1))
    router.agent.send(signal.SIGHUP)
    told = r"region_changed from=\S*eu\S* to=\S*us\S* cells=2"
    wait_until("the agent to say so", lambda: re.search(told, router.agent.text()))


@scenario(routers={"eu1": "eu"})
def test_help_and_version(world):
    for program in ("cellrouter", "cellctl"):
        says(run(places.built(program), "-h"), True, r"(?i)usage", program)
        says(run(places.built(program), "-V"), True, r"\d+\.\d+")
        says(run(places.built(program), "--nonsense"), False, r"(?i)usage|nonsense")


@scenario(routers={"eu1": "eu"})
def test_socket_in_use(world):
    """A second agent with the same sockets says so and does no harm to the first."""
    router = world.router("eu1")
    says(run(places.built("cellrouter"), "-f", router.conf), False, re.escape(str(router.spoe_socket)),
         r"(?i)in use|already")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")


@scenario(routers={"eu1": "eu"})
def test_the_old_agents_end_leaves_its_successors_sockets(world):
    """The socket files of a running agent are removed by hand, a second one starts, and then the first one ends."""
    router = world.router("eu1")
    first = router.agent
    router.spoe_socket.unlink()
    router.admin_socket.unlink()
    router.restart_agent()
    first.terminate()
    expect.true("the second one answers on its admin socket", "pid" in router.cellctl("show info"))
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")


@scenario(routers={"eu1": "eu"}, settings={"spoe": {"mode": "0600"}, "admin": {"mode": "0640"}})
def test_modes_of_the_sockets(world):
    router = world.router("eu1")
    modes = [oct(stat.S_IMODE(os.stat(path).st_mode)) for path in (router.spoe_socket, router.admin_socket)]
    expect.same("modes of the SPOE and the admin socket", modes, [oct(0o600), oct(0o640)])


@scenario(routers={"eu1": "eu"})
def test_cellctl_without_an_agent(world):
    says(run(places.built("cellctl"), "-s", world.run / "absent", "show", "counters"), False, r"absent")


@scenario(routers={"eu1": "eu"}, pick={"eu": "eu1"})
def test_operators_commands(world):
    router = world.router("eu1")
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    tool = [places.built("cellctl"), "-s", router.admin_socket]
    says(run(*tool, "show", "info"), True, r"eu1")
    says(run(*tool, "show", "counters"), True, r"(?m)^\w+ \d+$")
    says(run(*tool, "show", "routes"), True, r"/my-company/\s+eu0")
    says(run(*tool, "help"), True, r"forget", r"flush")
    says(run(*tool, "nonsense"), False, r"(?i)nonsense|unknown")
    says(run(*tool, "forget", "/my-company/"), True)
    wait_until("the route is forgotten everywhere", lambda: not router.routes() and not world.shared_routes())
    answer = router.request("GET", "/my-company/x", user="alice")
    expect.saw(world, answer, "eu1", "eu0")


@scenario(routers={"eu1": "eu"}, pick={"eu": "eu1"})
def test_reload_of_the_agent(world):
    """SIGHUP: a broken file keeps the old configuration and says so; a good one is put in use."""
    world.allow(r"reload_(refused|error)|reason=reload")
    router = world.router("eu1")
    good = router.conf.read_text()
    configs.write(router.conf, good.replace("region =", "regoin =", 1))
    router.agent.send(signal.SIGHUP)
    wait_until("the log to tell of the broken file", lambda: "reload_refused" in router.agent.text())
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
    flows.wait_known(world, router, "/my-company/")
    configs.write(router.conf, good.replace('level = "info"', 'level = "debug"', 1))
    router.agent.send(signal.SIGHUP)
    wait_until("the log to tell of the good file", lambda: "reason=reloaded" in router.agent.text())
    answer = router.request("GET", "/my-company/y", user="alice")
    expect.saw(world, answer, "eu0")


@scenario(matrix={"answers": ANSWERS}, routers=ONE, settings={"spoe": {"lame-duck": 2000}})
def test_drain_under_load(world):
    """SIGTERM while requests come: the agent ends by itself, with status 0, and no client notices."""
    world.allow(r"Server cellrouter\S*agent\S* is (DOWN|UP)|has no server available")
    router = world.router("eu1")
    with Load(world, [router]) as load:
        load.wait_for(100)
        status = router.agent.terminate(timeout=20)
        load.wait_for(100)
    expect.same("exit status of the agent", status, 0)
    expect.same(f"wrong answers of {load.count}", load.wrong[:5], [])


@scenario(matrix={"answers": {"302": 302, "421": 421, "mixed": {"eu0": 302, "eu1": 421, "us0": 425}}},
          routers={"eu1": "eu"})
def test_haproxy_takes_the_generated_configuration(world):
    """Without a word of warning."""
    router = world.router("eu1")
    files = [part for file in router.files for part in ("-f", file)]
    result = run(places.haproxy(), "-c", *files)
    says(result, True)
    expect.true(f"haproxy -c said:\n{result.stdout}{result.stderr}",
                not re.search(r"WARNING|ALERT", result.stdout + result.stderr))
    expect.status(router.request("GET", "/my-company/x", user="alice"), 200, world)
