"""Expectations that say what was expected, what came, and what the cells saw."""

from harness.process import Failure

OWN_HEADERS = ("x-gitlab-cell-", "x-forwarded-", "connection", "transfer-encoding", "content-length", "te")


def table(deliveries):
    if not deliveries:
        return "    (no cell saw anything)"
    lines = []
    for d in deliveries:
        extra = f" redirect {d.redirect}" if d.redirect else f" claim {d.cache}" if d.cache else ""
        body = f"{d.body_length} B {d.body_sha256[:8]}{'' if d.whole else ' (not whole)'}"
        lines.append(f"    {d.n:4} {d.cell}  {d.method} {d.target}  body {body}  -> {d.answer}{extra}")
    return "\n".join(lines)


def same(what, got, expected, hint=""):
    if got != expected:
        raise Failure(f"{what}\n  expected {expected!r}\n  got      {got!r}" + (f"\n{hint}" if hint else ""))


def true(what, condition, hint=""):
    if not condition:
        raise Failure(what + (f"\n{hint}" if hint else ""))


def status(answer, expected, world=None):
    if answer.status != expected:
        seen = f"\n  the cells saw\n{table(world.deliveries_of(answer))}" if world else ""
        raise Failure(f"status\n  expected {expected}\n  got      "
                      f"{str(answer).replace(chr(10), chr(10) + '           ')}{seen}")


def saw(world, answer, *expected):
    """Exactly these cells saw the request, in this order, and each got it as the client sent it. An expected item is a
    cell id, or a set of ids of which one."""
    seen = world.deliveries_of(answer)
    cells = [delivery.cell for delivery in seen]
    fits = len(cells) == len(expected) and all(
        cell in wanted if isinstance(wanted, (set, frozenset)) else cell == wanted
        for cell, wanted in zip(cells, expected))
    if not fits:
        raise Failure(f"cells that saw {answer.request.method} {answer.request.target}\n  expected {list(expected)}\n"
                      f"  got      {cells}\n{table(seen)}\n  the client got\n    {str(answer).splitlines()[0]}")
    for delivery in seen:
        as_sent(delivery, answer.request)
    return seen


def as_sent(delivery, request):
    import hashlib

    where = f"delivery {delivery.n} to {delivery.cell}"
    same(f"{where}: method", delivery.method, request.method)
    same(f"{where}: target", delivery.target, request.target)
    same(f"{where}: whole body", (delivery.whole, delivery.body_length, delivery.body_sha256),
         (True, len(request.body), hashlib.sha256(request.body).hexdigest()))
    sent = [(name.lower(), value) for name, value in request.headers if not own(name)]
    got = [(name.lower(), value) for name, value in delivery.headers if not own(name)]
    if sent != got and sorted(sent) != sorted(got):
        missing = [pair for pair in sent if pair not in got]
        added = [pair for pair in got if pair not in sent]
        raise Failure(f"{where}: headers\n  missing {missing}\n  added   {added}")


def own(name):
    """Headers that the router or HAProxy may set, take away or change on the way."""
    return name.lower().startswith(OWN_HEADERS) or name.lower() == "expect"


def clean(answer):
    """No header of the contract reaches a client."""
    leaked = [pair for pair in answer.headers if pair[0].lower() in ("x-gitlab-cell-redirect", "x-gitlab-cell-cache")]
    true(f"headers of the contract reached the client: {leaked}", not leaked)


REASON = "X-Gitlab-Cell-Reason"  # why the router itself answered with an error


def reason(answer, expected=None):
    """The router's own errors say why."""
    text = answer.get(REASON)
    true(f"a {answer.status} without a reason ({REASON}): {answer}", bool(text))
    if expected:
        same("reason", text, expected)
