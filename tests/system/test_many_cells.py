"""Hundreds of cells: HAProxy takes the configuration, finds each of them, and no request passes a rule for each."""

import re

from harness import configs, expect, places
from harness.runner import ANSWERS, ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
MANY = 300
KINDS = {**ANSWERS, "425": 425}


@scenario(matrix={"answers": KINDS}, pick=AWAY, routers=ONE, far_cells=MANY)
def test_redirects_to_one_of_many_cells(world):
    """Each is found by its id and by its name: nobody listens there, which HAProxy says. What is none is none, also
    what HAProxy's own map of the cells has for a key."""
    router = world.router("eu1")
    wrong = ["far0", f"far{MANY + 1}", "Cell FAR", "cell FAR 1", "0000000000000001", "66617231", "global", "backend",
             "1", "4294967297"]
    right = [text for number in (1, 2, 64, 65, 256, MANY) for text in (f"far{number}", f"Cell FAR {number}")]
    for method, body in (("GET", b""), ("POST", b"a=b")):
        for text in right + wrong:
            world.cells.behave()
            world.cells.misbehave(path="/far/", redirect=text)
            answer = router.request(method, "/far/away", body=body)
            expected = (503, "cell-down") if text in right else (502, "redirect-to-unknown-cell")
            expect.same(f"{method}, redirected to {text}", (answer.status, answer.get("X-Gitlab-Cell-Reason")),
                        expected)


def rules_of(text):
    """Section -> how many rules a request or response passes there at most. Of use-server lines the first that holds
    ends it."""
    found, section = {}, ""
    for line in text.splitlines():
        if match := re.match(r"(defaults|frontend|backend) (\S+)", line):
            section = match.group(0)
            found[section] = 0
        elif re.match(r" +(http|tcp)-|(use_backend|acl) ", line):
            found[section] += 1
    return found


@scenario(matrix={"answers": KINDS}, pick=AWAY, routers=ONE)
def test_no_rule_for_each_cell(world):
    """The printed rules of a section are as many with four cells as with four hundred."""
    router = world.router("eu1")
    few = rules_of(configs.generate(router))
    world.far_cells = 400
    router.write_conf()
    many = rules_of(configs.generate(router))
    far = re.compile(r"(backend) cellrouter-(cell|direct)-far\d+$")
    expect.same("rules of each section", {name: count for name, count in many.items() if not far.match(name)}, few)
    expect.true("the far cells are there", sum(bool(far.match(name)) for name in many) >= 400)
    expect.true(f"HAProxy {places.haproxy_version()} has no section with a hundred rules", max(many.values()) < 100)
