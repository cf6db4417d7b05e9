"""Texts that make a regular expression try everything: what a client or a cell can send to those of the rules. Steps
are PCRE's own count; time at HAProxy is CPU time, beside a harmless request of the same size."""

import re

from harness import expect
from harness.client import Broken
from harness.pcre import Pattern
from harness.runner import ONE, scenario

AWAY = {"eu": "eu1", "us": "us1"}
BUFFER = 15_000  # bytes: what is left of HAProxy's 16384 for one text
A_BYTE = 4  # steps that are fine for each byte


def filled(text, n, end=""):
    return text * (n // len(text)) + end


# what is matched -> (a text that finds the expression among all, label -> text of n bytes)
PATHS = {
    "dots": lambda n: filled("/...", n),
    "encoded_dots": lambda n: filled("%2e", n),
    "slash_and_encoded_dots": lambda n: filled("/%2e%2", n),
    "slash_and_half_an_escape": lambda n: filled("/%2", n),
    "slash_and_three_dots": lambda n: filled("/.%2e.", n),
    "no_slash": lambda n: filled("a", n),
}
NAMES = {
    "almost_ours": lambda n: filled("x-gitlab-cell", n),
    "ours_without_an_end": lambda n: filled("x_cellrouter", n),
    "no_letters": lambda n: filled("~", n),
    "one_letter": lambda n: filled("x", n),
}
UPGRADES = {
    "almost_websocket": lambda n: filled("websocket", n),
    "tokens": lambda n: filled("w,", n),
    "blanks_in_upgrade": lambda n: filled("websocket ", n, "x"),
}
CONNECTIONS = {
    "almost_close": lambda n: filled("close", n),
    "many_tokens": lambda n: filled("te,", n, "x"),
    "blanks_in_connection": lambda n: filled("keep-alive ", n),
}
HOSTS = {
    "dotted": lambda n: filled("a.", n, "!"),
    "colons": lambda n: filled("a", n, ":" + "1" * 9),
    "brackets": lambda n: "[" + filled(":", n),
    "digits": lambda n: "[" + filled("1.", n, "]!"),
}
DIRECTIVES = {
    "blanks_in_value": lambda n: filled(" ", n).join(("{a:", "cell}")),
    "blanks_in_cell": lambda n: filled(" ", n).join(("{cell:a", "!}")),
    "pairs": lambda n: "{" + filled("a:b,", n, "cell}"),
    "pairs_behind_the_cell": lambda n: "{cell:x" + filled(",a:b", n, "!cell}"),
    "words_in_cell": lambda n: "{cell:" + filled("a ", n, '"}'),
    "escapes": lambda n: '{a:"' + filled("\\\\", n, "cell}"),
    "quotes": lambda n: "{" + filled('"', n, "cell}"),
    "blanks_before_colon": lambda n: "{a" + filled(" ", n, "cell}"),
    "almost_cell": lambda n: "{" + filled("cel:l,", n, "cell}"),
    "braces": lambda n: filled("{", n, "cell}"),
    "blanks_everywhere": lambda n: "{" + filled(" a : b ,", n, "cell}"),
    "blanks_at_the_end": lambda n: "{cell:a}" + filled(" ", n, "x"),
}
OTHERS = {"long_name": lambda n: filled("content-length", n), "date": lambda n: filled("date", n)}
# A piece of the expression -> what it is tried with; the first that is in it.
KINDS = {"cell": DIRECTIVES, "gitlab": NAMES, "%2": PATHS, "a-z0-9._-": HOSTS, "te)": CONNECTIONS,
         "http2-settings": UPGRADES, "upgrade": CONNECTIONS, "websocket": UPGRADES, "content-length": OTHERS}


def unquoted(text, quote, variables):
    """As HAProxy's configuration reads it."""
    if quote == '"':
        text = re.sub(r"\$\{(\w+)\}", lambda found: variables.get(found[1], ""), text)
        text = re.sub(r'\\(["\\$ ])', r"\1", text)
    return text


def expressions(printed):
    """All of a printed configuration: (text, whether case is ignored)."""
    variables = {name: unquoted(value, quote, {})
                 for name, quote, value in re.findall(r'^ *setenv (\w+) (["\']?)(.*?)\2$', printed, re.M)}
    found = set()
    for line in printed.splitlines():
        for pattern in (r'-m reg (?P<i>-i )?(?P<q>["\'])(?P<text>.*?)(?P=q)(?: |$)',
                        r'del-header (?P<q>["\'])(?P<text>.*?)(?P=q) -m reg(?P<i> -i)?',
                        r'replace-(?:value|header) \S+ (?P<q>["\'])(?P<text>.*?)(?P=q)(?P<i>)'):
            found |= {(unquoted(at["text"], at["q"], variables), bool(at["i"])) for at in re.finditer(pattern, line)}
        folded = re.search(r"setenv CELLROUTER_CELL_OF 'regsub\(\"(.*)\",\"=", line)
        if folded:
            found.add((unquoted(folded[1], '"', {}), False))
    continued = re.search(r"replace-value Connection \\\n *\"(.*?)\"", printed)
    if continued:
        found.add((unquoted(continued[1], '"', variables), False))
    return sorted(found)


def texts_for(expression):
    for piece, texts in KINDS.items():
        if piece in expression.lower():
            return texts
    return {}


@scenario(routers=ONE, level0=True, large=4 << 20)
def test_every_expression_of_the_rules_is_linear(world):
    """Twice the text costs twice the steps at most, and none of a whole buffer comes near PCRE's limit. A new
    expression needs texts of its own."""
    router = world.router("eu1")
    found = expressions((router.folder / "cellrouter.cfg").read_text(encoding="utf-8"))
    expect.true(f"{len(found)} expressions were found", len(found) >= 9)
    tried = set()
    for text, caseless in found:
        pattern, texts = Pattern(text, caseless), texts_for(text)
        expect.true(f"slow texts for {text}", bool(texts))
        for label, make in texts.items():
            steps = [pattern.steps(make(n).encode("latin-1")) for n in (BUFFER // 2, BUFFER)]
            said = f"{label}: {steps} steps of {text}"
            expect.true(said, steps[1] <= A_BYTE * BUFFER and steps[1] <= 2.2 * steps[0] + 50)
            tried.add(label)
    expect.true(f"{len(tried)} texts", len(tried) >= 20)


def requests_of(label, n):
    """(target, headers) of n bytes in which a client puts a slow text."""
    for texts, place in ((PATHS, None), (NAMES, "name"), (UPGRADES, "Upgrade"), (CONNECTIONS, "Connection"),
                         (HOSTS, "X-Forwarded-Host")):
        if label in texts:
            text = texts[label](n)
            if place is None:
                return "/my-company/" + text, []
            return "/my-company/x", [(text, "x") if place == "name" else (place, text)]
    many = [(f"{'x-gitlab-cell' if label == 'many_names' else 'cookie'}{'' if label != 'many_names' else number}",
             "a=b; " * (n // 400)) for number in range(80)]
    return "/my-company/x", many


@scenario(pick=AWAY, routers=ONE, level0=True)
def test_slow_texts_cost_haproxy_what_others_cost(world):
    router = world.router("eu1")
    rounds, n = 30, 12_000

    def cost(target, headers, statuses):
        before = router.haproxy.cpu_nanoseconds()
        for _ in range(rounds):
            try:
                status = router.request("GET", target, headers=headers, user="alice", follow_307=True).status
            except Broken:
                status = 400  # said, but lost with what HAProxy did not read
            expect.true(f"status {status}", status in statuses)
        return router.haproxy.cpu_nanoseconds() - before

    fine = (200, 307, 400, 404)
    harmless = {"path": cost("/my-company/" + "a" * n, [], fine),
                "header": cost("/my-company/x", [("X-Harmless", "a" * n)], fine),
                "many": cost("/my-company/x", [(f"x-harmless-{at}", "b" * (n // 80)) for at in range(80)], fine)}
    for label in [*PATHS, *NAMES, *UPGRADES, *CONNECTIONS, *HOSTS, "many_names", "many_cookies"]:
        target, headers = requests_of(label, n)
        other = harmless["many" if len(headers) > 1 else "header" if headers else "path"]
        spent = cost(target, headers, fine)
        expect.true(f"{label}: {spent / other:.2f} of a harmless request", spent < 4 * other)


@scenario(pick={"eu": "eu0", "us": "us0"}, routers=ONE)
def test_a_cells_slow_directives_do_not_stop_the_router(world):
    """Of 12 kB, in a redirect: no more than four times what a harmless malformed one costs. (Cubic, for blanks, before
    the expression was made so that it gives nothing back: minutes.)"""
    router = world.router("eu1")
    rounds, n = 10, 12_000

    def cost(text):
        world.cells.behave()
        world.cells.misbehave(cell="eu0", path="/nonsense", redirect_text=text)
        before = router.haproxy.cpu_nanoseconds()
        for _ in range(rounds):
            answer = router.request("GET", "/nonsense/x")
            expect.status(answer, 502, world)
            expect.true(f"reason {answer.get(expect.REASON)}",
                        answer.get(expect.REASON) in ("redirect-malformed", "redirect-to-unknown-cell"))
        return router.haproxy.cpu_nanoseconds() - before

    harmless = cost("a" * n)
    for label, make in DIRECTIVES.items():
        text = make(n)
        spent = cost(text.rstrip())
        expect.true(f"{label}: {spent / harmless:.2f} of a harmless directive", spent < 4 * harmless)
